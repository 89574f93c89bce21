"""The light of one lens at all fields and colours, as the figures of merit need it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.fabrication import library_of
from metalens.optics.metalens import Metalens
from metalens.optics.polarised import image_share, polarised_lenses, varies_over_lens
from metalens.optics.response import IdealPhase
from metalens.psf.camera_fields import CameraView
from metalens.psf.design.problem import Problem
from metalens.psf.engines.veil import corrected_share
from metalens.psf.simulator import PsfSimulator
from metalens.psf.tolerance.draws import Draw, perturbed

RINGS = 1024
"""Places at which the light that a structure lets through is summed."""


class Light(NamedTuple):
    """Point spread functions, differentiable in the lens.

    Attributes:
        fine: ``[field, wavelength, y · s, x · s]`` energy per sub-pixel, of the light through the aperture.
        channel: ``[field, channel, y, x]`` energy per pixel, likewise.
        efficiency: ``[field, wavelength]`` share of the light that the structure sends into the image, all over the
            sensor; one field stands for all if they are equal.
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

    Returns:
        Energy by sub-pixel and wavelength, by pixel and channel, and efficiencies from 0 to 1.
    """
    made = lens if draw is None else perturbed(lens, draw)
    wavelength = jnp.asarray(problem.wavelength)
    efficiency = image_efficiency(made, wavelength, problem.view)
    # Of one order, the response is a factor of the field at each wavelength; without it the field behind the lens is
    # the same at all of them and is computed once.
    plain = made
    alike = made.structure is None and made.neighbours is None and not _near(made, problem.view)
    single = alike and made.response.orders == (1,)
    if single:
        plain = replace(made, response=IdealPhase())
    if draw is None:
        fine = simulator(plain)
    else:
        at = jnp.asarray([simulator.defocus, *simulator.sensor_tilt])
        moved = at + jnp.stack([jnp.asarray(each) for each in draw.assembly.moved])
        fine = simulator.on_moved_sensor(
            plain, jnp.asarray(simulator.direction), jnp.asarray(problem.view.position), moved
        )
    if single:
        fine = fine * efficiency[..., None, None]
    side, parts = problem.window, problem.subpixels
    pixels = fine.reshape(*fine.shape[:2], side, parts, side, parts).sum(axis=(3, 5))
    channel = jnp.einsum("cw,fwyx->fcyx", jnp.asarray(problem.channel_weight), pixels)
    return Light(fine, channel, efficiency)


def _near(lens: Metalens, view: CameraView) -> bool:
    """Whether the response varies over the lens, as the angle of incidence of a near point's light does."""
    return varies_over_lens(lens, view.source(0))


def image_efficiency(lens: Metalens, wavelength: jax.Array, view: CameraView) -> jax.Array:
    """Share of the light that goes into the order that makes the image.

    A structure of meta-atoms has no orders; of it, what it lets through.

    Args:
        lens: with response or structure.
        wavelength: ``[wavelength]`` in metres.
        view: the fields; they matter where the meta-atoms respond by the local angle of incidence.

    Returns:
        ``[field, wavelength]``, or ``[1, wavelength]`` where all fields are equal.
    """
    library = library_of(lens)
    sources = [view.source(field) for field in range(len(view.direction))]
    if lens.neighbours is None and (library is None or library.oblique is None):
        sources = sources[:1]
    if lens.structure is None:
        return jnp.stack(
            [image_share(lens, each, wavelength) * corrected_share(lens, each, wavelength) for each in sources]
        )
    return jnp.stack(
        [
            sum(
                weight * jax.vmap(lambda value, seen=seen: _transmitted(seen, value))(wavelength)
                for weight, seen in polarised_lenses(lens, source)
            )
            for source in sources
        ]
    )


def _transmitted(lens: Metalens, wavelength: jax.Array) -> jax.Array:
    """Mean of |t|² over rings of equal area, along a spiral."""
    number = np.arange(RINGS) + 0.5
    radius, turn = 0.5 * lens.aperture_diameter * np.sqrt(number / RINGS), np.pi * (3 - np.sqrt(5)) * number
    through = lens.transmission(radius * np.sin(turn), radius * np.cos(turn), wavelength)
    return jnp.mean(jnp.square(jnp.abs(through)))
