"""On a full disk every command that writes ends with one sentence and leaves nothing half written.

Files may grow to a few hundred bytes only, which the kernel refuses in the middle of a write as it does on a full disk.
As root there is a real one too, a file system of 2 MB in memory.
"""

from __future__ import annotations

import gc
import io
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from metalens.cli import COMMANDS as ALL_COMMANDS
from metalens.cli import main

LARGEST = 512
"""Bytes of a file: less than any output but a note has."""


COMMANDS = {
    "psf": "psf {lens} -o OUT.h5 --fields 1x1",
    "library": "library build {library} -o OUT.h5",
    "init": "init lens OUT",
    "design": "design {design} -o OUT.toml",
    "explore": "explore explore-1mm3 -o OUT",
    "verify": "verify {atoms} -o OUT",
    "tolerance": "tolerance {lens} -o OUT --draws 4 --fields 1x1 --window 9",
    "export": "export {lens} --zemax OUT.zmx",
    "synth": "synth {photographs} -o OUT --psf {psf} --crop 32",
    "export pairs": "data export {pairs} -o OUT --to webdataset",
    "train": "train {pairs} -o OUT --psf {psf} --prior {prior} --config {recipe} --steps 1 --quality piqe",
    "restore": "restore {photographs} -o OUT --psf {psf} --any-lens",
    "pseudo": "pseudo {photographs} -o OUT --adapter metacamera",
    "pretrain": "pretrain {photographs} -o OUT --work OUT.w --autoencoder-steps 1 --denoiser-steps 1 --channels 32,32"
    " --denoiser-crop 64",
    "imported pairs": "data import {photographs} {copies} -o OUT",
    "merge": "data merge {pairs} {others} -o OUT",
    "imported library": "library import {table} --about {about} -o OUT.h5",
    "shown library": "library show si3n4-on-sio2 --figures OUT",
    "measured": "psf measured {pinholes} -o OUT.h5 --lens {lens} --window 9",
    "layout": "export {lens} --gds OUT.gds --library si3n4-on-sio2",
    "table": "export {lens} --csv OUT.csv --library si3n4-on-sio2",
    "structure": "export {lens} --structure OUT.h5 --library si3n4-on-sio2",
    "import": "import {sites} -o OUT --like {lens} --library si3n4-on-sio2",
    "sensor": "sensor calibrate {flats} --dark {dark} -o OUT.toml",
    "align": "align {rig} -o OUT",
    "drawings": "align {rig} -o OUT --figures OUT.f",
    "target": "align target -o OUT.png",
    "screens": "align screens {photographs} -o OUT --lens {lens}",
    "contact sheet": "data show {pairs} -o OUT.png",
    "tars": "data export {pairs} -o OUT --to hf",
    "pictures": "data export {pairs} -o OUT --to png",
    "transfer": "train -o OUT --psf {psf} --steps 0 --init metacamera",
    "latents": "restore {photographs} -o OUT --psf {psf} --any-lens --latents OUT.l",
    "report": "report -o OUT --psf {psf} --pairs {pairs} --restored {restored} --adapter metacamera --tune {others}",
    "bench": "bench -o OUT --psf {psf} --pairs {pairs} --test {others} --steps-per-method 1 --crop 32 --no-chart",
    "compare": "compare {lens} -o OUT --photos {photographs} --minutes 0",
    "demo": "demo -o OUT --quick",
}


@pytest.fixture(autouse=True, scope="module")
def nothing_is_kept_for_later() -> Iterator[None]:
    """What JAX compiles while no file may grow is not kept; what was kept before is read."""
    import jax

    name = "jax_persistent_cache_min_compile_time_secs"
    before = getattr(jax.config, name)
    jax.config.update(name, 1e9)
    yield
    jax.config.update(name, before)


@contextmanager
def files_of(largest: int | None) -> Iterator[None]:
    """While this lasts, the files that this process writes may grow to so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def run_on_a_full_disk(command: str, place: Path, limit: int | None) -> tuple[int, str]:
    """Status, and what is said on stderr."""
    words = command.replace("OUT", str(place / "out")).split()
    # In memory: pytest captures in files.
    with redirect_stderr(io.StringIO()) as said, redirect_stdout(io.StringIO()), pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(place))
        patch.setattr(tempfile, "tempdir", None)
        patch.setattr(sys, "argv", ["metalens", *words])
        # What Python and JAX compile would be cut off, and read by the next process.
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        patch.setenv("JAX_ENABLE_COMPILATION_CACHE", "false")
        with files_of(limit), pytest.raises(SystemExit) as stopped:
            main()
    return int(stopped.value.code or 0), said.getvalue()


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
del sys.argv[1]
from metalens.cli import main
main()
"""
"""The command line where files may grow to so many bytes."""


def run_in_a_process(command: str, place: Path, limit: int) -> tuple[int, str]:
    """Status, and what a command and those that it starts say on stderr."""
    words = command.replace("OUT", str(place / "out")).split()
    # Coverage would keep what it measured on the full disk, and tell that it cannot.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "JAX_ENABLE_COMPILATION_CACHE": "false", "TMPDIR": str(place)}
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stderr


def is_told(status: int, said: str, place: Path) -> None:
    assert status == 1, said
    assert "Traceback" not in said
    sentences = [line for line in said.splitlines() if line.startswith("metalens: ")]
    assert said.strip().splitlines()[-1] == sentences[-1]
    # A command that runs others is told by the first of them that fails.
    assert "File too large" in sentences[0] or "No space left on device" in sentences[0], said
    # Beside the outputs: what fills the disk, and what torch and matplotlib keep for themselves.
    left = sorted(path for path in place.iterdir() if path.name.startswith("out"))
    assert not list(place.rglob("*.part"))
    # What is left is something to go on from, and the sentence says how.
    assert not left or "--resume" in said, (said, [path for each in left for path in (each, *each.rglob("*"))])
    assert all(path.is_file() or any(each.is_file() for each in path.rglob("*")) for path in left)


SLOW = ("train", "restore", "pseudo", "pretrain", "transfer", "latents", "report", "compare", "demo")
"""They load networks; one of them is below, on a file system that is full."""


LIMITS = {"sensor": 64}
"""Of files that have no more than 512 bytes."""


def test_every_command_that_writes_is_here() -> None:
    # The app writes by the commands that it starts; doctor writes nothing that stays; adapter is in test_hub.py.
    assert {line.split()[0] for line in COMMANDS.values()} == set(ALL_COMMANDS) - {"app", "doctor", "adapter"}


@pytest.mark.parametrize("name", [pytest.param(each, marks=[pytest.mark.long] * (each in SLOW)) for each in COMMANDS])
def test_a_full_disk_is_one_sentence(name: str, captured: dict[str, str], tmp_path: Path) -> None:
    # The demo runs the others in processes of theirs.
    call = run_in_a_process if name == "demo" else run_on_a_full_disk
    status, said = call(COMMANDS[name].format(**captured), tmp_path, LIMITS.get(name, LARGEST))
    is_told(status, said, tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, int | None]]:
    """A file system that is full but for 16 kB, where one may be mounted, or else a folder of small files."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        yield disk, LARGEST
        return
    try:
        (disk / "filling").write_bytes(bytes(2**21 - 2**14))
        yield disk, None
    finally:
        # Files that an error still holds.
        gc.collect()
        subprocess.run(["umount", str(disk)], check=True)


# Half a minute: torch writes its checkpoints until the disk is full.
TRAIN = pytest.param("train", marks=pytest.mark.long)


@pytest.mark.parametrize("name", [pytest.param("psf", marks=pytest.mark.long), "synth", TRAIN])
def test_a_file_system_that_is_full_is_one_sentence(
    name: str, given: dict[str, str], small_disk: tuple[Path, int | None]
) -> None:
    place, limit = small_disk
    status, said = run_on_a_full_disk(COMMANDS[name].format(**given), place, limit)
    is_told(status, said, place)
