"""The examples of the gallery have what it shows of them; that they run is seen in ``tests/test_site.py``."""

from __future__ import annotations

import re
from pathlib import Path

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
