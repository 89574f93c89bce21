"""Devices, pipes, sockets and links to themselves: one sentence for every option that takes a file.

A pipe that nobody writes to and a device without an end would hold a reader for ever, or fill the memory.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

REPORT = "report -o OUT --psf {psf} --pairs {pairs} --restored {pairs} --adapter metacamera --tune {others} "

INPUTS = [
    ("psf EVIL -o OUT.h5", ".toml"),
    ("psf EVIL -o OUT.h5 --dry-run", ".toml"),
    ("psf measured EVIL -o OUT.h5 --lens {lens}", ".toml"),
    ("psf measured {design} -o OUT.h5 --lens EVIL", ".toml"),
    ("psf fit EVIL -o OUT.toml --lens {lens}", ".h5"),
    ("psf fit {psf} -o OUT.toml --lens EVIL", ".toml"),
    ("library build EVIL -o OUT.h5", ".toml"),
    ("library import --about EVIL -o OUT.h5", ".toml"),
    ("library import EVIL --about {table} -o OUT.h5", ".csv"),
    ("library import EVIL --about {table} -o OUT.h5", ".h5"),
    ("library show EVIL", ".h5"),
    ("design EVIL -o OUT.toml", ".toml"),
    ("tolerance EVIL -o OUT", ".toml"),
    ("tolerance {lens} -o OUT --spec EVIL", ".toml"),
    ("export EVIL --gds OUT.gds --library si3n4-on-sio2", ".toml"),
    ("export {lens} --gds OUT.gds --library EVIL", ".h5"),
    ("import EVIL -o OUT --like {lens} --library si3n4-on-sio2", ".gds"),
    ("import EVIL -o OUT --like {lens} --library si3n4-on-sio2", ".oas"),
    ("import EVIL -o OUT --like {lens} --library si3n4-on-sio2", ".csv"),
    ("import EVIL -o OUT --like {lens} --library si3n4-on-sio2", ".npy"),
    ("import EVIL -o OUT --like {lens} --library si3n4-on-sio2", ".zmx"),
    ("import EVIL -o OUT --like {lens} --library si3n4-on-sio2", ".dxf"),
    ("import EVIL -o OUT --like {lens} --library si3n4-on-sio2", ".h5"),
    ("import {psf} -o OUT --like EVIL --library si3n4-on-sio2", ".toml"),
    ("import {sites} -o OUT --like {lens} --library EVIL", ".h5"),
    ("sensor calibrate EVIL --dark {frames}", ".npy"),
    ("sensor calibrate EVIL --dark {frames}", ".tif"),
    ("sensor calibrate EVIL --dark {frames}", ".png"),
    ("sensor calibrate EVIL --dark {frames}", ".h5"),
    ("sensor calibrate {frames} --dark EVIL", ".npy"),
    ("synth EVIL -o OUT --psf {psf}", ".png"),
    ("synth EVIL -o OUT --psf {psf}", ".exr"),
    ("synth {photographs} -o OUT --psf EVIL", ".h5"),
    ("synth {photographs} -o OUT --psf-ensemble EVIL", ""),
    ("data verify EVIL", ""),
    ("data show EVIL", ""),
    ("data merge {pairs} EVIL -o OUT", ""),
    ("data export EVIL -o OUT --to png", ""),
    ("data import EVIL {photographs} -o OUT", ""),
    ("data import {photographs} EVIL -o OUT", ""),
    ("data import {photographs} {restored} -o OUT --names EVIL", ".txt"),
    ("data score EVIL {restored}", ""),
    ("data score {pairs} EVIL --metrics psnr", ""),
    ("align EVIL -o OUT", ".toml"),
    ("align screens EVIL -o OUT --lens {lens}", ".png"),
    ("train EVIL -o OUT --psf {psf} --steps 1 --dry-run", ""),
    ("train {pairs} -o OUT --psf EVIL --steps 1 --dry-run", ".h5"),
    ("train {pairs} -o OUT --psf {psf} --psf-ensemble EVIL --steps 1 --crop 32 --prior {prior} --dry-run", ""),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --pseudo EVIL --dry-run", ""),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --init EVIL --dry-run", ""),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --prior EVIL --dry-run", ""),
    ("train {pairs} -o OUT --psf {psf} --steps 1 --config EVIL --dry-run", ".toml"),
    ("pseudo EVIL -o OUT --adapter metacamera", ".png"),
    ("pseudo {photographs} -o OUT --adapter EVIL", ""),
    ("pseudo {photographs} -o OUT --adapter metacamera --psf EVIL", ".h5"),
    ("restore EVIL -o OUT --any-lens", ".png"),
    ("restore EVIL -o OUT --any-lens", ".safetensors"),
    ("restore {photographs} -o OUT --any-lens --adapter EVIL", ""),
    ("restore {photographs} -o OUT --any-lens --prior EVIL", ""),
    ("restore {photographs} -o OUT --any-lens --alpha-map EVIL", ".png"),
    ("restore {photographs} -o OUT --psf EVIL", ".h5"),
    ("report -o OUT --psf EVIL --pairs {pairs} --restored {pairs} --adapter metacamera --tune {others}", ".h5"),
    ("report -o OUT --psf {psf} --pairs EVIL --restored {pairs} --adapter metacamera --tune {others}", ""),
    ("report -o OUT --psf {psf} --pairs {pairs} --restored EVIL --adapter metacamera --tune {others}", ""),
    ("report -o OUT --psf {psf} --pairs {pairs} --restored {pairs} --adapter EVIL --tune {others}", ""),
    ("report -o OUT --psf {psf} --pairs {pairs} --restored {pairs} --adapter metacamera --tune EVIL", ""),
    (REPORT + "--curve EVIL", ""),
    (REPORT + "--stages EVIL", ".json"),
    ("bench -o OUT --psf EVIL --pairs {pairs} --test {others} --steps-per-method 1", ".h5"),
    ("bench -o OUT --psf {psf} --pairs EVIL --test {others} --steps-per-method 1", ""),
    ("bench -o OUT --psf {psf} --pairs {pairs} --test EVIL --steps-per-method 1", ""),
    ("bench -o OUT --psf {psf} --pairs {pairs} --test {others} --chart EVIL --steps-per-method 1", ""),
    ("bench -o OUT --psf {psf} --pairs {pairs} --test {others} --prior EVIL --crop 32 --steps-per-method 1", ""),
    ("bench -o OUT --lens EVIL --steps-per-method 1", ".toml"),
    ("bench -o OUT --psf {psf} --pairs {pairs} --test {others} --init EVIL --crop 32 --steps-per-method 1", ""),
    ("pretrain EVIL -o OUT --work OUT.w --autoencoder-steps 1 --denoiser-steps 1", ".png"),
    ("explore EVIL -o OUT", ".toml"),
    ("verify EVIL -o OUT", ".toml"),
    ("compare EVIL -o OUT --photos {photographs} --minutes 0", ".toml"),
    ("compare {lens} -o OUT --photos EVIL --minutes 0", ".png"),
    ("compare {lens} -o OUT --photos {photographs} --test-photos EVIL --minutes 0", ".png"),
    ("compare {lens} -o OUT --photos {photographs} --init EVIL", ""),
    ("compare {lens} -o OUT --photos {photographs} --prior EVIL", ""),
    ("data import {photographs} {copies} -o OUT --neutral EVIL", ""),
    ("data import {photographs} {copies} -o OUT --lens EVIL", ".toml"),
    ("restore {photographs} -o OUT --any-lens --uncertainty --psf EVIL", ".h5"),
    ("restore {photographs} -o OUT --any-lens --uncertainty --adapter EVIL", ""),
    ("app EVIL --no-browser", ""),
]  # fmt: skip
"""Invocations in which EVIL stands for what is no file, and how its name ends."""

LONGEST = 6.0
"""Seconds; all of these are refused at once, but the first one of a process imports packages."""


def make_socket(path: Path) -> None:
    """Its address may have 107 letters only: that in the folder."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


KINDS = {
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a device"),
    "pipe": (os.mkfifo, "is a pipe"),
    "socket": (make_socket, "is a socket"),
    "loop": (lambda path: path.symlink_to(path), "link"),
}
"""How each is made, and what the sentence calls it."""


OUTPUTS = [
    "psf {lens} -o EVIL --fields 1x1 --dry-run",
    "tolerance {lens} -o EVIL --dry-run",
    "export {lens} --gds EVIL --library si3n4-on-sio2 --dry-run",
    "synth {photographs} -o EVIL --psf {psf} --dry-run",
    "data merge {pairs} {others} -o EVIL",
    "data import {photographs} {restored} -o EVIL",
    "train {pairs} -o EVIL --psf {psf} --steps 1 --crop 32 --prior {prior} --dry-run",
    "restore {photographs} -o EVIL --any-lens",
    "explore explore-1mm3 -o EVIL --dry-run",
    "verify {atoms} -o EVIL --dry-run",
    "compare {lens} -o EVIL --photos {photographs} --minutes 0 --dry-run",
    "design {design} -o EVIL --dry-run",
    "library build {library} -o EVIL --dry-run",
    "align target -o EVIL",
]
"""Invocations whose output is a link to itself."""


@pytest.mark.parametrize("line", OUTPUTS)
def test_an_output_that_is_a_link_to_itself_is_refused(refused, more, tmp_path, line):
    evil = tmp_path / "evil"
    KINDS["loop"][0](evil)
    refused(line.replace("EVIL", str(evil)).format(**more), evil.name)


@pytest.fixture(scope="session")
def more(given, tmp_path_factory):
    """What these invocations need besides."""
    import numpy as np

    folder = tmp_path_factory.mktemp("more")
    np.save(folder / "frames.npy", np.ones((2, 8, 8), np.uint16))
    (folder / "sites.csv").write_text("x_um,y_um,width_nm\n0,0,200\n")
    from ..formats.meta_atoms.test_columns import ABOUT

    (folder / "table.toml").write_text(ABOUT)
    return given | {name.partition(".")[0]: str(folder / name) for name in ("frames.npy", "sites.csv", "table.toml")}


class Hangs(BaseException):
    """Not caught by whatever a reader expects."""


@pytest.fixture
def soon() -> Iterator[None]:
    """A reader that waits for a pipe fails its test."""

    def stop(*_: object) -> None:
        raise Hangs

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LONGEST, LONGEST)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(("line", "suffix"), INPUTS, ids=lambda value: value)
def test_what_is_no_file_is_refused_by_its_kind(refused, more, tmp_path, line, suffix):
    for kind, (make, word) in KINDS.items():
        evil = tmp_path / f"{kind}{suffix}"
        make(evil)
        assert word in refused(line.replace("EVIL", str(evil)).format(**more), evil.name)
