"""Distortion behind a stop, and pictures without it."""

import numpy as np
import pytest

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.files.errors import InputError
from metalens.psf.distortion import distortion_of, undistorted

STOPPED = read_camera("wide-field").with_(sensor={"pixels": (120, 160)})


def test_a_lens_that_is_its_own_stop_has_none():
    camera = read_camera("metacamera").with_(sensor={"pixels": (40, 40)})
    assert distortion_of(camera).at_corner == pytest.approx(0, abs=1e-6)
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    np.testing.assert_array_equal(undistorted(picture, camera), picture)


def test_a_quadratic_lens_at_its_focal_length_behind_a_stop_images_at_f_sine():
    """The stop in the front focus: the ray leaves with sin θ' = sin θ − tan θ and lands at f (tan θ + tan θ')."""
    focus = 700e-6
    lens = {"stop": {"diameter_um": 100.0, "distance_um": 700.0}, "substrate": None}
    found = distortion_of(STOPPED.with_(lens=lens, sensor={"pixels": (200, 200)}))
    tangent = np.linspace(0, 0.5, 4000)
    sine = tangent / np.sqrt(1 + tangent**2)
    # The lens is made for 532 nm, the mean of the green channel is 530.
    bent = sine - tangent * 530 / 532
    landed = focus * (tangent + bent / np.sqrt(1 - bent**2))
    expected = focus * np.interp(found.radius, landed, tangent)
    expected *= found.radius[1] / expected[1]
    np.testing.assert_allclose(found.rectilinear, expected, atol=3e-8)
    assert found.at_corner < -0.02


def test_a_grid_that_the_camera_bent_is_straight_again():
    """A scene of known brightness by direction, drawn where it is imaged, comes back at its rectilinear place."""
    found, pitch = distortion_of(STOPPED), STOPPED.sensor.pixel_pitch_m
    y, x = (pitch * (np.arange(count) - (count - 1) / 2) for count in STOPPED.sensor.pixels)
    radius = np.hypot(y[:, None], x)

    def scene(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return 0.5 + 0.2 * np.sin(y / 15e-6) + 0.2 * np.cos(x / 20e-6)

    outward = np.interp(radius, found.radius, found.rectilinear) / np.maximum(radius, 1e-12)
    seen = scene(y[:, None] * outward, x * outward)
    straight = undistorted(seen, STOPPED)
    # Linear interpolation of sines with a period of 54 pixels.
    np.testing.assert_allclose(straight, scene(y[:, None], x[None, :]), atol=4e-3)


def test_what_it_cannot_be_made_for_is_refused():
    with pytest.raises(InputError, match=r"a picture of the shape \(10, 10, 3\), expected 120 × 160 pixels"):
        undistorted(np.zeros((10, 10, 3)), STOPPED)
    tilted: Camera = STOPPED.with_(sensor={"tilt_deg": (1.0, 0.0)})
    with pytest.raises(InputError, match="not rotationally symmetric"):
        distortion_of(tilted)
