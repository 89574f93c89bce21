"""Flat fields of a known sensor give its parameters back, and the reference implementation of EMVA 1288 agrees."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from emva1288.process.data import Data1288
from emva1288.process.loader import LoadImageData
from emva1288.process.results import Results1288

from metalens.formats.camera.camera import read_camera
from metalens.formats.camera.sensor import Sensor
from metalens.formats.captures.flat_fields import FlatField
from metalens.formats.files.errors import InputError
from metalens.synth.sensor import calibrate_sensor, expose, exposure_for

SIZE = 256
LEVELS = (*np.linspace(0.05, 1.0, 14), 1.1, 1.4)


def sensor_with(**changes: object) -> Sensor:
    known = {
        "full_well_e": 9000.0,
        "white_level": 1.0,
        "read_noise_e": 5.0,
        "dark_current_e": 0.0,
        "bit_depth": 14,
        "black_level_dn": 200.0,
        "system_gain_dn_per_e": 1.5,
        "dsnu_e": 3.0,
        "prnu_percent": 1.2,
    }
    return Sensor.model_validate(read_camera("metacamera").sensor.model_dump() | known | changes)


def frames(sensor: Sensor, light: np.ndarray, count: int, seed: int) -> np.ndarray:
    exposure, generator = exposure_for(sensor), np.random.default_rng(seed)
    field = np.repeat(light[..., None], 3, axis=2).astype(np.float32)
    return np.stack([expose(sensor, field, exposure, generator) for _ in range(count)])


def stack(folder: Path, name: str, values: np.ndarray) -> FlatField:
    np.save(folder / f"{name}.npy", values)
    return FlatField(name, (folder / f"{name}.npy",))


def flat_fields(
    folder: Path,
    sensor: Sensor,
    *,
    levels: Sequence[float] = LEVELS,
    shape: np.ndarray | float = 1.0,
    count: int = 2,
    seed: int = 0,
) -> tuple[list[FlatField], FlatField]:
    """Flats at several levels of light, and dark frames."""
    even = np.ones((SIZE, SIZE)) * shape
    flats = [
        stack(folder, f"flat-{number}", frames(sensor, level * even, count, seed * 1000 + number + 1))
        for number, level in enumerate(levels)
    ]
    return flats, stack(folder, "dark", frames(sensor, 0 * even, count, seed * 1000))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"camera_seed": 1}, id="full well below the largest number"),
        pytest.param(
            {"camera_seed": 2, "full_well_e": 20_000.0, "system_gain_dn_per_e": 0.7, "prnu_percent": 0.8},
            id="a deeper well",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"camera_seed": 3, "system_gain_dn_per_e": None, "bit_depth": 12, "read_noise_e": 12.0},
            id="the full well is the largest number",
        ),
    ],
)
def test_calibration_recovers_gain_noise_non_uniformity_and_full_well(tmp_path: Path, changes: dict) -> None:
    sensor = sensor_with(**changes)
    found = calibrate_sensor(*flat_fields(tmp_path, sensor), bit_depth=sensor.bit_depth)
    assert found.system_gain == pytest.approx(sensor.system_gain, rel=0.01)
    assert found.read_noise_e == pytest.approx(sensor.read_noise_e, rel=0.05)
    assert found.prnu_percent == pytest.approx(sensor.prnu_percent, rel=0.05)
    assert found.dsnu_e == pytest.approx(sensor.dsnu_e, rel=0.05)
    assert found.full_well_e == pytest.approx(sensor.full_well_e, rel=0.01)
    assert found.black_level_dn == pytest.approx(200, abs=0.2)
    assert found.pixels == (SIZE, SIZE)
    assert not found.limited_by_quantisation


def test_vignetting_flicker_and_colour_filters_do_not_disturb(tmp_path: Path) -> None:
    sensor = sensor_with(quantum_efficiency=(0.5, 0.6, 0.4))
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    flats, dark = flat_fields(tmp_path, sensor, levels=[*LEVELS, 2.0, 3.0], shape=1 - 0.05 * (y**2 + x**2 + 0.3 * x))
    flickering = np.concatenate([frames(sensor, level * np.ones((SIZE, SIZE)), 1, 77) for level in (0.30, 0.303)])
    found = calibrate_sensor([*flats, stack(tmp_path, "flicker", flickering)], dark)
    assert found.system_gain == pytest.approx(sensor.system_gain, rel=0.01)
    assert found.prnu_percent == pytest.approx(1.2, rel=0.05)
    assert found.full_well_e == pytest.approx(9000, rel=0.01)


def test_the_reference_implementation_of_the_standard_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # emva1288 1.0.2 calls numpy.asfarray, which NumPy 2.0 removed.
    monkeypatch.setattr(np, "asfarray", lambda values: np.asarray(values, dtype=np.float64), raising=False)
    sensor = sensor_with()
    flats, dark = flat_fields(tmp_path, sensor, count=8)
    found = calibrate_sensor(flats, dark)
    # It takes photons (here of a quantum efficiency of 1), pairs for the curve, and stacks in the dark and at half.
    photons = [level * 9000 for level in LEVELS]
    named = {0.0: dark, **dict(zip(photons, flats, strict=True))}
    files = {light: _single_frames(tmp_path, flat) for light, flat in named.items()}
    half = min(photons, key=lambda light: abs(light - 0.5 * 9000 * 0.9))
    images = {
        "temporal": {1.0: {light: names[:2] for light, names in files.items()}},
        "spatial": {1.0: {light: files[light] for light in (0.0, half)}},
    }
    loaded = LoadImageData(images, loglevel=logging.WARNING, fload=np.load)
    reference = Results1288(Data1288(loaded.data, loglevel=logging.WARNING).data, loglevel=logging.WARNING)
    assert found.system_gain == pytest.approx(reference.K, rel=0.01)
    assert found.read_noise_e == pytest.approx(reference.sigma_d, rel=0.02)
    assert found.dsnu_e == pytest.approx(reference.DSNU1288, rel=0.02)
    assert found.prnu_percent == pytest.approx(reference.PRNU1288, rel=0.02)
    assert found.saturation_capacity_e == pytest.approx(reference.u_e_sat, rel=0.02)
    # And both with the truth.
    assert pytest.approx(1.5, rel=0.01) == reference.K
    assert reference.sigma_d == pytest.approx(5.0, rel=0.05)
    assert pytest.approx(1.2, rel=0.05) == reference.PRNU1288
    assert pytest.approx(3.0, rel=0.05) == reference.DSNU1288


def _single_frames(folder: Path, flat: FlatField) -> list[str]:
    """The frames of a stack in files of their own, as the reference implementation reads them."""
    names = []
    for number, frame in enumerate(np.load(flat.files[0])):
        names.append(str(folder / f"{flat.name}-frame-{number}.npy"))
        np.save(names[-1], frame)
    return names


def test_read_noise_below_the_steps_of_the_numbers_is_said_to_be_a_bound(tmp_path: Path) -> None:
    sensor = sensor_with(bit_depth=8, system_gain_dn_per_e=None, read_noise_e=2.0, black_level_dn=8.0)
    found = calibrate_sensor(*flat_fields(tmp_path, sensor))
    assert found.limited_by_quantisation
    assert found.read_noise_e == pytest.approx(np.sqrt(0.24 - 1 / 12) / found.system_gain)
    assert found.read_noise_e > 2.0


@pytest.mark.parametrize("widen", [lambda x: 64 * x, lambda x: np.rint(x * (65535 / 1023)), lambda x: 64 * x + x // 16])
def test_numbers_of_10_bits_that_fill_16_are_those_of_10_bits(tmp_path: Path, widen) -> None:
    """Files whose numbers are moved to the left or rescaled tell what the sensor's own numbers tell."""
    sensor = sensor_with(bit_depth=10, system_gain_dn_per_e=0.1, black_level_dn=12.0)
    flats, dark = flat_fields(tmp_path, sensor)
    wanted = calibrate_sensor(flats, dark)
    (tmp_path / "wide").mkdir()
    wide = [stack(tmp_path / "wide", Path(flat.name).name, widen(flat.frames())) for flat in (*flats, dark)]
    found = calibrate_sensor(wide[:-1], wide[-1])
    assert found.step == pytest.approx(64, rel=2e-3)
    assert found.bit_depth == wanted.bit_depth == 10
    assert found.limited_by_quantisation == wanted.limited_by_quantisation
    for name in ("system_gain", "read_noise_e", "full_well_e", "black_level_dn", "prnu_percent"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), rel=0.02)
    assert wanted.step == 1


def test_the_table_describes_the_sensor_in_its_own_terms(tmp_path: Path) -> None:
    sensor = sensor_with()
    table = calibrate_sensor(*flat_fields(tmp_path, sensor)).sensor_table()
    again = Sensor.model_validate({"pixel_pitch_um": 1.75, **table})
    assert again.pixels == (SIZE, SIZE)
    assert again.saturation_e == pytest.approx(sensor.saturation_e, rel=0.01)


def test_too_few_levels_are_refused(tmp_path: Path) -> None:
    flats, dark = flat_fields(tmp_path, sensor_with(), levels=(0.3, 0.6, 1.4))
    with pytest.raises(InputError, match="3 levels of light are too few; give more than 3"):
        calibrate_sensor(flats, dark)


def test_levels_that_are_nearly_all_saturated_are_refused(tmp_path: Path) -> None:
    flats, dark = flat_fields(tmp_path, sensor_with(), levels=(0.3, 0.8, 1.2, 1.5, 2.0))
    with pytest.raises(InputError, match="of 5 levels lie below 70 % of saturation, 3 are needed"):
        calibrate_sensor(flats, dark)


def test_levels_that_are_all_saturated_are_refused(tmp_path: Path) -> None:
    flats, dark = flat_fields(tmp_path, sensor_with(read_noise_e=0.0, dsnu_e=0.0), levels=(2.0, 3.0, 4.0, 5.0))
    with pytest.raises(InputError, match="no level has more noise than the dark frames"):
        calibrate_sensor(flats, dark)


def test_levels_without_a_saturated_one_are_refused(tmp_path: Path) -> None:
    flats, dark = flat_fields(tmp_path, sensor_with(), levels=(0.1, 0.2, 0.3, 0.4))
    with pytest.raises(InputError, match="flat-3: is the brightest level and not saturated"):
        calibrate_sensor(flats, dark)


def test_one_frame_is_no_level(tmp_path: Path) -> None:
    flats, dark = flat_fields(tmp_path, sensor_with(), levels=(0.2, 0.4))
    single = stack(tmp_path, "single", np.zeros((1, SIZE, SIZE)))
    with pytest.raises(InputError, match="single: holds one frame, at least two of a level"):
        calibrate_sensor([*flats, single], dark)
    with pytest.raises(InputError, match="single: holds one frame"):
        calibrate_sensor(flats, single)


def test_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    flats, dark = flat_fields(tmp_path, sensor_with(), levels=(0.2, 0.4))
    with pytest.raises(InputError, match="other: its frames are 32 × 30, the dark ones 256 × 256"):
        calibrate_sensor([*flats, stack(tmp_path, "other", np.full((2, 32, 30), 900))], dark)


def test_frames_too_small_to_know_a_variance_are_refused(tmp_path: Path) -> None:
    small = stack(tmp_path, "small", np.full((2, 8, 30), 900))
    with pytest.raises(InputError, match="small: frames of 8 × 30 are too small"):
        calibrate_sensor([small], small)


def test_several_levels_in_one_folder_are_refused(tmp_path: Path) -> None:
    flats, dark = flat_fields(tmp_path, sensor_with(), levels=[0.1, 0.3, 0.5, 0.8, 1.5])
    mixed = FlatField("mixed", (*flats[0].files, *flats[1].files))
    with pytest.raises(InputError, match=r"mixed: the means of its frames differ by .* frames of one light"):
        calibrate_sensor([mixed, *flats[2:]], dark)


def test_flats_darker_than_the_dark_frames_are_refused(tmp_path: Path) -> None:
    flats, dark = flat_fields(tmp_path, sensor_with(), levels=(0.2, 0.4))
    with pytest.raises(InputError, match=r"dark: is not brighter than the dark frames \(flat-0\)"):
        calibrate_sensor([flats[1], dark], flats[0])


def test_numbers_beyond_the_bit_depth_are_refused(tmp_path: Path) -> None:
    flats, dark = flat_fields(tmp_path, sensor_with())
    with pytest.raises(InputError, match=r"flat-15: holds the number 1[0-9]*, more than 12 bits do"):
        calibrate_sensor(flats, dark, bit_depth=12)


@pytest.mark.parametrize("change", [0.5, -900.0])
def test_numbers_that_no_sensor_gives_are_refused(tmp_path: Path, change: float) -> None:
    processed = stack(tmp_path, "processed", np.full((2, 32, 32), 800.0) + change)
    with pytest.raises(InputError, match="processed: holds negative or broken numbers; give the sensor's own"):
        calibrate_sensor([processed], processed)
