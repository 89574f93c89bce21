"""Linear restorations of a capture that a network is given beside it: the joint Wiener filter at several noise scales.

The filters are those of :mod:`metalens.restore.deconvolution.joint_wiener`, computed once for a bank. Each acts on the
window of the picture in which its node has weight, and on a margin of one point spread function around it, as far as
an inverse filter of a smooth function reaches. A small
noise scale gives sharp edges and grain, a large one neither; the network takes from each what it can use.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from metalens.formats.camera.sensor_noise import noise_variance
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.encoding import decode_picture
from metalens.formats.pictures.photograph_statistics import photograph_statistics
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.lateral_colour import has_lateral_colour
from metalens.restore.deconvolution.joint_wiener import MEAN_LIGHT, joint_filter, precision_on
from metalens.restore.deconvolution.lateral_warp import LateralWarp
from metalens.restore.deconvolution.wiener import balanced_functions, tile_weights, transfer_of

ESTIMATE_NOISE_SCALES = (1.0, 10.0)
"""Multiples of the sensor's noise, one for each estimate."""

ESTIMATE_CHANNELS = 3 * len(ESTIMATE_NOISE_SCALES)
"""Channels of all estimates together."""


_LEAST_MARGIN = 16
"""Pixels: an inverse filter reaches further than a function of few pixels."""


class LinearEstimates:
    """Joint Wiener filters of a camera.

    Args:
        bank: point spread functions at nodes on a grid over the sensor.
        noise_scales: multiples of the sensor's noise, each above 0.
        device: of torch.

    Raises:
        InputError: the nodes are no grid, or a scale is not above 0.
    """

    def __init__(
        self,
        bank: PsfBank,
        noise_scales: Sequence[float] = ESTIMATE_NOISE_SCALES,
        device: torch.device | str = "cpu",
    ) -> None:
        if not all(np.isfinite(scale) and scale > 0 for scale in noise_scales):
            raise InputError(f"linear estimates: noise scales {tuple(noise_scales)}, expected numbers above 0.")
        self.bank = bank
        self.noise_scales = tuple(noise_scales)
        self.device = torch.device(device)
        registered = has_lateral_colour(bank)
        functions = bank.as_grid(balanced_functions(bank, registered=registered))
        self._registered = registered
        self._axes = [
            _Axis(nodes, bank.pixel_pitch, length, kernel)
            for nodes, length, kernel in zip(
                (bank.field_y, bank.field_x), bank.camera.sensor.pixels, functions.shape[-2:], strict=True
            )
        ]
        size = self._axes[0].size, self._axes[1].size
        precision = precision_on(photograph_statistics(), size)
        noise = noise_variance(bank.camera.sensor, MEAN_LIGHT)
        # Axes: row and column of the node, scale, restored channel, captured channel, both frequencies.
        self._filters = torch.from_numpy(
            np.stack(
                [
                    np.stack([joint_filter(transfer, precision, scale * noise) for scale in noise_scales])
                    for transfer in transfer_of(functions.reshape(-1, *functions.shape[2:]), size)
                ]
            ).reshape(*functions.shape[:2], len(noise_scales), 3, 3, size[0], -1)
        ).to(self.device)

    @torch.no_grad()
    def __call__(self, capture: np.ndarray, place: tuple[int, int] | None = None) -> np.ndarray:
        """Restore a capture.

        Args:
            capture: ``[y, x, 3]`` uint8 as the bank's camera writes it, of the whole sensor unless ``place`` is given.
            place: (row, column) on the sensor of its first pixel, if it is a part of the frame.

        Returns:
            ``[y, x, 3 · scales]`` uint8 sRGB, the estimates in the order of the noise scales.

        Raises:
            InputError: the capture does not lie on the sensor.
        """
        pixels, sensor = (capture.shape[0], capture.shape[1]), self.bank.camera.sensor.pixels
        top, left = place or (0, 0)
        if min(top, left) < 0 or top + pixels[0] > sensor[0] or left + pixels[1] > sensor[1]:
            raise InputError(
                f"linear estimates: a picture of {pixels[0]} × {pixels[1]} pixels at row {top}, column {left} does not "
                f"lie on the bank's sensor of {sensor[0]} × {sensor[1]}; give the psf.h5 of the capture's camera."
            )
        light = torch.from_numpy(
            np.ascontiguousarray(decode_picture(self.bank.camera.sensor, capture).transpose(2, 0, 1))
        ).float()
        if self._registered:
            light = LateralWarp(self.bank, pixels, (top, left), "cpu").back(light)
        light = light.to(self.device)
        rows, columns = (
            axis.of_picture(first, length) for axis, first, length in zip(self._axes, (top, left), pixels, strict=True)
        )
        restored = light.new_zeros(len(self.noise_scales), 3, *pixels)
        for row in rows:
            for column in columns:
                window = light[:, row.source[:, None], column.source]
                restored[:, :, row.target, column.target] += self._node(row, column, window)
        pictures = restored.flatten(0, 1).cpu().numpy().transpose(1, 2, 0)
        return to_8_bit(linear_to_srgb(pictures))

    def _node(self, row: _Reach, column: _Reach, window: Tensor) -> Tensor:
        """A node's share ``[scale, 3, y, x]`` of the restored light where it has weight."""
        size = window.shape[-2:]
        spectrum = torch.fft.rfft2(window)
        mixed = (self._filters[row.node, column.node] * spectrum).sum(dim=2)
        light = torch.fft.irfft2(mixed, s=size)[..., row.inner, column.inner]
        weight = torch.from_numpy(row.weight[:, None] * column.weight).to(light)
        return light * weight


class _Reach:
    """What one node of an axis reads and writes of a picture.

    Attributes:
        node: index among the bank's nodes along the axis.
        source: ``[size]`` samples of the picture that fill the window, mirrored at its ends.
        target: slice of the picture that the node adds to.
        inner: slice of the window that goes there.
        weight: its bilinear weights there.
    """

    def __init__(self, axis: _Axis, node: int, first: int, length: int) -> None:
        start = axis.starts[node] - first
        low, high = max(start, 0), min(start + axis.length, length)
        inner = low - start + axis.margin
        self.node = node
        self.source = torch.from_numpy(_mirrored(np.arange(axis.size) + start - axis.margin, length))
        self.target = slice(low, high)
        self.inner = slice(inner, inner + high - low)
        self.weight = axis.weights[node, first + low : first + high]


class _Axis:
    """Windows of all nodes along one side of the sensor, of one length."""

    def __init__(self, nodes: np.ndarray, pixel_pitch: float, sensor: int, kernel: int) -> None:
        self.weights = tile_weights(nodes, pixel_pitch, sensor).astype(np.float32)
        lit = self.weights > 0
        # A node outside the sensor, of a grid larger than it, may have no weight at all.
        self._seen = np.flatnonzero(lit.any(axis=1))
        first, last = lit.argmax(axis=1), sensor - lit[:, ::-1].argmax(axis=1)
        self.length = int((last - first)[self._seen].max())
        self.starts = np.minimum(first, sensor - self.length)
        self.margin = max(kernel, _LEAST_MARGIN)
        self.size = next_fast_len(self.length + 2 * self.margin, real=True)

    def of_picture(self, first: int, length: int) -> list[_Reach]:
        """The nodes that have weight in a picture of ``length`` samples from sample ``first`` of the sensor on."""
        return [
            _Reach(self, int(node), first, length)
            for node in self._seen
            if self.weights[node, first : first + length].any()
        ]


def _mirrored(index: np.ndarray, length: int) -> np.ndarray:
    """Indices beyond ``[0, length)`` mirrored at its ends, as often as needed."""
    period = np.mod(index, 2 * length)
    return np.where(period < length, period, 2 * length - 1 - period)
