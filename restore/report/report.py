"""The report of a demonstration or an evaluation: a folder with a page, its figures and all numbers.

report/report.html   opens in any browser; refers to nothing outside the folder
report/report.json   every number, in full
report/*.png, *.pdf  figures, and the photographs in all versions
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.drawing.field_map import width_figure
from metalens.formats.drawing.psf_map import psf_figure
from metalens.formats.files.atomic import atomic_directory, require_new_directory
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank import PsfBank
from metalens.restore.inference.uncertainty import SMOOTHING, as_grey
from metalens.restore.metrics.measures import ZONES, Network, perceptual_distances, psnr, psnr_by_zone, ssim
from metalens.restore.report import figures as figures
from metalens.restore.report.report_page import render_page

SCHEMA = "metalens.report"
VERSION = 1

DISTANCES: dict[Network, str] = {"vgg": "ST-LPIPS VGG", "alex": "ST-LPIPS Alex", "efficientnet": "EfficientNet"}
"""Network of a perceptual distance → its heading."""


def judges(loss: str | None) -> tuple[Network, Network]:
    """The two perceptual distances that judge: neither is the loss of the training.

    Args:
        loss: name of the perceptual loss, as an adapter records it; None if it is not known.
    """
    return "vgg", "alex" if loss == "efficientnet" else "efficientnet"


def measures(loss: str | None) -> dict[str, str]:
    """What is measured: key in report.json → heading on the page.

    Args:
        loss: name of the perceptual loss, which is not among them.
    """
    return {
        "psnr": "PSNR (dB)",
        "ssim": "SSIM",
        **{f"perceptual_{network}": DISTANCES[network] for network in judges(loss)},
        **{f"psnr_{zone}": f"PSNR {zone} (dB)" for zone in ZONES},
    }


BASELINES = {"captured": "captured", "wiener": "Wiener, tiled", "wiener_joint": "Wiener, joint"}
"""Versions that no restorer made: key in report.json → name on the page."""


@dataclass(frozen=True)
class Sample:
    """A held-out photograph in all its versions, each ``[y, x, 3]`` uint8 sRGB of the same shape.

    Attributes:
        name: name on the page.
        clean: the scene.
        captured: the capture through the metalens.
        wiener: the capture, deconvolved by the tiled Wiener filter, each colour alone.
        wiener_joint: the capture, deconvolved by the Wiener filter over all colours together.
        restored: α → the capture, restored.
        expected_error: α → ``[y, x]`` float32 in display values, where ``metalens restore --uncertainty`` wrote a map.
    """

    name: str
    clean: np.ndarray
    captured: np.ndarray
    wiener: np.ndarray
    wiener_joint: np.ndarray
    restored: Mapping[float, np.ndarray]
    expected_error: Mapping[float, np.ndarray] = field(default_factory=dict)


def write_report(
    output_folder: Path,
    *,
    bank: PsfBank,
    samples: Sequence[Sample],
    training: Mapping[str, Any],
    stages: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """Measure the samples and write the report; the folder appears whole or not at all.

    Args:
        output_folder: new or empty.
        bank: the camera's point spread functions.
        samples: held-out photographs, all with the same values of α.
        training: ``curves``: name → {``step``: […], ``loss``: […]}, may be missing; anything else is listed. The
            perceptual loss is ``adapter.perceptual_metric``.
        stages: {``name``, ``seconds``, ``peak_memory_mb``} each, in their order; the last two may be missing.
        provenance: heading → value or {name: value}: versions, seeds, hashes.

    Returns:
        What ``report.json`` holds. ``samples[i]["captured"]`` and those of the other :data:`BASELINES` are the
        figures of :func:`measures`, ``["restored"]`` is α → figures; ``means`` has the same form; ``best_alpha`` is
        measure → α of the best mean; ``["expected_error"]`` is α → figures of :func:`_agreement`.

    Raises:
        InputError: the folder is not empty, or the samples do not fit together.
    """
    require_new_directory(output_folder)
    _check(samples)
    curves = dict(training.get("curves", {}))
    _check_curves(curves)
    loss = training.get("adapter", {}).get("perceptual_metric")
    measured = [_measure(sample, loss) for sample in samples]
    means = _means([entry["versions"] for entry in measured])
    report = _plain(
        {
            "schema": SCHEMA,
            "version": VERSION,
            "camera": {
                "name": bank.camera.name,
                "description": bank.camera.description,
                "hash": bank.camera.hash,
                "aperture_um": bank.camera.lens.aperture_um,
                "focal_length_um": bank.camera.lens.focal_length_um,
                "pixels": bank.camera.sensor.pixels,
                "pixel_pitch_um": bank.camera.sensor.pixel_pitch_um,
            },
            "full_width_half_maximum_um": {
                channel: _spread(bank.by_channel.full_width_half_maximum[:, index] * 1e6)
                for index, channel in enumerate(CHANNEL_NAMES)
            },
            "samples": [
                {"name": entry["name"], **_grouped(entry["versions"]), "expected_error": _agreement(sample)}
                for entry, sample in zip(measured, samples, strict=True)
            ],
            "means": _grouped(means),
            "best_alpha": _best_alpha(means),
            "training": training,
            "stages": [dict(stage) for stage in stages],
            "provenance": {"psf_bank": dict(bank.provenance), **provenance},
        }
    )
    with atomic_directory(output_folder) as folder:
        _draw_figures(folder, bank, report, curves)
        pictures = [_write_pictures(folder, number, sample) for number, sample in enumerate(samples, start=1)]
        for number, sample in enumerate(samples, start=1):
            _draw_comparison(folder, number, sample, report["samples"][number - 1])
        (folder / "report.json").write_text(json.dumps(report, indent=1, allow_nan=False), encoding="utf-8")
        page = render_page(report, measures(loss), BASELINES, pictures, loss=loss, has_curves=bool(curves))
        (folder / "report.html").write_text(page, encoding="utf-8")
    return report


def versions_of(sample: Sample) -> dict[str, np.ndarray]:
    """All versions but the clean one: :data:`BASELINES`, and each α as text, ascending."""
    restored = {f"{alpha:g}": sample.restored[alpha] for alpha in sorted(sample.restored)}
    return {**{name: getattr(sample, name) for name in BASELINES}, **restored}


def _check(samples: Sequence[Sample]) -> None:
    if not samples:
        raise InputError("report: no samples; give at least one held-out photograph.")
    for sample in samples:
        if sorted(sample.restored) != sorted(samples[0].restored) or not sample.restored:
            raise InputError(
                f"report: {sample.name} is restored at α = {sorted(sample.restored)}, {samples[0].name} at "
                f"{sorted(samples[0].restored)}; all samples must have the same, and at least one."
            )
        for version, picture in versions_of(sample).items():
            if picture.shape != sample.clean.shape or picture.dtype != np.uint8 or sample.clean.dtype != np.uint8:
                raise InputError(
                    f"report: {sample.name}, {version}: found {picture.dtype} {picture.shape}, the clean one is "
                    f"{sample.clean.dtype} {sample.clean.shape}; expected uint8 of one shape."
                )
        for alpha, expected in sample.expected_error.items():
            if alpha not in sample.restored or expected.shape != sample.clean.shape[:2]:
                raise InputError(
                    f"report: {sample.name}, map of the expected error at α = {alpha:g}: found {expected.shape}, "
                    f"expected {sample.clean.shape[:2]} and a restored picture at this α; restore it again."
                )


def _check_curves(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    for name, curve in curves.items():
        if set(curve) != {"step", "loss"} or len(curve["step"]) != len(curve["loss"]) or not len(curve["step"]):
            raise InputError(f"report: the training curve {name!r} needs step and loss of one length, not empty.")


def _measure(sample: Sample, loss: str | None) -> dict[str, Any]:
    versions = versions_of(sample)
    distances = {
        f"perceptual_{network}": perceptual_distances(sample.clean, list(versions.values()), network)
        for network in judges(loss)
    }
    found = {}
    for number, (version, picture) in enumerate(versions.items()):
        zones = psnr_by_zone(sample.clean, picture)
        found[version] = {
            "psnr": psnr(sample.clean, picture),
            "ssim": ssim(sample.clean, picture),
            **{name: values[number] for name, values in distances.items()},
            **{f"psnr_{zone}": zones[zone] for zone in ZONES},
        }
    return {"name": sample.name, "versions": found}


def _agreement(sample: Sample) -> dict[str, dict[str, float]]:
    """How far the map of the expected error tells the true one.

    Returns:
        α → ``expected`` and ``true``, mean absolute errors in 1/255, and ``rank_correlation`` of both over the picture,
        under the Gaussian of the map.
    """
    found = {}
    for alpha, expected in sorted(sample.expected_error.items()):
        true = np.abs(sample.restored[alpha].astype(np.float32) - sample.clean).mean(axis=-1)
        smooth = gaussian_filter(true, SMOOTHING)
        found[f"{alpha:g}"] = {
            "expected": 255 * float(expected.mean()),
            "true": float(true.mean()),
            "rank_correlation": float(spearmanr(expected[::4, ::4].ravel(), smooth[::4, ::4].ravel()).statistic),
        }
    return found


def _means(entries: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    return {
        version: {
            measure: float(np.mean([entry[version][measure] for entry in entries])) for measure in entries[0][version]
        }
        for version in entries[0]
    }


def _best_alpha(means: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    alphas = [version for version in means if version not in BASELINES]
    best = {}
    for measure in means[alphas[0]]:
        sign = -1 if measure.startswith("perceptual") else 1
        best[measure] = float(max(alphas, key=lambda alpha: sign * means[alpha][measure]))
    return best


def _grouped(versions: Mapping[str, Any]) -> dict[str, Any]:
    restored = {version: values for version, values in versions.items() if version not in BASELINES}
    return {**{name: versions[name] for name in BASELINES}, "restored": restored}


def _spread(values: np.ndarray) -> dict[str, float]:
    return {"smallest": float(values.min()), "mean": float(values.mean()), "largest": float(values.max())}


def _plain(value: Any) -> Any:
    """Convert to JSON values; numbers that are not finite become null (such as the PSNR of equal pictures)."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _draw_figures(folder: Path, bank: PsfBank, report: Mapping[str, Any], curves: Mapping[str, Any]) -> None:
    figures.save_figure(folder, "phase", lambda: figures.phase_figure(bank))
    figures.save_figure(folder, "psf", lambda: psf_figure(bank))
    figures.save_figure(folder, "fwhm", lambda: width_figure(bank))
    if curves:
        figures.save_figure(folder, "loss", lambda: figures.loss_figure(curves))
    means, samples = report["means"], report["samples"]
    psnrs, distances = (
        {
            float(alpha): [_drawn(sample["restored"][alpha][measure]) for sample in samples]
            for alpha in means["restored"]
        }
        for measure in ("psnr", "perceptual_vgg")
    )
    references = {
        title: (_drawn(means[name]["psnr"]), _drawn(means[name]["perceptual_vgg"])) for name, title in BASELINES.items()
    }
    figures.save_figure(folder, "alpha", lambda: figures.alpha_figure(psnrs, distances, references))
    best = f"{report['best_alpha']['psnr']:g}"
    methods = {
        **{title: means[name] for name, title in BASELINES.items()},
        f"restored, α = {best}": means["restored"][best],
    }
    zones = {method: {zone: _drawn(values[f"psnr_{zone}"]) for zone in ZONES} for method, values in methods.items()}
    figures.save_figure(folder, "zones", lambda: figures.zone_figure(zones, ZONES))


def _drawn(value: float | None) -> float:
    """A figure as a plot shows it; one that is not finite leaves a gap."""
    return math.nan if value is None else value


def _zoom_boxes(clean: np.ndarray) -> dict[str, tuple[int, int, int]]:
    """Boxes of the zooms: the centre, and the corner with the most detail; (top, left, side) in pixels."""
    rows, columns = clean.shape[:2]
    side = max(8, min(rows, columns) // 5)
    grey = clean.mean(axis=2)
    near, low, far = side // 4, rows - side - side // 4, columns - side - side // 4
    corners = [(near, near), (near, far), (low, near), (low, far)]
    busiest = max(corners, key=lambda corner: grey[corner[0] :, corner[1] :][:side, :side].std())
    return {"centre": ((rows - side) // 2, (columns - side) // 2, side), "edge": (*busiest, side)}


def _write_pictures(folder: Path, number: int, sample: Sample) -> dict[str, Any]:
    """Write a photograph's versions and their zooms; returns what the page needs to lay them out."""
    boxes = _zoom_boxes(sample.clean)
    files = {}
    for version, picture in {"clean": sample.clean, **versions_of(sample)}.items():
        stem = f"photograph-{number:02d}-{version}"
        write_picture(folder / f"{stem}.png", picture)
        for zoom, (top, left, side) in boxes.items():
            write_picture(folder / f"{stem}-{zoom}.png", picture[top : top + side, left : left + side])
        files[version] = stem
    maps = {}
    for alpha, expected in sorted(sample.expected_error.items()):
        stem = maps[f"{alpha:g}"] = f"photograph-{number:02d}-{alpha:g}-uncertainty"
        shown = np.repeat(as_grey(expected)[..., None], 3, axis=-1)
        write_picture(folder / f"{stem}.png", shown)
        for zoom, (top, left, side) in boxes.items():
            write_picture(folder / f"{stem}-{zoom}.png", shown[top : top + side, left : left + side])
    return {"files": files, "maps": maps, "boxes": boxes, "shape": sample.clean.shape[:2], "number": number}


def _draw_comparison(folder: Path, number: int, sample: Sample, entry: Mapping[str, Any]) -> None:
    pictures = {"clean": sample.clean}
    captions = {"clean": "PSNR / ST-LPIPS"}
    for version, picture in versions_of(sample).items():
        title = BASELINES.get(version, f"α = {version}")
        values = entry[version] if version in BASELINES else entry["restored"][version]
        pictures[title] = picture
        decibels = "∞" if values["psnr"] is None else f"{values['psnr']:.2f}"
        captions[title] = f"{decibels} dB / {values['perceptual_vgg']:.3f}"
    boxes = _zoom_boxes(sample.clean)
    name = f"comparison-{number:02d}"
    figures.save_figure(folder, name, lambda: figures.comparison_figure(pictures, captions, boxes))
