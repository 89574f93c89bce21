"""The search: a few steps from every start, then Adam from the best one until convergence.

Every step stays among the lenses that can be simulated on the whole sensor, so that the best one can, too.

A step depends only on the state before it, and no random numbers are drawn after the start. A resumed search therefore
gives the same result as an uninterrupted one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from metalens.formats.files.errors import InputError
from metalens.formats.files.interruption import between_steps, stop_if_interrupted
from metalens.optics.metalens import Metalens
from metalens.psf.design.checkpoint import SearchState
from metalens.psf.design.loss import loss_of
from metalens.psf.design.problem import Problem
from metalens.psf.design.starts import StartingLens
from metalens.psf.design.variables import LensVariables
from metalens.psf.design.whole_sensor import fault_on_sensor
from metalens.psf.engines.field_batch import options_for
from metalens.psf.tolerance.draws import Draw

PLAN_EVERY = 25
"""Steps between choices of the simulation's sampling, as the phase may become steeper."""

LARGEST_HALVINGS = 8
"""Halvings of a step to a lens that cannot be simulated; then the search stays where it is."""

Gradient = Callable[[jax.Array], tuple[tuple[jax.Array, jax.Array], jax.Array]]
"""Numbers to (loss, objectives' logarithms) and the loss' gradient."""


@dataclass(frozen=True)
class Task:
    """Everything that a search needs.

    Attributes:
        problem: fields, colours and objectives.
        variables: the free parameters.
        starts: lenses to begin with; all can be simulated on the whole sensor.
        left_out: names of those that cannot.
        draws: errors, with a first axis ``[draw]``; None for the lens as it is drawn.
    """

    problem: Problem
    variables: LensVariables
    starts: list[StartingLens]
    draws: Draw | None = None
    left_out: tuple[str, ...] = ()

    def lens(self, numbers: jax.Array) -> Metalens:
        """The lens of numbers."""
        return self.variables.lens(self.problem.view.lens, numbers)

    def fault(self, numbers: np.ndarray) -> str | None:
        """Why the lens of numbers ``[count]`` cannot be simulated on the whole sensor; None if it can."""
        return fault_on_sensor(self.problem, self.lens(jnp.asarray(numbers, dtype=jnp.float32)))

    @property
    def image_order(self) -> int:
        """Highest order that forms the image; it multiplies a change of the phase, so that steps are divided by it."""
        orders = self.problem.view.lens.image_order(jnp.asarray(self.problem.wavelength))
        return int(jnp.abs(orders).max())

    @property
    def largest_steps(self) -> int:
        """Steps of all trials and of the search, if it is not stopped early."""
        return len(self.starts) * (self.problem.spec.start.steps + 1) + self.problem.spec.search.steps


class Gradients:
    """Compiled gradients of a task, one per sampling; lenses with the same sampling share it."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._compiled: dict[Any, Gradient] = {}

    def planned_for(self, numbers: np.ndarray) -> Gradient:
        """The gradient with the sampling that the lens of some numbers needs."""
        task = self._task
        simulator = task.problem.simulator(task.lens(jnp.asarray(numbers, dtype=jnp.float32)))
        # Behind a stop the chief rays' directions depend on the lens.
        key = (simulator.plan, simulator.direction.tobytes())
        if key not in self._compiled:

            def loss(numbers: jax.Array) -> tuple[jax.Array, jax.Array]:
                return loss_of(task.problem, simulator, task.lens(numbers), task.draws)

            gradient = jax.value_and_grad(loss, has_aux=True)
            self._compiled[key] = jax.jit(gradient, compiler_options=options_for(simulator.plan))
        return self._compiled[key]


def first_state(task: Task) -> SearchState:
    """Before the first step of the first trial."""
    count = task.variables.count
    state = SearchState(
        trial=0,
        step=0,
        numbers=np.zeros(count),
        moments=np.zeros((2, count)),
        planned=np.zeros(count),
        best=np.zeros(count),
        best_loss=math.inf,
        best_step=0,
        trial_best=np.zeros((0, count)),
        trial_loss=np.zeros(0),
        history=np.zeros((0, 2 + len(task.problem.spec.objectives))),
    )
    return _begun(state, task.starts[0].numbers)


def run_search(
    task: Task,
    state: SearchState,
    *,
    minutes: float | None = None,
    save: Callable[[SearchState], None] | None = None,
    save_every: float = 20.0,
    progress: Callable[[int, int, float], None] | None = None,
) -> SearchState:
    """Go on with a search until it is finished or the time is up.

    Args:
        task: what it works on.
        state: where it stands; :func:`first_state` at the beginning.
        minutes: how long at most; None for as long as it takes.
        save: is given the state now and then, when the search is interrupted, and at the end.
        save_every: seconds between.
        progress: called with the steps done, their largest number and the best loss.

    Returns:
        The last state; ``finished`` says whether there is more to do.

    Raises:
        InputError: the loss is not finite.
    """
    gradients = Gradients(task)
    started = saved = time.monotonic()
    try:
        with between_steps():
            while not state.finished:
                stop_if_interrupted()
                state = _step(task, gradients, state)
                now = time.monotonic()
                if progress is not None:
                    progress(len(state.history), task.largest_steps, best_of(state)[1])
                if save is not None and now - saved >= save_every:
                    save(state)
                    saved = now
                if minutes is not None and now - started >= 60 * minutes:
                    break
    except KeyboardInterrupt:
        if save is not None:
            save(state)
        raise
    if save is not None:
        save(state)
    return state


def best_of(state: SearchState) -> tuple[np.ndarray, float]:
    """The best numbers of all trials and the search so far, and their loss."""
    losses = np.append(state.trial_loss, state.best_loss)
    numbers = np.concatenate([state.trial_best, state.best[None]])
    index = int(losses.argmin())
    return numbers[index], float(losses[index])


def _begun(state: SearchState, numbers: np.ndarray) -> SearchState:
    """At the first step from some numbers."""
    # Stored in single precision, as they are computed.
    start = np.asarray(np.asarray(numbers, dtype=np.float32), dtype=float)
    return replace(
        state,
        step=0,
        numbers=start,
        moments=np.zeros_like(state.moments),
        planned=start,
        best=start,
        best_loss=math.inf,
        best_step=0,
    )


def _step(task: Task, gradients: Gradients, state: SearchState) -> SearchState:
    spec, searching = task.problem.spec, state.trial == len(task.starts)
    if searching and state.step % PLAN_EVERY == 0:
        state = replace(state, planned=state.numbers)
    (loss, logarithms), gradient = gradients.planned_for(state.planned)(jnp.asarray(state.numbers, jnp.float32))
    value = float(loss)
    if not math.isfinite(value) or not bool(jnp.isfinite(gradient).all()):
        raise InputError(
            f"design {spec.name}: the loss or its gradient is not finite at step {state.step}; use a smaller "
            "search.learning_rate or other objectives."
        )
    if value < state.best_loss:
        # A smaller improvement than ``progress`` is kept, but does not extend the search.
        gained = value < state.best_loss - spec.search.progress
        state = replace(
            state,
            best=state.numbers,
            best_loss=value,
            best_step=state.step if gained else state.best_step,
        )
    row = np.concatenate([[state.trial, value], np.asarray(logarithms, dtype=float)])
    state = replace(state, history=np.concatenate([state.history, row[None]]))
    table = spec.search if searching else spec.start
    steps = table.steps
    moved = _within(task, state, _moved(state, gradient, table.learning_rate / task.image_order, steps))
    if searching:
        over = moved.step >= steps or moved.step - moved.best_step > spec.search.patience
        return replace(moved, finished=over)
    # The last evaluation of a trial does not move the numbers.
    return moved if moved.step <= steps else _next_trial(task, moved)


def _moved(state: SearchState, gradient: jax.Array, rate: float, steps: int) -> SearchState:
    """One step of Adam (Kingma and Ba, arXiv 1412.6980), its rate falling to 0 as a cosine."""
    mean, square = (jnp.asarray(each, jnp.float32) for each in state.moments)
    adam = optax.ScaleByAdamState(count=jnp.asarray(state.step, jnp.int32), mu=mean, nu=square)
    direction, adam = optax.scale_by_adam().update(gradient, adam)
    schedule = optax.cosine_decay_schedule(rate, max(steps, 1))
    numbers = jnp.asarray(state.numbers, jnp.float32) - schedule(state.step) * direction
    return replace(
        state,
        step=state.step + 1,
        numbers=np.asarray(numbers, dtype=float),
        moments=np.stack([np.asarray(adam.mu, dtype=float), np.asarray(adam.nu, dtype=float)]),
    )


def _within(task: Task, state: SearchState, moved: SearchState) -> SearchState:
    """A step that ends at a lens that can be simulated: halved until it does, and without momentum from then on."""
    if task.fault(moved.numbers) is None:
        return moved
    rest = replace(moved, numbers=state.numbers, moments=np.zeros_like(state.moments))
    for halvings in range(1, LARGEST_HALVINGS + 1):
        numbers = state.numbers + (moved.numbers - state.numbers) / 2**halvings
        if task.fault(numbers) is None:
            return replace(rest, numbers=np.asarray(numbers.astype(np.float32), dtype=float))
    return rest


def _next_trial(task: Task, state: SearchState) -> SearchState:
    """The next start, or the search itself from the best one."""
    state = replace(
        state,
        trial=state.trial + 1,
        trial_best=np.concatenate([state.trial_best, state.best[None]]),
        trial_loss=np.append(state.trial_loss, state.best_loss),
    )
    if state.trial < len(task.starts):
        return _begun(state, task.starts[state.trial].numbers)
    return _begun(state, state.trial_best[int(state.trial_loss.argmin())])
