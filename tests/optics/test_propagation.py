"""The reference propagators: closed forms, agreement, orientation, energy, linearity."""

import numpy as np
import pytest

from metalens.optics import angular_spectrum, rayleigh_sommerfeld
from metalens.optics.sharp_edge import smooth_step

WAVELENGTH = 511e-9
PROPAGATORS = [rayleigh_sommerfeld, angular_spectrum]


def lens_field(theta: float, diameter: float, focal_length: float, pitch: float) -> np.ndarray:
    """A hyperbolic lens under a plane wave from the field angle (theta, 0), its rim a little soft."""
    half = int(0.55 * diameter / pitch)
    position = pitch * np.arange(-half, half + 1)
    radius = np.hypot(position[:, None], position)
    soft = np.clip(0.5 - (radius - diameter / 2) / (2 * pitch), 0, 1)
    path = np.sin(theta) * position - (np.sqrt(radius**2 + focal_length**2) - focal_length)
    return soft * np.exp(2j * np.pi / WAVELENGTH * path)


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def test_on_axis_field_behind_a_disc_is_the_closed_form():
    """A plane wave through a disc: U = exp(ikz) − z/√(z² + a²) exp(ik√(z² + a²)), exactly."""
    pitch, radius, distance = 0.25e-6, 30e-6, 300e-6
    position = pitch * np.arange(-140, 141)
    disc = np.asarray(smooth_step((np.hypot(position[:, None], position) - radius) / pitch))
    field = rayleigh_sommerfeld(
        disc, pitch=pitch, wavelength=WAVELENGTH, distance=distance, centre=(0.0, 0.0), shape=(1, 1)
    )
    wavenumber = 2 * np.pi / WAVELENGTH
    slant = np.hypot(distance, radius)
    exact = np.exp(1j * wavenumber * distance) - distance / slant * np.exp(1j * wavenumber * slant)
    assert abs(field[0, 0] - exact) < 2e-3 * abs(exact)


@pytest.mark.parametrize("propagate", PROPAGATORS)
@pytest.mark.parametrize("azimuth", np.radians([0, 90, 200]))
def test_light_lands_where_the_chief_ray_says(propagate, azimuth):
    """Field angle (θ, φ) lands at x = f tan θ cos φ to the right, y = f tan θ sin φ downwards."""
    theta, focal_length, pitch = np.radians(10), 400e-6, 0.5e-6
    half = 110
    position = pitch * np.arange(-half, half + 1)
    y, x = position[:, None], position[None, :]
    radius = np.hypot(y, x)
    path = np.sin(theta) * (x * np.cos(azimuth) + y * np.sin(azimuth))
    path = path - (np.sqrt(radius**2 + focal_length**2) - focal_length)
    field = (radius < 40e-6) * np.exp(2j * np.pi / WAVELENGTH * path)
    image = abs(
        propagate(field, pitch=pitch, wavelength=WAVELENGTH, distance=focal_length, centre=(0.0, 0.0), shape=(321, 321))
    )
    row, column = np.unravel_index(image.argmax(), image.shape)
    landing = focal_length * np.tan(theta)
    assert pitch * (row - 160) == pytest.approx(landing * np.sin(azimuth), abs=1.5e-6)
    assert pitch * (column - 160) == pytest.approx(landing * np.cos(azimuth), abs=1.5e-6)


@pytest.mark.parametrize(("degrees", "tolerance"), [(0, 1e-3), (15, 1e-3)])
def test_the_two_propagators_agree_and_the_band_limit_is_why(degrees, tolerance):
    theta, focal_length, pitch = np.radians(degrees), 0.2e-3, 0.25e-6
    options = {
        "pitch": pitch,
        "wavelength": WAVELENGTH,
        "distance": focal_length,
        "centre": (0.0, focal_length * np.tan(theta)),
        "shape": (128, 128),
    }
    field = lens_field(theta, 0.1e-3, focal_length, pitch)
    # Empty room around the aperture keeps what the band limit cuts off out of the window.
    field = np.pad(field, field.shape[0] // 2)
    exact = rayleigh_sommerfeld(field, **options)
    limited = relative_difference(angular_spectrum(field, **options), exact)
    assert limited < tolerance
    assert relative_difference(angular_spectrum(field, **options, band_limit=False), exact) > limited


@pytest.mark.parametrize("propagate", PROPAGATORS)
def test_a_window_off_axis_is_a_cut_of_a_wider_one(propagate):
    field = np.pad(lens_field(0.0, 60e-6, 200e-6, 0.4e-6), 250)
    options = {"pitch": 0.4e-6, "wavelength": WAVELENGTH, "distance": 200e-6}
    wide = propagate(field, **options, centre=(0.0, 0.0), shape=(101, 101))
    part = propagate(field, **options, centre=(8e-6, -12e-6), shape=(21, 31))
    assert relative_difference(part, wide[60:81, 5:36]) < 2e-3


@pytest.mark.parametrize("propagate", PROPAGATORS)
def test_energy_is_conserved_when_the_window_holds_the_light(propagate):
    field = lens_field(0.0, 60e-6, 200e-6, 0.4e-6)
    image = propagate(field, pitch=0.4e-6, wavelength=WAVELENGTH, distance=200e-6, centre=(0.0, 0.0), shape=(300, 300))
    assert (abs(image) ** 2).sum() == pytest.approx((abs(field) ** 2).sum(), rel=5e-3)


@pytest.mark.parametrize("propagate", PROPAGATORS)
def test_propagation_backwards_is_the_adjoint(propagate):
    """⟨P a, b⟩ = ⟨a, P† b⟩, where P† is the mirrored, conjugate propagation: P is symmetric under exchange."""
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=(31, 31)) + 1j * rng.normal(size=(31, 31)) for _ in range(2))
    options = {
        "pitch": 0.4e-6,
        "wavelength": WAVELENGTH,
        "distance": 100e-6,
        "centre": (0.0, 0.0),
        "shape": (31, 31),
    }
    forward = np.vdot(propagate(first, **options), second)
    backward = np.vdot(first, propagate(second.conj(), **options).conj())
    assert forward == pytest.approx(backward, rel=1e-9)
