"""Report of an exploration: all candidates in a table, the Pareto fronts, and the best lens."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from metalens.formats.camera.camera import read_camera, write_camera
from metalens.formats.design.exploration_run import LENSES, Candidate
from metalens.formats.design.exploration_run import Figures as CandidateFigures
from metalens.formats.drawing.style import ACCENT, FAINT, INK, panels, save_figure
from metalens.formats.files.atomic import write_text
from metalens.formats.pages.builder import Best, Table, number, render
from metalens.psf.design.architecture_sampling import FRONTS, fronts
from metalens.psf.design.exploration import ExplorationResult, lens_name

BEST = "best.toml"

_COLUMNS = (
    ("candidate", "number", 0),
    ("pupil, µm", "pupil_um", 1),
    ("f, µm", "focal_length_um", 1),
    ("stop, µm", "stop_distance_um", 1),
    ("glass, µm", "substrate_um", 1),
    ("start, nm", "start_wavelength_nm", 1),
    ("choice", "choice", None),
    ("restored, dB", "restored_db", 2),
    ("centre", "restored_centre_db", 2),
    ("edge", "restored_edge_db", 2),
    ("lost by tolerances, dB", "tolerance_loss_db", 2),
    ("captured, dB", "captured_db", 2),
    ("track, µm", "track_length_um", 0),
    ("lens, µm", "diameter_um", 0),
    ("field, °", "field_deg", 1),
    ("f-number", "f_number", 2),
    ("light", "light", 4),
    ("seconds", "seconds", 0),
    ("front", "front", None),
)

LABELS = {
    "restored_db": "restored, expected (dB)",
    "restored_centre_db": "restored in the centre (dB)",
    "restored_edge_db": "restored at the edge (dB)",
    "track_length_um": "track length (µm)",
    "light": "light, efficiency / F²",
    "tolerance_loss_db": "lost by tolerances (dB)",
}
"""Labels of the chart's axes."""


def write_exploration_report(found: ExplorationResult) -> dict[str, Any]:
    """Write ``report.md``, ``report.json``, ``pareto.png`` and ``best.toml`` into the run's folder.

    Args:
        found: the finished exploration.

    Returns:
        What ``report.json`` holds.
    """
    on_front = _front_names(found.able)
    figures: dict[str, Any] = {
        "design": found.spec.name,
        "spec_hash": found.spec.hash,
        "best": found.best.number,
        "front": {name: [n for n, each in on_front.items() if name in each] for name in fronts(found.able)},
        "candidates": [each.model_dump(mode="json", exclude_none=True) for each in found.candidates],
    }
    save_figure(found.folder, "pareto", lambda: pareto_figure(found.able, found.best), {"png": 150})
    write_text(found.folder / "report.json", json.dumps(figures, indent=1) + "\n")
    write_text(found.folder / "report.md", _text(found, on_front))
    _write_best(found)
    return figures


def _write_best(found: ExplorationResult) -> None:
    """The best lens.toml under its own name; a file that it names, such as a map of its phase, lies beside it."""
    stem = found.lens(found.best).stem
    for path in (found.folder / LENSES).glob(f"{stem}.*"):
        if path.suffix != ".toml":
            shutil.copyfile(path, found.folder / path.name)
    write_camera(found.folder / BEST, read_camera(found.lens(found.best)))


def _front_names(able: Sequence[Candidate]) -> dict[int, list[str]]:
    """Number → the fronts on which the candidate lies."""
    told = fronts(able)
    return {each.number: [name for name in told if told[name][place]] for place, each in enumerate(able)}


def _text(found: ExplorationResult, on_front: dict[int, list[str]]) -> str:
    able = sorted(found.able, key=lambda each: -_figures(each).restored_db)
    keys = [key for _, key, _ in _COLUMNS]
    # Columns without values are left out.
    rows = [_row(each, on_front[each.number]) for each in able]
    shown = [at for at, key in enumerate(keys) if any(row[at] not in (None, "", "0.0") for row in rows)]
    best = {
        at: (min if keys[at] == "tolerance_loss_db" else max)(_value(each, keys[at]) for each in able)
        for at in shown
        if keys[at].endswith("_db")
    }
    cells = [
        [Best(row[at]) if at in best and _value(each, keys[at]) == best[at] else row[at] for at in shown]
        for each, row in zip(able, rows, strict=True)
    ]
    failed = [each for each in found.candidates if each.failed is not None]
    return render(
        "explore.md",
        spec=found.spec,
        best=found.best,
        lens=f"{LENSES}/{lens_name(found.best.number)}",
        count=len(found.candidates),
        table_of_all=Table([_COLUMNS[at][0] for at in shown], cells),
        failed=Table(
            ("candidate", "pupil, µm", "f, µm", "stop, µm", "glass, µm", "choice", "why it failed"),
            [_failure(each) for each in failed],
        ),
        seconds=sum(each.seconds for each in found.candidates),
    )


def _failure(each: Candidate) -> list[object]:
    told = each.architecture
    lengths = (told.pupil_um, told.focal_length_um, told.stop_distance_um, told.substrate_um)
    return [each.number, *(number(value, 1) for value in lengths), told.choice or "", each.failed]


def _row(candidate: Candidate, front: list[str]) -> list[Any]:
    cells: list[Any] = []
    for _, key, digits in _COLUMNS:
        value: Any = ", ".join(front) if key == "front" else _value(candidate, key)
        cells.append(value if digits is None or value is None else number(value, digits))
    return cells


def _value(candidate: Candidate, key: str) -> Any:
    for record in (candidate, candidate.architecture, _figures(candidate)):
        if hasattr(record, key):
            return getattr(record, key)
    raise KeyError(key)


def _figures(candidate: Candidate) -> CandidateFigures:
    assert candidate.figures is not None
    return candidate.figures


def pareto_figure(able: Sequence[Candidate], best: Candidate) -> Figure:
    """Restored dB against track length, light and loss by tolerances, and edge against centre, with Pareto fronts.

    Args:
        able: candidates with figures.
        best: the one that is marked.

    Returns:
        The figure, not yet written.
    """
    figure, cells = panels(5.4, 2, 2)
    place = [each.number for each in able].index(best.number)
    for axes in cells.flat:
        axes.set_visible(False)
    for axes, (name, front) in zip(cells.flat, fronts(able).items(), strict=False):
        axes.set_visible(True)
        up, along = (signed.removeprefix("-") for signed in FRONTS[name])
        restored, across = (np.array([_value(each, key) for each in able]) for key in (up, along))
        order = np.flatnonzero(front)[across[front].argsort()]
        axes.plot(across[~front], restored[~front], "o", color=FAINT, markersize=3.5)
        axes.plot(across[order], restored[order], "o-", color=ACCENT, markersize=4.5, linewidth=1.0)
        axes.plot(across[place], restored[place], "o", markerfacecolor="none", markeredgecolor=INK, markersize=10)
        axes.set_xlabel(LABELS[along])
        axes.set_ylabel(LABELS[up])
    return figure
