"""The expected error of pictures, against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.camera.sensor import Sensor
from metalens.formats.camera.sensor_noise import noise_variance
from metalens.formats.pictures.photograph_statistics import PhotographStatistics, photograph_statistics
from metalens.psf.camera_fields import view_of
from metalens.psf.design.objectives import relative_exposure
from metalens.psf.restoration_error import (
    LEAST_LENGTH,
    image_errors,
    image_spectrum,
    joint_errors,
    transfer_function,
)

VARIANCE = 0.06


def whole_spectrum(length: int) -> np.ndarray:
    """The same spectrum by a complex transform's frequencies."""
    frequency = np.fft.fftfreq(length)
    squared = frequency[:, None] ** 2 + frequency**2
    spectrum = np.divide(1, squared, out=np.zeros_like(squared), where=squared > 0)
    return VARIANCE * spectrum / spectrum.mean()


def gaussian(side: int, sigma: float) -> np.ndarray:
    place = np.arange(side) - side // 2
    light = np.exp(-(place[:, None] ** 2 + place**2) / (2 * sigma**2))
    return light / light.sum()


@pytest.mark.parametrize("length", [64, 65])
def test_the_spectrum_has_the_variance_that_was_asked_for(length: int) -> None:
    half = image_spectrum(length, VARIANCE)
    assert np.allclose(half, whole_spectrum(length)[:, : length // 2 + 1], rtol=1e-12)


@pytest.mark.parametrize("noise", [1e-5, 1e-3, 0.1])
def test_behind_a_perfect_lens_noise_alone_makes_the_error(noise: float) -> None:
    point = np.zeros((9, 9))
    point[4, 4] = 1
    captured, restored = image_errors(jnp.asarray(point), noise, VARIANCE)
    signal = whole_spectrum(LEAST_LENGTH)
    assert captured == pytest.approx(noise, rel=1e-5)
    assert restored == pytest.approx((signal * noise / (signal + noise)).mean(), rel=1e-5)


def test_a_blur_without_noise_is_undone_and_with_noise_it_is_the_wiener_error() -> None:
    light, noise = gaussian(31, 1.0), 1e-3
    transfer = np.fft.fft2(light, s=(LEAST_LENGTH, LEAST_LENGTH))
    signal = whole_spectrum(LEAST_LENGTH)
    wanted = (signal * noise / (np.abs(transfer) ** 2 * signal + noise)).mean()
    assert image_errors(jnp.asarray(light), noise, VARIANCE)[1] == pytest.approx(wanted, rel=1e-4)
    assert image_errors(jnp.asarray(light), 1e-12, VARIANCE)[1] < 1e-4 * wanted


def test_a_shift_costs_the_captured_picture_and_not_the_restored_one() -> None:
    light = gaussian(33, 1.5)
    moved = np.roll(light, (2, -3), axis=(0, 1))
    (still, restored), (shifted, again) = (image_errors(jnp.asarray(each), 1e-3, VARIANCE) for each in (light, moved))
    assert again == pytest.approx(float(restored), rel=1e-4)
    assert shifted > 1.5 * still


def test_no_light_leaves_the_picture_unknown() -> None:
    captured, restored = image_errors(jnp.zeros((9, 9)), 1e-3, VARIANCE)
    assert captured == pytest.approx(VARIANCE + 1e-3, rel=1e-5)
    assert restored == pytest.approx(VARIANCE, rel=1e-5)


def test_the_transfer_function_has_the_middle_sample_for_its_origin() -> None:
    symmetric = transfer_function(jnp.asarray(gaussian(15, 1.2)), 64)
    assert np.abs(np.imag(symmetric)).max() < 1e-6
    assert np.real(symmetric)[0, 0] == pytest.approx(1, rel=1e-6)


def test_noise_is_the_sum_of_what_the_sensor_names() -> None:
    sensor = Sensor(
        pixels=(64, 64), pixel_pitch_um=2.0, bit_depth=12, full_well_e=4000.0, read_noise_e=6.0, white_level=0.5
    )
    step = 4000 / 4095
    wanted = (0.2 * 2000 + 36 + step**2 / 12) / 2000**2
    assert noise_variance(sensor, 0.2) == pytest.approx([wanted] * 3, rel=1e-6)
    silent = sensor.model_copy(update={"shot_noise": False})
    assert noise_variance(silent, 0.2) == pytest.approx([(36 + step**2 / 12) / 2000**2] * 3, rel=1e-6)


def test_more_light_is_less_noise_in_units_of_white() -> None:
    sensor = read_camera("metacamera").sensor
    more = sensor.model_copy(update={"quantum_efficiency": (0.4, 0.8, 0.6), "white_photons": 1000.0})
    red, green, blue = noise_variance(more, 0.2)
    assert red > blue > green
    assert (noise_variance(sensor, 0.4) > noise_variance(sensor, 0.2)).all()


NOISE = np.array([1e-3, 4e-4, 2e-3])


def colour_functions() -> np.ndarray:
    """Red blurred, green sharp, blue blurred most."""
    return np.stack([gaussian(21, sigma) for sigma in (2.0, 0.7, 3.0)])


def test_the_joint_error_is_the_trace_of_the_filters_error_covariance() -> None:
    """P − P Hᴴ (H P Hᴴ + N)⁻¹ H P at every frequency, by dense 3 × 3 inverses in float64."""
    statistics, length = photograph_statistics(), LEAST_LENGTH
    frequency = np.hypot(np.fft.fftfreq(length)[:, None], np.fft.fftfreq(length)).ravel()[1:]
    density = np.linalg.inv(statistics.precision(frequency))
    transfer = np.fft.fft2(colour_functions(), s=(length, length)).reshape(3, -1).T[1:]
    crossed = density * transfer.conj()[:, None, :]
    covariance = transfer[:, :, None] * crossed + np.diag(NOISE)
    gain = crossed @ np.linalg.inv(covariance)
    left = density - gain @ (transfer[:, :, None] * density)
    wanted = np.diagonal(left.real, axis1=1, axis2=2).sum(axis=0) / length**2
    found = joint_errors(jnp.asarray(colour_functions()), jnp.asarray(NOISE), statistics)
    np.testing.assert_allclose(found, wanted, rtol=2e-4)


def test_colours_that_do_not_vary_together_are_restored_each_alone() -> None:
    statistics = photograph_statistics().separate()
    together = joint_errors(jnp.asarray(colour_functions()), jnp.asarray(NOISE), statistics)
    for channel, function in enumerate(colour_functions()):
        alone = joint_errors(jnp.asarray([function] * 3), jnp.asarray([NOISE[channel]] * 3), statistics)
        assert together[channel] == pytest.approx(float(alone[channel]), rel=1e-5)


def test_correlation_helps_the_blurred_channels_most() -> None:
    light, noise = jnp.asarray(colour_functions()), jnp.asarray(NOISE)
    together = np.asarray(joint_errors(light, noise, photograph_statistics()))
    alone = np.asarray(joint_errors(light, noise, photograph_statistics().separate()))
    assert (together < alone).all()
    assert together[2] / alone[2] < together[0] / alone[0] < together[1] / alone[1]


def test_the_joint_error_has_the_gradient_of_its_differences() -> None:
    covariance = 1e-3 * np.array([[1.2, 1.0, 0.8], [1.0, 1.0, 0.8], [0.8, 0.8, 0.9]])
    statistics = PhotographStatistics(np.array([0.1]), covariance[None])
    direction = np.random.default_rng(0).standard_normal((3, 21, 21)) / 441

    def error(step: float) -> jax.Array:
        return joint_errors(jnp.asarray(colour_functions() + step * direction), jnp.asarray(NOISE), statistics).sum()

    slope = jax.grad(error)(0.0)
    assert slope == pytest.approx((float(error(0.01)) - float(error(-0.01))) / 0.02, rel=2e-3)


def test_without_light_all_that_varies_is_lost() -> None:
    statistics = photograph_statistics()
    frequency = np.hypot(np.fft.fftfreq(LEAST_LENGTH)[:, None], np.fft.fftfreq(LEAST_LENGTH)).ravel()[1:]
    variance = np.linalg.inv(statistics.precision(frequency)).sum(axis=0) / LEAST_LENGTH**2
    found = joint_errors(jnp.zeros((3, 9, 9)), jnp.asarray(NOISE), statistics)
    np.testing.assert_allclose(found, np.diag(variance), rtol=1e-3)


def test_an_exposure_in_a_fixed_time_collects_the_light_of_the_aperture() -> None:
    lens = view_of(read_camera("metacamera-200um"), np.zeros((1, 2)), 532e-9).lens
    assert relative_exposure(lens, None) == 1
    assert relative_exposure(lens, 4.5) == pytest.approx(1)  # 900 µm behind 200 µm
    assert relative_exposure(lens, 2.25) == pytest.approx(0.25)
    assert relative_exposure(lens, 9.0) == 1  # faster than the exposure was set for: exposed for a shorter time


def test_less_light_leaves_more_noise_and_a_poorer_restored_picture() -> None:
    sensor = read_camera("metacamera").sensor
    shot = noise_variance(sensor.model_copy(update={"read_noise_e": 0.0, "dark_current_e": 0.0}), 0.2)
    darker = noise_variance(sensor.model_copy(update={"read_noise_e": 0.0, "dark_current_e": 0.0}), 0.2, exposure=0.25)
    assert darker == pytest.approx(4 * shot, rel=0.05)
    light = jnp.asarray(np.stack([gaussian(31, 1.5)] * 3))
    errors = [
        joint_errors(light, jnp.asarray(noise_variance(sensor, 0.2, exposure=each)), photograph_statistics())
        for each in (1.0, 0.25)
    ]
    assert (errors[1] > 1.2 * errors[0]).all()
