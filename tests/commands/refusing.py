"""Fixtures that run what is wrong: one sentence, nothing computed, no file left."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from metalens.cli import main

WORK = (
    "os.posix_spawn",
    "torch.nn.Module.__call__",
    "metalens.optics.rcwa.atom.scatter_plane_wave",
    "metalens.psf.captured.captures.find_shifts",
    "metalens.psf.captured.fit._Search.run",
    "metalens.psf.design.search.Gradients.planned_for",
    "metalens.psf.simulator.PsfSimulator.__call__",
    "metalens.psf.simulator.PsfSimulator.of_field",
    "metalens.restore.bench.process.start_python",
    "metalens.restore.report.evaluation.tune_regulariser",
    "metalens.restore.training.optimisation.Optimisation.descend",
    "metalens.runners.local.start_python",
    "metalens.synth.alignment.calibration.find_dots",
    "metalens.synth.blur.operator.ShiftVariantBlur.__call__",
)
"""What computes: the engines, a step of each optimisation, the networks, the blur, and the start of other processes."""


def everything_in(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*"))


SINGULAR = re.compile(
    r"(?<![\d.×x] )\b1 (?!(?:is|has|was)\b)(?:pair|pixel|photograph|file|capture|picture|field|step|sample)s\b"
    r"|(?<![\d.×x] )\b(?:[2-9]|\d\d+) (?:pair|pixel|photograph|file|lens|capture|picture|field|step|sample)\b"
)
"""One of several, or several of one."""


def is_a_sentence(said: str) -> bool:
    """Whether it ends with one full stop, and counts in singular and plural."""
    ended = said.endswith((".", "?")) and not said.endswith(("..", ";.", ":.", ",."))
    return ended and SINGULAR.search(said) is None and not re.search(r"\(e?s\)", said)


@pytest.fixture
def begun(monkeypatch) -> list[str]:
    """Names of what has computed; it fails, for nothing should."""
    names: list[str] = []

    def forbidden(name: str):
        def begin(*_: object, **__: object) -> None:
            names.append(name)
            raise AssertionError(f"{name} has begun to compute")

        return begin

    for name in WORK:
        monkeypatch.setattr(name, forbidden(name))
    return names


@pytest.fixture
def refused(captured, begun, tmp_path, monkeypatch, capfd):
    """Run what is wrong in an empty folder; it ends with one sentence that holds these words, and is returned."""
    monkeypatch.chdir(tmp_path)
    inputs = [Path(captured[name]).parent for name in ("lens", "sites", "rig")]

    def call(line: str, word: str) -> str:
        before = everything_in(tmp_path, *inputs)
        monkeypatch.setattr(sys, "argv", ["metalens", *shlex.split(line.format(**captured))])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capfd.readouterr()
        # Beside bars of progress, which a later line may write over.
        said = [each for each in err.splitlines() if each and "%|" not in each]
        assert stopped.value.code in (1, 2), line
        assert out == ""
        assert len(said) == 1, err
        assert said[0].startswith("metalens: ")
        assert word in said[0], said[0]
        assert "this is a bug" not in said[0]
        assert is_a_sentence(said[0]), said[0]
        assert (stopped.value.code == 2) == said[0].endswith(" --help."), said[0]
        assert begun == [], line
        assert everything_in(tmp_path, *inputs) == before, line
        return said[0]

    return call
