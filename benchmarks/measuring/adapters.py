"""Train an adapter by the command line, restore test pairs with it, and measure: once, however often it is asked."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metalens.formats.pairs.reader import pair_names, read_pairs
from metalens.formats.pictures.pictures import read_picture
from metalens.restore.inference.restored_names import restored_name
from metalens.restore.metrics.measures import perceptual_distances, psnr, psnr_by_zone, ssim

ALPHAS = (0.75, 1.0)
"""Those that the table has: the judge is what takes longest."""


Figures = dict[str, dict[str, float]]
"""``captured`` and α → figure → value."""


@dataclass(frozen=True)
class Setting:
    """What every run of a comparison has in common."""

    folder: Path
    psf: Path
    test: Path
    device: str = "cpu"
    pictures: int | None = None


def parser_of(
    description: str | None, *, crop: int, precision: str = "fp32", learning_rate: float = 1e-3
) -> argparse.ArgumentParser:
    """The options that all comparisons of trained adapters have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--psf", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=crop)
    parser.add_argument("--precision", default=precision)
    parser.add_argument("--learning-rate", type=float, default=learning_rate)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pictures", type=int, help="of a test set, the first so many")
    return parser


def setting_of(given: argparse.Namespace) -> Setting:
    """What all runs have in common; their folder is made."""
    given.output.mkdir(parents=True, exist_ok=True)
    return Setting(given.output, given.psf, given.test, given.device, given.pictures)


def options_of(given: argparse.Namespace) -> list[object]:
    """The options of ``metalens train`` that all runs have in common."""
    options: list[object] = ["--batch", given.batch, "--crop", given.crop, "--precision", given.precision]
    return [*options, "--learning-rate", given.learning_rate]


def metalens(*arguments: object) -> None:
    """Run a command; its own message stands on stderr if it fails."""
    subprocess.run([sys.executable, "-m", "metalens.cli", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def trained(name: str, training: Sequence[object], setting: Setting) -> Path:
    """The folder of an adapter that is trained by these arguments of ``metalens train``: pairs and options."""
    adapter = setting.folder / name.replace("/", "-")
    if not (adapter / "adapter.json").is_file():
        resume = ["--resume"] if adapter.is_dir() else []
        metalens("train", *training, "-o", adapter, "--psf", setting.psf, "--device", setting.device, *resume)
    return adapter


def figures_of(name: str, adapter: Path | str, setting: Setting) -> Figures:
    """Figures of an adapter.

    Args:
        name: of the row.
        adapter: its folder, or the name of an embedded one.
        setting: what all runs have in common.

    Returns:
        Means over the test pictures.
    """
    label = name.replace("/", "-")
    found = setting.folder / f"{label}.json"
    if found.is_file():
        return dict(json.loads(found.read_text()))
    restored = setting.folder / f"{label}-restored"
    if not restored.is_dir():
        chosen = ["--psf", setting.psf, "--any-lens"]
        alphas = ",".join(f"{alpha:g}" for alpha in ALPHAS)
        metalens("restore", setting.test, "-o", restored, "--adapter", adapter, "--alpha", alphas, *chosen)
    figures = measure(setting, restored)
    found.write_text(json.dumps(figures, indent=1))
    return figures


def row_of(clean: np.ndarray, pictures: Sequence[np.ndarray]) -> list[dict[str, float]]:
    """Figures of pictures of one scene: ``psnr``, ``ssim``, the PSNR of each zone, ``distance`` (ST-LPIPS, VGG)."""
    return [
        {
            "psnr": psnr(clean, picture),
            "ssim": ssim(clean, picture),
            **psnr_by_zone(clean, picture),
            "distance": distance,
        }
        for picture, distance in zip(pictures, perceptual_distances(clean, list(pictures)), strict=True)
    ]


def mean_of(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each figure."""
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def measure(setting: Setting, restored: Path) -> Figures:
    """Means over the test pictures of what was captured and of what was restored."""
    pairs = read_pairs(setting.test)
    rows: dict[str, list[dict[str, float]]] = {}
    for number, name in list(enumerate(pair_names(pairs)))[: setting.pictures]:
        clean, captured = pairs[number]
        versions = {"captured": captured}
        versions |= {f"{alpha:g}": read_picture(restored / restored_name(name, alpha)) for alpha in ALPHAS}
        for version, row in zip(versions, row_of(clean, list(versions.values())), strict=True):
            rows.setdefault(version, []).append(row)
    return {version: mean_of(each) for version, each in rows.items()}


COLUMNS = {
    "PSNR": "psnr",
    "SSIM": "ssim",
    "ST-LPIPS": "distance",
    "centre": "centre",
    "middle": "middle",
    "edge": "edge",
}


def table_of(rows: dict[str, dict[str, float]]) -> str:
    """A table in Markdown: a row a name."""
    lines = [f"| | {' | '.join(COLUMNS)} |", "|" + " --- |" * (len(COLUMNS) + 1)]
    for name, figures in rows.items():
        cells = [f"{figures[key]:.{3 if key in ('ssim', 'distance') else 2}f}" for key in COLUMNS.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table(runs: dict[str, Figures], alpha: float = 0.75) -> str:
    """A table in Markdown: a row a run, at one α."""
    captured = next(iter(runs.values()))["captured"]
    return table_of({"captured": captured} | {name: figures[f"{alpha:g}"] for name, figures in runs.items()})
