"""Colours of the rim that a lens with lateral colour images beyond the frame."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from metalens.formats.camera.camera import read_camera
from metalens.formats.psf.bank import PsfBank, grid_positions
from metalens.psf.external_bank import bank_of_functions
from metalens.psf.field_symmetry import nodes_across
from metalens.restore.deconvolution.joint_wiener import wiener_joint
from metalens.restore.deconvolution.unseen_colour import fill_unseen, seen_share

SIDE, KERNEL = 96, 35
OUTWARD = 0.25
"""Blue's image is larger than green's by a quarter: of the frame, blue is seen within 38.4 pixels of the middle."""


def bank_with(*slopes: float) -> PsfBank:
    """Gaussians whose centroids move over the field by slopes of red, green and blue."""
    preset = read_camera("metacamera")
    camera = preset.model_copy(update={"sensor": preset.sensor.model_copy(update={"pixels": (SIDE, SIDE)})})
    along = nodes_across(7, SIDE * camera.sensor.pixel_pitch_m)
    places = grid_positions(along, along)
    y, x = np.mgrid[:KERNEL, :KERNEL] - KERNEL // 2
    functions = np.array(
        [
            [np.exp(-0.5 * ((y - slope * down) ** 2 + (x - slope * across) ** 2)) / (2 * np.pi) for slope in slopes]
            for down, across in places / camera.sensor.pixel_pitch_m
        ]
    )
    return bank_of_functions(camera, functions, places, layout="grid", provenance={"engine": "made up"})


@pytest.fixture(scope="module")
def magnified_blue() -> PsfBank:
    return bank_with(0, 0, OUTWARD)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A picture whose blue is a linear function of red and green."""
    made = np.random.default_rng(0).random((SIDE, SIDE, 3), dtype=np.float32)
    made[..., 2] = 0.1 + 0.5 * made[..., 0] + 0.3 * made[..., 1]
    return made


def test_a_point_whose_colour_lands_beyond_the_frame_is_not_seen(magnified_blue: PsfBank) -> None:
    """At the middle of a side, blue goes from seen to unseen over 4 pixels of the image, 3.2 of the scene."""
    seen = seen_share(magnified_blue, (SIDE, SIDE))
    assert seen is not None
    assert np.all(seen[:2] == 1)
    from_the_middle = np.arange(SIDE) - (SIDE - 1) / 2
    expected = np.clip(1 + ((SIDE - 1) / 2 - (1 + OUTWARD) * np.abs(from_the_middle)) / 4, 0, 1)
    np.testing.assert_allclose(seen[2, SIDE // 2], expected, atol=2e-3)
    np.testing.assert_allclose(seen[2, :, SIDE // 2], expected, atol=2e-3)


def test_of_a_part_of_the_frame_its_own_rim_counts(magnified_blue: PsfBank) -> None:
    """Light moves outward: it leaves the part on the side that is farther from the middle, and stays on the other."""
    seen = seen_share(magnified_blue, (40, 40), (SIDE // 2, 0))
    assert seen is not None
    assert seen[2, 39, 30] == 0
    assert seen[2, 20, 0] == 0
    assert seen[2, 0, 39] == 1


@pytest.mark.parametrize("slopes", [(0.0, 0.0, 0.0), (0.0, 0.0, -OUTWARD)], ids=["no lateral colour", "moved inward"])
def test_what_is_seen_is_returned_as_it_is(slopes: tuple[float, float, float], picture: np.ndarray) -> None:
    bank = bank_with(*slopes)
    assert seen_share(bank, (SIDE, SIDE)) is None
    assert fill_unseen(picture, bank) is picture


def test_a_linear_function_of_the_other_colours_is_found_again(magnified_blue: PsfBank, picture: np.ndarray) -> None:
    """The ridge draws slopes toward the mean of the others: 1 % of their contrast is left."""
    seen = seen_share(magnified_blue, (SIDE, SIDE))
    assert seen is not None
    damaged = picture.copy()
    unseen = seen[2] == 0
    damaged[unseen, 2] = 1 - picture[unseen, 2]
    filled = fill_unseen(damaged, magnified_blue)
    assert np.array_equal(filled[..., :2], picture[..., :2])
    assert np.array_equal(filled[seen[2] == 1], picture[seen[2] == 1])
    assert np.abs(filled - picture)[unseen].max() < 0.01
    assert np.abs(damaged - picture)[unseen].max() > 0.5


def test_two_colours_that_leave_the_frame_are_filled_one_after_the_other(picture: np.ndarray) -> None:
    bank = bank_with(0.15, 0, OUTWARD)
    seen = seen_share(bank, (SIDE, SIDE))
    assert seen is not None
    assert seen[0].mean() > seen[2].mean()
    grey = np.repeat(picture[..., 1:2], 3, axis=2)
    damaged = grey.copy()
    damaged[..., 0][seen[0] == 0] = 0
    damaged[..., 2][seen[2] == 0] = 1
    filled = fill_unseen(damaged, bank)
    assert np.abs(filled - grey)[seen[2] == 0].max() < 0.01


def test_the_joint_filter_gives_the_rim_the_colour_of_the_scene(magnified_blue: PsfBank) -> None:
    """A grey scene that varies by 50 of 255: the filter alone mirrors blue at the frame's edge, wrong by 48."""
    scene = gaussian_filter(np.random.default_rng(0).standard_normal((2 * SIDE, 2 * SIDE)), 3)
    scene = 120 + 50 * scene / scene.std()
    at = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    captured = np.stack(
        [map_coordinates(scene, at / (1 + slope) + SIDE - 0.5, order=3) for slope in (0, 0, OUTWARD)], axis=-1
    )
    restored = wiener_joint(captured.clip(0, 255).astype(np.uint8), magnified_blue, 10.0).astype(float)
    rim = np.abs(at).max(axis=0) > 42
    assert np.abs(restored[..., 2] - restored[..., 1])[rim].mean() < 8
