"""Wiener deconvolution with known point spread functions: the baseline without training.

    restored = F⁻¹[ H* / (|H|² + N) · F[captured] ],   N = noise power / signal power, one constant

in linear light, each channel with its own function. Frequency 0 is divided by H alone, so that N does not change the
brightness. The functions have a sum of 1, since the camera is balanced on a white scene over its whole sensor. Colours
with lateral chromatic aberration are registered first (``lateral_warp``) and deconvolved about their centroids.

- *whole*: one function for the frame, the bank's mean or the one nearest the axis.
- *tiled*: one filter per node of the bank; the results are blended by hat windows that sum to one, which is
  bilinear interpolation between the nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from scipy.fft import irfft2, next_fast_len, rfft2

from metalens.formats.camera.sensor import Sensor
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.encoding import has_flat_field
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.lateral_colour import centroids, has_lateral_colour, moved_back
from metalens.restore.deconvolution.captured_light import light_of, picture_of, place_on_sensor
from metalens.restore.deconvolution.lateral_warp import LateralWarp
from metalens.restore.metrics.measures import psnr

WholeFramePsf = Literal["mean", "axis"]

NOISE_TO_SIGNAL = tuple(float(value) for value in np.logspace(-4, 0, 9))
"""Search grid of N: half-decades from 10⁻⁴ to 1."""


def wiener_whole(
    picture: np.ndarray, bank: PsfBank, noise_to_signal: float, *, psf: WholeFramePsf = "mean"
) -> np.ndarray:
    """Deconvolve a picture with one point spread function.

    Args:
        picture: ``[y, x, 3]`` as the bank's camera writes it, uint8 or float in 0..1.
        bank: point spread functions on the picture's pixels.
        noise_to_signal: N, above 0.
        psf: ``"mean"`` of the bank's functions, or the one nearest the ``"axis"``.

    Returns:
        The picture's shape and type, sRGB.

    Raises:
        InputError: the picture is none, or N is not above 0.
    """
    if psf not in ("mean", "axis"):
        raise InputError(f"wiener: psf {psf!r}, expected mean or axis.")
    functions = balanced_functions(bank)
    nearest = np.linalg.norm(bank.position, axis=1).argmin()
    kernel = functions.mean(axis=0) if psf == "mean" else functions[nearest]
    frame = _Frame(picture, bank.camera.sensor, kernel.shape[-2:])
    return frame.finish(frame.deconvolve(_filter(kernel, frame.size, noise_to_signal)))


def wiener_tiled(
    picture: np.ndarray, bank: PsfBank, noise_to_signal: float, *, place: tuple[int, int] | None = None
) -> np.ndarray:
    """Deconvolve a picture with field-dependent point spread functions.

    Args:
        picture: ``[y, x, 3]`` as the bank's camera writes it, uint8 or float in 0..1, of the whole sensor unless
            ``place`` is given.
        bank: point spread functions at nodes on a grid over the sensor.
        noise_to_signal: N, above 0.
        place: (row, column) on the sensor of the picture's first pixel, if it is a part of the frame.

    Returns:
        The picture's shape and type, sRGB.

    Raises:
        InputError: the picture is none, or neither the sensor's whole frame nor a part of it, the nodes are no grid,
            or N is not above 0.
    """
    sensor = bank.camera.sensor
    top, left = place_on_sensor(bank, np.shape(picture)[:2], place)
    registered = has_lateral_colour(bank)
    functions = bank.as_grid(balanced_functions(bank, registered=registered))
    warp = LateralWarp(bank, picture.shape[:2], (top, left), "cpu") if registered else None
    frame = _Frame(picture, sensor, functions.shape[-2:], warp, place)
    weight_y, weight_x = (
        tile_weights(nodes, bank.pixel_pitch, whole)[:, first : first + side]
        for nodes, whole, first, side in zip(
            (bank.field_y, bank.field_x), sensor.pixels, (top, left), picture.shape[:2], strict=True
        )
    )
    light = np.zeros(picture.shape, dtype=np.float32)
    for row, column in np.ndindex(functions.shape[:2]):
        if not (weight_y[row].any() and weight_x[column].any()):
            continue
        restored = frame.deconvolve(_filter(functions[row, column], frame.size, noise_to_signal))
        light += (weight_y[row][:, None] * weight_x[column])[..., None] * restored
    return frame.finish(light)


def tune_regulariser(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    bank: PsfBank,
    *,
    tiled: bool = True,
    candidates: Sequence[float] = NOISE_TO_SIGNAL,
    places: Sequence[tuple[int, int]] | None = None,
) -> float:
    """Choose the N with the highest mean PSNR on training pairs; do not use held-out pairs.

    Args:
        pairs: clean and captured pictures; a handful is enough.
        bank: see :func:`wiener_tiled`.
        tiled: choose for :func:`wiener_tiled`, otherwise for :func:`wiener_whole` with the mean function.
        candidates: values to try.
        places: (row, column) on the sensor of each capture's first pixel, where they are parts of the frame.

    Returns:
        The best candidate.

    Raises:
        InputError: there are no pairs or no candidates.
    """

    def restore(captured: np.ndarray, candidate: float, place: tuple[int, int] | None) -> np.ndarray:
        if not tiled:
            return wiener_whole(captured, bank, candidate)
        return wiener_tiled(captured, bank, candidate, place=place)

    return best_setting(pairs, restore, candidates, places, method="wiener")


def best_setting(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    restore: Callable[[np.ndarray, float, tuple[int, int] | None], np.ndarray],
    candidates: Sequence[float],
    places: Sequence[tuple[int, int]] | None,
    *,
    method: str,
) -> float:
    """Find the setting of a filter with the highest mean PSNR.

    Args:
        pairs: clean and captured pictures.
        restore: the filter: capture, setting and place to a picture.
        candidates: settings to try.
        places: (row, column) on the sensor of each capture's first pixel; None for whole frames.
        method: the filter's name in messages.

    Returns:
        The best of the candidates.

    Raises:
        InputError: there are no pairs or no candidates.
    """
    if not len(pairs) or not len(candidates):
        raise InputError(f"{method}: tuning needs at least one training pair and one candidate.")
    known: Sequence[tuple[int, int] | None] = [None] * len(pairs) if places is None else places
    placed = [(*pair, place) for pair, place in zip(pairs, known, strict=True)]

    def mean_psnr(candidate: float) -> float:
        return float(np.mean([psnr(clean, restore(seen, candidate, place)) for clean, seen, place in placed]))

    return max(candidates, key=mean_psnr)


def tile_weights(nodes: np.ndarray, pixel_pitch: float, length: int) -> np.ndarray:
    """Weights of piecewise-linear interpolation between nodes, held constant beyond the outermost.

    Args:
        nodes: ``[node]`` ascending positions on the sensor in metres, from its middle.
        pixel_pitch: in metres.
        length: pixels along this axis.

    Returns:
        ``[node, pixel]`` float32 in 0..1; each pixel's weights sum to 1.
    """
    position = (np.arange(length) - (length - 1) / 2) * pixel_pitch
    return np.stack([np.interp(position, nodes, row) for row in np.eye(len(nodes))]).astype(np.float32)


def balanced_functions(bank: PsfBank, *, registered: bool = False) -> np.ndarray:
    """The functions as a camera that is balanced on a white scene shows them: of sum 1.

    With gains of its own instead, a camera has no flat field: the functions then have a mean energy of 1 in each
    channel.

    Args:
        bank: the camera's point spread functions.
        registered: moved to their centroids; see :mod:`metalens.restore.deconvolution.lateral_warp`.

    Returns:
        ``[node, channel, y, x]`` float32.
    """
    energy = bank.intensity.sum(axis=(-2, -1), dtype=np.float64)
    if not has_flat_field(bank.camera.sensor):
        energy = energy.mean(axis=0, keepdims=True)
    functions = moved_back(bank.intensity, centroids(bank.intensity)) if registered else bank.intensity
    return (functions / energy[..., None, None]).astype(np.float32)


def transfer_of(kernel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Transfer functions of point spread functions on a periodic frame.
    complex64.

    Args:
        kernel: ``[..., y, x]``, centred on sample (y // 2, x // 2).
        size: (rows, columns) of the frame.

    Returns:
        ``[..., row, column // 2 + 1]`` complex64.
    """
    height, width = kernel.shape[-2:]
    on_frame = np.zeros((*kernel.shape[:-2], *size), dtype=np.float32)
    on_frame[..., :height, :width] = kernel
    # Shift the centre sample (ny // 2, nx // 2) to the origin, so that H has no linear phase.
    return np.asarray(rfft2(np.roll(on_frame, (-(height // 2), -(width // 2)), axis=(-2, -1))))


def _filter(kernel: np.ndarray, size: tuple[int, int], noise_to_signal: float) -> np.ndarray:
    """The inverse filter of ``[channel, y, x]`` functions on a periodic frame, complex64."""
    if not noise_to_signal > 0 or not np.isfinite(noise_to_signal):
        raise InputError(f"wiener: noise_to_signal {noise_to_signal}, expected a number above 0.")
    transfer = transfer_of(kernel, size)
    inverse = transfer.conj() / (np.square(np.abs(transfer)) + np.float32(noise_to_signal))
    inverse[..., 0, 0] = 1 / transfer[..., 0, 0].real
    return inverse


class _Frame:
    """A captured picture in linear light, extended to a period and Fourier transformed once for many filters.

    The period is the picture and half a point spread function on each side, rounded up to sizes with a fast transform.
    """

    def __init__(
        self,
        picture: np.ndarray,
        sensor: Sensor,
        kernel: tuple[int, ...],
        warp: LateralWarp | None = None,
        place: tuple[int, int] | None = None,
    ) -> None:
        light = np.moveaxis(light_of(picture, sensor, place), -1, 0)
        self.dtype = np.asarray(picture).dtype
        self.shape = light.shape[1:]
        rows, columns = (
            next_fast_len(side + 2 * (reach // 2), real=True) for side, reach in zip(self.shape, kernel, strict=True)
        )
        self.size = (rows, columns)
        if warp is not None:
            light = warp.back(torch.from_numpy(np.ascontiguousarray(light))).numpy()
        self._transform = rfft2(_continued(_continued(light, rows, axis=1), columns, axis=2))

    def deconvolve(self, inverse: np.ndarray) -> np.ndarray:
        """Apply a filter ``[channel, row, column]``; returns ``[y, x, 3]`` linear light, not clipped."""
        light = irfft2(self._transform * inverse, self.size)
        return np.moveaxis(light[:, : self.shape[0], : self.shape[1]], 0, -1)

    def finish(self, light: np.ndarray) -> np.ndarray:
        """Encode linear light as sRGB, of the picture's type."""
        return picture_of(light, self.dtype)


def _continued(light: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Make a frame periodic: the gap up to ``size`` fades from the mirror image of its end into that of its start.

    A discontinuity at the period's boundary would cause ringing in the inverse filter.
    """
    gap = size - light.shape[axis]
    margins = [(0, 0)] * light.ndim
    margins[axis] = (gap, gap)
    before, _, after = np.split(np.pad(light, margins, mode="symmetric"), [gap, size], axis=axis)
    fade = 0.5 - 0.5 * np.cos(np.pi * (np.arange(gap, dtype=np.float32) + 0.5) / max(gap, 1))
    fade = fade.reshape([-1 if other == axis else 1 for other in range(light.ndim)])
    return np.concatenate([light, (1 - fade) * after + fade * before], axis=axis)
