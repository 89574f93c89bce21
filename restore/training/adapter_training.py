"""Training of an adapter: one of three paths per step, L2 + λ perceptual, with validation in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.discriminator import FeatureDiscriminator
from metalens.restore.training.distributed import DistributedProcesses, lower_precision, spoken_memory
from metalens.restore.training.log import TrainingLog, save_pictures
from metalens.restore.training.loop import Draw, Step, Trainee
from metalens.restore.training.loss import PathLoss
from metalens.restore.training.optimisation import Budget, Optimisation
from metalens.restore.training.pairs import Example, inputs_of
from metalens.restore.training.sampler import TrainingStream
from metalens.restore.training.validation import Validation

_PATH_RATE = 10.0
"""Learning rate of the path embedding, as a multiple of the others': its vectors start at 0 among values of 1."""

_TRUST_RATE = 100.0
"""That of the trust of data consistency: logarithms, two dozen numbers in all."""

_PARTS = {"all": "", "q": "svda.", "consistency": "consistency."}
"""Beginning of the names of a part's parameters."""


class PathStep(nn.Module):
    """A restorer as a module: pictures of one path in, predictions out."""

    def __init__(self, restorer: Restorer) -> None:
        super().__init__()
        self.restorer = restorer
        # Registered here so that distributed processes average their gradients.
        further = (restorer.optics, restorer.path_embedding, restorer.consistency)
        parts = [restorer.prior.vae, restorer.prior.unet, restorer.attention]
        self.parts = nn.ModuleList([*parts, *(each for each in further if each is not None)])

    def forward(self, source: Tensor, maps: Tensor, path: str, place: Tensor) -> Tensor:
        """One diffusion step on one path.

        Args:
            source: ``[batch, channel, y, x]`` in 0..1, what the encoder takes.
            maps: ``[batch, 4, n, n]`` degradation maps.
            path: ``"positive"``, ``"neutral"`` or ``"negative"``.
            place: ``[batch, 2]`` (row, column) on the sensor of each first pixel.

        Returns:
            ``[batch, 3, y, x]``, nominally in 0..1.
        """
        places = [] if self.restorer.consistency is None else place.tolist()
        return self.restorer.forward(source, maps, [path] * len(source), places)


class AdapterTraining(Trainee):
    """A restorer's adapter, its crops, its loss and its validation.

    Args:
        restorer: prior and adapter.
        stream: crops of all steps.
        validation: the validation.
        loss: loss of the paths.
        config: the recipe.
        workplace: processes and device.
        output: folder of the log.

    Raises:
        InputError: an adversarial term was asked for in several processes.
    """

    stage = "adapter"
    latest_share = 0.1
    remedy = (
        "look at the pairs with metalens data verify --thorough, lower --learning-rate, or train with --precision fp32."
    )

    def __init__(
        self,
        restorer: Restorer,
        stream: TrainingStream,
        validation: Validation,
        loss: PathLoss,
        *,
        config: TrainConfig,
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
        self.memory = advice(config)
        if config.precision == "bf16":
            lower_precision([restorer.prior.vae, restorer.prior.unet])
        if config.gradient_checkpointing:
            restorer.prior.vae.enable_gradient_checkpointing()
            restorer.prior.unet.enable_gradient_checkpointing()
        if config.only != "all":
            _freeze(restorer, _PARTS[config.only])
        restorer.to(workplace.device)
        self.model = workplace.prepare(PathStep(restorer))
        self.discriminator: FeatureDiscriminator | None = None
        if config.adversarial_weight:
            if workplace.processes > 1:
                raise InputError("--adversarial-weight trains in one process; launch one, or train without it.")
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(config.seed)
                self.discriminator = FeatureDiscriminator().to(workplace.device)
        self.before: dict[str, dict[str, float]] = {}
        self.history: list[dict[str, Any]] = []
        self._batches: Iterator[Example] | None = None
        self._log: TrainingLog

    def optimisation(self, budget: Budget) -> Optimisation:
        """Optimiser according to the recipe, for a budget."""
        config = self.config
        self._optimisation = Optimisation(
            self.trained_parameters(),
            learning_rate=config.learning_rate,
            budget=budget,
            weight_decay=config.weight_decay,
            warm_up=config.warm_up,
            clip=config.clip,
            ema_decay=config.ema_decay,
            agree=self.workplace.agree,
            factors={"svda.": config.q_rate, "path_embedding.": _PATH_RATE, "consistency.": _TRUST_RATE},
        )
        return self._optimisation

    def trained_parameters(self) -> dict[str, nn.Parameter]:
        """What the optimiser changes: the adapter, and the discriminator if there is one."""
        of_discriminator = {} if self.discriminator is None else self.discriminator.trained_parameters()
        part = _PARTS[self.config.only]
        return {n: each for n, each in self.restorer.parameters().items() if n.startswith(part)} | of_discriminator

    def draw(self, position: int) -> Draw:
        """The crops of a step, on its path."""
        path, workplace = self.stream.turn(position).path, self.workplace
        if self._batches is None:
            self._batches = self.stream.batches(position, process=workplace.process, processes=workplace.processes)
        batches = [next(self._batches) for _ in range(self.config.accumulate)]
        return Draw(
            path,
            [(*inputs_of(path, each, self.config.neutral), each.degradation_map, each.place) for each in batches],
        )

    def losses(self, kind: str, source: Tensor, target: Tensor, maps: Tensor, place: Tensor) -> dict[str, Tensor]:
        """Loss of a path and its terms. See :class:`Trainee`."""
        with self.workplace.autocast():
            predicted = self.model(source, maps, kind, place)
        if kind != "negative":
            predicted, target = self.restorer.context(predicted), self.restorer.context(target)
        losses = self.loss(predicted.float(), target, kind)
        if self.discriminator is None or kind != "positive":
            return losses
        adversarial, critic = self.discriminator.losses(predicted.float(), target)
        loss = losses["loss"] + self.config.adversarial_weight * adversarial + critic
        return {**losses, "loss": loss, "adversarial": adversarial, "critic": critic}

    def around(self, source: Tensor, target: Tensor, maps: Tensor, place: Tensor) -> AbstractContextManager[None]:
        """Keep Q applied in the backward pass, where gradient checkpointing runs blocks again. See :class:`Trainee`."""
        del target, place
        return self.restorer.conditioned(maps, source.shape[-2] / source.shape[-1])

    def reported(self, step: Step) -> dict[str, float]:
        """The loss of the step's path."""
        return {f"loss_{step.kind}": step.figures["loss"]}

    def begin(self) -> None:
        """Validate the initial adapter."""
        self.before = self.validation.path_losses()

    def take_up(self, extra: dict[str, Any]) -> None:
        """What was validated before the first step of all."""
        self.before = dict(extra["before"])

    def extra(self) -> dict[str, Any]:
        """What was validated before the first step of all."""
        return {"before": self.before}

    def open(self, first_step: int) -> None:
        """Open the log, cut back to the checkpoint."""
        self._log = TrainingLog(self.output, first_step=first_step, writes=self.workplace.is_first)
        self.history = self._log.rows

    def stepped(self, step: Step) -> None:
        """Log the step; at intervals validate the moving average, which is what would be exported now."""
        row = {"step": step.number, "path": step.kind, "pseudo": self.stream.turn(step.position).pseudo}
        row |= {**step.figures, "gradient_norm": step.gradient_norm, "learning_rate": step.learning_rate}
        self._log.step({**row, "seconds": round(step.seconds, 4)})
        if (step.number + 1) % self.config.validate_every == 0:
            with self._optimisation.averaged():
                losses = self.validation.path_losses()
                by_alpha, shown = self.validation.by_alpha()
            self._log.validation(step.number + 1, losses, by_alpha, shown)

    def flush(self) -> None:
        """Write the log to disk."""
        self._log.flush()

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def validate_at_the_end(self, step: int) -> dict[str, Any]:
        """Validate the final adapter: the parameters hold the moving average now."""
        with spoken_memory(self.memory):
            losses = self.validation.path_losses()
            by_alpha, shown = self.validation.by_alpha()
        if self.workplace.is_first:
            save_pictures(self.output, step, shown)
        return {"losses": losses, "by_alpha": by_alpha}


def _freeze(restorer: Restorer, part: str) -> None:
    """Compute no gradients of the parameters outside a part."""
    for name, parameter in restorer.parameters().items():
        parameter.requires_grad_(name.startswith(part))


def advice(config: TrainConfig) -> str:
    """Advice for a training that runs out of memory: its size, and what to lower."""
    steps = [
        f"lower --batch and raise --accumulate by as much (now {config.batch} × {config.accumulate})",
        f"lower --crop (now {config.crop})",
    ]
    if not config.gradient_checkpointing:
        steps.append("pass --gradient-checkpointing")
    if config.precision == "fp32":
        steps.append("pass --precision bf16")
    return f"{'; '.join(steps[:-1])}; or {steps[-1]}."
