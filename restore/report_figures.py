"""The figures of a report: axes with units, print sizes, fit for a paper as they are.

Each function draws one :class:`matplotlib.figure.Figure`; :func:`save_figure` writes it as PNG for the page and as
PDF for print. Nothing here touches matplotlib's global state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from metalens.formats.psf_bank import PsfBank

CHANNELS = ("red", "green", "blue")
CHANNEL_COLOURS = ("#c23b3b", "#2f8f57", "#3564c4")
INK = "#1d2530"
FAINT = "#8a94a3"
ACCENT = "#b4501e"
LARGEST_GRID = 7
"""Nodes that a map shows along each side; of finer banks every so-manieth is shown."""

RESOLUTION = {"png": 220, "pdf": 300}
"""Dots per inch: of the whole figure, and of the pictures within the vector graphics."""

PSF_DECADES = 4.0
"""How far below the brightest pixel the map of point spread functions reaches."""

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.5,
    "figure.facecolor": "white",
    "pdf.fonttype": 42,
}


def save_figure(folder: Path, name: str, draw: Callable[[], Figure]) -> None:
    """Draw a figure in the house style and write ``name.png`` and ``name.pdf`` into a folder."""
    with mpl.rc_context(_STYLE):
        figure = draw()
        FigureCanvasAgg(figure)
        figure.savefig(folder / f"{name}.png", dpi=RESOLUTION["png"])
        if figure.get_layout_engine() is not None:
            figure.set_layout_engine("none")  # what was laid out once stays so
        # Without a date the file depends on its content alone.
        figure.savefig(folder / f"{name}.pdf", dpi=RESOLUTION["pdf"], metadata={"CreationDate": None})


def phase_figure(bank: PsfBank) -> Figure:
    """The phase along the radius, and modulo 2π over the aperture."""
    figure = Figure(figsize=(4.6, 5.6), layout="constrained")
    profile, aperture = figure.subplots(2, 1, height_ratios=(1, 1.55))
    radius = bank.phase_radius * 1e6
    profile.plot(radius, bank.phase, color=ACCENT)
    profile.set(xlabel="distance from the lens' centre (µm)", ylabel="phase (rad)", xlim=(0, radius[-1]))
    profile.grid(color="#e6e9ee", linewidth=0.6)
    profile.set_title("phase profile", loc="left")

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
    aperture.set(xlabel="x (µm)", ylabel="y (µm)")
    aperture.set_title("modulo 2π over the aperture", loc="left")
    bar = figure.colorbar(image, ax=aperture, ticks=[0, np.pi, 2 * np.pi], shrink=0.85)
    bar.ax.set_yticklabels(["0", "π", "2π"])
    bar.set_label("phase (rad)")
    return figure


def psf_figure(bank: PsfBank) -> Figure:
    """The point spread functions over the field, in colour and on a logarithmic scale."""
    rows, columns = _shown(len(bank.field_y)), _shown(len(bank.field_x))
    mosaic = _psf_mosaic(bank, rows, columns)
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes, scale = figure.subplots(1, 2, width_ratios=(1, 0.075))
    axes.imshow(mosaic, interpolation="nearest", extent=(0, len(columns), len(rows), 0), aspect="equal")
    for position in range(1, len(rows)):
        axes.axhline(position, color="white", linewidth=0.4, alpha=0.35)
    for position in range(1, len(columns)):
        axes.axvline(position, color="white", linewidth=0.4, alpha=0.35)
    _field_ticks(axes, bank, rows, columns, middle=0.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    window = bank.intensity.shape[-1] * bank.pixel_pitch * 1e6
    length = _round_length(0.35 * window)
    left, top = 0.08, len(rows) - 0.1
    axes.plot([left, left + length / window], [top, top], color="white", linewidth=1.6, solid_capstyle="butt")
    axes.text(left, top - 0.05, f"{length:g} µm", color="white", fontsize=7, va="bottom")
    axes.set_title(f"point spread functions, each in its window of {window:.0f} µm", loc="left")

    ramp = np.linspace(0, 1, 256)
    strip = np.zeros((256, 4, 3))
    for column, shown in enumerate([(0,), (1,), (2,), (0, 1, 2)]):
        for channel in shown:
            strip[:, column, channel] = ramp
    brightest = float(np.log10(bank.as_grid(bank.intensity)[np.ix_(rows, columns)].max()))
    darkest = brightest - PSF_DECADES
    scale.imshow(strip, origin="lower", aspect="auto", extent=(0, 4, darkest, brightest), interpolation="nearest")
    decades = np.arange(np.ceil(darkest), np.floor(brightest) + 1)
    scale.set_yticks(decades, [f"$10^{{{value:.0f}}}$" for value in decades])
    scale.set_xticks([0.5, 1.5, 2.5, 3.5], ["R", "G", "B", "all"], fontsize=6)
    scale.tick_params(axis="x", length=0)
    scale.yaxis.tick_right()
    scale.yaxis.set_label_position("right")
    scale.set_ylabel("share of the point's light per pixel")
    for spine in scale.spines.values():
        spine.set_visible(False)
    return figure


def _psf_mosaic(bank: PsfBank, rows: list[int], columns: list[int]) -> np.ndarray:
    chosen = bank.as_grid(bank.intensity)[np.ix_(rows, columns)]
    with np.errstate(divide="ignore"):
        shade = 1 + np.log10(chosen / chosen.max()) / PSF_DECADES
    height, width = chosen.shape[-2:]
    # field_y, field_x, channel, y, x → rows of windows
    return np.clip(shade, 0, 1).transpose(0, 3, 1, 4, 2).reshape(len(rows) * height, len(columns) * width, 3)


def width_figure(bank: PsfBank) -> Figure:
    """The full width at half maximum of each channel over the field, with its numbers."""
    rows, columns = _shown(len(bank.field_y)), _shown(len(bank.field_x))
    widths = bank.as_grid(bank.by_channel.full_width_half_maximum)[np.ix_(rows, columns)] * 1e6
    figure = Figure(figsize=(7.2, 2.85), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    low, high = float(widths.min()), float(widths.max())
    for channel, axes in enumerate(panels):
        image = axes.imshow(widths[..., channel], cmap="cividis", vmin=low, vmax=high)
        for row, column in np.ndindex(widths.shape[:2]):
            value = widths[row, column, channel]
            dark = value - low > 0.55 * (high - low)
            text = f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=6, color=INK if dark else "white")
        _field_ticks(axes, bank, rows, columns, middle=0.0)
        axes.tick_params(labelsize=6.5)
        for spine in axes.spines.values():
            spine.set_visible(False)
        centre = 1e9 * bank.channel_weight[channel] @ bank.wavelength
        axes.set_title(f"{CHANNELS[channel]}, {centre:.0f} nm", loc="left", color=CHANNEL_COLOURS[channel])
        if channel:
            axes.set_ylabel("")
    figure.colorbar(image, ax=panels, shrink=0.9, pad=0.015).set_label("full width at half maximum (µm)")
    return figure


def loss_figure(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Training losses over the steps, each with a running median."""
    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    panels = figure.subplots(1, len(curves), squeeze=False)[0]
    for axes, (name, curve) in zip(panels, curves.items(), strict=True):
        step, loss = np.asarray(curve["step"], dtype=float), np.asarray(curve["loss"], dtype=float)
        axes.plot(step, loss, color=FAINT, linewidth=0.7, alpha=0.7, label="each step")
        axes.plot(step, _running_median(loss), color=ACCENT, label="running median")
        if len(loss) and (loss > 0).all():
            axes.set_yscale("log")
        axes.grid(color="#e6e9ee", linewidth=0.6)
        axes.set(xlabel="step", ylabel="loss")
        axes.set_title(name, loc="left")
    panels[0].legend(loc="upper right")
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
        references: name → mean PSNR and distance of something that knows no α.
    """
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    panels = figure.subplots(1, 2)
    labels = ("PSNR (dB), higher is better", "ST-LPIPS (VGG), lower is better")
    for position, (axes, values, label) in enumerate(zip(panels, (psnr, distance), labels, strict=True)):
        alphas = sorted(values)
        table = np.array([values[alpha] for alpha in alphas])
        axes.plot(alphas, table, color=FAINT, linewidth=0.6, alpha=0.7)
        axes.plot(alphas, table.mean(axis=1), color=ACCENT, marker="o", markersize=4, label="restored, mean")
        for style, (name, pair) in zip((":", "--", "-."), references.items(), strict=False):
            axes.axhline(pair[position], color=INK, linestyle=style, linewidth=1, label=f"{name}, mean")
        axes.grid(color="#e6e9ee", linewidth=0.6)
        axes.set(xlabel="α   (0 neutral, 1 positive)", ylabel=label)
        axes.set_xticks(alphas, [f"{alpha:g}" for alpha in alphas])
        if len(alphas) > 1 and np.diff(alphas).min() < 0.08 * (alphas[-1] - alphas[0]):
            axes.tick_params(axis="x", labelrotation=60)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def zone_figure(means: Mapping[str, Mapping[str, float]], zones: Sequence[str]) -> Figure:
    """Mean PSNR of the field's zones.

    Args:
        means: method → zone → dB.
        zones: in their order.
    """
    figure = Figure(figsize=(4.6, 3.0), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(means)
    colours = ("#9aa5b4", "#4c78a8", ACCENT, "#6b4c9a")
    for number, (method, values) in enumerate(means.items()):
        place = np.arange(len(zones)) + (number - (len(means) - 1) / 2) * width
        heights = [values[zone] for zone in zones]
        bars = axes.bar(place, heights, 0.92 * width, label=method, color=colours[number % len(colours)])
        axes.bar_label(bars, fmt="%.1f", fontsize=6.5, padding=1.5)
    axes.set_xticks(np.arange(len(zones)), list(zones))
    axes.set(ylabel="PSNR (dB)")
    lowest = min(values[zone] for values in means.values() for zone in zones)
    highest = max(values[zone] for values in means.values() for zone in zones)
    axes.set_ylim(max(0.0, lowest - 4), highest + 0.25 * (highest - lowest) + 1.5)
    axes.legend(loc="upper right", ncols=len(means))
    return figure


def comparison_figure(
    pictures: Mapping[str, np.ndarray], captions: Mapping[str, str], boxes: Mapping[str, tuple[int, int, int]]
) -> Figure:
    """One photograph in every version, with zooms beneath.

    Args:
        pictures: title → ``[y, x, 3]`` uint8.
        captions: title → the line below, may be missing.
        boxes: zoom → top, left, side in pixels.
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
        axes.set_title(title, fontsize=7.5, pad=3)
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
    for spine in axes.spines.values():
        spine.set_visible(False)


def _field_ticks(axes: Any, bank: PsfBank, rows: list[int], columns: list[int], middle: float) -> None:
    """Label the cells of a map with their place on the sensor."""
    axes.set_xticks(np.arange(len(columns)) + middle, [_micrometres(bank.field_x[i]) for i in columns])
    axes.set_yticks(np.arange(len(rows)) + middle, [_micrometres(bank.field_y[i]) for i in rows])
    axes.tick_params(length=0)
    axes.set(xlabel="x on the sensor (µm)", ylabel="y on the sensor (µm)")


def _micrometres(length: float) -> str:
    return f"{round(length * 1e6):d}".replace("-", "−")


def _shown(count: int) -> list[int]:
    """Indices of at most seven nodes, evenly spread from the first to the last."""
    return sorted({round(value) for value in np.linspace(0, count - 1, min(count, LARGEST_GRID))})


def _round_length(length: float) -> float:
    """The largest of 1, 2, 5 × 10ⁿ that is not longer."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(step * power for step in (1, 2, 5) if step * power <= length))


def _running_median(values: np.ndarray) -> np.ndarray:
    half = max(1, len(values) // 40)
    return np.array([np.median(values[max(0, index - half) : index + half + 1]) for index in range(len(values))])
