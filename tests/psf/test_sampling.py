"""Rays, grids and samplings: what is chosen before an engine runs."""

import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.optics import EvenPolynomial, Hyperbolic, Metalens
from metalens.optics.source import PlaneWave
from metalens.psf.engines.grid import choose_grid
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.engines.sampling import choose_sampling
from metalens.psf.rays import pupil_points, ray_landing

ON_AXIS, OFF_AXIS = (PlaneWave(jnp.array(direction)) for direction in ((0.0, 0.0), (0.0, 0.2)))
LENS = Metalens(0.5e-3, 1e-3, Hyperbolic(1e-3, 532e-9))


def test_the_rays_of_a_hyperbolic_lens_meet_on_its_axis():
    landing, inside = ray_landing(LENS, ON_AXIS, 532e-9, *pupil_points(LENS))
    assert np.abs(landing).max() < 1e-9
    assert np.asarray(inside).all()


def test_a_larger_window_takes_more_tiles_and_their_number_is_odd():
    counts = [choose_sampling(LENS, 511e-9, OFF_AXIS, half).tiles for half in (10e-6, 40e-6, 80e-6)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    assert all(count % 2 for count in counts)


def test_the_grid_resolves_the_light_of_every_field():
    grid = choose_grid(LENS, 450e-9, [OFF_AXIS], ImageWindow((101, 101), 1.75e-6, integrate_pixels=True))
    step = 1.75e-6 / grid.subsamples
    # Nyquist for the waves from rim to window, and for the lens' own phase.
    assert 0.5 / step > np.sin(np.arctan((250e-6 + 88e-6) / 1e-3)) / 450e-9
    assert 0.5 / step > np.sin(np.arctan(0.25)) / 532e-9
    assert grid.size[0] * step > 0.5e-3 + 101 * 1.75e-6


def test_a_phase_too_steep_to_sample_is_refused():
    steep = Metalens(0.5e-3, 1e-3, EvenPolynomial(np.array([-3e4]), 0.25e-3))
    with pytest.raises(InputError, match="slope of the phase"):
        choose_grid(steep, 450e-9, [ON_AXIS], ImageWindow((101, 101), 1.75e-6, integrate_pixels=True))
