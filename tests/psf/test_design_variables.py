"""Free numbers to phase profiles and back, and what a lens.toml holds of them."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.camera.lens import Lens
from metalens.formats.design.spec import read_design
from metalens.optics import Hyperbolic, Metalens, metalens_of
from metalens.optics.phase import Phase
from metalens.optics.phase.from_lens_toml import phase_of
from metalens.psf.design.problem import problem_of
from metalens.psf.design.run import variables_of
from metalens.psf.design.variables import (
    FreeformVariables,
    PhaseVariables,
    PolynomialVariables,
    ZernikeVariables,
    zernike_indices,
)

RADIUS = 30e-6
EVERY = [
    PolynomialVariables(6, RADIUS),
    ZernikeVariables(zernike_indices(8, "rotation"), RADIUS),
    ZernikeVariables(zernike_indices(6, "mirror"), RADIUS),
    FreeformVariables(33, RADIUS),
]


def lens_of(phase: Phase) -> Metalens:
    return Metalens(2 * RADIUS, 120e-6, phase)


def places() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    reach, turn = RADIUS * np.sqrt(generator.uniform(0, 0.98, 200)), generator.uniform(0, 2 * np.pi, 200)
    return reach * np.sin(turn), reach * np.cos(turn)


@pytest.mark.parametrize("variables", EVERY, ids=lambda each: f"{type(each).__name__} {each.count}")
def test_the_closest_phase_to_a_smooth_one_is_that_one_but_for_a_constant(variables: PhaseVariables) -> None:
    wanted = Hyperbolic(120e-6, 532e-9)
    found = variables.phase(jnp.asarray(variables.closest(lens_of(wanted))))
    y, x = places()
    error = np.asarray(found.at(y, x) - wanted.at(y, x))
    # A twentieth of a radian of some forty.
    assert np.ptp(error) < 0.05


@pytest.mark.parametrize("variables", EVERY, ids=lambda each: f"{type(each).__name__} {each.count}")
def test_numbers_of_one_add_phases_of_the_order_of_one(variables: PhaseVariables) -> None:
    y, x = places()
    effect = jax.vmap(lambda row: variables.phase(row).at(y, x))(jnp.eye(variables.count))
    spread = np.asarray(effect).std(axis=1)
    inside = spread[spread > 0.02]
    assert inside.max() < 1.2
    if not isinstance(variables, FreeformVariables):
        # Orthogonal over the disc: none is a hundred times weaker than another.
        assert inside.min() > 0.15
        assert len(inside) == variables.count


@pytest.mark.parametrize("variables", EVERY, ids=lambda each: f"{type(each).__name__} {each.count}")
def test_what_a_lens_file_holds_is_the_same_phase(variables: PhaseVariables, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    numbers = variables.closest(lens_of(Hyperbolic(120e-6, 532e-9))) + generator.normal(size=variables.count)
    record = variables.record(numbers, tmp_path / "lens.toml")
    lens = Lens(aperture_um=60.0, focal_length_um=120.0, phase=record).in_folder(tmp_path)
    y, x = (jnp.asarray(each, jnp.float32) for each in places())
    wanted = variables.phase(jnp.asarray(numbers, jnp.float32)).at(y, x)
    assert np.allclose(phase_of(lens.phase, lens).at(y, x), wanted, atol=0.02)


def test_zernike_variables_leave_out_what_does_nothing() -> None:
    everything = zernike_indices(4, "none")
    assert everything == tuple(range(3, 15))
    assert zernike_indices(4, "rotation") == (4, 12)
    assert set(zernike_indices(4, "mirror")) == {4, 5, 8, 9, 12, 13, 14}
    assert ZernikeVariables(zernike_indices(4, "rotation"), RADIUS).rotationally_symmetric
    assert not ZernikeVariables(everything, RADIUS).rotationally_symmetric


def test_the_polynomials_are_those_of_the_shipped_preset() -> None:
    camera = read_camera("metacamera-200um")
    lens = camera.lens
    phase = phase_of(lens.phase, lens)
    variables = variables_of(problem_of(read_design("metacamera-200um")))
    assert isinstance(variables, PolynomialVariables)
    numbers = variables.closest(metalens_of(camera))
    record = variables.record(numbers, Path("lens.toml"))
    radius = jnp.linspace(0, 100e-6, 64)
    error = phase_of(record, lens).at(jnp.zeros(64), radius) - phase.at(jnp.zeros(64), radius)
    assert np.abs(np.asarray(error)).max() < 0.02
