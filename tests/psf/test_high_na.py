"""Every engine against a direct sum from slow to fast lenses, and what is done where one cannot follow."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.files.errors import InputError
from metalens.optics import Hyperbolic, Metalens
from metalens.optics.source import PointSource
from metalens.psf import estimate_error, psf_simulator, simulate_psf
from metalens.psf.engines import choice, direction_cosine
from metalens.psf.engines.incoming import incoming_light
from metalens.psf.simulator import EngineFault

WAVELENGTH = 532e-9


def lens_of(numerical_aperture: float, focal_length: float) -> Metalens:
    radius = focal_length * numerical_aperture / math.sqrt(1 - numerical_aperture**2)
    return Metalens(2 * radius, focal_length, Hyperbolic(focal_length, WAVELENGTH))


def direct_sum(lens: Metalens, theta: float, azimuth: float, offset: np.ndarray) -> np.ndarray:
    """Energy density at ``offset`` ``[point, (y, x)]`` from where the chief ray lands, by numpy in float64 alone.

    The Rayleigh–Sommerfeld integral over Gauss–Legendre nodes in r² and equal angles, so many that the residual phase
    of the slowest tilt turns by less than half a cycle between two of them.
    """
    radius, depth = lens.aperture_diameter / 2, lens.focal_length
    wavenumber = 2 * np.pi / WAVELENGTH
    radii, angles = (int(factor * wavenumber * radius) + 64 for factor in (1.5, 3.5))
    node, weight = np.polynomial.legendre.leggauss(radii)
    rho = radius * np.sqrt((node + 1) / 2)
    turn = 2 * np.pi * (np.arange(angles) + 0.5) / angles
    pupil_y, pupil_x = np.outer(rho, np.sin(turn)), np.outer(rho, np.cos(turn))
    area = np.pi * radius**2
    share = (weight / 2 / angles * area)[:, None]
    phase = -wavenumber * (np.sqrt(rho**2 + depth**2) - depth)[:, None]
    tilt = math.sin(theta) * np.array([math.sin(azimuth), math.cos(azimuth)])
    landing = depth * tilt / math.cos(theta)
    incoming = phase + wavenumber * (tilt[0] * pupil_y + tilt[1] * pupil_x)
    found = []
    for y, x in landing + offset:
        squared = (y - pupil_y) ** 2 + (x - pupil_x) ** 2 + depth**2
        way = wavenumber * np.sqrt(squared)
        # Real numbers take half the time of complex ones: (1 + i/(kr)) exp(i(φ + kr)).
        cosine, sine, size = np.cos(incoming + way), np.sin(incoming + way), share * depth / (WAVELENGTH * squared)
        found.append(((size * (cosine - sine / way)).sum() ** 2 + (size * (sine + cosine / way)).sum() ** 2) / area)
    return np.array(found)


PITCH, COUNT = 0.2e-6, 16
ROW, COLUMN = (each.ravel() for each in np.mgrid[3:COUNT:5, 3:COUNT:5])
"""A coarse grid of the window about its middle sample, on which the direct sum is taken."""


def exact_light(lens: Metalens, theta: float, azimuth: float) -> np.ndarray:
    """The direct sum on the coarse grid, energy per sample."""
    return direct_sum(lens, theta, azimuth, PITCH * (np.stack([ROW, COLUMN], axis=1) - COUNT // 2)) * PITCH**2


def distance_of(
    lens: Metalens, theta: float, azimuth: float, engine: str, exact: np.ndarray
) -> tuple[float, float, np.ndarray]:
    """Relative distance from the direct sum on a coarse grid of the window, the engine's estimate, the function."""
    simulator = psf_simulator(
        lens, [WAVELENGTH], [(theta, azimuth)], window=(COUNT, COUNT), pixel_pitch=PITCH, engine=engine
    )
    # As the estimate computes it: it is compiled once.
    psf = simulator.of_field(lens, 0)[0].astype(float)
    estimate = float(estimate_error(simulator, lens)[0, 0])
    return float(np.linalg.norm(psf[ROW, COLUMN] - exact) / np.linalg.norm(exact)), estimate, psf


def check_with_the_direct_sum(numerical_aperture: float, degrees: float, azimuth: float) -> None:
    lens, theta = lens_of(numerical_aperture, 15e-6), math.radians(degrees)
    exact = exact_light(lens, theta, azimuth)
    for engine, tolerance in [("auto", 1.5e-2), ("rayleigh_sommerfeld", 2e-4)]:
        error, estimate, psf = distance_of(lens, theta, azimuth, engine, exact)
        assert error < tolerance, engine
        assert error < 4 * estimate + 2e-4, engine
        assert psf.sum() <= 1 + 1e-6


@pytest.mark.parametrize(
    ("numerical_aperture", "degrees", "azimuth"),
    [
        # test_simulate.py compares slow lenses with a sum over the disc.
        pytest.param(0.05, 40, 1.0, marks=pytest.mark.long),
        pytest.param(0.6, 25, 4.0, marks=pytest.mark.long),
        (0.95, 10, 2.5),
    ],
)
def test_auto_and_the_reference_agree_with_a_direct_sum_from_slow_to_fast_lenses(numerical_aperture, degrees, azimuth):
    check_with_the_direct_sum(numerical_aperture, degrees, azimuth)


# Each lens is compiled anew, for two seconds.
@pytest.mark.long
@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    numerical_aperture=st.sampled_from([0.05, 0.3, 0.5, 0.6, 0.7, 0.8, 0.894, 0.95]),
    degrees=st.sampled_from([0, 10, 25, 40]),
    azimuth=st.floats(0, 2 * math.pi),
)
def test_they_agree_with_a_direct_sum_at_any_aperture_and_field(numerical_aperture, degrees, azimuth):
    check_with_the_direct_sum(numerical_aperture, degrees, azimuth)


# Many tiles: a quarter of a minute for the fastest.
OTHERS = [pytest.param(*each, marks=pytest.mark.long) for each in ((0.6, 2e-4), (0.7, 2e-4), (0.95, 1e-2))]


@pytest.mark.parametrize(("numerical_aperture", "tolerance"), [(0.894, 1e-3), *OTHERS])
def test_tiles_follow_a_fast_lens_on_its_axis(numerical_aperture, tolerance):
    """Once 11.0, 162 and 679 of the light were found: corners beyond the half-space took part."""
    lens = lens_of(numerical_aperture, 20e-6)
    error, estimate, psf = distance_of(lens, 0.0, 0.0, "direction_cosine", exact_light(lens, 0.0, 0.0))
    assert error < tolerance
    assert error < 4 * estimate + 1e-4
    assert 0.5 < psf.sum() <= 1


# On the axis of a faster lens the same corners lie beyond the half-space.
@pytest.mark.long
def test_tiles_follow_a_fast_lens_off_its_axis():
    """NA 0.45 at 30° and an azimuth of 45°, where the square of direction cosines reaches beyond the half-space."""
    lens, theta, azimuth = lens_of(0.45, 20e-6), math.radians(30), math.radians(45)
    error, estimate, psf = distance_of(lens, theta, azimuth, "direction_cosine", exact_light(lens, theta, azimuth))
    assert error < 1e-2
    assert error < 4 * estimate
    assert psf.sum() <= 1


def test_a_large_fast_lens_is_simulated_by_every_engine_that_can_hold_it():
    """NA 0.894 at f = 1 mm needs 7680² samples or more; 0.8944 is what the direct sum finds in the window."""
    psf = simulate_psf(lens_of(0.894, 1e-3), WAVELENGTH, 0.0, window=(32, 32), pixel_pitch=0.15e-6)
    assert psf.sum() == pytest.approx(0.8944, abs=1e-3)


def test_an_engine_that_finds_more_light_than_came_in_is_not_believed(monkeypatch):
    lens = lens_of(0.3, 30e-6)
    options = {"window": (16, 16), "pixel_pitch": 0.4e-6}
    right = simulate_psf(lens, WAVELENGTH, 0.0, engine="rayleigh_sommerfeld", **options)
    original = direction_cosine.window_intensity
    monkeypatch.setattr(direction_cosine, "window_intensity", lambda *args, **more: 7.3 * original(*args, **more))
    with pytest.raises(EngineFault, match=r"direction_cosine finds \d\.\d+ of the light"):
        simulate_psf(lens, 0.999 * WAVELENGTH, 0.0, engine="direction_cosine", **options)
    monkeypatch.setattr(choice, "grid_nanoseconds", lambda *_: math.inf)
    found = simulate_psf(lens, WAVELENGTH, 0.0, **{**options, "window": (17, 16)})
    assert np.allclose(found[:16], right, rtol=0, atol=1e-6 * right.max())


def test_a_pupil_that_is_seen_in_the_wrong_size_is_refused_and_auto_takes_another_engine(monkeypatch):
    lens = lens_of(0.5, 30e-6)
    monkeypatch.setattr(choice, "seen_area", lambda *_: 1.3)
    options = {"window": (16, 16), "pixel_pitch": 0.2e-6}
    with pytest.raises(InputError, match=r"samples 1\.3 of the aperture's area"):
        psf_simulator(lens, [WAVELENGTH], [0.0], engine="direction_cosine", **options)
    simulator = psf_simulator(lens, [WAVELENGTH], [0.0], **options)
    assert simulator.plan.engine == "angular_spectrum"
    assert "samples 1.3 of the aperture's area" in simulator.plan.reason


def test_a_lens_that_is_convolved_in_parts_has_the_same_image(monkeypatch):
    lens, options = lens_of(0.4, 30e-6), {"window": (16, 20), "pixel_pitch": 0.3e-6, "engine": "rayleigh_sommerfeld"}
    whole = simulate_psf(lens, WAVELENGTH, (0.3, 0.7), **options)
    monkeypatch.setattr("metalens.psf.engines.rayleigh_sommerfeld.LARGEST_PART", 37)
    assert np.allclose(simulate_psf(lens, WAVELENGTH, (0.3, 0.7), **options), whole, rtol=0, atol=1e-9 * whole.max())


# Pupils of 2048² samples and more.
@pytest.mark.long
def test_an_estimate_is_given_for_what_was_simulated():
    """Of direction cosines near their largest sampling, and of a lens of 10 mm at 10°."""
    for lens, degrees in [(lens_of(0.2425, 1e-3), 40), (lens_of(0.2425, 20e-3), 10)]:
        options = {"window": (8, 8), "pixel_pitch": 0.5e-6, "engine": "direction_cosine"}
        simulator = psf_simulator(lens, [WAVELENGTH], [math.radians(degrees)], **options)
        assert simulator.plan.sampling.pupil_samples > 2048 / 1.5
        assert 0 < float(estimate_error(simulator, lens)[0, 0]) < 0.05


def test_the_light_of_a_near_point_is_divided_by_what_passes_the_aperture():
    """At 0.1 mm the rim of 0.1 mm is lit less than the middle: the share was 0.791 for about 1."""
    lens = Metalens(0.1e-3, 0.1e-3, Hyperbolic(50e-6, WAVELENGTH))
    options = {"window": (40, 40), "pixel_pitch": 2e-6, "integrate_pixels": True, "object_distance": 0.1e-3}
    for engine in ("angular_spectrum", "rayleigh_sommerfeld"):
        assert simulate_psf(lens, WAVELENGTH, 0.0, engine=engine, **options).sum() == pytest.approx(0.98, abs=0.02)


def test_the_light_of_a_near_point_through_a_disc_is_that_of_the_closed_form():
    lens = Metalens(0.1e-3, 0.1e-3, Hyperbolic(50e-6, WAVELENGTH))
    closed = np.pi * 0.1e-3**2 * np.log(1 + 0.25)
    assert float(incoming_light(lens, PointSource(np.zeros(2), 0.1e-3))) == pytest.approx(closed, rel=1e-4)
