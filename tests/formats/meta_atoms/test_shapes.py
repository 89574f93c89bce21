"""Cross-sections: outlines with the areas of closed forms, centroids on the site, and polygons that are none."""

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.polygon import area_of, centred, contains, leaves_cell, turned
from metalens.formats.meta_atoms.shapes import Family, possible
from tests.formats.meta_atoms.shape_examples import EXAMPLES, L_SHAPE

EACH = pytest.mark.parametrize("name", EXAMPLES)
SQUARE_CELL = np.eye(2)
HEXAGONAL_CELL = np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])


@EACH
def test_an_outline_is_anticlockwise_with_the_area_of_its_shape_and_its_centroid_on_the_site(name):
    family, lengths, area = EXAMPLES[name]
    outline = family.outline(np.array(lengths, dtype=float), corners=1024)
    # Of 1024 corners on an ellipse, sinc(2π/1024) of its area is less by 6·10⁻⁶.
    assert area_of(outline) == pytest.approx(area, rel=1e-5)
    np.testing.assert_allclose(outline, centred(outline), atol=1e-9)


@EACH
def test_turning_a_family_turns_its_outline(name):
    family, lengths, _ = EXAMPLES[name]
    upright = Family(family.shape, 0.0, family.vertices).outline(np.array(lengths, dtype=float))
    np.testing.assert_allclose(
        family.outline(np.array(lengths, dtype=float)), turned(upright, family.rotation), atol=1e-9
    )


def test_a_polygon_has_its_size_as_the_longer_side_of_its_box_whatever_unit_and_order_its_vertices_have():
    expected = Family("polygonal_pillar", 0.0, L_SHAPE).outline(np.array([210.0]))
    assert np.ptp(expected, axis=0) == pytest.approx([210, 140])
    shifted = tuple((100 + 7 * x, -3 + 7 * y) for x, y in L_SHAPE[::-1])
    found = Family("polygonal_pillar", 0.0, shifted).outline(np.array([210.0]))
    assert {tuple(each) for each in np.round(found, 6)} == {tuple(each) for each in np.round(expected, 6)}


def test_arms_as_wide_as_long_make_a_square_and_a_bar_as_wide_as_the_legs_are_long_a_rectangle():
    square = Family("square_pillar").outline(np.array([200.0]))
    cross = Family("cross_pillar").outline(np.array([200.0, 200.0]))
    assert {tuple(each) for each in cross} == {tuple(each) for each in square}
    rectangle = Family("rectangular_pillar").outline(np.array([240.0, 200.0]))
    filled = Family("h_pillar").outline(np.array([240.0, 200.0, 70.0, 200.0]))
    assert {tuple(each) for each in filled} == {tuple(each) for each in rectangle}


def test_what_a_mirror_and_a_quarter_turn_leave_as_it_is():
    def family(shape, degrees=0.0):
        return Family(shape, np.radians(degrees))

    assert family("cross_pillar").turned_alike
    assert family("elliptical_pillar").mirrored
    assert family("elliptical_pillar", 90).mirrored
    assert not family("elliptical_pillar").turned_alike
    assert not family("h_pillar", 30).mirrored
    assert not Family("polygonal_pillar", 0.0, L_SHAPE).mirrored


def test_lengths_that_make_no_cross_section_are_known():
    np.testing.assert_array_equal(possible("cross_pillar", np.array([[2, 1], [1, 1], [1, 2]])), [True, True, False])
    np.testing.assert_array_equal(
        possible("h_pillar", np.array([[5, 5, 2, 5], [4, 5, 2, 5], [5, 5, 2, 6]])), [True, False, False]
    )


@pytest.mark.parametrize(
    ("vertices", "message"),
    [
        (((0, 0), (1, 1), (1, 0), (0, 1)), "its edge from vertex 1 meets that from vertex 3"),
        (((0, 0), (2, 0), (2, 2), (2, 1), (0, 1)), "its edge from vertex 2 meets that from vertex 4"),
        (((0, 0), (4, 0), (4, 2), (2, 0), (0, 2)), "its edge from vertex 1 meets that from vertex 3"),
        (((0, 0), (1, 0), (0, 1), (0, 0)), "vertices 4 and 1 are the same point"),
        (((0, 0), (1, 1), (2, 2)), "has no area"),
        (((0, 0), (1, 0)), "expected 3 to 199 pairs"),
        (((0, 0), (1, 0), (0, np.inf)), "not finite"),
    ],
)
def test_vertices_that_make_no_polygon_are_refused(vertices, message):
    with pytest.raises(InputError, match=message):
        Family("polygonal_pillar", 0.0, vertices)


def test_only_polygons_have_vertices_and_only_some_shapes_are_turned():
    with pytest.raises(InputError, match="a polygonal_pillar needs vertices"):
        Family("polygonal_pillar")
    with pytest.raises(InputError, match="a cross_pillar has no vertices"):
        Family("cross_pillar", 0.0, L_SHAPE)
    with pytest.raises(InputError, match="a round_pillar has no rotation"):
        Family("round_pillar", 0.1)


@EACH
def test_the_share_of_random_places_within_an_outline_is_its_area(name):
    family, lengths, area = EXAMPLES[name]
    x, y = np.random.default_rng(5).uniform(-175, 175, (2, 200_000))
    share = contains(family.outline(np.array(lengths, dtype=float)), x, y).mean()
    # Five standard deviations; a polygon of 64 corners has 0.2 % less than its ellipse.
    fraction = area / 350**2
    assert share == pytest.approx(fraction, abs=5 * np.sqrt(fraction / 200_000) + 2e-3 * fraction)


def test_a_polygon_is_turned_exactly_by_quarters():
    square = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(turned(square, np.pi / 2), [[-2, 1], [-4, 3]])


def test_a_cell_ends_half_way_to_each_neighbour():
    small = np.array([[0.49, 0.49]])
    assert not leaves_cell(small, SQUARE_CELL)
    assert leaves_cell(np.array([[0.5, 0.0]]), SQUARE_CELL)
    # The hexagon's corners are 1/√3 away, above and below the site.
    assert leaves_cell(small, HEXAGONAL_CELL)
    assert not leaves_cell(np.array([[0.0, 0.57]]), HEXAGONAL_CELL)
    assert leaves_cell(np.array([[0.0, 0.58]]), HEXAGONAL_CELL)
