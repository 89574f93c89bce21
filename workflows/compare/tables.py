"""Tables of a comparison, for the page and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metalens.formats.pages.builder import Best, Table, number
from metalens.restore.metrics.measures import ZONES
from metalens.workflows.compare.summary import CAPTURED, CLEAN, JOINT, TOLERATED
from metalens.workflows.compare.terms import VARIANTS

FIGURES = {"psnr": ("PSNR (dB) ↑", 2), "ssim": ("SSIM ↑", 3), "st_lpips": ("ST-LPIPS ↓", 3), "mtf50": ("MTF50 ↑", 3)}
"""Key → heading and digits; MTF50 is in cycles/pixel."""

RESTORED = tuple(f"restored, {variant}" for variant in VARIANTS)


def headline(summary: Mapping[str, Any]) -> str:
    """Title of the comparison."""
    lenses, pictures = len(summary["lenses"]), len(summary["photographs"]["test"])
    return f"{lenses} lens{'es' if lenses != 1 else ''} on {pictures} test photograph{'s' if pictures != 1 else ''}"


def conditions(summary: Mapping[str, Any]) -> list[str]:
    """Sentences on what is equal for all lenses."""
    terms, sensor = summary["terms"], summary["sensor"]
    rows, columns = sensor["pixels"]
    told = [
        f"One sensor of {rows} × {columns} pixels of {sensor['pixel_pitch_um']:g} µm for all lenses.",
        "Exposure: a white scene brings every lens the same electrons, so that a lens with less light is exposed for "
        "longer."
        if terms["exposure"] == "white"
        else "Exposure: equal times. Electrons follow the light that each lens gathers, relative to the first one.",
    ]
    if terms["minutes"] or terms["steps"]:
        limits = [f"{terms['minutes']:g} minutes"] if terms["minutes"] else []
        limits += [f"{terms['steps']} steps"] if terms["steps"] else []
        told.append(
            f"Each restorer started from {terms['initial']} and was adapted for {' or '.join(limits)} on "
            f"{terms['count']} pairs of {len(summary['photographs']['training'])} photographs ({terms['batch']} crops "
            f"of {terms['crop']} pixels a step, {terms['precision']}, device {terms['device']})."
        )
    else:
        told.append("No restorer was adapted: baselines alone.")
    return [*told, f"Machine: {summary['machine']}."]


def lens_table(summary: Mapping[str, Any]) -> Table:
    """A row a lens: its gain by restoration, resolution before and after, light, size, tolerance, time."""
    lenses = summary["lenses"]
    trained = _has(lenses, RESTORED[0])
    shown = {CAPTURED: "captured", JOINT: "Wiener, joint"} | ({each: each for each in RESTORED} if trained else {})
    last = RESTORED[-1] if trained else JOINT
    columns: list[tuple[str, str, list[float | None], int]] = [
        (f"{title}, PSNR (dB)", "more", [_figure(lens, version, "psnr") for lens in lenses], 2)
        for version, title in shown.items()
    ]
    columns += [
        ("SSIM", "more", [_figure(lens, last, "ssim") for lens in lenses], 3),
        ("ST-LPIPS", "less", [_figure(lens, last, "st_lpips") for lens in lenses], 3),
        ("MTF50 captured", "more", [_figure(lens, CAPTURED, "mtf50") for lens in lenses], 3),
        ("MTF50 restored", "more", [_figure(lens, last, "mtf50") for lens in lenses], 3),
        ("f-number", "", [lens["f_number"] for lens in lenses], 1),
        ("light in the windows", "", [lens["light"] and lens["light"]["efficiency"]["mean"] for lens in lenses], 3),
        ("light", "more", [lens["light"] and lens["light"]["relative"] for lens in lenses], 2),
        ("track (µm)", "less", [lens["track_length_um"] for lens in lenses], 0),
        ("diameter (µm)", "less", [lens["diameter_um"] for lens in lenses], 0),
        ("seconds", "", [_sum(lens["seconds"].values()) for lens in lenses], 0),
    ]
    cells = [_column(values, digits, better) for _, better, values, digits in columns]
    rows = [[lens["name"], *(column[place] for column in cells)] for place, lens in enumerate(lenses)]
    return Table(["lens", *(heading for heading, *_ in columns)], rows)


def version_table(summary: Mapping[str, Any]) -> Table:
    """A row for each lens and version: all figures."""
    rows = [
        [
            lens["name"],
            version,
            *(number(found["figures"].get(key), digits) for key, (_, digits) in FIGURES.items()),
            number(found["seconds_per_picture"], 2),
        ]
        for lens in summary["lenses"]
        for version, found in _shown(lens)
    ]
    return Table(["lens", "version", *(heading for heading, _ in FIGURES.values()), "a picture (s)"], rows)


def zone_table(summary: Mapping[str, Any]) -> Table:
    """A row for each lens and version: figures in the centre, the middle and the edge of the field."""
    rows = [
        [
            lens["name"],
            version,
            *(
                " / ".join(number(found["zones"].get(key, {}).get(zone), digits) for zone in ZONES)
                for key, (_, digits) in FIGURES.items()
            ),
        ]
        for lens in summary["lenses"]
        for version, found in _shown(lens)
    ]
    return Table(["lens", f"version ({' / '.join(ZONES)})", *(heading for heading, _ in FIGURES.values())], rows)


def tolerance_table(summary: Mapping[str, Any]) -> Table | None:
    """Figures as drawn and under typical errors; ``None`` if no lens was drawn."""
    lenses = [lens for lens in summary["lenses"] if lens["tolerance"] is not None]
    if not lenses:
        return None
    keys = ("as_drawn", "quantile_50", "quantile_5")
    rows = [
        [
            lens["name"],
            *(" / ".join(number(lens["tolerance"][name][key], 3) for key in keys) for name in TOLERATED),
            lens["tolerance"]["draws"],
        ]
        for lens in lenses
    ]
    return Table(["lens (as drawn / median / worst 5 %)", *TOLERATED.values(), "lenses drawn"], rows)


def time_table(summary: Mapping[str, Any]) -> Table:
    """Seconds of each step."""
    names = list(dict.fromkeys(name for lens in summary["lenses"] for name in lens["seconds"]))
    rows = [[lens["name"], *(number(lens["seconds"].get(name), 0) for name in names)] for lens in summary["lenses"]]
    return Table(["lens (seconds)", *names], rows)


def _shown(lens: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(version, found) for version, found in lens["versions"].items() if version != CLEAN]


def _has(lenses: Sequence[Mapping[str, Any]], version: str) -> bool:
    return any(version in lens["versions"] for lens in lenses)


def _figure(lens: Mapping[str, Any], version: str, key: str) -> float | None:
    found = lens["versions"].get(version)
    return None if found is None else found["figures"].get(key)


def _sum(values: Any) -> float | None:
    """Sum of the known times; ``None`` if a step's is not known, because it was interrupted."""
    known = list(values)
    return None if None in known else sum(known)


def _column(values: Sequence[float | None], digits: int, better: str) -> list[str]:
    """Cells of a column, the best one marked where lenses differ."""
    known = {value for value in values if value is not None}
    best = {"more": max, "less": min}[better](known) if better and len(known) > 1 else None
    return [
        Best(number(value, digits)) if value is not None and value == best else number(value, digits)
        for value in values
    ]
