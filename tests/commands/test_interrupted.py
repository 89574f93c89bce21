"""A signal at any moment ends a command, leaves nothing half made, and what is resumed comes out as if never stopped.

The moments are drawn over the time that the whole command takes, with the time in which Python starts.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank_file import write_psf_bank

from ..conftest import SMALL_CAMERA
from ..restore.conftest import bank, camera, prior_folder, textured, write_pairs
from .test_design import SPEC
from .test_explore import EXPLORE

__all__ = ["bank", "camera", "prior_folder"]

SECONDS_TO_END = 60
"""Far more than a command takes to keep a checkpoint, on a machine that is busy with other tests."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Command:
    """Words of a command line but its output, how it goes on, and which files of its output are always the same."""

    words: tuple[str, ...]
    resume: tuple[str, ...] = ("--resume",)
    kept: Callable[[Path], bool] = lambda path: True


@pytest.fixture(scope="session")
def commands(tmp_path_factory, bank, camera, prior_folder: Path) -> dict[str, Command]:
    """Those that take long, as small as they get."""
    given = tmp_path_factory.mktemp("given")
    (given / "lens.toml").write_text(SMALL_CAMERA)
    (given / "design.toml").write_text(SPEC)
    write_psf_bank(given / "psf.h5", bank)
    (given / "photographs").mkdir()
    for number, picture in enumerate(textured(3)):
        write_picture(given / "photographs" / f"{number}.png", picture)
    pairs = write_pairs(given / "pairs", camera, textured(4))
    (given / "recipe.toml").write_text(
        "[training]\nbatch = 1\ncrop = 32\ncheckpoint_every = 2\nvalidation_batches = 1\nvalidation_pictures = 1\n"
        "[adapter]\nunet_rank = 2\nencoder_rank = 2\n"
    )
    lens, psf, photographs = (str(given / name) for name in ("lens.toml", "psf.h5", "photographs"))
    small = ("--fields", "1x1", "--window", "9")
    learn = ("--prior", str(prior_folder), "--config", str(given / "recipe.toml"), "--steps", "4", "--quality", "piqe")
    shared = ("--shard-size", "2", "--workers", "2")
    weights, lines = ("adapter.safetensors",), ("lenses.jsonl",)
    (given / "explore.toml").write_text(SPEC.replace("steps = 4", "steps = 1") + EXPLORE)
    (given / "camera.toml").write_text(SMALL_CAMERA.replace("pixels = [32, 32]", "pixels = [64, 64]"))
    (given / "scenes").mkdir()
    for number, picture in enumerate(textured(5, pixels=(72, 72))):
        write_picture(given / "scenes" / f"{number}.png", picture)
    scenes = ("--photos", str(given / "scenes"), "--fields", "1x1", "--minutes", "0")
    return {
        "psf": Command(("psf", lens, "--fields", "3x3", "--window", "25"), resume=()),
        "synth": Command(("synth", photographs, "--psf", psf, "--crop", "32", "--count", "8", *shared)),
        "tolerance": Command(("tolerance", lens, *small, "--draws", "12"), kept=lambda path: path.name in lines),
        "design": Command(("design", str(given / "design.toml"))),
        # What their candidates and steps took is noted, too.
        "explore": Command(("explore", str(given / "explore.toml")), kept=lambda path: path.suffix == ".toml"),
        "compare": Command(
            ("compare", str(given / "camera.toml"), *scenes),
            kept=lambda path: path.suffix == ".h5" or path.parent.parent.name == "restored",
        ),
        "train": Command(("train", str(pairs.folder), "--psf", psf, *learn), kept=lambda path: path.name in weights),
    }


def start(words: tuple[str, ...], output: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "metalens.cli", *words, "-o", str(output), *more],
        env=os.environ | ONE_THREAD,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def made(command: Command, output: Path) -> dict[str, bytes]:
    files = [output] if output.is_file() else [path for path in output.rglob("*") if path.is_file()]
    return {str(path.relative_to(output)): path.read_bytes() for path in files if command.kept(path)}


def signal_at_random(name: str, command: Command, folder: Path, moments: int) -> None:
    """Run a command whole; stop it at random moments, and let it go on each time."""
    output = "out.toml" if name == "design" else "out.h5" if name == "psf" else "out"
    (folder / "whole").mkdir(parents=True)
    began = time.monotonic()
    with start(command.words, folder / "whole" / output) as process:
        assert process.wait() == 0, process.communicate()[1]
    lasts = time.monotonic() - began
    whole = made(command, folder / "whole" / output)
    assert whole
    generator = random.Random(name)
    for moment in range(moments):
        place = folder / f"{moment}"
        place.mkdir()
        with start(command.words, place / output) as process:
            time.sleep(generator.uniform(0.3, 1.0) * lasts)
            process.send_signal(generator.choice([signal.SIGTERM, signal.SIGINT]))
            said = process.communicate(timeout=SECONDS_TO_END)[1]
        assert "Traceback" not in said or "metalens/cli" not in said, said
        # It had not yet begun to listen, it stopped, or it was done before the signal came.
        assert process.returncode in (-signal.SIGTERM, -signal.SIGINT, 130, 0), said
        if process.returncode == 130:
            assert said.splitlines()[-1].startswith("metalens: interrupted")
        assert not list(place.rglob("*.part"))
        if process.returncode != 0:
            with start(command.words, place / output, *command.resume) as process:
                said = process.communicate()[1]
            # The signal may have come when all was written and only the answer was left.
            assert process.returncode == 0 or " finished; " in said or "exists already" in said, said
        assert made(command, place / output) == whole


MOMENTS = {"psf": 1, "design": 2}
"""Of the commands that start soonest; the long test has all."""

MANY_MOMENTS = {"psf": 50, "synth": 40, "design": 40, "tolerance": 30, "train": 20, "explore": 12, "compare": 8}
"""Fewer of the commands that take longest."""


@pytest.mark.parametrize(("name", "moments"), MOMENTS.items())
def test_a_signal_at_any_moment(name: str, moments: int, commands: dict[str, Command], tmp_path: Path) -> None:
    signal_at_random(name, commands[name], tmp_path, moments)


# Two hundred processes.
@pytest.mark.long
@pytest.mark.parametrize(("name", "moments"), MANY_MOMENTS.items())
def test_a_signal_at_many_moments(name: str, moments: int, commands: dict[str, Command], tmp_path: Path) -> None:
    signal_at_random(name, commands[name], tmp_path, moments)
