"""Packages that the base installation leaves out: which extra brings them, and what a command says without them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import (
    DISTRIBUTION_OF,
    EXTRA_OF,
    is_installed,
    missing_package,
    package_folder,
    require,
)
from metalens.formats.pictures.pictures import write_picture

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
FOR_USERS = sorted(set(EXTRAS) - {"all", "dev", "docs", "peers"})

WITHOUT = """
import sys

# To Python, a module that is None cannot be found.
sys.modules.update(dict.fromkeys({missing!r}))
sys.argv = ["metalens", *{arguments!r}]
from metalens.cli import main
main()
"""
"""The command line in an environment in which some packages are not installed."""

SEVERAL = """
import contextlib, io, json, sys

sys.modules.update(dict.fromkeys({missing!r}))
from metalens.cli import main

told = []
for arguments in {commands!r}:
    sys.argv = ["metalens", *arguments]
    stdout, stderr, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            main()
        except SystemExit as end:
            status = end.code
    told.append((status, stdout.getvalue(), stderr.getvalue()))
print(json.dumps(told))
"""
"""Several of its command lines, one after another in one process."""

NOT_IN_BASE = sorted(EXTRA_OF)


def distributions(extra: str) -> set[str]:
    return {re.split(r"[<>=!\[ ]", each)[0] for each in EXTRAS[extra]} - {"metalens"}


def run_without(missing: list[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    program = WITHOUT.format(missing=missing, arguments=[str(each) for each in arguments])
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_each_package_comes_with_the_extra_that_is_named():
    named: dict[str, set[str]] = {extra: set() for extra in FOR_USERS}
    for package, extra in EXTRA_OF.items():
        named[extra].add(DISTRIBUTION_OF.get(package, package))
    for extra, packages in named.items():
        assert packages <= distributions(extra)
        # scikit-image is in two: the smaller one is named.
        elsewhere = set().union(*(found for other, found in named.items() if other != extra))
        assert distributions(extra) - packages <= elsewhere


def test_no_extra_brings_what_the_base_installation_has():
    base = {re.split(r"[<>=!\[ ]", each)[0].lower() for each in PROJECT["dependencies"]}
    assert base.isdisjoint(set().union(*map(distributions, FOR_USERS)))


def test_all_is_every_extra_that_is_free():
    assert EXTRAS["all"] == [f"metalens[{','.join(each for each in FOR_USERS if each != 'metrics-nc')}]"]


@pytest.mark.parametrize(
    ("packages", "sentence"),
    [
        (["torch.nn"], "the package torch is not installed; run `pip install 'metalens[restore]'`"),
        (
            ["skimage", "gdstk"],
            "the packages scikit-image, gdstk are not installed; run `pip install 'metalens[design,photographs]'`",
        ),
        (["numpy"], None),
        (["metalens.nowhere"], None),
        (["torch", "numpy"], None),
        ([], None),
    ],
)
def test_the_sentence_names_the_extras_and_is_none_for_what_no_extra_brings(packages, sentence):
    assert missing_package(*packages) == sentence


def test_what_is_required_and_missing_is_refused_in_one_sentence(monkeypatch):
    require("layout", "gdstk", "torch")
    monkeypatch.setitem(sys.modules, "gdstk", None)
    assert not is_installed("gdstk")
    with pytest.raises(InputError, match=r"^layout: the package gdstk is not installed; run .*\[design\]'`\.$"):
        require("layout", "gdstk", "torch")
    with pytest.raises(InputError, match="gdstk is not installed"):
        package_folder("layout", "gdstk")


def test_the_folder_of_a_package_is_found_without_importing_it():
    program = (
        "import sys; from metalens.formats.files.extras import package_folder; "
        "print(package_folder('x', 'stlpips_pytorch').name, 'stlpips_pytorch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["stlpips_pytorch", "False"]


REFUSED = {
    "restore": (["restore", "PHOTO", "-o", "NEW"], "torch", "restore"),
    "pretrain": (["pretrain", "PHOTO", "-o", "NEW", "--work", "NEW"], "torch", "restore"),
    "design": (["design", "metacamera", "-o", "NEW"], "optax", "design"),
    "export": (["export", "metacamera", "--gds", "NEW", "--library", "si3n4-on-sio2"], "gdstk", "design"),
    "synth": (["synth", "embedded", "-o", "NEW", "--psf", "BANK"], "scikit-image", "photographs"),
    "demo": (["demo", "-o", "NEW"], "torch", "restore"),
}
"""Command → its arguments, the package that it lacks, and the extra that has it."""


@pytest.fixture(scope="module")
def base(small_camera_text, tmp_path_factory) -> tuple[Path, dict[str, tuple[int, str, str]]]:
    """Commands of the base installation alone, in one process: name → status, stdout and stderr."""
    folder = tmp_path_factory.mktemp("base")
    (folder / "lens.toml").write_text(small_camera_text, encoding="utf-8")
    (folder / "photos").mkdir()
    picture = np.random.default_rng(0).integers(0, 255, (90, 100, 3), dtype=np.uint8)
    write_picture(folder / "photos" / "a.png", picture)
    bank, pairs = folder / "psf.h5", folder / "pairs"
    commands: dict[str, list[object]] = {
        "psf": ["psf", folder / "lens.toml", "-o", bank, "--fields", "3x3"],
        "pairs": ["synth", folder / "photos", "-o", pairs, "--psf", bank, "--count", "1"],
        "verify": ["data", "verify", pairs],
    }
    places = {"PHOTO": folder / "photos" / "a.png", "BANK": bank}
    for name, (arguments, _, _) in REFUSED.items():
        commands[name] = [(places | {"NEW": folder / name}).get(each, each) for each in arguments]
    program = SEVERAL.format(missing=NOT_IN_BASE, commands=[[str(each) for each in one] for one in commands.values()])
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return folder, dict(zip(commands, map(tuple, json.loads(run.stdout)), strict=True))


@pytest.mark.parametrize("name", ["psf", "pairs", "verify"])
def test_the_base_installation_makes_a_bank_and_pairs_and_verifies_them(base, name):
    status, _, stderr = base[1][name]
    assert status == 0, stderr


@pytest.mark.parametrize("name", REFUSED)
def test_a_command_without_its_extra_names_it_and_leaves_nothing_behind(base, name):
    folder, told = base
    _, package, extra = REFUSED[name]
    status, stdout, stderr = told[name]
    assert (status, stdout) == (1, "")
    (sentence,) = stderr.strip().splitlines()
    assert sentence.startswith("metalens: ")
    assert package in sentence
    assert re.search(rf"not installed; run `pip install 'metalens\[[\w,]*{extra}[\w,]*\]'`", sentence)
    assert not (folder / name).exists()


def test_a_missing_package_that_no_extra_brings_stays_a_fault_with_its_traceback(tmp_path):
    run = run_without(["h5py"], "psf", "metacamera", "-o", tmp_path / "new")
    assert run.returncode == 1
    assert "Traceback" in run.stderr
    assert "import of h5py halted" in run.stderr


def test_the_restorer_runs_without_what_simulates(tmp_path):
    """JAX comes with the base installation; a machine that only restores may be without it."""
    write_picture(tmp_path / "photo.png", np.zeros((64, 64, 3), dtype=np.uint8))
    missing = ["jax", "jaxlib", "optax", "fmmax", "gdstk", "pyiqa", "spandrel"]
    run = run_without(missing, "restore", tmp_path / "photo.png", "-o", tmp_path / "new", "--place", "0,0")
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "new").is_dir()
