"""The expected error of a restored picture: calibrated on held-out photographs, and told as a map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.adapter_file import load_restorer, save_adapter
from metalens.restore.deconvolution.consistency import blurred_again
from metalens.restore.inference.capture import Capture
from metalens.restore.inference.capture_files import captures_of
from metalens.restore.inference.restoration import decode, latents_of
from metalens.restore.inference.restored_files import RestoreOptions, restore_files
from metalens.restore.inference.uncertainty import (
    LARGEST_SHOWN,
    as_grey,
    calibrate,
    calibration,
    expected_error,
    indicators,
)

from ..conftest import textured


@pytest.fixture(scope="module")
def scenes(bank):
    """Clean pictures of flat and of structured parts, and their captures by the bank's blur."""
    random = np.random.default_rng(0)
    clean = textured(4)
    for picture in clean:
        picture[:, : picture.shape[1] // 2] = random.integers(60, 200, 3)
    captured = [np.rint(np.clip(each, 0, 1) * 255).astype(np.uint8) for each in blurred_again(list(clean), bank)]
    return [(one, Capture(other)) for one, other in zip(clean, captured, strict=True)]


@pytest.fixture
def calibrated(make_restorer, bank, scenes):
    restorer = make_restorer()
    restorer.training["uncertainty"] = calibrate(restorer, bank, scenes[:3])
    return restorer


def test_the_map_tells_the_places_of_error_on_a_photograph_that_it_has_not_seen(calibrated, bank, scenes):
    clean, capture = scenes[3]
    latents = latents_of(calibrated, capture.picture)
    restored = decode(calibrated, latents, 0.75)
    expected = expected_error(calibrated, latents, capture, restored, bank)
    true = np.abs(restored.astype(float) - clean).mean(axis=-1) / 255
    assert expected.shape == true.shape
    assert expected.min() >= 0
    assert spearmanr(expected.ravel(), true.ravel()).statistic > 0.5
    assert expected.mean() == pytest.approx(true.mean(), rel=0.5)
    assert calibrated.training["uncertainty"]["pictures"] == 3


def test_the_spread_of_equal_paths_and_the_gradient_of_a_flat_picture_are_nothing(make_restorer, bank):
    restorer = make_restorer()
    grey = np.full((*restorer.camera.sensor.pixels, 3), 120, np.uint8)
    latents = latents_of(restorer, grey)
    same = replace(latents, neutral=latents.positive)
    spread, _, gradient = indicators(restorer, same, Capture(grey), grey, bank)
    assert not spread.any()
    assert not gradient.any()


def test_the_residual_of_the_true_scene_is_small_and_of_another_one_large(make_restorer, bank, scenes):
    restorer = make_restorer()
    clean, capture = scenes[0]
    latents = latents_of(restorer, capture.picture)
    found = [indicators(restorer, latents, capture, picture, bank)[1].mean() for picture in (clean, 255 - clean)]
    assert found[0] < 1 / 255
    assert found[1] > 20 * found[0]


def test_a_map_is_white_from_the_largest_error_shown_on():
    shown = as_grey(np.array([[0.0, LARGEST_SHOWN / 2], [LARGEST_SHOWN, 1.0]]))
    assert shown.dtype == np.uint8
    assert shown.tolist() == [[0, 128], [255, 255]]


def test_files_are_written_beside_the_pictures_with_their_mean(calibrated, bank, scenes, tmp_path):
    Image.fromarray(scenes[0][1].picture).save(tmp_path / "one.png")
    options = RestoreOptions((0.75,), uncertainty=bank)
    rows = restore_files(calibrated, captures_of([tmp_path / "one.png"]), tmp_path / "out", options).rows
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "one-alpha0.75-uncertainty.png",
        "one-alpha0.75.png",
        "restoration.json",
    ]
    shown = np.asarray(Image.open(rows[0]["uncertainty"]))
    assert shown.mean() / 255 * LARGEST_SHOWN == pytest.approx(rows[0]["expected_error"], rel=0.1)


def test_without_coefficients_or_capture_it_is_refused(make_restorer, bank, scenes, tmp_path):
    restorer = make_restorer()
    with pytest.raises(InputError, match="no calibrated uncertainty"):
        calibration(restorer)
    Image.fromarray(scenes[0][1].picture).save(tmp_path / "one.png")
    found, options = captures_of([tmp_path / "one.png"]), RestoreOptions((0.75,), uncertainty=bank)
    with pytest.raises(InputError, match="train it on with metalens train --init"):
        restore_files(restorer, found, tmp_path / "out", options)
    restore_files(restorer, found, tmp_path / "kept", RestoreOptions((0.75,)), latents=tmp_path / "latents")
    with pytest.raises(InputError, match="--uncertainty: kept latents do not hold what the camera saw"):
        restore_files(restorer, captures_of([tmp_path / "latents"]), tmp_path / "out", options)


def test_the_coefficients_are_kept_with_the_adapter(calibrated, tmp_path):
    save_adapter(tmp_path, calibrated)
    assert np.array_equal(calibration(load_restorer(tmp_path)), calibration(calibrated))
