"""A batch equals its members one by one, though each has a sampling that suffices for itself."""

import jax
import numpy as np
import pytest

from metalens.optics import Hyperbolic, Metalens, Stop
from metalens.psf import psf_simulator
from metalens.psf.engines.levels import MOST_LEVELS, joined_levels
from metalens.psf.engines.sampling import Sampling, finest

LENS = Metalens(100e-6, 200e-6, Hyperbolic(200e-6, 532e-9))
WAVELENGTHS = [450e-9, 532e-9, 650e-9]
FIELDS = [0.0, (0.25, 0.4)]
REQUEST = {"window": (32, 28), "pixel_pitch": 0.5e-6}


def far_from(found, expected) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("engine", ["direction_cosine", "angular_spectrum"])
def test_a_batch_equals_its_fields_one_by_one_and_a_single_call(engine):
    simulator = psf_simulator(LENS, WAVELENGTHS[1:], FIELDS, engine=engine, **REQUEST)
    batch = np.asarray(simulator(LENS))
    by_field = np.stack([simulator.of_field(LENS, field) for field in range(len(FIELDS))])
    assert np.abs(by_field - batch).max() < 2e-6 * batch.max()
    alone = psf_simulator(LENS, WAVELENGTHS[1:2], FIELDS[1:], engine=engine, **REQUEST)
    # A finer sampling than its own changes a function by less than a thousandth.
    assert far_from(batch[1, 0], np.asarray(alone(LENS))[0, 0]) < 1e-3


def test_a_function_of_a_batch_pays_for_no_finer_sampling_than_it_needs():
    plan = psf_simulator(LENS, WAVELENGTHS, FIELDS, engine="direction_cosine", **REQUEST).plan
    assert len(plan.samplings) > 1
    alone = psf_simulator(LENS, [532e-9], [0.0], engine="direction_cosine", **REQUEST).plan
    taken = plan.samplings[plan.levels[0][1]]
    assert taken.pupil_samples < plan.samplings[0].pupil_samples
    assert taken.pupil_samples >= alone.samplings[0].pupil_samples


def test_wavelengths_that_need_fewer_subsamples_have_a_coarser_grid():
    wide = {"window": (21, 21), "pixel_pitch": 2e-6, "integrate_pixels": True}
    plan = psf_simulator(LENS, [400e-9, 900e-9], [0.0], engine="angular_spectrum", **wide).plan
    assert plan.levels == ((0, 1),)
    assert plan.grids[0].subsamples > plan.grids[1].subsamples


@pytest.mark.parametrize("engine", [pytest.param("direction_cosine", marks=pytest.mark.long), "angular_spectrum"])
def test_the_gradient_of_a_batch_is_that_of_its_members(engine):
    def slope(colours, taken):
        simulator = psf_simulator(LENS, colours, FIELDS[1:], engine=engine, **REQUEST)

        def light(length):
            return simulator(Metalens(100e-6, length, LENS.phase))[0, taken, 16, 14]

        return float(jax.jit(jax.grad(light))(200e-6))

    assert slope(WAVELENGTHS[1:], 0) == pytest.approx(slope(WAVELENGTHS[1:2], 0), rel=2e-3)


def test_a_lens_behind_a_stop_in_a_batch():
    lens = Metalens(100e-6, 200e-6, LENS.phase, stop=Stop(60e-6, 50e-6))
    simulator = psf_simulator(lens, WAVELENGTHS[:2], FIELDS, **REQUEST)
    batch = np.asarray(simulator(lens))
    alone = psf_simulator(lens, WAVELENGTHS[1:2], FIELDS[1:], **REQUEST)
    assert far_from(batch[1, 1], np.asarray(alone(lens))[0, 0]) < 1e-3


def test_few_levels_serve_many_samplings():
    wanted = [Sampling(3, samples) for samples in (64, 128, 256, 512)]

    def cost(level: Sampling, count: int) -> float:
        return count * level.tiles**2 * level.pupil_samples**2

    taken = joined_levels(wanted, cost, finest)
    assert len(set(taken.values())) <= MOST_LEVELS
    for each, level in taken.items():
        assert level.tiles >= each.tiles
        assert level.pupil_samples >= each.pupil_samples
    assert sum(cost(taken[each], 1) for each in wanted) < 0.4 * len(wanted) * cost(finest(wanted), 1)


def test_levels_that_save_little_are_joined():
    wanted = [Sampling(1, 64), Sampling(1, 65)]
    assert set(joined_levels(wanted, lambda level, count: count * level.pupil_samples, finest).values()) == {wanted[1]}
