"""On a full disk every command that writes ends with one sentence and leaves nothing half written.

Files may grow to a few hundred bytes only, which the kernel refuses in the middle of a write as it does on a full disk.
As root there is a real one too, a file system of 2 MB in memory.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from metalens.formats.pairs.reader import Pairs
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank import write_psf_bank

from ..conftest import SMALL_CAMERA
from ..restore.conftest import bank, camera, prior_folder, textured, write_pairs
from .test_design import SPEC
from .test_library import SPEC as LIBRARY

__all__ = ["bank", "camera", "prior_folder"]

LARGEST = 512
"""Bytes of a file: less than any output but a note has."""


@pytest.fixture(scope="session")
def given(tmp_path_factory, bank, camera, prior_folder: Path) -> dict[str, str]:
    """What the commands are given, by name."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "photographs").mkdir()
    for number, picture in enumerate(textured(3)):
        write_picture(folder / "photographs" / f"{number}.png", picture)
    (folder / "lens.toml").write_text(SMALL_CAMERA)
    (folder / "design.toml").write_text(SPEC)
    (folder / "library.toml").write_text(LIBRARY)
    (folder / "recipe.toml").write_text(
        "[training]\nbatch = 1\ncrop = 32\nvalidation_batches = 1\nvalidation_pictures = 1\n"
        "[adapter]\nunet_rank = 2\nencoder_rank = 2\n"
    )
    write_psf_bank(folder / "psf.h5", bank)
    pairs: Pairs = write_pairs(folder / "pairs", camera, textured(4))
    names = ("photographs", "lens.toml", "design.toml", "library.toml", "recipe.toml", "psf.h5")
    return {name.partition(".")[0]: str(folder / name) for name in names} | {
        "pairs": str(pairs.folder),
        "prior": str(prior_folder),
    }


COMMANDS = {
    "psf": "psf {lens} -o OUT.h5 --fields 1x1",
    "library": "library build {library} -o OUT.h5",
    "design": "design {design} -o OUT.toml",
    "tolerance": "tolerance {lens} -o OUT --draws 4 --fields 1x1 --window 9",
    "export": "export {lens} --zemax OUT.zmx",
    "synth": "synth {photographs} -o OUT --psf {psf} --crops 32",
    "export pairs": "data export {pairs} -o OUT --to webdataset",
    "train": "train {pairs} -o OUT --psf {psf} --prior {prior} --config {recipe} --steps 1 --quality piqe",
    "restore": "restore {photographs} -o OUT --adapter metacamera --psf {psf}",
    "pseudo": "pseudo {photographs} -o OUT --adapter metacamera",
    "pretrain": "pretrain {photographs} -o OUT --work OUT.w --autoencoder-steps 1 --denoiser-steps 1 --channels 32,32",
    "merge": "data merge {pairs} -o OUT",
}


def run_on_a_full_disk(command: str, place: Path, limit: int | None) -> tuple[int, str]:
    """Status and what is said on stderr, its progress bars left out."""

    def begin() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    run = subprocess.run(
        [sys.executable, "-m", "metalens.cli", *command.replace("OUT", str(place / "out")).split()],
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "JAX_COMPILATION_CACHE_DIR": "", "TMPDIR": str(place)},
        preexec_fn=begin,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stderr


def is_told(status: int, said: str, place: Path) -> None:
    assert status == 1, said
    assert "Traceback" not in said
    last = said.strip().splitlines()[-1]
    assert last.startswith("metalens: "), said
    assert "File too large" in last or "No space left on device" in last, said
    assert not list(place.rglob("*.part"))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_one_sentence(name: str, given: dict[str, str], tmp_path: Path) -> None:
    status, said = run_on_a_full_disk(COMMANDS[name].format(**given), tmp_path, LARGEST)
    is_told(status, said, tmp_path)
