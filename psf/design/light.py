"""The light of one lens at all fields and colours, as the figures of merit need it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.metalens import Metalens
from metalens.optics.response import IdealPhase
from metalens.psf.design.problem import Problem
from metalens.psf.simulator import PsfSimulator
from metalens.psf.tolerance.draws import Draw, perturbed

RINGS = 1024
"""Places at which the light that a structure lets through is summed."""


class Light(NamedTuple):
    """Point spread functions, differentiable in the lens.

    Attributes:
        fine: ``[field, wavelength, y · s, x · s]`` energy per sub-pixel, of the light through the aperture.
        channel: ``[field, channel, y, x]`` energy per pixel, likewise.
        efficiency: ``[wavelength]`` share of the light that the structure sends into the image, all over the sensor.
    """

    fine: jax.Array
    channel: jax.Array
    efficiency: jax.Array


def light_of(problem: Problem, simulator: PsfSimulator, lens: Metalens, draw: Draw | None = None) -> Light:
    """Simulate a lens, or what fabrication and assembly make of it.

    Args:
        problem: fields and colours.
        simulator: of :meth:`Problem.simulator`.
        lens: as it is drawn.
        draw: errors; the sensor's decentre is left out of them, since it only changes which field a pixel sees.
    """
    made = lens if draw is None else perturbed(lens, draw)
    plain, efficiency = _without_response(made, jnp.asarray(problem.wavelength))
    if draw is None:
        fine = simulator(plain)
    else:
        at = jnp.asarray([simulator.defocus, *simulator.sensor_tilt])
        moved = at + jnp.stack([jnp.asarray(each) for each in draw.assembly.moved])
        fine = simulator.on_moved_sensor(
            plain, jnp.asarray(simulator.direction), jnp.asarray(problem.view.position), moved
        )
    fine = fine * efficiency[:, None, None]
    side, parts = problem.window, problem.subpixels
    pixels = fine.reshape(*fine.shape[:2], side, parts, side, parts).sum(axis=(3, 5))
    channel = jnp.einsum("cw,fwyx->fcyx", jnp.asarray(problem.channel_weight), pixels)
    return Light(fine, channel, image_efficiency(made, jnp.asarray(problem.wavelength)))


def _without_response(lens: Metalens, wavelength: jax.Array) -> tuple[Metalens, jax.Array]:
    """A lens with the ideal response, and the factor ``[wavelength]`` of its light.

    Of one order, the response is a factor of the field at each wavelength; without it the field behind the lens is the
    same at all of them and is computed once.
    """
    if lens.structure is not None or lens.response.orders != (1,):
        return lens, jnp.ones(len(wavelength))
    return replace(lens, response=IdealPhase()), image_efficiency(lens, wavelength)


def image_efficiency(lens: Metalens, wavelength: jax.Array) -> jax.Array:
    """Share of the light that goes into the order that makes the image.

    A structure of meta-atoms has no orders; of it, what it lets through.

    Args:
        lens: with response or structure.
        wavelength: ``[wavelength]`` in metres.

    Returns:
        ``[wavelength]``; of a structure of meta-atoms, which has no orders, the transmitted share.
    """
    if lens.structure is not None:
        return jax.vmap(lambda value: _transmitted(lens, value))(wavelength)
    return lens.response.image_efficiency(wavelength)


def _transmitted(lens: Metalens, wavelength: jax.Array) -> jax.Array:
    """Mean of |t|² over rings of equal area, along a spiral."""
    number = np.arange(RINGS) + 0.5
    radius, turn = 0.5 * lens.aperture_diameter * np.sqrt(number / RINGS), np.pi * (3 - np.sqrt(5)) * number
    through = lens.transmission(radius * np.sin(turn), radius * np.cos(turn), wavelength)
    return jnp.mean(jnp.square(jnp.abs(through)))
