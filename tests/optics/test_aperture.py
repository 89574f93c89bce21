"""Apertures: the distance to their edge, their area, and gradients that stay finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.files.errors import InputError
from metalens.optics import Annulus, Circle, Polygon, regular_polygon

RADIUS = 50e-6
STAR = np.array([(40, 0), (8, 12), (-30, 25), (-12, 0), (-30, -25), (8, -12)]) * 1e-6
"""(y, x) of an arrow head: a polygon that is not convex."""

APERTURES = {
    "circle": Circle(),
    "annulus": Annulus(40e-6),
    "hexagon": regular_polygon(6, 2 * RADIUS),
    "arrow": Polygon(STAR),
    "arrow_the_other_way_round": Polygon(STAR[::-1].copy()),
}
each = pytest.mark.parametrize("name", APERTURES)
edge_distance = jax.jit(lambda aperture, y, x: aperture.edge_distance(y, x, RADIUS))

PLACE = 1e-6 * (np.arange(-60, 60) + 0.5)
"""A grid of 1 µm over the disc and a little more."""


def outline(name: str) -> np.ndarray:
    """Points (y, x) on the edge, 0.1 µm or less apart."""
    turn = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    circle = np.stack([np.sin(turn), np.cos(turn)], 1)
    if name == "circle":
        return RADIUS * circle
    if name == "annulus":
        return np.concatenate([RADIUS * circle, 20e-6 * circle])
    vertices = np.asarray(APERTURES[name].vertices)
    share = np.linspace(0, 1, 1000)[:, None]
    return np.concatenate(
        [(1 - share) * a + share * b for a, b in zip(vertices, np.roll(vertices, -1, 0), strict=True)]
    )


@each
def test_the_distance_is_that_to_the_nearest_point_of_the_edge(name):
    y, x = np.random.default_rng(0).uniform(-1.2 * RADIUS, 1.2 * RADIUS, size=(2, 200))
    edge = outline(name)
    exact = np.hypot(y[:, None] - edge[:, 0], x[:, None] - edge[:, 1]).min(1)
    np.testing.assert_allclose(np.abs(edge_distance(APERTURES[name], y, x)), exact, atol=0.1e-6)


@each
def test_what_lies_inside_adds_up_to_the_area(name):
    """Counted on a grid of 1 µm; each of at most 600 µm of edge may be wrong by a random part of a square."""
    distance = edge_distance(APERTURES[name], PLACE[:, None], PLACE)
    assert (distance < 0).sum() * 1e-12 == pytest.approx(float(APERTURES[name].area(RADIUS)), rel=5e-3)


@each
def test_the_distance_grows_by_one_metre_a_metre_across_the_edge(name):
    """Its gradient on the edge is the outward normal, so that a soft edge is as wide everywhere."""
    edge = outline(name)[137::501]
    slope = jax.jit(jax.vmap(jax.grad(lambda y, x: APERTURES[name].edge_distance(y, x, RADIUS), argnums=(0, 1))))
    gradient = np.stack(slope(jnp.asarray(edge[:, 0]), jnp.asarray(edge[:, 1])), 1)
    np.testing.assert_allclose(np.hypot(*gradient.T), 1, rtol=1e-3)
    ahead = edge_distance(APERTURES[name], *(edge + 0.5e-6 * gradient).T)
    np.testing.assert_allclose(ahead, 0.5e-6, rtol=0.05)


@each
def test_gradients_are_finite_at_the_centre_and_at_corners(name):
    aperture = APERTURES[name]
    corners = getattr(aperture, "vertices", np.zeros((0, 2)))
    points = jnp.concatenate([jnp.zeros((1, 2)), jnp.asarray(corners), jnp.asarray([[0.0, RADIUS]])])
    leaves, structure = jax.tree.flatten(aperture)

    def total(leaves, y, x):
        return jax.tree.unflatten(structure, leaves).edge_distance(y, x, RADIUS).sum()

    leaves = [jnp.asarray(leaf, dtype=jnp.float32) for leaf in leaves]
    gradients = jax.jit(jax.grad(total, argnums=(0, 1, 2)))(leaves, points[:, 0], points[:, 1])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_the_gradient_in_the_parameters_moves_the_edge():
    def soft_area(aperture):
        distance = aperture.edge_distance(jnp.asarray(PLACE[::2, None]), jnp.asarray(PLACE[::2]), RADIUS)
        return 4e-12 * jax.nn.sigmoid(-distance / 1e-6).sum()

    gradient = jax.jit(jax.grad(soft_area))
    # dA/db of a ring is −πb/2 for the inner diameter b; the area of a polygon has the shoelace's gradient.
    assert float(gradient(Annulus(40e-6)).inner_diameter) == pytest.approx(-np.pi * 20e-6, rel=0.01)
    hexagon = regular_polygon(6, 80e-6)
    found = gradient(hexagon).vertices
    np.testing.assert_allclose(found, jax.grad(lambda shape: shape.area(RADIUS))(hexagon).vertices, atol=2e-6)


@given(st.sampled_from([3, 4, 6]), st.floats(10e-6, 100e-6), st.floats(-4, 4))
@settings(max_examples=10, deadline=None)
def test_a_regular_polygon_has_its_closed_form_of_area(sides, diameter, rotation):
    shape = regular_polygon(sides, diameter, rotation)
    expected = 0.5 * sides * (0.5 * diameter) ** 2 * np.sin(2 * np.pi / sides)
    assert float(shape.area(diameter)) == pytest.approx(expected, rel=1e-4)
    first = 0.5 * diameter * np.array([np.sin(rotation), np.cos(rotation)])
    np.testing.assert_allclose(shape.vertices[0], first, atol=1e-5 * diameter)


def test_only_round_openings_are_symmetric():
    assert [each.rotationally_symmetric for each in APERTURES.values()] == [True, True, False, False, False]


def test_two_sides_enclose_nothing():
    with pytest.raises(InputError, match="2 sides enclose nothing; give 3 or more"):
        regular_polygon(2, 1e-3)
