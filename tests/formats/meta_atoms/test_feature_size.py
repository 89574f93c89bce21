"""Smallest features and gaps against lengths that are known."""

import numpy as np
import pytest

from metalens.formats.meta_atoms.feature_size import feature_and_gap
from metalens.formats.meta_atoms.shapes import Family

PITCH = 350.0
U_SHAPE = ((0, 0), (6, 0), (6, 6), (4, 6), (4, 1), (2, 1), (2, 6), (0, 6))
HOURGLASS = ((0, 0), (6, 0), (3.2, 3), (6, 6), (0, 6), (2.8, 3))


@pytest.mark.parametrize(
    ("family", "lengths", "feature", "gap"),
    [
        (Family("round_pillar"), [200], 200, 150),
        (Family("square_hole"), [200], 150, 200),
        (Family("annular_pillar"), [250, 130], 60, 100),
        (Family("annular_pillar"), [250, 80], 85, 80),
        (Family("elliptical_pillar"), [100, 250], 100, 100),
        (Family("cross_pillar"), [250, 80], 80, 100),
        # Between the legs, not between neighbours.
        (Family("h_pillar"), [240, 200, 90, 50], 50, 60),
        (Family("h_pillar"), [240, 200, 70, 80], 70, 100),
        # The height over the longest side, 3 × 4 / 5 of legs 3 and 4; 4 is 200 nm.
        (Family("polygonal_pillar", 0.0, ((0, 0), (4, 0), (0, 3))), [200], 120, None),
        (Family("polygonal_pillar", 0.7, ((0, 0), (4, 0), (0, 3))), [200], 120, None),
        # The bar below is 1 of 6 high, and the notch 2 of 6 wide.
        (Family("polygonal_pillar", 0.0, U_SHAPE), [240], 40, 80),
        (Family("polygonal_pillar", 0.0, HOURGLASS), [240], 16, 110),
    ],
)
def test_a_feature_is_the_narrowest_place_inside_and_a_gap_the_narrowest_outside(family, lengths, feature, gap):
    found = feature_and_gap(family, np.array(lengths, dtype=float), PITCH * np.eye(2))
    assert found[0] == pytest.approx(feature, rel=1e-9)
    if gap is not None:
        assert found[1] == pytest.approx(gap, rel=1e-9)


def test_the_unit_does_not_matter():
    family, lengths = Family("h_pillar", 0.2), np.array([200.0, 160.0, 60.0, 40.0])
    small = feature_and_gap(family, 1e-9 * lengths, 1e-9 * PITCH * np.eye(2))
    np.testing.assert_allclose(small, 1e-9 * np.array(feature_and_gap(family, lengths, PITCH * np.eye(2))), rtol=1e-9)


def test_on_a_hexagonal_lattice_neighbours_stand_in_six_directions():
    vectors = PITCH * np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
    tall = feature_and_gap(Family("elliptical_pillar"), np.array([60.0, 300.0]), vectors)
    wide = feature_and_gap(Family("elliptical_pillar"), np.array([300.0, 60.0]), vectors)
    assert wide[1] == pytest.approx(PITCH - 300)
    assert tall[1] > 2 * wide[1]
