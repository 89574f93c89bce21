"""Point spread functions in the direction cosines of the pupil: the default engine.

Seen from the centre X₀ of a tile of the sensor, a pupil point x lies at the distance R₀ in the direction
(p, q, γ) = (X₀ − x, Y₀ − y, f)/R₀. The Rayleigh–Sommerfeld integral, with dx dy = f²/γ⁴ dp dq, becomes

    U(X₀ + δ) = 1/(iλ) ∬ exp(i[φ + k s·x + kR₀]) (f/γ²) exp(ik(pδx + qδy)) dp dq

up to k(δ² − (p·δ)²)/(2R₀), which small tiles hold down, and 1/(kR). The bracket varies slowly, because the lens'
phase nearly cancels the sphere: a few hundred samples a side suffice, and a tile is two matrix products,
E_y G E_xᵀ. Everything up to the phase is the same for all wavelengths and computed once a tile.

The pupil's hard edge is smoothed on the scale of the sample step (``aperture_edge``).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.metalens import Metalens
from metalens.psf.aperture_edge import EDGE_REACH, smooth_step


class PupilGrid(NamedTuple):
    """The pupil as one tile sees it, on a grid uniform in direction cosines.

    Attributes:
        q: ``[row]`` direction cosines along y, less the chief ray's.
        p: ``[column]`` direction cosines along x, less the chief ray's.
        weight: ``[row, column]`` f/γ² dp dq times the share of the sample inside the aperture, in metres.
        path: ``[row, column]`` R₀ + s·x less the same at the lens' centre, in metres.
        y: ``[row, column]`` pupil positions in metres.
        x: ``[row, column]`` pupil positions in metres.
    """

    q: jax.Array
    p: jax.Array
    weight: jax.Array
    path: jax.Array
    y: jax.Array
    x: jax.Array


def pupil_grid(lens: Metalens, direction: jax.Array, tile_offset: jax.Array, samples: int) -> PupilGrid:
    """See the pupil from a tile's centre.

    Args:
        lens: the metalens.
        direction: ``[2]`` direction cosines (y, x) of the incoming wave.
        tile_offset: ``[2]`` (y, x) from the chief ray's landing point to the tile's centre, in metres.
        samples: along each side of the grid.
    """
    focal_length = jnp.asarray(lens.focal_length)
    aperture = 0.5 * jnp.asarray(lens.aperture_diameter)
    landing = focal_length * direction / jnp.sqrt(1 - jnp.sum(direction**2)) + tile_offset
    chief_distance = jnp.sqrt(jnp.sum(landing**2) + focal_length**2)
    chief = landing / chief_distance

    turn = jnp.linspace(0, 2 * np.pi, 128, endpoint=False)
    rim = aperture * jnp.stack([jnp.sin(turn), jnp.cos(turn)])
    away = landing[:, None] - rim
    rim_cosine = away / jnp.sqrt(jnp.sum(away**2, axis=0) + focal_length**2) - chief[:, None]
    # Where the samples lie does not change the integral, so no gradient flows through it.
    low, high = jax.lax.stop_gradient((rim_cosine.min(axis=1), rim_cosine.max(axis=1)))
    step = (high - low) / (samples - 1 - 2 * EDGE_REACH)
    q, p = (low - EDGE_REACH * step)[:, None] + step[:, None] * jnp.arange(samples)

    full_q, full_p = (chief[0] + q)[:, None], (chief[1] + p)[None, :]
    squared_cosine = jnp.maximum(1 - full_q**2 - full_p**2, 1e-3)
    cosine = jnp.sqrt(squared_cosine)
    y = landing[0] - focal_length * full_q / cosine
    x = landing[1] - focal_length * full_p / cosine
    squared_radius = y**2 + x**2

    # R₀ − R at the lens' centre and the incoming tilt, without the cancellation of two large distances.
    sphere = (squared_radius - 2 * (y * landing[0] + x * landing[1])) / (focal_length / cosine + chief_distance)
    path = sphere + direction[0] * y + direction[1] * x
    weight = focal_length / squared_cosine * step[0] * step[1]
    weight *= _inside(y, x, full_q, full_p, cosine, aperture, focal_length, step)
    return PupilGrid(q, p, weight, path, y, x)


def _inside(
    y: jax.Array,
    x: jax.Array,
    q: jax.Array,
    p: jax.Array,
    cosine: jax.Array,
    aperture: jax.Array,
    focal_length: jax.Array,
    step: jax.Array,
) -> jax.Array:
    """Share of each sample inside the aperture: the disc, smoothed on the scale of the sample step."""
    squared = y**2 + x**2
    bend = focal_length / cosine**3
    # Half the gradient of r² along q and p, in units of the step.
    slope_q = bend * (y * (cosine**2 + q**2) + x * q * p) * step[0]
    slope_p = bend * (x * (cosine**2 + p**2) + y * q * p) * step[1]
    slope = jnp.sqrt(slope_q**2 + slope_p**2 + 1e-12 * aperture**4)
    depth = (squared - aperture**2) / (2 * slope)
    # r² is curved along its gradient; (r² − a²)/(r + a) is the true distance.
    depth *= 2 * aperture / (jnp.sqrt(squared + 1e-12 * aperture**2) + aperture)
    return smooth_step(depth)


def tile_intensity(
    lens: Metalens,
    wavelength: jax.Array,
    direction: jax.Array,
    tile_offset: jax.Array,
    y: jax.Array,
    x: jax.Array,
    pupil_samples: int,
) -> jax.Array:
    """Energy density of one tile at several wavelengths.

    Args:
        lens: the metalens.
        wavelength: ``[wavelength]`` in metres.
        direction: ``[2]`` direction cosines (y, x) of the incoming wave.
        tile_offset: ``[2]`` (y, x) from the chief ray's landing point to the tile's centre, in metres.
        y: ``[y]`` positions from the tile's centre in metres.
        x: ``[x]`` positions from the tile's centre in metres.
        pupil_samples: samples along each side of the pupil's grid.

    Returns:
        ``[wavelength, y, x]`` energy per area in 1/m²; its integral over the plane is 1.
    """
    grid = pupil_grid(lens, direction, tile_offset, pupil_samples)
    phase = lens.phase.at(grid.y, grid.x)

    def at_wavelength(wavelength: jax.Array) -> jax.Array:
        wavenumber = 2 * np.pi / wavelength
        turn = phase + wavenumber * grid.path
        pupil = jax.lax.complex(grid.weight * jnp.cos(turn), grid.weight * jnp.sin(turn))
        along_x = jnp.exp(1j * wavenumber * grid.p[:, None] * x)
        along_y = jnp.exp(1j * wavenumber * grid.q[:, None] * y)
        field = along_y.T @ (pupil @ along_x) / wavelength
        return jnp.real(field) ** 2 + jnp.imag(field) ** 2

    energy = jax.lax.map(at_wavelength, wavelength)
    return energy * _falloff(lens, direction, tile_offset, y, x) / lens.aperture_area


def _falloff(lens: Metalens, direction: jax.Array, tile_offset: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
    """(R₀/R)⁴ of the chief ray: how the obliquity f/R² changes from the tile's centre to its other points."""
    focal_length = jnp.asarray(lens.focal_length)
    landing = focal_length * direction / jnp.sqrt(1 - jnp.sum(direction**2)) + tile_offset
    at_centre = jnp.sum(landing**2) + focal_length**2
    at_point = (landing[0] + y[:, None]) ** 2 + (landing[1] + x) ** 2 + focal_length**2
    return (at_centre / at_point) ** 2


@partial(jax.jit, static_argnames=("window", "tiles", "pupil_samples"))
def window_intensity(
    lens: Metalens,
    wavelength: jax.Array,
    direction: jax.Array,
    pixel_pitch: jax.Array,
    node: jax.Array,
    node_weight: jax.Array,
    *,
    window: tuple[int, int],
    tiles: int,
    pupil_samples: int,
) -> tuple[jax.Array, jax.Array]:
    """Point spread functions of one field angle, integrated over pixels.

    Args:
        lens: the metalens.
        wavelength: ``[wavelength]`` in metres.
        direction: ``[2]`` direction cosines (y, x) of the incoming wave.
        pixel_pitch: in metres.
        node: ``[node]`` offsets from a pixel's centre in metres, the same along y and x.
        node_weight: ``[node]`` shares of the pixel, summing to 1; a single node at 0 samples the pixel's centre.
        window: (ny, nx) pixels; the chief ray lands on the centre of pixel (ny // 2, nx // 2).
        tiles: tiles along each side.
        pupil_samples: samples along each side of the pupil's grid.

    Returns:
        ``[wavelength, y, x]`` energy per pixel, and ``[wavelength]`` the highest energy density of the nodes
        in 1/m².
    """
    side_y, side_x = (-(-length // tiles) for length in window)
    middle_y, middle_x = (0.5 * (side - 1) for side in (side_y, side_x))
    y = ((jnp.arange(side_y) - middle_y)[:, None] * pixel_pitch + node).ravel()
    x = ((jnp.arange(side_x) - middle_x)[:, None] * pixel_pitch + node).ravel()

    def tile(index: jax.Array) -> tuple[jax.Array, jax.Array]:
        row, column = index // tiles, index % tiles
        offset = pixel_pitch * jnp.stack(
            [
                row * side_y + middle_y - window[0] // 2,
                column * side_x + middle_x - window[1] // 2,
            ]
        )
        density = tile_intensity(lens, wavelength, direction, offset, y, x, pupil_samples)
        density = density.reshape(-1, side_y, len(node), side_x, len(node))
        peak = density.max(axis=(1, 2, 3, 4))
        return jnp.einsum("wyaxb,a,b->wyx", density, node_weight, node_weight), peak

    intensity, peak = jax.lax.map(tile, jnp.arange(tiles * tiles))
    intensity = intensity.reshape(tiles, tiles, -1, side_y, side_x).transpose(2, 0, 3, 1, 4)
    intensity = intensity.reshape(-1, tiles * side_y, tiles * side_x)[:, : window[0], : window[1]]
    return intensity * pixel_pitch**2, peak.max(axis=0)
