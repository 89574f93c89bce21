"""Wiener deconvolution of feature maps by point spread functions that vary over the field.

    deconvolved = F⁻¹[ H* / (|H|² + 10^(−snr)) · F[features] ]

(Tseng et al. 2021, Eq. 8), where H is the transfer function, resampled to the scale of the features. The features form
three groups, one for each colour channel of the bank.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional as F

from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.lateral_colour import displacement, has_lateral_colour
from metalens.restore.conditioning.degradation_map import Region
from metalens.restore.deconvolution.lateral_warp import taken_from
from metalens.restore.deconvolution.wiener import balanced_functions, tile_weights


class PsfField:
    """Point spread functions of a bank on a device, interpolated over the field.

    With lateral colour they are registered: moved to their centroids before they are interpolated, as interpolating
    shifted functions makes double images. The picture's colours are moved back instead (:meth:`registered`).

    Args:
        bank: its nodes must form a grid.
        device: device of the tensors.

    Attributes:
        functions: ``[row, column, 3, y, x]``, balanced as by
            :func:`metalens.restore.deconvolution.wiener.balanced_functions`.

    Raises:
        InputError: the nodes of the bank form no grid.
    """

    def __init__(self, bank: PsfBank, device: torch.device) -> None:
        registered = has_lateral_colour(bank)
        self.functions = torch.from_numpy(bank.as_grid(balanced_functions(bank, registered=registered))).to(device)
        self.sensor = bank.camera.sensor.pixels
        self._hats = [
            torch.from_numpy(tile_weights(nodes, bank.pixel_pitch, side)).to(device)
            for nodes, side in zip((bank.field_y, bank.field_x), self.sensor, strict=True)
        ]

        places = ((np.arange(side) - (side - 1) / 2) * bank.pixel_pitch for side in self.sensor)
        self._displacement = displacement(bank, *places) if registered else None

    def registered(self, pictures: Tensor, regions: Sequence[Region]) -> Tensor:
        """Take each colour of pictures from where the lens shows it, if the lens has lateral colour.

        Args:
            pictures: ``[batch, 3, y, x]`` captured, padding included.
            regions: parts of the sensor, one for each picture.

        Returns:
            ``[batch, 3, y, x]``, to be deconvolved by :attr:`functions`.
        """
        if self._displacement is None:
            return pictures
        found = []
        for picture, region in zip(pictures, regions, strict=True):
            grid = np.stack(np.meshgrid(*(np.arange(side) for side in picture.shape[1:]), indexing="ij"), axis=-1)
            first = np.array([round(region.top * self.sensor[0]), round(region.left * self.sensor[1])])
            row, column = np.moveaxis(np.minimum(grid + first, np.array(self.sensor) - 1), -1, 0)
            found.append(taken_from(picture, grid + self._displacement[:, row, column]))
        return torch.stack(found)

    def hats(self, region: Region, pixels: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Linear interpolation weights of the bank's nodes over the rows and the columns of a region.

        Padding beyond the sensor gets the weights of the sensor's edge.

        Args:
            region: a part of the sensor.
            pixels: (rows, columns) of the picture, padding included.

        Returns:
            Weights over the rows and over the columns, ``[node, pixel]`` each.
        """
        firsts = round(region.top * self.sensor[0]), round(region.left * self.sensor[1])
        rows, columns = (
            hats[:, (first + torch.arange(count, device=hats.device)).clamp(max=hats.shape[1] - 1)]
            for hats, first, count in zip(self._hats, firsts, pixels, strict=True)
        )
        return rows, columns

    def at(self, regions: Sequence[Region], pixels: tuple[int, int]) -> Tensor:
        """Point spread functions at the centre of each region, interpolated linearly between the nodes.

        Args:
            regions: parts of the sensor, one for each picture of a batch.
            pixels: (rows, columns) of the pictures.

        Returns:
            ``[region, 3, y, x]``.
        """
        found = []
        for region in regions:
            rows, columns = self.hats(region, pixels)
            row, column = rows[:, pixels[0] // 2], columns[:, pixels[1] // 2]
            found.append(torch.einsum("i,j,ijcyx->cyx", row, column, self.functions))
        return torch.stack(found)


def resized(functions: Tensor, factor: int) -> Tensor:
    """Resample point spread functions to a coarser grid; the centre stays on a sample.

    The energy of each sample is split between its neighbours on the coarse grid, linearly by distance.

    Args:
        functions: ``[…, y, x]``.
        factor: sampling distance of the result over that of the input, 1 or more.

    Returns:
        ``[…, y / factor, x / factor]``, sides rounded up; the sum of each function is preserved.
    """
    if factor == 1:
        return functions
    *leading, height, width = functions.shape
    before = [-(side // 2) % factor for side in (height, width)]
    after = [-(side + first - 1) % factor for side, first in zip((height, width), before, strict=True)]
    padded = F.pad(functions.reshape(-1, 1, height, width), (before[1], after[1], before[0], after[0]))
    hat = 1 - (torch.arange(1 - factor, factor, device=functions.device) / factor).abs()
    coarse = F.conv2d(padded, torch.outer(hat, hat)[None, None], stride=factor, padding=factor - 1)
    return coarse.reshape(*leading, *coarse.shape[-2:])


def middle_of(side: int, factor: int) -> int:
    """Index of the centre sample after :func:`resized`.

    Args:
        side: samples along a side of the original function.
        factor: of the resampling.

    Returns:
        Index into the resampled side.
    """
    return (side // 2 + -(side // 2) % factor) // factor


def deconvolve(features: Tensor, functions: Tensor, middle: tuple[int, int], noise: Tensor) -> Tensor:
    """Deconvolve features: one function for each picture, or many functions for one picture.

    Args:
        features: ``[batch, 3 · group, y, x]``, in the order red group, green group, blue group.
        functions: ``[batch, 3, y, x]`` or, with a batch of one, ``[node, 3, y, x]``.
        middle: (row, column) of the functions' centre sample.
        noise: 10^(−snr), a scalar: the regularisation of the Wiener filter.

    Returns:
        ``[max(batch, node), 3 · group, y, x]`` float32.
    """
    height, width = features.shape[-2:]
    kernel = functions.shape[-2:]
    margin = [min(side // 2, length - 1) for side, length in zip(kernel, (height, width), strict=True)]
    padded = F.pad(features.float(), (margin[1], margin[1], margin[0], margin[0]), mode="reflect")
    size = [max(next_fast_len(length, real=True), side) for length, side in zip(padded.shape[-2:], kernel, strict=True)]
    on_frame = F.pad(functions.float(), (0, size[1] - kernel[1], 0, size[0] - kernel[0]))
    transfer = torch.fft.rfft2(torch.roll(on_frame, (-middle[0], -middle[1]), dims=(-2, -1)))
    inverse = transfer.conj() / (transfer.abs().square() + noise)
    grouped = padded.unflatten(1, (3, -1))
    restored = torch.fft.irfft2(torch.fft.rfft2(grouped, s=size) * inverse[:, :, None], s=size).flatten(1, 2)
    return restored[..., margin[0] : margin[0] + height, margin[1] : margin[1] + width]
