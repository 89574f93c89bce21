"""A start by geometrical optics: the phases whose rays land closest together at all fields and colours.

A step of the search changes each number by a part of a radian, but the two phases of a doublet compensate each other
over hundreds of radians. Rays find the way there in seconds: their landing points are nearly linear in the phases.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import least_squares

from metalens.optics.metalens import Metalens
from metalens.psf.camera_fields import CameraView, sensor_depth, with_chief_rays
from metalens.psf.conjugates import source_at
from metalens.psf.design.variables import LensVariables
from metalens.psf.rays import chief_ray, pupil_points, ray_landing

RINGS, SPOKES = 6, 16
"""Points on the pupil."""

PLACE = 0.1
"""Share with which the centroid of a spot is held to its place: a smaller image would have smaller spots."""

LARGEST_EVALUATIONS = 200
"""Largest number of evaluations of the landing points in one fit."""


def smallest_spots(view: CameraView, wavelengths: np.ndarray, variables: LensVariables, start: Metalens) -> np.ndarray:
    """The numbers with the least mean square radius of the spots, all fields and wavelengths alike.

    The radius is that of the rays that pass the lens, about their centroid. The fields in front of the camera are those
    of the lens to begin with, and their centroids are held near the places on the sensor. Levenberg's and Marquardt's
    method with a trust region (:func:`scipy.optimize.least_squares`), in double precision.

    Args:
        view: the fields.
        wavelengths: ``[wavelength]`` in metres.
        variables: the free parameters.
        start: the lens to begin with.

    Returns:
        ``[count]`` numbers.

    Raises:
        InputError: no chief ray of the lens to begin with reaches one of the places.
    """
    with jax.enable_x64(True):
        drawn = with_chief_rays(replace(view, lens=start), float(np.mean(wavelengths)))
        return _fitted(drawn, wavelengths, variables, variables.closest(start))


def _fitted(view: CameraView, wavelengths: np.ndarray, variables: LensVariables, numbers: np.ndarray) -> np.ndarray:
    y, x = (jnp.asarray(each[:-1].ravel()) for each in pupil_points(view.lens, RINGS, SPOKES))
    # Residuals of the order of one for rays that miss their place by a tenth of the pupil.
    unit = 0.05 * float(view.lens.aperture_diameter)

    depths = jnp.asarray([sensor_depth(view, position) for position in view.position])
    positions, directions = jnp.asarray(view.position), jnp.asarray(view.direction)

    def of_spot(
        lens: Metalens, position: jax.Array, direction: jax.Array, depth: jax.Array, light: jax.Array
    ) -> jax.Array:
        """``[ray + 1, 2]``: the rays about their centroid, and that from its place."""
        at_place, source = replace(lens, focal_length=depth), source_at(direction, view.finite_distance)
        landing, inside = ray_landing(at_place, source, light, y, x)
        inside &= jnp.isfinite(landing).all(axis=-1)
        landing = jnp.where(inside[:, None], landing, 0.0)
        count = jnp.maximum(inside.sum(), 1)
        centroid = landing.sum(axis=0) / count
        missed = chief_ray(at_place, light, direction).landing + centroid - position
        about = jnp.where(inside[:, None], landing - centroid, 0.0)
        return jnp.concatenate([about, PLACE * jnp.sqrt(count) * missed[None]])

    @jax.jit
    def residuals(values: jax.Array) -> jax.Array:
        of_field = jax.vmap(of_spot, (None, 0, 0, 0, None))
        of_colour = jax.vmap(of_field, (None, None, None, None, 0))
        lens = variables.lens(view.lens, values)
        return of_colour(lens, positions, directions, depths, jnp.asarray(wavelengths)).ravel() / unit

    slope = jax.jit(jax.jacfwd(residuals))
    found = least_squares(
        lambda values: np.asarray(residuals(jnp.asarray(values))),
        numbers,
        lambda values: np.asarray(slope(jnp.asarray(values))),
        x_scale="jac",
        max_nfev=LARGEST_EVALUATIONS,
    )
    return np.asarray(found.x)
