"""Discrete Fourier transforms of which only some samples are lit, some frequencies are kept, or a window is wanted.

The sample step that the window asks for is often finer than the light is: waves beyond a highest frequency would land
outside the computed region. They are neither computed nor transformed here. Frequencies and samples stand in the
order of the FFT: 0, 1, …, −2, −1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

LARGEST_PRODUCT = 64
"""A product with cosines replaces the FFT up to so many multiplications a sample of its length."""


def fft_order(length: int) -> np.ndarray:
    """All frequencies of a transform, in whole cycles over its length.

    Args:
        length: of the transform.
    """
    return np.fft.ifftshift(np.arange(length) - length // 2)


def kept_frequencies(length: int, highest: int) -> np.ndarray:
    """Frequencies up to the highest on both sides.

    Args:
        length: of the transform.
        highest: in whole cycles over the length; half of the length or more keeps all.

    Returns:
        In the order of a discrete Fourier transform.
    """
    order = fft_order(length)
    return order[np.abs(order) <= highest]


def kept_of(spectrum: jax.Array, band: tuple[int, int]) -> jax.Array:
    """The kept frequencies of a whole spectrum.

    Args:
        spectrum: ``[row, column]``.
        band: highest frequencies (y, x).

    Returns:
        ``[..., kept y, kept x]``, the highest frequencies left out.
    """
    return _kept(_kept(spectrum, band[1]).T, band[0]).T


def centred_transform(field: jax.Array, size: tuple[int, int], band: tuple[int, int]) -> jax.Array:
    """Spectrum of a field that is dark outside a square.

    Args:
        field: ``[row, column]``, both odd, sample 0 of the grid in its middle.
        size: (ny, nx) of the grid.
        band: highest frequencies (y, x).

    Returns:
        ``[row, column]``, the kept frequencies.
    """

    def along(values: jax.Array, length: int, highest: int) -> jax.Array:
        lit = jnp.roll(values, -(values.shape[-1] // 2), axis=-1)
        return _kept(jnp.fft.fft(_embedded(lit, length), axis=-1), highest)

    return along(along(field, size[1], band[1]).T, size[0], band[0]).T


def even_transform(field: jax.Array, size: tuple[int, int], band: tuple[int, int]) -> jax.Array:
    """:func:`centred_transform` of a field that is even in y and in x, from a quarter of it.

    Args:
        field: ``[row, column]`` samples 0, 1, … along both axes.
        size: (ny, nx) of the grid.
        band: highest frequencies (y, x).

    Returns:
        ``[row, column]``, the frequencies 0, 1, … along both axes; :func:`unfolded` has the others.
    """

    def along(values: jax.Array, length: int, highest: int) -> jax.Array:
        both = jnp.concatenate([values, values[..., :0:-1]], axis=-1)
        return jnp.fft.fft(_embedded(both, length), axis=-1)[..., : highest + 1]

    return along(along(field, size[1], band[1]).T, size[0], band[0]).T


def unfolded(spectrum: jax.Array, size: tuple[int, int], band: tuple[int, int], *, rows: bool) -> jax.Array:
    """All kept frequencies of a spectrum, which may be a quarter of an even one.

    Args:
        spectrum: ``[row, column]``, of :func:`even_transform` or all.
        size: (ny, nx) of the grid.
        band: highest frequencies (y, x).
        rows: whether negative frequencies along y are wanted, too.

    Returns:
        ``[row, column]``, rows from 0 to the highest frequency, or all.
    """
    if spectrum.shape[1] != band[1] + 1:
        return spectrum if rows else spectrum[: band[0] + 1]
    half = _mirrored(spectrum, size[1])
    if not rows:
        return half
    behind = min(band[0], size[0] - 1 - band[0])
    return jnp.concatenate([half, half[behind:0:-1]])


def window_of(spectrum: jax.Array, length: int, origin: int, window: int) -> jax.Array:
    """Samples of a window of the inverse transform along the last axis.

    Args:
        spectrum: ``[..., frequency]``, the kept ones.
        length: of the transform.
        origin: the window's sample at the transform's sample 0.
        window: samples.

    Returns:
        ``[..., sample]``.
    """
    field = jnp.fft.ifft(_embedded(spectrum, length), axis=-1)
    return jnp.concatenate([field[..., length - origin :], field[..., : window - origin]], axis=-1)


def even_window(spectrum: jax.Array, length: int, origin: int, window: int) -> jax.Array:
    """:func:`window_of` of an even spectrum, from its frequencies 0, 1, …

    Args:
        spectrum: ``[..., frequency]`` from 0 to the highest.
        length: of the transform.
        origin: the window's sample at the transform's sample 0.
        window: samples.

    Returns:
        ``[..., window]`` samples about the origin.
    """
    highest, farthest = spectrum.shape[-1] - 1, max(origin, window - 1 - origin)
    if highest * farthest > LARGEST_PRODUCT * length:
        return window_of(_mirrored(spectrum, length), length, origin, window)
    frequency, sample = np.arange(highest + 1), np.arange(farthest + 1)
    # Each frequency but 0, and half of an even length, has a partner.
    weight = np.where((frequency == 0) | (2 * frequency == length), 1, 2) / length
    cosines = weight[:, None] * np.cos(2 * np.pi / length * (frequency[:, None] * sample % length))
    basis = jnp.asarray(cosines, dtype=jnp.real(spectrum).dtype)
    half = jax.lax.complex(jnp.real(spectrum) @ basis, jnp.imag(spectrum) @ basis)
    return jnp.concatenate([half[..., origin:0:-1], half[..., : window - origin]], axis=-1)


def _kept(spectrum: jax.Array, highest: int) -> jax.Array:
    """Frequencies of the last axis up to the highest."""
    length = spectrum.shape[-1]
    if 2 * highest + 1 >= length:
        return spectrum
    return jnp.concatenate([spectrum[..., : highest + 1], spectrum[..., length - highest :]], axis=-1)


def _embedded(values: jax.Array, length: int) -> jax.Array:
    """Values about 0 along the last axis, in FFT order, with zeros up to a length."""
    count = values.shape[-1]
    if count == length:
        return values
    ahead = (count + 1) // 2
    dark = jnp.zeros((*values.shape[:-1], length - count), dtype=values.dtype)
    return jnp.concatenate([values[..., :ahead], dark, values[..., ahead:]], axis=-1)


def _mirrored(half: jax.Array, length: int) -> jax.Array:
    """All kept frequencies of an even spectrum from 0, 1, … along the last axis."""
    highest = half.shape[-1] - 1
    behind = min(highest, length - 1 - highest)
    return jnp.concatenate([half, half[..., behind:0:-1]], axis=-1)
