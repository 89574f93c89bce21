"""On a full disk every command that writes ends with one sentence and leaves nothing half written.

Files may grow to a few hundred bytes only, which the kernel refuses in the middle of a write as it does on a full disk.
As root there is a real one too, a file system of 2 MB in memory.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metalens.cli import COMMANDS as ALL_COMMANDS
from metalens.formats.camera.camera import read_camera, write_camera
from metalens.formats.pairs.reader import pair_names
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.optics.layout.sites_table import write_sites_table
from metalens.restore.inference.restoration import restored_name

from ..conftest import SMALL_CAMERA
from ..fuzz_targets import TARGETS
from ..optics.layout_examples import lens
from ..psf.conftest import write_captures
from ..restore.conftest import bank, camera, prior_folder, textured, write_pairs
from .test_align import rig
from .test_design import SPEC
from .test_library import SPEC as LIBRARY
from .test_sensor import write_flat_fields

__all__ = ["bank", "camera", "prior_folder", "rig", "write_captures"]

LARGEST = 512
"""Bytes of a file: less than any output but a note has."""


@pytest.fixture(scope="session")
def given(tmp_path_factory, bank, camera, prior_folder: Path) -> dict[str, str]:
    """What the commands are given, by name."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "photographs").mkdir()
    for number, picture in enumerate(textured(3)):
        write_picture(folder / "photographs" / f"{number}.png", picture)
    shutil.copytree(folder / "photographs", folder / "copies")
    (folder / "lens.toml").write_text(SMALL_CAMERA)
    (folder / "design.toml").write_text(SPEC)
    response = {"kind": "library", "library": "si3n4-on-sio2", "wavelength_nm": 540.0}
    wide = {"aperture_um": 30, "focal_length_um": 30, "response": response}
    atoms = read_camera("hyperbolic").with_(lens=wide, sensor={"pixels": (16, 16), "pixel_pitch_um": 0.5})
    write_camera(folder / "atoms.toml", atoms)
    (folder / "library.toml").write_text(LIBRARY)
    (folder / "recipe.toml").write_text(
        "[training]\nbatch = 1\ncrop = 32\nvalidation_batches = 1\nvalidation_pictures = 1\n"
        "[adapter]\nunet_rank = 2\nencoder_rank = 2\n"
    )
    write_psf_bank(folder / "psf.h5", bank)
    pairs = write_pairs(folder / "pairs", camera, textured(4))
    (folder / "restored").mkdir()
    for number, name in enumerate(pair_names(pairs)):
        write_picture(folder / "restored" / restored_name(name, 0.75), pairs[number][1])
    others = write_pairs(folder / "others", camera, textured(4, seed=1))
    tables = ("lens.toml", "atoms.toml", "design.toml", "library.toml", "recipe.toml")
    names = ("photographs", "copies", *tables, "psf.h5", "restored")
    return {name.partition(".")[0]: str(folder / name) for name in names} | {
        "pairs": str(pairs.folder),
        "others": str(others.folder),
        "prior": str(prior_folder),
    }


@pytest.fixture(scope="session")
def captured(tmp_path_factory, given: dict[str, str], rig: Path, write_captures) -> dict[str, str]:
    """What else commands are given: captures of flat fields, of a screen and of a pinhole; tables and layouts."""
    folder = tmp_path_factory.mktemp("captured")
    write_flat_fields(folder)
    write_sites_table(folder / "sites.csv", lens(9))
    (folder / "library").mkdir()
    TARGETS["atom-table"]().write(folder / "library" / "table.csv")
    spots = np.full((1, 2, 3, 32, 32), 20.0)
    spots[..., 14:19, 14:19] = 2000.0
    write_captures(folder / "pinholes", np.zeros((1, 2)), spots)
    paths = {"flats": "flats", "dark": "dark", "sites": "sites.csv", "table": "library/table.csv"}
    paths |= {"about": "library/about.toml", "pinholes": "pinholes"}
    return {name: str(folder / path) for name, path in paths.items()} | given | {"rig": str(rig / "captures.toml")}


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


@pytest.fixture(scope="session")
def forked() -> Iterator[Callable[..., dict[str, Any]]]:
    """Run command lines in forks of one process; see :mod:`forked_commands`."""
    # Coverage would keep what it measured on the full disk, and tell that it cannot.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "JAX_ENABLE_COMPILATION_CACHE": "false"}
    program = [sys.executable, str(Path(__file__).with_name("forked_commands.py"))]
    with subprocess.Popen(program, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        asking, answers = server.stdin, server.stdout

        def run(**request: Any) -> dict[str, Any]:
            print(json.dumps(request), file=asking, flush=True)
            found: dict[str, Any] = json.loads(answers.readline())
            return found

        yield run
        asking.close()


def run_on_a_full_disk(
    forked: Callable[..., dict[str, Any]], command: str, place: Path, limit: int | None
) -> tuple[int, str]:
    """Status, and what is said on stderr."""
    words = command.replace("OUT", str(place / "out")).split()
    found = forked(words=words, largest=limit, temporary=str(place))
    return found["status"], found["said"]


def is_told(status: int, said: str, place: Path) -> None:
    assert status == 1, said
    assert "Traceback" not in said
    sentences = [line for line in said.splitlines() if line.startswith("metalens: ")]
    assert said.strip().splitlines()[-1] == sentences[-1]
    # A command that runs others is told by the first of them that fails.
    assert "File too large" in sentences[0] or "No space left on device" in sentences[0], said
    assert not list(place.rglob("*.part"))


SLOW = ("train", "restore", "pseudo", "pretrain", "transfer", "latents", "report", "compare", "demo")
"""They load networks; one of them is below, on a file system that is full."""


LIMITS = {"sensor": 64}
"""Of files that have no more than 512 bytes."""


def test_every_command_that_writes_is_here() -> None:
    # The app writes by the commands that it starts; doctor writes nothing that stays; adapter is in test_hub.py.
    assert {line.split()[0] for line in COMMANDS.values()} == set(ALL_COMMANDS) - {"app", "doctor", "adapter"}


@pytest.mark.parametrize("name", [pytest.param(each, marks=[pytest.mark.long] * (each in SLOW)) for each in COMMANDS])
def test_a_full_disk_is_one_sentence(
    name: str, captured: dict[str, str], tmp_path: Path, forked: Callable[..., dict[str, Any]]
) -> None:
    status, said = run_on_a_full_disk(forked, COMMANDS[name].format(**captured), tmp_path, LIMITS.get(name, LARGEST))
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
        subprocess.run(["umount", str(disk)], check=True)


# Half a minute: torch writes its checkpoints until the disk is full.
TRAIN = pytest.param("train", marks=pytest.mark.long)


@pytest.mark.parametrize("name", ["psf", "synth", TRAIN])
def test_a_file_system_that_is_full_is_one_sentence(
    name: str, given: dict[str, str], small_disk: tuple[Path, int | None], forked: Callable[..., dict[str, Any]]
) -> None:
    place, limit = small_disk
    status, said = run_on_a_full_disk(forked, COMMANDS[name].format(**given), place, limit)
    is_told(status, said, place)
