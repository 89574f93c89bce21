"""The expected error of a picture: as it is captured, and after a Wiener filter that knows the local function.

Photographs are taken as a stationary process with the power spectrum S(ν) ∝ 1/ν² (Field, doi:10.1364/JOSAA.4.002379;
van der Schaaf and van Hateren, doi:10.1016/0042-6989(96)00002-8) and the sensor's noise as white, of variance N. With
the transfer function H(ν) of a place the errors per pixel are

    captured  ∫ S |1 − H|² dν + N,        restored  ∫ S N/(|H|² S + N) dν,

the second being that of the best linear filter (Wiener; Gonzalez and Woods, Digital Image Processing, ch. 5). Light
that lies outside the window lowers H and counts as lost.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft

from metalens.formats.sensor import Sensor

LEAST_LENGTH = 256
"""Pixels of the period over which the spectrum is taken: a quarter of a photograph."""


def image_spectrum(length: int, variance: float) -> np.ndarray:
    """S ``[row, column]`` of a real transform of ``length`` pixels a side: 1/ν², its mean over all frequencies the
    variance of a pixel. The mean brightness is known and counts for nothing."""
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
    """H ``[..., row, column]`` of functions ``[..., y, x]`` whose middle sample is the origin; a real transform."""
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


def noise_variance(sensor: Sensor, grey: float) -> np.ndarray:
    """Variance ``[channel]`` of a pixel at a share of white, in units of white squared.

    The sum of what EMVA 1288 names: shot noise of light and dark signal, read noise, the patterns that are left
    without correction, and quantisation.
    """
    efficiency = np.ones(3) if sensor.quantum_efficiency is None else np.array(sensor.quantum_efficiency)
    if sensor.white_photons is not None:
        white = sensor.white_photons * efficiency
    else:
        white = sensor.white_level * sensor.saturation_e * efficiency / efficiency.max()
    signal = grey * white
    counted = signal + sensor.dark_signal_e if sensor.shot_noise is not False else np.zeros(3)
    terms = (
        sensor.read_noise_e,
        sensor.dsnu_e,
        sensor.row_pattern_e,
        sensor.column_pattern_e,
        sensor.row_noise_e,
        sensor.column_noise_e,
    )
    electrons = counted + sum((each or 0.0) ** 2 for each in terms) + 1 / (12 * sensor.system_gain**2)
    electrons = electrons + (0.01 * (sensor.prnu_percent or 0.0) * signal) ** 2
    return np.asarray(electrons / white**2)
