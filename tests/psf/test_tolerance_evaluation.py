"""What a drawn lens shows: what its lens.toml shows, compiled once; local errors against random sites."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import Camera, parse_camera
from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.design.tolerance_spec import TYPICAL
from metalens.formats.files.errors import InputError
from metalens.optics import Hyperbolic, MetaAtoms, Metalens, meta_atom_library
from metalens.optics.fabrication import Fabrication
from metalens.optics.structure import RadialGeometry
from metalens.psf import simulate_psf
from metalens.psf.camera_fields import view_of
from metalens.psf.design.evaluation import evaluate_camera
from metalens.psf.tolerance.draws import Assembly, Draw, draw_of, drawn_camera, drawn_numbers, perturbed
from metalens.psf.tolerance.evaluation import FIGURES, _shares, _sites, evaluation_of, simulate_draw

SMALL = """
schema = "metalens.camera"
version = 1
name = "small"

[lens]
aperture_um = 40.0
focal_length_um = 100.0
phase = { family = "hyperbolic", wavelength_nm = 530.0 }

[sensor]
pixels = [32, 32]
pixel_pitch_um = 1.0
bit_depth = 10
full_well_e = 5000.0
read_noise_e = 3.0

[spectrum]
wavelengths_per_channel = 1
channels = [
  { name = "red", centre_nm = 610.0, fwhm_nm = 10.0 },
  { name = "green", centre_nm = 530.0, fwhm_nm = 10.0 },
  { name = "blue", centre_nm = 460.0, fwhm_nm = 10.0 },
]
"""


@pytest.fixture(scope="module")
def camera() -> Camera:
    return parse_camera(SMALL)


@pytest.fixture(scope="module")
def evaluation(camera):
    return evaluation_of(camera, fields=(1, 2), window=15)


NUMBERS = {
    "pitch_error_percent": 1.0,
    "defocus_um": 4.0,
    "tilt_y_deg": 3.0,
    "tilt_x_deg": -2.0,
    "decentre_y_um": 2.0,
    "decentre_x_um": -3.0,
}


def test_a_draw_shows_what_its_lens_toml_shows(camera, evaluation):
    """As the bank is simulated: other chief rays, another window and no common samplings."""
    drawn = drawn_camera(camera, NUMBERS)
    simulator = evaluation.simulator
    view = view_of(drawn, evaluation.position, 530e-9)
    expected = view.simulator(
        simulator.wavelength,
        window=simulator.window.shape,
        pixel_pitch=simulator.window.pixel_pitch,
        engine="angular_spectrum",
    )(view.lens)
    found, _, _ = evaluation.images(draw_of(NUMBERS))
    expected = np.einsum("cw,fwyx->fcyx", evaluation.channel_weight, expected)
    difference = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    # Two float32 computations whose chief rays were found in two ways.
    assert difference < 2e-3


def test_all_draws_share_one_compiled_simulation(camera, evaluation):
    kept = TYPICAL.errors.model_copy(update=dict.fromkeys(name for name in TYPICAL.errors.terms if name not in NUMBERS))
    for index in range(3):
        evaluation.images(draw_of(drawn_numbers(kept, 0, index)))
    assert evaluation.simulate._cache_size() == 1


def test_figures_are_finite_and_of_one_shape(evaluation):
    figures = evaluation.figures(draw_of(dict.fromkeys(NUMBERS, 0.0)))
    assert figures.shape == (len(FIGURES), 2, len(CHANNEL_NAMES))
    assert np.isfinite(figures).all()
    efficiency, diffuse = figures[-2:]
    np.testing.assert_allclose(efficiency, 1)
    np.testing.assert_allclose(diffuse, 0)


def test_restored_decibels_are_those_of_the_evaluation_of_designs(camera):
    """Which finds its own chief rays and samplings."""
    expected = evaluate_camera(camera, "small", (0.0, 8.0))
    tolerance = evaluation_of(camera, fields=(1, 1), window=expected.window)
    at = list(FIGURES).index("restored_db")
    restored = tolerance.figures(draw_of(dict.fromkeys(NUMBERS, 0.0)))[at, 0]
    np.testing.assert_allclose(restored, -10 * np.log10(expected.restored[0]), atol=0.02)
    assert tolerance.figures(draw_of({**dict.fromkeys(NUMBERS, 0.0), "defocus_um": 15.0}))[at].mean() < restored.mean()


# test_fit_model.py has the derivatives by the errors of assembly, tests/optics/test_fabrication.py by the others.
@pytest.mark.long
def test_a_drawn_lens_has_derivatives_by_every_error(camera, evaluation):
    """Against finite differences of the peak on the axis."""
    position = jnp.zeros((1, 2))
    simulator = replace(evaluation.simulator, direction=np.zeros((1, 2)))

    @jax.jit
    @jax.value_and_grad
    def peak(draw):
        return simulate_draw(simulator, evaluation.lens, draw, position, 530e-9)[0, 1, 7, 7]

    draw = Draw(Fabrication(pitch_error=0.002), Assembly(1e-6, 0.02, 0.01, 0.2e-6, -0.1e-6))
    _, slope = peak(draw)
    assert all(np.isfinite(each) for each in jax.tree.leaves(slope))
    step = 0.2e-6
    moved = [replace(draw, assembly=replace(draw.assembly, defocus=1e-6 + sign * step)) for sign in (-1, 1)]
    lower, upper = (float(peak(each)[0]) for each in moved)
    assert float(slope.assembly.defocus) == pytest.approx((upper - lower) / (2 * step), rel=0.02)


WAVELENGTH, PITCH, DISTANCE, APERTURE = 532e-9, 350e-9, 60e-6, 20e-6
SPREAD, MISSING = 6e-9, 0.04
EMPTY = 0.9 * np.exp(1j)


@pytest.fixture(scope="module")
def sites():
    """A lens of one turn of phase over 100 to 300 nm, as a response and as sites ``[site]`` of a square lattice."""
    widths = np.linspace(60e-9, 340e-9, 701)
    table = np.exp(2j * np.pi * (widths - 100e-9) / 200e-9)[:, None] * np.ones(2)
    library = meta_atom_library(widths, np.array([500e-9, 600e-9]), table, empty=np.full(2, EMPTY))
    response = MetaAtoms(library, WAVELENGTH, width_spread=SPREAD, missing_share=MISSING)
    lens = Metalens(APERTURE, DISTANCE, Hyperbolic(DISTANCE, WAVELENGTH), response=response)
    count = int(APERTURE / PITCH)
    along = (np.arange(count) - 0.5 * (count - 1)) * PITCH
    y, x = (each.ravel() for each in np.meshgrid(along, along, indexing="ij"))
    inside = np.hypot(y, x) < 0.5 * APERTURE
    y, x = y[inside], x[inside]
    of_phase = jax.jit(lambda y, x: response.chosen_geometry(lens.phase.at(y, x)))
    chosen = np.asarray(of_phase(jnp.asarray(y), jnp.asarray(x)), dtype=float)
    return lens, y, x, chosen


def kernel(y: np.ndarray, x: np.ndarray, window: np.ndarray) -> np.ndarray:
    """``[point, site]`` field at points of the sensor of a site of amplitude 1: Rayleigh–Sommerfeld, first kind."""
    point_y, point_x = (each.reshape(-1, 1) for each in np.meshgrid(window, window, indexing="ij"))
    distance = np.sqrt((point_y - y) ** 2 + (point_x - x) ** 2 + DISTANCE**2)
    wave = np.exp(2j * np.pi * distance / WAVELENGTH) / (1j * WAVELENGTH * distance)
    return PITCH**2 * wave * DISTANCE / distance


def test_local_errors_are_the_mean_over_lenses_of_random_sites(sites):
    """The mean intensity of explicit lenses is that of the mean transmission plus the scattered light, site by site."""
    lens, y, x, chosen = sites
    generator, lenses = np.random.default_rng(4), 200
    spread = kernel(y, x, np.linspace(-3e-6, 3e-6, 15))
    width = chosen + SPREAD * generator.standard_normal((lenses, len(chosen)))
    transmission = np.exp(2j * np.pi * (width - 100e-9) / 200e-9)
    transmission[generator.random(transmission.shape) < MISSING] = EMPTY
    exact = np.abs(transmission @ spread.T) ** 2
    mean, energy = jax.jit(lens.response.moments)(jnp.asarray(chosen), jnp.asarray(WAVELENGTH))
    mean = np.asarray(mean, dtype=complex)
    variance = np.asarray(energy, dtype=float) - np.abs(mean) ** 2
    scattered = np.abs(spread) ** 2 @ variance
    analytic = np.abs(spread @ mean) ** 2 + scattered
    deviation = (exact.mean(axis=0) - analytic) / (exact.std(axis=0, ddof=1) / np.sqrt(lenses))
    # Neighbouring points are correlated, so that the spread of their deviations is loose.
    assert np.sqrt((deviation**2).mean()) < 1.5
    assert np.abs(deviation).max() < 5
    # Without the scattered light the dark places would be far too dark.
    assert scattered.min() > 10 * (exact.std(axis=0, ddof=1) / np.sqrt(lenses)).min()
    # docs/tolerancing.md: an even floor of the scattered share times a² cos²θ/(λR)².
    distance = np.sqrt(y**2 + x**2 + DISTANCE**2)
    floor = variance.mean() * (PITCH * DISTANCE / (WAVELENGTH * distance**2)) ** 2
    np.testing.assert_allclose(scattered / (len(y) * PITCH**2), floor.mean(), rtol=0.05)


def test_the_engines_mean_lens_is_the_sum_over_its_mean_sites(sites):
    """The smooth engine against site by site: 57 sites across sample the opening's rim to about a percent."""
    lens, y, x, chosen = sites
    window = (np.arange(15) - 7) * 0.4e-6
    mean = np.asarray(jax.jit(lens.response.moments)(jnp.asarray(chosen), jnp.asarray(WAVELENGTH))[0], dtype=complex)
    expected = np.abs(kernel(y, x, window) @ mean) ** 2 / (len(y) * PITCH**2)
    found = simulate_psf(lens, WAVELENGTH, 0.0, window=(15, 15), pixel_pitch=0.4e-6) / 0.4e-6**2
    difference = np.abs(np.asarray(found).ravel() - expected).max() / expected.max()
    assert difference < 0.03


def test_the_peak_falls_by_the_random_phase_and_the_missing_sites(sites):
    """(1 − p)² exp(−σ²) of the peak, σ = 2π · 6/200 rad."""
    lens = sites[0]
    wavelength = jnp.asarray(WAVELENGTH)
    perfect = replace(lens.response, width_spread=None, missing_share=None)
    ratio = np.abs(lens.response.coefficients(wavelength)[0] / perfect.coefficients(wavelength)[0]) ** 2
    assert ratio == pytest.approx((1 - MISSING) ** 2 * np.exp(-((2 * np.pi * 6 / 200) ** 2)), rel=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fields": (0, 3)}, "fields 0x3 must lie between 1 and 25"),
        ({"wavelengths_per_channel": 0}, "0 wavelengths a channel"),
        ({"window": 10}, "window 10 must be odd"),
    ],
)
def test_requests_out_of_range_are_refused(camera, settings, message):
    with pytest.raises(InputError, match=message):
        evaluation_of(camera, **settings)


def test_a_structures_light_is_let_through_or_scattered(sites):
    """Of lossless meta-atoms with empty sites of |t|² = 0.81: what is not lost there is in the mean or scattered."""
    library = sites[0].response.library
    lens = replace(sites[0], structure=RadialGeometry(np.linspace(110e-9, 290e-9, 60), PITCH, library))
    draw = Draw(Fabrication(width_error=2e-9, width_spread=SPREAD, missing_share=MISSING))
    places = _sites(lens)
    light = (np.zeros((1, 2)), jnp.asarray([WAVELENGTH]))
    shares = jax.jit(lambda lens, draw: _shares(lens, draw, light, places))(lens, draw)
    image, diffuse = (float(each[0, 0]) for each in shares)
    assert image + diffuse == pytest.approx(1 - MISSING * (1 - 0.81), abs=1e-4)
    assert diffuse == pytest.approx(1 - np.exp(-((2 * np.pi * 6 / 200) ** 2)), abs=0.08)
    engines = jax.jit(lambda lens, draw: perturbed(lens, draw).transmission(jnp.zeros(1), jnp.zeros(1), WAVELENGTH))
    assert np.isfinite(engines(lens, draw)).all()


# A second path of the efficiency at each angle, which test_local_incidence.py has of an engine.
@pytest.mark.long
def test_at_local_incidence_the_efficiency_of_a_draw_is_that_of_its_field(camera):
    response = {"kind": "library", "library": "si3n4-on-sio2", "wavelength_nm": 530.0}
    evaluation = evaluation_of(camera.with_(lens={"response": response}), fields=(1, 2), window=15)
    image, efficiency, _ = evaluation.images(Draw(Fabrication(width_error=5e-9)))
    plain = evaluation_of(camera.with_(lens={"response": response, "incidence": "normal"}), fields=(1, 2), window=15)
    normal_image, normal, _ = plain.images(Draw(Fabrication(width_error=5e-9)))
    assert efficiency.shape == (2, 3)
    # Both fields lie 9° from the axis, on its two sides.
    np.testing.assert_allclose(efficiency[0], efficiency[1], rtol=1e-5)
    np.testing.assert_allclose(
        image.sum(axis=(-2, -1)) / normal_image.sum(axis=(-2, -1)), efficiency / normal, rtol=1e-3
    )
    assert (np.abs(efficiency / normal - 1) > 1e-3).any()
