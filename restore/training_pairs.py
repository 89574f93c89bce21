"""Pairs as a source of training crops, each with the degradation map of its place on the sensor."""

from __future__ import annotations

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
    """Crops of equal size: ``clean``, ``neutral`` and ``captured`` ``[batch, 3, y, x]`` in 0..1, and where they lay.

    ``clean_map`` and ``captured_map`` ``[batch, 4, n, n]`` are the degradation maps that go with each as the input.
    """

    clean: Tensor
    neutral: Tensor
    captured: Tensor
    clean_map: Tensor
    captured_map: Tensor


@dataclass(frozen=True)
class PairSource:
    """One folder of pairs and the FWHM map ``[3, n, n]`` of the camera that made it."""

    pairs: Pairs
    fwhm_map: np.ndarray


class TrainingPairs:
    """Pairs of one or more folders, split by photograph into training and validation as their manifests say.

    Args:
        sources: the folders.
        quality_metric: what S_i is measured with.

    Raises:
        InputError: nothing is left to train on.
    """

    def __init__(self, sources: Sequence[PairSource], *, quality_metric: str) -> None:
        self.sources = list(sources)
        self.quality_metric = quality_metric
        self._quality: dict[tuple[int, int, bool], np.ndarray] = {}
        self.training: list[tuple[int, int]] = []
        self.validation: list[tuple[int, int]] = []
        for number, source in enumerate(self.sources):
            self.training += [(number, int(index)) for index in source.pairs.of_split("train")]
            self.validation += [(number, int(index)) for index in source.pairs.of_split("validation")]
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
        return Batch(*(torch.stack(part) for part in zip(*crops, strict=True)))

    def _crop(
        self, place: tuple[int, int], size: int, multiple: int, random: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        number, index = place
        pairs = self.sources[number].pairs
        sample = pairs.sample(index)
        if sample.neutral is None:
            raise InputError(f"{pairs.folder}: sample {index} has no neutral target; make the pairs again.")
        height, width = sample.clean.shape[:2]
        top = multiple * int(random.integers(0, (height - size) // multiple + 1))
        left = multiple * int(random.integers(0, (width - size) // multiple + 1))
        # The quality is measured on the picture, the blur is known over the whole sensor, of which it may be a part.
        region = Region(top / height, left / width, size / height, size / width)
        rows, columns = pairs.manifest.cameras[sample.camera].sensor
        first_row, first_column = sample.position[0] + top, sample.position[1] + left
        on_sensor = Region(first_row / rows, first_column / columns, size / rows, size / columns)
        fwhm = resample(torch.from_numpy(self.sources[number].fwhm_map).float(), on_sensor)
        maps = [
            torch.cat([fwhm, resample(self._quality_of(place, picture, is_clean=is_clean), region)])
            for picture, is_clean in ((sample.clean, True), (sample.degraded, False))
        ]
        window = (slice(top, top + size), slice(left, left + size))
        pictures = [as_tensor(picture[window]) for picture in (sample.clean, sample.neutral, sample.degraded)]
        return pictures[0], pictures[1], pictures[2], maps[0], maps[1]

    def _quality_of(self, place: tuple[int, int], picture: np.ndarray, *, is_clean: bool) -> Tensor:
        key = (*place, is_clean)
        if key not in self._quality:
            self._quality[key] = quality_map(picture, self.quality_metric)[0]
        return torch.from_numpy(self._quality[key][None]).float()


def as_tensor(picture: np.ndarray) -> Tensor:
    """``[y, x, 3]`` uint8 → ``[3, y, x]`` float32 in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float() / 255
