"""The camera's field-dependent blur as a linear operator: each point spread function acts on its part of the field.

    captured = Σₖ Kₖ (wₖ · scene)

in linear light, where wₖ are the weights of bilinear interpolation between the bank's nodes and Kₖ is the convolution
with the function of node k. The weights act before the blur, as in the camera: each point of the scene is spread by the
function of its own field position (Nagy & O'Leary 1998, 10.1137/S106482759528507X). The image is divided by that of a
white scene, on which the camera is balanced over its whole sensor; see :mod:`metalens.restore.deconvolution.wiener`.
With lateral chromatic aberration, the scene's colours are shifted first and then spread by functions about their
centroids (``lateral_warp``).

The scene extends half a function beyond the frame on each side, since light from there reaches the frame.

It is cut into blocks that are transformed alone: either one for each node, where the node has weight, or one for each
cell between neighbouring nodes, on which the functions of its corners act and add up before they are transformed back.
The first is cheaper where functions are as wide as the nodes are apart, the second in large frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional as F

from metalens.formats.pictures.encoding import has_flat_field
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.lateral_colour import has_lateral_colour, white_level
from metalens.restore.deconvolution.lateral_warp import LateralWarp
from metalens.restore.deconvolution.wiener import balanced_functions, tile_weights

_CACHED_SAMPLES = 2**20
"""Samples of blocks that are transformed together on a processor: 4 MB, and as much again for their spectra."""

_MOST_PARTS = 8
"""Into which a cell is divided along one axis."""


class LocalBlur:
    """The blur operator of a frame, or of a part of it.

    Args:
        bank: point spread functions on a grid.
        pixels: (rows, columns) of the picture.
        place: (row, column) of its first pixel on the sensor.
        device: where to compute.

    Attributes:
        margin: (rows, columns) by which the scene extends beyond the frame on each side.

    Raises:
        InputError: the bank is no grid.
    """

    def __init__(
        self,
        bank: PsfBank,
        pixels: tuple[int, int],
        place: tuple[int, int] = (0, 0),
        device: torch.device | str = "cpu",
    ) -> None:
        registered = has_lateral_colour(bank)
        functions = torch.from_numpy(bank.as_grid(balanced_functions(bank, registered=registered))).to(device)
        self.pixels = pixels
        self._kernel = functions.shape[-2], functions.shape[-1]
        self.margin = self._kernel[0] // 2, self._kernel[1] // 2
        scene = tuple(side + 2 * margin for side, margin in zip(pixels, self.margin, strict=True))
        first = tuple(at - margin for at, margin in zip(place, self.margin, strict=True))
        self._warp = LateralWarp(bank, (scene[0], scene[1]), (first[0], first[1]), device) if registered else None
        rows, columns = (
            _Axis(
                nodes,
                bank.pixel_pitch,
                sensor=bank.camera.sensor.pixels[axis],
                place=place[axis],
                pixels=pixels[axis],
                kernel=self._kernel[axis],
                reach=0 if self._warp is None else self._warp.reach,
            )
            for axis, nodes in enumerate((bank.field_y, bank.field_x))
        )
        functions = functions[rows.nodes][:, columns.nodes]
        if self._warp is None:
            self._rows, self._columns = _cheapest((rows.windows(), rows.cells()), (columns.windows(), columns.cells()))
            weights = _products(self._rows, self._columns)
        else:
            self._rows, self._columns = rows.windows(), columns.windows()
            weights = _moved_products(rows, columns, self._warp.source)
        self._weights = torch.from_numpy(weights).to(device)
        self._size = self._rows.size, self._columns.size
        self._transfer = self._spectrum(functions)
        self._white = torch.ones(3, 1, 1, device=functions.device)
        self._white = self._white_scene(bank, (scene[0], scene[1]))

    def _white_scene(self, bank: PsfBank, scene: tuple[int, int]) -> Tensor:
        """The image of a white scene ``[3, y, x]``; of a camera with gains of its own, its mean brightness."""
        if has_flat_field(bank.camera.sensor):
            return self.forward(torch.ones(3, *scene, device=self._white.device))
        energy = bank.intensity.sum(axis=(-2, -1), dtype=np.float64).mean(axis=0)
        return torch.from_numpy((white_level(bank) / energy).astype(np.float32)).to(self._white.device)[:, None, None]

    def extend(self, light: Tensor) -> Tensor:
        """Extend a frame's light ``[3, y, x]`` by reflection to the scene that :meth:`forward` takes."""
        (y, x), (height, width) = self.margin, light.shape[-2:]
        if y >= height or x >= width:
            return F.pad(light[None], (x, x, y, y), mode="replicate")[0]
        return F.pad(light[None], (x, x, y, y), mode="reflect")[0]

    def forward(self, scene: Tensor) -> Tensor:
        """Blur.

        Args:
            scene: ``[3, y + 2 margin, x + 2 margin]`` linear light.

        Returns:
            ``[3, y, x]``.
        """
        scene = scene if self._warp is None else self._warp.forward(scene)
        size = self._rows.length + self._kernel[0] - 1, self._columns.length + self._kernel[1] - 1
        canvas = scene.new_zeros(3, *(side + 4 * margin for side, margin in zip(self.pixels, self.margin, strict=True)))
        for rows in self._batches(scene.device):
            parts = self._cut(scene, rows, (self._rows.length, self._columns.length))[:, :, None] * self._weights[rows]
            blurred = _together(self._spectrum(parts).mul_(self._functions_of(rows)))
            self._add(canvas, rows, self._picture(blurred, size))
        return self._frame(canvas) / self._white

    def adjoint(self, frame: Tensor) -> Tensor:
        """The transpose of :meth:`forward`: from ``[3, y, x]`` to the scene's size."""
        (y, x) = self.margin
        canvas = F.pad(frame / self._white, (2 * x, 2 * x, 2 * y, 2 * y))
        size = self._rows.length + self._kernel[0] - 1, self._columns.length + self._kernel[1] - 1
        scene = frame.new_zeros(3, self.pixels[0] + 2 * y, self.pixels[1] + 2 * x)
        for rows in self._batches(frame.device):
            seen = self._spectrum(self._cut(canvas, rows, size))[:, :, None]
            back = self._picture(seen * self._functions_of(rows).conj(), (self._rows.length, self._columns.length))
            self._add(scene, rows, _together(back * self._weights[rows]))
        return scene if self._warp is None else self._warp.adjoint(scene)

    def crop(self, scene: Tensor) -> Tensor:
        """The frame's part of a scene."""
        (y, x), (height, width) = self.margin, self.pixels
        return scene[:, y : y + height, x : x + width]

    def _frame(self, canvas: Tensor) -> Tensor:
        (y, x), (height, width) = self.margin, self.pixels
        return canvas[:, 2 * y : 2 * y + height, 2 * x : 2 * x + width]

    def _spectrum(self, parts: Tensor) -> Tensor:
        """Fourier transform ``[..., column // 2 + 1, row]`` of windows ``[..., y, x]``, filled up with zeros.

        Rows come last: transforms along the last axis, where values lie side by side, take a third of the time.
        """
        across = torch.fft.rfft(parts, n=self._size[1])
        return torch.fft.fft(across.transpose(-2, -1), n=self._size[0])

    def _picture(self, spectrum: Tensor, size: tuple[int, int]) -> Tensor:
        """The first rows and columns of the windows that have a spectrum."""
        across = torch.fft.ifft(spectrum)[..., : size[0]].transpose(-2, -1)
        return torch.fft.irfft(across, n=self._size[1])[..., : size[1]]

    def _functions_of(self, rows: slice) -> Tensor:
        """Transfer functions ``[row, column, function, 3, column // 2 + 1, row]`` of some rows of blocks."""
        down, across = self._rows.members, self._columns.members
        if down.shape[1] == across.shape[1] == 1:
            # A block for each node, in their order.
            return self._transfer[rows, :, None]
        pairs = torch.from_numpy(down[rows, None, :, None]), torch.from_numpy(across[None, :, None, :])
        return self._transfer[pairs].flatten(2, 3)

    def _batches(self, device: torch.device) -> list[slice]:
        """Rows of blocks that are transformed together: on a processor, as many as its caches hold."""
        rows, columns, functions = self._weights.shape[:3]
        samples = 3 * columns * functions * self._size[0] * self._size[1]
        at_once = max(1, _CACHED_SAMPLES // samples) if device.type == "cpu" else rows
        return [slice(first, min(first + at_once, rows)) for first in range(0, rows, at_once)]

    def _cut(self, picture: Tensor, rows: slice, size: tuple[int, int]) -> Tensor:
        """Cut some rows of blocks from a picture, ``[row, column, 3, height, width]``."""
        starts, columns = self._rows.starts[rows], self._columns.starts
        parts = [picture[:, top : top + size[0], left : left + size[1]] for top in starts for left in columns]
        return torch.stack(parts).unflatten(0, (len(starts), len(columns)))

    def _add(self, picture: Tensor, rows: slice, parts: Tensor) -> None:
        """Add some rows of blocks to a picture, in place."""
        height, width = parts.shape[-2:]
        for row, top in enumerate(self._rows.starts[rows]):
            for column, left in enumerate(self._columns.starts):
                picture[:, top : top + height, left : left + width] += parts[row, column]


def _together(parts: Tensor) -> Tensor:
    """The sum over the functions of each block ``[row, column, function, …]``."""
    return parts[:, :, 0] if parts.shape[2] == 1 else parts.sum(dim=2)


@dataclass(frozen=True)
class _Blocks:
    """The blocks along one axis of the scene, all of one length.

    Attributes:
        starts: ``[block]`` first sample of each in the scene.
        length: samples of each.
        size: samples of its transform.
        members: ``[block, function]`` the nodes whose functions act on it, among those of the axis.
        weights: ``[block, function, length]`` of these nodes.
    """

    starts: np.ndarray
    length: int
    size: int
    members: np.ndarray
    weights: np.ndarray


class _Axis:
    """One axis of a picture's scene.

    Attributes:
        nodes: indices of the nodes that have weight in it, among those of the bank.
    """

    def __init__(
        self,
        positions: np.ndarray,
        pixel_pitch: float,
        *,
        sensor: int,
        place: int,
        pixels: int,
        kernel: int,
        reach: int,
    ) -> None:
        self._kernel, self._reach, margin = kernel, reach, kernel // 2
        self._scene = pixels + 2 * margin
        # Light moves by up to ``reach`` pixels, into the windows and out of them.
        weights = tile_weights(positions, pixel_pitch, sensor + 2 * (margin + reach))
        touched = weights[:, place : place + self._scene + 2 * reach] > 0
        self.nodes = np.flatnonzero(touched.any(axis=1))
        self._touched = touched[self.nodes]
        self._weights = tile_weights(positions, pixel_pitch, sensor + 2 * margin)[
            self.nodes, place : place + self._scene
        ]

    def windows(self) -> _Blocks:
        """A block for each node, where it has weight."""
        first = self._touched.argmax(axis=1) - 2 * self._reach
        last = self._touched.shape[1] - self._touched[:, ::-1].argmax(axis=1)
        return self._blocks(
            np.maximum(first, 0), np.minimum(last, self._scene), np.arange(len(self.nodes))[:, np.newaxis]
        )

    def cells(self) -> _Blocks:
        """Blocks between two neighbouring nodes each, of the length at which their transforms are cheapest."""
        if len(self.nodes) == 1:
            return self.windows()
        left = np.minimum(self._touched.argmax(axis=0), len(self.nodes) - 2)
        edges = np.array([0, *np.flatnonzero(np.diff(left)) + 1, self._scene])
        plans = [self._divided(edges, left, parts) for parts in range(1, _MOST_PARTS + 1)]
        return min(plans, key=lambda plan: len(plan.starts) * plan.size)

    def _divided(self, edges: np.ndarray, left: np.ndarray, parts: int) -> _Blocks:
        """Cells between ``edges``, the longest in so many parts, the others in as many as have no more samples."""
        longest = -(-int(np.diff(edges).max()) // parts)
        ends = [
            np.linspace(start, end, -(-(end - start) // longest) + 1).round().astype(int)
            for start, end in pairwise(edges)
        ]
        first, last = (np.concatenate([each[part] for each in ends]) for part in (slice(None, -1), slice(1, None)))
        return self._blocks(first, last, left[first][:, np.newaxis] + np.arange(2))

    def _blocks(self, first: np.ndarray, last: np.ndarray, members: np.ndarray) -> _Blocks:
        length = int((last - first).max())
        starts = np.minimum(first, self._scene - length)
        sample = starts[:, np.newaxis] + np.arange(length)
        inside = (sample >= first[:, np.newaxis]) & (sample < last[:, np.newaxis])
        weights = self._weights[members[:, :, np.newaxis], sample[:, np.newaxis]] * inside[:, np.newaxis]
        size = next_fast_len(length + self._kernel - 1, real=True)
        return _Blocks(starts, length, size, members, weights)

    def weights_at(self, source: np.ndarray) -> np.ndarray:
        """Weights ``[node, 3, y, x]`` at the places of the scene that pixels come from."""
        index = np.arange(self._scene)
        return np.stack([np.interp(source, index, each) for each in self._weights]).astype(np.float32)


def _cheapest(rows: tuple[_Blocks, _Blocks], columns: tuple[_Blocks, _Blocks]) -> tuple[_Blocks, _Blocks]:
    """The blocks along both axes with the fewest samples to transform."""

    def samples(plan: tuple[_Blocks, _Blocks]) -> int:
        down, across = plan
        transforms = down.members.shape[1] * across.members.shape[1] + 1
        return len(down.starts) * len(across.starts) * transforms * down.size * across.size

    return min(((down, across) for down in rows for across in columns), key=samples)


def _products(rows: _Blocks, columns: _Blocks) -> np.ndarray:
    """Weights of blocks ``[row, column, function, 1, height, width]``."""
    down = rows.weights[:, np.newaxis, :, np.newaxis, :, np.newaxis]
    product = down * columns.weights[np.newaxis, :, np.newaxis, :, np.newaxis, :]
    return product.reshape(*product.shape[:2], -1, 1, rows.length, columns.length)


def _moved_products(rows: _Axis, columns: _Axis, source: np.ndarray) -> np.ndarray:
    """Weights of windows ``[row, column, 1, 3, height, width]`` where colours come from other places."""
    (tops, height), (lefts, width) = ((each.starts, each.length) for each in (rows.windows(), columns.windows()))
    down, across = rows.weights_at(source[..., 0]), columns.weights_at(source[..., 1])
    found = np.empty((len(tops), len(lefts), 1, 3, height, width), np.float32)
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            part = (..., slice(top, top + height), slice(left, left + width))
            np.multiply(down[row][part], across[column][part], out=found[row, column, 0])
    return found
