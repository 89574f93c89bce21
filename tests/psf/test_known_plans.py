"""A request that was planned before is not planned again."""

import jax
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.optics import Hyperbolic, Metalens
from metalens.psf import psf_simulator
from metalens.psf.known_plans import MOST_PLANS, KnownPlans, lens_key

LENS = Metalens(20e-6, 50e-6, Hyperbolic(50e-6, 532e-9))
REQUEST = {"window": (16, 16), "pixel_pitch": 0.4e-6}


def test_an_equal_request_has_the_same_plan():
    first = psf_simulator(LENS, [532e-9], [0.1], **REQUEST)
    again = psf_simulator(Metalens(20e-6, 50e-6, Hyperbolic(50e-6, 532e-9)), np.array([532e-9]), [0.1], **REQUEST)
    assert again is first


@pytest.mark.parametrize(
    "change", [{"wavelengths": [600e-9]}, {"field_angles": [0.2]}, {"pixel_pitch": 0.3e-6}, {"engine": "fresnel"}]
)
def test_another_request_has_its_own(change):
    request = {"wavelengths": [532e-9], "field_angles": [0.1], **REQUEST}
    assert psf_simulator(LENS, **request) is not psf_simulator(LENS, **request | change)


def test_another_lens_has_its_own():
    longer = Metalens(20e-6, 51e-6, Hyperbolic(50e-6, 532e-9))
    assert psf_simulator(longer, [532e-9], [0.1], **REQUEST) is not psf_simulator(LENS, [532e-9], [0.1], **REQUEST)


def test_a_traced_lens_has_no_key():
    keys = []
    jax.jit(lambda length: keys.append(lens_key(Metalens(20e-6, length, LENS.phase))) or length)(50e-6)
    assert keys == [None]


def test_a_refused_request_is_refused_again():
    for _ in range(2):
        with pytest.raises(InputError, match="pixel_pitch"):
            psf_simulator(LENS, [532e-9], [0.1], window=(16, 16), pixel_pitch=-1.0)


def test_the_plans_that_were_used_last_are_kept():
    plans: KnownPlans[int] = KnownPlans()
    for number in range(MOST_PLANS + 1):
        plans.find(number, lambda number=number: number)
        plans.find(0, lambda: -1)
    assert plans.find(0, lambda: -1) == 0
    assert plans.find(1, lambda: -1) == -1
