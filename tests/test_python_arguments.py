"""Numbers that are given in Python, past the types of the command line's options: each wrong one is refused in a
sentence before anything is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import metalens
from metalens.formats.camera.camera import Camera, parse_camera
from metalens.formats.captures.flat_fields import list_flat_fields
from metalens.formats.design.tolerance_spec import TYPICAL
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.export import export_pairs
from metalens.formats.pairs.merge import merge_pairs
from metalens.formats.pairs.reader import read_pairs
from metalens.optics.layout.chosen import choice_for
from metalens.optics.layout.mask import MaskOptions
from metalens.psf.bank_request import BankRequest
from metalens.psf.tolerance.ensemble import check_count
from metalens.psf.tolerance.monte_carlo import tolerance_run_of
from metalens.restore.adapter.restorer import AdapterConfig
from metalens.restore.inference.restoration import Settings, check_alphas
from metalens.restore.pretraining.recipe import PretrainConfig
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.optimisation import Budget
from metalens.runners.backend import BackendSettings
from metalens.runners.local import check_workers
from metalens.synth.alignment import DotTarget
from metalens.synth.dataset.settings import PairsSettings
from metalens.synth.sensor import calibrate_sensor

from .commands.conftest import captured, given, rig, write_captures
from .conftest import SMALL_CAMERA
from .restore.conftest import bank, camera, prior_folder

__all__ = ["bank", "camera", "captured", "given", "prior_folder", "rig", "write_captures"]

NAN, INFINITY = math.nan, math.inf
HUGE = 10**30
WHOLE = (0, -1, 1.5, NAN, HUGE, True, "3")
INDEX = (-1, 1.5, NAN, 2**64, True, "3")
REAL = (-1, NAN, INFINITY, True, "3")
PAIR = ((0, 0), (-1, 5), (1.5, 5), (NAN, 5), (True, 5), (HUGE, HUGE), (5,), 5, ("a", "b"), "55")

PHASE = metalens.optics.Hyperbolic(focal_length=1e-4, wavelength=532e-9)


def small() -> Camera:
    return parse_camera(SMALL_CAMERA)


def run(**settings: Any) -> object:
    return tolerance_run_of(small(), TYPICAL, **{"explicit": False, "draws": 2, **settings})


def psf(*, lens: dict[str, Any] | None = None, **settings: Any) -> object:
    sizes = {"aperture_diameter": 4e-5, "focal_length": 1e-4, "phase": PHASE, **(lens or {})}
    asked = {"wavelength": 532e-9, "field_angle": 0.0, "window": (9, 9), "pixel_pitch": 5e-7, **settings}
    return metalens.simulate_psf(metalens.Metalens(**sizes), **asked)


ALONE: dict[str, tuple[Callable[[Any], object], tuple[Any, ...]]] = {
    "fields of a bank": (lambda v: BankRequest(fields=v).check(small()), PAIR),
    "radii of a bank": (lambda v: BankRequest(radii=v).check(small()), WHOLE),
    "window of a bank": (lambda v: BankRequest(window=v).check(small()), (*PAIR, (4, 4), (3, 5), (4097, 4097))),
    "wavelengths of a channel": (lambda v: BankRequest(wavelengths_per_channel=v).check(small()), WHOLE),
    "wavelengths of a bank": (
        lambda v: BankRequest(wavelengths=v).check(small()),
        ([], [NAN], [530], [0], [-1], ["a"], [5.3e-7, 5.3e-7], [True]),
    ),
    "spectral tolerance": (lambda v: BankRequest(spectral_tolerance=v).check(small()), (0, 2, *REAL)),
    "draws": (lambda v: run(draws=v), WHOLE),
    "seed of draws": (lambda v: run(seed=v), INDEX),
    "fields of draws": (lambda v: run(fields=v), PAIR),
    "window of draws": (lambda v: run(window=v), (2, 4, *WHOLE)),
    "wavelengths of draws": (lambda v: run(wavelengths_per_channel=v), (100, *WHOLE)),
    "lenses of an ensemble": (check_count, WHOLE),
    "workers": (check_workers, WHOLE),
    "workers of a backend": (lambda v: BackendSettings(workers=v).open(Path(), {}), WHOLE),
    "pitch": (
        lambda v: choice_for(small(), library="si3n4-on-sio2", pitch=v),
        (0, 350, 1e-300, *REAL),
    ),
    "wavelengths of a structure": (
        lambda v: choice_for(small(), library="si3n4-on-sio2", wavelengths=v),
        ((-1,), (NAN,), (530,), ("a",), (True,)),
    ),
    "grid of a layout": (lambda v: MaskOptions(grid=v), (0, 1, *REAL)),
    "vertices": (lambda v: MaskOptions(vertices=v), (3, 5, *WHOLE)),
    "steps of a training": (lambda v: Budget(steps=v), (None, *WHOLE)),
    "minutes of a training": (lambda v: Budget(minutes=v), (0, *REAL)),
    "seed of a training": (lambda v: TrainConfig(seed=v), INDEX),
    "learning rate": (lambda v: TrainConfig(learning_rate=v), (0, 2, 1e300, *REAL)),
    "batch": (lambda v: TrainConfig(batch=v), WHOLE),
    "crop": (lambda v: TrainConfig(crop=v), WHOLE),
    "rank": (lambda v: AdapterConfig(unet_rank=v), WHOLE),
    "seed of a prior": (lambda v: PretrainConfig(seed=v), INDEX),
    "crop of a prior": (lambda v: PretrainConfig(crop=v), (17, *WHOLE)),
    "channels of a prior": (lambda v: PretrainConfig(denoiser_channels=v), ((), (0,), (1.5,), (HUGE,), 3)),
    "α": (check_alphas, ([], [NAN], [INFINITY], [3], ["a"], [True], None, 0.5, "0")),
    "tile": (lambda v: Settings(tile=v), WHOLE),
    "steps of a restoration": (lambda v: Settings(steps=v), (5, *WHOLE)),
    "place on the sensor": (lambda v: Settings(place=v), [each for each in PAIR if each not in ((0, 0), (1, 5))]),
    "spacing of dots": (lambda v: DotTarget((480, 640), v, 8), (0, *REAL)),
    "radius of dots": (lambda v: DotTarget((480, 640), 64, v), (0, *REAL)),
    "pixels of a display": (lambda v: DotTarget(v, 64, 12.8), PAIR),
    "exposure": (lambda v: PairsSettings(exposure=v), ((0, 1), (1, 0.5), (NAN, 1), (1, 2), 3, ("a", "b"))),
    "validation": (lambda v: PairsSettings(validation=v), (1, *REAL)),
    "wavelength of a function": (lambda v: psf(wavelength=v), (0, -1, NAN, 532)),
    "pitch of a function": (lambda v: psf(pixel_pitch=v), (0, 1, *REAL)),
    "window of a function": (lambda v: psf(window=v), PAIR),
    "field angle": (lambda v: psf(field_angle=v), ((NAN, 0), (20, 0), 1.4, (0,), "a", ("a", 0), None)),
    "object distance": (lambda v: psf(object_distance=v), (0, -1, NAN)),
    "aperture": (lambda v: psf(lens={"aperture_diameter": v}), (0, -1, NAN, INFINITY)),
    "focal length": (lambda v: psf(lens={"focal_length": v}), (0, -1, NAN, INFINITY)),
}
"""Of each argument what takes it, and values that it does not have."""


@pytest.mark.parametrize("name", ALONE)
def test_a_wrong_number_is_refused(name: str) -> None:
    call, values = ALONE[name]
    for value in values:
        with pytest.raises(InputError):
            call(value)


INTO: dict[str, tuple[Callable[[dict[str, str], Path, Any], object], tuple[Any, ...]]] = {
    "minutes of a design": (lambda given, out, v: metalens.design(given["design"], out, minutes=v), (0, *REAL)),
    "seed of a design": (lambda given, out, v: metalens.design(given["design"], out, seed=v), INDEX),
    "pairs": (lambda given, out, v: generate(given, out, count=v), WHOLE),
    "seed of pairs": (lambda given, out, v: generate(given, out, seed=v), INDEX),
    "pairs of a file": (lambda given, out, v: generate(given, out, shard_size=v), WHOLE),
    "pixels of pairs": (lambda given, out, v: generate(given, out, pixels=v), PAIR),
    "workers of pairs": (lambda given, out, v: generate(given, out, workers=v), WHOLE),
    "pairs of a merged file": (
        lambda given, out, v: merge_pairs([given["pairs"], given["others"]], out, shard_size=v),
        WHOLE,
    ),
    "samples of a tar": (
        lambda given, out, v: export_pairs(read_pairs(given["pairs"]), out, "webdataset", tar_samples=v),
        (0, -1, 1.5, NAN, True, "3"),
    ),
    "bit depth": (
        lambda given, out, v: calibrate_sensor(
            list_flat_fields([given["flats"]]), list_flat_fields([given["dark"]])[0], bit_depth=v
        ),
        (3, 17, *WHOLE),
    ),
}
"""As ``ALONE``, of functions that read files and write into a folder."""


def generate(given: dict[str, str], out: Path, **settings: Any) -> object:
    return metalens.generate_pairs(given["photographs"], given["psf"], out, **settings)


@pytest.mark.parametrize("name", INTO)
def test_a_wrong_number_is_refused_and_leaves_nothing(name: str, captured: dict[str, str], tmp_path: Path) -> None:
    call, values = INTO[name]
    for value in values:
        with pytest.raises(InputError):
            call(captured, tmp_path / "out", value)
        assert list(tmp_path.iterdir()) == []


def test_numbers_of_numpy_are_numbers() -> None:
    BankRequest(fields=(np.int64(3), np.int32(3)), spectral_tolerance=np.float32(0.02)).check(small())
    assert check_alphas([np.float64(0.5)]) == (0.5,)


def test_more_files_than_a_folder_may_hold_are_a_sentence(given: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="are more than"):
        generate(given, tmp_path / "out", count=10**9, shard_size=1)
    assert list(tmp_path.iterdir()) == []
