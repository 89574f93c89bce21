"""Names of other people's files: brackets, line ends, escape sequences, bytes that are no UTF-8, a million letters.

A name is text and never a pattern; printed, it is one line that moves no cursor.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.pairs.reader import PairSample, PairsCamera, PairsManifest, PairsSource, open_pairs_writer
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.restore.report.evaluation import restored_pictures

from ..restore.conftest import textured

FORGES = "a\nmetalens: all is well\x1b[31m\u202e\r"
"""A name that would make a line of its own, colour it, and turn the direction of writing."""


def pairs_of(folder: Path, name: str, lens_hash: str) -> Path:
    """One pair of a photograph of this name."""
    clean = textured(1)
    manifest = PairsManifest(
        kind="simulated",
        count=1,
        shard_size=1,
        pixels=clean.shape[1:3],
        seed=0,
        cameras=(PairsCamera(name=name, lens_hash=lens_hash, sensor=clean.shape[1:3]),),
        sources=(PairsSource(name=name, sha256="0" * 64),),
    )
    with open_pairs_writer(folder, manifest) as writer:
        writer.write(writer.missing[0], [PairSample(clean=clean[0], degraded=clean[0], source=0, seed=0)])
    return folder


def is_plain(*said: str) -> None:
    """No line that a name made, and no sign that a terminal obeys."""
    for text in said:
        lines = [each for each in text.splitlines() if "%|" not in each]
        assert not any(line.startswith("metalens: all is well") for line in lines), text
        assert "\x1b[31m" not in text
        assert "\u202e" not in text


@pytest.mark.parametrize("name", ["IMG[1]", "IMG[!a-z]*?", "a#b%20c"])
def test_a_name_with_brackets_is_no_pattern(tmp_path, name):
    write_picture(tmp_path / f"{name}-alpha0.5.png", textured(1)[0])
    write_picture(tmp_path / "IMG1-alpha1.png", textured(1)[0])
    assert list(restored_pictures(name, tmp_path)) == [0.5]


def test_a_name_forges_no_line_of_an_answer(run, given, tmp_path):
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    write_picture(photographs / f"{FORGES}.png", textured(1)[0])
    (photographs / f"{FORGES}broken.png").write_bytes(b"no picture")
    write_picture(os.fsdecode(os.fsencode(photographs) + b"/caf\xe9.png"), textured(1)[0])
    status, out, err = run("synth", photographs, "-o", tmp_path / "pairs", "--psf", given["psf"], "--crop", "32")
    assert status == 0, err
    is_plain(out, err)
    assert "skipped caf\\xe9: " in err
    is_plain(*run("data", "show", tmp_path / "pairs")[1:])
    stray = tmp_path / "pairs" / f"{FORGES}stray"
    stray.write_text("")
    status, out, err = run("data", "verify", tmp_path / "pairs")
    assert "stray" in err
    is_plain(out, err)


@pytest.mark.parametrize(
    "line",
    [
        "psf {name}.toml -o {name}.h5",
        "design {name}.toml -o {name}.toml",
        "library build {name}.toml -o o.h5",
        "import {name}.gds -o o --like hyperbolic --library si3n4-on-sio2",
        "synth {name}.png -o o --psf {name}.h5",
        "data show {name}",
        "restore {name}.png -o {name} --adapter {name}",
        "export hyperbolic --gds {name}.gds --library {name}",
        "bench -o o --methods {name} --psf {name} --pairs {name} --test {name} --steps-per-method 1",
        "unheard-{name}",
        "init lens {name}",
        "init {name} lens",
        "explore {name} -o o",
        "verify {name} -o {name}",
        "verify hyperbolic -o o --fields-deg {name}",
        "compare {name} -o o --photos {name}",
        "compare hyperbolic -o o --photos {name} --minutes 0",
        "data import {name} {name}2 -o o",
        "data score {name} {name}",
        "app {name} --no-browser",
        "app . --no-browser --host {name}",
        "app . --no-browser --name {name}",
        "doctor {name}",
        "restore {name}.png -o o --uncertainty --psf {name}",
    ],
)
def test_a_name_forges_no_line_of_an_error(run, tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*[word.replace("{name}", FORGES) for word in line.split()])
    assert status in (1, 2)
    is_plain(out, err)


def test_names_of_cameras_and_photographs_in_pairs_are_shown_safely(run, given, tmp_path):
    folder = pairs_of(tmp_path / "pairs", FORGES, read_psf_bank(given["psf"]).camera.hash)
    status, out, err = run("data", "show", folder)
    assert status == 0, err
    is_plain(out, err)
    status, out, err = run("data", "export", folder, "-o", tmp_path / "o", "--to", "png")
    assert status == 0, err
    is_plain(out, err)


@pytest.mark.parametrize("name", ["x" * 900_000, "a\0b"])
def test_a_name_that_no_file_can_have_is_refused_and_not_quoted_whole(run, given, tmp_path, name):
    folder = pairs_of(tmp_path / "pairs", "plain.png", read_psf_bank(given["psf"]).camera.hash)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sources"][0]["name"] = name
    (folder / "manifest.json").write_text(json.dumps(manifest))
    status, out, err = run("data", "show", folder)
    assert status == 1
    assert "sources" in err
    assert len(err) < 3000
    assert out == ""


def test_a_lens_that_names_a_file_of_a_million_letters(run, small_camera_text, tmp_path):
    lens = tmp_path / "lens.toml"
    text = small_camera_text.replace('family = "hyperbolic", wavelength_nm = 530.0', f'family = "{"x" * 900_000}"')
    lens.write_text(text)
    status, _, err = run("psf", lens, "-o", tmp_path / "p.h5")
    assert status == 1
    assert len(err) < 3000


@pytest.mark.parametrize(
    "line",
    [
        "psf {name}.toml -o p.h5",
        "synth {name}.png -o o --psf {psf}",
        "synth {folder} -o o --psf {psf}",
        "pseudo {name}.png -o o --adapter metacamera",
        "restore {name}.png -o o --any-lens",
        "restore {folder} -o o --any-lens",
        "sensor calibrate {name}.npy --dark {name}.npy",
        "init lens {name}",
        "explore {name}.toml -o o",
        "verify {name}.toml -o o",
        "compare {name}.toml -o o --photos {folder} --minutes 0",
        "compare {lens} -o o --photos {folder} --test-photos {photographs} --minutes 0",
        "data import {folder} {photographs} -o o",
        "import {name}.gds -o o --like hyperbolic --library si3n4-on-sio2",
    ],
)
def test_a_name_that_is_no_utf_8_is_one_sentence_and_leaves_nothing(run, given, tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "folder"
    folder.mkdir()
    name = os.fsdecode(os.fsencode(str(folder / "caf")) + b"\xe9")
    for suffix in (".png", ".npy", ".toml", ".gds"):
        Path(name + suffix).write_bytes(b"\x89PNG" if suffix == ".gds" else b"")
    write_picture(name + ".png", textured(1)[0])
    np.save(name + ".npy", np.ones((2, 8, 8), np.uint16))
    words = [word.format(name=name, folder=folder, **given) for word in line.split()]
    before = sorted(tmp_path.rglob("*"))
    status, out, err = run(*words)
    assert status == 1, out
    assert "this is a bug" not in err
    assert "caf\\xe9" in err
    assert sorted(tmp_path.rglob("*")) == before
