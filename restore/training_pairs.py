"""Pairs as a source of training crops, each with the degradation map of its place in the frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metalens.formats.errors import InputError
from metalens.formats.pairs import Pairs
from metalens.restore.degradation_map import Region, resample
from metalens.restore.quality import quality_map


@dataclass(frozen=True)
class Batch:
    """Crops of equal size: ``clean`` and ``captured`` ``[batch, 3, y, x]`` in 0..1, and where they lay.

    ``clean_map`` and ``captured_map`` ``[batch, 4, n, n]`` are the degradation maps that go with each as the input.
    """

    clean: Tensor
    captured: Tensor
    clean_map: Tensor
    captured_map: Tensor


@dataclass(frozen=True)
class PairSource:
    """One folder of pairs and the FWHM map ``[3, n, n]`` of the camera that made it."""

    pairs: Pairs
    fwhm_map: np.ndarray


class TrainingPairs:
    """Pairs of one or more folders, split by photograph into training and validation.

    Args:
        sources: the folders.
        quality_metric: what S_i is measured with.
        validation_share: share of each folder's photographs (at least one where there are two or more) that is
            kept for validation.

    Raises:
        InputError: nothing is left to train on.
    """

    def __init__(self, sources: Sequence[PairSource], *, quality_metric: str, validation_share: float = 0.05) -> None:
        self.sources = list(sources)
        self.quality_metric = quality_metric
        self._quality: dict[tuple[int, int, bool], np.ndarray] = {}
        self.training: list[tuple[int, int]] = []
        self.validation: list[tuple[int, int]] = []
        for number, source in enumerate(self.sources):
            names = source.pairs.source_names()
            photographs = sorted(set(names))
            held = math.ceil(validation_share * len(photographs)) if len(photographs) > 1 else 0
            kept = set(photographs[len(photographs) - held :])
            for index, name in enumerate(names):
                (self.validation if name in kept else self.training).append((number, index))
        if not self.training:
            raise InputError("the pairs leave nothing to train on; make more with metalens synth.")

    def draw(
        self, among: Sequence[tuple[int, int]], count: int, size: int, *, seed: int, step: int, multiple: int
    ) -> Batch:
        """Draw crops at random; the same seed and step draw the same crops.

        Args:
            among: the pairs to draw from: :attr:`training` or :attr:`validation`.
            count: crops in the batch.
            size: their side in pixels, at most the frame's.
            seed: of the run.
            step: of the run.
            multiple: crops begin at multiples of this.
        """
        random = np.random.default_rng([seed, step])
        crops = [self._crop(among[int(random.integers(len(among)))], size, multiple, random) for _ in range(count)]
        clean, captured, clean_map, captured_map = (torch.stack(part) for part in zip(*crops, strict=True))
        return Batch(clean, captured, clean_map, captured_map)

    def _crop(
        self, place: tuple[int, int], size: int, multiple: int, random: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        number, index = place
        source = self.sources[number]
        clean, captured = source.pairs[index]
        height, width = clean.shape[:2]
        top = multiple * int(random.integers(0, (height - size) // multiple + 1))
        left = multiple * int(random.integers(0, (width - size) // multiple + 1))
        region = Region(top / height, left / width, size / height, size / width)
        window = (slice(top, top + size), slice(left, left + size))
        return (
            as_tensor(clean[window]),
            as_tensor(captured[window]),
            resample(self._map(place, clean, is_clean=True), region),
            resample(self._map(place, captured, is_clean=False), region),
        )

    def _map(self, place: tuple[int, int], picture: np.ndarray, *, is_clean: bool) -> Tensor:
        key = (*place, is_clean)
        if key not in self._quality:
            self._quality[key] = quality_map(picture, self.quality_metric)[0]
        fwhm = self.sources[place[0]].fwhm_map
        return torch.from_numpy(np.concatenate([fwhm, self._quality[key][None]])).float()


def as_tensor(picture: np.ndarray) -> Tensor:
    """``[y, x, 3]`` uint8 → ``[3, y, x]`` float32 in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float() / 255
