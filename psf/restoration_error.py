"""The expected error of a picture: as it is captured, and after a Wiener filter that knows the local functions.

Each channel alone: photographs are taken as a stationary process with the power spectrum S(ν) ∝ 1/ν² (Field,
doi:10.1364/JOSAA.4.002379; van der Schaaf and van Hateren, doi:10.1016/0042-6989(96)00002-8) and the sensor's noise as
white, of variance N. With the transfer function H(ν) of a place the errors per pixel are

    captured  ∫ S |1 − H|² dν + N,        restored  ∫ S N/(|H|² S + N) dν,

the second being that of the best linear filter (Wiener; Gonzalez and Woods, Digital Image Processing, ch. 5). Light
that lies outside the window lowers H and counts as lost.

All channels together: photographs are taken as a stationary process with the cross-spectral density P(ν) of
:mod:`metalens.formats.pictures.photograph_statistics`. With H and N diagonal over the channels, the error's covariance
after the joint filter (:mod:`metalens.restore.deconvolution.joint_wiener`) is

    ∫ (P⁻¹ + Hᴴ N⁻¹ H)⁻¹ dν.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft

from metalens.formats.pictures.photograph_statistics import PhotographStatistics

LEAST_LENGTH = 256
"""Pixels of the period over which the spectrum is taken: a quarter of a photograph."""


def image_spectrum(length: int, variance: float) -> np.ndarray:
    """Power spectrum S ∝ 1/ν² of photographs. The mean brightness is known and counts for nothing.

    Args:
        length: pixels of the period along each side.
        variance: of a pixel, the mean of S over all frequencies.

    Returns:
        ``[row, column]`` of a real transform.
    """
    row, column = np.fft.fftfreq(length)[:, None], np.fft.rfftfreq(length)
    squared = row**2 + column**2
    spectrum = np.divide(1.0, squared, out=np.zeros_like(squared), where=squared > 0)
    return variance * spectrum / (spectrum * _multiplicity(length)).sum() * length**2


def _multiplicity(length: int) -> np.ndarray:
    """How often each column of a real transform stands in the whole one."""
    count = np.full(length // 2 + 1, 2.0)
    count[0] = 1.0
    if length % 2 == 0:
        count[-1] = 1.0
    return count


def transform_length(window: int) -> int:
    """Pixels a side that hold a window and its surroundings."""
    return LEAST_LENGTH if window <= LEAST_LENGTH // 2 else int(scipy.fft.next_fast_len(2 * window, real=True))


def transfer_function(psf: jax.Array, length: int) -> jax.Array:
    """Transfer functions of point spread functions, a real transform.

    Args:
        psf: ``[..., y, x]``, whose middle sample is the origin.
        length: pixels of the period along each side.

    Returns:
        H ``[..., row, column]``.
    """
    height, width = psf.shape[-2:]
    spectrum = jnp.fft.rfft2(psf, s=(length, length))
    row, column = np.fft.fftfreq(length)[:, None], np.fft.rfftfreq(length)
    turn = np.exp(2j * np.pi * (row * (height // 2) + column * (width // 2)))
    return spectrum * turn.astype(np.complex64)


def image_errors(psf: jax.Array, noise: jax.Array | float, variance: float = 0.06) -> tuple[jax.Array, jax.Array]:
    """Expected squared error per pixel of captured and of restored pictures.

    Args:
        psf: ``[..., y, x]`` energy per pixel, 1 in all where no light is lost.
        noise: ``[...]`` variance per pixel, in units of white squared.
        variance: of photographs, in the same units.

    Returns:
        captured and restored ``[...]``, in units of white squared.
    """
    length = transform_length(max(psf.shape[-2:]))
    signal = jnp.asarray(image_spectrum(length, variance))
    share = jnp.asarray(_multiplicity(length) / length**2)
    transfer = transfer_function(psf, length)
    level = jnp.asarray(noise)[..., None, None]
    power = jnp.square(jnp.real(transfer)) + jnp.square(jnp.imag(transfer))
    lost = jnp.square(1 - jnp.real(transfer)) + jnp.square(jnp.imag(transfer))
    captured = (share * signal * lost).sum(axis=(-2, -1)) + jnp.asarray(noise)
    restored = (share * signal * level / (power * signal + level)).sum(axis=(-2, -1))
    return captured, restored


def joint_errors(psf: jax.Array, noise: jax.Array, statistics: PhotographStatistics) -> jax.Array:
    """Expected squared error per pixel and channel after the Wiener filter over all channels together.

    Args:
        psf: ``[..., channel, y, x]`` energy per pixel of three channels, 1 in all where no light is lost.
        noise: ``[..., channel]`` variance per pixel, in units of white squared.
        statistics: of photographs.

    Returns:
        ``[..., channel]`` in units of white squared. The mean brightness is known and counts for nothing.
    """
    length = transform_length(max(psf.shape[-2:]))
    row, column = np.fft.fftfreq(length)[:, None], np.fft.rfftfreq(length)
    frequency = np.hypot(row, column)
    # The statistics have no value at frequency 0; that of the next frequency keeps the matrix regular there.
    precision = statistics.precision(np.where(frequency > 0, frequency, 1 / length))
    (a, d, e), (_, b, f), (_, _, c) = np.moveaxis(precision, (-2, -1), (0, 1)).astype(np.float32)
    transfer = transfer_function(psf, length)
    power = (jnp.square(jnp.real(transfer)) + jnp.square(jnp.imag(transfer))) / jnp.asarray(noise)[..., None, None]
    a, b, c = (each + power[..., channel, :, :] for channel, each in enumerate((a, b, c)))
    # The diagonal of the inverse of a symmetric 3 × 3 matrix, by its cofactors.
    cofactors = jnp.stack([b * c - f * f, a * c - e * e, a * b - d * d], axis=-3)
    determinant = a * cofactors[..., 0, :, :] + d * (e * f - c * d) + e * (d * f - b * e)
    share = jnp.asarray(_multiplicity(length) * (frequency > 0) / length**2)
    return (share * cofactors / determinant[..., None, :, :]).sum(axis=(-2, -1))
