"""Pairs as a source of training crops, each with the degradation map of its place on the sensor and of its lens."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import Pairs
from metalens.formats.pairs.shard import PairSample
from metalens.restore.conditioning.degradation_map import Region, region_of, resample
from metalens.restore.conditioning.quality import GRID, quality_map
from metalens.restore.metrics.picture_tensors import as_tensor

Place = tuple[int, int]
"""A pair: index of its folder, and index in the folder."""


class Example(NamedTuple):
    """Crops: ``clean``, ``neutral`` and ``captured`` ``[3, y, x]`` in 0..1, with their degradation map.

    ``degradation_map`` ``[4, n, n]`` goes with the captured one as the input, or with the clean one if that is asked
    for. A batch has one axis more.
    """

    clean: Tensor
    neutral: Tensor
    captured: Tensor
    degradation_map: Tensor


@dataclass(frozen=True)
class PairSource:
    """One folder of pairs and the FWHM map ``[3, n, n]`` of each camera of its manifest."""

    pairs: Pairs
    fwhm_maps: Sequence[np.ndarray]


class TrainingPairs:
    """Pairs of one or more folders, split by photograph into training and validation as their manifests say.

    Args:
        sources: the folders.
        quality_metric: metric of S_i; ``None`` leaves the fourth channel 0, for restorers without it.
        kept_bytes: size of the picture cache in bytes, in each reading process.

    Raises:
        InputError: the training split is empty.
    """

    def __init__(self, sources: Sequence[PairSource], *, quality_metric: str | None, kept_bytes: int = 2**30) -> None:
        self.sources = list(sources)
        self.quality_metric = quality_metric
        self._room = kept_bytes
        self._kept: dict[Place, PairSample] = {}
        self._quality: dict[tuple[int, int, bool], np.ndarray] = {}
        self.training: list[Place] = []
        self.validation: list[Place] = []
        for number, source in enumerate(self.sources):
            self.training += [(number, int(index)) for index in source.pairs.of_split("train")]
            self.validation += [(number, int(index)) for index in source.pairs.of_split("validation")]
        if not self.training:
            raise InputError("the pairs leave nothing to train on; make more with metalens synth.")

    def draw(
        self, among: Sequence[Place], size: int, *, random: np.random.Generator, multiple: int, of_clean: bool = False
    ) -> Example:
        """Draw a crop at random.

        Args:
            among: the pairs to draw from: :attr:`training` or :attr:`validation`.
            size: its side in pixels, at most the frame's.
            random: random generator.
            multiple: crops begin at multiples of this.
            of_clean: measure the quality map on the clean picture instead of the capture.

        Returns:
            The crops.
        """
        return self.draw_placed(among, size, random=random, multiple=multiple, of_clean=of_clean)[0]

    def draw_placed(
        self, among: Sequence[Place], size: int, *, random: np.random.Generator, multiple: int, of_clean: bool = False
    ) -> tuple[Example, Region]:
        """Draw a crop as :meth:`draw` does, with its region of the sensor.

        Args:
            among: samples to draw from.
            size: side of the crop in pixels.
            random: random generator.
            multiple: crops start at multiples of this many pixels.
            of_clean: measure the quality map on the clean picture.

        Returns:
            The example and its region.
        """
        place = among[int(random.integers(len(among)))]
        source = self.sources[place[0]]
        sample = self._sample(place)
        height, width = sample.clean.shape[:2]
        top = multiple * int(random.integers(0, (height - size) // multiple + 1))
        left = multiple * int(random.integers(0, (width - size) // multiple + 1))
        window = (slice(top, top + size), slice(left, left + size))
        on_sensor = _on_sensor(source, sample, top, left, size)
        fwhm = resample(torch.from_numpy(source.fwhm_maps[sample.camera]).float(), on_sensor)
        # Quality is measured over the picture, FWHM over the whole sensor, of which the picture may be a part.
        region = Region(top / height, left / width, size / height, size / width)
        quality = resample(self._quality_of(place, sample, of_clean=of_clean), region)
        example = Example(
            clean=as_tensor(sample.clean[window]),
            neutral=as_tensor(_neutral(sample)[window]),
            captured=as_tensor(sample.degraded[window]),
            degradation_map=torch.cat([fwhm, quality]),
        )
        return example, on_sensor

    def measure(self) -> None:
        """Measure the quality of all pictures now (captured and clean), instead of at their first use."""
        wanted = [(place, of_clean) for place in (*self.training, *self.validation) for of_clean in (False, True)]
        # Shards are read in this thread only; the measurement runs in several.
        with ThreadPoolExecutor() as pool:
            running = [
                pool.submit(self._quality_of, place, self._sample(place), of_clean=of_clean)
                for place, of_clean in wanted
            ]
        for each in running:
            each.result()

    def _sample(self, place: Place) -> PairSample:
        """Read a pair, or take it from the cache."""
        if place in self._kept:
            return self._kept[place]
        number, index = place
        pairs = self.sources[number].pairs
        sample = pairs.sample(index)
        if sample.neutral is None:
            raise InputError(f"{pairs.folder}: sample {index} has no neutral target; make the pairs again.")
        size = sum(picture.nbytes for picture in (sample.clean, sample.degraded, sample.neutral))
        if size <= self._room:
            self._room -= size
            self._kept[place] = sample
        return sample

    def _quality_of(self, place: Place, sample: PairSample, *, of_clean: bool) -> Tensor:
        if self.quality_metric is None:
            return torch.zeros(1, GRID, GRID)
        key = (*place, of_clean)
        if key not in self._quality:
            picture = sample.clean if of_clean else sample.degraded
            self._quality[key] = quality_map(picture, self.quality_metric)[0]
        return torch.from_numpy(self._quality[key][None]).float()


def _on_sensor(source: PairSource, sample: PairSample, top: int, left: int, size: int) -> Region:
    """Region of the camera's sensor that a square crop of a sample covers."""
    sensor = source.pairs.manifest.cameras[sample.camera].sensor
    return region_of(sample.position[0] + top, sample.position[1] + left, size, size, sensor)


def _neutral(sample: PairSample) -> np.ndarray:
    assert sample.neutral is not None
    return sample.neutral
