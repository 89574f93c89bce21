"""The training loop: draw, forward, backward, optimiser step; skip steps that are not finite; write checkpoints.

What is trained is a :class:`Trainee`: the adapter, both stages of a prior, a method of the benchmark.
"""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from metalens.formats.files.errors import InputError
from metalens.formats.files.interruption import between_steps, stop_if_interrupted
from metalens.restore.training.cuda_graphs import RecordedGradients
from metalens.restore.training.distributed import DistributedProcesses, spoken_memory
from metalens.restore.training.optimisation import Budget, Optimisation

Report = Callable[[float, dict[str, float]], None]
"""Progress callback: fraction done in 0..1, and the latest figures."""

_MOST_IN_A_ROW = 10
_LONG_ENOUGH = 50
_LARGEST_SHARE = 0.2


@dataclass(frozen=True)
class Draw:
    """Input of one step: its kind, such as the path, and the batches whose gradients are averaged."""

    kind: str
    batches: Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class Step:
    """Record of a step: numbers of step and draw, figures, gradient norm, learning rate and seconds."""

    number: int
    position: int
    kind: str
    figures: dict[str, float]
    gradient_norm: float
    learning_rate: float
    seconds: float


class Trainee:
    """Interface between the training loop and what is trained.

    Attributes:
        stage: name of the stage in checkpoints.
        model: module whose gradients are averaged over processes.
        latest_share: weight of the latest step in the smoothed figures.
        remedy: advice when steps are not finite.
        memory: advice when memory runs out.
    """

    stage: str
    model: nn.Module
    latest_share: float
    remedy: str = "look at the pairs with metalens data verify --thorough, or train with --precision fp32."
    memory: str

    @abstractmethod
    def optimisation(self, budget: Budget) -> Optimisation:
        """Optimiser of the trained parameters."""

    @abstractmethod
    def draw(self, position: int) -> Draw:
        """Draw the input of the step at a position; skipped steps use up their position."""

    @abstractmethod
    def losses(self, kind: str, *batch: Any) -> dict[str, Tensor]:
        """Compute the loss of a batch.

        Args:
            kind: kind of step, such as a path.
            batch: tensors of the batch.

        Returns:
            ``loss``, which is minimised, and its terms, scalars.
        """

    def around(self, *batch: Any) -> AbstractContextManager[None]:
        """Context of the forward and backward pass of a batch; nothing by default."""
        del batch
        return nullcontext()

    def figures(self, draw: Draw, losses: dict[str, Tensor]) -> dict[str, float]:
        """Figures of a step for progress and log.

        Args:
            draw: batches of the step.
            losses: name → scalar, mean over the batches of the step.

        Returns:
            Name → number.
        """
        del draw
        return {name: float(value) for name, value in losses.items()}

    def reported(self, step: Step) -> dict[str, float]:
        """The figures that are smoothed and reported."""
        return step.figures

    def begin(self) -> None:
        """Called before the first step of all."""

    def take_up(self, extra: dict[str, Any]) -> None:
        """Called on resuming, with what :meth:`extra` returned for the checkpoint.

        Raises:
            KeyError, TypeError, ValueError: it is not that.
        """

    def extra(self) -> dict[str, Any]:
        """Additional state for the checkpoint, as JSON values."""
        return {}

    def open(self, first_step: int) -> None:
        """Called before the first step of this process."""

    def stepped(self, step: Step) -> None:
        """Called after each step."""

    def flush(self) -> None:
        """Called before a checkpoint that relies on all written files."""

    def close(self) -> None:
        """Called at the end, also after an error."""


@dataclass(frozen=True)
class LoopSettings:
    """How a loop runs.

    Attributes:
        checkpoint: file of the checkpoint.
        steps: steps between two checkpoints.
        seconds: time between two checkpoints.
        cuda_graphs: record each kind of step once and replay it.
    """

    checkpoint: Path
    steps: int | None = None
    seconds: float = math.inf
    cuda_graphs: bool = False


@dataclass
class Skipped:
    """Number of steps skipped because a loss or gradient was not finite."""

    total: int = 0
    in_a_row: int = 0

    def count(self, skipped: bool, step: int, remedy: str) -> None:
        """Count a step, skipped or not.

        Args:
            skipped: whether the step was skipped since its loss or gradient was not finite.
            step: training steps done.
            remedy: advice at the end of the error.

        Raises:
            InputError: there are so many that something is wrong with the data or the settings.
        """
        self.total += skipped
        self.in_a_row = self.in_a_row + 1 if skipped else 0
        tried = step + self.total
        if self.in_a_row > _MOST_IN_A_ROW or (tried >= _LONG_ENOUGH and self.total > _LARGEST_SHARE * tried):
            row = self.in_a_row > _MOST_IN_A_ROW
            found = f"{self.in_a_row} training steps in a row" if row else f"{self.total} of {tried} training steps"
            raise InputError(f"{found} gave NaN or infinity and were skipped; {remedy}")


def check_recordable(device: torch.device, processes: int = 1) -> None:
    """Check that steps can be recorded as CUDA graphs.

    Args:
        device: where the training runs.
        processes: how many train together.

    Raises:
        InputError: the device is none of CUDA, or there are several processes.
    """
    if device.type != "cuda" or processes > 1:
        raise InputError("--cuda-graphs needs --device cuda and one process; train without it.")


class TrainingLoop:
    """One training, from its first step or from a checkpoint to the end of its budget.

    Args:
        trainee: what is trained.
        budget: steps or minutes.
        workplace: processes and device.
        settings: checkpoints and graphs.

    Raises:
        InputError: CUDA graphs were asked for where there are none.
    """

    def __init__(
        self, trainee: Trainee, budget: Budget, workplace: DistributedProcesses, settings: LoopSettings
    ) -> None:
        self.trainee = trainee
        self.optimisation = trainee.optimisation(budget)
        self.workplace = workplace
        self.settings = settings
        self.skipped = Skipped()
        self.smoothed: dict[str, float] = {}
        self._kept = time.monotonic()
        self._recorded: RecordedGradients | None = None
        if settings.cuda_graphs:
            check_recordable(workplace.device, workplace.processes)
            self._recorded = RecordedGradients(trainee.losses, list(self.optimisation.parameters.values()))

    def run(self, *, resume: bool, report: Report) -> None:
        """Train until the budget is used; at the end the parameters hold their moving average.

        A complete checkpoint exists at any time, even if the process is killed.

        Args:
            resume: continue from the checkpoint, if there is one.
            report: progress callback.

        Raises:
            InputError: memory ran out, the checkpoint is not this training's or has more steps than the budget, or
                steps that are not finite persist.
        """
        with spoken_memory(self.trainee.memory):
            if resume and self.settings.checkpoint.is_file():
                self._take_up()
            else:
                self.trainee.begin()
            self.trainee.open(self.optimisation.step_number)
            ended = self.optimisation.progress >= 1
            try:
                with between_steps():
                    self._steps(report)
                self.optimisation.stop_clock()
                if not ended:
                    self._save()
            except KeyboardInterrupt:
                self._save()
                raise
            finally:
                self.trainee.close()
        self.optimisation.use_average()

    def _steps(self, report: Report) -> None:
        optimisation, trainee = self.optimisation, self.trainee
        while (progress := optimisation.progress) < 1:
            stop_if_interrupted()
            optimisation.start_clock()
            step = self.step()
            self.skipped.count(step is None, optimisation.step_number, trainee.remedy)
            if step is None:
                continue
            for name, latest in trainee.reported(step).items():
                share = trainee.latest_share
                self.smoothed[name] = (1 - share) * self.smoothed.get(name, latest) + share * latest
            trainee.stepped(step)
            if self._checkpoint_is_due():
                self._save()
            taken = optimisation.budget.progress(optimisation.step_number, 0.0)
            report(min(1.0, max(progress, taken)), self.smoothed)

    def step(self, draw: Draw | None = None) -> Step | None:
        """One step of the optimiser: its figures, or ``None`` if it was skipped.

        Args:
            draw: input of the step; by default the next one.
        """
        started = time.monotonic()
        optimisation = self.optimisation
        number, position = optimisation.step_number, optimisation.step_number + self.skipped.total
        draw = draw or self.trainee.draw(position)
        rate = optimisation.rate
        losses = self._gather(draw)
        figures = self.trainee.figures(draw, losses)
        try:
            norm = optimisation.descend(finite=bool(losses["loss"].isfinite()))
        except FloatingPointError:
            return None
        return Step(number, position, draw.kind, figures, norm, rate, time.monotonic() - started)

    def _gather(self, draw: Draw) -> dict[str, Tensor]:
        """Compute the mean gradients of all batches; returns the mean losses over all processes."""
        self.optimisation.clear()
        terms: dict[str, Tensor] = {}
        count = len(draw.batches)
        for place, batch in enumerate(draw.batches):
            last = place == count - 1
            with nullcontext() if last else self.workplace.without_averaging(self.trainee.model):
                for name, value in self._backward(draw.kind, batch, count).items():
                    terms[name] = terms.get(name, 0) + value / count
        return {name: self.workplace.mean(terms[name]) for name in sorted(terms)}

    def _backward(self, kind: str, batch: Sequence[Any], batches: int) -> dict[str, Tensor]:
        """Backward pass of one batch; returns its losses, detached."""
        held = [each.to(self.workplace.device) if isinstance(each, Tensor) else each for each in batch]
        if self._recorded is not None:
            return self._recorded(kind, *held)
        with self.trainee.around(*held):
            losses = self.trainee.losses(kind, *held)
            self.workplace.backward(losses["loss"] / batches)
        return {name: value.detach() for name, value in losses.items()}

    def _checkpoint_is_due(self) -> bool:
        steps = self.settings.steps
        return (steps is not None and self.optimisation.step_number % steps == 0) or (
            time.monotonic() - self._kept > self.settings.seconds
        )

    def _save(self) -> None:
        self.trainee.flush()
        if self.workplace.is_first:
            extra = {"skipped": asdict(self.skipped), "smoothed": self.smoothed, **self.trainee.extra()}
            self.optimisation.save(self.settings.checkpoint, stage=self.trainee.stage, extra=extra)
        self.workplace.wait()
        self._kept = time.monotonic()

    def _take_up(self) -> None:
        path = self.settings.checkpoint
        extra = self.optimisation.load(path, stage=self.trainee.stage)
        done, asked = self.optimisation.step_number, self.optimisation.budget.steps
        if asked is not None and done > asked:
            raise InputError(
                f"{path}: {done} steps are done already, more than the {asked} that were asked for; ask for {done} to "
                "end there, or for more."
            )
        try:
            # Methods of the benchmark used to keep the total alone, and priors neither.
            skipped = extra.get("skipped", 0)
            self.skipped = Skipped(**skipped) if isinstance(skipped, dict) else Skipped(int(skipped))
            self.smoothed = dict(extra.get("smoothed", {}))
            self.trainee.take_up(extra)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: lacks or garbles {error}; start anew in another folder.") from error
