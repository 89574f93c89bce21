"""Data consistency: the most probable scene between what was restored and what the camera saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.encoding import encode_light
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.formats.pictures.scene import linear_to_srgb, srgb_to_linear, to_8_bit
from metalens.restore.deconvolution.local_blur import LocalBlur
from metalens.restore.inference import data_consistency
from metalens.restore.inference.capture_files import captures_of
from metalens.restore.inference.data_consistency import DataConsistency
from metalens.restore.inference.restoration import decode_values, latents_of, restore, sound_capture
from metalens.restore.inference.restored_files import RestoreOptions, restore_files
from metalens.restore.metrics.measures import psnr

PIXELS = (64, 80)


def picture(seed, low=20, high=235, pixels=PIXELS):
    return np.random.default_rng(seed).integers(low, high, (*pixels, 3), dtype=np.uint8)


def captured(scene, bank):
    """What a camera without noise sees of a scene that mirrors itself beyond the frame."""
    blur = LocalBlur(bank, scene.shape[:2])
    light = blur.forward(blur.extend(torch.from_numpy(srgb_to_linear(scene).transpose(2, 0, 1).copy())))
    return to_8_bit(encode_light(bank.camera.sensor, light.numpy().transpose(1, 2, 0)))


@pytest.fixture
def sharp(bank):
    """A lens without blur."""
    intensity = np.zeros_like(bank.intensity)
    intensity[..., 2, 2] = 1
    return replace(bank, intensity=intensity)


def test_without_blur_it_is_the_mean_of_both_weighted_by_their_variances(sharp):
    restored, seen = picture(0), picture(1)
    error, sensor = 0.01, sharp.camera.sensor
    expected, light = (srgb_to_linear(each).astype(float) for each in (restored, seen))

    def slope(value):
        """Of linear light by the display value, by differences."""
        return (srgb_to_linear_exact(value + 1e-4) - srgb_to_linear_exact(value - 1e-4)) / 2e-4

    white = sensor.white_level * sensor.saturation_e
    dark = sensor.read_noise_e**2 + sensor.dark_signal_e + 1 / (12 * sensor.system_gain**2)
    of_sensor = (light * white + dark) / white**2
    of_sensor += (slope(seen / 255) / 255) ** 2 / 12
    of_restorer = (error * slope(restored / 255)) ** 2
    mean = (expected / of_restorer + light / of_sensor) / (1 / of_restorer + 1 / of_sensor)
    found = DataConsistency(sharp, restorer_error=error, iterations=200)(restored, seen)
    assert np.abs(found.astype(int) - to_8_bit(linear_to_srgb(mean)).astype(int)).max() <= 1


def srgb_to_linear_exact(value):
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def test_a_picture_that_explains_its_capture_stays(bank):
    scene = picture(2)
    found = DataConsistency(bank)(scene, captured(scene, bank))
    # The capture is rounded to 8 bits; what that leaves open is spread over the scene.
    assert psnr(scene, found) > 45


def test_the_capture_is_read_as_its_camera_writes_it(own_colours):
    scene = picture(2, low=90, high=150)
    found = DataConsistency(own_colours)(scene, captured(scene, own_colours))
    assert psnr(scene, found) > 45


def test_a_picture_that_contradicts_its_capture_is_drawn_towards_the_scene(bank, textured_pictures):
    scene = textured_pictures[0]
    drift = 25 * np.sin(np.arange(PIXELS[1]) / 9)[None, :, None]
    restored = np.clip(scene + drift, 0, 255).astype(np.uint8)
    seen = captured(scene, bank)
    found = DataConsistency(bank)(restored, seen)
    assert psnr(scene, found) > psnr(scene, restored) + 6
    assert psnr(seen, captured(found, bank)) > psnr(seen, captured(restored, bank)) + 6


def test_detail_that_the_blur_erases_stays_as_it_was_restored(bank, textured_pictures):
    # A wave of three pixels is a zero of the box of three.
    scene = np.full((*PIXELS, 3), 128, dtype=np.uint8)
    wave = 6 * np.cos(2 * np.pi * np.arange(PIXELS[1]) / 3)[None, :, None]
    painted = np.clip(scene + wave, 0, 255).astype(np.uint8)
    found = DataConsistency(bank)(painted, captured(scene, bank)).astype(float)
    inner = (found - found.mean(axis=1, keepdims=True))[8:-8, 8:-8]
    np.testing.assert_allclose(inner, np.broadcast_to(wave, found.shape)[8:-8, 8:-8], atol=1.6)


def test_more_trust_in_the_restorer_stays_nearer_to_its_picture(bank):
    restored, seen = picture(3), captured(picture(4), bank)
    away = [
        np.abs(DataConsistency(bank, restorer_error=e)(restored, seen) - restored.astype(float)).mean()
        for e in (1e-4, 1e-2, 1e-1)
    ]
    assert away[0] < 0.5
    assert away == sorted(away)


def test_clipped_pixels_say_nothing(sharp):
    restored = picture(5)
    seen = np.full_like(restored, 255)
    np.testing.assert_array_equal(DataConsistency(sharp)(restored, seen), restored)


def test_a_part_of_the_frame_is_solved_with_the_functions_of_its_place(bank):
    intensity = np.random.default_rng(0).random((9, 3, 5, 5)).astype(np.float32)
    varied = replace(bank, intensity=intensity / intensity.sum(axis=(-2, -1), keepdims=True))
    restored, seen = picture(6), captured(picture(7), varied)
    whole = DataConsistency(varied)(restored, seen)
    part = DataConsistency(varied)(restored[10:54, 20:70], seen[10:54, 20:70], (10, 20))
    there, misplaced = part[14:-14, 14:-14], DataConsistency(varied)(restored[10:54, 20:70], seen[10:54, 20:70], (0, 0))
    assert psnr(whole[24:40, 34:56], there) > psnr(whole[24:40, 34:56], misplaced[14:-14, 14:-14]) + 6


def test_parts_of_a_large_picture_are_blended_without_a_seam(bank, monkeypatch):
    restored, seen = picture(8), captured(picture(9), bank)
    whole = DataConsistency(bank)(restored, seen)
    monkeypatch.setattr(data_consistency, "_LEAST_SIDE", 48)
    assert psnr(whole, DataConsistency(bank)(restored, seen)) > 35


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"restorer_error": 0.0}, "error of 0.0"),
        ({"restorer_error": float("nan")}, "nan"),
        ({"iterations": 0}, "0 iter"),
    ],
)
def test_settings_out_of_range_are_refused(bank, arguments, found):
    with pytest.raises(InputError, match=found):
        DataConsistency(bank, **arguments)


@pytest.mark.parametrize(
    ("restored", "place", "message"),
    [
        (picture(0, pixels=(64, 64)), None, r"restored picture of \(64, 64, 3\)"),
        (picture(0), (1, 0), "64 × 80 pixels at row 1, column 0"),
    ],
)
def test_pictures_that_do_not_belong_together_are_refused(bank, restored, place, message):
    with pytest.raises(InputError, match=message):
        DataConsistency(bank)(restored, picture(1), place)


def test_a_bank_of_scattered_nodes_is_refused_before_anything_is_restored(bank):
    with pytest.raises(InputError, match="its nodes are scattered, a grid over the sensor was expected"):
        DataConsistency(replace(bank, layout="scattered"))


def test_a_capture_of_another_camera_is_refused(bank):
    with pytest.raises(InputError, match=r"sensor has 64 × 80; give the psf\.h5 of the captures' camera"):
        DataConsistency(bank)(picture(0, pixels=(32, 32)), picture(1, pixels=(32, 32)))


def test_restoring_consistently_is_restoring_and_then_drawing_towards_the_capture(make_restorer, bank, tmp_path):
    restorer, seen, towards = make_restorer(perturb=0.02), picture(1), DataConsistency(bank)
    plain = restore(restorer, seen, [0, 1])
    both = restore(restorer, seen, [0, 1], consistency=towards)
    values = decode_values(restorer, latents_of(restorer, seen), 1)
    np.testing.assert_array_equal(plain[1], to_8_bit(values))
    np.testing.assert_array_equal(both[1], to_8_bit(towards(values, sound_capture(restorer, seen, None))))
    write_picture(tmp_path / "a.png", seen)
    restore_files(restorer, captures_of([tmp_path]), tmp_path / "out", RestoreOptions([1], consistency=towards))
    np.testing.assert_array_equal(read_picture(tmp_path / "out/a-alpha1.png"), both[1])


def test_kept_latents_cannot_be_drawn_towards_what_they_do_not_hold(make_restorer, bank, tmp_path):
    restorer = make_restorer()
    write_picture(tmp_path / "a.png", picture(1))
    restore_files(
        restorer, captures_of([tmp_path / "a.png"]), tmp_path / "out", RestoreOptions([1]), latents=tmp_path / "kept"
    )
    with pytest.raises(InputError, match="--consistent: kept latents do not hold what the camera saw"):
        restore_files(
            restorer,
            captures_of([tmp_path / "kept"]),
            tmp_path / "b",
            RestoreOptions([1], consistency=DataConsistency(bank)),
        )
