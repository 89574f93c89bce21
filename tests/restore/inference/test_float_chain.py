"""Values are floats from the capture to the file: a gradient finer than 8 bits comes through."""

from __future__ import annotations

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.pictures import scene
from metalens.formats.pictures.distortion import Distortion, undistorted
from metalens.formats.pictures.light import read_light
from metalens.formats.pictures.picture_output import PictureForm, to_16_bit, write_values
from metalens.formats.pictures.scene import linear_to_srgb, srgb_to_linear, to_8_bit
from metalens.restore.deconvolution import captured_light
from metalens.restore.deconvolution.joint_wiener import wiener_joint
from metalens.restore.inference import restoration
from metalens.restore.inference.capture_files import captures_of
from metalens.restore.inference.data_consistency import DataConsistency
from metalens.restore.inference.filtered_files import FilterOptions, filter_files
from metalens.restore.inference.picture import restore_picture
from metalens.restore.inference.restoration import restore
from metalens.restore.inference.restored_files import RestoreOptions, restore_files

PIXELS = (64, 80)
SIXTEEN = PictureForm("png", 16)
STEP = 1 / 255


def gradient() -> np.ndarray:
    """From 0.40 to 0.42 along the columns: five steps of 8 bits, one every 16 pixels."""
    return np.tile(np.linspace(0.40, 0.42, PIXELS[1], dtype=np.float32)[None, :, None], (PIXELS[0], 1, 3))


@pytest.fixture
def no_rounding(monkeypatch):
    """Rounding to 8 bits anywhere in the chain is a failure."""

    def refuse(values):
        raise AssertionError("rounded to 8 bits")

    for module in (scene, captured_light, restoration):
        monkeypatch.setattr(module, "to_8_bit", refuse)


def written(path) -> np.ndarray:
    return linear_to_srgb(read_light(path))


def test_a_gradient_goes_through_networks_and_consistency_without_being_rounded(
    make_restorer, bank, tmp_path, no_rounding
):
    write_values(tmp_path / "a.png", gradient(), SIXTEEN)
    restorer, towards = make_restorer(), DataConsistency(bank)
    options = RestoreOptions([1], consistency=towards, form=SIXTEEN)
    restore_files(restorer, captures_of([tmp_path / "a.png"]), tmp_path / "out", options)
    values = restore(restorer, to_16_bit(gradient()) / np.float32(65535), [1], consistency=towards)[1]
    assert values.dtype == np.float32
    np.testing.assert_allclose(written(tmp_path / "out" / "a-alpha1.png"), values, atol=1 / 65535)


def test_consistency_keeps_a_gradient_that_agrees_with_its_capture(bank):
    # Without blur at this scale the gradient is its own capture: what is added is less than a tenth of 8 bits.
    values = gradient()
    inner = (slice(16, -16), slice(16, -16))
    drawn = DataConsistency(bank)(values, values, None)
    assert np.abs(drawn - values)[inner].max() < 0.1 * STEP
    assert len(np.unique(drawn[32, 16:-16, 0])) == PIXELS[1] - 32
    rounded = DataConsistency(bank)(to_8_bit(values), to_8_bit(values), None)
    assert len(np.unique(rounded[32, 16:-16, 0])) <= 5


def test_the_filter_keeps_a_gradient_too(bank, tmp_path, no_rounding):
    write_values(tmp_path / "a.png", gradient(), SIXTEEN)
    filter_files(bank, captures_of([tmp_path / "a.png"]), tmp_path / "out", FilterOptions(10.0, form=SIXTEEN))
    row = written(tmp_path / "out" / "a-wiener-joint.png")[32, 16:-16, 0]
    # In steps of 8 bits neighbours would be equal or one step apart.
    assert np.abs(np.diff(row)).max() < 0.3 * STEP
    assert len(np.unique(row)) > 0.8 * len(row)


def test_distortion_is_taken_out_of_the_floats(make_restorer, bank, tmp_path, no_rounding):
    radius = np.linspace(0, 60, 9)
    distortion = Distortion(radius, radius * (1 + 0.2 * (radius / 60) ** 2), PIXELS, 1.0)
    write_values(tmp_path / "a.png", gradient(), SIXTEEN)
    found, restorer = captures_of([tmp_path / "a.png"]), make_restorer()
    restore_files(restorer, found, tmp_path / "out", RestoreOptions([1], form=SIXTEEN, distortion=distortion))
    values = restore(restorer, found[0].read(restorer.camera.sensor), [1])[1]
    expected = undistorted(values, distortion)
    assert np.abs(expected - values).max() > 4 / 65535
    np.testing.assert_allclose(written(tmp_path / "out" / "a-alpha1.png"), expected, atol=1 / 65535)
    filter_files(bank, found, tmp_path / "filtered", FilterOptions(10.0, form=SIXTEEN, distortion=distortion))
    filtered = wiener_joint(found[0].read(bank.camera.sensor), bank, 10.0, dtype=np.dtype(np.float32))
    written_values = written(tmp_path / "filtered" / "a-wiener-joint.png")
    np.testing.assert_allclose(written_values, undistorted(filtered, distortion), atol=1 / 65535)


def test_light_is_written_as_openexr(make_restorer, tmp_path):
    write_values(tmp_path / "a.exr", gradient(), PictureForm("exr", 16))
    options = RestoreOptions([1], form=PictureForm("exr", 16))
    found = captures_of([tmp_path / "a.exr"])
    (row,) = restore_files(make_restorer(), found, tmp_path / "out", options).rows
    assert row["restored"].endswith("a-alpha1.exr")
    values = restore(make_restorer(), found[0].read(make_restorer().camera.sensor), [1])[1]
    np.testing.assert_allclose(read_light(row["restored"]), srgb_to_linear(values), atol=1e-6)


def test_floats_of_8_bits_give_the_picture_of_the_8_bits(make_restorer):
    picture = np.random.default_rng(0).integers(0, 255, (*PIXELS, 3), dtype=np.uint8)
    restorer = make_restorer()
    whole, floats = restore_picture(picture, restorer), restore_picture(picture / np.float32(255), restorer)
    assert (whole.dtype, floats.dtype) == (np.uint8, np.float32)
    # Only the search for defective pixels knows of the rounding.
    assert np.abs(to_8_bit(floats).astype(int) - whole).max() <= 1


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.5])
def test_floats_that_are_no_display_values_are_refused(make_restorer, bad):
    picture = np.full((*PIXELS, 3), 0.5, np.float32)
    picture[3, 4, 1] = bad
    with pytest.raises(InputError, match="floats beyond"):
        restore_picture(picture, make_restorer())
