"""Accuracy of the engines on the reference lenses, over field and colour, and their own estimate of it."""

import jax
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.optics import Hyperbolic, Metalens, metalens_of
from metalens.psf import estimate_error, psf_simulator, simulate_psf

WINDOW = {"window": (96, 96), "pixel_pitch": 0.5e-6}
SMALL_LENS = Metalens(0.1e-3, 0.25e-3, Hyperbolic(0.25e-3, 511e-9))


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def direct_sum(lens: Metalens, wavelength: float, theta: float, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Energy density at points ``[point]`` about the chief ray: the Rayleigh–Sommerfeld integral over the disc.

    Gauss–Legendre nodes in r² and equal angles, in float64. It shares nothing with the engines: no grid, no edge, no
    approximation of the distance.
    """
    radii, angles = 320, 1536
    node, weight = np.polynomial.legendre.leggauss(radii)
    radius = lens.aperture_diameter / 2 * np.sqrt((node + 1) / 2)
    area = np.pi * (lens.aperture_diameter / 2) ** 2
    angle = 2 * np.pi * (np.arange(angles) + 0.5) / angles
    pupil_y, pupil_x = np.outer(radius, np.sin(angle)).ravel(), np.outer(radius, np.cos(angle)).ravel()
    with jax.enable_x64(True):
        phase = np.repeat(np.asarray(lens.phase.at(np.zeros(radii), radius)), angles)
    wavenumber = 2 * np.pi / wavelength
    incoming = np.repeat(weight / 2, angles) / angles * area
    landing = lens.focal_length * np.tan(theta)
    found = np.empty(len(y))
    for index, (here_y, here_x) in enumerate(zip(y, landing + x, strict=True)):
        squared = (here_y - pupil_y) ** 2 + (here_x - pupil_x) ** 2 + lens.focal_length**2
        distance = np.sqrt(squared)
        kernel = lens.focal_length / (wavelength * squared) * (1 + 1j / (wavenumber * distance))
        turn = phase + wavenumber * (np.sin(theta) * pupil_x + distance)
        found[index] = abs((incoming * kernel * np.exp(1j * turn)).sum()) ** 2 / area
    return found


# Lenses of the presets' size: the small ones of test_simulate.py show the same in make test.
@pytest.mark.long
@pytest.mark.parametrize(("preset", "wavelength", "degrees"), [("nano-optics", 462e-9, 20), ("metacamera", 606e-9, 15)])
def test_the_engines_agree_with_a_direct_sum_over_the_disc(preset, wavelength, degrees):
    """On the brightest samples of the window and on others between."""
    lens = metalens_of(read_camera(preset))
    psfs = {
        engine: simulate_psf(lens, wavelength, np.radians(degrees), engine=engine, **WINDOW)
        for engine in ("auto", "angular_spectrum", "rayleigh_sommerfeld")
    }
    brightest = np.argsort(psfs["rayleigh_sommerfeld"].ravel())[::-1]
    row, column = np.unravel_index(np.concatenate([brightest[:40], brightest[40::400]]), WINDOW["window"])
    pitch = WINDOW["pixel_pitch"]
    exact = direct_sum(lens, wavelength, np.radians(degrees), pitch * (row - 48), pitch * (column - 48)) * pitch**2
    assert relative_difference(psfs["rayleigh_sommerfeld"][row, column], exact) < 1e-3
    assert relative_difference(psfs["angular_spectrum"][row, column], exact) < 1e-3
    assert relative_difference(psfs["auto"][row, column], exact) < 1e-2


@pytest.mark.long
@pytest.mark.parametrize("preset", ["metacamera", "nano-optics"])
@pytest.mark.parametrize("wavelength", [450e-9, 650e-9])
@pytest.mark.parametrize("degrees", [0, 20])
def test_the_fast_engines_hold_one_percent_over_field_and_colour(preset, wavelength, degrees):
    lens = metalens_of(read_camera(preset))
    exact = simulate_psf(lens, wavelength, np.radians(degrees), engine="rayleigh_sommerfeld", **WINDOW)
    for engine, tolerance in [("direction_cosine", 1e-2), ("angular_spectrum", 2e-3)]:
        found = simulate_psf(lens, wavelength, np.radians(degrees), engine=engine, **WINDOW)
        assert relative_difference(found, exact) < tolerance, engine


ASIDE = {"window": (64, 64), "pixel_pitch": 0.6e-6}, [480e-9], [(np.radians(18), 0.4)]
"""A window, a wavelength and a field away from the axis."""


@pytest.fixture(scope="module")
def finest() -> np.ndarray:
    options, wavelengths, angles = ASIDE
    finer = {"engine": "rayleigh_sommerfeld", "refinement": 4.0}
    return np.asarray(psf_simulator(SMALL_LENS, wavelengths, angles, **finer, **options)(SMALL_LENS))


@pytest.mark.parametrize(
    "engine", [pytest.param("direction_cosine", marks=pytest.mark.long), "angular_spectrum", "rayleigh_sommerfeld"]
)
def test_the_estimate_tells_the_order_of_the_error(engine, finest):
    options, wavelengths, angles = ASIDE
    simulator = psf_simulator(SMALL_LENS, wavelengths, angles, engine=engine, **options)
    estimate = float(estimate_error(simulator, SMALL_LENS)[0, 0])
    error = relative_difference(np.asarray(simulator(SMALL_LENS)), finest)
    assert 0.3 * error < estimate < 3 * error + 1e-6


@pytest.mark.parametrize("engine", [pytest.param("direction_cosine", marks=pytest.mark.long), "angular_spectrum"])
def test_single_precision_is_enough(engine):
    def simulate() -> np.ndarray:
        lens = Metalens(0.1e-3, 0.25e-3, Hyperbolic(0.25e-3, 511e-9))
        return simulate_psf(lens, 480e-9, np.radians(15), window=(64, 64), pixel_pitch=0.6e-6, engine=engine)

    single = simulate()
    with jax.enable_x64(True):
        double = simulate()
    assert double.dtype == np.float64
    assert relative_difference(single, double) < 2e-4


def test_the_fresnel_approximation_is_the_same_at_all_field_angles():
    """Why it must not be used for a field map; the true image of the same lens falls apart."""
    options = {"window": (64, 64), "pixel_pitch": 0.6e-6}
    for engine, least, most in [("fresnel", 0.0, 1e-5), ("angular_spectrum", 0.5, 10.0)]:
        centre, edge = (
            simulate_psf(SMALL_LENS, 511e-9, (theta, 0.3), engine=engine, **options) for theta in (0.0, 0.4)
        )
        assert least <= relative_difference(edge, centre) <= most


def test_the_fresnel_approximation_is_good_for_a_slow_lens_on_axis():
    slow = Metalens(50e-6, 1e-3, Hyperbolic(1e-3, 511e-9))
    options = {"window": (64, 64), "pixel_pitch": 1e-6}
    paraxial = simulate_psf(slow, 511e-9, 0.0, engine="fresnel", **options)
    assert relative_difference(paraxial, simulate_psf(slow, 511e-9, 0.0, **options)) < 5e-3
