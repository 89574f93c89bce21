"""Designs of meta-atoms, and of lenses as they may come out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.design.spec import DesignSpec, parse_design
from metalens.formats.files.errors import InputError
from metalens.optics.from_lens_toml import metalens_of
from metalens.psf.design.geometry_variables import GeometryVariables
from metalens.psf.design.light import image_efficiency, light_of
from metalens.psf.design.loss import loss_of, spread_of
from metalens.psf.design.problem import problem_of
from metalens.psf.design.run import design_lens, task_of, variables_of
from metalens.psf.design.search import Task
from metalens.psf.tolerance.draws import Assembly, Draw, stacked

from .design_examples import design_text

SPEC = design_text(
    """
[variables]
family = "even_polynomial"
terms = 2

[start]
families = ["hyperbolic"]
steps = 1

[sampling]
fields_deg = [0.0]
window_pixels = 15

[[objectives]]
kind = "mtf_volume"

[search]
steps = 3
""",
    lens="""aperture_um = 12.0
focal_length_um = 40.0

[camera.lens.meta_atoms]
material = "Si3N4"
substrate = "SiO2"
pitch_nm = 350.0
height_nm = 705.0
diameter_nm = [105.0, 287.0]""",
    pixels=32,
    wavelengths_nm=(511.0, 511.0, 511.0),
)

GEOMETRY = 'family = "radial_geometry"\nlibrary = "nano-optics-proxy"\nspacing_nm = 350.0'
POLYNOMIAL = 'family = "even_polynomial"\nterms = 2'


def small(before: str = "", after: str = "", more: str = "") -> DesignSpec:
    assert before in SPEC
    return parse_design((SPEC.replace(before, after) if before else SPEC) + more)


@pytest.fixture(scope="module")
def of_meta_atoms() -> Task:
    return task_of(small(POLYNOMIAL, GEOMETRY))


def loss_at_20_degrees(numbers: jax.Array, incidence: str) -> Callable[[jax.Array], jax.Array]:
    """The loss of a lens of 8 µm with free meta-atoms of a library with angles, compiled."""
    text = SPEC.replace(POLYNOMIAL, GEOMETRY.replace("nano-optics-proxy", "si3n4-on-sio2"))
    for before, after in (("[0.0]", "[20.0]"), ('"mtf_volume"', '"efficiency"\nradius_um = 3.0'), ("12.0", "8.0")):
        text = text.replace(before, after)
    text = re.sub(r"\[camera.lens.meta_atoms\]\n(.*\n){5}", f"{incidence}\n", text)
    problem = problem_of(parse_design(text))
    task = Task(problem, variables_of(problem), [])
    simulator = problem.simulator(task.lens(numbers))
    return jax.jit(lambda each: loss_of(problem, simulator, task.lens(each))[0])


OBLIQUE = jnp.sin(2.0 * jnp.arange(4000 // 350 + 2))
"""Numbers of meta-atoms."""


def test_a_design_knows_the_response_of_meta_atoms_at_the_angle_of_incidence() -> None:
    """By default s and p at 20°, which transmit less of this light than what comes straight on."""
    local, straight_on = (float(loss_at_20_degrees(OBLIQUE, each)(OBLIQUE)) for each in ("", 'incidence = "normal"'))
    assert local - straight_on > 0.01


# The slope of the geometry at local incidence, compiled for a whole design; test_local_incidence.py has one function's.
@pytest.mark.long
def test_the_gradient_of_a_design_at_the_angle_of_incidence_is_that_of_finite_differences() -> None:
    loss = loss_at_20_degrees(OBLIQUE, "")
    gradient = jax.grad(loss)(OBLIQUE)
    direction = gradient / jnp.linalg.norm(gradient)
    above, below = (loss(OBLIQUE + sign * 5e-3 * direction) for sign in (1, -1))
    assert float(above - below) / 1e-2 == pytest.approx(float(jnp.linalg.norm(gradient)), rel=0.03, abs=5e-4)


def test_a_lens_of_meta_atoms_begins_with_those_that_fit_the_phase(of_meta_atoms: Task) -> None:
    task = of_meta_atoms
    assert isinstance(task.variables, GeometryVariables)
    assert task.variables.count == 6000 // 350 + 2
    lens = task.lens(jnp.asarray(task.starts[0].numbers, jnp.float32))
    ideal = task_of(small()).lens(jnp.asarray(task_of(small()).starts[0].numbers, jnp.float32))
    radius = jnp.linspace(0, 5.9e-6, 60)
    built = lens.transmission(jnp.zeros(60), radius, jnp.asarray(511e-9))
    wanted = ideal.transmission(jnp.zeros(60), radius, jnp.asarray(511e-9))
    # Pillars between two rings are in between, and a turn of the phase is missing seven parts in a hundred.
    assert np.abs(np.mean(np.asarray(built * wanted.conj()))) > 0.9


@pytest.mark.long
def test_a_design_of_meta_atoms_is_a_lens_that_is_read_and_simulated_as_it_was_designed(tmp_path: Path) -> None:
    # Of the same numerical aperture, in a quarter of the time, from one lens in the place of three.
    spec = small(POLYNOMIAL, GEOMETRY).with_(
        camera={"lens": {"aperture_um": 6.0, "focal_length_um": 20.0}}, start={"wavelengths_nm": (511.0,)}
    )
    found = design_lens(spec, tmp_path / "lens.toml")
    assert found.loss <= found.state.history[0, 1]
    camera = read_camera(tmp_path / "lens.toml")
    assert camera == found.camera
    lens = metalens_of(camera)
    problem = found.problem
    simulator = problem.simulator(lens)
    again = jax.jit(lambda lens: loss_of(problem, simulator, lens)[0])(lens)
    # Widths are rounded to a thousandth of a nanometre.
    assert again == pytest.approx(found.loss, abs=1e-3)


def test_pillars_without_loss_let_all_light_through(of_meta_atoms: Task) -> None:
    task = of_meta_atoms
    lens = task.lens(jnp.asarray(task.starts[0].numbers, jnp.float32))
    assert np.allclose(image_efficiency(lens, jnp.asarray([462e-9, 606e-9]), task.problem.view), 1, atol=1e-4)


def test_an_error_of_nothing_changes_nothing() -> None:
    task = task_of(small())
    lens = task.lens(jnp.asarray(task.starts[0].numbers, jnp.float32))
    simulator = task.problem.simulator(lens)
    perfect = jax.jit(lambda lens: light_of(task.problem, simulator, lens))(lens)
    drawn = jax.jit(lambda lens: light_of(task.problem, simulator, lens, Draw()))(lens)
    assert np.allclose(drawn.channel, perfect.channel, rtol=1e-3, atol=1e-6)


def test_one_order_of_a_response_is_a_factor_of_the_light() -> None:
    table = '[camera.lens.response]\nkind = "nano_optics_proxy"\nwavelength_nm = 511.0\n'
    task = task_of(small(more=table))
    lens = task.lens(jnp.asarray(task.starts[0].numbers, jnp.float32))
    simulator = task.problem.simulator(lens)
    found = light_of(task.problem, simulator, lens)
    assert np.allclose(found.fine, simulator(lens), rtol=1e-3, atol=1e-7)
    assert (found.efficiency < 1).all()


def test_the_loss_of_draws_is_the_mean_of_the_losses_of_each() -> None:
    task = task_of(small())
    lens = task.lens(jnp.asarray(task.starts[0].numbers, jnp.float32))
    simulator = task.problem.simulator(lens)
    draws = [Draw(assembly=Assembly(defocus=defocus)) for defocus in (-6e-6, 0.0, 9e-6)]
    loss = jax.jit(lambda draws: loss_of(task.problem, simulator, lens, draws)[0])
    each = [float(loss(stacked([draw]))) for draw in draws]
    assert loss(stacked(draws)) == pytest.approx(np.mean(each), rel=1e-5)
    assert len(set(each)) == 3


def test_a_lens_pays_for_the_spread_over_its_draws() -> None:
    draws = stacked([Draw(assembly=Assembly(defocus=defocus)) for defocus in (-6e-6, 0.0, 9e-6)])

    def loss(spread_weight: float) -> float:
        errors = 'errors = { defocus_um = { distribution = "normal", sigma = 5.0 } }'
        task = task_of(small(more=f"[fabrication]\nspread_weight = {spread_weight}\n{errors}\n"))
        lens = task.lens(jnp.asarray(task.starts[0].numbers, jnp.float32))
        simulator = task.problem.simulator(lens)
        return float(jax.jit(lambda lens: loss_of(task.problem, simulator, lens, draws)[0])(lens))

    mean = loss(0.0)
    once, twice = (loss(weight) - mean for weight in (1.0, 2.0))
    assert once > 1e-3
    assert twice == pytest.approx(2 * once, rel=1e-3)


def test_a_spread_of_nothing_has_a_gradient() -> None:
    same = jnp.ones((3, 2))
    assert jnp.array_equal(spread_of(same), jnp.zeros(2))
    assert jnp.isfinite(jax.grad(lambda values: spread_of(values).sum())(same)).all()


def test_draws_are_the_same_in_every_run_and_others_for_another_seed() -> None:
    table = (
        '[fabrication]\nsamples = 2\nseed = {}\n[fabrication.errors.defocus_um]\ndistribution = "normal"\nsigma = 3.0\n'
    )
    first, again, other = (task_of(small(more=table.format(seed))).draws for seed in (0, 0, 1))
    assert first is not None
    assert again is not None
    assert other is not None
    assert np.array_equal(first.assembly.defocus, again.assembly.defocus)
    assert not np.array_equal(first.assembly.defocus, other.assembly.defocus)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (POLYNOMIAL, GEOMETRY.replace("nano-optics-proxy", "no-such"), "neither a file nor a library"),
        (POLYNOMIAL, GEOMETRY.replace("350.0", "9000.0"), "does not fit a radius"),
        ("centre_nm = 511.0", "centre_nm = 800.0", None),
        (
            'family = "even_polynomial"\nterms = 2',
            GEOMETRY + '\n[camera.lens.phase]\nfamily = "cubic"\nstrength_rad = 1.0\nradius_um = 6.0',
            "is not rotationally symmetric",
        ),
    ],
)
def test_what_meta_atoms_cannot_do_is_refused(before: str, after: str, message: str | None) -> None:
    spec = small(before, after)
    if message is None:
        spec = spec.model_copy(update={"variables": small(POLYNOMIAL, GEOMETRY).variables})
        message = "lies outside the table"
    with pytest.raises(InputError, match=message):
        task_of(spec)
