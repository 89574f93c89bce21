"""The whole pipeline once, on embedded defaults: every stage is a normal command."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from metalens.formats.files.atomic import folders_for, require_new_directory, write_text
from metalens.formats.files.extras import require
from metalens.workflows.command import run_command
from metalens.workflows.estimate import Estimate, timing

ALPHAS = (0.0, 0.5, 0.75, 1.0, 1.05)


_TIMED_SIDE = 128
_TIMED_SECONDS = 0.40
"""A picture of so many pixels a side is restored in so many seconds where the stages take ``other_seconds``."""

_MEMORY = 2.5e9
"""Memory in bytes of the largest stage."""


@dataclass(frozen=True)
class DemoScale:
    """Size of the demo; ``psf`` holds further options of ``metalens psf``.

    ``other_seconds`` are those of all stages but the minutes of the trainings, measured on two cores of an AMD EPYC (of
    the quick form all seconds, as its trainings are limited by steps). ``disk_bytes`` are those of all files when the
    second training ends, with its checkpoint; ``kept_bytes`` stay.
    """

    psf: tuple[str, ...] = ()
    pairs: int = 36
    minutes: float = 2.0
    steps: int | None = None
    crop: int = 96
    batch: int = 4
    pseudo: int = 6
    held_out: int = 3
    disk_bytes: float = 165e6
    kept_bytes: float = 90e6
    other_seconds: float = 188.0


QUICK = DemoScale(
    psf=("--fields", "3x3", "--wavelengths", "2"),
    pairs=4,
    minutes=1.0,
    steps=4,
    crop=64,
    batch=1,
    pseudo=1,
    held_out=1,
    disk_bytes=108e6,
    kept_bytes=30e6,
    other_seconds=123.0,
)


def run_demo(output: Path, *, quick: bool = False, say: Callable[[str], None] = lambda line: None) -> Path:
    """Run all stages into a new folder.

    Args:
        output: the new folder; an earlier demo is never overwritten.
        quick: a few steps and pictures only.
        say: called with each command before it runs.

    Returns:
        The path of ``report.html``.

    Raises:
        InputError: a package is missing, the folder is not empty, or a stage failed.
    """
    check_demo(output)
    scale = QUICK if quick else DemoScale()
    alphas = ",".join(f"{alpha:g}" for alpha in ALPHAS)
    bank, pairs, test = (str(output / name) for name in ("psf.h5", "pairs", "held-out"))
    first, extra, adapter = (str(output / name) for name in ("first-adapter", "pseudo", "adapter"))
    budget = ["--minutes", f"{scale.minutes:g}", *(["--steps", str(scale.steps)] if scale.steps else [])]
    recipe = ["--psf", bank, "--crop", str(scale.crop), "--batch", str(scale.batch)]
    pseudo = ["--count", str(scale.pseudo)]
    held_out = ["--whole", "--seed", "1", "--count", str(scale.held_out)]
    again = ["--pseudo", extra, "--init", "metacamera", "--learning-rate", "1e-4"]
    restored, measured = str(output / "restored"), str(output / "stages.json")
    commands = (
        ("psf", ["psf", "metacamera", "-o", bank, *scale.psf]),
        ("synth", ["synth", "embedded:train", "-o", pairs, "--psf", bank, "--count", str(scale.pairs)]),
        ("synth held-out", ["synth", "embedded:held-out", "-o", test, "--psf", bank, *held_out]),
        ("train", ["train", pairs, "-o", first, *recipe, *budget, "--learning-rate", "1e-3"]),
        ("pseudo", ["pseudo", "embedded:train", "-o", extra, "--adapter", "metacamera", *pseudo]),
        ("train with pseudo pairs", ["train", pairs, "-o", adapter, *recipe, *budget, *again]),
        ("restore", ["restore", test, "-o", restored, "--adapter", adapter, "--alpha", alphas, "--uncertainty"]),
    )
    with folders_for(output):
        stages = [run_command(name, arguments, say) for name, arguments in commands]
    write_text(Path(measured), json.dumps(stages, indent=1) + "\n")
    inputs = ["--psf", bank, "--pairs", test, "--tune", pairs, "--restored", restored, "--adapter", adapter]
    shown = ["--curve", "metacamera", "--curve", first, "--stages", measured]
    run_command("report", ["report", "-o", str(output / "report"), *inputs, *shown], say)
    return _lift(output / "report")


def check_demo(output: Path) -> None:
    """Check, before the first stage, that the demo can run to its end.

    Args:
        output: the new folder.

    Raises:
        InputError: a package is missing, or the folder is not empty or cannot be written.
    """
    # Its last stages would be without them, minutes after the first.
    require("demo", "skimage", "sklearn", "stlpips_pytorch", "tensorboard", "torch")
    require_new_directory(output)


def demo_estimate(*, quick: bool = False) -> Estimate:
    """Cost of the demo: the embedded adapter restores a small picture twice, which tells how fast the machine is.

    Args:
        quick: as :func:`run_demo`.
    """
    import numpy as np

    from metalens.restore.adapter.adapter_file import load_restorer
    from metalens.restore.inference.restoration import Settings, restore

    restorer = load_restorer("metacamera")
    picture = np.zeros((_TIMED_SIDE, _TIMED_SIDE, 3), np.uint8)
    spent = timing(lambda: restore(restorer, picture, [0.75], Settings(place=(0, 0))))
    scale = QUICK if quick else DemoScale()
    trainings = 0.0 if scale.steps else 2 * 60 * scale.minutes
    basis = f"{_TIMED_SIDE} × {_TIMED_SIDE} pixels were restored in {spent.further:.2f} s"
    seconds = trainings + scale.other_seconds * spent.further / _TIMED_SECONDS
    return Estimate(scale.disk_bytes, seconds, _MEMORY, basis, kept_bytes=scale.kept_bytes)


def _lift(report: Path) -> Path:
    """Move the report's files up to the folder of the stages, the page last.

    Returns:
        The page's new path.
    """
    page = report / "report.html"
    for entry in sorted(report.iterdir(), key=lambda entry: entry == page):
        entry.rename(report.parent / entry.name)
    report.rmdir()
    return report.parent / page.name
