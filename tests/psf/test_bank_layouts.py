"""Banks of cameras without symmetry, radii of fields, and the choice of wavelengths."""

import numpy as np
import pytest

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank_file import read_psf_bank, write_psf_bank
from metalens.psf import simulate_bank
from metalens.psf.camera_fields import view_of


def camera_with(lens: dict | None = None, sensor: dict | None = None, spectrum: dict | None = None) -> Camera:
    """A small sibling of the metacamera, changed."""
    base = read_camera("metacamera")
    content = base.model_dump(exclude_none=True)
    content["lens"] |= {"aperture_um": 60.0, "focal_length_um": 150.0}
    content["lens"]["phase"] = {"family": "hyperbolic", "wavelength_nm": 532.0}
    content["lens"] |= lens or {}
    content["sensor"] |= {"pixels": (32, 48)} | (sensor or {})
    if spectrum is not None:
        content["spectrum"] = spectrum
    return Camera.model_validate(content)


CUBIC = {
    "phase": {
        "family": "sum",
        "terms": [
            {"family": "hyperbolic", "wavelength_nm": 532.0},
            {"family": "cubic", "strength_rad": 12.0, "radius_um": 30.0},
        ],
    }
}


def test_a_radius_of_fields_goes_from_the_axis_to_the_corner():
    bank = simulate_bank(camera_with(), radii=3, wavelengths_per_channel=1, window=(31, 31))
    assert bank.layout == "radial"
    np.testing.assert_allclose(bank.position[:, 0], 0)
    np.testing.assert_allclose(bank.position[:, 1], 1.75e-6 * np.hypot(32, 48) / 2 * np.array([0, 0.5, 1]))
    np.testing.assert_array_equal(bank.simulated_position, bank.position)


def test_a_radius_holds_what_a_grid_has_along_its_middle_row():
    camera = camera_with(sensor={"pixels": (32, 32)})
    window = (31, 31)
    radial = simulate_bank(camera, radii=2, wavelengths_per_channel=1, window=window)
    wide = camera_with(sensor={"pixels": (16, 32)})
    grid = simulate_bank(wide, fields=(1, 3), wavelengths_per_channel=1, window=window)
    np.testing.assert_allclose(grid.intensity[1], radial.intensity[0], atol=1e-6)
    # One corner lies at 16 √2 pixels, the other's edge at 16.
    assert grid.position[2, 1] < radial.position[1, 1]


def test_a_radius_does_not_tell_the_fields_of_a_lens_without_symmetry():
    with pytest.raises(InputError, match="not rotationally symmetric"):
        simulate_bank(camera_with(CUBIC), radii=3)
    with pytest.raises(InputError, match="not rotationally symmetric"):
        simulate_bank(camera_with(sensor={"tilt_deg": (1.0, 0.0)}), radii=3)


@pytest.mark.long
def test_a_lens_without_symmetry_is_simulated_at_every_node():
    bank = simulate_bank(camera_with(CUBIC), fields=(1, 3), wavelengths_per_channel=1)
    assert len(bank.simulated_position) == 3
    left, right = bank.intensity[0, 1], bank.intensity[2, 1]
    assert np.linalg.norm(left - right[:, ::-1]) > 0.05 * np.linalg.norm(right)


def test_a_tilted_sensor_is_out_of_focus_on_one_side():
    bank = simulate_bank(
        camera_with(sensor={"tilt_deg": (0.0, 15.0)}), fields=(1, 3), wavelengths=[532e-9], window=(31, 31)
    )
    strehl = bank.by_wavelength.strehl_ratio[:, 0]
    upright = simulate_bank(camera_with(), fields=(1, 3), wavelengths=[532e-9], window=(31, 31))
    assert strehl[1] == pytest.approx(upright.by_wavelength.strehl_ratio[1, 0], rel=1e-3)
    assert abs(strehl[0] - strehl[2]) > 0.1 * strehl[2]


def test_the_sensors_place_is_where_the_chief_ray_meets_it():
    """Also where the sensor is moved and tilted: the light of a field lands at its node."""
    camera = camera_with({"defocus_um": 10.0}, {"tilt_deg": (3.0, -2.0)})
    position = np.array([[20e-6, 30e-6]])
    view = view_of(camera, position, 532e-9)
    slopes = view.direction[0] / np.sqrt(1 - np.sum(view.direction[0] ** 2))
    depth = 160e-6 + np.tan(np.radians(3)) * 20e-6 - np.tan(np.radians(2)) * 30e-6
    np.testing.assert_allclose(depth * slopes, position[0], rtol=1e-6)


@pytest.mark.long
def test_behind_a_stop_all_wavelengths_share_one_place_of_the_sensor():
    """The lens has lateral colour: other wavelengths land beside the middle sample."""
    lens = {
        "aperture_um": 120.0,
        "stop": {"diameter_um": 40.0, "distance_um": 0.0},
        "substrate": {"thickness_um": 100.0, "index": 1.46},
        "phase": {"family": "quadratic", "wavelength_nm": 532.0},
    }
    bank = simulate_bank(camera_with(lens), fields=(1, 3), wavelengths=[480e-9, 532e-9, 580e-9])
    by_colour = bank.by_wavelength.centroid[2, :, 1]
    assert np.all(np.diff(by_colour) < -0.5e-6) or np.all(np.diff(by_colour) > 0.5e-6)
    np.testing.assert_allclose(bank.by_wavelength.centroid[0, :, 1], -by_colour, atol=1e-9)


def test_named_wavelengths_are_the_ones_that_are_simulated():
    bank = simulate_bank(camera_with(), fields=(1, 1), wavelengths=[450e-9, 532e-9, 650e-9])
    np.testing.assert_allclose(bank.wavelength, [450e-9, 532e-9, 650e-9])


@pytest.mark.long
def test_a_tolerance_chooses_the_wavelengths_and_tells_what_is_left():
    camera = camera_with(spectrum={"source": "D65", "sensor": "generic_rgb", "range_nm": (450, 650)})
    bank = simulate_bank(camera, fields=(1, 1), spectral_tolerance=0.1)
    assert float(bank.provenance["spectral_residual"]) <= 0.1
    assert int(bank.provenance["wavelengths"]) == len(bank.wavelength) > 8


def test_light_that_the_lens_does_not_send_is_not_missed_by_the_window():
    """A kinoform far from its design wavelength sends little into its first order."""
    response = {"kind": "kinoform", "wavelength_nm": 532.0, "orders": [1]}
    bank = simulate_bank(camera_with({"response": response}), fields=(1, 1), wavelengths=[420e-9, 532e-9])
    assert bank.by_wavelength.window_share[0, 0] < 0.8
    assert float(bank.provenance["efficiency_lowest"]) < 0.9
    assert float(bank.provenance["captured_share_lowest"]) >= 0.97
    # The contrast of the image does not suffer from light that makes none.
    assert bank.by_wavelength.modulation[..., 0].min() > 0.95


def test_the_bank_tells_engine_reason_and_error(tmp_path):
    request = {"fields": (1, 1), "wavelengths_per_channel": 1, "window": (31, 31)}
    bank = simulate_bank(camera_with(), engine="direction_cosine", **request)
    assert bank.provenance["engine"] == "direction_cosine"
    assert bank.provenance["engine_reason"] == "it was asked for"
    assert float(bank.provenance["engine_error"]) < 1e-2
    write_psf_bank(tmp_path / "psf.h5", bank)
    assert read_psf_bank(tmp_path / "psf.h5").provenance == bank.provenance


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"radii": 0}, "between 1 and 1000"),
        ({"wavelengths": [532e-9], "wavelengths_per_channel": 2}, "one of them was expected"),
        ({"spectral_tolerance": 2.0}, "between 0.0001 and 1"),
        ({"window": (3, 3), "wavelengths_per_channel": 1}, "at least 90% was expected"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(request_, message):
    with pytest.raises(InputError, match=message):
        simulate_bank(camera_with(), **{"fields": (1, 1), "wavelengths_per_channel": None, **request_})


def test_a_wavelength_outside_the_tables_is_refused():
    camera = camera_with(spectrum={"source": "D65", "sensor": "generic_rgb"})
    with pytest.raises(InputError, match="120 nm above 780 nm"):
        simulate_bank(camera, fields=(1, 1), wavelengths=[532e-9, 900e-9])
