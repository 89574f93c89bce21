"""The optimiser of all trainings: AdamW, warm-up and cosine decay, clipping, moving average, checkpoints.

Random numbers depend on (seed, step) only, so the step number is the complete state of the data. The random state of
torch is stored as well, for networks that use it. A resumed training continues on the same curve.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import model_validator
from pydantic.dataclasses import dataclass as settings
from torch import Tensor, nn

from metalens.formats.files.record import STRICT, Count, Positive, told_as_input_error
from metalens.restore.training.checkpoint import read_checkpoint, write_checkpoint


@told_as_input_error("training")
@settings(frozen=True, config=STRICT)
class Budget:
    """Length of a training: steps, minutes, or whichever limit is reached first."""

    steps: Count | None = None
    minutes: Positive | None = None

    @model_validator(mode="after")
    def _ends(self) -> Budget:
        if self.steps is None and self.minutes is None:
            raise ValueError("needs --steps or --minutes")
        return self

    def progress(self, step: int, seconds: float) -> float:
        """Fraction of the budget that is used; above 1 when exceeded.

        Args:
            step: steps done.
            seconds: training time so far.

        Returns:
            The larger of both fractions.
        """
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
        learning_rate: peak learning rate, reached after ``warm_up`` steps; then cosine decay to a twentieth of it.
        budget: length of the cosine.
        weight_decay: weight decay of AdamW.
        warm_up: steps of the warm-up.
        clip: largest norm of the gradient.
        ema_decay: decay of the moving average; it ramps up as (1 + step) / (10 + step), so that early steps are
            forgotten.
        agree: makes the elapsed time the same in all processes of a distributed training.
        factors: prefix of parameter names → factor on their learning rate; 1 for others.
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
        agree: Callable[[float], float] = lambda seconds: seconds,
        factors: Mapping[str, float] | None = None,
    ) -> None:
        self.parameters = parameters
        self.learning_rate = learning_rate
        self.budget = budget
        self.warm_up = warm_up
        self.clip = clip
        self.ema_decay = ema_decay
        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in parameters.items():
            factor = next((each for start, each in (factors or {}).items() if name.startswith(start)), 1.0)
            groups.setdefault(factor, []).append(parameter)
        self.adam = torch.optim.AdamW(
            [{"params": each, "factor": factor} for factor, each in groups.items()],
            lr=learning_rate,
            betas=(0.9, 0.999),
            weight_decay=weight_decay,
        )
        self.average = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        self.step_number = 0
        self._agree = agree
        self._seconds_before = 0.0
        self._started: float | None = time.monotonic()

    @property
    def seconds(self) -> float:
        """Training time so far, over all resumed runs."""
        return self._seconds_before + (0.0 if self._started is None else time.monotonic() - self._started)

    def start_clock(self) -> None:
        """Start the clock, if it is not running."""
        if self._started is None:
            self._started = time.monotonic()

    def stop_clock(self) -> None:
        """Stop the clock at the end of training."""
        self._seconds_before, self._started = self.seconds, None

    @property
    def progress(self) -> float:
        """Share of the budget that is used."""
        timed = self.budget.minutes is not None
        return self.budget.progress(self.step_number, self._agree(self.seconds) if timed else 0.0)

    def clear(self) -> None:
        """Clear the gradients."""
        self.adam.zero_grad(set_to_none=True)

    def descend(self, *, finite: bool = True) -> float:
        """One optimiser step on the accumulated gradients.

        Args:
            finite: whether all losses were finite.

        Returns:
            The gradient's norm before clipping.

        Raises:
            FloatingPointError: a loss or the gradient is not finite; nothing was changed.
        """
        norm = float(nn.utils.clip_grad_norm_(list(self.parameters.values()), self.clip))
        if not math.isfinite(norm) or not finite:
            raise FloatingPointError(f"step {self.step_number}: the loss or its gradient is not finite")
        for group in self.adam.param_groups:
            group["lr"] = self.rate * group["factor"]
        self.adam.step()
        self.step_number += 1
        decay = min(self.ema_decay, (1 + self.step_number) / (10 + self.step_number))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), 1 - decay)
        return norm

    @property
    def rate(self) -> float:
        """Learning rate of the next step."""
        warm = min(1.0, (self.step_number + 1) / max(1, self.warm_up))
        decay = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, self.progress)))
        return self.learning_rate * warm * decay

    def use_average(self) -> None:
        """Replace the parameters by their moving average, at the end of training."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(self.average[name])

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside the block, the parameters hold their moving average, as it would be exported now."""
        kept = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        self.use_average()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, parameter in self.parameters.items():
                    parameter.copy_(kept[name])

    def save(self, path: Path, *, stage: str, extra: Mapping[str, Any] | None = None) -> None:
        """Write a checkpoint; it appears whole or not at all.

        Args:
            path: of the file.
            stage: what is trained.
            extra: further state, as JSON values.
        """
        moments = {
            f"{place}_moment.{name}": self.adam.state[parameter][key]
            for name, parameter in self.parameters.items()
            if self.adam.state.get(parameter)
            for place, key in (("first", "exp_avg"), ("second", "exp_avg_sq"))
        }
        state = {"stage": stage, "step": self.step_number, "seconds": self.seconds, "extra": dict(extra or {})}
        write_checkpoint(path, self._tensors() | moments | _random_state(), state)

    def load(self, path: Path, *, stage: str) -> dict[str, Any]:
        """Load a checkpoint.

        The clock stands still until :meth:`start_clock`.

        Args:
            path: the file.
            stage: stage that the checkpoint must belong to.

        Returns:
            What was saved as ``extra``.

        Raises:
            InputError: the file is damaged, of another stage, or of other parameters.
        """
        moments = {
            f"{place}_moment.{name}": parameter
            for name, parameter in self.parameters.items()
            for place in ("first", "second")
        }
        found = read_checkpoint(
            path, stage=stage, expected=self._tensors(), optional=moments | _random_state() | _ACCELERATOR_STATE
        )
        state = found.state
        with torch.no_grad():
            for name, tensor in self._tensors().items():
                tensor.copy_(found.tensors[name])
        for name, parameter in self.parameters.items():
            if f"first_moment.{name}" in found.tensors and f"second_moment.{name}" in found.tensors:
                self.adam.state[parameter] = {
                    "step": torch.tensor(float(state.step)),
                    "exp_avg": found.tensors[f"first_moment.{name}"].to(parameter).clone(),
                    "exp_avg_sq": found.tensors[f"second_moment.{name}"].to(parameter).clone(),
                }
        _restore_random_state(found.tensors)
        self.step_number = state.step
        self._seconds_before, self._started = state.seconds, None
        return state.extra

    def _tensors(self) -> dict[str, Tensor]:
        parameters = {f"parameter.{name}": parameter.detach() for name, parameter in self.parameters.items()}
        return parameters | {f"average.{name}": average for name, average in self.average.items()}


_ACCELERATOR_STATE = {"random.cuda": torch.empty(16, dtype=torch.uint8)}
"""May be in a checkpoint, of another machine too."""


def _random_state() -> dict[str, Tensor]:
    """State of torch's random generators: of the CPU, and of the accelerator if one is in use."""
    state = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        state["random.cuda"] = torch.cuda.get_rng_state()
    return state


def _restore_random_state(tensors: Mapping[str, Tensor]) -> None:
    if "random.cpu" in tensors:
        torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_initialized():
        torch.cuda.set_rng_state(tensors["random.cuda"])
