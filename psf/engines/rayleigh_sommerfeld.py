"""Point spread functions by the Rayleigh–Sommerfeld integral in float64: the reference engine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics import propagation
from metalens.optics.aperture import Aperture
from metalens.optics.metalens import Metalens
from metalens.optics.phase import Phase, Scalar
from metalens.optics.sharp_edge import EDGE_REACH, smooth_step
from metalens.optics.source import Source
from metalens.psf.engines.flat_cells import FILTER_REACH, gathered
from metalens.psf.engines.grid import Grid, beam_radius, stop_diameter
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.engines.incoming import incoming_light
from metalens.psf.engines.phasor import phasor
from metalens.psf.engines.pixels import pixel_centres, pixel_integrator
from metalens.psf.rays import chief_ray, layers_in_front, walk

LARGEST_PART = 6001
"""Largest side of a part of the lens that is transformed at once."""


def window_intensity(
    lens: Metalens,
    source: Source,
    wavelength: float,
    centre: tuple[float, float] | None,
    window: ImageWindow,
    grid: Grid,
) -> np.ndarray:
    """Energy per sample ``[y, x]``.

    Args:
        lens: the metalens, without a cover glass.
        source: the light.
        wavelength: in metres.
        centre: (y, x) on the sensor of the window's middle; by default where the chief ray lands.
        window: its samples.
        grid: from :func:`metalens.psf.engines.grid.choose_grid`.

    Returns:
        ``[y, x]``, 0 or more.
    """
    step = grid.pitch(window)
    chief = chief_ray(lens, jnp.asarray(wavelength), source.direction)
    middle = _pair(chief.landing) if centre is None else centre
    at_lens = _pair(chief.lens_point)
    origin = grid.origin(window.shape)
    # The propagator centres its middle sample, the window its chief ray's pixel; both count from the field's middle.
    target = [middle[axis] - at_lens[axis] + step * (grid.window[axis] // 2 - origin[axis]) for axis in (0, 1)]
    field = np.zeros(grid.window, dtype=complex)
    for part, place in _lens_fields(lens, source, wavelength, step, grid):
        field += propagation.rayleigh_sommerfeld(
            part,
            pitch=step,
            wavelength=wavelength,
            distance=float(lens.focal_length),
            centre=(target[0] - place[0], target[1] - place[1]),
            shape=grid.window,
        )
    density = np.abs(field) ** 2 / float(incoming_light(lens, source))
    gather = pixel_integrator if window.integrate_pixels else pixel_centres
    along_y, along_x = (gather(length, grid.subsamples) for length in window.shape)
    return np.maximum(along_y @ density @ along_x.T, 0) * step**2


def _lens_fields(
    lens: Metalens, source: Source, wavelength: float, pitch: float, grid: Grid
) -> Iterator[tuple[np.ndarray, tuple[float, float]]]:
    """The field behind the lens in parts, with the places (y, x) in metres of their samples (n // 2, n // 2).

    The integral is a sum over the lens, so that only one part at a time is in memory. Behind a stop the
    field itself is computed by propagation, and is not divided.
    """
    if lens.stop is not None:
        yield _field_behind_stop(lens, source, wavelength, pitch, grid), (0.0, 0.0)
        return
    half = int(np.ceil(0.5 * float(lens.aperture_diameter) / pitch)) + FILTER_REACH
    whole = np.arange(-half, half + 1)
    parts = np.array_split(whole, -(-len(whole) // LARGEST_PART))
    for rows in parts:
        for columns in parts:
            place = (pitch * rows[len(rows) // 2], pitch * columns[len(columns) // 2])
            yield _own_stop_field(lens, source, wavelength, pitch, rows, columns, grid.fine), place


def _own_stop_field(
    lens: Metalens, source: Source, wavelength: float, pitch: float, rows: np.ndarray, columns: np.ndarray, fine: int
) -> np.ndarray:
    """Field behind a lens that is its own stop, on rows and columns counted from its middle."""
    if fine > 1:
        first, count = (int(rows[0]), int(columns[0])), (len(rows), len(columns))
        return np.asarray(_behind_flat_cells(lens, source, wavelength, pitch, first=first, count=count, fine=fine))
    y, x = pitch * rows[:, None], pitch * columns[None, :]
    light, path = _light(source, lens.aperture, lens.aperture_diameter, pitch, y, x)
    through = _transmission(lens, jnp.asarray(wavelength), y, x)
    return np.asarray(light) * np.exp(2j * np.pi / wavelength * np.asarray(path, dtype=float)) * np.asarray(through)


# These are compiled whole: one by one, each of their sums and products would be, for every shape.
@jax.jit
def _light(
    source: Source, aperture: Aperture, diameter: Scalar, pitch: float, y: jax.Array, x: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Amplitude ``[y, x]`` of the light in an opening, and its path in metres."""
    inside = smooth_step(aperture.edge_distance(y, x, 0.5 * diameter) / pitch)
    return inside * source.amplitude(y, x), source.path(y, x)


@jax.jit
def _phase(phase: Phase, y: jax.Array, x: jax.Array) -> jax.Array:
    return phase.at(y, x)


@jax.jit
def _transmission(lens: Metalens, wavelength: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
    return lens.transmission(y, x, wavelength)


@partial(jax.jit, static_argnames=("first", "count", "fine"))
def _behind_flat_cells(
    lens: Metalens,
    source: Source,
    wavelength: float,
    pitch: float,
    *,
    first: tuple[int, int],
    count: tuple[int, int],
    fine: int,
) -> jax.Array:
    """The same of a lens of flat cells, from sample ``first`` on."""

    def field(y: jax.Array, x: jax.Array, step: Scalar, samples: int) -> jax.Array:
        inside = smooth_step(lens.aperture.edge_distance(y, x, 0.5 * lens.aperture_diameter) / step)
        light = inside * source.amplitude(y, x) * phasor(source.path(y, x) / wavelength)
        return light * lens.sampled_transmission(y, x, jnp.asarray(wavelength), step, samples)

    return gathered(field, first, count, pitch, fine)


def _field_behind_stop(lens: Metalens, source: Source, wavelength: float, pitch: float, grid: Grid) -> np.ndarray:
    """Complex field behind a lens with a stop in front of it, ``[y, x]``.

    Sample (n // 2, n // 2) lies where the chief ray meets the lens.

    Args:
        lens: the metalens.
        source: the light; its amplitude is 1 at the centre of the stop.
        wavelength: in metres.
        pitch: sample spacing in metres.
        grid: its padding is the margin around the light from the stop on the lens.
    """
    radius = 0.5 * stop_diameter(lens)
    y, x = _positions(radius + EDGE_REACH * pitch, pitch)
    assert lens.stop is not None
    light, path = _light(source, lens.stop.aperture, 2 * radius, pitch, y, x)
    field = np.asarray(light) * np.exp(2j * np.pi / wavelength * np.asarray(path, dtype=float))
    if lens.stop.phase is not None:
        field = field * np.exp(1j * np.asarray(_phase(lens.stop.phase, y, x), dtype=float))
    front = chief_ray(lens, jnp.asarray(wavelength), source.direction).front
    layers = layers_in_front(lens)
    beam = beam_radius(lens, wavelength, [source])
    reach = beam + grid.padding * np.sqrt(wavelength * sum(float(layer.thickness) for layer in layers))
    middle = np.zeros(2)
    for layer in layers:
        step = np.asarray(walk((layer,), front), dtype=float)
        if float(layer.thickness) > 0:
            field = propagation.rayleigh_sommerfeld(
                field,
                pitch=pitch,
                wavelength=wavelength / float(layer.index),
                distance=float(layer.thickness),
                centre=(float(step[0]), float(step[1])),
                shape=tuple(2 * int(np.ceil(reach / pitch)) + 1 for _ in range(2)),  # type: ignore[arg-type]
            )
            middle += step
    place = _pair(middle)
    return field * np.asarray(_behind_stop(lens, wavelength, pitch, place, count=len(field), fine=grid.fine))


@partial(jax.jit, static_argnames=("count", "fine"))
def _behind_stop(
    lens: Metalens, wavelength: float, pitch: float, place: tuple[float, float], *, count: int, fine: int
) -> jax.Array:
    """Transmission of a lens behind a stop and its opening ``[y, x]``, about a place (y, x) in metres."""
    half = count // 2
    y, x = (jnp.asarray(pitch * np.arange(-half, count - half) + middle) for middle in place)
    inside = smooth_step(lens.aperture.edge_distance(y[:, None], x[None, :], 0.5 * lens.aperture_diameter) / pitch)

    def through(y: jax.Array, x: jax.Array, step: Scalar, samples: int) -> jax.Array:
        return lens.sampled_transmission(place[0] + y, place[1] + x, jnp.asarray(wavelength), step, samples)

    return inside * gathered(through, (-half, -half), (count, count), pitch, fine)


def _positions(reach: float, pitch: float) -> tuple[np.ndarray, np.ndarray]:
    half = int(np.ceil(reach / pitch))
    position = pitch * np.arange(-half, half + 1)
    return position[:, None], position[None, :]


def _pair(values: np.ndarray | jax.Array) -> tuple[float, float]:
    return float(values[0]), float(values[1])
