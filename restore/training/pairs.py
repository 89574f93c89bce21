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
from metalens.formats.psf.bank import PsfBank
from metalens.restore.adapter.paths import source_and_target
from metalens.restore.conditioning.degradation_map import Region, region_of, resample
from metalens.restore.conditioning.lens_maps import LensMap
from metalens.restore.conditioning.quality import GRID, quality_map
from metalens.restore.deconvolution.linear_estimates import LinearEstimates
from metalens.restore.metrics.picture_tensors import as_tensor

_KEPT_FILTER_BYTES = 2**31

Place = tuple[int, int]
"""A pair: index of its folder, and index in the folder."""


class Example(NamedTuple):
    """Crops: ``clean``, ``neutral`` and ``captured`` ``[3, y, x]`` in 0..1, with their degradation map.

    With conditioning by optics the linear restorations follow the channels of ``captured``. ``degradation_map`` ``[4 or
    10, n, n]`` goes with the captured one as the input, or with the clean one if that is asked
    for. ``place`` is (row, column) on the sensor of the first pixel. A batch has one axis more.
    """

    clean: Tensor
    neutral: Tensor
    captured: Tensor
    degradation_map: Tensor
    place: Tensor


def inputs_of(path: str, example: Example, neutral: str) -> tuple[Tensor, Tensor]:
    """Input and target of one path for a batch of crops.

    Args:
        path: positive, neutral or negative.
        example: the crops.
        neutral: target of the neutral path, ``smooth`` or ``fidelity`` (:class:`~.config.TrainConfig`).

    Returns:
        Input and target, ``[batch, channel, y, x]``.
    """
    target = example.neutral if neutral == "smooth" else example.clean
    return source_and_target(path, example.clean, target, example.captured)


@dataclass(frozen=True)
class PairSource:
    """One folder of pairs and the lens of each camera of its manifest."""

    pairs: Pairs
    lenses: Sequence[LensMap]


class TrainingPairs:
    """Pairs of one or more folders, split by photograph into training and validation as their manifests say.

    Args:
        sources: the folders.
        quality_metric: metric of S_i; ``None`` leaves the fourth channel 0, for restorers without it.
        kept_bytes: size of the picture cache in bytes, in each reading process.
        edge_weight: how often a crop beyond two thirds of the sensor's half diagonal is drawn, as a multiple of others.
        whole_maps: give crops the map of their whole frame, which a Q that is one for the picture has when restoring.

    Raises:
        InputError: the training split is empty.
    """

    def __init__(
        self,
        sources: Sequence[PairSource],
        *,
        quality_metric: str | None,
        kept_bytes: int = 2**30,
        edge_weight: float = 1.0,
        whole_maps: bool = False,
    ) -> None:
        self.sources = list(sources)
        self.quality_metric = quality_metric
        self.edge_weight = edge_weight
        self.whole_maps = whole_maps
        self._room = kept_bytes
        self._kept: dict[Place, PairSample] = {}
        self._quality: dict[tuple[int, int, bool], np.ndarray] = {}
        self._estimates: dict[Place, np.ndarray] = {}
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
        on_sensor = _on_sensor(source, sample, top, left, (size, size))
        if self.edge_weight > 1 and not _is_edge(on_sensor) and random.random() >= 1 / self.edge_weight:
            return self.draw_placed(among, size, random=random, multiple=multiple, of_clean=of_clean)
        seen = _on_sensor(source, sample, 0, 0, (height, width)) if self.whole_maps else on_sensor
        lens = resample(torch.from_numpy(source.lenses[sample.camera].values).float(), seen)
        # Quality is measured over the picture, FWHM over the whole sensor, of which the picture may be a part.
        region = Region() if self.whole_maps else Region(top / height, left / width, size / height, size / width)
        quality = resample(self._quality_of(place, sample, of_clean=of_clean), region)
        example = Example(
            clean=as_tensor(sample.clean[window]),
            neutral=as_tensor(_neutral(sample)[window]),
            captured=as_tensor(self._input_of(place, sample)[window]),
            degradation_map=torch.cat([lens, quality]),
            place=torch.tensor([int(sample.position[0]) + top, int(sample.position[1]) + left]),
        )
        return example, on_sensor

    def measure(self) -> None:
        """Measure the quality of all pictures now (captured and clean), instead of at their first use.

        Linear restorations are computed too, where the restorer takes them.
        """
        wanted = [(place, of_clean) for place in (*self.training, *self.validation) for of_clean in (False, True)]
        # Shards are read in this thread only; the measurement runs in several.
        with ThreadPoolExecutor() as pool:
            running = [
                pool.submit(self._quality_of, place, self._sample(place), of_clean=of_clean)
                for place, of_clean in wanted
            ]
        for each in running:
            each.result()
        for place in (*self.training, *self.validation):
            self._input_of(place, self._sample(place))

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

    def _input_of(self, place: Place, sample: PairSample) -> np.ndarray:
        """The capture ``[y, x, channel]``, with its linear restorations where the lens comes with its functions."""
        bank = self.sources[place[0]].lenses[sample.camera].bank
        if bank is None:
            return sample.degraded
        if place not in self._estimates:
            row, column = sample.position
            self._estimates[place] = _filters(bank)(sample.degraded, (int(row), int(column)))
        return np.concatenate([sample.degraded, self._estimates[place]], axis=-1)

    def _quality_of(self, place: Place, sample: PairSample, *, of_clean: bool) -> Tensor:
        if self.quality_metric is None:
            return torch.zeros(1, GRID, GRID)
        key = (*place, of_clean)
        if key not in self._quality:
            picture = sample.clean if of_clean else sample.degraded
            self._quality[key] = quality_map(picture, self.quality_metric)[0]
        return torch.from_numpy(self._quality[key][None]).float()


def _on_sensor(source: PairSource, sample: PairSample, top: int, left: int, size: tuple[int, int]) -> Region:
    """Region of the camera's sensor that a crop of a sample covers."""
    sensor = source.pairs.manifest.cameras[sample.camera].sensor
    return region_of(sample.position[0] + top, sample.position[1] + left, *size, sensor)


_FILTERS: dict[str, LinearEstimates] = {}


def _filters(bank: PsfBank) -> LinearEstimates:
    """The filters of a lens; those of the lenses used last are kept, of some hundred megabytes each."""
    kept = _FILTERS.pop(bank.camera.hash, None)
    if kept is None or kept.bank is not bank:
        kept = LinearEstimates(bank)
    # The lens used last stands last.
    _FILTERS[bank.camera.hash] = kept
    while len(_FILTERS) > 1 and sum(each.nbytes for each in _FILTERS.values()) > _KEPT_FILTER_BYTES:
        _FILTERS.pop(next(iter(_FILTERS)))
    return kept


def _is_edge(region: Region) -> bool:
    """Whether a region's centre lies beyond two thirds of the frame's half diagonal."""
    y, x = region.top + region.height / 2 - 0.5, region.left + region.width / 2 - 0.5
    return float(np.hypot(y, x)) > 2 / 3 * np.sqrt(0.5)


def _neutral(sample: PairSample) -> np.ndarray:
    assert sample.neutral is not None
    return sample.neutral
