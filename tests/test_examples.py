"""The examples of the gallery run, each from beginning to end, and draw a picture."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_a_title_and_a_text(path):
    title, underline, empty, *text = re.match(r'"""\n(.*?)"""', path.read_text("utf-8"), re.DOTALL)[1].splitlines()
    assert underline == "=" * len(title)
    assert empty == ""
    assert len(" ".join(text)) > 40


def test_the_gallery_has_a_dozen_examples():
    assert len(EXAMPLES) >= 12


@pytest.mark.long  # each takes seconds, sixteen of them minutes; make docs runs them, too
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_draws_a_picture(path, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    plt.close("all")
    names = runpy.run_path(str(path))
    figure = names.get("figure") or plt.gcf()
    assert figure.axes
    figure.canvas.draw()
    plt.close("all")
