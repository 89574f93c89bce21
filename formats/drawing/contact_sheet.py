"""A contact sheet of pairs: clean, degraded and neutral pictures side by side, and where on the sensor they lie."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from metalens.formats.drawing.style import ACCENT, FAINT, RULE, hide_spines, panels
from metalens.formats.pairs.reader import Pairs
from metalens.formats.pairs.shard import PICTURES, PairSample

_ROW_INCHES = 1.72


def draw_contact_sheet(pairs: Pairs, *, count: int = 6) -> Figure:
    """Draw some of the pairs, evenly spaced over the folder.

    Args:
        pairs: what to show.
        count: how many pairs at most.

    Returns:
        A row for each pair: its pictures, and its place on the sensor.

    Raises:
        InputError: a sample is damaged.
    """
    numbers = np.unique(np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int))
    height = _ROW_INCHES * len(numbers) + 0.3
    figure, cells = panels(height, len(numbers), len(PICTURES) + 1, grid=None, squeeze=False)
    for row, number in zip(cells, numbers, strict=True):
        sample = pairs.sample(int(number))
        for axes, name in zip(row, PICTURES, strict=False):
            axes.imshow(getattr(sample, name), interpolation="nearest")
            axes.set_axis_off()
        _draw_place(row[-1], pairs, sample, int(number))
    for axes, title in zip(cells[0], (*PICTURES, "place on the sensor"), strict=True):
        axes.set_title(title, loc="center")
    return figure


def _draw_place(axes: Axes, pairs: Pairs, sample: PairSample, number: int) -> None:
    source, camera = pairs.manifest.sources[sample.source], pairs.manifest.cameras[sample.camera]
    rows, columns = camera.sensor
    axes.add_patch(Rectangle((0, 0), columns, rows, facecolor=RULE, edgecolor=FAINT))
    height, width = pairs.manifest.pixels
    axes.add_patch(Rectangle((sample.position[1], sample.position[0]), width, height, fill=False, edgecolor=ACCENT))
    axes.set(xlim=(0, columns), ylim=(rows, 0), aspect="equal", xticks=[], yticks=[])
    hide_spines(axes)
    name = source.name if len(source.name) <= 26 else source.name[:25] + "…"
    axes.set_xlabel(f"{number}: {name}\n{source.split}", color=FAINT, fontsize=6.5)
