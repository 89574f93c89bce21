"""One training loop for all methods that learn: the same crops, the same optimiser, the same budget.

Crop c of step s is drawn from the generator seeded by (seed, s, c), so that every method sees the same crops in the
same order, as far as its own crops may begin anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from metalens.formats.files.errors import InputError
from metalens.formats.files.interruption import between_steps, stop_if_interrupted
from metalens.restore.conditioning.degradation_map import CELLS, Region, region_of
from metalens.restore.methods.method import CHECKPOINT, Capture, Fitted, Training
from metalens.restore.metrics.picture_tensors import as_picture, as_tensor, pad_to_multiple
from metalens.restore.training.distributed import DistributedProcesses, spoken_memory
from metalens.restore.training.optimisation import Optimisation
from metalens.restore.training.pairs import PairSource, TrainingPairs

_SECONDS_BETWEEN_CHECKPOINTS = 60.0
_MOST_SKIPPED_IN_A_ROW = 10
_WARM_UP = 20
_EMA_DECAY = 0.99


@dataclass(frozen=True)
class Crops:
    """A batch: ``clean`` and ``captured`` ``[batch, 3, y, x]`` in 0..1, and the part of the sensor that each is."""

    clean: Tensor
    captured: Tensor
    regions: Sequence[Region]


class Learner(nn.Module):
    """A network as the loop trains it and as it restores.

    Attributes:
        learning_rate: at its peak.
        multiple: sides of crops and of pictures are multiples of this; crops begin at multiples of it.
        aids: child modules that only training needs, such as those of a loss; they are not counted as the method's.
    """

    learning_rate: float = 5e-4
    multiple: int = 8
    aids: tuple[str, ...] = ()

    def losses(self, crops: Crops, random: torch.Generator) -> dict[str, Tensor]:
        """``loss``, which is descended on, and its terms.

        Args:
            crops: a batch.
            random: the step's own source of randomness, on the CPU.
        """
        raise NotImplementedError

    def restored(self, captured: Tensor, region: Region, variant: str) -> Tensor:
        """A whole capture ``[1, 3, y, x]`` in 0..1, which is a region of the sensor, restored."""
        raise NotImplementedError


def fit_learner(training: Training, make: Callable[[torch.device], Learner]) -> Fitted:
    """Build a learner with the seed's weights, train it, and hand out its moving average as a method that restores.

    Args:
        training: pairs, budget and where to run.
        make: builds the learner on a device.

    Raises:
        InputError: the crops do not fit the pairs or the method, memory runs out, or losses are not finite.
    """
    workplace = DistributedProcesses(training.device, training.precision)
    torch.manual_seed(training.seed)
    learner = make(workplace.device).to(workplace.device)
    check_crop(training, learner.multiple)
    data = TrainingPairs([PairSource(training.pairs, _no_maps(training))], quality_metric=None)
    run = _Run(training, learner, data, workplace)
    with spoken_memory(f"lower --batch (now {training.batch}) or --crop (now {training.crop})."):
        run.train()
    learner.eval()

    def restore(capture: Capture, variants: Sequence[str]) -> dict[str, np.ndarray]:
        return {variant: _restored(learner, training, workplace, capture, variant) for variant in variants}

    own = [parameter for name, parameter in learner.named_parameters() if name.split(".")[0] not in learner.aids]
    return Fitted(
        restore,
        parameters=sum(parameter.numel() for parameter in own),
        trainable=sum(parameter.numel() for parameter in own if parameter.requires_grad),
        steps=run.optimisation.step_number,
        seconds=run.optimisation.seconds if run.seconds is None else run.seconds,
        chosen={"last_losses": run.smoothed, "skipped_steps": run.skipped},
    )


def full_precision(values: Tensor) -> torch.autocast:
    """Switch reduced precision off inside the block, for what rounding would spoil: functions, places, estimates."""
    return torch.autocast(values.device.type, enabled=False)


def check_crop(training: Training, multiple: int) -> None:
    """Refuse crops that are larger than the pairs, or that the networks cannot take.

    Raises:
        InputError: as it says.
    """
    smallest = min(training.pairs.manifest.pixels)
    if training.crop > smallest:
        raise InputError(
            f"{training.pairs.folder}: pairs of {smallest} pixels are smaller than the crop of {training.crop}; lower "
            "--crop, or make larger pairs."
        )
    if training.crop % multiple:
        raise InputError(
            f"--crop {training.crop}: is no multiple of {multiple}, which this method needs; choose another, or leave "
            "the method out with --methods."
        )


@torch.no_grad()
def _restored(
    learner: Learner, training: Training, workplace: DistributedProcesses, capture: Capture, variant: str
) -> np.ndarray:
    height, width = capture.picture.shape[:2]
    padded = pad_to_multiple(as_tensor(capture.picture)[None].to(workplace.device), learner.multiple)
    region = region_of(*capture.place, padded.shape[-2], padded.shape[-1], training.bank.camera.sensor.pixels)
    with spoken_memory("the whole capture does not fit; take another --device."), workplace.autocast():
        return as_picture(learner.restored(padded, region, variant).float()[0, :, :height, :width])


def _no_maps(training: Training) -> list[np.ndarray]:
    """Learners read the bank themselves; the maps that crops carry stay empty."""
    return [np.zeros((3, CELLS, CELLS), np.float32) for _ in training.pairs.manifest.cameras]


class _Run:
    """One training, from its first step or from a checkpoint to the end of its budget."""

    def __init__(
        self, training: Training, learner: Learner, data: TrainingPairs, workplace: DistributedProcesses
    ) -> None:
        self.training = training
        self.learner = learner
        self.data = data
        self.workplace = workplace
        self.skipped = 0
        self._in_a_row = 0
        self._kept = time.monotonic()
        self.smoothed: dict[str, float] = {}
        self.seconds: float | None = None
        trained = {name: each for name, each in learner.named_parameters() if each.requires_grad}
        self.optimisation = Optimisation(
            dict(sorted(trained.items())),
            learning_rate=learner.learning_rate,
            budget=training.budget,
            warm_up=_WARM_UP,
            ema_decay=_EMA_DECAY,
        )

    def train(self) -> None:
        """Train until the budget is used, and leave the moving average in the parameters' place."""
        path = self.training.folder / CHECKPOINT
        if self.training.resume and path.is_file():
            extra = self.optimisation.load(path, stage="method")
            self.skipped, self.smoothed = int(extra.get("skipped", 0)), dict(extra.get("smoothed", {}))
            self.seconds = float(extra["seconds"]) if extra.get("seconds") is not None else None
        self.learner.train()
        try:
            with between_steps():
                while self.seconds is None and self.optimisation.progress < 1:
                    stop_if_interrupted()
                    self._step()
                    self._keep_now_and_then()
        except KeyboardInterrupt:
            self._save()
            raise
        if self.seconds is None:
            self.seconds = self.optimisation.seconds
            self._save()
        self.optimisation.use_average()

    def _step(self) -> None:
        position = self.optimisation.step_number + self.skipped
        random = torch.Generator().manual_seed(self.training.seed * 1_000_003 + position)
        crops = self._draw(position)
        with self.workplace.autocast():
            losses = self.learner.losses(crops, random)
        try:
            self.optimisation.step(losses["loss"])
        except FloatingPointError as error:
            self.skipped += 1
            self._in_a_row += 1
            if self._in_a_row > _MOST_SKIPPED_IN_A_ROW:
                raise InputError(f"{self._in_a_row} training steps in a row gave NaN or infinity ({error}).") from error
            return
        self._in_a_row = 0
        for name, value in losses.items():
            latest = float(value.detach())
            self.smoothed[name] = 0.95 * self.smoothed.get(name, latest) + 0.05 * latest
        self.training.report(min(1.0, self.optimisation.progress), self.smoothed)

    def _draw(self, position: int) -> Crops:
        drawn = [
            self.data.draw_placed(
                self.data.training,
                self.training.crop,
                random=np.random.default_rng([self.training.seed, position, number]),
                multiple=self.learner.multiple,
            )
            for number in range(self.training.batch)
        ]
        device = self.workplace.device
        clean, captured = (
            torch.stack([getattr(example, name) for example, _ in drawn]).to(device) for name in ("clean", "captured")
        )
        return Crops(clean, captured, [region for _, region in drawn])

    def _keep_now_and_then(self) -> None:
        if time.monotonic() - self._kept > _SECONDS_BETWEEN_CHECKPOINTS:
            self._save()
            self._kept = time.monotonic()

    def _save(self) -> None:
        extra = {"skipped": self.skipped, "smoothed": self.smoothed, "seconds": self.seconds}
        self.optimisation.save(self.training.folder / CHECKPOINT, stage="method", extra=extra)
