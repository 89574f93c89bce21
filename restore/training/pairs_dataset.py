"""Pairs for PyTorch's data loaders: any number of workers, shuffled across shards, few files open."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.photograph_split import Split
from metalens.formats.pairs.reader import Pairs, read_pairs
from metalens.restore.metrics.picture_tensors import as_tensor

OPEN_SHARDS = 8


class PairsDataset(Dataset[dict[str, Tensor]]):
    """The samples of one side of the split, as tensors.

    Each sample is a dictionary: ``clean``, ``degraded`` and ``neutral`` ``[3, y, x]`` float32 in 0..1; ``region``
    (top, left, height, width) of the sample as shares of the sensor's sides, for the degradation map; ``source`` and
    ``camera``, positions in the manifest.

    Workers of a data loader open the shards themselves, when they first need them, and keep ``open_shards`` of them
    open at most. With :class:`ShardShuffle` as the sampler that is enough, and no shard is opened twice in an epoch.

    Args:
        pairs: a folder of pairs, or such a folder already opened.
        split: which side; ``None`` for all samples.
        open_shards: files that stay open in each process.

    Raises:
        InputError: the folder cannot be read, or has no sample on that side.
    """

    def __init__(
        self, pairs: Pairs | str | os.PathLike[str], split: Split | None = "train", *, open_shards: int = OPEN_SHARDS
    ) -> None:
        folder = pairs.folder if isinstance(pairs, Pairs) else pairs
        self.pairs = read_pairs(folder, open_shards=open_shards)
        self.numbers = np.arange(len(self.pairs)) if split is None else self.pairs.of_split(split)
        # What was opened to see the split: a fork or a copy begins with nothing open.
        self.pairs.close()
        if len(self.numbers) == 0:
            raise InputError(f"{folder}: has no pairs of the side {split!r} of its split.")

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        sample = self.pairs.sample(int(self.numbers[index]))
        assert sample.neutral is not None, "every sample that was written has its neutral target"
        manifest = self.pairs.manifest
        rows, columns = manifest.cameras[sample.camera].sensor
        (top, left), (height, width) = sample.position, manifest.pixels
        return {
            "clean": as_tensor(sample.clean),
            "degraded": as_tensor(sample.degraded),
            "neutral": as_tensor(sample.neutral),
            "region": torch.tensor([top / rows, left / columns, height / rows, width / columns]),
            "source": torch.tensor(sample.source),
            "camera": torch.tensor(sample.camera),
        }

    def shards(self) -> list[np.ndarray]:
        """Positions of this dataset's samples, shard by shard."""
        shard = self.numbers // self.pairs.manifest.shard_size
        return [np.flatnonzero(shard == index) for index in np.unique(shard)]


class ShardShuffle(Sampler[int]):
    """A random order of a :class:`PairsDataset` that reads from a few shards at a time.

    The shards are put in a random order and taken in groups; within a group the samples of all its shards are mixed.
    Every sample comes once an epoch. The order depends on the seed and the epoch alone.

    Args:
        dataset: what is ordered.
        seed: of the order.
        group: shards that are mixed; by default as many as the dataset keeps open.
    """

    def __init__(self, dataset: PairsDataset, *, seed: int = 0, group: int | None = None) -> None:
        self.dataset = dataset
        self.seed = seed
        self.epoch = 0
        self.group = dataset.pairs.open_shards if group is None else group
        self._shards: Sequence[np.ndarray] = dataset.shards()

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of another epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.seed, self.epoch])
        order = random.permutation(len(self._shards))
        for first in range(0, len(order), self.group):
            together = np.concatenate([self._shards[place] for place in order[first : first + self.group]])
            random.shuffle(together)
            yield from together.tolist()
