"""Means from the mean to the worst, in logarithms."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.psf.design.power_mean import log_power_mean, reduced

VALUES = jnp.asarray([[0.2, 0.5], [0.9, 0.4]])
WEIGHT = jnp.asarray([[0.3], [0.7]])


def test_the_first_mean_is_the_weighted_one_and_the_zeroth_the_geometric() -> None:
    share = np.broadcast_to(WEIGHT, (2, 2)) / 2
    assert np.exp(log_power_mean(VALUES, WEIGHT, 1.0)) == pytest.approx(float((share * VALUES).sum()), rel=1e-6)
    assert log_power_mean(VALUES, WEIGHT, 0.0) == pytest.approx(float((share * np.log(VALUES)).sum()), rel=1e-5)


def test_the_limits_are_the_extremes() -> None:
    assert np.exp(log_power_mean(VALUES, WEIGHT, -np.inf)) == pytest.approx(0.2)
    assert np.exp(log_power_mean(VALUES, WEIGHT, np.inf)) == pytest.approx(0.9)
    assert np.exp(log_power_mean(VALUES, WEIGHT, 1e-3)) == pytest.approx(
        float(np.exp(log_power_mean(VALUES, WEIGHT, 0.0))), rel=1e-3
    )


# Three lengths, since every further one is compiled anew.
LISTS = st.sampled_from([1, 4, 12]).flatmap(lambda size: st.lists(st.floats(1e-6, 1e3), min_size=size, max_size=size))


@settings(deadline=None, max_examples=30)
@given(LISTS, st.floats(1, 40))
def test_the_soft_worst_lies_between_the_worst_and_a_known_bound(values: list[float], sharpness: float) -> None:
    array, count = jnp.asarray(values), len(values)
    low = float(reduced(array, jnp.ones(()), "soft_worst", sharpness, larger_is_better=True))
    high = float(reduced(array, jnp.ones(()), "soft_worst", sharpness, larger_is_better=False))
    least, most, room = np.log(min(values)), np.log(max(values)), np.log(count) / sharpness
    assert least - 1e-4 <= low <= least + room + 1e-4
    assert most - room - 1e-4 <= high <= most + 1e-4


def test_the_worst_does_not_depend_on_the_weights_and_the_mean_does() -> None:
    other = jnp.asarray([[0.9], [0.1]])
    for reduction, same in (("worst", True), ("soft_worst", True), ("mean", False), ("log_mean", False)):
        found = [reduced(VALUES, weight, reduction, 8.0, larger_is_better=True) for weight in (WEIGHT, other)]  # type: ignore[arg-type]
        assert bool(found[0] == found[1]) is same


def test_zero_counts_as_very_little_and_not_as_infinity() -> None:
    assert np.isfinite(log_power_mean(jnp.asarray([0.0, 1.0]), jnp.ones(()), -8.0))
