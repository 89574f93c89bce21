"""A filter for each node of a bank, applied in the window of a picture where the node has weight.

The results are blended by the weights of bilinear interpolation between the nodes. A window is continued by one point
spread function on each side, as far as an inverse filter of a smooth function reaches; beyond the picture's ends it is
mirrored. All windows have one size, so that the filters of a bank serve every picture of its sensor.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.lateral_colour import has_lateral_colour
from metalens.restore.deconvolution.captured_light import place_on_sensor
from metalens.restore.deconvolution.lateral_warp import LateralWarp
from metalens.restore.deconvolution.wiener import balanced_functions, tile_weights, transfer_of

_LEAST_MARGIN = 16
"""Pixels: an inverse filter reaches further than a function of few pixels."""


class NodeWindows:
    """The windows of a bank's nodes.

    Args:
        bank: point spread functions at nodes on a grid over the sensor.
        device: of torch.

    Attributes:
        nodes: (rows, columns) of the grid.
        size: (rows, columns) of every window.

    Raises:
        InputError: the nodes are no grid.
    """

    def __init__(self, bank: PsfBank, device: torch.device | str = "cpu") -> None:
        self._bank = bank
        self._device = torch.device(device)
        self._registered = has_lateral_colour(bank)
        self._functions = bank.as_grid(balanced_functions(bank, registered=self._registered))
        self._axes = [
            _Axis(nodes, bank.pixel_pitch, length, kernel)
            for nodes, length, kernel in zip(
                (bank.field_y, bank.field_x), bank.camera.sensor.pixels, self._functions.shape[-2:], strict=True
            )
        ]
        self.nodes = self._functions.shape[0], self._functions.shape[1]
        self.size = self._axes[0].size, self._axes[1].size

    def transfer(self, row: int, column: int) -> np.ndarray:
        """Transfer functions of a node on its window.

        Args:
            row: of the node in the grid.
            column: of the node in the grid.

        Returns:
            ``[channel, column // 2 + 1, row]`` complex64: transforms along the last axis take a third of the time, and
            those along rows are complex.
        """
        return np.ascontiguousarray(transfer_of(self._functions[row, column], self.size).swapaxes(-2, -1))

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Windows of the sensor's whole frame and functions of their nodes, as arrays by name.

        Raises:
            InputError: the bank has lateral colour, which is corrected before.
        """
        if self._registered:
            raise InputError("windows: the bank has lateral colour, whose correction is not exported.")
        reaches = [
            axis.of_picture(0, length) for axis, length in zip(self._axes, self._bank.camera.sensor.pixels, strict=True)
        ]
        arrays = {"functions": self._functions[np.ix_(*([each.node for each in axis] for axis in reaches))]}
        for name, axis, nodes in zip(("row", "column"), self._axes, reaches, strict=True):
            arrays |= {
                f"{name}_source": np.stack([each.source.numpy() for each in nodes]),
                f"{name}_wrapped": np.stack([each.wrapped.numpy() for each in nodes]),
                f"{name}_fade": axis.fade,
                f"{name}_first": np.array([each.target.start for each in nodes]),
                f"{name}_margin": np.array(axis.margin),
                f"{name}_weight": np.stack([each.weight for each in nodes]),
            }
        return arrays

    @torch.no_grad()
    def filtered(
        self, light: np.ndarray, place: tuple[int, int], filter_of: Callable[[int, int], Tensor]
    ) -> np.ndarray:
        """Filter a picture by the filter of each node.

        Args:
            light: ``[y, x, 3]`` linear light.
            place: (row, column) on the sensor of its first pixel.
            filter_of: from a node's row and column to its filter on the window's frequencies,
                ``[scale, restored, captured, column // 2 + 1, row]`` complex64.

        Returns:
            ``[scale, restored, y, x]`` float32, not clipped.

        Raises:
            InputError: the picture does not lie on the sensor.
        """
        pixels = light.shape[0], light.shape[1]
        place = place_on_sensor(self._bank, pixels, place)
        captured = torch.from_numpy(np.ascontiguousarray(light.transpose(2, 0, 1))).float()
        if self._registered:
            captured = LateralWarp(self._bank, pixels, place, "cpu").back(captured)
        captured = captured.to(self._device)
        rows, columns = (
            axis.of_picture(first, length) for axis, first, length in zip(self._axes, place, pixels, strict=True)
        )
        total: Tensor | None = None
        for column in columns:
            across = column.window(captured, axis=2)
            for row in rows:
                window = row.window(across, axis=1)
                restored = self._filtered(window, filter_of(row.node, column.node), row.inner, column.inner)
                if total is None:
                    total = restored.new_zeros(*restored.shape[:-2], *pixels)
                weight = torch.from_numpy(row.weight[:, None] * column.weight).to(restored)
                total[..., row.target, column.target] += restored.mul_(weight)
        assert total is not None  # every pixel of the sensor has a node with weight
        return np.asarray(total.cpu().numpy())

    def _filtered(self, window: Tensor, node_filter: Tensor, rows: slice, columns: slice) -> Tensor:
        """Some rows and columns of a filtered window ``[captured, y, x]``."""
        spectrum = torch.fft.fft(torch.fft.rfft(window).transpose(-2, -1))
        mixed = node_filter[:, :, 0] * spectrum[0]
        for channel in range(1, len(spectrum)):
            mixed.addcmul_(node_filter[:, :, channel], spectrum[channel])
        across = torch.fft.ifft(mixed)[..., rows].transpose(-2, -1)
        return torch.fft.irfft(across, n=self.size[1])[..., columns]


class _Reach:
    """What one node of an axis reads and writes of a picture.

    Attributes:
        node: index among the bank's nodes along the axis.
        target: slice of the picture that the node adds to.
        inner: slice of the window that goes there.
        weight: its bilinear weights there.
        source: sample of the picture at each sample of the window.
        wrapped: the one a period away.
    """

    def __init__(self, axis: _Axis, node: int, first: int, length: int) -> None:
        start = axis.starts[node] - first
        low, high = max(start, 0), min(start + axis.length, length)
        inner = low - start + axis.margin
        self.node = node
        self.source, self.wrapped = (
            torch.from_numpy(_mirrored(index + start - axis.margin, length)) for index in axis.period()
        )
        self._fade = torch.from_numpy(axis.fade)
        self.target = slice(low, high)
        self.inner = slice(inner, inner + high - low)
        self.weight = axis.weights[node, first + low : first + high]

    def window(self, picture: Tensor, axis: int) -> Tensor:
        """The window's samples of a picture along one axis, mirrored at its ends and periodic."""
        fade = self._fade.to(picture).reshape([-1 if each == axis else 1 for each in range(picture.ndim)])
        here, around = (picture.index_select(axis, each.to(picture.device)) for each in (self.source, self.wrapped))
        return here + fade * (around - here)


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
        # A discontinuity where the period closes would ring: there, over half a margin on each side, the samples fade
        # into those that lie a period away.
        half = self.margin // 2
        away = np.minimum(np.arange(self.size) + 0.5, self.size - 0.5 - np.arange(self.size))
        self.fade = np.where(away < half, 0.5 + 0.5 * np.cos(np.pi * (away + half) / (2 * half)), 0).astype(np.float32)

    def period(self) -> tuple[np.ndarray, np.ndarray]:
        """Samples of a window, and for each the one that lies a period away on the other side."""
        index = np.arange(self.size)
        return index, np.where(index < self.size // 2, index + self.size, index - self.size)

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
