"""Every further term of the sensor: off, it changes no byte; on, its parameter is found again in the frames."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import convolve

from metalens.formats.camera.camera import read_camera
from metalens.formats.camera.sensor import Sensor
from metalens.formats.files.errors import InputError
from metalens.synth.sensor import (
    CameraFixedPattern,
    bayer_channels,
    develop,
    expose,
    exposure_for,
    fixed_pattern,
)

SIZE = 400


def quiet_sensor(**changes: object) -> Sensor:
    """Fine steps and no noise but what is asked for; 10 000 electrons are full, a white scene has half of them."""
    quiet = {"full_well_e": 1e4, "white_level": 0.5, "read_noise_e": 0.0, "dark_current_e": 0.0, "bit_depth": 16}
    more = {"black_level_dn": 6000.0, "shot_noise": False}
    return Sensor.model_validate(read_camera("metacamera").sensor.model_dump() | quiet | more | changes)


def electrons(sensor: Sensor, level: float = 1.0, seed: int = 0, size: int = SIZE) -> np.ndarray:
    """A flat field, read in electrons."""
    light = np.full((size, size, 3), level, dtype=np.float32)
    frame = expose(sensor, light, exposure_for(sensor), np.random.default_rng(seed))
    return (frame - sensor.black_level_dn) / sensor.system_gain


def test_frames_of_cameras_without_further_terms_are_those_of_earlier_versions() -> None:
    """Checksums of version 0.1.0."""
    sensor = read_camera("metacamera").sensor
    light = np.random.default_rng(3).random((24, 30, 3), dtype=np.float32) * 1.3
    raw = expose(sensor, light, exposure_for(sensor), np.random.default_rng(5))
    assert hashlib.sha256(raw.tobytes()).hexdigest().startswith("b5290218e0327af8bc8b658ab2df3f01")
    picture = develop(sensor, raw, exposure_for(sensor))
    assert hashlib.sha256(picture.tobytes()).hexdigest().startswith("366ba3fc63bc4b3130dabc5054fa6d7d")


def test_without_shot_noise_a_flat_field_is_flat() -> None:
    assert electrons(quiet_sensor()) == pytest.approx(5000, abs=0.2)


def test_quantum_efficiency_says_how_the_channels_compare() -> None:
    sensor = quiet_sensor(quantum_efficiency=(0.4, 0.6, 0.3))
    frame, channels = electrons(sensor), bayer_channels(sensor, (SIZE, SIZE))
    means = [frame[channels == channel].mean() for channel in range(3)]
    assert means == pytest.approx([5000 * 0.4 / 0.6, 5000, 5000 * 0.3 / 0.6], rel=1e-3)


def test_photons_become_electrons_by_the_quantum_efficiency() -> None:
    sensor = quiet_sensor(quantum_efficiency=(0.4, 0.6, 0.3), white_photons=4000.0, shot_noise=None)
    frame, channels = electrons(sensor), bayer_channels(sensor, (SIZE, SIZE))
    for channel, expected in enumerate((1600, 2400, 1200)):
        seen = frame[channels == channel]
        assert seen.mean() == pytest.approx(expected, rel=0.005)
        assert seen.var() == pytest.approx(expected, rel=0.05), "binomial thinning of photons is Poisson again"
    picture = develop(sensor, expose_flat(sensor, 1.0), exposure_for(sensor))
    assert picture.mean(axis=(0, 1)) == pytest.approx([253, 253, 253], abs=3)


def expose_flat(sensor: Sensor, level: float) -> np.ndarray:
    light = np.full((64, 64, 3), level, dtype=np.float32)
    return expose(sensor, light, exposure_for(sensor), np.random.default_rng(0))


@pytest.mark.parametrize(("temperature", "factor"), [(20.0, 1.0), (26.0, 2.0), (8.0, 0.25)])
def test_dark_current_grows_with_time_and_doubles_with_temperature(temperature: float, factor: float) -> None:
    climate = {"temperature_c": temperature, "reference_temperature_c": 20.0, "doubling_c": 6.0}
    sensor = quiet_sensor(dark_current_e_per_s=400.0, exposure_time_s=0.5, dark_current_e=7.0, **climate)
    assert sensor.dark_signal_e == pytest.approx(7.0 + 200.0 * factor)
    assert electrons(sensor, 0.0).mean() == pytest.approx(7.0 + 200.0 * factor, abs=0.1)


def test_development_subtracts_the_mean_dark_signal() -> None:
    sensor = quiet_sensor(dark_current_e_per_s=400.0, exposure_time_s=2.0)
    assert develop(sensor, expose_flat(sensor, 0.0), exposure_for(sensor)).max() == 0


def test_so_much_dark_current_that_it_cannot_be_counted_is_refused() -> None:
    climate = {"temperature_c": 100.0, "reference_temperature_c": 0.0, "doubling_c": 0.01}
    with pytest.raises(ValueError, match=r"the dark signal of an exposure, 1\.07.*e\+301 electrons, leaves no room"):
        quiet_sensor(dark_current_e_per_s=1.0, exposure_time_s=1.0, **climate)


def test_dsnu_is_the_spread_of_dark_pixels_at_any_light() -> None:
    sensor = quiet_sensor(dsnu_e=12.0)
    for level in (0.0, 0.5):
        assert electrons(sensor, level).std() == pytest.approx(12.0, rel=0.01)
    assert electrons(sensor, 0.0).mean() == pytest.approx(0.0, abs=0.2)


def test_prnu_is_the_relative_spread_of_lit_pixels() -> None:
    sensor = quiet_sensor(prnu_percent=1.5)
    for level in (0.2, 1.0):
        frame = electrons(sensor, level)
        assert frame.std() / frame.mean() == pytest.approx(0.015, rel=0.01)
    assert electrons(sensor, 0.0).std() == 0


@pytest.mark.parametrize(("key", "axis"), [("row", 1), ("column", 0)])
def test_row_and_column_patterns_stay_and_row_and_column_noise_is_new_in_each_shot(key: str, axis: int) -> None:
    for kind, stays in (("pattern", True), ("noise", False)):
        sensor = quiet_sensor(**{f"{key}_{kind}_e": 20.0})
        first, second = electrons(sensor, seed=1), electrons(sensor, seed=2)
        assert np.ptp(first, axis=axis) == pytest.approx(0, abs=0.2), "a whole line shares its offset"
        # 400 lines know their deviation to 1/√800 = 3.5 %.
        assert first.mean(axis=axis).std() == pytest.approx(20.0, rel=0.11)
        assert (first == second).all() == stays


def test_hot_pixels_glow_exponentially_and_dead_ones_read_the_black_level() -> None:
    sensor = quiet_sensor(hot_pixel_share=0.02, hot_pixel_e=300.0, dead_pixel_share=0.01, read_noise_e=2.0)
    dark, lit = electrons(sensor, 0.0), electrons(sensor, 1.0)
    pattern = fixed_pattern(sensor, (SIZE, SIZE))
    assert pattern.hot_e is not None
    assert pattern.dead is not None
    hot = pattern.hot_e > 0
    assert hot.mean() == pytest.approx(0.02, rel=0.05)
    assert dark[hot & ~pattern.dead].mean() == pytest.approx(300.0, rel=0.06)
    assert dark[hot & ~pattern.dead].std() == pytest.approx(300.0, rel=0.1), "an exponential's spread is its mean"
    assert (lit < 100).mean() == pytest.approx(0.01, rel=0.1)
    assert (lit[pattern.dead] == 0).all()


def test_dark_current_of_hot_pixels_has_shot_noise() -> None:
    sensor = quiet_sensor(hot_pixel_share=0.5, hot_pixel_e=300.0, shot_noise=None)
    mean = fixed_pattern(sensor, (SIZE, SIZE)).hot_e
    assert mean is not None
    assert ((electrons(sensor, 0.0) - mean) ** 2).mean() == pytest.approx(mean.mean(), rel=0.02)


def test_crosstalk_mixes_neighbours_of_other_colours_and_loses_nothing() -> None:
    sensor = quiet_sensor(crosstalk=0.08)
    light = np.zeros((SIZE, SIZE, 3), dtype=np.float32)
    light[..., 0] = 1.0
    frame = expose(sensor, light, exposure_for(sensor), np.random.default_rng(0))
    seen = (frame - sensor.black_level_dn) / sensor.system_gain
    red = bayer_channels(sensor, (SIZE, SIZE)) == 0
    kernel = np.array([[0, 0.02, 0], [0.02, 0.92, 0.02], [0, 0.02, 0]])
    assert seen == pytest.approx(convolve(np.where(red, 5000.0, 0.0), kernel, mode="reflect"), abs=0.2)
    assert seen.sum() == pytest.approx(5000.0 * red.sum(), rel=1e-4)
    assert electrons(sensor) == pytest.approx(5000, abs=0.2), "a flat field stays flat"


def test_rolling_gain_drifts_slowly_along_the_rows_and_anew_in_each_shot() -> None:
    sensor = quiet_sensor(rolling_gain_percent=2.0)
    rows = np.array([electrons(sensor, seed=seed, size=64)[:, 0] for seed in range(200)]) / 5000 - 1
    assert np.sqrt((rows**2).mean()) == pytest.approx(0.02, rel=0.05)
    assert np.abs(np.diff(rows, axis=1)).max() < 0.02 * np.sqrt(2) * 2 * np.pi * 2 / 64 * 1.05
    assert np.ptp(electrons(sensor), axis=1) == pytest.approx(0, abs=0.2)


def test_system_gain_of_its_own_saturates_where_the_numbers_end_or_the_well_is_full() -> None:
    early = quiet_sensor(system_gain_dn_per_e=10.0)
    assert early.saturation_e == pytest.approx((65535 - 6000) / 10)
    assert electrons(early, 3.0).max() == pytest.approx(early.saturation_e)
    late = quiet_sensor(system_gain_dn_per_e=2.0)
    assert late.saturation_e == 1e4
    assert electrons(late, 3.0).max() == pytest.approx(1e4)
    assert exposure_for(early).electrons[1] == pytest.approx(0.5 * early.saturation_e)


ALL_PATTERNS = {
    "dsnu_e": 5.0,
    "prnu_percent": 1.0,
    "row_pattern_e": 2.0,
    "column_pattern_e": 3.0,
    "hot_pixel_share": 0.01,
    "hot_pixel_e": 100.0,
    "dead_pixel_share": 0.01,
}


ALL_TERMS = ALL_PATTERNS | {
    "quantum_efficiency": (0.4, 0.6, 0.3),
    "crosstalk": 0.04,
    "shot_noise": None,
    "dark_current_e": 3.0,
    "row_noise_e": 1.0,
    "column_noise_e": 1.0,
    "read_noise_e": 2.0,
    "rolling_gain_percent": 0.5,
    "system_gain_dn_per_e": 0.3,
    "camera_seed": 9,
}


@settings(max_examples=40, deadline=None)
@given(
    chosen=st.sets(st.sampled_from(sorted(ALL_TERMS))), level=st.sampled_from([0.0, 0.5, 5.0]), seed=st.integers(0, 9)
)
def test_any_choice_of_terms_gives_numbers_of_the_sensor_and_the_same_ones_again(
    chosen: set[str], level: float, seed: int
) -> None:
    chosen |= {"hot_pixel_share", "hot_pixel_e"} if chosen & {"hot_pixel_share", "hot_pixel_e"} else set()
    sensor = quiet_sensor(**{key: ALL_TERMS[key] for key in chosen})
    light = np.full((16, 18, 3), level, dtype=np.float32)
    first, again = (expose(sensor, light, exposure_for(sensor), np.random.default_rng(seed)) for _ in range(2))
    assert first.dtype == np.uint16
    assert first.max() <= 2**sensor.bit_depth - 1
    assert (first == again).all()
    assert develop(sensor, first, exposure_for(sensor)).shape == (16, 18, 3)


def test_fixed_patterns_belong_to_the_camera_and_no_term_changes_another() -> None:
    both = fixed_pattern(quiet_sensor(**ALL_PATTERNS, camera_seed=3), (32, 40))
    alone = fixed_pattern(quiet_sensor(prnu_percent=1.0, camera_seed=3), (32, 40))
    other = fixed_pattern(quiet_sensor(prnu_percent=1.0, camera_seed=4), (32, 40))
    assert both.response is not None
    assert (both.response == alone.response).all()
    assert (both.response != other.response).any()
    assert alone.dark_e is None
    assert alone.line_e is None
    with pytest.raises(ValueError, match="read-only"):
        both.response[0, 0] = 1


def test_no_pattern_shares_the_random_numbers_of_a_sample() -> None:
    pattern = fixed_pattern(quiet_sensor(dsnu_e=1.0, camera_seed=3), (16, 16)).dark_e
    for seed in ([3], [3, 0], [3, 0, 0], [3, 1]):
        assert (np.random.default_rng(seed).standard_normal((16, 16), dtype=np.float32) != pattern).all()


def test_a_pattern_can_be_given() -> None:
    sensor = quiet_sensor()
    pattern = fixed_pattern(quiet_sensor(dsnu_e=9.0), (SIZE, SIZE))
    light = np.zeros((SIZE, SIZE, 3), dtype=np.float32)
    frame = expose(sensor, light, exposure_for(sensor), np.random.default_rng(0), pattern)
    assert frame.std() / sensor.system_gain == pytest.approx(9.0, rel=0.01)


@pytest.mark.parametrize("bad", [-1.0, np.nan])
def test_a_pattern_that_makes_no_rate_is_refused_before_a_random_number_is_drawn(bad: float) -> None:
    sensor = quiet_sensor(shot_noise=None)
    light = np.zeros((16, 16, 3), dtype=np.float32)
    pattern = CameraFixedPattern(np.full((16, 16), bad), None, None, None, None)
    with pytest.raises(InputError, match="electrons in a pixel; check the exposure and the pattern"):
        expose(sensor, light, exposure_for(sensor), np.random.default_rng(0), pattern)


def test_gains_of_its_own_replace_the_automatic_white_balance() -> None:
    settings = {"white_balance": (0.5, 1.0, 0.25), "gamma": 1.0}
    sensor = quiet_sensor(development=settings)
    picture = develop(sensor, expose_flat(sensor, 0.8), exposure_for(sensor))
    assert picture.mean(axis=(0, 1)) == pytest.approx([102, 204, 51], abs=1)


def test_colour_matrix_mixes_colours_after_demosaicing_and_keeps_grey() -> None:
    matrix = ((1.5, -0.3, -0.2), (-0.1, 1.2, -0.1), (0.0, -0.5, 1.5))
    sensor = quiet_sensor(development={"colour_matrix": matrix, "gamma": 1.0})
    grey = develop(sensor, expose_flat(sensor, 0.4), exposure_for(sensor))
    assert grey.mean(axis=(0, 1)) == pytest.approx([102] * 3, abs=1)
    light = np.broadcast_to(np.array([0.2, 0.4, 0.6], dtype=np.float32), (64, 64, 3))
    raw = expose(sensor, light, exposure_for(sensor), np.random.default_rng(0))
    expected = 255 * np.clip(np.array(matrix) @ [0.2, 0.4, 0.6], 0, 1)
    assert develop(sensor, raw, exposure_for(sensor)).mean(axis=(0, 1)) == pytest.approx(expected, abs=1)


def test_gamma_encodes_as_a_power() -> None:
    sensor = quiet_sensor(development={"gamma": 2.2})
    picture = develop(sensor, expose_flat(sensor, 0.3), exposure_for(sensor))
    assert picture.mean() == pytest.approx(255 * 0.3 ** (1 / 2.2), abs=1)
