"""What fabrication and assembly take from the restored picture: an estimate from one error at a time.

Restored decibels f of a lens with small independent errors xᵢ are taken as f₀ + Σ (aᵢ xᵢ + bᵢ xᵢ²/2). A standard
deviation σᵢ to either side of each error's nominal number gives aᵢ and bᵢ. Thousands of copies are then drawn of that
sum: a lens at its best focus has a = 0 there, so that the squares alone tell how much its copies differ. For n errors
that takes 2n + 2 simulations of the search's size, where ``metalens tolerance`` simulates hundreds of lenses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

from metalens.formats.camera.camera import Camera
from metalens.formats.design.objectives import RestorationObjective
from metalens.formats.design.tolerance_spec import TYPICAL, Distribution, Errors, Fixed
from metalens.optics.metalens import Metalens
from metalens.psf.camera_fields import view_of
from metalens.psf.design.light import image_efficiency, light_of
from metalens.psf.design.objectives import figure_of
from metalens.psf.design.problem import Problem
from metalens.psf.tolerance.draws import Draw, applicable_errors, draw_of, geometry_unit, quantile, stacked

ONE_IN_TWENTY = 0.05
"""Share of the copies that lose more than is told."""

COPIES_LOG2 = 13
"""Logarithm of their number: their 5 % quantile is then known to about 1 %."""

ODD = ("tilt_y_deg", "tilt_x_deg")
"""Errors whose effects on opposite sides of the sensor cancel to first order in the mean over the sensor. Along one
azimuth, where the search has its fields, they do not: their aᵢ is 0."""

UNSEEN = ("decentre_y_um", "decentre_x_um")
"""Errors that only change which field a pixel sees."""


def tolerance_loss_db(problem: Problem, camera: Camera) -> float:
    """Restored decibels that the lens loses at least in one of twenty copies: f as drawn − the 5 % quantile of f.

    Errors are those of ``[fabrication]``, or the typical ones that the lens can have.

    Args:
        problem: its fields, wavelengths and window.
        camera: with the designed lens.

    Returns:
        Decibels; 0 for a lens that can have none of the errors.
    """
    wavelength = float(problem.channel_weight[1] @ problem.wavelength)
    own = replace(
        problem,
        spec=problem.spec.model_copy(update={"camera": camera}),
        view=view_of(camera, problem.view.position, wavelength),
    )
    table = problem.spec.fabrication
    errors, _ = applicable_errors(TYPICAL.errors if table is None else table.errors, own.view.lens)
    errors = errors.model_copy(update=dict.fromkeys(UNSEEN))
    if not errors.terms:
        return 0.0
    names = tuple(name for name, each in errors.terms.items() if not isinstance(each, Fixed))
    draws = _draws(errors, names, geometry_unit(camera, own.view.lens))
    drawn, nominal, *steps = restored_of(own, draws)
    if not names:
        return float(drawn - nominal)
    below, above = np.reshape(steps, (len(names), 2)).T
    slope = np.where(np.isin(names, ODD), 0.0, 0.5 * (above - below))
    away = _copies([errors.terms[name] for name in names])
    copies = nominal + away @ slope + 0.5 * np.square(away) @ (above + below - 2 * nominal)
    return float(drawn - np.quantile(copies, ONE_IN_TWENTY))


def _copies(errors: Sequence[Distribution]) -> np.ndarray:
    """Errors ``[copy, error]`` in standard deviations from their nominal numbers.

    Quantiles of their distributions at the points of a Sobol sequence, which are the same for every lens.
    """
    shares = qmc.Sobol(len(errors), scramble=True, rng=0).random_base2(COPIES_LOG2).T
    return np.stack(
        [(quantile(each, of) - each.nominal) / each.sigma_of_numbers for each, of in zip(errors, shares, strict=True)],
        axis=1,
    )


def _draws(errors: Errors, names: tuple[str, ...], unit: float) -> Draw:
    """The lens as drawn, with all errors nominal, and with each of the errors σ below and above: stacked."""
    nominal = {name: each.nominal for name, each in errors.terms.items()}
    numbers = [dict.fromkeys(nominal, 0.0), nominal]
    for name in names:
        sigma = errors.terms[name].sigma_of_numbers
        numbers += [nominal | {name: nominal[name] + step} for step in (-sigma, sigma)]
    return stacked([draw_of(each, unit) for each in numbers])


def restored_of(problem: Problem, draws: Draw) -> np.ndarray:
    """Restored decibels ``[draw]`` over the sensor at the fields of a problem.

    Args:
        problem: of the camera with the lens.
        draws: errors, with a first axis ``[draw]``.

    Returns:
        ``[draw]`` in decibels, larger is better.
    """
    given = [each for each in problem.spec.objectives if isinstance(each, RestorationObjective)]
    objective = given[0] if given else RestorationObjective(kind="restoration")
    lens = problem.view.lens
    simulator = problem.simulator(lens)
    weight = jnp.asarray(problem.field_weight)

    @jax.jit
    def decibels(lens: Metalens, draws: Draw) -> jax.Array:
        efficiency = weight @ jnp.broadcast_to(
            image_efficiency(lens, jnp.asarray(problem.wavelength), problem.view),
            (len(problem.field_weight), len(problem.wavelength)),
        )
        exposure = jnp.asarray(problem.channel_weight) @ efficiency

        def one(draw: Draw) -> jax.Array:
            errors = figure_of(objective, problem, light_of(problem, simulator, lens, draw), exposure).values
            return -10 * jnp.log10(weight @ errors.mean(axis=1))

        return jax.lax.map(one, draws)

    # The lens is an argument, as in the search: a constant one is folded while it is compiled, in single precision.
    return np.asarray(decibels(lens, draws), dtype=float)
