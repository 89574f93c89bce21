"""A signal at any moment ends a command, leaves nothing half made, and what is resumed comes out as if never stopped.

The moments are drawn over the time that the whole command takes. For a few of them Python starts anew, and the time in
which it does is among the moments. For the two hundred of the long test it would take longer than what is tested: there
a process that has imported everything forks for each run.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.camera.camera import write_camera
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank_file import write_psf_bank

from ..conftest import SMALL_CAMERA
from ..restore.conftest import textured, write_pairs
from .test_design import SPEC
from .test_explore import EXPLORE
from .test_verify import SMALL, lens_of_pillars

SECONDS_TO_END = 240
"""Far more than a command takes to keep a checkpoint, on a machine that is busy with other tests."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Command:
    """Words of a command line but its output, how it goes on, and which files of its output are always the same.

    One that cannot go on leaves nothing.
    """

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
    pairs = write_pairs(given / "pairs", camera, textured(4))
    (given / "recipe.toml").write_text(
        "[training]\nbatch = 1\ncrop = 32\ncheckpoint_every = 2\nvalidation_batches = 1\nvalidation_pictures = 1\n"
        'judge = "alex"\n'
        "[adapter]\nunet_rank = 2\nencoder_rank = 2\n"
    )
    lens, psf, photographs = (str(given / name) for name in ("lens.toml", "psf.h5", "photographs"))
    small = ("--fields", "1x1", "--window", "9")
    learn = ("--prior", str(prior_folder), "--config", str(given / "recipe.toml"), "--steps", "4", "--quality", "piqe")
    weights, lines = ("adapter.safetensors",), ("lenses.jsonl",)
    (given / "explore.toml").write_text(SPEC.replace("steps = 4", "steps = 1") + EXPLORE)
    write_camera(given / "pillars.toml", lens_of_pillars())
    (given / "camera.toml").write_text(SMALL_CAMERA.replace("pixels = [32, 32]", "pixels = [64, 64]"))
    (given / "scenes").mkdir()
    for number, picture in enumerate(textured(5, pixels=(72, 72))):
        write_picture(given / "scenes" / f"{number}.png", picture)
    scenes = ("--photos", str(given / "scenes"), "--fields", "1x1", "--minutes", "0")
    (given / "copies").mkdir()
    for folder, brightness in (("photographs", 1.0), ("copies", 0.5)):
        for number, picture in enumerate(textured(3)):
            write_picture(given / folder / f"{number}.png", (brightness * picture).astype(np.uint8))
    return {
        "data": Command(("data", "import", photographs, str(given / "copies"), "--shard-size", "1")),
        "psf": Command(("psf", lens, "--fields", "3x3", "--window", "25", "--wavelengths", "1"), resume=()),
        "synth": Command(("synth", photographs, "--psf", psf, "--crop", "32", "--count", "8", "--shard-size", "2")),
        "synth by two": Command(
            ("synth", photographs, "--psf", psf, "--crop", "32", "--count", "8", "--shard-size", "2", "--workers", "2")
        ),
        "tolerance": Command(("tolerance", lens, *small, "--draws", "4"), kept=lambda path: path.name in lines),
        "design": Command(("design", str(given / "design.toml"))),
        # What their candidates and steps took is noted, too.
        "explore": Command(("explore", str(given / "explore.toml")), kept=lambda path: path.suffix == ".toml"),
        "compare": Command(
            ("compare", str(given / "camera.toml"), *scenes),
            kept=lambda path: path.suffix == ".h5" or path.parent.parent.name == "restored",
        ),
        "verify": Command(("verify", str(given / "pillars.toml"), *SMALL), kept=lambda path: path.suffix == ".csv"),
        "train": Command(("train", str(pairs.folder), "--psf", psf, *learn), kept=lambda path: path.name in weights),
    }


class Run:
    """A command that runs: its process, and what it says on stderr.

    Args:
        process: identity of the process.
        wait: waits for its end and gives its exit status; negative is a signal's number.
        said: the file with its stderr.
    """

    def __init__(self, process: int, wait: Callable[[], int], said: Path) -> None:
        self.process = process
        self.wait = wait
        self._said = said

    @property
    def said(self) -> str:
        """What has been said on stderr."""
        return self._said.read_text()


Start = Callable[[tuple[str, ...], Path], Run]
"""Words of a command line with its output, and the folder in which stderr is kept, to a process."""


def anew(words: tuple[str, ...], folder: Path) -> Run:
    """Start Python for the command."""
    said = folder / "stderr"
    with said.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "metalens.cli", *words],
            env=os.environ | ONE_THREAD,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    return Run(process.pid, lambda: process.wait(SECONDS_TO_END), said)


SERVER = """
import json, os, sys

for module in sys.argv[1:]:
    __import__(module)
# Nothing may have begun that a fork would not take with it.
assert len(os.listdir("/proc/self/task")) == 1 if os.path.isdir("/proc/self/task") else True
print("ready", flush=True)
for line in sys.stdin:
    words, said = json.loads(line)
    child = os.fork()
    if child == 0:
        break
    print(child, flush=True)
    # Until its end is asked for, no other process gets its number.
    sys.stdin.readline()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
for number, path, flags in ((0, os.devnull, os.O_RDONLY), (1, os.devnull, os.O_WRONLY), (2, said, os.O_WRONLY)):
    os.dup2(os.open(path, flags), number)
sys.argv = ["metalens", *words]
sys.modules["metalens.cli"].main()
"""
"""Forks for each line of its stdin and runs the command line in the child, which ends as every Python does."""

IMPORTED = (
    "metalens.cli",
    "metalens.formats.pairs.from_folders",
    "matplotlib.pyplot",
    "metalens.psf.bank",
    "metalens.psf.design.report",
    "metalens.psf.tolerance.ensemble",
    "metalens.psf.tolerance.report",
    "metalens.restore.training.train",
    "metalens.synth.generate",
    "metalens.workflows.design",
    "metalens.workflows.training",
)


@contextmanager
def forks(compiled: Path) -> Iterator[Start]:
    """Start commands as forks of a process that has imported what they need.

    Args:
        compiled: a folder for what JAX has compiled.
    """
    kept = {"JAX_COMPILATION_CACHE_DIR": str(compiled), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, *IMPORTED],
        env=os.environ | ONE_THREAD | kept,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    asked, told = server.stdin, server.stdout
    assert told.readline() == "ready\n"

    def start(words: tuple[str, ...], folder: Path) -> Run:
        said = folder / "stderr"
        said.touch()
        print(json.dumps([words, str(said)]), file=asked, flush=True)
        child = int(told.readline())

        def wait() -> int:
            print("wait", file=asked, flush=True)
            return int(told.readline())

        return Run(child, wait, said)

    with server:
        yield start
        asked.close()


def made(command: Command, output: Path) -> dict[str, bytes]:
    files = [output] if output.is_file() else [path for path in output.rglob("*") if path.is_file()]
    return {str(path.relative_to(output)): path.read_bytes() for path in files if command.kept(path)}


def signal_at_random(start: Start, name: str, command: Command, folder: Path, moments: int, first: float = 0.0) -> None:
    """Run a command whole; stop it at random moments, and let it go on each time.

    Args:
        start: how a process is started.
        name: of the command, which is the seed of the moments.
        command: the command.
        folder: a new one for all outputs.
        moments: their number.
        first: of the whole time, before which no signal is sent.
    """
    output = "out.toml" if name == "design" else "out.h5" if name == "psf" else "out"
    (folder / "whole").mkdir(parents=True)
    began = time.monotonic()
    run = start((*command.words, "-o", str(folder / "whole" / output)), folder)
    assert run.wait() == 0, run.said
    lasts = time.monotonic() - began
    whole = made(command, folder / "whole" / output)
    assert whole
    generator = random.Random(name)
    for moment in range(moments):
        place = folder / f"{moment}"
        (place / "resumed").mkdir(parents=True)
        run = start((*command.words, "-o", str(place / output)), place)
        time.sleep(generator.uniform(first, 1.0) * lasts)
        os.kill(run.process, generator.choice([signal.SIGTERM, signal.SIGINT]))
        status, said = run.wait(), run.said
        assert "Traceback" not in said or "metalens/cli" not in said, said
        # It had not yet begun to listen, it stopped, or it was done before the signal came.
        assert status in (-signal.SIGTERM, -signal.SIGINT, 130, 0), said
        if status == 130:
            assert said.splitlines()[-1].startswith("metalens: interrupted")
        assert not list(place.rglob("*.part"))
        if status != 0 and not command.resume:
            assert made(command, place / output) in ({}, whole)
            continue
        if status != 0:
            run = start((*command.words, "-o", str(place / output), *command.resume), place / "resumed")
            status, said = run.wait(), run.said
            # The signal may have come when all was written and only the answer was left.
            assert status == 0 or " finished; " in said or "exists already" in said, said
        assert made(command, place / output) == whole


MOMENTS = {"data": 1}
"""Of the command that starts soonest; the others are signalled in the long tests."""

MANY_MOMENTS = {"psf": 50, "data": 50, "synth": 40, "design": 25, "tolerance": 15, "train": 20}

OF_PROCESSES = {"synth by two": 4, "explore": 4, "compare": 4, "verify": 4}
"""Of commands that start others, which import everything again; and of one whose solver starts threads when
it is imported, which no fork takes with it."""


@pytest.mark.parametrize(("name", "moments"), MOMENTS.items())
def test_a_signal_at_any_moment(name: str, moments: int, commands: dict[str, Command], tmp_path: Path) -> None:
    signal_at_random(anew, name, commands[name], tmp_path, moments, first=0.3)


# Two hundred runs, and as many that go on.
@pytest.mark.long
@pytest.mark.parametrize(("name", "moments"), MANY_MOMENTS.items())
def test_a_signal_at_many_moments(name: str, moments: int, commands: dict[str, Command], tmp_path: Path) -> None:
    with forks(tmp_path / "compiled") as start:
        signal_at_random(start, name, commands[name], tmp_path / "compiling", 0)
        signal_at_random(start, name, commands[name], tmp_path / "stopped", moments)


# Processes of processes: a minute each.
@pytest.mark.long
@pytest.mark.parametrize(("name", "moments"), OF_PROCESSES.items())
def test_a_signal_to_commands_of_many_processes(
    name: str, moments: int, commands: dict[str, Command], tmp_path: Path
) -> None:
    signal_at_random(anew, name, commands[name], tmp_path, moments, first=0.3)
