"""The error of interpolation between nodes, estimated and measured, against functions known everywhere."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.psf.bank import Layout, PsfBank, grid_positions, sum_subpixels
from metalens.psf import bank as bank_module
from metalens.psf import simulate_bank
from metalens.psf.external_bank import bank_of_functions
from metalens.psf.interpolation.functions import field_functions
from metalens.psf.interpolation.held_out import MARGIN, between_radii, held_out_error
from metalens.psf.interpolation.natural_scenes import scene_error_power, scene_power
from metalens.psf.interpolation.node_error import RAISED, even_places, node_error
from metalens.psf.node_count import places_between

KERNEL, HALF_SIDE = 21, 300e-6
CAMERA = read_camera("metacamera")


def spreading(position: np.ndarray) -> np.ndarray:
    """Round Gaussians that become wider away from the axis, ``[place, 3, y, x]``; they sum to 1."""
    distance = np.hypot(*position.T) / HALF_SIDE
    y, x = np.mgrid[:KERNEL, :KERNEL] - KERNEL // 2
    width = 1.5 + 0.5 * np.cos(3 * distance)[:, None, None]
    functions = np.exp(-0.5 * (y**2 + x**2) / width**2)
    functions /= functions.sum(axis=(-2, -1), keepdims=True)
    return np.repeat(functions[:, None], 3, axis=1)


@cache
def bank_of_one() -> PsfBank:
    return bank_of_functions(CAMERA, spreading(np.zeros((1, 2))), np.zeros((1, 2)), layout="scattered", provenance={})


def bank_at(position: np.ndarray, layout: Layout) -> PsfBank:
    """A bank of :func:`spreading`, whose figures are those of one function: no error is formed of them."""
    one, places = bank_of_one(), np.zeros(len(position), int)
    return replace(
        one,
        intensity=spreading(position).astype(np.float32),
        position=position,
        layout=layout,
        by_channel=one.by_channel.take(places),
    )


def grid(count: int) -> PsfBank:
    along = np.linspace(-HALF_SIDE, HALF_SIDE, count)
    return bank_at(grid_positions(along, along), "grid")


def radius(count: int) -> PsfBank:
    along = np.linspace(0, np.sqrt(2) * HALF_SIDE, count)
    return bank_at(np.stack([np.zeros(count), along], axis=1), "radial")


def scattered(count: int) -> PsfBank:
    edge = np.linspace(-HALF_SIDE, HALF_SIDE, count)
    aside = np.random.default_rng(3).uniform(-0.2, 0.2, (count, count, 2)) * (edge[1] - edge[0])
    aside[[0, -1]] = aside[:, [0, -1]] = 0
    return bank_at(grid_positions(edge, edge) + aside.reshape(-1, 2), "scattered")


EVERYWHERE = even_places(np.full(2, -HALF_SIDE), np.full(2, HALF_SIDE))
ALONG_X = np.stack([np.zeros(400), np.linspace(0, np.sqrt(2) * HALF_SIDE, 400)], axis=1)
"""Where radial functions are not rotated, which has an error of its own."""


@pytest.mark.parametrize(
    ("bank", "places"),
    [(grid(9), EVERYWHERE), (scattered(11), EVERYWHERE), (radius(7), ALONG_X), (radius(11), ALONG_X)],
    ids=["9 x 9", "scattered", "7 radii", "11 radii"],
)
def test_the_error_is_that_of_functions_known_between_the_nodes(bank, places):
    """To 4 dB: functions do not change as the wave or the square does. Along the radius it is raised on purpose."""
    functions = field_functions(bank, registered=False)
    some = places[np.random.default_rng(0).choice(len(places), 300, replace=False)]
    differences = (functions.at(some) - spreading(some)).reshape(-1, KERNEL, KERNEL)
    true = np.sqrt(scene_error_power(differences, scene_power((KERNEL, KERNEL))))
    raised = RAISED if bank.layout == "radial" else 1
    assert abs(np.log10(node_error(functions, places) / raised / true)) < 0.2


def radii_of_a_grid(count: int) -> PsfBank:
    """Distances from the axis of the nodes of a grid, very unevenly far apart."""
    along = np.unique(np.round(np.hypot(*np.meshgrid(*[np.linspace(0, HALF_SIDE, count // 2 + 1)] * 2)), 12))
    return bank_at(np.stack([np.zeros(len(along)), along], axis=1), "radial")


@pytest.mark.parametrize(
    ("bank", "most"),
    [(grid(9), 1.4), (grid(13), 1.4), (radius(5), 2.1), (radius(7), 1.4), (radii_of_a_grid(5), 1.4)],
    ids=["9 x 9", "13 x 13", "5 radii", "7 radii", "radii of 5 x 5"],
)
def test_the_measured_error_is_never_too_small(bank, most):
    """And not more than a few decibels too large; functions along the radius are rotated to the places, too."""
    functions = field_functions(bank, registered=False)
    places = places_between(bank, functions)
    measured = held_out_error(functions, places, spreading(places.position), 1, bank.pixel_pitch)
    differences = (functions.at(EVERYWHERE) - spreading(EVERYWHERE)).reshape(-1, KERNEL, KERNEL)
    true = np.sqrt(scene_error_power(differences, scene_power((KERNEL, KERNEL))))
    assert true < measured < most * true


def wandering(position: np.ndarray) -> np.ndarray:
    """Gaussians whose colours land at 0.99, 1 and 1.02 of the distance; in sub-pixels, 3 a pixel."""
    y, x = (np.mgrid[: 3 * KERNEL, : 3 * KERNEL] - 3 * KERNEL // 2) / 3
    shift = position[:, None] / CAMERA.sensor.pixel_pitch_m * np.array([-0.01, 0.0, 0.02])[:, None]
    width = 1.2 + 0.2 * np.cos(3 * np.hypot(*position.T) / HALF_SIDE)[:, None, None, None]
    functions = np.exp(-0.5 * ((y - shift[..., 0, None, None]) ** 2 + (x - shift[..., 1, None, None]) ** 2) / width**2)
    return functions / functions.sum(axis=(-2, -1), keepdims=True)


def test_lateral_colour_is_no_error_where_functions_are_moved():
    along = np.linspace(0, np.sqrt(2) * HALF_SIDE, 5)
    position = np.stack([np.zeros(5), along], axis=1)
    bank = bank_of_functions(CAMERA, sum_subpixels(wandering(position), 3), position, layout="radial", provenance={})
    errors = []
    for functions in (field_functions(bank, registered=each) for each in (True, False)):
        places = places_between(bank, functions)
        errors.append(held_out_error(functions, places, wandering(places.position), 3, bank.pixel_pitch))
    assert errors[0] < 0.25 * errors[1]


def landing_nodes(nodes: np.ndarray, *magnification: float) -> tuple[np.ndarray, np.ndarray]:
    """Radii, mirrored ones first, and where colours of these magnifications land."""
    radius = np.concatenate([-nodes[4:0:-1], nodes])
    return radius, radius[:, None] * np.array(magnification)


def test_every_part_of_the_sensor_counts_once():
    distance = np.linspace(0, 1, 1001)[:-1]
    nodes = np.linspace(0, 1, 9)
    even = between_radii(*landing_nodes(nodes, 1.0), distance)
    # The places have the mean error of their gaps to the nearest step that was tried.
    assert even.weight.sum() == pytest.approx(MARGIN, rel=0.02)
    # A narrow gap has next to no error, and nothing is simulated there.
    nodes = np.array([0, 0.4, 0.5, 1.0])
    uneven = between_radii(*landing_nodes(nodes, 1.0), distance)
    inner, outer = np.hypot(*uneven.position.T)
    assert 0 < inner < 0.4
    assert 0.5 < outer < 1
    np.testing.assert_allclose(uneven.weight[:, 0], MARGIN * np.array([0.4, 0.5]), rtol=0.05)


def test_the_rim_in_which_a_colour_has_its_last_function_counts_too():
    """Red lands at 0.9 of the distance: in the last tenth of the sensor its function of the last node is held."""
    distance, nodes = np.linspace(0, 1, 1001)[:-1], np.linspace(0, 1, 9)
    places = between_radii(*landing_nodes(nodes, 0.9, 1.0, 1.1), distance)
    assert np.hypot(*places.position[-1]) == pytest.approx(1)
    np.testing.assert_allclose(places.weight[-1], MARGIN * np.array([0.1, 0, 0]), rtol=0.02)
    np.testing.assert_allclose(places.weight.sum(axis=0), MARGIN, rtol=0.05)


def test_half_the_distance_leaves_a_quarter_of_the_error_of_hat_windows():
    coarse, fine = (node_error(field_functions(grid(count), registered=False), EVERYWHERE) for count in (13, 25))
    assert coarse / fine == pytest.approx(4, rel=0.1)


def test_functions_that_are_alike_everywhere_have_no_error():
    bank = radius(5)
    alike = np.repeat(bank.intensity[:1], 5, axis=0)
    bank = bank_of_functions(CAMERA, alike, bank.position, layout="radial", provenance={})
    assert node_error(field_functions(bank, registered=False), ALONG_X) < 1e-6


@pytest.mark.parametrize("bank", [grid(2), radius(2)], ids=["grid", "radius"])
def test_too_few_nodes_tell_nothing(bank):
    assert np.isnan(node_error(field_functions(bank, registered=False), np.zeros((1, 2))))


@pytest.fixture(scope="module")
def small_camera():
    return read_camera("hyperbolic").with_(
        lens={"aperture_um": 40, "focal_length_um": 100}, sensor={"pixels": (16, 16), "pixel_pitch_um": 1}
    )


ASKED = {"wavelengths_per_channel": 1, "window": (25, 25)}


@pytest.mark.long
def test_fields_are_refined_until_the_error_is_small_enough(small_camera, monkeypatch):
    coarse = simulate_bank(small_camera, **ASKED)
    error = float(coarse.provenance["node_error"])
    assert len(coarse.position) == 49
    assert error <= float(coarse.provenance["node_error_wanted"]) == 1e-3
    told = []
    monkeypatch.setattr(bank_module, "LARGEST_ERROR", 0.9 * error)
    fine = simulate_bank(small_camera, **ASKED, progress=lambda *done: told.append(done))
    assert float(fine.provenance["node_error"]) < error
    # Of 28 fields of an octant ten were known.
    # Then as many again between the widest gaps, each time.
    fields, between = [[(done + 1, total) for done in range(total)] for total in (10, 18)], told[10:14]
    assert told == fields[0] + between + fields[1] + told[32:]
    assert between == [(done + 1, 4) for done in range(4)]


# All 28 fields once more.
@pytest.mark.long
def test_refined_fields_are_those_that_are_asked_for(small_camera, monkeypatch):
    error = float(simulate_bank(small_camera, **ASKED).provenance["node_error"])
    monkeypatch.setattr(bank_module, "LARGEST_ERROR", 0.9 * error)
    fine = simulate_bank(small_camera, **ASKED)
    asked = simulate_bank(small_camera, fields=(13, 13), **ASKED)
    assert np.array_equal(fine.intensity, asked.intensity)
    assert np.array_equal(fine.subpixel_intensity, asked.subpixel_intensity)
    assert "node_error" not in asked.provenance


@pytest.mark.long
def test_the_finest_grid_tells_that_it_is_not_fine_enough(small_camera, monkeypatch):
    """The sensor has 16 pixels a side: no grid is finer than 13 × 13."""
    monkeypatch.setattr(bank_module, "LARGEST_ERROR", 1e-12)
    bank = simulate_bank(small_camera, **ASKED)
    assert len(bank.position) == 169
    assert float(bank.provenance["node_error"]) > float(bank.provenance["node_error_wanted"]) == 1e-12
