"""Point spread functions by the angular spectrum about the chief ray: the engine for every lens.

The light's tilt and the carrier of the shifted window are the same plane wave, of direction cosines s. With both
taken out, the field behind a lens that is its own stop is exp(iφ(r)) on the disc: the same for every field angle
and, if the lens is achromatic, for every wavelength. Its spectrum is computed once; a point spread
function then costs one transfer function and one inverse FFT. With t = λu the direction cosines about s, and in
each layer of thickness z and index n behind the lens γ₀ = √(n² − s²), γ = √(n² − (s + t)²),

    U(X₀ + δ) ∝ ∬ Û₀(t/λ) exp(ik Σ z [(γ/γ₀ − 1)(s·t) − t²]/(γ + γ₀)) exp(ikt·δ) dt,

which is the phase t·X₀ + Σ z(γ − γ₀) in a form without cancellation, for float32. Waves that would
land outside the computed region and alias are faded out (the band limit of doi:10.1364/OE.18.018453, made smooth).
A stop in front of the lens adds one such propagation step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.metalens import Metalens, Plate
from metalens.optics.phase.gradient import phase_gradient
from metalens.optics.phase.profile import Scalar
from metalens.optics.sharp_edge import smooth_step
from metalens.optics.source import PlaneWave, Source
from metalens.psf.engines.backpropagation import KEEP_FIELD, kept_intensity
from metalens.psf.engines.band import (
    centred_transform,
    even_transform,
    even_window,
    fft_order,
    kept_frequencies,
    kept_of,
    unfolded,
    window_of,
)
from metalens.psf.engines.flat_cells import gathered
from metalens.psf.engines.grid import Grid
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.engines.incoming import incoming_light
from metalens.psf.engines.phasor import phasor
from metalens.psf.engines.pixels import pixel_centres, pixel_integrator
from metalens.psf.rays import chief_ray, layers_behind, layers_in_front

FieldIntensity = Callable[[Metalens, Source, jax.Array, jax.Array | None], jax.Array]
"""Lens, source, ``[wavelength]`` and the window's centre to ``[wavelength, y, x]`` energy per sample."""


def shares_spectrum(lens: Metalens, source: Source) -> bool:
    """Whether the field behind the lens, without its tilt, is the same at all field angles and wavelengths.

    Args:
        lens: with its stop and response.
        source: of the light.

    Returns:
        True where one transform serves all of them.
    """
    # Of two phases there are two fields, which the lens as it stands does not have.
    alone = lens.stop is None and lens.second_phase is None and not lens.surfaces and not lens.rear_surfaces
    return alone and lens.achromatic and isinstance(source, PlaneWave)


@partial(jax.jit, static_argnames=("grid",))
def lens_spectrum(lens: Metalens, source: Source, wavelength: jax.Array, pitch: float, *, grid: Grid) -> jax.Array:
    """Spectrum of the field behind the lens, the chief ray's direction removed.

    Args:
        lens: the metalens.
        source: the light; its amplitude is 1 at the centre of the stop.
        wavelength: scalar, in metres.
        pitch: sample spacing in metres.
        grid: which holds the aperture and the window together; the chief ray goes through sample (0, 0), about which
            the aperture wraps.

    Returns:
        ``[row, column]`` of the discrete Fourier transform, the frequencies of the grid's band, in FFT order; of an
        even field those from 0 alone.
    """
    size = grid.size
    if lens.stop is None:
        return _own_stop_spectrum(lens, source, wavelength, pitch, grid)
    y, x = jnp.asarray(pitch * fft_order(size[0])[:, None]), jnp.asarray(pitch * fft_order(size[1])[None, :])
    # Clipped, because outside the opening, where there is no light, a steep phase could overflow.
    reach = 1.2 * jnp.maximum(lens.aperture_diameter, lens.stop.diameter)
    near_y, near_x = jnp.clip(y, -reach, reach), jnp.clip(x, -reach, reach)
    light = source.path(near_y, near_x) - (source.direction[0] * near_y + source.direction[1] * near_x)
    stop = smooth_step(lens.stop.aperture.edge_distance(y, x, 0.5 * lens.stop.diameter) / pitch)
    chief = chief_ray(lens, wavelength, source.direction)
    cycles = light / wavelength
    if lens.stop.phase is not None:
        # The chief ray's direction behind the stop is taken out here, that of the light before it was.
        tilt = (chief.front - jnp.asarray(source.direction)) / wavelength
        cycles += lens.stop.phase.at(near_y, near_x) / (2 * np.pi) - (tilt[0] * near_y + tilt[1] * near_x)
    spectrum = jnp.fft.fft2(stop * source.amplitude(near_y, near_x) * phasor(cycles))
    spectrum *= transfer(layers_in_front(lens), size, pitch, wavelength, chief.front, grid.padding)
    at_y, at_x = chief.lens_point[0] + near_y, chief.lens_point[1] + near_x
    inside = smooth_step(lens.aperture.edge_distance(at_y, at_x, 0.5 * lens.aperture_diameter) / pitch)
    tilt = lens.image_order(wavelength) * phase_gradient(lens.phase, chief.lens_point[0], chief.lens_point[1])
    bent = phasor(-(tilt[0] * near_y + tilt[1] * near_x) / (2 * np.pi))
    if grid.fine == 1:
        through = lens.transmission(at_y, at_x, wavelength)
    else:
        through = _through_flat_cells(lens, chief.lens_point, wavelength, pitch, grid)
    return kept_of(jnp.fft.fft2(jnp.fft.ifft2(spectrum) * inside * through * bent), grid.band)


def _own_stop_spectrum(lens: Metalens, source: Source, wavelength: jax.Array, pitch: float, grid: Grid) -> jax.Array:
    """:func:`lens_spectrum` of a lens that is its own stop: it is dark beyond the opening."""
    half = grid.half_lens
    if grid.fine > 1:
        return centred_transform(_behind_flat_cells(lens, source, wavelength, pitch, grid), grid.size, grid.band)
    # Light from infinity without its tilt is as symmetric as the lens: a quarter of it tells the rest.
    even = lens.rotationally_symmetric and isinstance(source, PlaneWave)
    place = pitch * np.arange(0 if even else -half, half + 1)
    y, x = jnp.asarray(place[:, None]), jnp.asarray(place[None, :])
    # Clipped, because outside the opening, where there is no light, a steep phase could overflow.
    reach = 1.2 * jnp.asarray(lens.aperture_diameter)
    near_y, near_x = jnp.clip(y, -reach, reach), jnp.clip(x, -reach, reach)
    light = source.path(near_y, near_x) - (source.direction[0] * near_y + source.direction[1] * near_x)
    inside = smooth_step(lens.aperture.edge_distance(y, x, 0.5 * lens.aperture_diameter) / pitch)
    if lens.achromatic and lens.response.orders == (1,):
        amplitude = lens.response.coefficients(wavelength)[0]
        field = amplitude * phasor(lens.phase.at(near_y, near_x) / (2 * np.pi) + light / wavelength)
    else:
        field = lens.transmission(near_y, near_x, wavelength) * phasor(light / wavelength)
    field = inside * source.amplitude(near_y, near_x) * field
    return (even_transform if even else centred_transform)(field, grid.size, grid.band)


def _behind_flat_cells(lens: Metalens, source: Source, wavelength: jax.Array, pitch: float, grid: Grid) -> jax.Array:
    """The field behind a lens of flat cells that is its own stop, about the lens' centre."""

    def field(y: jax.Array, x: jax.Array, step: Scalar, samples: int) -> jax.Array:
        inside = smooth_step(lens.aperture.edge_distance(y, x, 0.5 * lens.aperture_diameter) / step)
        light = source.path(y, x) - (source.direction[0] * y + source.direction[1] * x)
        through = lens.sampled_transmission(y, x, wavelength, step, samples)
        return inside * source.amplitude(y, x) * through * phasor(light / wavelength)

    half = grid.half_lens
    return gathered(field, (-half, -half), (2 * half + 1, 2 * half + 1), pitch, grid.fine)


def _through_flat_cells(lens: Metalens, at: jax.Array, wavelength: jax.Array, pitch: float, grid: Grid) -> jax.Array:
    """Transmission of flat cells behind a stop, about the place where the chief ray meets the lens."""

    def field(y: jax.Array, x: jax.Array, step: Scalar, samples: int) -> jax.Array:
        return lens.sampled_transmission(at[0] + y, at[1] + x, wavelength, step, samples)

    first = (-(grid.size[0] // 2), -(grid.size[1] // 2))
    return jnp.fft.ifftshift(gathered(field, first, grid.size, pitch, grid.fine))


def transfer(
    layers: tuple[Plate, ...],
    size: tuple[int, int],
    pitch: float,
    wavelength: jax.Array,
    direction: jax.Array,
    padding: float,
    *,
    offset: jax.Array | None = None,
    band: tuple[int, int] | None = None,
    rows: int | None = None,
) -> jax.Array:
    """Transfer function of layers for the plane waves about the chief ray.

    Args:
        layers: air and glass along the path.
        size: (ny, nx) of the grid.
        pitch: sample spacing in metres.
        wavelength: in metres.
        direction: ``[2]`` direction cosines (y, x) of the chief ray in air.
        padding: width of the fade at the region's edge in Fresnel lengths.
        offset: ``[2]`` (y, x) in metres from the landing point of the chief ray to the middle of the region.
        band: highest frequencies (y, x) to compute, see :class:`~metalens.psf.engines.grid.Grid`; by default all.
        rows: number of first rows to compute; by default all.

    Returns:
        ``[row, column]`` complex, in FFT order.
    """
    t_y, t_x = _cosines(size, pitch, wavelength, band, rows)
    along = direction[0] * t_y + direction[1] * t_x
    squared = jnp.square(t_y) + jnp.square(t_x)
    path = shift_y = shift_x = jnp.zeros(())
    travels = jnp.asarray(True)
    for layer in layers:
        chief_cosine = jnp.sqrt(jnp.square(layer.index) - jnp.sum(jnp.square(direction)))
        squared_cosine = jnp.square(chief_cosine) - 2 * along - squared
        travels &= squared_cosine > 1e-3
        cosine = jnp.sqrt(jnp.maximum(squared_cosine, 1e-3))
        inverse = 1 / (cosine + chief_cosine)
        # γ − γ₀ from γ² − γ₀², again without cancellation.
        difference = -(2 * along + squared) * inverse
        path += layer.thickness * (along * difference / chief_cosine - squared) * inverse
        # Lateral shift of a plane wave, relative to the chief ray.
        reach, chief_reach = layer.thickness / cosine, layer.thickness / chief_cosine
        shift_y += (direction[0] + t_y) * reach - direction[0] * chief_reach
        shift_x += (direction[1] + t_x) * reach - direction[1] * chief_reach
    if offset is not None:
        path += t_y * offset[0] + t_x * offset[1]
        shift_y, shift_x = shift_y - offset[0], shift_x - offset[1]
    fade = padding * jnp.sqrt(wavelength * sum(layer.thickness / layer.index for layer in layers))
    near_y = _fade_in((0.5 * size[0] * pitch - jnp.abs(shift_y)) / fade)
    near_x = _fade_in((0.5 * size[1] * pitch - jnp.abs(shift_x)) / fade)
    return jnp.where(travels, near_y * near_x, 0.0) * phasor(path / wavelength)


def paraxial_transfer(
    distance: jax.Array,
    size: tuple[int, int],
    pitch: float,
    wavelength: jax.Array,
    band: tuple[int, int] | None = None,
    rows: int | None = None,
) -> jax.Array:
    """The Fresnel approximation of :func:`transfer` in air, exp(−ikz t²/2), whatever the chief ray.

    Args:
        distance: z in metres.
        size: samples (rows, columns) of the grid.
        pitch: of its samples in metres.
        wavelength: in metres.
        band: highest frequencies (y, x) to compute; by default all.
        rows: number of first rows to compute; by default all.

    Returns:
        ``[kept y, kept x]`` complex, of magnitude 1.
    """
    t_y, t_x = _cosines(size, pitch, wavelength, band, rows)
    return phasor(-0.5 * distance / wavelength * (jnp.square(t_y) + jnp.square(t_x)))


def _fade_in(depth: jax.Array) -> jax.Array:
    """Smooth step from 0 at depth 0 to 1 at depth 1: a sharp limit would diffract like a second aperture."""
    part = jnp.clip(depth, 0, 1)
    return part**3 * (part * (6 * part - 15) + 10)


def _cosines(
    size: tuple[int, int], pitch: float, wavelength: jax.Array, band: tuple[int, int] | None, rows: int | None
) -> tuple[jax.Array, jax.Array]:
    """Direction cosines ``[row, 1]`` and ``[column]`` of the plane waves of the grid's frequencies."""
    highest = size if band is None else band
    along_y, along_x = (kept_frequencies(length, most) for length, most in zip(size, highest, strict=True))
    return (wavelength / (size[0] * pitch) * along_y)[:rows, None], wavelength / (size[1] * pitch) * along_x


def shared_spectrum(
    lens: Metalens, source: Source, wavelength: jax.Array, window: ImageWindow, grid: Grid
) -> jax.Array | None:
    """The spectrum from :func:`lens_spectrum` where :func:`shares_spectrum` says that one serves all fields.

    Args:
        lens: the metalens.
        source: the light on the axis.
        wavelength: scalar, in metres.
        window: samples of each PSF.
        grid: from :func:`metalens.psf.engines.grid.choose_grid`.

    Returns:
        ``[kept y, kept x]`` complex, or None where each field needs its own.
    """
    if not shares_spectrum(lens, source):
        return None
    return lens_spectrum(lens, source, wavelength, grid.pitch(window), grid=grid)


def field_intensity(
    shared: jax.Array | None,
    window: ImageWindow,
    grid: Grid,
    *,
    mirrored: bool,
    paraxial: bool,
    keep_all: bool = False,
) -> FieldIntensity:
    """Point spread functions of one source, as a function of lens, source, wavelengths and the window's centre.

    Args:
        shared: the spectrum from :func:`shared_spectrum`.
        window: samples of each PSF.
        grid: from :func:`metalens.psf.engines.grid.choose_grid`.
        mirrored: lens and light are symmetric in y, so that half of the work is enough.
        paraxial: propagate by the Fresnel approximation.
        keep_all: keep everything for the gradient, and not the fields in the window alone.

    Returns:
        A function to ``[wavelength, y, x]`` energy per sample.
    """
    gather = pixel_integrator if window.integrate_pixels else pixel_centres
    along_y, along_x = (jnp.asarray(gather(length, grid.subsamples)) for length in window.shape)
    pitch, origin = grid.pitch(window), grid.origin(window.shape)
    rows = grid.band[0] + 1 if mirrored else None

    def of_field(lens: Metalens, source: Source, wavelength: jax.Array, centre: jax.Array | None) -> jax.Array:
        def at(value: jax.Array) -> jax.Array:
            spectrum = shared
            if spectrum is None:
                spectrum = lens_spectrum(lens, source, value, pitch, grid=grid)
            if paraxial:
                gain = paraxial_transfer(jnp.asarray(lens.focal_length), grid.size, pitch, value, grid.band, rows)
            else:
                gain = transfer_behind(lens, source, value, centre, pitch, grid, rows)
            spectrum = unfolded(spectrum, grid.size, grid.band, rows=not mirrored)
            field = window_of(spectrum * gain, grid.size[1], origin[1], grid.window[1])
            along = even_window if mirrored else window_of
            field = along(field.T, grid.size[0], origin[0], grid.window[0]).T
            density = kept_intensity(field) / incoming_light(lens, source)
            return jnp.maximum(along_y @ density @ along_x.T, 0.0) * pitch**2

        return jax.lax.map(at if keep_all else jax.checkpoint(at, policy=KEEP_FIELD), wavelength)

    return of_field


def transfer_behind(
    lens: Metalens,
    source: Source,
    wavelength: jax.Array,
    centre: jax.Array | None,
    pitch: float,
    grid: Grid,
    rows: int | None,
) -> jax.Array:
    """:func:`transfer` from the lens to a window about ``centre``, or about the chief ray.

    Args:
        lens: at the distance of the sensor.
        source: the light.
        wavelength: scalar, in metres.
        centre: ``[2]`` (y, x) of the window's middle on the sensor; None is where the chief ray lands.
        pitch: sample spacing in metres.
        grid: from :func:`metalens.psf.engines.grid.choose_grid`.
        rows: number of first rows to compute; None is all.

    Returns:
        ``[kept y, kept x]`` complex, of magnitude 1 at most.
    """
    chief = chief_ray(lens, wavelength, source.direction)
    offset = None if centre is None else centre - chief.landing
    at = (wavelength, chief.direction, grid.padding)
    return transfer(layers_behind(lens), grid.size, pitch, *at, offset=offset, band=grid.band, rows=rows)
