"""The crops of every step, numbered once and for all: the number of a crop decides what it shows.

Crop c of step s is drawn from the generator seeded by (seed, s, c), the path of step s from the one seeded by
(seed, s). How many processes and reading workers share the work, and into how many batches a step is cut, then changes
nothing; and a training that goes on at step s needs to know only s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from metalens.restore.training.config import TrainConfig
from metalens.restore.training.pairs import Example, TrainingPairs


@dataclass(frozen=True)
class Turn:
    """What a step trains: its path, and whether on pseudo pairs."""

    path: str
    pseudo: bool


class TrainingStream(Dataset[Example]):
    """Crops by their number, step · crops_a_step + c.

    Args:
        data: pairs of cameras.
        pseudo: pseudo pairs, or none.
        config: the recipe.
        multiple: crops begin at multiples of this many pixels.
        crops_a_step: of all processes and batches together.
    """

    def __init__(
        self,
        data: TrainingPairs,
        pseudo: TrainingPairs | None,
        config: TrainConfig,
        *,
        multiple: int,
        crops_a_step: int,
    ) -> None:
        self.data = data
        self.pseudo = pseudo
        self.config = config
        self.multiple = multiple
        self.crops_a_step = crops_a_step

    def turn(self, step: int) -> Turn:
        """What a step trains."""
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        path = self.config.shares.draw(generator)
        # A pseudo pair is the negative path's own output, so it never teaches that path.
        mixed = self.pseudo is not None and path != "negative"
        return Turn(path, mixed and float(torch.rand(1, generator=generator)) < self.config.pseudo_share)

    def __getitem__(self, number: int) -> Example:
        step, crop = divmod(number, self.crops_a_step)
        turn = self.turn(step)
        random = np.random.default_rng([self.config.seed, step, crop])
        data = self.pseudo if turn.pseudo and self.pseudo is not None else self.data
        example = data.draw(
            data.training,
            self.config.crop,
            random=random,
            multiple=self.multiple,
            of_clean=turn.path == "negative",
        )
        if not turn.pseudo or random.random() >= self.config.pseudo_noise_probability:
            return example
        return example._replace(captured=self._with_noise(example.captured, random))

    def _with_noise(self, picture: Tensor, random: np.random.Generator) -> Tensor:
        """Extra noise on a pseudo capture, whose generator paints too smooth a picture."""
        sigma = random.uniform(0, self.config.pseudo_noise) / 255
        noise = torch.from_numpy(random.standard_normal(picture.shape, dtype=np.float32))
        return (picture + sigma * noise).clamp(0, 1)

    def batches(self, first_step: int, *, process: int = 0, processes: int = 1) -> Iterator[Example]:
        """The batches of one process from a step on, without end.

        Args:
            first_step: where to begin.
            process: which of the processes this is.
            processes: how many share a step.

        Returns:
            An endless iterator over batches of ``config.batch`` crops.
        """
        share = self.config.batch * self.config.accumulate
        assert self.crops_a_step == share * processes
        order = _Numbers(first_step * self.crops_a_step + process * share, share, self.crops_a_step)
        # A generator of its own: the global one is part of the checkpoint.
        loader = DataLoader(
            self,
            batch_size=self.config.batch,
            sampler=order,
            num_workers=self.config.workers,
            generator=torch.Generator(),
            persistent_workers=self.config.workers > 0,
        )
        return (Example(*batch) for batch in loader)


class _Numbers(Sampler[int]):
    """The numbers of one process's crops: a share of each step's, step after step."""

    def __init__(self, first: int, share: int, stride: int) -> None:
        self.first = first
        self.share = share
        self.stride = stride

    def __iter__(self) -> Iterator[int]:
        start = self.first
        while True:
            yield from range(start, start + self.share)
            start += self.stride
