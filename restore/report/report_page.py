"""The page of a report: one HTML file beside its figures, without scripts and without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metalens.restore.report.page import document, number, text

_BROAD = ("alpha", "fwhm", "loss")
"""Figures of several panels side by side: on a narrow screen they scroll rather than shrink out of sight."""


def render_page(
    report: Mapping[str, Any],
    measures: Mapping[str, str],
    pictures: Sequence[Mapping[str, Any]],
    *,
    has_curves: bool,
) -> str:
    """Write the page.

    Args:
        report: what ``report.json`` holds.
        measures: key → heading.
        pictures: for each sample its files (version → stem), zoom boxes, shape and number.
        has_curves: whether there is a figure of the training losses.

    Returns:
        HTML.
    """
    camera = report["camera"]
    rows, columns = camera["pixels"]
    parts = [
        f"<h1>{text(camera['name'])}: from blur to photograph</h1>",
        f'<p class="soft">{text(camera["description"])} Aperture {camera["aperture_um"]:g} µm, focal length '
        f"{camera['focal_length_um']:g} µm, {rows} × {columns} pixels of {camera['pixel_pitch_um']:g} µm. "
        f"{_count(len(report['samples']), 'held-out photograph')}. "
        '<a href="report.json">All numbers as JSON</a></p>',
        _tiles(report),
        "<h2>Means over the held-out photographs</h2>",
        _summary(report, measures),
        _alpha_and_zones(report),
        "<h2>Photographs</h2>",
        '<p class="note">Yellow and blue frames are the zooms of the centre and of a corner. Beneath each version: '
        "PSNR, SSIM, and the perceptual distance ST-LPIPS with VGG and, in brackets, AlexNet features.</p>",
        *(_photograph(entry, found) for entry, found in zip(report["samples"], pictures, strict=True)),
        "<h2>The lens</h2>",
        _lens(report),
        "<h2>Training</h2>",
        _training(report["training"], has_curves),
        "<h2>Stages</h2>",
        _stages(report["stages"]),
        "<h2>Provenance</h2>",
        _provenance(report["provenance"]),
    ]
    return document(f"{camera['name']} – metalens report", parts)


def _tiles(report: Mapping[str, Any]) -> str:
    means, best = report["means"], report["best_alpha"]
    tiles = []
    for measure, label, digits in (("psnr", "PSNR, dB", 2), ("perceptual_vgg", "ST-LPIPS (VGG)", 3)):
        alpha = f"{best[measure]:g}"
        for name, values in (
            ("captured", means["captured"]),
            ("tiled Wiener", means["wiener"]),
            (f"restored, α = {alpha}", means["restored"][alpha]),
        ):
            shown = number(values[measure], digits)
            tiles.append(f'<div class="tile"><b>{shown}</b><span>{label}: {name}</span></div>')
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _summary(report: Mapping[str, Any], measures: Mapping[str, str]) -> str:
    means = report["means"]
    lines = {"captured": means["captured"], "Wiener, tiled": means["wiener"]}
    lines |= {f"restored, α = {alpha}": values for alpha, values in means["restored"].items()}
    marks = {}
    for measure in measures:
        known = {name: values[measure] for name, values in lines.items() if values[measure] is not None}
        choose = min if measure.startswith("perceptual") else max
        if known:
            marks[choose(known, key=lambda name: known[name]), measure] = ' class="best"'
    body = []
    for name, values in lines.items():
        cells = [
            f"<td{marks.get((name, measure), '')}>{number(values[measure], _digits(measure))}</td>"
            for measure in measures
        ]
        body.append(f"<tr><td>{text(name)}</td>{''.join(cells)}</tr>")
    heads = "".join(f"<th>{text(heading)}{_arrow(measure)}</th>" for measure, heading in measures.items())
    return f'<div class="card"><table><tr><th>version</th>{heads}</tr>{"".join(body)}</table></div>'


def _alpha_and_zones(report: Mapping[str, Any]) -> str:
    alpha = _figure(
        "alpha",
        "The blend of the neutral (α = 0) and the positive path (α = 1); beyond 1 it extrapolates. Thin lines are "
        "single photographs.",
    )
    zones = _figure(
        "zones",
        "Mean PSNR by distance from the middle, split at one and two thirds of the half-diagonal; restored at the "
        f"α with the best PSNR, {report['best_alpha']['psnr']:g}.",
    )
    return f'<h2>α and the field</h2><div class="figures">{alpha}{zones}</div>'


def _photograph(entry: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    rows, columns = found["shape"]
    boxes = "".join(
        f'<div class="box {zoom}" style="top:{100 * top / rows:.2f}%;left:{100 * left / columns:.2f}%;'
        f'width:{100 * side / columns:.2f}%;height:{100 * side / rows:.2f}%"></div>'
        for zoom, (top, left, side) in found["boxes"].items()
    )
    name = text(entry["name"])
    cells = []
    for version, stem in found["files"].items():
        title = {"clean": "clean", "captured": "captured", "wiener": "Wiener, tiled"}.get(version, f"α = {version}")
        zooms = "".join(
            f'<img class="{zoom}" src="{stem}-{zoom}.png" alt="{name}, {title}, {zoom}" loading="lazy">'
            for zoom in found["boxes"]
        )
        cells.append(
            f'<div><div class="name">{title}</div><div class="frame"><img src="{stem}.png" '
            f'alt="{name}, {title}" loading="lazy">{boxes if version == "clean" else ""}</div>'
            f'<div class="zooms">{zooms}</div><div class="numbers">{_numbers(entry, version)}</div></div>'
        )
    pdf = f"comparison-{found['number']:02d}"
    return (
        f'<h3>{name} <span class="soft">· for print: <a href="{pdf}.pdf">PDF</a>, <a href="{pdf}.png">PNG</a>'
        f'</span></h3><div class="card"><div class="versions">{"".join(cells)}</div></div>'
    )


def _numbers(entry: Mapping[str, Any], version: str) -> str:
    if version == "clean":
        return "the scene"
    values = entry["restored"].get(version) or entry[version]
    return (
        f"<b>{number(values['psnr'], 2)} dB</b><br>SSIM {number(values['ssim'], 3)}<br>"
        f"ST-LPIPS <b>{number(values['perceptual_vgg'], 3)}</b> ({number(values['perceptual_alex'], 3)})"
    )


def _lens(report: Mapping[str, Any]) -> str:
    widths = report["full_width_half_maximum_um"]
    spread = "; ".join(
        f"{channel} {number(values['smallest'], 1)} to {number(values['largest'], 1)} µm"
        for channel, values in widths.items()
    )
    phase = _figure("phase", "The phase that the lens adds, along its radius and modulo 2π over the aperture.")
    psf = _figure(
        "psf",
        "Where each point of the scene sends its light, by its place on the sensor. One logarithmic scale of four "
        "decades holds for all three channels. Their light adds: white is where red, green and blue are equally "
        "bright, a colour is where one reaches farther than the others.",
    )
    fwhm = _figure(
        "fwhm",
        "Full width at half maximum by DMDiff's Eq. 2, √(FWHM₁² + FWHM₂²) of a rotated Gaussian fit (a round spot "
        f"reads √2 times its width along one axis): {spread}.",
        whole=True,
    )
    return f'<div class="figures">{psf}{phase}{fwhm}</div>'


def _training(training: Mapping[str, Any], has_curves: bool) -> str:
    figure = _figure("loss", "Loss of each step, and its running median.") if has_curves else ""
    listed = {key: value for key, value in training.items() if key != "curves"}
    table = f'<div class="card">{_listing(listed)}</div>' if listed else ""
    return f'<div class="figures">{figure}{table}</div>' if figure or table else '<p class="note">Not recorded.</p>'


def _stages(stages: Sequence[Mapping[str, Any]]) -> str:
    if not stages:
        return '<p class="note">Not recorded.</p>'
    body = "".join(
        f"<tr><td>{text(stage['name'])}</td><td>{number(stage.get('seconds'), 1)}</td>"
        f"<td>{number(stage.get('peak_memory_mb'), 0)}</td></tr>"
        for stage in stages
    )
    total = sum(stage.get("seconds") or 0 for stage in stages)
    known = [stage["peak_memory_mb"] for stage in stages if stage.get("peak_memory_mb") is not None]
    highest = number(max(known), 0) if known else "–"
    return (
        '<div class="card slim"><table><tr><th>stage</th><th>seconds</th><th>peak memory (MB)</th></tr>'
        f"{body}<tr><td><b>all</b></td><td><b>{total:.1f}</b></td><td><b>{highest}</b></td></tr></table></div>"
    )


def _provenance(provenance: Mapping[str, Any]) -> str:
    return f'<div class="card">{_listing(provenance)}</div>'


def _listing(values: Mapping[str, Any], prefix: str = "") -> str:
    """A two-column table; nested records are spelled with dots."""
    return f"<table>{_lines(values, prefix)}</table>"


def _lines(values: Mapping[str, Any], prefix: str) -> str:
    lines = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            lines.append(_lines(value, f"{name}."))
            continue
        shown = ", ".join(str(entry) for entry in value) if isinstance(value, list) else value
        shown = f"{shown:.6g}" if isinstance(shown, float) else str(shown)
        lines.append(f'<tr><td>{text(name)}</td><td class="wide">{text(shown)}</td></tr>')
    return "".join(lines)


def _figure(name: str, caption: str, *, whole: bool = False) -> str:
    broad = " broad" if name in _BROAD else ""
    return (
        f'<figure class="card{broad}{" whole" if whole else ""}"><img src="{name}.png" alt="{text(caption)}">'
        f'<figcaption>{text(caption)} <a href="{name}.pdf">PDF</a></figcaption></figure>'
    )


def _digits(measure: str) -> int:
    return 2 if measure.startswith("psnr") else 3


def _arrow(measure: str) -> str:
    return " ↓" if measure.startswith("perceptual") else " ↑"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
