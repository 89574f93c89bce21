"""A benchmark's folder as its workers leave it, made by hand: two methods, one with two α, and one that failed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.camera.camera import Camera
from metalens.formats.pairs.reader import Pairs, pair_names
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.restore.bench.folder import FAILURE, RESULT, run_of
from metalens.restore.bench.judged_sets import store_test_pictures
from metalens.restore.bench.plan import BenchPlan, claim

from ..conftest import textured, write_pairs


def begin(folder: Path, plan: BenchPlan, *, resume: bool) -> None:
    """Begin a benchmark, or go on with it, as a run that ends at once."""
    with claim(folder, plan, resume=resume):
        pass


@pytest.fixture
def pairs(tmp_path: Path, camera: Camera) -> Pairs:
    """Two, of which one trains."""
    return write_pairs(tmp_path / "pairs", camera, textured(2), sources=2)


@pytest.fixture
def make_plan(tmp_path: Path, pairs: Pairs, bank: PsfBank, prior_folder: Path) -> Callable[..., BenchPlan]:
    """Makes a plan on the small camera's pairs, for methods of one step of one crop of 32 pixels."""
    write_psf_bank(tmp_path / "psf.h5", bank)

    def make(**changes: object) -> BenchPlan:
        settings: dict[str, object] = {
            "pairs": str(pairs.folder),
            "test": (str(pairs.folder),),
            "psf": str(tmp_path / "psf.h5"),
            "lens_hash": bank.camera.hash,
            "prior": str(prior_folder),
            "methods": ("wiener-whole",),
            "steps": 1,
            "batch": 1,
            "crop": 32,
        }
        return BenchPlan(**(settings | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def restored(tmp_path: Path, make_plan: Callable[..., BenchPlan], pairs: Pairs, bank: PsfBank) -> Path:
    """The folder: SwinIR is nearest to the clean pictures, OSEDiff failed, DMDiff's α = 1 is nearer than α = 0."""
    folder = tmp_path / "bench"
    begin(folder, make_plan(methods=("swinir", "osediff", "dmdiff-local")), resume=False)
    write_psf_bank(folder / "psf.h5", bank)
    store_test_pictures(folder, {"pairs": pairs})
    _finish(folder, pairs, "swinir", "SwinIR", {"": 2})
    _finish(folder, pairs, "dmdiff-local", "DMDiff, local Q", {"consistent, α = 1": 8, "α = 0": 20, "α = 1": 10})
    failed = run_of(folder, "osediff", 0).folder
    failed.mkdir(parents=True)
    (failed / FAILURE).write_text("nowhere: no such prior.\n", encoding="utf-8")
    return folder


def _finish(folder: Path, pairs: Pairs, method: str, title: str, noise: dict[str, float]) -> None:
    """What a worker leaves: clean pictures with noise, and costs."""
    run, random = run_of(folder, method, 0), np.random.default_rng(0)
    for variant, sigma in noise.items():
        run.pictures(variant).mkdir(parents=True)
        for number, name in enumerate(pair_names(pairs)):
            noisy = pairs[number][0] + random.normal(0, sigma, pairs[number][0].shape)
            write_picture(run.pictures(variant) / f"{name}.png", np.clip(noisy, 0, 255).astype(np.uint8))
    result = {
        "title": title,
        "reference": "somebody",
        "knows": "nothing",
        "differs": "nothing",
        "uses_prior": False,
        "variants": list(noise),
        "parameters": 11_500_000,
        "trainable_parameters": 11_500_000,
        "steps": 7,
        "training_seconds": 60.0,
        "fitting_seconds": 61.0,
        "seconds_per_picture": 0.5,
        "training_peak_memory_mb": 100.0,
        "restoring_peak_memory_mb": 50.0,
        "chosen": {},
        "precision": "fp32",
        "parallel": 1,
        "device": "cpu",
        "machine": "a machine",
    }
    (run.folder / RESULT).write_text(json.dumps(result), encoding="utf-8")
