"""Figures of merit: closed forms of Gaussian light, what they do not depend on, and their gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.design.objectives import Objective
from metalens.formats.design.spec import DesignSpec, parse_design
from metalens.psf.design.light import Light, light_of
from metalens.psf.design.loss import loss_of, signs_and_weights
from metalens.psf.design.objectives import (
    energy_radii,
    energy_within,
    field_difference,
    figure_of,
    modulation,
    modulation_volume,
    rms_widths,
    strehl_ratios,
)
from metalens.psf.design.problem import Problem, problem_of
from metalens.psf.design.run import task_of

from .design_examples import design_text

SPEC = design_text(
    """
[variables]
family = "even_polynomial"
terms = 4

[sampling]
fields_deg = [0.0, 15.0]
window_pixels = 33
""",
    wavelengths_nm=(606.0, 511.0, 462.0),
)

EVERY_KIND = [
    'kind = "strehl"\nreduction = "log_mean"',
    'kind = "mtf"\nfrequencies = [0.25, 0.5]\nreduction = "soft_worst"',
    'kind = "mtf_volume"',
    'kind = "width"',
    'kind = "width"\nmeasure = "encircled"\nshare = 0.7',
    'kind = "uniformity"',
    'kind = "efficiency"\nradius_um = 4.0',
    'kind = "restoration"\nreduction = "worst"',
    'kind = "captured"',
]


def small(*objectives: str, changes: str = "") -> DesignSpec:
    return parse_design(SPEC + changes + "".join(f"\n[[objectives]]\n{each}\n" for each in objectives))


@pytest.fixture(scope="module")
def problem() -> Problem:
    return problem_of(small('kind = "mtf"'))


def gaussian_light(problem: Problem, sigma: float, *, lost: float = 0.0, shift: float = 0.0) -> Light:
    """The same round Gaussian, σ and its shift along x in pixels, at every field and channel."""
    place = np.arange(problem.window) - problem.window // 2
    light = np.exp(-(place[:, None] ** 2 + (place - shift) ** 2) / (2 * sigma**2))
    light = (1 - lost) * light / light.sum()
    everywhere = jnp.asarray(np.broadcast_to(light, (2, 3, *light.shape)))
    return Light(everywhere, everywhere, jnp.ones(3))


@pytest.mark.parametrize("lost", [0.0, 0.3])
def test_the_contrast_of_a_gaussian_is_a_gaussian_and_lost_light_has_none(problem: Problem, lost: float) -> None:
    shares, sigma = np.array([0.1, 0.25, 0.5]), 1.5
    found = modulation(problem, gaussian_light(problem, sigma, lost=lost), shares)
    assert found.shape == (2, 3, 2, 3)
    wanted = (1 - lost) * np.exp(-2 * np.pi**2 * sigma**2 * (0.5 * shares) ** 2)
    assert np.allclose(found, wanted, atol=1e-5)


def test_the_contrast_along_the_field_is_tangential_and_across_it_sagittal(problem: Problem) -> None:
    place = np.arange(problem.window) - problem.window // 2
    streak = np.exp(-(place[:, None] ** 2 / 2 + place**2 / 50))
    everywhere = jnp.asarray(np.broadcast_to(streak / streak.sum(), (2, 3, *streak.shape)))
    found = modulation(problem, Light(everywhere, everywhere, jnp.ones(3)), np.array([0.25]))
    # The fields lie on +x, along which the light is drawn out.
    assert (found[:, :, 0] < 0.2 * found[:, :, 1]).all()


def test_volume_widths_and_energies_of_a_gaussian(problem: Problem) -> None:
    sigma, pitch = 1.8, problem.pixel_pitch
    light = gaussian_light(problem, sigma)
    assert np.allclose(rms_widths(problem, light), np.sqrt(2) * sigma * pitch, rtol=1e-4)
    for share in (0.3, 0.8):
        wanted = sigma * np.sqrt(-2 * np.log(1 - share)) * pitch
        # Samples are spread over a pixel's width, and the radius is interpolated in steps of half of one.
        assert np.allclose(energy_radii(problem, light, share), wanted, rtol=0.03)
    within = 1 - np.exp(-(5.0**2) / (2 * sigma**2))
    assert np.allclose(energy_within(problem, light, 5.0 * pitch), within, rtol=0.01)
    # ∫ exp(−2π²σ²ν²) over the disc to ν = ½, over the disc's area π/4.
    volume = (1 - np.exp(-(np.pi**2) * sigma**2 / 2)) / (2 * np.pi * sigma**2) / (np.pi / 4)
    assert np.allclose(modulation_volume(problem, light), volume, rtol=0.02)


def test_a_width_does_not_depend_on_the_place_and_light_that_is_lost_makes_it_larger(problem: Problem) -> None:
    still, moved, poorer = (
        gaussian_light(problem, 2.0, lost=lost, shift=shift) for lost, shift in ((0, 0), (0, 3.0), (0.1, 0))
    )
    for width in (rms_widths, lambda problem, light: energy_radii(problem, light, 0.5)):
        assert np.allclose(width(problem, still), width(problem, moved), rtol=0.02)
        assert (width(problem, poorer) > 1.02 * width(problem, still)).all()


def test_a_share_that_the_window_does_not_hold_lies_beyond_it(problem: Problem) -> None:
    radius = energy_radii(problem, gaussian_light(problem, 2.0, lost=0.6), 0.5)
    assert (radius > 0.5 * problem.window * problem.pixel_pitch).all()


def test_equal_functions_are_uniform_and_different_ones_are_not(problem: Problem) -> None:
    light = gaussian_light(problem, 2.0)
    assert np.allclose(field_difference(problem, light), 0, atol=1e-6)
    other = gaussian_light(problem, 4.0)
    mixed = light._replace(channel=jnp.stack([light.channel[0], other.channel[1]]))
    found = field_difference(problem, mixed)
    assert ((found > 0.05) & (found < 1)).all()
    brighter = mixed._replace(channel=3.0 * mixed.channel)
    assert np.allclose(field_difference(problem, brighter), found, rtol=1e-5)


def test_the_perfect_lens_has_the_strehl_ratio_of_its_closed_form() -> None:
    spec = small('kind = "strehl"', changes='\n[start]\nfamilies = ["hyperbolic"]\nwavelengths_nm = [511.0]\n')
    task = task_of(spec)
    lens = task.problem.view.lens
    perfect = replace(lens, phase=type(lens.phase)(lens.focal_length, 511e-9))
    simulator = task.problem.simulator(perfect)
    found = strehl_ratios(task.problem, light_of(task.problem, simulator, perfect))
    wanted = (60**2 / 10**2 * np.log(1 + 10**2 / 60**2)) ** 2
    # On axis, in green; a sub-pixel averages over a part of the peak.
    assert found[0, 1] == pytest.approx(wanted, rel=0.06)
    assert found[0, 1] < wanted


@dataclass(frozen=True)
class Differentiable:
    """Each of the objectives' losses by itself, compiled once for all of them.

    Attributes:
        numbers: where to begin.
        losses: numbers → ``[objective]``.
        gradient: numbers and number of an objective → its gradient.
    """

    numbers: jax.Array
    losses: Callable[[jax.Array], jax.Array]
    gradient: Callable[[jax.Array, int], jax.Array]


@pytest.fixture(scope="module")
def every_kind() -> Differentiable:
    task = task_of(small(*EVERY_KIND, changes='\n[start]\nfamilies = ["log_asphere"]\n'))
    numbers = jnp.asarray(task.starts[0].numbers, jnp.float32)
    simulator = task.problem.simulator(task.lens(numbers))

    def losses(values: jax.Array) -> jax.Array:
        return signs_and_weights(task.problem) * loss_of(task.problem, simulator, task.lens(values))[1]

    gradient = jax.jit(jax.grad(lambda values, one: losses(values)[one]))
    return Differentiable(numbers, jax.jit(losses), gradient)


@pytest.mark.parametrize("one", range(len(EVERY_KIND)), ids=EVERY_KIND)
def test_the_gradient_of_every_objective_is_that_of_finite_differences(every_kind: Differentiable, one: int) -> None:
    numbers, gradient = every_kind.numbers, every_kind.gradient(every_kind.numbers, one)
    direction = gradient / jnp.linalg.norm(gradient)
    # Small enough that the brightest sample and the worst place stay the same.
    step = 5e-3
    above, below = (every_kind.losses(numbers + sign * step * direction)[one] for sign in (1, -1))
    found = (above - below) / (2 * step)
    # Single precision: the loss is known to some 1e-6, its difference quotient to 1e-4 of a slope of about 0.01 to 1.
    assert found == pytest.approx(float(jnp.linalg.norm(gradient)), rel=0.03, abs=5e-4)


def test_objectives_add_up_in_logarithms_with_their_weights_and_signs() -> None:
    one, other = 'kind = "mtf"\nweight = 2.0', 'kind = "width"\nweight = 0.5'
    parts = []
    for objectives in ((one,), (other,), (one, other)):
        task = task_of(small(*objectives, changes='\n[start]\nfamilies = ["quadratic"]\n'))
        lens = task.lens(jnp.asarray(task.starts[0].numbers))
        loss, logarithms = loss_of(task.problem, task.problem.simulator(lens), lens)
        parts.append((float(loss), np.asarray(logarithms)))
    assert parts[2][0] == pytest.approx(parts[0][0] + parts[1][0], rel=1e-5)
    assert parts[0][0] == pytest.approx(-2.0 * parts[0][1][0], rel=1e-6)
    assert parts[1][0] == pytest.approx(0.5 * parts[1][1][0], rel=1e-6)


def test_restored_pictures_are_better_than_captured_ones(problem: Problem) -> None:
    kinds: list[Objective] = [small(f'kind = "{kind}"').objectives[0] for kind in ("captured", "restoration")]
    light = gaussian_light(problem, 2.0)
    captured, restored = (figure_of(each, problem, light, jnp.ones(3)).values for each in kinds)
    assert (restored < captured).all()
