"""Point spread functions by the angular spectrum about the chief ray: the engine for whole banks.

The incoming wave's tilt and the carrier of the shifted window are the same plane wave, of direction cosines s.
With both taken out, the aperture field is exp(iφ(r)) on the disc: the same for every field angle and, because the
phase profile is, for every wavelength. Its spectrum is computed once; a point spread function then costs one
transfer function and one inverse FFT. With t = λu the direction cosines about s, γ₀ = √(1 − s²) and
γ = √(1 − (s + t)²),

    U(X₀ + δ) ∝ ∬ Û₀(t/λ) exp(ik f [(γ/γ₀ − 1)(s·t) − t²]/(γ + γ₀)) exp(ikt·δ) dt,

which is the phase t·X₀ + f(γ − γ₀) written without its cancellation, so that float32 holds it. Waves that would
land outside the computed region and alias are faded out (the band limit of doi:10.1364/OE.18.018453, made smooth).
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.metalens import Metalens
from metalens.psf.aperture_edge import smooth_step
from metalens.psf.sampling import PADDING


@partial(jax.jit, static_argnames=("size", "origin"))
def aperture_spectrum(lens: Metalens, pitch: jax.Array, *, size: tuple[int, int], origin: tuple[int, int]) -> jax.Array:
    """Discrete Fourier transform of the field behind the lens, its incoming tilt removed.

    Args:
        lens: the metalens.
        pitch: sample spacing in metres.
        size: (ny, nx) of the grid, the aperture and the window together.
        origin: (row, column) of the sample on the optical axis; the aperture wraps around the grid's edges.

    Returns:
        ``[row, column]`` in FFT order.
    """
    y, x = (
        pitch * jnp.asarray(np.roll(np.arange(length) - length // 2, start - length // 2), dtype=jnp.float32)
        for length, start in zip(size, origin, strict=True)
    )
    squared_radius = jnp.square(y)[:, None] + jnp.square(x)
    radius = 0.5 * jnp.asarray(lens.aperture_diameter)
    # The square root is never taken at 0, where its gradient is infinite.
    distance = jnp.sqrt(squared_radius + 1e-12 * radius**2) - radius
    inside = smooth_step(distance / pitch)
    # Outside, a steep phase could overflow; there is no light.
    phase = lens.phase.at(jnp.clip(y, -2 * radius, 2 * radius)[:, None], jnp.clip(x, -2 * radius, 2 * radius))
    return jnp.fft.fft2(jax.lax.complex(inside * jnp.cos(phase), inside * jnp.sin(phase)))


def transfer(
    size: tuple[int, int],
    pitch: jax.Array,
    wavelength: jax.Array,
    distance: jax.Array,
    direction: jax.Array,
) -> jax.Array:
    """What the plane waves about the chief ray gain on their way to the sensor.

    Args:
        size: (ny, nx) of the grid.
        pitch: sample spacing in metres.
        wavelength: in metres.
        distance: from lens to sensor in metres.
        direction: ``[2]`` direction cosines (y, x) of the chief ray.

    Returns:
        ``[row, column]`` complex, in FFT order.
    """
    t_y, t_x = (wavelength / (length * pitch) * _fft_order(length) for length in size)
    t_y = t_y[:, None]
    along = direction[0] * t_y + direction[1] * t_x
    squared = jnp.square(t_y) + jnp.square(t_x)
    chief_cosine = jnp.sqrt(1 - jnp.sum(direction**2))
    squared_cosine = chief_cosine**2 - 2 * along - squared
    travels = squared_cosine > 1e-3
    cosine = jnp.sqrt(jnp.where(travels, squared_cosine, 1.0))
    total = cosine + chief_cosine
    # γ − γ₀ from γ² − γ₀², again without cancellation.
    difference = -(2 * along + squared) / total
    path = distance * (along * difference / chief_cosine - squared) / total
    # Where a plane wave carries the aperture's centre, relative to the chief ray.
    shift_y = distance * ((direction[0] + t_y) / cosine - direction[0] / chief_cosine)
    shift_x = distance * ((direction[1] + t_x) / cosine - direction[1] / chief_cosine)
    fade = PADDING * jnp.sqrt(wavelength * distance)
    near_y = _fade_in((0.5 * size[0] * pitch - jnp.abs(shift_y)) / fade)
    near_x = _fade_in((0.5 * size[1] * pitch - jnp.abs(shift_x)) / fade)
    turn = 2 * np.pi / wavelength * path
    kept = jnp.where(travels, near_y * near_x, 0.0)
    return jax.lax.complex(kept * jnp.cos(turn), kept * jnp.sin(turn))


def _fade_in(depth: jax.Array) -> jax.Array:
    """0 up to depth 0, 1 from depth 1, smooth between: a sharp limit would diffract like a second aperture."""
    return jnp.square(jnp.sin(0.5 * np.pi * jnp.clip(depth, 0, 1)))


def _fft_order(length: int) -> jax.Array:
    return jnp.asarray(np.fft.ifftshift(np.arange(length) - length // 2), dtype=jnp.float32)


@partial(jax.jit, static_argnames=("window",))
def window_intensity(
    lens: Metalens,
    spectrum: jax.Array,
    wavelength: jax.Array,
    direction: jax.Array,
    pitch: jax.Array,
    integrator_y: jax.Array,
    integrator_x: jax.Array,
    *,
    window: tuple[int, int],
) -> tuple[jax.Array, jax.Array]:
    """Point spread functions of one field angle.

    Args:
        lens: the metalens.
        spectrum: from :func:`aperture_spectrum`, with its origin on the window's middle sample.
        wavelength: ``[wavelength]`` in metres.
        direction: ``[2]`` direction cosines (y, x) of the incoming wave.
        pitch: sample spacing in metres.
        integrator_y: ``[pixel, sample]`` from :func:`metalens.psf.sampling.pixel_integrator`.
        integrator_x: the same along x.
        window: (ny, nx) samples.

    Returns:
        ``[wavelength, y, x]`` energy per pixel, and ``[wavelength]`` the highest sampled energy density in 1/m².
    """

    def at_wavelength(wavelength: jax.Array) -> tuple[jax.Array, jax.Array]:
        size = (spectrum.shape[0], spectrum.shape[1])
        gain = transfer(size, pitch, wavelength, jnp.asarray(lens.focal_length), direction)
        field = jnp.fft.ifft2(spectrum * gain)[: window[0], : window[1]]
        density = (jnp.real(field) ** 2 + jnp.imag(field) ** 2) / lens.aperture_area
        pixels = integrator_y @ density @ integrator_x.T
        return jnp.maximum(pixels, 0.0) * pitch**2, density.max()

    return jax.lax.map(at_wavelength, wavelength)
