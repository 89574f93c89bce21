"""Random crops of clean photographs, kept in memory, drawn reproducibly step by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from metalens.formats.errors import InputError
from metalens.formats.pictures import read_picture


class PhotographCrops:
    """Clean photographs as a source of training crops.

    Args:
        paths: picture files.
        size: side of a crop in pixels.

    Raises:
        InputError: a file is no picture, or no photograph is at least ``size`` on both sides.
    """

    def __init__(self, paths: Sequence[Path], size: int) -> None:
        pictures = [read_picture(path) for path in paths]
        self.pictures = [picture for picture in pictures if min(picture.shape[:2]) >= size]
        if not self.pictures:
            raise InputError(f"none of the {len(paths)} photographs is at least {size} pixels on both sides.")
        self.size = size
        areas = np.array([picture.shape[0] * picture.shape[1] for picture in self.pictures], float)
        # The square root keeps large photographs from drowning the small ones.
        self.probability = np.sqrt(areas) / np.sqrt(areas).sum()

    def batch(self, count: int, *, seed: int, step: int) -> Tensor:
        """Draw ``[count, 3, size, size]`` crops in 0..1; the same seed and step draw the same crops.

        Scale (1/2 to 1, as far as the photograph allows), place, mirror and quarter turns are random.
        """
        random = np.random.default_rng([seed, step])
        return torch.stack([self._crop(random) for _ in range(count)])

    def _crop(self, random: np.random.Generator) -> Tensor:
        picture = self.pictures[random.choice(len(self.pictures), p=self.probability)]
        height, width = picture.shape[:2]
        side = int(self.size * min(random.uniform(1, 2), height / self.size, width / self.size))
        top = int(random.integers(0, height - side + 1))
        left = int(random.integers(0, width - side + 1))
        crop = np.rot90(picture[top : top + side, left : left + side], int(random.integers(4)))
        if random.random() < 0.5:
            crop = crop[:, ::-1]
        tensor = torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1).float() / 255
        if side == self.size:
            return tensor
        size = (self.size, self.size)
        return F.interpolate(tensor[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0]
