"""Chief rays behind a stop: from a place on the sensor to the field angle that is seen there."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.files.errors import InputError
from metalens.optics import EvenPolynomial, Metalens, Plate, Quadratic, Stop
from metalens.psf.rays import chief_ray, direction_to

GREEN = 530e-9
FOLDING = (
    *(-1860.5095, 4311.9816, -39133.7098, 184922.185, -502668.9814),
    *(819367.1212, -795688.6503, 430684.2987, -106559.7305, 4971.4408),
)
"""Coefficients in radians of a lens that a design returned: its image is not monotone in the field angle everywhere."""


def behind_a_stop(coefficients: tuple[float, ...], glass: float = 900e-6) -> Metalens:
    return Metalens(
        aperture_diameter=1e-3,
        focal_length=900e-6,
        phase=EvenPolynomial(np.array(coefficients), 500e-6),
        stop=Stop(150e-6, 0.0),
        substrate=Plate(glass, 1.4607),
    )


def landing(lens: Metalens, direction: tuple[float, float]) -> np.ndarray:
    return np.asarray(chief_ray(lens, jnp.asarray(GREEN), jnp.asarray(direction)).landing, dtype=float)


def test_the_axial_ray_of_a_symmetric_lens_meets_the_middle_of_the_sensor():
    assert direction_to(behind_a_stop(FOLDING), GREEN, 0.0, 0.0) == (0.0, 0.0)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 1.0])
def test_a_chief_ray_lands_where_it_was_sought(share: float):
    lens = behind_a_stop(FOLDING)
    place = share * np.array([-350e-6, 200e-6])
    direction = direction_to(lens, GREEN, *place)
    np.testing.assert_allclose(landing(lens, direction), place, atol=3e-9)
    # On the meridian of the place, on its side of the axis.
    assert direction[0] / direction[1] == pytest.approx(place[0] / place[1], rel=1e-3)
    assert direction[1] > 0


@settings(max_examples=25, deadline=None)
@given(
    coefficients=st.lists(st.floats(-1, 1), min_size=4, max_size=4),
    focal=st.floats(0.7, 1.5),
    place=st.floats(0.05, 0.5),
)
def test_the_branch_that_begins_at_the_axis_is_the_one_that_is_found(coefficients, focal, place):
    """Along the sensor's radius the field angle rises, or the image is told to end before."""
    quadratic = -np.pi / (GREEN * 900e-6 * focal) * 500e-6**2
    lens = behind_a_stop((quadratic, *(800.0 * each for each in coefficients)))
    radius = 1e-3 * place * np.linspace(0.25, 1, 4)
    found = []
    for each in radius:
        try:
            found.append(direction_to(lens, GREEN, 0.0, each)[1])
        except InputError as error:
            assert "the image ends at" in str(error)  # noqa: PT017 - most lenses have no such end
            break
    assert all(np.diff([0.0, *found]) > 0)
    for each, direction in zip(radius, found, strict=False):
        np.testing.assert_allclose(landing(lens, (0.0, direction)), [0, each], atol=3e-9)


def test_where_the_image_folds_over_is_told():
    lens = behind_a_stop((-800.0, -30000.0))
    with pytest.raises(InputError, match=r"no chief ray through the stop reaches \(0, 480\).*the image ends at \(0, "):
        direction_to(lens, GREEN, 0.0, 480e-6)


def test_a_lens_without_a_stop_sees_a_place_by_the_ray_through_its_centre():
    lens = Metalens(2e-4, 9e-4, Quadratic(9e-4, GREEN))
    assert direction_to(lens, GREEN, 3e-4, 0.0) == pytest.approx((3e-4 / np.hypot(3e-4, 9e-4), 0.0))
