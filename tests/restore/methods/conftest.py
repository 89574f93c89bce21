"""What the tests of methods share: pairs of a small camera and its bank, and trainings of a few steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from metalens.formats.pairs.reader import Pairs
from metalens.formats.psf.bank import PsfBank
from metalens.restore.methods.method import Training
from metalens.restore.training.optimisation import Budget


@pytest.fixture
def training(tmp_path: Path, pairs: Pairs, bank: PsfBank, prior_folder: Path) -> Callable[..., Training]:
    """Makes what a method is fitted with: by default one step of one crop of 32 pixels on the tiny prior."""

    def make(**changes: object) -> Training:
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        settings: dict[str, object] = {
            "pairs": pairs,
            "bank": bank,
            "prior": str(prior_folder),
            "budget": Budget(steps=1),
            "folder": folder,
            "batch": 1,
            "crop": 32,
        }
        return Training(**(settings | changes))  # type: ignore[arg-type]

    return make
