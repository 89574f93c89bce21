"""The calibration of a rig, drawn: residuals over the field, lateral colour, the display's light, a pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from metalens.formats.drawing.scale import round_length
from metalens.formats.drawing.style import (
    ACCENT,
    CHANNEL_COLOURS,
    CHANNEL_MARKS,
    COLUMN_WIDTH,
    FAINT,
    INK,
    RULE,
    panels,
    save_figure,
)
from metalens.synth.alignment.calibration import RigCalibration

_RESOLUTION = {"png": 200, "pdf": 200}


def write_alignment_pictures(rig: RigCalibration, folder: Path, *, pair: tuple[np.ndarray, np.ndarray]) -> list[Path]:
    """Draw a calibration into a folder that is there.

    Args:
        rig: the calibration.
        folder: where the pictures go.
        pair: clean and captured ``[y, x, 3]`` uint8 of one capture.

    Returns:
        The files.
    """
    drawings = {
        "residuals": lambda: residual_figure(rig),
        "lateral-colour": lambda: lateral_figure(rig),
        "display": lambda: display_figure(rig),
        "pair": lambda: pair_figure(*pair),
    }
    return [path for name, draw in drawings.items() for path in save_figure(folder, name, draw, _RESOLUTION)]


def residual_figure(rig: RigCalibration) -> Figure:
    """Residuals of the dots as arrows, and their histogram."""
    away = np.linalg.norm(rig.geometry.residual, axis=1)
    figure, (field, histogram) = panels(3.6, 1, 2, grid=None, width_ratios=(1.5, 1))
    _arrows(field, rig, rig.geometry.residual, ACCENT)
    field.set_title(f"{len(away)} dots, {rig.mapping.model.name}")
    histogram.hist(away, bins=24, color=FAINT)
    histogram.axvline(float(away.mean()), color=INK, linewidth=1, label=f"mean {away.mean():.3f} px")
    histogram.axvline(float(away.max()), color=ACCENT, linewidth=1, label=f"largest {away.max():.3f} px")
    histogram.set(xlabel="distance from the map (px)", ylabel="dots")
    histogram.legend(loc="upper right")
    return figure


def lateral_figure(rig: RigCalibration) -> Figure:
    """Lateral colour: displacement of red and of blue dots from green ones."""
    figure, fields = panels(3.6, 1, 2, grid=None, sharex=True, sharey=True)
    for axes, number, channel in zip(fields, (0, 1), (0, 2), strict=True):
        _arrows(axes, rig, rig.lateral[..., number], CHANNEL_COLOURS[channel])
        axes.set_title(f"{('red', '', 'blue')[channel]} beside green", color=CHANNEL_COLOURS[channel])
        axes.label_outer()
    return figure


def display_figure(rig: RigCalibration) -> Figure:
    """Transfer curves of the display, and residuals of the measured screens."""
    display = rig.display
    value = np.arange(256, dtype=np.uint8)
    figure, axes = panels(3.2, width=COLUMN_WIDTH)
    for primary in range(3):
        grey = np.zeros((1, 256, 3), dtype=np.uint8)
        grey[0, :, primary] = value
        light = (display.light(grey)[0] - display.black) / (1 - display.black) @ np.linalg.inv(display.colour).T
        label = f"γ {display.gamma[primary]:.2f}, offset {display.offset[primary]:z.3f}"
        mark = CHANNEL_MARKS[primary]
        axes.plot(
            value, light[:, primary], color=CHANNEL_COLOURS[primary], label=label, marker=mark, markevery=64, ms=3.5
        )
    worst = 100 * float(np.abs(display.residual).max())
    axes.set_title(f"screens lie {worst:.2f} % of white off at most")
    axes.set(xlabel="displayed value", ylabel="light of the primary, white 1")
    axes.legend()
    return figure


def pair_figure(clean: np.ndarray, captured: np.ndarray) -> Figure:
    """The clean picture, its capture, and a chequerboard of both, which shows misalignment at its edges.

    Args:
        clean: ``[y, x, 3]`` uint8 sRGB.
        captured: ``[y, x, 3]`` uint8 sRGB.

    Returns:
        The figure.
    """
    figure, cells = panels(2.6, 1, 3, grid=None)
    rows, columns = np.indices(clean.shape[:2])
    field = max(min(clean.shape[:2]) // 6, 1)
    board = np.where((((rows // field) + (columns // field)) % 2 == 0)[..., None], clean, captured)
    shown = {"clean": clean, "captured": captured, "in turns": board}
    for axes, (title, picture) in zip(cells, shown.items(), strict=True):
        axes.imshow(picture)
        axes.set_axis_off()
        axes.set_title(title)
    return figure


def _arrows(axes: Any, rig: RigCalibration, vectors: np.ndarray, colour: str) -> None:
    """Arrows at the dots on the sensor, with a scale, and the region that the pairs hold."""
    longest = float(np.linalg.norm(vectors, axis=1).max())
    scale = round_length(longest) if longest > 0 else 1.0
    # The longest arrow is about as long as the dots are apart.
    per_pixel = scale / max(float(np.ptp(rig.dots, axis=0).max()) / 12, 1.0)
    quiver = axes.quiver(
        rig.dots[:, 1],
        rig.dots[:, 0],
        vectors[:, 1],
        vectors[:, 0],
        color=colour,
        angles="xy",
        scale_units="xy",
        scale=per_pixel,
        width=0.004,
    )
    axes.quiverkey(quiver, 0.88, 1.04, scale, f"{scale:g} px", labelpos="E", labelsep=0.05)
    top, left, rows, columns = rig.region
    axes.plot(
        [left, left + columns, left + columns, left, left],
        [top, top, top + rows, top + rows, top],
        color=RULE,
        zorder=0,
    )
    height, width = rig.reader.sensor.pixels
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xlabel="x on the sensor (px)", ylabel="y (px)")
