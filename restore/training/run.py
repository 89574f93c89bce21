"""The loop of a training: draw, forward, backward, descend; skip what is not finite; keep checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from metalens.formats.files.errors import InputError
from metalens.formats.files.interruption import between_steps, stop_if_interrupted
from metalens.restore.adapter.paths import source_and_target
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.cuda_graphs import Gradients
from metalens.restore.training.distributed import DistributedProcesses, lower_precision, spoken_memory
from metalens.restore.training.log import TrainingLog, save_pictures
from metalens.restore.training.loss import PathLoss
from metalens.restore.training.optimisation import Budget, Optimisation
from metalens.restore.training.pairs import Example
from metalens.restore.training.sampler import TrainingStream
from metalens.restore.training.validation import Validation

Report = Callable[[float, dict[str, float]], None]
"""Called with the share done and the latest figures."""

CHECKPOINT = "checkpoint.safetensors"

_STAGE = "adapter"
_MOST_IN_A_ROW = 10
_LONG_ENOUGH = 50
_LARGEST_SHARE = 0.2


class PathStep(nn.Module):
    """A restorer as a module: one path's pictures in, its pictures out."""

    def __init__(self, restorer: Restorer) -> None:
        super().__init__()
        self.restorer = restorer
        # Registered, so that several processes average their gradients.
        self.parts = nn.ModuleList([restorer.prior.vae, restorer.prior.unet, restorer.attention])

    def forward(self, source: Tensor, maps: Tensor, path: str) -> Tensor:
        """Predict ``[batch, 3, y, x]`` near 0..1."""
        return self.restorer.forward(source, maps, [path] * len(source))


@dataclass
class Skipped:
    """Steps that were skipped because something in them was not finite."""

    total: int = 0
    in_a_row: int = 0

    def count(self, skipped: bool, step: int) -> None:
        """Count a step.

        Raises:
            InputError: there are so many that something is wrong with the data or the settings.
        """
        self.total += skipped
        self.in_a_row = self.in_a_row + 1 if skipped else 0
        tried = step + self.total
        if self.in_a_row > _MOST_IN_A_ROW or (tried >= _LONG_ENOUGH and self.total > _LARGEST_SHARE * tried):
            found = f"{self.in_a_row} in a row" if self.in_a_row > _MOST_IN_A_ROW else f"{self.total} of {tried}"
            raise InputError(
                f"{found} training steps gave NaN or infinity and were skipped; look at the pairs with metalens data "
                "verify --thorough, lower --learning-rate, or train with --precision fp32."
            )


class TrainingRun:
    """One training, from its first step or from a checkpoint.

    Args:
        restorer: prior and adapter.
        stream: the crops of every step.
        validation: what is looked at in between.
        loss: of the paths.
        config: the recipe.
        budget: steps or minutes.
        workplace: where it runs.
        output: the folder of checkpoint and log.
    """

    def __init__(
        self,
        restorer: Restorer,
        stream: TrainingStream,
        validation: Validation,
        loss: PathLoss,
        *,
        config: TrainConfig,
        budget: Budget,
        workplace: DistributedProcesses,
        output: Path,
    ) -> None:
        self.restorer = restorer
        self.stream = stream
        self.validation = validation
        self.loss = loss
        self.config = config
        self.workplace = workplace
        self.output = output
        if config.precision == "bf16":
            lower_precision([restorer.prior.vae, restorer.prior.unet])
        if config.gradient_checkpointing:
            restorer.prior.vae.enable_gradient_checkpointing()
            restorer.prior.unet.enable_gradient_checkpointing()
        restorer.to(workplace.device)
        self.model = workplace.prepare(PathStep(restorer))
        self.optimisation = Optimisation(
            restorer.parameters(),
            learning_rate=config.learning_rate,
            budget=budget,
            weight_decay=config.weight_decay,
            warm_up=config.warm_up,
            clip=config.clip,
            ema_decay=config.ema_decay,
            agree=workplace.agree,
            factors={"svda.": config.q_rate},
        )
        self.recorded = self._recorded() if config.cuda_graphs else None
        self.before: dict[str, dict[str, float]] = {}
        self.skipped = Skipped()
        self.smoothed: dict[str, float] = {}

    def _recorded(self) -> Gradients:
        """Losses and gradients of a path, recorded on the first batch of each path."""
        if self.workplace.device.type != "cuda" or self.workplace.processes > 1:
            raise InputError("--cuda-graphs needs --device cuda and one process; train without it.")
        if self.config.accumulate > 1 or self.config.gradient_checkpointing:
            raise InputError("--cuda-graphs goes with neither --accumulate nor --gradient-checkpointing.")
        return Gradients(self._losses, list(self.optimisation.parameters.values()), graphed=True)

    @property
    def position(self) -> int:
        """The number of the next step's crops: skipped steps have used theirs."""
        return self.optimisation.step_number + self.skipped.total

    def train(self, *, resume: bool, report: Report) -> list[dict[str, Any]]:
        """Train until the budget is used; checkpoint and history survive whatever ends the process.

        Returns:
            A row of figures for every step.

        Raises:
            InputError: memory ran out, or steps that are not finite persist.
        """
        with spoken_memory(advice(self.config)):
            if resume and (self.output / CHECKPOINT).is_file():
                self._take_up()
            else:
                self.before = self.validation.path_losses()
            log = TrainingLog(self.output, first_step=self.optimisation.step_number, writes=self.workplace.is_first)
            try:
                with between_steps():
                    self._loop(log, report)
                self._save(log)
            except KeyboardInterrupt:
                self._save(log)
                raise
            finally:
                log.close()
        return log.rows

    def _loop(self, log: TrainingLog, report: Report) -> None:
        workplace = self.workplace
        batches = self.stream.batches(self.position, process=workplace.process, processes=workplace.processes)
        while (progress := self.optimisation.progress) < 1:
            stop_if_interrupted()
            started = time.monotonic()
            row = self.step([next(batches) for _ in range(self.config.accumulate)])
            self.skipped.count(row is None, self.optimisation.step_number)
            if row is None:
                continue
            row["seconds"] = round(time.monotonic() - started, 4)
            log.step(row)
            key = f"loss_{row['path']}"
            self.smoothed[key] = 0.9 * self.smoothed.get(key, row["loss"]) + 0.1 * row["loss"]
            step, budget = self.optimisation.step_number, self.optimisation.budget
            if step % self.config.validate_every == 0:
                self._validate(log)
            if step % self.config.checkpoint_every == 0:
                self._save(log)
            done = progress if budget.steps is None else max(progress, step / budget.steps)
            report(min(1.0, done), self.smoothed)

    def step(self, batches: list[Example]) -> dict[str, Any] | None:
        """One step of the optimiser on its batches: its figures, or ``None`` if it was skipped."""
        turn = self.stream.turn(self.position)
        number, rate = self.optimisation.step_number, self.optimisation.rate
        self.optimisation.clear()
        terms: dict[str, Tensor] = {}
        for place, batch in enumerate(batches):
            last = place == len(batches) - 1
            with nullcontext() if last else self.workplace.without_averaging(self.model):
                for name, value in self._backward(batch, turn.path, len(batches)).items():
                    terms[name] = terms.get(name, 0) + value / len(batches)
        names = sorted(terms)
        means = dict(
            zip(names, self.workplace.mean(torch.stack([terms[name] for name in names])).tolist(), strict=True)
        )
        try:
            norm = self.optimisation.descend(finite=all(map(_is_finite, means.values())))
        except FloatingPointError:
            return None
        row = {"step": number, "path": turn.path, "pseudo": turn.pseudo, **means}
        return {**row, "gradient_norm": norm, "learning_rate": rate}

    def _backward(self, batch: Example, path: str, batches: int) -> dict[str, Tensor]:
        """Gradients of one batch; its losses, without their graph."""
        clean, neutral, captured, maps = (each.to(self.workplace.device) for each in batch)
        source, target = source_and_target(path, clean, neutral, captured)
        if self.recorded is not None:
            return self.recorded(path, source, target, maps)
        # Gradient checkpointing runs blocks again in the backward pass: Q must still be applied then.
        with self.restorer.conditioned(maps, source.shape[-2] / source.shape[-1]):
            losses = self._losses(path, source, target, maps)
            self.workplace.backward(losses["loss"] / batches)
        return {name: value.detach() for name, value in losses.items()}

    def _losses(self, path: str, source: Tensor, target: Tensor, maps: Tensor) -> dict[str, Tensor]:
        with self.workplace.autocast():
            predicted = self.model(source, maps, path)
        return self.loss(predicted.float(), target)

    def _validate(self, log: TrainingLog) -> None:
        """Validate the moving average, as it would be exported now."""
        with self.optimisation.averaged():
            losses = self.validation.path_losses()
            by_alpha, shown = self.validation.by_alpha()
        log.validation(self.optimisation.step_number, losses, by_alpha, shown)

    def validate_at_the_end(self) -> dict[str, Any]:
        """Validate what will be exported, and leave it in the parameters' place."""
        self.optimisation.use_average()
        with spoken_memory(advice(self.config)):
            losses = self.validation.path_losses()
            by_alpha, shown = self.validation.by_alpha()
        if self.workplace.is_first:
            save_pictures(self.output, self.optimisation.step_number, shown)
        return {"losses": losses, "by_alpha": by_alpha}

    def _save(self, log: TrainingLog) -> None:
        log.flush()
        if self.workplace.is_first:
            extra = {"before": self.before, "skipped": asdict(self.skipped), "smoothed": self.smoothed}
            self.optimisation.save(self.output / CHECKPOINT, stage=_STAGE, extra=extra)
        self.workplace.wait()

    def _take_up(self) -> None:
        path = self.output / CHECKPOINT
        extra = self.optimisation.load(path, stage=_STAGE)
        try:
            self.before = dict(extra["before"])
            self.skipped = Skipped(**extra["skipped"])
            self.smoothed = dict(extra["smoothed"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: lacks or garbles {error}; start anew in another folder.") from error


def _is_finite(value: float) -> bool:
    return value - value == 0


def advice(config: TrainConfig) -> str:
    """What a training that does not fit into memory was, and what to lower."""
    steps = [
        f"lower --batch and raise --accumulate by as much (now {config.batch} × {config.accumulate})",
        f"lower --crop (now {config.crop})",
    ]
    if not config.gradient_checkpointing:
        steps.append("pass --gradient-checkpointing")
    if config.precision == "fp32":
        steps.append("pass --precision bf16")
    return f"{'; '.join(steps[:-1])}; or {steps[-1]}."
