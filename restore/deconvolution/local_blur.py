"""The camera's field-dependent blur as a linear operator: each point spread function acts on its part of the field.

    captured = Σₖ Kₖ (wₖ · scene)

in linear light, where wₖ are the weights of bilinear interpolation between the bank's nodes and Kₖ is the convolution
with the function of node k. The weights act before the blur, as in the camera: each point of the scene is spread by the
function of its own field position (Nagy & O'Leary 1998, 10.1137/S106482759528507X). The image is divided by that of a
white scene, on which the camera is balanced over its whole sensor; see :mod:`metalens.restore.deconvolution.wiener`.
With lateral chromatic aberration, the scene's colours are shifted first and then spread by functions about their
centroids (``lateral_warp``).

The scene extends half a function beyond the frame on each side, since light from there reaches the frame.
"""

from __future__ import annotations

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
"""Samples of windows that are transformed together on a processor: 4 MB, and as much again for their spectra."""


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
        sensor, reach = bank.camera.sensor.pixels, 0 if self._warp is None else self._warp.reach
        rows, columns = (
            _Windows(nodes, bank.pixel_pitch, sensor[axis], place[axis], pixels[axis], self.margin[axis], reach)
            for axis, nodes in enumerate((bank.field_y, bank.field_x))
        )
        self._rows, self._columns = rows, columns
        functions = functions[rows.nodes][:, columns.nodes]
        source = None if self._warp is None else self._warp.source
        weight_y, weight_x = (
            torch.from_numpy(each.weights(None if source is None else source[..., axis])).to(device)
            for axis, each in enumerate((rows, columns))
        )
        self._weights = self._products(weight_y, weight_x)
        self._size = tuple(
            next_fast_len(each.length + side - 1, real=True)
            for each, side in ((rows, self._kernel[0]), (columns, self._kernel[1]))
        )
        self._transfer = self._spectrum(functions)
        self._white = torch.ones(3, 1, 1, device=functions.device)
        self._white = self._white_scene(bank, (scene[0], scene[1]))

    def _products(self, weight_y: Tensor, weight_x: Tensor) -> Tensor:
        """Weights of the nodes' windows ``[row, column, 1 or 3, height, width]``."""
        if weight_y.ndim == 2:
            return (weight_y[:, None, :, None] * weight_x[None, :, None, :])[:, :, None]
        return torch.stack(
            [
                torch.stack(
                    [
                        weight_y[row, :, top : top + self._rows.length, left : left + self._columns.length]
                        * weight_x[column, :, top : top + self._rows.length, left : left + self._columns.length]
                        for column, left in enumerate(self._columns.starts)
                    ]
                )
                for row, top in enumerate(self._rows.starts)
            ]
        )

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
            parts = self._cut(scene, rows, (self._rows.length, self._columns.length)).mul_(self._weights[rows])
            self._add(canvas, rows, self._picture(self._spectrum(parts).mul_(self._transfer[rows]), size))
        return self._frame(canvas) / self._white

    def adjoint(self, frame: Tensor) -> Tensor:
        """The transpose of :meth:`forward`: from ``[3, y, x]`` to the scene's size."""
        (y, x) = self.margin
        canvas = F.pad(frame / self._white, (2 * x, 2 * x, 2 * y, 2 * y))
        size = self._rows.length + self._kernel[0] - 1, self._columns.length + self._kernel[1] - 1
        scene = frame.new_zeros(3, self.pixels[0] + 2 * y, self.pixels[1] + 2 * x)
        for rows in self._batches(frame.device):
            spread = self._spectrum(self._cut(canvas, rows, size)).mul_(self._transfer[rows].conj())
            back = self._picture(spread, (self._rows.length, self._columns.length))
            self._add(scene, rows, back * self._weights[rows])
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

    def _batches(self, device: torch.device) -> list[slice]:
        """Rows of nodes whose windows are transformed together: on a processor, as many as its caches hold."""
        rows = len(self._rows.starts)
        samples = 3 * len(self._columns.starts) * self._size[0] * self._size[1]
        at_once = max(1, _CACHED_SAMPLES // samples) if device.type == "cpu" else rows
        return [slice(first, min(first + at_once, rows)) for first in range(0, rows, at_once)]

    def _cut(self, picture: Tensor, rows: slice, size: tuple[int, int]) -> Tensor:
        """Cut the windows of some rows of nodes from a picture, ``[row, column, 3, height, width]``."""
        starts, columns = self._rows.starts[rows], self._columns.starts
        parts = [picture[:, top : top + size[0], left : left + size[1]] for top in starts for left in columns]
        return torch.stack(parts).unflatten(0, (len(starts), len(columns)))

    def _add(self, picture: Tensor, rows: slice, parts: Tensor) -> None:
        """Add the windows of some rows of nodes to a picture, in place."""
        height, width = parts.shape[-2:]
        for row, top in enumerate(self._rows.starts[rows]):
            for column, left in enumerate(self._columns.starts):
                picture[:, top : top + height, left : left + width] += parts[row, column]


class _Windows:
    """The linear interpolation windows of one axis that overlap a picture, all of one length.

    Attributes:
        nodes: their indices among the bank's nodes.
        starts: first sample of each in the scene.
        length: samples of each.
    """

    def __init__(
        self, positions: np.ndarray, pixel_pitch: float, sensor: int, place: int, pixels: int, margin: int, reach: int
    ) -> None:
        # Light moves by up to ``reach`` pixels, into the windows and out of them.
        scene, around = pixels + 2 * margin, margin + reach
        touched = tile_weights(positions, pixel_pitch, sensor + 2 * around)[:, place : place + scene + 2 * reach] > 0
        self.nodes = np.flatnonzero(touched.any(axis=1))
        first = touched[self.nodes].argmax(axis=1) - 2 * reach
        last = touched.shape[1] - touched[self.nodes][:, ::-1].argmax(axis=1)
        first, last = np.maximum(first, 0), np.minimum(last, scene)
        self.length = int((last - first).max())
        self.starts = np.minimum(first, scene - self.length)
        self._of_scene = tile_weights(positions, pixel_pitch, sensor + 2 * margin)[self.nodes, place : place + scene]

    def weights(self, source: np.ndarray | None) -> np.ndarray:
        """Weights ``[node, length]``; or ``[node, 3, y, x]`` at the places of the scene that pixels come from."""
        if source is not None:
            index = np.arange(self._of_scene.shape[1])
            return np.stack([np.interp(source, index, each) for each in self._of_scene]).astype(np.float32)
        return np.stack(
            [each[start : start + self.length] for each, start in zip(self._of_scene, self.starts, strict=True)]
        )
