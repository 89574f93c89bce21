"""The sensor moves through the focus: where each colour of a diffractive lens is sharpest, and how far one looks."""

import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.camera.size import focus_range_um
from metalens.psf import simulate_bank
from metalens.psf.through_focus import functions_at, through_focus

DESIGN, SHORTER = 532e-9, 515e-9


@pytest.fixture(scope="module")
def bank():
    """A hyperbolic lens of f/5 with two wavelengths: that of its design, and a shorter one."""
    base = read_camera("hyperbolic")
    camera = base.with_(
        lens={"aperture_um": 200, "focal_length_um": 1000}, sensor={"pixels": (32, 32), "pixel_pitch_um": 2}
    )
    assert camera.lens.phase.wavelength_nm == pytest.approx(1e9 * DESIGN)
    return simulate_bank(camera, fields=(3, 3), window=(61, 61), wavelengths=(DESIGN, SHORTER))


@pytest.mark.parametrize("node", [0, 4, 5])
def test_in_focus_it_is_the_bank_s(bank, node):
    found = functions_at(bank, tuple(bank.position[node]))
    figures = found.figures
    assert found.field_angle == pytest.approx(np.arctan(np.hypot(*bank.position[node]) / 1e-3), abs=1e-6)
    np.testing.assert_allclose(figures.modulation, bank.by_channel.modulation[node], atol=1e-3)
    np.testing.assert_allclose(
        figures.full_width_half_maximum, bank.by_channel.full_width_half_maximum[node], rtol=1e-3
    )
    channels = np.tensordot(bank.channel_weight, found.by_wavelength, axes=1)
    np.testing.assert_allclose(channels, bank.intensity[node], rtol=1e-3, atol=1e-4 * channels.max())


@pytest.mark.long
def test_each_wavelength_is_sharpest_in_its_own_focus(bank):
    """That of λ lies at f λ₀/λ, Rayleigh's depth of focus being ±2 λN²; a longer way blurs more."""
    half = 1e-6 * focus_range_um(bank.camera.lens, DESIGN)
    shift = 1e-3 * (DESIGN / SHORTER - 1)
    assert shift < half
    defocus = np.linspace(-half, half, 41)
    functions = np.stack([functions_at(bank, (0.0, 0.0), value).by_wavelength for value in defocus.tolist()])
    for wavelength, expected in ((DESIGN, 0.0), (SHORTER, shift)):
        peaks = functions[:, list(bank.wavelength).index(wavelength)].max(axis=(-2, -1))
        assert defocus[int(np.argmax(peaks))] == pytest.approx(expected, abs=0.1 * half)


def test_modulation_is_that_of_each_position_in_turn(bank):
    told = []
    place, defocus = (20e-6, 0.0), np.array([-30e-6, 0.0, 30e-6])
    found = through_focus(bank, place, defocus, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert found.shape == (3, 3, 2, len(bank.by_channel.frequency))
    for value, modulation in zip(defocus.tolist(), found, strict=True):
        np.testing.assert_array_equal(modulation, functions_at(bank, place, value).figures.modulation)
    # Of all light: at frequency 0 the share in the window.
    assert (found[..., 0] <= 1).all()
    assert (found[..., :-1] >= 0).all()


@pytest.mark.parametrize(("name", "diameter"), [("metacamera", 110), ("wide-field", 200)])
def test_the_range_is_four_times_wavelength_and_squared_f_number(name, diameter):
    """Behind a stop the f-number is that of the stop."""
    camera = read_camera(name)
    expected = 4e6 * DESIGN * (camera.lens.focal_length_um / diameter) ** 2
    assert focus_range_um(camera.lens, DESIGN) == pytest.approx(expected)


def test_the_sensor_never_comes_nearer_than_half_of_the_focal_length():
    camera = read_camera("metacamera").with_(lens={"aperture_um": 20})
    assert focus_range_um(camera.lens, DESIGN) == pytest.approx(500)
