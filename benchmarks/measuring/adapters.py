"""Train an adapter by the command line, restore test pairs with it, and measure: once, however often it is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metalens.formats.pairs import pair_names, read_pairs
from metalens.formats.pictures import read_picture
from metalens.restore.measures import perceptual_distance, psnr, psnr_by_zone, ssim
from metalens.restore.restoration import restored_name

ALPHAS = (0.75, 1.0)
"""Those that the table has: the judge is what takes longest."""


@dataclass(frozen=True)
class Setting:
    """What every run of a comparison has in common."""

    folder: Path
    psf: Path
    test: Path
    device: str = "cpu"
    pictures: int | None = None


def metalens(*arguments: object) -> None:
    """Run a command; its own message stands on stderr if it fails."""
    subprocess.run([sys.executable, "-m", "metalens.cli", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def figures_of(name: str, training: Sequence[object] | None, setting: Setting) -> dict[str, dict[str, float]]:
    """Figures of an adapter that is trained by these arguments of ``metalens train``, or of one that is there.

    Args:
        name: of the run, and of its folder; for an adapter that is there, its folder or name.
        training: pairs and options; ``None`` takes the adapter as it is.
        setting: what all runs have in common.

    Returns:
        ``captured`` and α → ``psnr``, ``ssim``, ``distance`` (ST-LPIPS, VGG) and the PSNR of each zone, means over the
        test pictures.
    """
    label = name.replace("/", "-")
    found = setting.folder / f"{label}.json"
    if found.is_file():
        return dict(json.loads(found.read_text()))
    adapter: Path | str = name
    if training is not None:
        adapter = setting.folder / label
        if not (adapter / "adapter.json").is_file():
            resume = ["--resume"] if adapter.is_dir() else []
            metalens("train", *training, "-o", adapter, "--psf", setting.psf, "--device", setting.device, *resume)
    restored = setting.folder / f"{label}-restored"
    if not restored.is_dir():
        chosen = ["--psf", setting.psf, "--any-lens"]
        alphas = ",".join(f"{alpha:g}" for alpha in ALPHAS)
        metalens("restore", setting.test, "-o", restored, "--adapter", adapter, "--alpha", alphas, *chosen)
    figures = measure(setting, restored)
    found.write_text(json.dumps(figures, indent=1))
    return figures


def measure(setting: Setting, restored: Path) -> dict[str, dict[str, float]]:
    """Means over the test pictures of what was captured and of what was restored."""
    pairs = read_pairs(setting.test)
    rows: dict[str, list[dict[str, float]]] = {}
    for number, name in list(enumerate(pair_names(pairs)))[: setting.pictures]:
        clean, captured = pairs[number]
        versions = {"captured": captured}
        versions |= {f"{alpha:g}": read_picture(restored / restored_name(name, alpha)) for alpha in ALPHAS}
        for version, picture in versions.items():
            zones = psnr_by_zone(clean, picture)
            row = {"psnr": psnr(clean, picture), "ssim": ssim(clean, picture), **zones}
            rows.setdefault(version, []).append(row | {"distance": perceptual_distance(clean, picture)})
    return {
        version: {key: float(np.mean([row[key] for row in each])) for key in each[0]} for version, each in rows.items()
    }


def table(runs: dict[str, dict[str, dict[str, float]]], alpha: float = 0.75) -> str:
    """A table in Markdown: a row a run, at one α, and the distance at α = 1."""
    lines = ["| | PSNR | SSIM | ST-LPIPS | centre | middle | edge | ST-LPIPS at α = 1 |", "|" + " --- |" * 8]
    first = next(iter(runs.values()))
    rows = {"captured": (first["captured"], first["captured"])}
    rows |= {name: (figures[f"{alpha:g}"], figures["1"]) for name, figures in runs.items()}
    for name, (at, full) in rows.items():
        zones = " | ".join(f"{at[zone]:.2f}" for zone in ("centre", "middle", "edge"))
        figures = f"{at['psnr']:.2f} | {at['ssim']:.3f} | {at['distance']:.3f} | {zones} | {full['distance']:.3f}"
        lines.append(f"| {name} | {figures} |")
    return "\n".join(lines)
