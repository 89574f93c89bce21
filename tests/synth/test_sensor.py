import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.camera.camera import read_camera
from metalens.formats.camera.sensor import Sensor
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import linear_to_srgb
from metalens.synth.sensor import (
    Exposure,
    bayer_channels,
    demosaic,
    develop,
    expose,
    exposure_for,
)

from .conftest import MakeBank, bank_of, gaussians

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")


def sensor_with(**changes: object) -> Sensor:
    return Sensor.model_validate(read_camera("metacamera").sensor.model_dump() | changes)


def flat(light: float, size: int = 400) -> np.ndarray:
    return np.full((size, size, 3), light, dtype=np.float32)


def random_numbers(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_photon_transfer_curve_recovers_gain_and_read_noise() -> None:
    sensor = sensor_with(bit_depth=14, read_noise_e=6.0, dark_current_e=0.0, black_level_dn=64.0)
    exposure = exposure_for(sensor)
    levels = np.linspace(0.0, 0.9, 10)
    frames = [expose(sensor, flat(level), exposure, random_numbers(i)) for i, level in enumerate(levels)]
    means = np.array([frame.mean() - 64.0 for frame in frames])
    variances = np.array([frame.astype(np.float64).var() for frame in frames])
    gain, offset = np.polyfit(means, variances, 1)
    assert gain == pytest.approx(sensor.system_gain, rel=0.01)
    # The dark frame's variance is the read noise and the 1/12 of rounding.
    assert np.sqrt(variances[0] - 1 / 12) / gain == pytest.approx(6.0, rel=0.02)
    assert offset == pytest.approx(variances[0], rel=0.2)


def test_shot_noise_variance_in_electrons_equals_the_mean() -> None:
    sensor = sensor_with(bit_depth=16, read_noise_e=0.0, dark_current_e=0.0, black_level_dn=0.0)
    frame = expose(sensor, flat(0.5), exposure_for(sensor), random_numbers()) / sensor.system_gain
    assert frame.mean() == pytest.approx(0.5 * 0.85 * 5000, rel=1e-3)
    assert frame.var() == pytest.approx(frame.mean(), rel=0.02)


def test_dark_frame_reads_black_level_plus_dark_current() -> None:
    sensor = sensor_with(bit_depth=14, dark_current_e=50.0, read_noise_e=2.0, black_level_dn=100.0)
    frame = expose(sensor, flat(0.0), exposure_for(sensor), random_numbers())
    gain = sensor.system_gain
    assert frame.mean() == pytest.approx(100.0 + 50.0 * gain, abs=0.1)
    assert frame.std() == pytest.approx(np.hypot(np.sqrt(50.0), 2.0) * gain, rel=0.02)


def test_light_above_the_full_well_saturates_at_the_largest_number() -> None:
    sensor = sensor_with(bit_depth=12, read_noise_e=0.0, dark_current_e=0.0)
    frame = expose(sensor, flat(50.0), exposure_for(sensor), random_numbers())
    assert (frame == 4095).all()


@pytest.mark.parametrize("bit_depth", [4, 8, 10, 16])
def test_numbers_stay_within_the_bit_depth(bit_depth: int) -> None:
    sensor = sensor_with(bit_depth=bit_depth, black_level_dn=2.0, read_noise_e=40.0)
    for light in (0.0, 0.5, 3.0):
        frame = expose(sensor, flat(light, 64), exposure_for(sensor), random_numbers())
        assert frame.dtype == np.uint16
        assert frame.max() <= 2**bit_depth - 1


def test_full_well_reads_as_the_largest_number() -> None:
    sensor = sensor_with(bit_depth=10, full_well_e=5000.0, black_level_dn=16.0)
    assert sensor.system_gain * 5000 + 16 == pytest.approx(1023)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_scene_of_one_colour_keeps_its_colour(pattern: str, channel: int) -> None:
    sensor = sensor_with(bayer=pattern, read_noise_e=0.0, dark_current_e=0.0, bit_depth=16)
    light = np.zeros((64, 64, 3), dtype=np.float32)
    light[..., channel] = 0.5
    exposure = exposure_for(sensor)
    picture = develop(sensor, expose(sensor, light, exposure, random_numbers()), exposure)
    expected = 255 * float(linear_to_srgb(np.array(0.5)))
    assert picture[..., channel].mean() == pytest.approx(expected, abs=2)
    others = [other for other in range(3) if other != channel]
    assert picture[..., others].mean() < 6


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern_names_the_first_two_pixels_of_the_first_two_rows(pattern: str) -> None:
    channels = bayer_channels(sensor_with(bayer=pattern), (5, 7))
    assert "".join("RGB"[channel] for channel in channels[:2, :2].ravel()) == pattern
    assert channels.shape == (5, 7)
    assert (channels[2:, 2:] == channels[:-2, :-2]).all()


@pytest.mark.parametrize("method", ["malvar2004", "bilinear", "menon2007"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_demosaicing_keeps_a_flat_colour_up_to_the_border(method: str, pattern: str) -> None:
    colour = np.array([0.2, 0.5, 0.9])
    mosaic = colour[bayer_channels(sensor_with(bayer=pattern), (20, 22))]
    filled = demosaic(mosaic, pattern, method)  # type: ignore[arg-type]
    assert filled == pytest.approx(np.broadcast_to(colour, (20, 22, 3)), abs=1e-9)


# Pixels 6 and 7 of rows 5 and 6, by colour-demosaicing 0.2.7 of the same mosaic, mirrored by 8 pixels.
RECORDED = {
    ("malvar2004", "RGGB"): [
        [0.359375, 0.59375, 0.59375],
        [0.734375, 0.796875, 0.78125],
        [0.4375, 0.578125, 0.703125],
        [0.15625, 0.03125, 0.234375],
    ],
    ("malvar2004", "GBRG"): [
        [0.59375, 0.484375, 0.609375],
        [1.03125, 0.78125, 0.609375],
        [0.578125, 0.4375, 0.3125],
        [0.234375, 0.296875, 0.03125],
    ],
    ("bilinear", "RGGB"): [
        [0.3125, 0.59375, 0.59375],
        [0.5, 0.640625, 0.78125],
        [0.4375, 0.546875, 0.65625],
        [0.53125, 0.03125, 0.75],
    ],
    ("bilinear", "GBRG"): [
        [0.59375, 0.453125, 0.5625],
        [0.78125, 0.78125, 0.5],
        [0.65625, 0.4375, 0.4375],
        [0.75, 0.640625, 0.03125],
    ],
    ("menon2007", "RGGB"): [
        [0.328125, 0.59375, 0.4921875],
        [0.636284722222, 0.958333333333, 0.78125],
        [0.4375, 0.713541666667, 0.649305555556],
        [-0.2265625, 0.03125, -0.057291666667],
    ],
    ("menon2007", "GBRG"): [
        [0.59375, 0.416666666667, 0.520833333333],
        [0.9609375, 0.78125, 0.828125],
        [0.635416666667, 0.4375, 0.348958333333],
        [0.230902777778, 0.182291666667, 0.03125],
    ],
}


@pytest.mark.parametrize(("method", "pattern"), RECORDED)
def test_demosaicing_gives_the_recorded_values(method: str, pattern: str) -> None:
    y, x = np.mgrid[:12, :14]
    mosaic = (7 * y * y + 13 * x * y + 5 * x) % 32 / 32
    filled = demosaic(mosaic, pattern, method)  # type: ignore[arg-type]
    # They were recorded with twelve decimals.
    assert filled[5:7, 6:8].reshape(-1, 3) == pytest.approx(np.array(RECORDED[method, pattern]), abs=1e-12)


@pytest.mark.parametrize("method", ["malvar2004", "bilinear", "menon2007"])
def test_demosaicing_of_a_moved_mosaic_is_the_moved_picture(method: str) -> None:
    mosaic = np.random.default_rng(0).random((40, 44))
    whole = demosaic(mosaic, "RGGB", method)  # type: ignore[arg-type]
    for pattern, (down, right) in {"GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}.items():
        moved = demosaic(mosaic[down:, right:], pattern, method)  # type: ignore[arg-type]
        # The border is continued otherwise; no method reaches farther than 8 pixels.
        assert (moved[8:-8, 8:-8] == whole[down:, right:][8:-8, 8:-8]).all()


def test_white_scene_behind_a_lossy_lens_is_developed_white() -> None:
    bank = bank_of(gaussians((3, 3), (9, 9)) * np.array([0.9, 0.8, 0.6])[:, None, None], (64, 64))
    sensor = bank.camera.sensor
    exposure = exposure_for(sensor, bank)
    arrives = np.broadcast_to(np.array([0.9, 0.8, 0.6], dtype=np.float32), (64, 64, 3))
    raw = expose(sensor, arrives, exposure, random_numbers())
    filled = (raw - sensor.black_level_dn) / sensor.system_gain
    assert filled[::2, ::2].mean() == pytest.approx(0.85 * sensor.full_well_e, rel=0.02)
    assert develop(sensor, raw, exposure).mean(axis=(0, 1)) == pytest.approx([253, 253, 253], abs=3)


def test_exposure_without_a_lens_fills_the_white_level() -> None:
    sensor = sensor_with(white_level=0.5, full_well_e=8000.0)
    assert exposure_for(sensor) == Exposure((4000.0,) * 3, (4000.0,) * 3)


def test_same_random_numbers_give_the_same_frame_and_others_another(make_bank: MakeBank) -> None:
    sensor = make_bank().camera.sensor
    first, again, other = (
        expose(sensor, flat(0.5, 32), exposure_for(sensor), random_numbers(seed)) for seed in (7, 7, 8)
    )
    assert (first == again).all()
    assert (first != other).any()


@settings(max_examples=30, deadline=None)
@given(bad=st.sampled_from([np.nan, np.inf, -np.inf, -0.5]), where=st.integers(0, 16 * 16 * 3 - 1))
def test_light_that_is_no_light_is_refused_before_any_random_number_is_drawn(bad: float, where: int) -> None:
    sensor = sensor_with()
    light = flat(0.5, 16)
    light.reshape(-1)[where] = bad
    with pytest.raises(InputError, match="sensor: "):
        expose(sensor, light, exposure_for(sensor), random_numbers())


def test_rounding_of_a_convolution_below_zero_counts_as_dark() -> None:
    sensor = sensor_with()
    frame = expose(sensor, flat(-1e-6, 16), exposure_for(sensor), random_numbers())
    assert (frame == expose(sensor, flat(0.0, 16), exposure_for(sensor), random_numbers())).all()


def test_light_too_bright_to_be_counted_is_refused() -> None:
    sensor = sensor_with(full_well_e=1e6)
    with pytest.raises(InputError, match="electrons in a pixel"):
        expose(sensor, flat(1e5, 16), exposure_for(sensor), random_numbers())


def test_light_of_another_shape_is_refused() -> None:
    sensor = sensor_with()
    with pytest.raises(InputError, match=r"expected \[y, x, 3\]"):
        expose(sensor, np.zeros((16, 16)), exposure_for(sensor), random_numbers())


def test_unknown_demosaicing_is_refused() -> None:
    with pytest.raises(InputError, match="expected one of malvar2004, bilinear, menon2007"):
        demosaic(np.zeros((16, 16)), "RGGB", "ahd")  # type: ignore[arg-type]
