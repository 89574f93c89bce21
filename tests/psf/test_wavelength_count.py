"""As many wavelengths as a tolerance asks for: enough, no more than needed, and not fooled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.camera.spectrum import Channel, Spectrum
from metalens.formats.files.errors import InputError
from metalens.psf.spectra.spectral_density import spectral_masses, spectral_range
from metalens.psf.spectra.spectrum import node_positions
from metalens.psf.spectra.wavelength_count import choose_wavelengths

DAYLIGHT = Spectrum(source="D65", sensor="generic_rgb")
SOURCES = ["equal_energy", "D65", "white_led", "display"]
BANDS = Spectrum(
    channels=tuple(
        Channel(name=name, centre_nm=centre, fwhm_nm=width)
        for name, centre, width in [("red", 620, 30), ("green", 530, 35), ("blue", 455, 20)]
    )
)
LASERS = Spectrum(
    channels=tuple(
        Channel(name=name, centre_nm=centre, fwhm_nm=0)
        for name, centre in [("red", 638), ("green", 520), ("blue", 450)]
    )
)

AXIS = 0.5 * np.arange(-16, 17)
RADIUS_2 = AXIS[:, None] ** 2 + AXIS**2


def blurred(wavelength: np.ndarray) -> np.ndarray:
    """A family of Gaussian spots ``[field, wavelength, y, x]``, sharp at 550 nm and at 500 nm."""
    sharp = np.array([550e-9, 500e-9])[:, None]
    variance = (1 + ((wavelength - sharp) / 60e-9) ** 2)[..., None, None]
    return np.exp(-RADIUS_2 / (2 * variance)) / (2 * np.pi * variance)


def error_of(choice, spectrum: Spectrum, psf_at) -> float:
    """Largest relative L2 error of the channels against a dense integral."""
    point, mass = spectral_masses(spectrum, np.linspace(*spectral_range(spectrum), 401))
    exact, chosen = (
        np.einsum("cw,fwyx->fcyx", weight, psf_at(nodes))
        for nodes, weight in [
            (point, mass / mass.sum(axis=1, keepdims=True)),
            (choice.wavelength, choice.channel_weight),
        ]
    )
    return float((np.linalg.norm(chosen - exact, axis=(-2, -1)) / np.linalg.norm(exact, axis=(-2, -1))).max())


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("tolerance", [0.05, 0.005])
def test_the_chosen_wavelengths_hold_the_tolerance(source, tolerance):
    spectrum = Spectrum(source=source, sensor="generic_rgb")
    choice = choose_wavelengths(blurred, spectrum, tolerance)
    assert choice.residual <= tolerance
    assert choice.channel_residual.shape == (3,)
    # The residual is against a set of four times as many, whose own error is some sixteenth.
    assert error_of(choice, spectrum, blurred) <= 1.2 * tolerance
    np.testing.assert_allclose(choice.channel_weight.sum(axis=1), 1, rtol=1e-12)
    counts = [count for count, _ in choice.tried]
    assert len(choice.wavelength) in counts


def test_gaussian_bands_need_few_wavelengths():
    choice = choose_wavelengths(blurred, BANDS, 0.001)
    assert len(choice.wavelength) <= 18
    assert error_of(choice, BANDS, blurred) <= 0.0011


def test_laser_lines_need_one_wavelength_each():
    choice = choose_wavelengths(blurred, LASERS, 1e-9)
    assert len(choice.wavelength) == 3
    assert choice.residual == 0


def test_nothing_is_simulated_twice():
    asked: list[float] = []

    def recorded(wavelength):
        asked.extend(wavelength)
        return blurred(wavelength)

    choice = choose_wavelengths(recorded, DAYLIGHT, 0.005)
    assert len(asked) == len(set(asked))
    assert set(choice.wavelength) <= set(asked)


@pytest.mark.parametrize("intervals", [8, 16])
def test_two_coarse_sets_that_agree_by_accident_are_not_taken_for_converged(intervals):
    """An extra that is the same at every node of the first or the first two sets, and gone half-way between them."""
    share = np.linspace(0, 1, 4097)
    positions = node_positions(DAYLIGHT, share)

    def fringes(wavelength):
        extra = 0.5 + 0.5 * np.cos(2 * np.pi * intervals * np.interp(wavelength, positions, share))
        return (1 + 3 * extra[:, None, None] * (RADIUS_2 < 4))[None]

    choice = choose_wavelengths(fringes, DAYLIGHT, 0.02)
    assert len(choice.wavelength) > intervals + 1
    assert error_of(choice, DAYLIGHT, fringes) <= 0.025


@settings(max_examples=20, deadline=None)
@given(st.floats(8, 200), st.floats(0, 2 * np.pi))
def test_fringes_of_any_period_are_resolved_or_refused(period_nm, phase):
    def fringes(wavelength):
        extra = 1 + np.cos(2 * np.pi * 1e9 * wavelength / period_nm + phase)
        return (1 + extra[:, None, None] * (RADIUS_2 < 4))[None]

    try:
        choice = choose_wavelengths(fringes, DAYLIGHT, 0.02)
    except InputError:
        return
    assert error_of(choice, DAYLIGHT, fringes) <= 0.025


def test_a_tolerance_out_of_reach_states_the_residual():
    def noisy(wavelength):
        return np.random.default_rng(0).random((1, len(wavelength), 9, 9))

    message = r"from 17 to 65 wavelengths the \w+ point spread function still changes by \d+\.\d+%, at most 0\.10% was"
    with pytest.raises(InputError, match=message):
        choose_wavelengths(noisy, DAYLIGHT, 0.001, most=65)
    with pytest.raises(InputError, match="17 wavelengths are too few to tell whether they are enough"):
        choose_wavelengths(noisy, DAYLIGHT, 0.001, most=17)
    for tolerance in (0, -1, np.nan):
        with pytest.raises(InputError, match=r"a positive share such as 0\.02 was expected"):
            choose_wavelengths(noisy, DAYLIGHT, tolerance)
