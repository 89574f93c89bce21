"""Random crops of clean photographs on the training's device, reproducible for every step."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture


class PhotographCrops:
    """Clean photographs as a source of training crops.

    All pixels are in one tensor on the training's device, and a batch is one gather operation: an accelerator needs
    thousands of crops per second, more than reader processes can supply.

    Args:
        paths: picture files.
        size: side of a crop in pixels.
        device: device of the crops.

    Raises:
        InputError: a file is no picture, or no photograph is at least ``size`` on both sides.
    """

    def __init__(self, paths: Sequence[Path], size: int, device: str | torch.device = "cpu") -> None:
        with ThreadPoolExecutor() as readers:
            pictures = list(readers.map(read_picture, paths))
        pictures = [picture for picture in pictures if min(picture.shape[:2]) >= size]
        if not pictures:
            raise InputError(f"none of the {len(paths)} photographs is at least {size} pixels on both sides.")
        self.shapes = np.array([picture.shape[:2] for picture in pictures])
        areas = self.shapes.prod(axis=1)
        self.first = areas.cumsum() - areas
        self.pixels = torch.from_numpy(np.concatenate([picture.reshape(-1, 3) for picture in pictures])).to(device)
        self._cut(size)

    def _cut(self, size: int) -> None:
        self.size = size
        fits = self.shapes.min(axis=1) >= size
        # The square root of the area: otherwise large photographs would dominate.
        weights = np.sqrt(self.shapes.prod(axis=1)) * fits
        self.probability = weights / weights.sum()

    def resized(self, size: int) -> PhotographCrops:
        """The same photographs, in the same memory, with another crop size."""
        other = object.__new__(PhotographCrops)
        other.__dict__ |= self.__dict__
        if self.shapes.min(axis=1).max() < size:
            raise InputError(f"none of the {len(self.shapes)} photographs is at least {size} pixels on both sides.")
        other._cut(size)
        return other

    def batch(self, count: int, *, seed: int, step: int) -> Tensor:
        """Draw ``[count, 3, size, size]`` crops in 0..1; the same seed and step draw the same crops.

        Scale (1/2 to 1, as far as the photograph allows), place, mirror and quarter turns are random.

        Args:
            count: crops.
            seed: seed of the training.
            step: training step.

        Returns:
            ``[count, 3, size, size]`` in 0..1.
        """
        random = np.random.default_rng([seed, step])
        picture = random.choice(len(self.shapes), size=count, p=self.probability)
        shapes = self.shapes[picture]
        side = (self.size * np.minimum(random.uniform(1, 2, count), shapes.min(axis=1) / self.size)).astype(np.int64)
        corner = random.integers(0, shapes - side[:, None] + 1)
        # One of the eight symmetries of the square: mirrored along either axis, or with its axes exchanged.
        symmetry = random.integers(0, 2, (count, 3))
        numbers = [self.first[picture], shapes[:, 1], corner[:, 0], corner[:, 1], side, *symmetry.T]
        return self._gather(torch.from_numpy(np.stack(numbers)).to(self.pixels.device))

    def _gather(self, numbers: Tensor) -> Tensor:
        first, columns, top, left, side, upside_down, mirrored, exchanged = (row[:, None, None] for row in numbers)
        place = torch.arange(self.size, device=self.pixels.device)
        rows, across = torch.meshgrid(place, place, indexing="ij")
        along_y = torch.where(exchanged.bool(), across, rows)
        along_x = torch.where(exchanged.bool(), rows, across)
        along_y = torch.where(upside_down.bool(), self.size - 1 - along_y, along_y)
        along_x = torch.where(mirrored.bool(), self.size - 1 - along_x, along_x)
        scale = side / self.size
        y = top + (along_y + 0.5) * scale - 0.5
        x = left + (along_x + 0.5) * scale - 0.5
        # Four samples, spaced by the scale, suppress aliasing: at scale 1/2 they are the mean of four pixels.
        reach = (scale - 1) / 2
        total = torch.zeros(len(side), self.size, self.size, 3, device=self.pixels.device)
        for sign_y, sign_x in product((-1, 1), repeat=2):
            inside_y = (y + sign_y * reach).clamp(min=top, max=top + side - 1)
            inside_x = (x + sign_x * reach).clamp(min=left, max=left + side - 1)
            total += self._bilinear(first, columns, inside_y, inside_x)
        return (total / (4 * 255)).permute(0, 3, 1, 2)

    def _bilinear(self, first: Tensor, columns: Tensor, y: Tensor, x: Tensor) -> Tensor:
        row, column = y.floor(), x.floor()
        share_y, share_x = (y - row)[..., None], (x - column)[..., None]
        next_row, next_column = (y.ceil() - row).long() * columns, (x.ceil() - column).long()
        index = first + row.long() * columns + column.long()
        upper = torch.lerp(self._at(index), self._at(index + next_column), share_x)
        lower = torch.lerp(self._at(index + next_row), self._at(index + next_row + next_column), share_x)
        return torch.lerp(upper, lower, share_y)

    def _at(self, index: Tensor) -> Tensor:
        return self.pixels[index].float()
