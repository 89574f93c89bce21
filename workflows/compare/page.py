"""Page and tables of a comparison: ``compare.html``, ``compare.md``, ``compare.json`` and a figure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from metalens.formats.files.atomic import write_text
from metalens.formats.pages.builder import number, render
from metalens.formats.pictures.pictures import read_picture
from metalens.restore.bench.page import SHOWN, zooms
from metalens.restore.metrics.measures import ZONES
from metalens.restore.report.figures import comparison_figure, save_figure, zone_figure
from metalens.workflows.compare.summary import CLEAN, JOINT
from metalens.workflows.compare.tables import (
    RESTORED,
    conditions,
    headline,
    lens_table,
    time_table,
    tolerance_table,
    version_table,
    zone_table,
)

PAGE, TABLE, FIGURES = "compare.html", "compare.md", "compare.json"


def write_page(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write page, tables and figures; existing ones are replaced.

    Args:
        folder: folder of the comparison; the page links pictures in it.
        summary: content of ``compare.json``.
    """
    zones = _zones(summary)
    if zones:
        save_figure(folder, "zones", lambda: zone_figure(zones, ZONES))
    photographs = _photographs(summary)
    prints = {name: f"photograph-{place:02d}" for place, name in enumerate(photographs, start=1)}
    for name, stem in prints.items() if zones else ():
        _print(folder, stem, summary, name)
    told = {
        "headline": headline(summary),
        "conditions": conditions(summary),
        "lenses": lens_table(summary),
        "versions": version_table(summary),
        "zones": zone_table(summary),
        "tolerances": tolerance_table(summary),
        "times": time_table(summary),
        "failures": [
            {"lens": lens["name"], "step": step, "reason": reason}
            for lens in summary["lenses"]
            for step, reason in lens["failures"].items()
        ],
        "left_out": summary["photographs"]["left_out"],
    }
    texts = {
        FIGURES: json.dumps(summary, indent=1) + "\n",
        TABLE: render("compare_table.md", **told),
        PAGE: render(
            "compare.html",
            **told,
            has_zones=bool(zones),
            zoned=_last(summary),
            boxes=zooms(tuple(summary["sensor"]["pixels"])),
            photographs=photographs,
            prints=prints,
            pictures=len(summary["photographs"]["test"]),
        ),
    }
    for name, content in texts.items():
        write_text(folder / name, content)


def _last(summary: Mapping[str, Any]) -> str:
    """The version that shows what a lens is worth: restored, if a restorer was adapted."""
    trained = any(RESTORED[-1] in lens["versions"] for lens in summary["lenses"])
    return RESTORED[-1] if trained else JOINT


def _zones(summary: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Lens → zone → PSNR after restoration."""
    last = _last(summary)
    found = {
        lens["name"]: lens["versions"].get(last, {}).get("zones", {}).get("psnr", {}) for lens in summary["lenses"]
    }
    return {name: zones for name, zones in found.items() if all(zones.get(zone) is not None for zone in ZONES)}


def _photographs(summary: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Photograph → a row of versions for each lens, with their figures over all photographs."""
    names = next(list(lens["versions"][CLEAN]["pictures"]) for lens in summary["lenses"] if lens["versions"])
    return {
        name: [
            {
                "lens": lens["name"],
                "versions": [_version(version, found, name) for version, found in lens["versions"].items()],
            }
            for lens in summary["lenses"]
            if lens["versions"]
        ]
        for name in names[:SHOWN]
    }


def _print(folder: Path, stem: str, summary: Mapping[str, Any], name: str) -> None:
    """Draw a photograph as every lens' restored version shows it, with the same zooms."""
    rows, columns = summary["sensor"]["pixels"]
    lenses = [lens for lens in summary["lenses"] if _last(summary) in lens["versions"]]
    paths = {lens["name"]: lens["versions"][_last(summary)]["pictures"][name] for lens in lenses}
    clean = {"clean": lenses[0]["versions"][CLEAN]["pictures"][name]}
    pictures = {title: read_picture(folder / path) for title, path in (clean | paths).items()}
    boxes = {
        zoom: (round(top * rows), round(left * columns), round(height * rows))
        for zoom, (top, left, height, _) in zooms((rows, columns)).items()
    }
    save_figure(folder, stem, partial(comparison_figure, pictures, {}, boxes))


def _version(version: str, found: Mapping[str, Any], name: str) -> dict[str, Any]:
    psnr, distance = (found["figures"].get(key) for key in ("psnr", "st_lpips"))
    clean = version == CLEAN
    return {
        "label": version,
        "clean": clean,
        "source": found["pictures"][name],
        "numbers": "the scene" if clean else f"all: {number(psnr, 2)} dB, {number(distance, 3)}",
    }
