"""Point spread functions in the direction cosines of the pupil: the engine for smooth phases.

Seen from the centre X₀ of a tile of the sensor, a pupil point x lies at the distance R₀ in the direction
(p, q, γ) = (X₀ − x, Y₀ − y, f)/R₀. The Rayleigh–Sommerfeld integral, with dx dy = f²/γ⁴ dp dq, becomes

    U(X₀ + δ) = 1/(iλ) ∬ exp(i[φ + k s·x + kR₀]) (f/γ²) exp(ik(pδx + qδy + ε)) dp dq,
    ε = (γ/2f)[(1 − p²)δx² + (1 − q²)δy² − 2pq δxδy]

up to k|δ|³/R₀² and 1/(kR)², with the near field's phase 1/(kR₀) in the bracket. That bracket varies slowly, because
the lens' phase nearly cancels the sphere: a few hundred samples a side suffice whatever the lens' size, and a tile is a
few matrix products of the form E_y G E_xᵀ.
ε less its mean over the pupil is small in a small tile, and exp(ikε) = 1 + ikε is a sum of three more such
products. Everything up to the phase is the same for all wavelengths and computed once a tile.

The pupil's hard edge is smoothed on the scale of the sample step (``optics.sharp_edge``).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.metalens import Metalens
from metalens.optics.sharp_edge import EDGE_REACH, smooth_step
from metalens.optics.source import Source
from metalens.psf.engines.backpropagation import KEEP_FIELD, kept_intensity
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.engines.incoming import incoming_light
from metalens.psf.engines.phasor import phasor
from metalens.psf.engines.pixels import gauss_legendre
from metalens.psf.engines.sampling import Sampling

MOST_PUPIL_SAMPLES = 2_000_000
"""Largest number of pupil samples of all tiles that are computed at once."""


LEAST_SQUARED_COSINE = 1e-3
"""Smallest γ² of a sample: 88° from the axis."""


class PupilGrid(NamedTuple):
    """The pupil seen from one tile, on a grid uniform in direction cosines.

    Attributes:
        q: ``[row]`` direction cosines along y, less the chief ray's.
        p: ``[column]`` direction cosines along x, less the chief ray's.
        weight: ``[row, column]`` f/γ² dp dq times the share of the sample inside the aperture, in metres.
        area: ``[row, column]`` f²/γ⁴ dp dq times that share: of the lens, in m².
        path: ``[row, column]`` the light's path plus R₀, less the same at the lens' centre, in metres.
        nearness: ``[row, column]`` 1/R₀ in 1/m.
        y: ``[row, column]`` pupil positions in metres.
        x: ``[row, column]`` pupil positions in metres.
        curvature: the coefficients ``[row, column]`` of δx², δy² and δxδy in ε, less their means, in 1/m.
    """

    q: jax.Array
    p: jax.Array
    weight: jax.Array
    area: jax.Array
    path: jax.Array
    nearness: jax.Array
    y: jax.Array
    x: jax.Array
    curvature: tuple[jax.Array, jax.Array, jax.Array]


def _landing(lens: Metalens, source: Source, tile_offset: jax.Array) -> jax.Array:
    """``[2]`` (y, x) of the tile's centre on the sensor in metres."""
    direction = jnp.asarray(source.direction)
    return lens.focal_length * direction / jnp.sqrt(1 - jnp.sum(direction**2)) + tile_offset


def pupil_grid(lens: Metalens, source: Source, tile_offset: jax.Array, samples: int) -> PupilGrid:
    """Sample the pupil as seen from the centre of a tile.

    Args:
        lens: the metalens.
        source: the light.
        tile_offset: ``[2]`` (y, x) from the chief ray's landing point to the tile's centre, in metres.
        samples: along each side of the grid.

    Returns:
        Samples of the pupil with their weight and optical path, in metres.
    """
    focal_length = jnp.asarray(lens.focal_length)
    aperture = 0.5 * jnp.asarray(lens.aperture_diameter)
    landing = _landing(lens, source, tile_offset)
    chief_distance = jnp.sqrt(jnp.sum(landing**2) + focal_length**2)
    chief = landing / chief_distance

    turn = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    rim = aperture * np.stack([np.sin(turn), np.cos(turn)])
    away = landing[:, None] - rim
    rim_cosine = away / jnp.sqrt(jnp.sum(away**2, axis=0) + focal_length**2) - chief[:, None]
    # The integral does not depend on the positions of the samples, so no gradient flows through them.
    low, high = jax.lax.stop_gradient((rim_cosine.min(axis=1), rim_cosine.max(axis=1)))
    step = (high - low) / (samples - 1 - 2 * EDGE_REACH)
    q, p = (low - EDGE_REACH * step)[:, None] + step[:, None] * np.arange(samples)

    full_q, full_p = (chief[0] + q)[:, None], (chief[1] + p)[None, :]
    # Corners of the square with q² + p² > 1 are not part of the pupil.
    squared_cosine = 1 - full_q**2 - full_p**2
    seen = squared_cosine > LEAST_SQUARED_COSINE
    squared_cosine = jnp.where(seen, squared_cosine, 1.0)
    cosine = jnp.sqrt(squared_cosine)
    reach = focal_length / cosine
    y, x = jnp.where(seen, landing[0] - reach * full_q, 0.0), jnp.where(seen, landing[1] - reach * full_p, 0.0)

    # R₀ relative to its value at the lens' centre, without cancellation of large distances.
    sphere = (y**2 + x**2 - 2 * (y * landing[0] + x * landing[1])) / (reach + chief_distance)
    inside = jnp.where(seen, _inside(lens, landing, y, x, full_q, full_p, step), 0.0)
    share = focal_length / squared_cosine * step[0] * step[1] * inside
    weight = share * source.amplitude(y, x)
    bend = 0.5 * cosine / focal_length
    curvature = (bend * (1 - full_p**2), bend * (1 - full_q**2), -2 * bend * full_p * full_q)
    total = weight.sum()
    deviations = [each - (each * weight).sum() / total for each in curvature]
    path = sphere + source.path(y, x)
    nearness = cosine / focal_length
    return PupilGrid(
        q, p, weight, share * reach / cosine, path, nearness, y, x, (deviations[0], deviations[1], deviations[2])
    )


@partial(jax.jit, static_argnames=("samples",))
def seen_area(lens: Metalens, source: Source, samples: int) -> jax.Array:
    """Area of the pupil as sampled for the centre of the window, relative to the aperture; 1 if the sampling suffices.

    Args:
        lens: the metalens.
        source: wavelength and direction of the light.
        samples: samples along a side of the pupil grid.

    Returns:
        The ratio, a scalar.
    """
    return pupil_grid(lens, source, jnp.zeros(2), samples).area.sum() / lens.aperture.area(0.5 * lens.aperture_diameter)


def _inside(
    lens: Metalens, landing: jax.Array, y: jax.Array, x: jax.Array, q: jax.Array, p: jax.Array, step: jax.Array
) -> jax.Array:
    """Share of each sample inside the aperture, smoothed on the scale of the sample step."""
    radius = 0.5 * lens.aperture_diameter
    distance, back = jax.vjp(lambda y, x: lens.aperture.edge_distance(y, x, radius), y, x)
    slope_y, slope_x = back(jnp.ones_like(distance))
    # Nearest point of the edge in direction cosines. In the plane of the lens, the width of a sample grows as 1/γ³
    # and differs between the edge and the sample.
    edge_q, edge_p = _seen_from(lens, landing, y - distance * slope_y, x - distance * slope_x)
    normal_q = (slope_y * (1 - edge_p**2) + slope_x * edge_q * edge_p) * step[0]
    normal_p = (slope_x * (1 - edge_q**2) + slope_y * edge_q * edge_p) * step[1]
    beyond = (edge_q - q) / step[0] * normal_q + (edge_p - p) / step[1] * normal_p
    # At the centre of a disc the nearest edge is undefined, and the root must not be taken at 0.
    length = normal_q**2 + normal_p**2
    one_side = slope_y**2 + slope_x**2 > 0.25
    steps = beyond / jnp.sqrt(jnp.where(one_side, length, 1.0))
    return smooth_step(jnp.where(one_side, steps, jnp.sign(distance) * 2 * EDGE_REACH))


def _seen_from(lens: Metalens, landing: jax.Array, y: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Direction cosines (q, p) of points of the lens, seen from a point of the sensor."""
    away_y, away_x = landing[0] - y, landing[1] - x
    distance = jnp.sqrt(away_y**2 + away_x**2 + lens.focal_length**2)
    return away_y / distance, away_x / distance


def tile_intensity(
    lens: Metalens,
    source: Source,
    wavelength: jax.Array,
    tile_offset: jax.Array,
    y: jax.Array,
    x: jax.Array,
    pupil_samples: int,
) -> jax.Array:
    """Energy density of one tile at several wavelengths.

    Args:
        lens: the metalens; only the first of its response's orders is used.
        source: the light.
        wavelength: ``[wavelength]`` in metres.
        tile_offset: ``[2]`` (y, x) from the chief ray's landing point to the tile's centre, in metres.
        y: ``[y]`` positions from the tile's centre in metres.
        x: ``[x]`` positions from the tile's centre in metres.
        pupil_samples: samples along each side of the pupil's grid.

    Returns:
        ``[wavelength, y, x]`` energy per area in 1/m²; its integral over the plane is the transmitted share of the
        incident energy.
    """
    grid = pupil_grid(lens, source, tile_offset, pupil_samples)
    cycles = lens.response.orders[0] * lens.phase.at(grid.y, grid.x) / (2 * np.pi)

    @partial(jax.checkpoint, policy=KEEP_FIELD)
    def at_wavelength(wavelength: jax.Array) -> jax.Array:
        turn = 2j * np.pi / wavelength
        # The near-field factor 1 + i/(kR₀) is approximated by the phase 1/(kR₀).
        near = wavelength / (2 * np.pi) ** 2 * grid.nearness
        pupil = grid.weight * phasor(cycles + grid.path / wavelength + near)
        along_x = phasor(grid.p[:, None] * x / wavelength)
        along_y = phasor(y[:, None] * grid.q / wavelength)
        of_x, of_y, mixed = (pupil * each for each in grid.curvature)
        field = along_y @ (pupil @ along_x + of_x @ (turn * x**2 * along_x))
        field += y[:, None] * (along_y @ (mixed @ (turn * x * along_x)))
        field += y[:, None] ** 2 * (along_y @ (of_y @ (turn * along_x)))
        efficiency = jnp.square(jnp.abs(lens.response.coefficients(wavelength)[0]))
        return efficiency * kept_intensity(field) / wavelength**2

    energy = jax.lax.map(at_wavelength, wavelength)
    return energy * _falloff(lens, source, tile_offset, y, x) / incoming_light(lens, source)


def _falloff(lens: Metalens, source: Source, tile_offset: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
    """(R₀/R)⁴ of the chief ray: change of the obliquity factor f/R² within the tile."""
    landing = _landing(lens, source, tile_offset)
    at_centre = jnp.sum(landing**2) + lens.focal_length**2
    at_point = (landing[0] + y[:, None]) ** 2 + (landing[1] + x) ** 2 + lens.focal_length**2
    return (at_centre / at_point) ** 2


def window_intensity(
    lens: Metalens,
    source: Source,
    wavelength: jax.Array,
    centre: jax.Array | None,
    *,
    window: ImageWindow,
    sampling: Sampling,
    nodes: int,
    mirrored: bool,
) -> jax.Array:
    """Point spread functions of one source, integrated over pixels.

    Args:
        lens: the metalens.
        source: the light.
        wavelength: ``[wavelength]`` in metres.
        centre: ``[2]`` (y, x) on the sensor of the window's middle; by default where the chief ray lands.
        window: its pixels.
        sampling: tiles of the window, and samples of the pupil.
        nodes: Gauss–Legendre nodes along a pixel's side, odd; a single one samples the pixel's centre.
        mirrored: lens and light are the same when y is turned over, so that the upper tiles mirror the lower ones.

    Returns:
        ``[wavelength, y, x]`` energy per pixel.
    """
    pixel_pitch, tiles, samples = window.pixel_pitch, sampling.tiles, sampling.pupil_samples
    node, node_weight = gauss_legendre(nodes, pixel_pitch)
    side_y, side_x = (tile_side(length, tiles) for length in window.shape)
    middle_y, middle_x = side_y // 2, side_x // 2
    y = ((np.arange(side_y) - middle_y)[:, None] * pixel_pitch + node).ravel()
    x = ((np.arange(side_x) - middle_x)[:, None] * pixel_pitch + node).ravel()
    upper = tiles // 2 if mirrored else 0
    start = jnp.zeros(2) if centre is None else centre - _landing(lens, source, jnp.zeros(2))

    def tile(index: jax.Array) -> jax.Array:
        row, column = upper + index // tiles, index % tiles
        offset = start + pixel_pitch * jnp.stack([(row - tiles // 2) * side_y, (column - tiles // 2) * side_x])
        density = tile_intensity(
            lens, source, wavelength, offset, jnp.asarray(y), jnp.asarray(x), sampling.pupil_samples
        )
        density = density.reshape(-1, side_y, len(node), side_x, len(node))
        return jnp.einsum("wyaxb,a,b->wyx", density, node_weight, node_weight)

    rows = tiles - upper
    # Several tiles at once use all cores; more would only need memory.
    together = max(1, MOST_PUPIL_SAMPLES // samples**2)
    intensity = jax.lax.map(tile, jnp.arange(rows * tiles), batch_size=min(together, rows * tiles))
    intensity = intensity.reshape(rows, tiles, -1, side_y, side_x).transpose(2, 0, 3, 1, 4)
    intensity = intensity.reshape(-1, rows * side_y, tiles * side_x)
    if mirrored:
        below = intensity[:, middle_y:]
        intensity = jnp.concatenate([below[:, :0:-1], below], axis=1)
    first = [tiles * side // 2 - length // 2 for side, length in zip((side_y, side_x), window.shape, strict=True)]
    kept = intensity[:, first[0] : first[0] + window.shape[0], first[1] : first[1] + window.shape[1]]
    return kept * pixel_pitch**2


def tile_side(length: int, tiles: int) -> int:
    """Samples along a tile: an odd number of pixels, so that tiles centred on the chief ray's pixel cover the window.

    Args:
        length: samples of the window along this axis.
        tiles: number of tiles.

    Returns:
        An odd number.
    """
    side = -(-(length + 1 - length % 2) // tiles)
    return side + 1 - side % 2
