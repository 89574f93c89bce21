"""One training for all methods that learn: the same crops, the same optimiser, the same budget.

Crop c of step s is drawn from the generator seeded by (seed, s, c), so that every method sees the same crops in the
same order, as far as its own crops may begin anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from metalens.formats.files.errors import InputError
from metalens.restore.conditioning.degradation_map import CELLS, Region, region_of
from metalens.restore.methods.method import Capture, Fitted, Training
from metalens.restore.metrics.picture_tensors import as_picture, as_tensor, pad_to_multiple
from metalens.restore.training.checkpoint import CHECKPOINT
from metalens.restore.training.distributed import DistributedProcesses, spoken_memory
from metalens.restore.training.loop import Draw, LoopSettings, Trainee, TrainingLoop
from metalens.restore.training.optimisation import Budget, Optimisation
from metalens.restore.training.pairs import PairSource, TrainingPairs

_SECONDS_BETWEEN_CHECKPOINTS = 60.0
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
    loop = _trained(training, learner, workplace)

    def restore(capture: Capture, variants: Sequence[str]) -> dict[str, np.ndarray]:
        return {variant: _restored(learner, training, workplace, capture, variant) for variant in variants}

    own = [parameter for name, parameter in learner.named_parameters() if name.split(".")[0] not in learner.aids]
    return Fitted(
        restore,
        parameters=sum(parameter.numel() for parameter in own),
        trainable=sum(parameter.numel() for parameter in own if parameter.requires_grad),
        steps=loop.optimisation.step_number,
        seconds=loop.optimisation.seconds,
        chosen={"last_losses": loop.smoothed, "skipped_steps": loop.skipped.total},
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


class _LearnerTraining(Trainee):
    """A learner as the loop trains it."""

    stage = "method"
    latest_share = 0.05

    def __init__(
        self, training: Training, learner: Learner, data: TrainingPairs, workplace: DistributedProcesses
    ) -> None:
        self.training = training
        self.model = self.learner = learner
        self.data = data
        self.workplace = workplace
        self.memory = f"lower --batch (now {training.batch}) or --crop (now {training.crop})."

    def optimisation(self, budget: Budget) -> Optimisation:
        """Of all that learns."""
        trained = {name: each for name, each in self.learner.named_parameters() if each.requires_grad}
        return Optimisation(
            dict(sorted(trained.items())),
            learning_rate=self.learner.learning_rate,
            budget=budget,
            warm_up=_WARM_UP,
            ema_decay=_EMA_DECAY,
        )

    def draw(self, position: int) -> Draw:
        """The crops of a step and its source of randomness."""
        random = torch.Generator().manual_seed(self.training.seed * 1_000_003 + position)
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
        return Draw("crops", [(Crops(clean, captured, [region for _, region in drawn]), random)])

    def losses(self, kind: str, crops: Crops, random: torch.Generator) -> dict[str, Tensor]:
        """The learner's own."""
        del kind
        with self.workplace.autocast():
            return self.learner.losses(crops, random)


def _trained(training: Training, learner: Learner, workplace: DistributedProcesses) -> TrainingLoop:
    """Train a learner until the budget is used; its loop, for what it counted."""
    data = TrainingPairs([PairSource(training.pairs, _no_maps(training))], quality_metric=None)
    settings = LoopSettings(training.folder / CHECKPOINT, seconds=_SECONDS_BETWEEN_CHECKPOINTS)
    loop = TrainingLoop(_LearnerTraining(training, learner, data, workplace), training.budget, workplace, settings)
    learner.train()
    loop.run(resume=training.resume, report=training.report)
    learner.eval()
    return loop
