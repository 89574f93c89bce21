"""The figures of a report: axes with units, in print size for a paper.

Each function draws one :class:`matplotlib.figure.Figure`; :func:`save_figure` writes it as PNG for the page and as
PDF for print. Nothing here touches matplotlib's global state. The figures of the point spread functions are in
``metalens.formats.drawing``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from metalens.formats.drawing import style as house_style
from metalens.formats.drawing.style import ACCENT, COLUMN_WIDTH, FAINT, INK, hide_spines, panels
from metalens.formats.psf.bank import PsfBank

RESOLUTION = {"png": 220, "pdf": 300}
"""Dots per inch of the whole figure, and of raster pictures within vector graphics."""


def save_figure(folder: Path, name: str, draw: Callable[[], Figure]) -> None:
    """Draw a figure in the house style and write ``name.png`` and ``name.pdf``.

    Args:
        folder: output folder.
        name: file stem.
        draw: draws the figure.
    """
    house_style.save_figure(folder, name, draw, RESOLUTION)


def phase_figure(bank: PsfBank) -> Figure:
    """The phase along the radius, and modulo 2π over the aperture."""
    figure, (profile, aperture) = panels(5.6, 2, 1, width=COLUMN_WIDTH, height_ratios=(1, 1.55))
    aperture.grid(visible=False)
    radius = bank.phase_radius * 1e6
    profile.plot(radius, bank.phase, color=ACCENT)
    profile.set(xlabel="distance from the lens' centre (µm)", ylabel="phase (rad)", xlim=(0, radius[-1]))
    profile.set_title("phase profile")

    edge = float(radius[-1])
    line = np.linspace(-edge, edge, 900)
    distance = np.hypot(line[:, None], line[None, :])
    wrapped = np.mod(np.interp(distance, radius, bank.phase), 2 * np.pi)
    image = aperture.imshow(
        np.where(distance <= edge, wrapped, np.nan),
        cmap="twilight",
        extent=(-edge, edge, edge, -edge),
        vmin=0,
        vmax=2 * np.pi,
        interpolation="nearest",
    )
    aperture.add_patch(Circle((0, 0), edge, fill=False, color=INK, linewidth=0.7))
    aperture.set(xlabel="x (µm)", ylabel="y (µm)", title="modulo 2π over the aperture")
    bar = figure.colorbar(image, ax=aperture, ticks=[0, np.pi, 2 * np.pi], shrink=0.85)
    bar.ax.set_yticklabels(["0", "π", "2π"])
    bar.set_label("phase (rad)")
    return figure


def loss_figure(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Training losses over the steps, each with a running median."""
    figure, (plots,) = panels(2.6, 1, len(curves), squeeze=False)
    for axes, (name, curve) in zip(plots, curves.items(), strict=True):
        step, loss = np.asarray(curve["step"], dtype=float), np.asarray(curve["loss"], dtype=float)
        axes.plot(step, loss, color=FAINT, linewidth=0.7, alpha=0.7, label="each step")
        axes.plot(step, _running_median(loss), color=ACCENT, label="running median")
        if len(loss) and (loss > 0).all():
            axes.set_yscale("log")
        axes.set(xlabel="step", ylabel="loss", title=name)
    plots[0].legend(loc="upper right")
    return figure


def alpha_figure(
    psnr: Mapping[float, Sequence[float]],
    distance: Mapping[float, Sequence[float]],
    references: Mapping[str, tuple[float, float]],
) -> Figure:
    """PSNR and perceptual distance over α: every photograph, and their mean.

    Args:
        psnr: α → dB of each photograph.
        distance: α → perceptual distance of each photograph.
        references: name → mean PSNR in dB and distance of methods without α.

    Returns:
        PSNR on the left, perceptual distance on the right.
    """
    figure, plots = panels(3.0, 1, 2)
    labels = ("PSNR (dB), higher is better", "ST-LPIPS (VGG), lower is better")
    for position, (axes, values, label) in enumerate(zip(plots, (psnr, distance), labels, strict=True)):
        alphas = sorted(values)
        table = np.array([values[alpha] for alpha in alphas])
        axes.plot(alphas, table, color=FAINT, linewidth=0.6, alpha=0.7)
        axes.plot(alphas, table.mean(axis=1), color=ACCENT, marker="o", markersize=4, label="restored, mean")
        for style, (name, pair) in zip((":", "--", "-."), references.items(), strict=False):
            axes.axhline(pair[position], color=INK, linestyle=style, linewidth=1, label=f"{name}, mean")
        axes.set(xlabel="α   (0 neutral, 1 positive)", ylabel=label)
        axes.set_xticks(alphas, [f"{alpha:g}" for alpha in alphas])
        if len(alphas) > 1 and np.diff(alphas).min() < 0.08 * (alphas[-1] - alphas[0]):
            axes.tick_params(axis="x", labelrotation=60)
    figure.legend(*plots[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def zone_figure(means: Mapping[str, Mapping[str, float]], zones: Sequence[str]) -> Figure:
    """Mean PSNR of the field's zones.

    Args:
        means: method → zone → dB.
        zones: in their order.

    Returns:
        A group of bars for each zone, a bar for each method.
    """
    figure, axes = panels(3.0, width=COLUMN_WIDTH, grid=None)
    width = 0.8 / len(means)
    colours = ("#9aa5b4", "#4c78a8", ACCENT, "#6b4c9a", "#3a8f6b", "#b8860b", "#c23b7b")
    for number, (method, values) in enumerate(means.items()):
        place = np.arange(len(zones)) + (number - (len(means) - 1) / 2) * width
        heights = [values[zone] for zone in zones]
        bars = axes.bar(place, heights, 0.92 * width, label=method, color=colours[number % len(colours)])
        axes.bar_label(bars, fmt="%.1f", fontsize=6.5, padding=1.5)
    axes.set_xticks(np.arange(len(zones)), list(zones))
    axes.set(ylabel="PSNR (dB)")
    lowest = min(values[zone] for values in means.values() for zone in zones)
    highest = max(values[zone] for values in means.values() for zone in zones)
    axes.set_ylim(max(0.0, lowest - 4), highest + 1)
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def comparison_figure(
    pictures: Mapping[str, np.ndarray], captions: Mapping[str, str], boxes: Mapping[str, tuple[int, int, int]]
) -> Figure:
    """One photograph in every version, with zooms beneath.

    Args:
        pictures: title → ``[y, x, 3]`` uint8.
        captions: title → the line below, may be missing.
        boxes: zoom → top, left, side in pixels.

    Returns:
        A column for each version; the zooms have the colour of their box.
    """
    count = len(pictures)
    aspect = next(iter(pictures.values())).shape[0] / next(iter(pictures.values())).shape[1]
    column = 7.2 / count
    figure = Figure(figsize=(7.2, column * (aspect + len(boxes)) + 0.55))
    grid = figure.add_gridspec(
        1 + len(boxes), count, height_ratios=[aspect, *[1.0] * len(boxes)], left=0.002, right=0.998,
        bottom=0.2 / figure.get_figheight(), top=1 - 0.2 / figure.get_figheight(), wspace=0.03, hspace=0.04,
    )  # fmt: skip
    colours = dict(zip(boxes, ("#f2c14e", "#56c1d6"), strict=False))
    for number, (title, picture) in enumerate(pictures.items()):
        axes = figure.add_subplot(grid[0, number])
        _bare(axes, picture)
        axes.set_title(title, loc="center", fontsize=7.5, pad=3)
        for row, (name, (top, left, side)) in enumerate(boxes.items(), start=1):
            if number == 0:
                frame = Rectangle((left - 0.5, top - 0.5), side, side, fill=False, linewidth=1, color=colours[name])
                axes.add_patch(frame)
            zoom = figure.add_subplot(grid[row, number])
            _bare(zoom, picture[top : top + side, left : left + side])
            for spine in zoom.spines.values():
                spine.set(visible=True, color=colours[name], linewidth=1.2)
        zoom.set_xlabel(captions.get(title, ""), fontsize=6, labelpad=3)
    return figure


def _bare(axes: Any, picture: np.ndarray) -> None:
    axes.imshow(picture, interpolation="nearest", aspect="auto")
    axes.set(xticks=[], yticks=[])
    hide_spines(axes)


def _running_median(values: np.ndarray) -> np.ndarray:
    half = max(1, len(values) // 40)
    return np.array([np.median(values[max(0, index - half) : index + half + 1]) for index in range(len(values))])
