"""Fixtures of the tests of pairs."""

from pathlib import Path

import pytest

from .pairs_examples import manifest_of, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "pairs", manifest_of())
    return tmp_path / "pairs"
