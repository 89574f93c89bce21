"""One training for all methods that learn: the same crops, the same optimiser, the same budget.

Crop c of step s is drawn from a generator seeded by (seed, s, c). So all methods see the same crops in the same order,
up to the alignment that a method requires of its crops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from metalens.formats.files.errors import InputError
from metalens.restore.conditioning.degradation_map import CELLS, Region, region_of
from metalens.restore.conditioning.lens_maps import LensMap
from metalens.restore.inference.capture import Capture
from metalens.restore.methods.method import Fitted, Training
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
    """A batch: ``clean`` and ``captured`` ``[batch, 3, y, x]`` in 0..1, and the sensor region of each crop."""

    clean: Tensor
    captured: Tensor
    regions: Sequence[Region]


class Learner(nn.Module):
    """A network with its training loss and its restoration of whole captures.

    Attributes:
        learning_rate: peak learning rate.
        multiple: sides of crops and pictures are multiples of this many pixels; crops start at multiples of it.
        aids: child modules used only in training, such as loss networks; their parameters are not counted.
        metric: name of the perceptual distance in the loss, if there is one.
    """

    learning_rate: float = 5e-4
    multiple: int = 8
    aids: tuple[str, ...] = ()
    metric: str | None = None

    def losses(self, crops: Crops, random: torch.Generator) -> dict[str, Tensor]:
        """Compute the training loss of a batch.

        Args:
            crops: a batch.
            random: random generator of this step, on the CPU.

        Returns:
            ``loss``, which is minimised, and its terms, scalars.
        """
        raise NotImplementedError

    def restored(self, captured: Tensor, region: Region, variant: str) -> Tensor:
        """Restore a whole capture.

        Args:
            captured: ``[1, 3, y, x]`` sRGB in 0..1, sides multiples of :attr:`multiple`.
            region: the part of the sensor that the capture shows.
            variant: one of the method's variants.

        Returns:
            ``[1, 3, y, x]``, nominally in 0..1.
        """
        raise NotImplementedError


def fit_learner(training: Training, make: Callable[[torch.device], Learner]) -> Fitted:
    """Build and train a learner; its moving average becomes the fitted method.

    Args:
        training: pairs, budget, device and seed, which also seeds the initial weights.
        make: builds the learner on a device.

    Returns:
        The fitted method.

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
        losses=() if learner.metric is None else (learner.metric,),
    )


def full_precision(values: Tensor) -> torch.autocast:
    """Switch autocast off inside the block, for values that rounding would spoil: PSFs, positions, estimates."""
    return torch.autocast(values.device.type, enabled=False)


def check_crop(training: Training, multiple: int) -> None:
    """Check that the crop size fits the pairs and the networks.

    Args:
        training: pairs and crop size.
        multiple: the crop side must be a multiple of this many pixels.

    Raises:
        InputError: the crop is larger than the pairs, or not a multiple.
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
    region = region_of(*capture.corner, padded.shape[-2], padded.shape[-1], training.bank.camera.sensor.pixels)
    with spoken_memory("the whole capture does not fit; take another --device."), workplace.autocast():
        return as_picture(learner.restored(padded, region, variant).float()[0, :, :height, :width])


def _no_maps(training: Training) -> list[LensMap]:
    """Empty conditioning maps: learners read the bank themselves."""
    empty = np.zeros((3, CELLS, CELLS), np.float32)
    return [LensMap(camera.name, empty) for camera in training.pairs.manifest.cameras]


class _LearnerTraining(Trainee):
    """Adapts a learner to the training loop."""

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
        """Optimiser of all trainable parameters."""
        trained = {name: each for name, each in self.learner.named_parameters() if each.requires_grad}
        return Optimisation(
            dict(sorted(trained.items())),
            learning_rate=self.learner.learning_rate,
            budget=budget,
            warm_up=_WARM_UP,
            ema_decay=_EMA_DECAY,
        )

    def draw(self, position: int) -> Draw:
        """The crops of a step and its random generator."""
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
        """Loss of the learner under autocast. See :class:`Learner`."""
        del kind
        with self.workplace.autocast():
            return self.learner.losses(crops, random)


def _trained(training: Training, learner: Learner, workplace: DistributedProcesses) -> TrainingLoop:
    """Train a learner until the budget is used; returns the loop with its counts."""
    data = TrainingPairs([PairSource(training.pairs, _no_maps(training))], quality_metric=None)
    settings = LoopSettings(training.folder / CHECKPOINT, seconds=_SECONDS_BETWEEN_CHECKPOINTS)
    loop = TrainingLoop(_LearnerTraining(training, learner, data, workplace), training.budget, workplace, settings)
    learner.train()
    loop.run(resume=training.resume, report=training.report)
    learner.eval()
    return loop
