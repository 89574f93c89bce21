"""The target and its dots: what is displayed, where a capture's dots lie, and which is which."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import srgb_to_linear
from metalens.synth.alignment import DotTarget
from metalens.synth.alignment.dots import Dots, find_dots, recentre
from metalens.synth.alignment.labelling import label_dots
from metalens.synth.alignment.target import MARK_SIZE, MARKS

TARGET = DotTarget((300, 380), 40, 8)


def spots(position: np.ndarray, shape: tuple[int, int], width: float) -> np.ndarray:
    """Gaussian dots of light 1 at exact places."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return sum(np.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * width**2)) for v, u in position)


def lattice(rows: int, columns: int, spacing: float, generator: np.random.Generator) -> np.ndarray:
    grid = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1).reshape(-1, 2)
    return (grid + 1) * spacing + generator.uniform(-0.5, 0.5, (len(grid), 2))


def as_dots(position: np.ndarray, labels: np.ndarray) -> Dots:
    marked = (labels[:, None] == MARKS).all(axis=-1).any(axis=1)
    flux = np.where(marked, MARK_SIZE**2, 1.0)
    return Dots(position, flux, np.full(len(flux), 2.0), spacing=14.0, scale=2.0)


def test_the_picture_has_the_light_of_discs_centred_where_the_positions_say() -> None:
    light = srgb_to_linear(TARGET.picture())[..., 1].astype(np.float64)
    labels = TARGET.labels()
    marked = (labels[:, None] == MARKS).all(axis=-1).any(axis=1)
    for (y, x), mark in zip(TARGET.positions(labels), marked, strict=True):
        part = np.s_[round(y) - 16 : round(y) + 17, round(x) - 16 : round(x) + 17]
        rows, columns = np.mgrid[part]
        total = light[part].sum()
        radius = 8 * (MARK_SIZE if mark else 1.0)
        # Coverage by distance is exact to about a hundredth of the area at this size; 8 bits add less.
        assert total == pytest.approx(np.pi * radius**2, rel=0.02)
        assert (light[part] * rows).sum() / total == pytest.approx(y, abs=0.01)
        assert (light[part] * columns).sum() / total == pytest.approx(x, abs=0.01)


def test_the_grid_is_centred_and_leaves_half_a_spacing_free() -> None:
    positions = TARGET.positions(TARGET.labels())
    np.testing.assert_allclose(positions.mean(axis=0), [149.5, 189.5])
    assert positions.min() >= 20
    assert (positions <= np.array([299, 379]) - 20).all()


@pytest.mark.parametrize(
    ("pixels", "spacing", "radius", "message"),
    [
        ((300, 300), 40, 1, "expected a radius of 2 px at least"),
        ((300, 300), 40, 15, "0.28 of the spacing at most"),
        ((300, 300), 40, float("nan"), "radius nan: a finite number was expected"),
        ((150, 300), 40, 8, "fewer than five dots of spacing 40 px a side"),
    ],
)
def test_a_target_that_cannot_be_seen_is_refused(
    pixels: tuple[int, int], spacing: float, radius: float, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        DotTarget(pixels, spacing, radius)


@pytest.mark.parametrize(("width", "most"), [(1.2, 0.005), (2.0, 0.02), (2.8, 0.12)])
def test_centres_of_dots_on_an_uneven_grid_are_exact_but_for_their_neighbours_light(width: float, most: float) -> None:
    place = lattice(9, 9, 16.0, np.random.default_rng(0))
    found = find_dots(spots(place, (160, 160), width), name="dots")
    distance = np.linalg.norm(found.position[:, None] - place, axis=-1).min(axis=1)
    assert len(found.position) == len(place)
    assert distance.max() < most
    assert found.spacing == pytest.approx(16.0, abs=1.0)


def test_noise_moves_centres_by_what_the_light_allows_and_haze_and_its_slope_do_not() -> None:
    generator = np.random.default_rng(1)
    place = lattice(9, 9, 16.0, generator)
    clean = spots(place, (160, 160), 2.0)
    slope = 0.3 + 0.002 * np.arange(160)[:, None] + 0.001 * np.arange(160)
    tilted = find_dots(clean + slope, name="dots").position
    assert np.linalg.norm(tilted[:, None] - place, axis=-1).min(axis=1).max() < 0.02
    noisy = find_dots(clean + 0.02 * generator.standard_normal(clean.shape), name="dots").position
    away = np.linalg.norm(noisy[:, None] - place, axis=-1).min(axis=1)
    # Least squares of a Gaussian of width s and height A knows its place to σ/(A√π) pixels: 0.011 along each axis.
    assert 0.008 < np.sqrt((away**2).mean() / 2) < 0.025


def test_another_channel_is_measured_at_the_same_dots() -> None:
    place = lattice(7, 7, 16.0, np.random.default_rng(2))
    green = find_dots(spots(place, (130, 130), 2.0), name="dots")
    red = recentre(spots(place + np.array([0.3, -0.2]), (130, 130), 2.0), green)
    np.testing.assert_allclose(red - green.position, np.broadcast_to([0.3, -0.2], red.shape), atol=0.01)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((120, 120)), "0 dots were found, at least 25"),
        (np.ones((120, 120)), "0 dots were found"),
        (np.linspace(0, 1, 120)[:, None] * np.ones(120), "0 dots were found, at least 25"),
        (spots(lattice(3, 3, 20.0, np.random.default_rng(3)), (120, 120), 2.0), "9 dots were found, at least 25"),
    ],
)
def test_what_shows_no_grid_is_refused(image: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=f"dots.npy: {message}"):
        find_dots(image, name="dots.npy")


def test_dots_that_run_into_each_other_are_unsharp() -> None:
    place = lattice(11, 11, 12.0, np.random.default_rng(4))
    with pytest.raises(
        InputError, match=r"unsharp: half-way between the dots there is 0\.\d\d of their light, at most 0\.5"
    ):
        find_dots(gaussian_filter(spots(place, (156, 156), 3.0), 2.0), name="dots")


def seen_through(labels: np.ndarray, matrix: np.ndarray, mirror: bool) -> np.ndarray:
    plane = np.concatenate([labels * [1, -1 if mirror else 1], np.ones((len(labels), 1))], axis=1) @ matrix.T
    return plane[:, :2] / plane[:, 2:]


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("turn", [0.0, 0.3, 0.8, np.pi / 2, 2.5, np.pi, -1.2])
def test_labels_are_found_in_any_orientation_and_perspective(turn: float, mirror: bool) -> None:
    generator = np.random.default_rng(5)
    labels = generator.permutation(TARGET.labels())
    cos, sin = 14 * np.cos(turn), 14 * np.sin(turn)
    matrix = np.array([[cos, -sin, 100], [sin, cos, 100], [0.012, -0.015, 1]])
    position = seen_through(labels, matrix, mirror)
    found = label_dots(as_dots(position, labels), TARGET, name="dots")
    assert len(found.label) == len(labels)
    np.testing.assert_array_equal(found.label, labels[found.index])
    assert found.mirrored is mirror


def test_missing_dots_are_stepped_over_and_stray_ones_get_no_label() -> None:
    generator = np.random.default_rng(6)
    labels = TARGET.labels()
    near = np.abs(labels).max(axis=1) <= 1
    kept = labels[near | (generator.random(len(labels)) > 0.2)]
    strays = generator.uniform(0, 14 * 7, (6, 2)) - 14 * 3.5
    position = np.concatenate([14.0 * kept + 0.3 * generator.standard_normal(kept.shape), strays])
    everything = np.concatenate([kept, np.full((6, 2), 99)])
    apart = np.linalg.norm(strays[:, None] - 14.0 * labels, axis=-1).min(axis=1) > 5
    found = label_dots(as_dots(position, everything), TARGET, name="dots")
    right = (found.label == everything[found.index]).all(axis=1)
    assert len(found.label) >= len(kept) - 3
    assert right[everything[found.index, 0] != 99].all()
    assert not set(found.index) & set(len(kept) + np.flatnonzero(apart))


def test_without_the_marks_nothing_is_counted() -> None:
    labels = TARGET.labels()
    even = as_dots(14.0 * labels, labels)
    plain = Dots(even.position, np.ones(len(labels)), even.width, 14.0, 2.0)
    with pytest.raises(InputError, match="three larger dots in the target's middle were not found"):
        label_dots(plain, TARGET, name="dots")


def test_an_island_of_few_dots_around_the_marks_is_refused() -> None:
    labels = TARGET.labels()
    near = (np.abs(labels) <= 1).all(axis=1) | ((labels == [0, 2]).all(axis=1)) | ((labels == [1, 2]).all(axis=1))
    away = labels[(np.abs(labels[:, 1]) >= 4)]
    kept = np.concatenate([labels[near], away])
    place = 14.0 * kept + np.where(np.abs(kept[:, 1:]) >= 4, [[300.0, 300.0]], 0.0)
    with pytest.raises(InputError, match=r"of \d+ dots could be counted from the marked ones, at least 25"):
        label_dots(as_dots(place, kept), TARGET, name="dots")
