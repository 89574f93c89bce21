"""The loss function: weighted logarithms of all objectives, of one lens or of many with random errors."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from metalens.optics.metalens import Metalens
from metalens.psf.design.light import image_efficiency, light_of
from metalens.psf.design.objectives import figure_of
from metalens.psf.design.power_mean import reduced
from metalens.psf.design.problem import Problem
from metalens.psf.simulator import PsfSimulator
from metalens.psf.tolerance.draws import Draw


def objective_logarithms(
    problem: Problem, simulator: PsfSimulator, lens: Metalens, exposure: jax.Array, draw: Draw | None = None
) -> jax.Array:
    """``[objective]`` logarithm of each objective's reduced figure, of one lens.

    Args:
        problem: fields, colours and objectives.
        simulator: of :meth:`Problem.simulator`.
        lens: the lens.
        exposure: ``[channel]`` efficiency for which the sensor is exposed.
        draw: errors of fabrication and assembly; None for the lens as it is drawn.

    Returns:
        ``[objective]``, smaller is better.
    """
    light = light_of(problem, simulator, lens, draw)
    found = []
    for objective in problem.spec.objectives:
        figure = figure_of(objective, problem, light, exposure)
        found.append(
            reduced(
                figure.values,
                figure.weight,
                objective.reduction,
                objective.sharpness,
                larger_is_better=figure.larger_is_better,
            )
        )
    return jnp.stack(found)


def signs_and_weights(problem: Problem) -> jax.Array:
    """``[objective]`` weight of each logarithm in the loss: negative where more is better."""
    errors = ("width", "uniformity", "restoration", "captured")
    return jnp.asarray(
        [each.weight * (1 if each.kind in errors else -1) for each in problem.spec.objectives], dtype=float
    )


def loss_of(
    problem: Problem,
    simulator: PsfSimulator,
    lens: Metalens,
    draws: Draw | None = None,
) -> tuple[jax.Array, jax.Array]:
    """The loss of a lens, and the objectives' logarithms ``[objective]``, the mean over all draws.

    Over draws, the loss of an objective is the mean of its logarithm plus ``spread_weight`` standard deviations on the
    bad side (Taguchi's robust design): variation is penalised like a poor mean.

    Args:
        problem: fields, colours and objectives.
        simulator: of :meth:`Problem.simulator`.
        lens: as it is drawn.
        draws: errors, with a first axis ``[draw]``; None for the lens as it is drawn.

    Returns:
        A scalar, and ``[objective]``; smaller is better.
    """
    efficiency = image_efficiency(lens, jnp.asarray(problem.wavelength), problem.view)
    # The sensor is exposed once for all fields.
    mean = efficiency[0] if len(efficiency) == 1 else jnp.asarray(problem.field_weight) @ efficiency
    exposure = jax.lax.stop_gradient(jnp.asarray(problem.channel_weight) @ mean)
    weights, unsure = signs_and_weights(problem), jnp.zeros(())
    if draws is None:
        logarithms = objective_logarithms(problem, simulator, lens, exposure)
    else:
        # One lens after the other, each computed again for its gradient: memory for one lens is enough.
        one = jax.checkpoint(lambda draw: objective_logarithms(problem, simulator, lens, exposure, draw))
        each = jax.lax.map(one, draws)
        logarithms = each.mean(axis=0)
        if problem.spec.fabrication is not None and problem.spec.fabrication.spread_weight:
            unsure = problem.spec.fabrication.spread_weight * jnp.abs(weights) * spread_of(each)
    return (weights * logarithms + unsure).sum(), logarithms


def spread_of(values: jax.Array) -> jax.Array:
    """``[objective]`` standard deviation over the first axis, with a gradient also where all values are equal."""
    variance = values.var(axis=0)
    return jnp.where(variance > 0, jnp.sqrt(jnp.where(variance > 0, variance, 1.0)), 0.0)
