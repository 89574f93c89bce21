"""The joint Wiener filter: the least expected squared error over all colours, place by place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from metalens.formats.camera.sensor_noise import noise_variance
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.defective_pixels import fill_defective
from metalens.formats.pictures.encoding import decode_picture
from metalens.formats.pictures.photograph_statistics import PhotographStatistics, photograph_statistics
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.formats.psf.bank import PsfBank
from metalens.restore.deconvolution.joint_wiener import (
    MEAN_LIGHT,
    joint_filter,
    precision_on,
    tune_noise_scale,
    wiener_joint,
)
from metalens.restore.deconvolution.linear_estimates import ESTIMATE_NOISE_SCALES, LinearEstimates
from metalens.restore.deconvolution.wiener import balanced_functions, tile_weights, transfer_of
from metalens.restore.metrics.measures import psnr

SIZE = (6, 8)
NOISE = np.array([1e-3, 2e-3, 5e-4])


def circulant(kernel: np.ndarray) -> np.ndarray:
    """The matrix ``[pixel, pixel]`` of the periodic convolution by a function whose origin is its first sample."""
    pixels = [np.roll(kernel, shift, axis=(0, 1)).ravel() for shift in np.ndindex(*kernel.shape)]
    return np.array(pixels).T


def test_it_is_the_estimate_of_the_block_system():
    """(P⁻¹ + Hᵀ N⁻¹ H)⁻¹ Hᵀ N⁻¹ y, all pixels and channels in one dense system."""
    random = np.random.default_rng(0)
    kernel = random.random((3, 3, 3))
    kernel /= kernel.sum(axis=(1, 2), keepdims=True)
    precision = precision_on(photograph_statistics(), SIZE)
    gain = joint_filter(transfer_of(kernel, SIZE).astype(complex), precision, NOISE)
    captured = random.random((3, *SIZE))
    found = np.fft.irfft2((gain * np.fft.rfft2(captured)).sum(axis=1), SIZE)

    origin = np.zeros((3, *SIZE))
    origin[:, :3, :3] = kernel
    blur = np.zeros((3 * 48, 3 * 48))
    prior = np.zeros_like(blur)
    for row in range(3):
        here = slice(48 * row, 48 * row + 48)
        blur[here, here] = circulant(np.roll(origin[row], (-1, -1), axis=(0, 1)))
        for column in range(3):
            prior[here, 48 * column : 48 * column + 48] = circulant(np.fft.irfft2(precision[row, column], SIZE))
    weight = np.repeat(1 / NOISE, 48)
    normal = prior + blur.T @ (weight[:, None] * blur)
    expected = np.linalg.solve(normal, blur.T @ (weight * captured.ravel())).reshape(3, *SIZE)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


def test_without_correlation_it_is_a_wiener_filter_for_each_channel():
    kernel = np.random.default_rng(1).random((3, 5, 5)) / 25
    transfer = transfer_of(kernel, (16, 16)).astype(complex)
    statistics = photograph_statistics().separate()
    gain = joint_filter(transfer, precision_on(statistics, (16, 16)), NOISE)
    inverse = np.moveaxis(statistics.precision(np.hypot(np.fft.fftfreq(16)[:, None], np.fft.rfftfreq(16))), -1, 0)
    for channel in range(3):
        noise_to_signal = NOISE[channel] * inverse[channel, ..., channel]
        alone = transfer[channel].conj() / (np.abs(transfer[channel]) ** 2 + noise_to_signal)
        np.testing.assert_allclose(gain[channel, channel], alone, rtol=1e-5)
        assert not gain[channel, channel - 1].any()


def test_brightness_is_divided_by_the_functions_energy():
    kernel = np.full((3, 3, 3), 1 / 9) * np.array([1.0, 0.5, 0.8])[:, None, None]
    gain = joint_filter(
        transfer_of(kernel, (8, 8)).astype(complex), precision_on(photograph_statistics(), (8, 8)), NOISE
    )
    np.testing.assert_allclose(gain[:, :, 0, 0], np.diag([1.0, 2.0, 1.25]), atol=1e-5)


def test_a_sharp_channel_gives_the_others_their_edges():
    """A grey edge of which only green is sharp: blue comes back sharper than from itself alone."""
    edge = np.zeros((64, 64))
    edge[:, 20:44] = 0.5
    kernel = np.zeros((3, 9, 9))
    kernel[1, 4, 4] = 1
    kernel[[0, 2]] = 1 / 81
    transfer = transfer_of(kernel, edge.shape).astype(complex)
    captured = np.fft.irfft2(transfer * np.fft.rfft2(edge), edge.shape)

    def blue_error(statistics: PhotographStatistics) -> float:
        gain = joint_filter(transfer, precision_on(statistics, (64, 64)), np.full(3, 1e-3))
        return float(np.mean((np.fft.irfft2((gain * np.fft.rfft2(captured)).sum(axis=1), edge.shape)[2] - edge) ** 2))

    assert blue_error(photograph_statistics()) < 0.3 * blue_error(photograph_statistics().separate())


def over_the_whole_frame(picture: np.ndarray, bank: PsfBank, noise_scale: float) -> np.ndarray:
    """The filter of each node over the whole frame, far continued by reflection, blended by the nodes' weights."""
    margin = 64
    pixels, sensor = picture.shape[:2], bank.camera.sensor
    light = np.pad(decode_picture(sensor, picture), ((margin,) * 2, (margin,) * 2, (0, 0)), mode="symmetric")
    size = light.shape[:2]
    spectrum = np.fft.rfft2(light.transpose(2, 0, 1))
    noise = noise_scale * noise_variance(sensor, MEAN_LIGHT)
    precision = precision_on(photograph_statistics(), size)
    by_row, by_column = (
        tile_weights(nodes, bank.pixel_pitch, side)
        for nodes, side in zip((bank.field_y, bank.field_x), pixels, strict=True)
    )
    weight = (by_row[:, None, :, None] * by_column[None, :, None, :]).reshape(-1, *pixels)
    total = np.zeros((3, *pixels))
    for kernel, share in zip(balanced_functions(bank), weight, strict=True):
        gain = joint_filter(transfer_of(kernel, size), precision, noise)
        restored = np.fft.irfft2((gain * spectrum).sum(axis=1), size)
        total += share * restored[:, margin : margin + pixels[0], margin : margin + pixels[1]]
    return to_8_bit(linear_to_srgb(total.transpose(1, 2, 0)))


@pytest.mark.parametrize("noise_scale", ESTIMATE_NOISE_SCALES)
def test_windows_of_the_nodes_agree_with_filters_over_the_whole_frame(bank: PsfBank, noise_scale: float):
    """Functions without zeros of their transfer, whose inverse reaches no further than a window's margin."""
    y, x = np.mgrid[-4:5, -4:5]
    near, far = (np.exp(-(y**2 + x**2) / width) for width in (1.5, 2.5))
    share = np.linspace(0, 1, len(bank.position))[:, None, None, None]
    functions = (1 - share) * near / near.sum() + share * far / far.sum()
    intensity = np.broadcast_to(functions, (*bank.intensity.shape[:2], 9, 9)).astype(np.float32)
    varying = replace(bank, intensity=intensity, subpixel_intensity=None, simulated_position=None)
    random = np.random.default_rng(4).random((*bank.camera.sensor.pixels, 3))
    captured = to_8_bit(0.5 + 2 * (gaussian_filter(random, (1, 1, 0)) - 0.5))
    estimate = LinearEstimates(varying, [noise_scale])
    assert psnr(over_the_whole_frame(captured, varying, noise_scale), estimate(captured)) > 55
    # The filter fills pixels that stand out, as the estimates' caller does.
    filled = fill_defective(bank.camera.sensor, captured)
    assert np.array_equal(wiener_joint(captured, varying, noise_scale), estimate(filled))


def test_a_part_of_the_frame_is_restored_as_its_place_asks(bank: PsfBank):
    rows, columns = bank.camera.sensor.pixels
    picture = np.random.default_rng(2).random((rows, columns, 3)).astype(np.float32)
    half = wiener_joint(picture[rows // 2 :], bank, place=(rows // 2, 0))
    assert half.shape == (rows - rows // 2, columns, 3)
    # Far from the cut both see the same light.
    whole = wiener_joint(picture, bank)[rows // 2 :]
    assert np.abs(half - whole)[-3:].mean() < np.abs(half - whole)[:3].mean()


def test_the_scale_is_the_one_with_the_highest_psnr(bank: PsfBank):
    clean = np.random.default_rng(3).integers(0, 256, (*bank.camera.sensor.pixels, 3), dtype=np.uint8)
    candidates = (0.3, 30.0)
    scores = {scale: psnr(clean, wiener_joint(clean, bank, scale)) for scale in candidates}
    assert tune_noise_scale([(clean, clean)], bank, candidates=candidates) == max(scores, key=scores.__getitem__)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_a_scale_that_is_none_is_refused(bank: PsfBank, scale: float):
    with pytest.raises(InputError, match="noise_scale"):
        wiener_joint(np.zeros((*bank.camera.sensor.pixels, 3), dtype=np.uint8), bank, scale)
