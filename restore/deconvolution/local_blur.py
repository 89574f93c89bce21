"""The camera's field-dependent blur as a linear operator: each point spread function acts on its part of the field.

    captured = Σₖ Kₖ (wₖ · scene)

in linear light, where wₖ are the weights of bilinear interpolation between the bank's nodes and Kₖ is the convolution
with the function of node k. The weights act before the blur, as in the camera: each point of the scene is spread by the
function of its own field position (Nagy & O'Leary 1998, 10.1137/S106482759528507X). The image is divided by that of a
white scene, on which the camera is balanced over its whole sensor; see :mod:`metalens.restore.deconvolution.wiener`.
With lateral chromatic aberration, the scene's colours are shifted first and then spread by functions about their
centroids (``lateral_warp``).

The scene extends half a function beyond the frame on each side, since light from there reaches the frame. It is cut
into blocks that are transformed alone (:mod:`metalens.restore.deconvolution.scene_blocks`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from metalens.formats.pictures.encoding import has_flat_field
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.lateral_colour import has_lateral_colour, white_level
from metalens.restore.deconvolution.lateral_warp import LateralWarp
from metalens.restore.deconvolution.scene_blocks import SceneAxis, cheapest, moved_products, products
from metalens.restore.deconvolution.wiener import balanced_functions

_CACHED_SAMPLES = 2**20
"""Samples of blocks that are transformed together on a processor: 4 MB, and as much again for their spectra."""


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
            SceneAxis(
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
            self._rows, self._columns = cheapest((rows.windows(), rows.cells()), (columns.windows(), columns.cells()))
            weights = products(self._rows, self._columns)
        else:
            self._rows, self._columns = rows.windows(), columns.windows()
            weights = moved_products(rows, columns, self._warp.source)
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
        """Blur the picture, block by block.

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
