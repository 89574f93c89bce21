"""Distortion behind a stop, and pictures without it."""

import numpy as np
import pytest

from metalens.commands.psf import distortion_figures
from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.distortion import Distortion, undistorted
from metalens.psf.distortion import distortion_of

STOPPED = read_camera("wide-field").with_(sensor={"pixels": (120, 160)})


def test_a_lens_that_is_its_own_stop_has_none():
    camera = read_camera("metacamera").with_(sensor={"pixels": (40, 40)})
    found = distortion_of(camera)
    assert found.at_corner == pytest.approx(0, abs=1e-6)
    assert found.largest_pixels < 1e-4
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    np.testing.assert_array_equal(undistorted(picture, found), picture)


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
    assert found.at_corner == found.largest < -0.02
    assert found.largest_pixels == pytest.approx((found.rectilinear[-1] - found.radius[-1]) / 1.75e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
@pytest.mark.parametrize("part", [None, (20, 70, 60, 80)])
def test_a_scene_that_the_camera_bent_is_straight_again(part, dtype):
    """A scene of known brightness by direction, drawn where it is imaged, comes back at its rectilinear place.

    Also in a part of the frame (row, column, rows, columns), but for a rim that the light comes to from outside.
    """
    found, pitch = distortion_of(STOPPED), STOPPED.sensor.pixel_pitch_m
    y, x = (pitch * (np.arange(count) - (count - 1) / 2) for count in STOPPED.sensor.pixels)
    radius = np.hypot(y[:, None], x)

    def scene(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return 0.5 + 0.2 * np.sin(y / 15e-6) + 0.2 * np.cos(x / 20e-6)

    outward = np.interp(radius, found.radius, found.rectilinear) / np.maximum(radius, 1e-12)
    white = 1 if dtype is np.float32 else 60000
    seen = (white * scene(y[:, None] * outward, x * outward)).astype(dtype)
    expected = white * scene(y[:, None], x[None, :])
    row, column, height, width = part or (0, 0, 120, 160)
    window = np.s_[row : row + height, column : column + width]
    straight = undistorted(seen[window], found, None if part is None else (row, column))
    assert straight.dtype == dtype
    inner = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(straight[inner], expected[window][inner], atol=4e-4 * white)


def test_psf_tells_it_where_there_is_one_map_of_the_radius():
    told, found = distortion_figures(STOPPED), distortion_of(STOPPED)
    assert told == {"percent": 100 * found.largest, "pixels": found.largest_pixels}
    assert distortion_figures(STOPPED.with_(sensor={"tilt_deg": (1.0, 0.0)})) is None


def test_nothing_is_seen_beyond_the_picture():
    """Pincushion distortion of a tenth: the rim of the pinhole's picture lies outside the sensor."""
    radius = np.linspace(0, 30e-6, 9)
    pincushion = Distortion(radius, radius * (1 - 0.1 * (radius / radius[-1]) ** 2), (40, 40), 1e-6)
    straight = undistorted(np.full((40, 40, 3), 0.5), pincushion)
    assert straight[20, 20, 0] == 0.5
    assert straight[0, 0, 0] == straight[-1, -1, 2] == 0
    assert pincushion.cropped == 0


def test_barrel_distortion_moves_the_rim_out_of_the_picture():
    """Of a frame that shows 10 % less than a pinhole everywhere, 1 − 0.9² of the pixels move beyond the rim."""
    radius = np.linspace(0, 300e-6, 9)
    assert Distortion(radius, radius / 0.9, (400, 400), 1e-6).cropped == pytest.approx(1 - 0.9**2, abs=2e-3)
    assert distortion_of(STOPPED).cropped > 0.01


def test_what_it_cannot_be_made_for_is_refused():
    with pytest.raises(InputError, match="distortion: str; a camera was expected"):
        distortion_of("wide-field")
    for place, told in (
        (None, "10 × 10 pixels, expected the 120 × 160 pixels"),
        ((115, 0), "at row 115, column 0, exp"),
    ):
        with pytest.raises(InputError, match=told):
            undistorted(np.zeros((10, 10, 3)), distortion_of(STOPPED), place)
    tilted: Camera = STOPPED.with_(sensor={"tilt_deg": (1.0, 0.0)})
    with pytest.raises(InputError, match="not rotationally symmetric"):
        distortion_of(tilted)
