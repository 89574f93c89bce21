"""From the spectrum to wavelengths and weights: exact where they should be, and refused beyond the tables."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalens.formats.camera.spectrum import Channel, Spectrum
from metalens.formats.files.errors import InputError
from metalens.psf.spectra.spectral_density import spectral_masses, spectral_range
from metalens.psf.spectra.spectrum import (
    channel_energy,
    channel_quadrature_weights,
    node_positions,
    spectral_quadrature,
)

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


def with_tables(folder, **tables: str) -> Spectrum:
    """A spectrum of the user's own tables, each given as the lines of its file after the header."""
    headers = {"source": "power", "filter": "transmission", "sensor": "red,green,blue"}
    for kind, lines in tables.items():
        text = f"wavelength_nm,{headers[kind]}\n" + lines
        (folder / f"{kind}.csv").write_text(text, encoding="utf-8")
    names = {kind: f"{kind}.csv" for kind in tables}
    return Spectrum(**({"source": "equal_energy", "sensor": "generic_rgb"} | names)).in_folder(folder)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("count", [1, 2, 9])
def test_each_row_of_weights_sums_to_one(source, count):
    wavelength, weight = spectral_quadrature(Spectrum(source=source, sensor="generic_rgb"), count)
    assert weight.shape == (3, 3 * count) == (3, len(wavelength))
    assert (np.diff(wavelength) > 0).all()
    assert (weight >= 0).all()
    np.testing.assert_allclose(weight.sum(axis=1), 1, rtol=1e-12)


@given(st.lists(st.floats(385, 775), min_size=2, max_size=40, unique=True))
def test_weights_are_exact_for_an_intensity_that_is_linear_in_wavelength(inner):
    """The mean wavelength of each channel, whatever the nodes between the ends."""
    nodes = 1e-9 * np.array([380, *sorted(inner), 780])
    point, mass = spectral_masses(DAYLIGHT, np.empty(0))
    np.testing.assert_allclose(
        channel_quadrature_weights(DAYLIGHT, nodes) @ nodes, mass @ point / mass.sum(axis=1), rtol=1e-12
    )


def test_weights_are_those_of_photons_worked_out_by_hand(tmp_path):
    """Power 1, filter and efficiency linear: ∫ λ (λ−400)/100 dλ and so on are polynomials."""
    spectrum = with_tables(tmp_path, filter="400,0\n500,1\n", sensor="400,1,1,0\n500,1,0,1\n")
    whole = np.polynomial.Polynomial([400, 100])  # the wavelength over t = 0 … 1
    t, one = np.polynomial.Polynomial([0, 1]), np.polynomial.Polynomial([1])
    seen = [whole * t * efficiency for efficiency in (one, 1 - t, t)]
    upper = [(row * t).integ()(1) / row.integ()(1) for row in seen]
    np.testing.assert_allclose(
        channel_quadrature_weights(spectrum, 1e-9 * np.array([400, 500]))[:, 1], upper, rtol=1e-12
    )
    energy = np.array([row.integ()(1) for row in seen])
    np.testing.assert_allclose(channel_energy(spectrum), energy / energy.max(), rtol=1e-12)


def test_hat_weights_converge_with_the_square_of_the_spacing():
    """Against the dense integral of an intensity that is smooth in wavelength."""
    point, mass = spectral_masses(DAYLIGHT, np.linspace(380e-9, 780e-9, 4001))
    exact = mass @ np.cos(point / 25e-9) / mass.sum(axis=1)
    errors = []
    for intervals in (32, 64, 128, 256):
        nodes = node_positions(DAYLIGHT, np.arange(intervals + 1) / intervals)
        errors.append(np.abs(channel_quadrature_weights(DAYLIGHT, nodes) @ np.cos(nodes / 25e-9) - exact).max())
    assert errors[-1] < 1e-3
    order = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(order.mean(), 2, atol=0.2)


def test_of_gaussian_bands_hat_weights_and_gauss_hermite_agree():
    """The mean of exp(−(λ−600)²/2s²) over a Gaussian is a Gaussian of the summed variances."""
    width, spread = 60e-9, 30e-9 / (2 * np.sqrt(2 * np.log(2)))
    exact = width / np.hypot(width, spread) * np.exp(-0.5 * 20e-9**2 / (width**2 + spread**2))

    def mean(nodes, weight):
        return weight[0] @ np.exp(-0.5 * ((nodes - 600e-9) / width) ** 2)

    np.testing.assert_allclose(mean(*spectral_quadrature(BANDS, 9)), exact, rtol=1e-9)
    dense = np.linspace(400e-9, 700e-9, 601)
    np.testing.assert_allclose(mean(*spectral_quadrature(BANDS, wavelengths=dense)), exact, rtol=1e-4)


def test_named_wavelengths_are_simulated_exactly():
    wavelength, weight = spectral_quadrature(DAYLIGHT, wavelengths=[650e-9, 450e-9, 532e-9])
    np.testing.assert_array_equal(wavelength, [450e-9, 532e-9, 650e-9])
    np.testing.assert_allclose(weight.sum(axis=1), 1, rtol=1e-12)
    red, green, blue = weight
    assert red[2] > green[2] > blue[2]
    assert green.argmax() == 1
    assert blue.argmax() == 0


def test_one_named_wavelength_stands_for_all_channels():
    wavelength, weight = spectral_quadrature(DAYLIGHT, wavelengths=[550e-9])
    np.testing.assert_array_equal(wavelength, [550e-9])
    np.testing.assert_allclose(weight, np.ones((3, 1)))


def test_laser_lines_between_named_wavelengths_are_shared_by_distance():
    weight = spectral_quadrature(LASERS, wavelengths=[440e-9, 540e-9, 640e-9])[1]
    np.testing.assert_allclose(weight, [[0, 0.02, 0.98], [0.2, 0.8, 0], [0.9, 0.1, 0]], atol=1e-12)


def test_finer_sets_contain_the_coarser_ones():
    coarse, fine = (node_positions(DAYLIGHT, np.arange(n + 1) / n) for n in (8, 32))
    np.testing.assert_array_equal(fine[::4], coarse)


def test_a_green_filter_takes_light_from_red_and_blue(tmp_path):
    spectrum = with_tables(tmp_path, filter="500,0\n520,1\n560,1\n580,0\n")
    assert channel_energy(spectrum).argmax() == 1
    assert channel_energy(spectrum).min() < 0.3
    np.testing.assert_allclose(spectral_range(spectrum), [500e-9, 580e-9])
    np.testing.assert_array_equal(channel_energy(BANDS), 1)


def test_a_filter_that_blocks_a_channel_is_refused(tmp_path):
    spectrum = with_tables(tmp_path, filter="380,0\n590,0\n600,1\n780,1\n", sensor="380,1,1,1\n500,1,1,0\n780,1,1,0\n")
    with pytest.raises(InputError, match="the blue channel sees no light between 380 and 780 nm"):
        spectral_quadrature(spectrum)


@pytest.mark.parametrize(
    ("range_nm", "message"),
    [
        ((350, 700), "range_nm [350.0, 700.0]: up to 30 nm below 380 nm, where D65 ends; stay within 380 to 780 nm"),
        ((400, 1000), "up to 220 nm above 780 nm, where D65 ends"),
        ((300, 800), "up to 80 nm below 380 nm and 20 nm above 780 nm"),
    ],
)
def test_a_range_beyond_a_table_tells_by_how_much(range_nm, message):
    with pytest.raises(InputError, match=re.escape(message)):
        spectral_quadrature(Spectrum(source="D65", sensor="generic_rgb", range_nm=range_nm))


def test_a_range_within_the_tables_bounds_the_wavelengths():
    wavelength, _ = spectral_quadrature(Spectrum(source="D65", sensor="generic_rgb", range_nm=(420, 680)))
    assert wavelength[0] > 420e-9
    assert wavelength[-1] < 680e-9


@pytest.mark.parametrize(
    ("wavelengths", "message"),
    [
        ([350e-9, 550e-9], "wavelengths: up to 30 nm below 380 nm, where D65 × generic_rgb ends"),
        ([550e-9, 785.5e-9], "up to 5.5 nm above 780 nm"),
        ([450.0], "up to 4.5e+11 nm above 780 nm"),
        ([550e-9, 550e-9], "550, 550 nm; one or more, each finite and named once"),
        ([np.nan], "nan nm; one or more"),
        ([], "none nm; one or more"),
    ],
)
def test_a_named_wavelength_beyond_the_tables_tells_by_how_much(wavelengths, message):
    with pytest.raises(InputError, match=re.escape(message)):
        spectral_quadrature(DAYLIGHT, wavelengths=wavelengths)


def test_of_bands_any_optical_wavelength_can_be_named():
    with pytest.raises(InputError, match="up to 50 nm below 200 nm, where the simulation's range ends"):
        spectral_quadrature(BANDS, wavelengths=[150e-9])


def test_sensitivity_beyond_another_tables_end_is_not_dropped_in_silence(tmp_path):
    sensor = "380,0,0,1\n550,0,1,1\n780,1,1,0\n980,1,0,0\n"
    with_tables(tmp_path, sensor=sensor)
    spectrum = Spectrum(source="D65", sensor="sensor.csv").in_folder(tmp_path)
    message = (
        r"of the red sensitivity in sensor.csv lies outside 380 to 780 nm, where the other tables end; .* range_nm"
    )
    with pytest.raises(InputError, match=message):
        spectral_quadrature(spectrum)
    cut = Spectrum(source="D65", sensor="sensor.csv", range_nm=(380, 780)).in_folder(tmp_path)
    assert spectral_quadrature(cut)[1].shape == (3, 27)


def test_tables_that_do_not_overlap_are_refused(tmp_path):
    spectrum = with_tables(tmp_path, source="800,1\n900,1\n")
    with pytest.raises(
        InputError, match=r"tables do not overlap .source\.csv 800 to 900 nm, generic_rgb 380 to 780 nm"
    ):
        spectral_quadrature(spectrum)
