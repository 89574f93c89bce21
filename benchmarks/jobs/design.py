"""Seconds of a step of inverse design, beside the simulation of its functions."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from measuring.job import Beside, Job, Task

from metalens.formats.design.spec import read_design
from metalens.psf.design.run import task_of
from metalens.psf.design.search import Gradients

NAMES = ("held", "metacamera")


def step(name: str) -> Task:
    """Loss and gradient of the first start's lens."""
    task = task_of(read_design(name))
    numbers = task.starts[0].numbers
    gradient = Gradients(task).planned_for(numbers)
    return partial(gradient, jnp.asarray(numbers, dtype=jnp.float32))


def functions(name: str) -> Task:
    task = task_of(read_design(name))
    lens = task.lens(jnp.asarray(task.starts[0].numbers, dtype=jnp.float32))
    simulator = task.problem.simulator(lens)
    return partial(jax.jit(lambda lens: simulator(lens)), lens)


JOBS = {
    f"design step, {name}": Job(partial(step, name), Beside("its functions", partial(functions, name)))
    for name in NAMES
}
