"""The degradation map of a capture: the input of SVDA.

The map has n × n values per channel, at the centres of overlapping patches of a quarter of the frame's side at a stride
of an eighth (DMDiff: 100-pixel patches at stride 50 of 400 pixels, n = 7). Three channels are the FWHM of the point
spread function in red, green and blue (S_f), the fourth the no-reference quality of the network's input (S_i). All
values are in 0..1, 1 being worst, on the same scale for all lenses and pictures.

With conditioning by optics six more channels follow the FWHM: the contrast that red, green and blue lose at two
frequencies. The FWHM alone misleads where a sharp core stands in a wide halo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from metalens.formats.psf.bank import PsfBank

CELLS = 7
CHANNELS = 4

Conditioning = Literal["published", "optics"]
"""What a restorer is told of its lens: its FWHM, as in DMDiff; or its contrast and linear restorations too."""

CONTRAST_FREQUENCIES = (0.05, 0.1)
"""Cycles per pixel of the contrast maps."""

_DIRECTIONS = 8
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
    pixels = bank.by_channel.full_width_half_maximum / np.sqrt(2) / bank.pixel_pitch
    return _at_patches(bank, np.clip(np.log2(1 + pixels) / np.log2(1 + WIDEST_FWHM), 0, 1), cells)


def lens_channels(conditioning: Conditioning) -> int:
    """Channels of :func:`lens_map`."""
    return 3 if conditioning == "published" else 3 + 3 * len(CONTRAST_FREQUENCIES)


def lens_map(bank: PsfBank, conditioning: Conditioning = "published", cells: int = CELLS) -> np.ndarray:
    """The channels of the degradation map that describe the lens.

    Args:
        bank: the camera's point spread functions, on a grid.
        conditioning: ``published`` is S_f alone, ``optics`` S_f and the lost contrast.
        cells: n.

    Returns:
        ``[3, n, n]`` or ``[9, n, n]`` float32 in 0..1: the FWHM of the channels, then their lost contrast at each of
        ``CONTRAST_FREQUENCIES``.

    Raises:
        InputError: the bank's nodes are no grid.
    """
    width = fwhm_map(bank, cells)
    if conditioning == "published":
        return width
    return np.concatenate([width, *(lost_contrast_map(bank, at, cells) for at in CONTRAST_FREQUENCIES)])


def lost_contrast_map(bank: PsfBank, frequency: float, cells: int = CELLS) -> np.ndarray:
    """1 − contrast of each channel at a frequency, the mean over directions, at the patches' centres.

    Args:
        bank: the camera's point spread functions, on a grid.
        frequency: in cycles per pixel.
        cells: n.

    Returns:
        ``[3, n, n]`` float32 in 0..1.

    Raises:
        InputError: the bank's nodes are no grid.
    """
    height, width = bank.intensity.shape[-2:]
    angle = np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    phase_y = np.exp(-2j * np.pi * frequency * np.sin(angle)[:, None] * np.arange(height))
    phase_x = np.exp(-2j * np.pi * frequency * np.cos(angle)[:, None] * np.arange(width))
    transfer = np.einsum("ncyx,dy,dx->ncd", bank.intensity, phase_y, phase_x, optimize=True)
    contrast = np.abs(transfer).mean(axis=-1) / bank.intensity.sum(axis=(-2, -1), dtype=np.float64)
    return _at_patches(bank, np.clip(1 - contrast, 0, 1), cells)


def _at_patches(bank: PsfBank, values: np.ndarray, cells: int) -> np.ndarray:
    """``[node, 3]`` values of a grid at the patches' centres, ``[3, n, n]``."""
    rows, columns = bank.camera.sensor.pixels
    y = (patch_centres(cells) - 0.5) * rows * bank.pixel_pitch
    x = (patch_centres(cells) - 0.5) * columns * bank.pixel_pitch
    along_y, along_x = _interpolation(y, bank.field_y), _interpolation(x, bank.field_x)
    return np.einsum("ia,abc,jb->cij", along_y, bank.as_grid(values), along_x).astype(np.float32)


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
