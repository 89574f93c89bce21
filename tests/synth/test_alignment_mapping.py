"""From the sensor to the display: derivatives, the way back, and how much distortion is taken."""

from __future__ import annotations

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.synth.alignment.mapping import (
    DistortionModel,
    SensorToDisplay,
    _by_distortion,
    _by_homography,
    _distort,
    _project,
    fit_mapping,
    sensor_residual,
)
from metalens.synth.alignment.model_choice import MODELS, choose_mapping
from metalens.synth.alignment.warp import clean_on_sensor, covered, largest_rectangle

SHAPE = (240, 320)
HOMOGRAPHY = np.array([700, 30, 540, -20, 690, 530, 0.03, -0.05])
RADIAL = DistortionModel("radial", 4)


def mapping_of(model: DistortionModel, size: float = 0.05, seed: int = 0) -> SensorToDisplay:
    numbers = size * np.random.default_rng(seed).uniform(-1, 1, model.parameters)
    return SensorToDisplay(model, np.array([119.5, 159.5]), 200.0, HOMOGRAPHY, numbers)


def grid(count: int = 12) -> np.ndarray:
    y, x = np.linspace(8, 231, count), np.linspace(8, 311, count)
    return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_derivatives_are_those_of_differences(model: DistortionModel) -> None:
    numbers = mapping_of(model).distortion
    point = np.random.default_rng(1).uniform(-0.8, 0.8, (20, 2))
    for number, step in enumerate(1e-6 * np.eye(len(numbers))):
        difference = (_distort(model, numbers + step, point) - _distort(model, numbers - step, point)) / 2e-6
        np.testing.assert_allclose(_by_distortion(model, numbers, point)[..., number], difference, atol=1e-8)
    for number, step in enumerate(1e-5 * np.eye(8)):
        difference = (_project(point, HOMOGRAPHY + step)[0] - _project(point, HOMOGRAPHY - step)[0]) / 2e-5
        np.testing.assert_allclose(_by_homography(point, HOMOGRAPHY)[..., number], difference, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_way_back_is_the_inverse(model: DistortionModel) -> None:
    mapping = mapping_of(model, 0.01)
    np.testing.assert_allclose(mapping.inverse(mapping(grid())), grid(), atol=1e-6)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_fit_to_exact_dots_foresees_others(model: DistortionModel) -> None:
    truth = mapping_of(model, 0.02)
    found = fit_mapping(model, grid(), truth(grid()), shape=SHAPE)
    assert np.abs(sensor_residual(found, grid(17), truth(grid(17)))).max() < 1e-3


def test_the_model_that_made_the_dots_is_chosen_and_noise_is_not_fitted() -> None:
    truth = mapping_of(RADIAL, 0.15, seed=3)
    noise = 0.02 * np.random.default_rng(2).standard_normal((144, 2))
    found = choose_mapping(grid() + noise, truth(grid()), shape=SHAPE, name="dots")
    assert found.mapping.model.family == "radial"
    assert np.linalg.norm(sensor_residual(found.mapping, grid(17), truth(grid(17))), axis=1).mean() < 0.01
    # Root mean square of noise in two directions.
    assert found.foreseen[found.mapping.model.name] == pytest.approx(0.02 * np.sqrt(2), rel=0.25)


def test_what_is_not_radial_takes_a_polynomial() -> None:
    truth = mapping_of(DistortionModel("polynomial", 4), 0.03)
    noise = 0.02 * np.random.default_rng(2).standard_normal((144, 2))
    found = choose_mapping(grid() + noise, truth(grid()), shape=SHAPE, name="dots")
    assert found.mapping.model == DistortionModel("polynomial", 4)


def test_strays_are_left_out() -> None:
    truth = mapping_of(RADIAL, 0.05)
    place = grid()
    place[[3, 77, 140]] += [[4.0, 1.0], [-3.0, 2.0], [0.0, 5.0]]
    found = choose_mapping(place, truth(grid()), shape=SHAPE, name="dots")
    assert np.flatnonzero(~found.kept).tolist() == [3, 77, 140]
    assert np.abs(found.residual).max() < 1e-3


def test_dots_on_no_plane_grid_are_refused() -> None:
    shuffled = np.random.default_rng(0).permutation(grid())
    with pytest.raises(InputError, match=r"dots.npy: the dots lie .* px off any map of a plane grid"):
        choose_mapping(grid(), shuffled, shape=SHAPE, name="dots.npy")


def test_a_clean_picture_keeps_its_light_and_its_place() -> None:
    """A ramp is the same after averaging over pixels: its value at the middle of each."""
    mapping = SensorToDisplay(
        DistortionModel("radial", 0),
        np.array([0.0, 0.0]),
        1.0,
        np.array([2.6, 0.1, 40, -0.1, 2.6, 60, 0, 0]),
        np.zeros(0),
    )
    y, x = np.mgrid[:400, :400]
    light = np.stack([y / 400, x / 400, np.ones_like(y)], axis=-1).astype(np.float32)
    region = (10, 20, 50, 60)
    seen = clean_on_sensor(mapping, light, region, outside=np.zeros(3))
    place = np.stack(np.mgrid[10:60, 20:80], axis=-1)
    np.testing.assert_allclose(seen[..., :2], mapping(place) / 400, atol=1e-6)
    np.testing.assert_allclose(seen[..., 2], 1.0, atol=1e-6)


def test_fine_detail_is_averaged_and_not_aliased() -> None:
    mapping = SensorToDisplay(
        DistortionModel("radial", 0), np.array([0.0, 0.0]), 1.0, np.array([4.0, 0, 1.5, 0, 4.0, 1.5, 0, 0]), np.zeros(0)
    )
    board = ((np.indices((400, 400)).sum(axis=0) % 2)[..., None] * np.ones(3)).astype(np.float32)
    seen = clean_on_sensor(mapping, board, (5, 5, 60, 60), outside=np.zeros(3))
    np.testing.assert_allclose(seen, 0.5, atol=1e-6)


def test_beyond_the_display_lies_what_is_said() -> None:
    mapping = SensorToDisplay(
        DistortionModel("radial", 0), np.array([0.0, 0.0]), 1.0, np.array([1.0, 0, 0, 0, 1.0, -20, 0, 0]), np.zeros(0)
    )
    seen = clean_on_sensor(mapping, np.ones((40, 40, 1), np.float32), (0, 0, 10, 40), outside=np.array([0.25]))
    np.testing.assert_allclose(seen[1:, :18, 0], 0.25)
    np.testing.assert_allclose(seen[1:, 22:, 0], 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_rectangle_is_the_largest(seed: int) -> None:
    mask = np.random.default_rng(seed).random((9, 11)) < 0.75
    areas = [
        (b - a) * (d - c)
        for a in range(9)
        for b in range(a + 1, 10)
        for c in range(11)
        for d in range(c + 1, 12)
        if mask[a:b, c:d].all()
    ]
    top, left, rows, columns = largest_rectangle(mask)
    assert mask[top : top + rows, left : left + columns].all()
    assert rows * columns == max(areas)


def test_an_empty_mask_has_none() -> None:
    assert largest_rectangle(np.zeros((4, 5), dtype=bool)) == (0, 0, 0, 0)


def test_a_missing_dot_leaves_no_hole_in_what_is_covered() -> None:
    mapping = SensorToDisplay(
        DistortionModel("radial", 0), np.array([0.0, 0.0]), 1.0, np.array([1.0, 0, 0, 0, 1.0, 0, 0, 0]), np.zeros(0)
    )
    dots = 20.0 * (np.stack(np.mgrid[:8, :8], axis=-1).reshape(-1, 2) + 1)
    position = np.stack(np.mgrid[:200, :200], axis=-1).astype(float)
    known = covered(mapping, np.delete(dots, 27, axis=0), 20.0, (200, 200), position)
    assert known[20:161, 20:161].all()
    assert not known[:4].any()
    assert not known[180:].any()
