"""Report of a design: specification, progress of the search, and comparison with the hyperbolic lens."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.files.atomic import atomic_directory
from metalens.formats.pages.builder import Table, render
from metalens.psf.design.comparison import best_hyperbolic
from metalens.psf.design.evaluation import Evaluation, decibels, evaluate_for
from metalens.psf.design.run import Design

RESOLUTION = {"png": 150}


def write_report(design: Design, folder: Path) -> dict[str, Any]:
    """Write ``report.md``, ``report.json`` and their figures into a new folder.

    Args:
        design: finished, or stopped when its time was up.
        folder: new or empty; it appears whole or not at all.

    Returns:
        What ``report.json`` holds.

    Raises:
        InputError: the folder holds something, or the disk refuses the write.
    """
    from metalens.formats.drawing.style import save_figure
    from metalens.psf.design.pictures import field_comparison, history_figure, lens_comparison

    problem = design.problem
    plain, plain_loss = best_hyperbolic(design.task, design.output)
    plain_name = f"hyperbolic {plain.lens.phase.wavelength_nm:.0f} nm"  # type: ignore[union-attr]
    found = evaluate_for(problem, design.camera, "designed")
    other = evaluate_for(problem, plain, plain_name)
    figures = report_figures(design, found, other, plain_loss)
    stands_for = problem.channel_weight.argmax(axis=1)
    pictures: dict[str, Callable[[], Any]] = {
        "history": partial(history_figure, design),
        "lens": partial(lens_comparison, problem, {"designed": design.camera, plain_name: plain}),
        "comparison": partial(field_comparison, [found, other], stands_for),
    }
    with atomic_directory(folder) as part:
        for name, draw in pictures.items():
            save_figure(part, name, draw, RESOLUTION)
        (part / "report.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        (part / "report.md").write_text(report_text(design, found, other, figures), encoding="utf-8")
    return figures


def report_figures(design: Design, found: Evaluation, other: Evaluation, other_loss: float) -> dict[str, Any]:
    """Figures of merit of a design, for a JSON file.

    Args:
        design: the finished design.
        found: evaluation of its lens.
        other: evaluation of the reference lens.
        other_loss: loss of the reference lens.

    Returns:
        Content of the JSON object.
    """
    return {
        "design": design.problem.spec.name,
        "spec_hash": design.problem.spec.hash,
        "lens_hash": design.camera.hash,
        "steps": len(design.state.history),
        "finished": design.state.finished,
        "loss": design.loss,
        "loss_hyperbolic": other_loss,
        "start": best_start(design),
        "lenses": {each.name: summary_of(each) for each in (found, other)},
        "fields_deg": list(found.fields_deg),
        "wavelengths_nm": [float(1e9 * each) for each in found.wavelength],
        "by_field": {each.name: _by_field(each) for each in (found, other)},
    }


def best_start(design: Design) -> str | None:
    """The name of the start that the search went on from."""
    losses = design.state.trial_loss
    return design.task.starts[int(losses.argmin())].name if len(losses) else None


def summary_of(evaluation: Evaluation) -> dict[str, float]:
    """One number for each figure."""
    return {
        "strehl_worst": float(evaluation.strehl.min()),
        "strehl_mean": float(evaluation.strehl.mean()),
        "modulation_worst": float(evaluation.modulation.min()),
        "modulation_mean": float(evaluation.modulation.mean()),
        "half_energy_radius_um_median": float(1e6 * np.median(evaluation.half_energy_radius)),
        "half_energy_radius_um_worst": float(1e6 * evaluation.half_energy_radius.max()),
        "captured_db": decibels(evaluation.captured),
        "restored_db": decibels(evaluation.restored),
        "restored_worst_db": decibels(evaluation.restored.max()),
        "window_share_worst": float(evaluation.share.min()),
        "window_pixels": float(evaluation.window),
    }


def _by_field(evaluation: Evaluation) -> dict[str, list]:
    return {
        "strehl": evaluation.strehl.tolist(),
        "modulation": evaluation.modulation.tolist(),
        "half_energy_radius_um": (1e6 * evaluation.half_energy_radius).tolist(),
        "captured_db": (-10 * np.log10(evaluation.captured)).tolist(),
        "restored_db": (-10 * np.log10(evaluation.restored)).tolist(),
    }


_ROWS = (
    ("strehl_worst", "worst Strehl ratio over field and wavelength", ".4f"),
    ("strehl_mean", "mean Strehl ratio", ".4f"),
    ("modulation_worst", "worst contrast at a quarter of Nyquist over field, channel and direction", ".4f"),
    ("modulation_mean", "mean contrast at a quarter of Nyquist", ".4f"),
    ("half_energy_radius_um_median", "median half-energy radius, µm", ".1f"),
    ("half_energy_radius_um_worst", "largest half-energy radius, µm", ".1f"),
    ("captured_db", "captured, expected, dB", ".2f"),
    ("restored_db", "restored by the joint Wiener filter, expected, dB", ".2f"),
    ("restored_worst_db", "the same at the worst field and channel, dB", ".2f"),
    ("window_share_worst", "least share of the light in the window", ".3f"),
)


def report_text(design: Design, found: Evaluation, other: Evaluation, figures: dict[str, Any]) -> str:
    """Render the report as Markdown.

    Args:
        design: the finished design.
        found: evaluation of its lens.
        other: evaluation of the reference lens.
        figures: what :func:`report_figures` returned.

    Returns:
        Markdown.
    """
    ours, theirs = (figures["lenses"][each.name] for each in (found, other))

    def ratio(key: str) -> str:
        return f"{ours[key] - theirs[key]:+z.2f} dB" if key.endswith("db") else f"{ours[key] / theirs[key]:.2f}"

    rows = [(label, f"{ours[key]:{layout}}", f"{theirs[key]:{layout}}", ratio(key)) for key, label, layout in _ROWS]
    return render(
        "design.md",
        spec=design.problem.spec,
        figures=figures,
        found=found,
        other=other,
        summary=Table(("", "designed", other.name, "ratio"), rows),
        by_field=_tables_by_field(found, other),
    )


def _tables_by_field(found: Evaluation, other: Evaluation) -> dict[str, Table]:
    """Title → both lenses' figures at each field, side by side in a cell."""
    names = tuple(f"{1e9 * each:.0f} nm" for each in found.wavelength)
    tables: tuple[tuple[str, tuple[str, ...], Callable[[Evaluation], np.ndarray], str], ...] = (
        ("Strehl ratio", names, lambda each: each.strehl, ".4f"),
        ("Contrast at a quarter of Nyquist", CHANNEL_NAMES, lambda each: each.modulation.min(axis=-1), ".4f"),
        ("Half-energy radius, µm", CHANNEL_NAMES, lambda each: 1e6 * each.half_energy_radius, ".1f"),
        ("Restored, expected, dB", CHANNEL_NAMES, lambda each: -10 * np.log10(each.restored), ".2f"),
    )
    told = {}
    for title, columns, values, layout in tables:
        rows = [
            [f"{field:g}°", *(f"{a:{layout}} / {b:{layout}}" for a, b in zip(mine, its, strict=True))]
            for field, mine, its in zip(found.fields_deg, values(found), values(other), strict=True)
        ]
        told[title] = Table(("field", *columns), rows)
    return told
