"""The uniform grid on which the angular-spectrum and Rayleigh–Sommerfeld engines compute."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft

from metalens.formats.files.errors import InputError
from metalens.optics.metalens import Metalens, Plate
from metalens.optics.phase.gradient import phase_gradient
from metalens.optics.refraction.refracted_light import RefractedLight
from metalens.optics.sharp_edge import EDGE_REACH
from metalens.optics.source import Source
from metalens.psf.engines.flat_cells import FILTER_REACH, fine_samples
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.engines.pixels import samples_across
from metalens.psf.rays import (
    bend_in_stop,
    chief_ray,
    layers_behind,
    layers_in_front,
    pupil_points,
    walk,
)

LARGEST_GRID = 6000
"""Largest side of a grid that ``auto`` considers; an engine requested by name is limited by memory only."""

LARGEST_CONVOLUTION = 60_000
"""Largest side of a lens that is convolved in parts; about one hour on one core."""

SAMPLE_BYTES = 64
"""Memory per sample of the transforms: several complex arrays in single precision."""

MEMORY_SHARE = 0.5
"""Share of the machine's memory that the transforms may use."""

PADDING = 3.0
"""Margin around aperture and window, in Fresnel lengths √(λz).

Light diffracted by the rim spreads over this length; there the angular spectrum is faded out."""


@dataclass(frozen=True)
class Grid:
    """Sampling of an engine on a uniform grid.

    Attributes:
        subsamples: samples along each side of a pixel.
        size: (ny, nx) of the transforms.
        window: (ny, nx) samples of the result, the integrator's margin included.
        padding: margin around aperture and window in Fresnel lengths.
        half_lens: samples from the middle of the lens to beyond its smoothed edge.
        band: highest frequencies (y, x) in whole cycles over the grid of waves that do not land outside it.
        fine: samples along one of these on which the field behind flat cells is computed; 1 without flat cells.
    """

    subsamples: int
    size: tuple[int, int]
    window: tuple[int, int]
    padding: float
    half_lens: int
    band: tuple[int, int]
    fine: int = 1

    def origin(self, pixels: tuple[int, int]) -> tuple[int, int]:
        """Sample (row, column) of the result at the centre of pixel (ny // 2, nx // 2)."""
        row, column = (2 + (count // 2) * self.subsamples + self.subsamples // 2 for count in pixels)
        return row, column

    def pitch(self, window: ImageWindow) -> float:
        """Sample spacing in metres."""
        return window.pixel_pitch / self.subsamples


def stop_diameter(lens: Metalens) -> float:
    """Diameter in metres of the disc that limits the light: the stop's if there is one, else the lens'."""
    return float(lens.aperture_diameter if lens.stop is None else lens.stop.diameter)


def choose_grids(
    lens: Metalens,
    wavelength: np.ndarray,
    sources: list[Source],
    window: ImageWindow,
    *,
    refinement: float = 1.0,
    largest: int | None = None,
) -> list[Grid]:
    """:func:`choose_grid` for each wavelength; equal for those that need equally many sub-samples.

    Args:
        lens: the metalens.
        wavelength: ``[wavelength]`` in metres.
        sources: the light.
        window: samples of each PSF.
        refinement: finer than necessary by this factor.
        largest: samples a side that the grid may have without refinement.

    Returns:
        A grid for each wavelength.

    Raises:
        InputError: a grid would be larger than memory holds.
    """
    radius = beam_radius(lens, wavelength, sources)
    rate = [_sampling_rate(lens, float(value), radius, sources, window, convolves=False) for value in wavelength]
    needed = np.array([_subsamples(refinement * each * window.pixel_pitch) for each in rate])
    grids = {
        number: choose_grid(lens, wavelength[needed == number], sources, window, refinement=refinement, largest=largest)
        for number in set(needed.tolist())
    }
    return [grids[number] for number in needed.tolist()]


def _subsamples(least: float) -> int:
    return max(1, int(np.ceil(least)))


def _sampling_rate(
    lens: Metalens, wavelength: float, radius: float, sources: list[Source], window: ImageWindow, *, convolves: bool
) -> float:
    """Samples per metre that :func:`choose_grid` needs at a wavelength, for light of a radius.

    Raises:
        InputError: no number of samples is enough.
    """
    distance = float(lens.focal_length)
    reach = radius + window.half_side
    # An intensity has twice the frequencies of its field.
    of_image = (2 if window.integrate_pixels else 1.05) * direction_spread(lens) / wavelength
    rates = [of_image, 2 * reach / np.hypot(reach, distance) / wavelength]
    rates += [
        2.1 * float(_steepest(lens, source, wavelength, *pupil_points(lens))) for source in sources[:1] + sources[-1:]
    ]
    if lens.flat_pixel is not None:
        rates.append(2 / float(lens.flat_pixel))
    if convolves:
        rates += [_kernel_rate(layer, 2 * radius, wavelength) for layer in layers_in_front(lens)]
    if not np.isfinite(rates).all():
        raise InputError(
            f"psf: the light of an opening of {1e6 * stop_diameter(lens):g} µm, {1e6 * distance:g} µm in front of "
            "the sensor, cannot be sampled; use a smaller stop or aperture_um."
        )
    return float(max(rates))


def choose_grid(
    lens: Metalens,
    wavelength: float | np.ndarray,
    sources: list[Source],
    window: ImageWindow,
    *,
    convolves: bool = False,
    refinement: float = 1.0,
    largest: int | None = None,
) -> Grid:
    """Sub-samples of a pixel and size of the transforms that serve all wavelengths and sources.

    The sample spacing h has to resolve, at the shortest wavelength, (1) the intensity, whose frequencies reach the
    pupil's spread of directions over λ, where it is integrated, else the field with half of them; (2) the waves that
    connect the aperture's rim with the window's; (3) the lens' phase relative to the chief ray, which must
    not change by more than π between samples; flat pixels are sampled twice along each side.

    Args:
        lens: the metalens.
        wavelength: one or all wavelengths in metres.
        sources: the light; it matters behind a stop and at finite distance.
        window: samples of each PSF.
        convolves: also resolve the convolution kernel from the stop to the lens.
        refinement: finer than necessary by this factor, in spacing and in padding, to see the error shrink.
        largest: samples a side that the grid may have without refinement; by default as many as memory holds.

    Returns:
        The grid, the smallest that keeps the engine's error.

    Raises:
        InputError: the grid would be larger than memory holds.
    """
    radius, distance = beam_radius(lens, wavelength, sources), float(lens.focal_length)
    shortest, longest, pixel_pitch = float(np.min(wavelength)), float(np.max(wavelength)), window.pixel_pitch
    rate = _sampling_rate(lens, shortest, radius, sources, window, convolves=convolves)
    subsamples = _subsamples(refinement * rate * pixel_pitch)
    if convolves and refinement > 1:
        # An error estimate must not compare equal samplings.
        subsamples = max(subsamples, 1 + _subsamples(rate * pixel_pitch))
    pitch = pixel_pitch / subsamples
    inner = (samples_across(window.shape[0], subsamples), samples_across(window.shape[1], subsamples))
    aperture = int(np.ceil(2 * radius / pitch + 2 * EDGE_REACH))
    padding = refinement * PADDING
    room = int(np.ceil(2 * padding * np.sqrt(longest * distance) / pitch))
    size = tuple(_round_up(aperture + length + room) for length in inner)
    # A refined grid, used for comparison only, may be larger.
    most = (largest or largest_grid(lens, convolves=convolves)) * refinement**2
    if max(size) > most:
        gentler = "a smaller window or aperture_um."
        if lens.flat_pixel is None:
            gentler = 'a smaller window, aperture_um or slope of the phase, or engine="direction_cosine".'
        raise InputError(
            f"psf: the lens and a window of {window.shape[0]} × {window.shape[1]} pixels need a grid of "
            f"{size[0]} × {size[1]} samples, more than {most:.0f} a side, which is what memory holds; use {gentler}"
        )
    # A lens that grows while it is optimised has room for a fifth.
    half_lens = min(int(np.ceil(1.2 * radius / pitch)) + FILTER_REACH, (min(size) - 1) // 2)
    # A window may lie beside the chief ray, by half of its side.
    room_aside = tuple(0.5 * length * pitch + window.half_side for length in size)
    highest = _highest_cosines(lens, {shortest, longest}, sources, (room_aside[0], room_aside[1]))
    band = tuple(
        _band(length, cosine * length * pitch / shortest) for length, cosine in zip(size, highest, strict=True)
    )
    fine = fine_samples(lens, pitch)
    return Grid(subsamples, (size[0], size[1]), inner, padding, half_lens, (band[0], band[1]), fine)


def _highest_cosines(
    lens: Metalens, wavelengths: set[float], sources: list[Source], reach: tuple[float, float]
) -> tuple[float, float]:
    """Largest direction cosines (y, x), relative to a chief ray's, of waves that land within a distance of it.

    Args:
        lens: the metalens.
        wavelengths: in metres.
        sources: the light.
        reach: distances (y, x) from where the chief rays land, in metres.
    """
    layers = layers_behind(lens)
    least_index = min(float(layer.index) for layer in layers)
    # How far aside a wave lands, by its direction cosine: inverted by interpolation.
    cosine = least_index * np.sin(np.linspace(0, 0.5 * np.pi, 2000)[:-1])
    aside = sum(
        float(layer.thickness) * cosine / np.sqrt(float(layer.index) ** 2 - np.square(cosine)) for layer in layers
    )
    part = np.linspace(-1, 1, 9)
    highest = np.zeros(2)
    for source, value in product(sources, wavelengths if lens.stop is not None else {max(wavelengths)}):
        chief = source.direction
        if lens.stop is not None:
            chief = chief_ray(lens, jnp.asarray(value), source.direction).direction
        direction = np.asarray(chief, dtype=float)
        sine = max(float(np.hypot(*direction)), 1e-30)
        landing = direction / sine * np.interp(sine, cosine, aside)
        # Along a row or a column of landing points, the highest cosine is nearest to the axis or at an end.
        along = [
            np.append(centre + half * part, np.clip(0.0, centre - half, centre + half))
            for centre, half in zip(landing, reach, strict=True)
        ]
        y, x = np.meshgrid(*along, indexing="ij")
        radius = np.maximum(np.hypot(y, x), 1e-30)
        scale = np.interp(radius, aside, cosine) / radius
        found = [np.abs(scale * place - own).max() for place, own in zip((y, x), direction, strict=True)]
        highest = np.maximum(highest, found)
    return float(highest[0]), float(highest[1])


def _band(length: int, frequency: float) -> int:
    """A highest frequency, with some room for a lens that changes, rounded to few values; at most all of them."""
    highest = int(np.ceil(1.02 * frequency))
    step = 2 ** max(0, highest.bit_length() - 5)
    return min(-(-highest // step) * step, length // 2)


def beam_radius(lens: Metalens, wavelength: float | np.ndarray, sources: list[Source]) -> float:
    """Radius in metres of the light: in the stop or, where a metasurface there spreads it, on the lens.

    Args:
        lens: the metalens.
        wavelength: one or all wavelengths in metres.
        sources: the light.

    Returns:
        In metres.

    Raises:
        InputError: a ray from the stop cannot travel to the lens.
    """
    radius = 0.5 * stop_diameter(lens)
    refracted = isinstance(sources[0], RefractedLight)
    if lens.stop is None or (lens.stop.phase is None and not refracted):
        return radius
    y, x = (jnp.asarray(each) for each in pupil_points(lens))
    for source in sources:
        light = _light_slope(source, y, x) if refracted else jnp.asarray(source.direction)
        for value in np.atleast_1d(wavelength):
            front = light + bend_in_stop(lens, jnp.asarray(value), y, x)
            chief = chief_ray(lens, jnp.asarray(value), source.direction)
            away = jnp.stack([y, x], axis=-1) + walk(layers_in_front(lens), front) - chief.lens_point
            radius = max(radius, float(jnp.abs(away).max()))
            if not np.isfinite(radius):
                raise InputError(
                    f"psf: the phase in the plane of the stop bends light of {1e9 * value:.0f} nm beyond the angles at "
                    "which it travels to the lens; use a gentler [lens.stop.phase], a smaller stop or a smaller field."
                )
    return radius


def largest_grid(lens: Metalens, *, convolves: bool) -> int:
    """Largest number of samples along a side that fits into this machine's memory.

    A lens that is its own stop is convolved in parts, in double precision; otherwise the grid is whole.

    Args:
        lens: the metalens.
        convolves: whether the engine propagates by convolution.

    Returns:
        Samples along a side.
    """
    if convolves and lens.stop is None:
        return LARGEST_CONVOLUTION
    bytes_each = SAMPLE_BYTES * (2 if convolves else 1)
    return max(LARGEST_GRID, int(np.sqrt(MEMORY_SHARE * machine_memory() / bytes_each)))


def grids_in_memory(grid: Grid) -> int:
    """Number of grids that fit into memory at the same time, in double precision.

    Args:
        grid: that of each of them.
    """
    return int(MEMORY_SHARE * machine_memory() / (2 * SAMPLE_BYTES * grid.size[0] * grid.size[1]))


def machine_memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _kernel_rate(layer: Plate, width: float, wavelength: float) -> float:
    """Sampling rate in 1/m of the Rayleigh–Sommerfeld kernel of a layer between two discs."""
    shorter, thickness = wavelength / float(layer.index), float(layer.thickness)
    reach = width + PADDING * np.sqrt(shorter * thickness)
    return float(2 * reach / np.hypot(reach, thickness) / shorter) if thickness > 0 else 0.0


def direction_spread(lens: Metalens, landing: tuple[float, float] = (0.0, 0.0)) -> float:
    """Largest spread of direction cosines, along y or x, of the stop seen from a point of the sensor.

    Args:
        lens: whose stop it is.
        landing: (y, x) of the point in metres.

    Returns:
        Without unit, from 0 to 2.
    """
    y, x = pupil_points(lens, 1, 256)
    away_y, away_x = landing[0] - y, landing[1] - x
    distance = np.sqrt(away_y**2 + away_x**2 + float(lens.focal_length) ** 2)
    return float(max(np.ptp(away_y / distance), np.ptp(away_x / distance)))


def _round_up(length: int) -> int:
    """A fast FFT length, rounded to few values because each is compiled separately."""
    step = 2 ** max(0, length.bit_length() - 5)
    return int(scipy.fft.next_fast_len(-(-length // step) * step))


def _light_slope(source: Source, y: jax.Array, x: jax.Array) -> jax.Array:
    """Direction cosines ``[..., (y, x)]`` of a source's rays."""
    total, back = jax.vjp(source.path, y, x)
    return jnp.stack(back(jnp.ones_like(total)), axis=-1)


@jax.jit
def _steepest(lens: Metalens, source: Source, wavelength: float, y: jax.Array, x: jax.Array) -> jax.Array:
    """Largest phase gradient behind the lens, in cycles per metre along y or x."""
    light = _light_slope(source, y, x) + bend_in_stop(lens, jnp.asarray(wavelength), y, x)
    chief = chief_ray(lens, jnp.asarray(wavelength), source.direction)
    point = jnp.stack([y, x], axis=-1) + walk(layers_in_front(lens), light)
    slopes = [phase_gradient(each, point[..., 0], point[..., 1]) / (2 * np.pi) for each in lens.phases]
    orders = lens.response.orders
    held = [(light - chief.direction) / wavelength + order * slope for slope in slopes for order in orders]
    held.append((light - chief.front) / wavelength)
    return jnp.abs(jnp.stack(held)).max()
