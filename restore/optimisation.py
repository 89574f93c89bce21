"""One optimiser loop for every training: AdamW, warm-up and cosine decay, clipping, EMA, atomic checkpoints.

Randomness is drawn from (seed, step) everywhere, so a step's number is the whole state of the data and of the
random generators: a checkpoint of parameters, moments, averages and step resumes to the same curve.
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from metalens.formats.atomic import atomic_file
from metalens.formats.errors import InputError

SCHEMA = "metalens.checkpoint"
VERSION = 1


@dataclass(frozen=True)
class Budget:
    """How long to train: a number of steps, of minutes, or whichever of both comes first."""

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            raise InputError("training needs --steps or --minutes.")
        for name, value in (("steps", self.steps), ("minutes", self.minutes)):
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise InputError(f"--{name} must be above 0, found {value}.")

    def progress(self, step: int, seconds: float) -> float:
        """Share of the budget that is used, 0 to 1 and beyond."""
        shares = []
        if self.steps is not None:
            shares.append(step / self.steps)
        if self.minutes is not None:
            shares.append(seconds / (60 * self.minutes))
        return max(shares)


class Optimisation:
    """AdamW over named parameters with an exponential moving average of them.

    Args:
        parameters: name → parameter, in a fixed order.
        learning_rate: at its peak, reached after ``warm_up`` steps, then a cosine down to a twentieth.
        budget: what the cosine spans.
        weight_decay: of AdamW.
        warm_up: steps.
        clip: largest norm of the gradient.
        ema_decay: of the moving average; it ramps up as (1 + step) / (10 + step).
    """

    def __init__(
        self,
        parameters: dict[str, nn.Parameter],
        *,
        learning_rate: float,
        budget: Budget,
        weight_decay: float = 1e-2,
        warm_up: int = 50,
        clip: float = 1.0,
        ema_decay: float = 0.999,
    ) -> None:
        self.parameters = parameters
        self.learning_rate = learning_rate
        self.budget = budget
        self.warm_up = warm_up
        self.clip = clip
        self.ema_decay = ema_decay
        self.adam = torch.optim.AdamW(
            list(parameters.values()), lr=learning_rate, betas=(0.9, 0.999), weight_decay=weight_decay
        )
        self.average = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        self.step_number = 0
        self._seconds_before = 0.0
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Training time so far, over all resumed runs."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def progress(self) -> float:
        """Share of the budget that is used."""
        return self.budget.progress(self.step_number, self.seconds)

    def step(self, loss: Tensor) -> float:
        """Descend once on ``loss``.

        Returns:
            The gradient's norm before clipping.

        Raises:
            FloatingPointError: the loss or its gradient is not finite; nothing was changed.
        """
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(list(self.parameters.values()), self.clip))
        if not math.isfinite(norm) or not math.isfinite(float(loss.detach())):
            raise FloatingPointError(f"step {self.step_number}: the loss or its gradient is not finite")
        for group in self.adam.param_groups:
            group["lr"] = self.learning_rate * self._schedule()
        self.adam.step()
        self.step_number += 1
        decay = min(self.ema_decay, (1 + self.step_number) / (10 + self.step_number))
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                self.average[name].lerp_(parameter.detach(), 1 - decay)
        return norm

    def _schedule(self) -> float:
        warm = min(1.0, (self.step_number + 1) / self.warm_up)
        return warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, self.progress))))

    def use_average(self) -> None:
        """Put the moving average in the parameters' place, at the end of training."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(self.average[name])

    def save(self, path: Path, *, stage: str) -> None:
        """Write a checkpoint; it appears whole or not at all."""
        tensors: dict[str, Tensor] = {}
        for name, parameter in self.parameters.items():
            tensors[f"parameter.{name}"] = parameter.detach().contiguous()
            tensors[f"average.{name}"] = self.average[name].contiguous()
            moments = self.adam.state.get(parameter, {})
            if moments:
                tensors[f"first_moment.{name}"] = moments["exp_avg"].contiguous()
                tensors[f"second_moment.{name}"] = moments["exp_avg_sq"].contiguous()
        state = {
            "schema": SCHEMA,
            "version": VERSION,
            "stage": stage,
            "step": self.step_number,
            "seconds": self.seconds,
        }
        with atomic_file(path) as part:
            safetensors.torch.save_file(tensors, part, metadata={"state": json.dumps(state)})

    def load(self, path: Path, *, stage: str) -> None:
        """Take up a checkpoint.

        Raises:
            InputError: the file is damaged, of another stage, or of other parameters.
        """
        state, tensors = _read_checkpoint(path)
        if state.get("stage") != stage:
            raise InputError(f"{path}: is a checkpoint of {state.get('stage')!r}, expected {stage!r}.")
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                saved = tensors.get(f"parameter.{name}")
                if saved is None or saved.shape != parameter.shape:
                    raise InputError(
                        f"{path}: does not fit this model (parameter {name}); start anew in another folder."
                    )
                parameter.copy_(saved)
                self.average[name].copy_(tensors[f"average.{name}"])
                if f"first_moment.{name}" in tensors:
                    self.adam.state[parameter] = {
                        "step": torch.tensor(float(state["step"])),
                        "exp_avg": tensors[f"first_moment.{name}"].to(parameter).clone(),
                        "exp_avg_sq": tensors[f"second_moment.{name}"].to(parameter).clone(),
                    }
        self.step_number = int(state["step"])
        self._seconds_before = float(state["seconds"])
        self._started = time.monotonic()


def _read_checkpoint(path: Path) -> tuple[dict, dict[str, Tensor]]:
    if not os.path.isfile(path):  # noqa: PTH113 - a checkpoint is never a folder
        raise InputError(f"{path}: no such checkpoint.")
    try:
        with safetensors.safe_open(path, "pt") as file:
            state = json.loads((file.metadata() or {}).get("state", "{}"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable checkpoint ({error}); start anew without --resume.") from error
    if state.get("schema") != SCHEMA or state.get("version") != VERSION:
        raise InputError(
            f"{path}: found {state.get('schema')!r} version {state.get('version')!r}, expected {SCHEMA} {VERSION}."
        )
    return state, tensors
