"""The degradation map of a capture: the input of SVDA.

The map has n × n values per channel, at the centres of overlapping patches of a quarter of the frame's side at a stride
of an eighth (DMDiff: 100-pixel patches at stride 50 of 400 pixels, n = 7). Three channels are the FWHM of the point
spread function in red, green and blue (S_f), the fourth the no-reference quality of the network's input (S_i). All
values are in 0..1, 1 being worst, on the same scale for all lenses and pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metalens.formats.psf.bank import PsfBank

CELLS = 7
CHANNELS = 4
WIDEST_FWHM = 64.0
"""The FWHM in pixels along one axis that maps to 1."""


def patch_centres(cells: int = CELLS) -> np.ndarray:
    """Centres of the patches as shares of the frame's side: (i + 1) / (n + 1)."""
    return (np.arange(cells) + 1) / (cells + 1)


def fwhm_map(bank: PsfBank, cells: int = CELLS) -> np.ndarray:
    """S_f: the bank's FWHM at the patches' centres, per channel.

    Args:
        bank: the camera's point spread functions, on a grid.
        cells: n.

    Returns:
        ``[3, n, n]`` float32 in 0..1: log2(1 + w) / log2(1 + 64), w the FWHM along one axis in pixels (Eq. 2's value
        over √2), linear between the bank's field nodes.

    Raises:
        InputError: the bank's nodes are no grid.
    """
    rows, columns = bank.camera.sensor.pixels
    pitch = bank.pixel_pitch
    y = (patch_centres(cells) - 0.5) * rows * pitch
    x = (patch_centres(cells) - 0.5) * columns * pitch
    pixels = bank.as_grid(bank.by_channel.full_width_half_maximum) / np.sqrt(2) / pitch
    scaled = np.clip(np.log2(1 + pixels) / np.log2(1 + WIDEST_FWHM), 0, 1)
    along_y = _interpolation(y, bank.field_y)
    along_x = _interpolation(x, bank.field_x)
    return np.einsum("ia,abc,jb->cij", along_y, scaled, along_x).astype(np.float32)


def _interpolation(at: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Matrix ``[len(at), len(nodes)]`` of linear interpolation, constant beyond the ends."""
    return np.stack([np.interp(at, nodes, unit) for unit in np.eye(len(nodes))], axis=1)


@dataclass(frozen=True)
class Region:
    """A rectangle of a frame as fractions of its sides: the whole frame is (0, 0, 1, 1)."""

    top: float = 0.0
    left: float = 0.0
    height: float = 1.0
    width: float = 1.0

    def part(self, inner: Region) -> Region:
        """A sub-region of this region, as fractions of the frame."""
        return Region(
            top=self.top + inner.top * self.height,
            left=self.left + inner.left * self.width,
            height=self.height * inner.height,
            width=self.width * inner.width,
        )


WHOLE: tuple[Region, ...] = (Region(),)
"""The regions of a batch whose pictures are whole frames."""


def region_of(top: int, left: int, height: int, width: int, frame: tuple[int, int]) -> Region:
    """Region of a rectangle of pixels.

    Args:
        top: first row.
        left: first column.
        height: rows.
        width: columns.
        frame: (rows, columns) of the frame.

    Returns:
        The rectangle as fractions of the frame's sides.
    """
    rows, columns = frame
    return Region(top / rows, left / columns, height / rows, width / columns)


def resample(values: Tensor, region: Region) -> Tensor:
    """The map of a region: the frame's map interpolated at the centres of the region's patches.

    Args:
        values: ``[channel, n, n]`` of the whole frame.
        region: part of the frame.

    Returns:
        ``[channel, n, n]``; the whole frame gives the map itself.
    """
    cells = values.shape[-1]
    y = position_weights(region.top + region.height * patch_centres(cells), cells)
    x = position_weights(region.left + region.width * patch_centres(cells), cells)
    return torch.einsum("ia,cab,jb->cij", y.to(values), values, x.to(values))


def position_weights(position: np.ndarray, cells: int = CELLS) -> Tensor:
    """Matrix of linear interpolation in an n-cell map.

    Args:
        position: positions as fractions of the side, in 0..1.
        cells: n.

    Returns:
        ``[len(position), n]``.
    """
    return torch.from_numpy(_interpolation(np.asarray(position), patch_centres(cells))).float()


def sample_positions(count: int) -> np.ndarray:
    """Centres of ``count`` equal samples along a side, as shares of it."""
    return (np.arange(count) + 0.5) / count
