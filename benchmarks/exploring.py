"""Cost of the search: a step with its gradient for each kind of architecture, and a candidate of an exploration.

    python benchmarks/exploring.py [--candidates 3] [--only multi-order]

A step of an architecture is that of the specification ``explore-1mm3``: five fields, two wavelengths a channel, 65
pixels. Below stand the steps of shipped specifications, and how many they have at most; compilation is told apart.
Candidates are those of ``metalens explore``. ``--only`` keeps the cases whose names contain it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from measuring import interleaved_costs, machine

from metalens.formats.design.spec import DesignSpec, read_design
from metalens.psf.design.exploration import explore_architectures
from metalens.psf.design.run import task_of
from metalens.psf.design.search import Gradients

PUPIL, FOCUS = 110.0, 900.0
STOP = {"diameter_um": PUPIL, "distance_um": 100.0}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "no stop": {"aperture_um": PUPIL},
    "stop in air, 100 µm": {"aperture_um": 260.0, "stop": STOP},
    "stop on glass, 200 µm": {
        "aperture_um": 300.0,
        "stop": STOP | {"distance_um": 0.0},
        "substrate": {"thickness_um": 200.0, "index": 1.4607},
    },
    "multi-order, stop in air": {
        "aperture_um": 260.0,
        "stop": STOP,
        "response": {"kind": "kinoform", "wavelength_nm": 3700.0, "orders": (6, 7, 8)},
    },
}

SHIPPED = ("held", "metacamera", "multi-order")
SEVEN_ORDERS = {"lens": {"response": {"orders": (4, 5, 6, 7, 8, 9, 10)}}}


def spec_of(lens: dict[str, Any], channels: str = "joint") -> DesignSpec:
    """The specification of one architecture."""
    plain = read_design("explore-1mm3").model_copy(update={"explore": None})
    objective = {"kind": "restoration", "channels": channels}
    return plain.with_(camera={"lens": {"focal_length_um": FOCUS} | lens}, objectives=(objective,))


def main() -> None:
    """Time steps and candidates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=3)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    print(machine(), "\n")
    cases = {f"{name}, joint": spec_of(lens) for name, lens in ARCHITECTURES.items()}
    cases |= {"no stop, separate": spec_of(ARCHITECTURES["no stop"], "separate")}
    cases |= {f"specification {name}": read_design(name) for name in SHIPPED}
    cases["specification multi-order, seven orders"] = read_design("multi-order").with_(camera=SEVEN_ORDERS)
    cases = {name: spec for name, spec in cases.items() if asked.only in name}
    tasks, compiled, steps = {}, {}, {}
    for name, spec in cases.items():
        task = task_of(spec)
        steps[name] = task.largest_steps
        numbers = task.starts[0].numbers
        began = time.process_time()
        gradient = Gradients(task).planned_for(numbers)
        start = jnp.asarray(numbers, jnp.float32)
        jax.block_until_ready(gradient(start))
        compiled[name] = time.process_time() - began
        tasks[name] = lambda gradient=gradient, start=start: gradient(start)
    costs = interleaved_costs(tasks, 3, warm=False)
    print("Seconds of the processor; those of a step by the clock in brackets.\n")
    print("| architecture, channels | first step | a step | steps, at most |\n| --- | --- | --- | --- |")
    for name, cost in costs.items():
        print(f"| {name} | {compiled[name]:.1f} | {cost.processor:.3f} ({cost.wall:.3f}) | {steps[name]} |")
    if asked.candidates:
        spec = read_design("explore-1mm3").with_(explore={"candidates": asked.candidates})
        with tempfile.TemporaryDirectory() as folder:
            began, used = time.perf_counter(), time.process_time()
            found = explore_architectures(spec, Path(folder) / "run")
        print(
            f"\n{asked.candidates} candidates: {time.perf_counter() - began:.0f} s, "
            f"{time.process_time() - used:.0f} s of the processor"
        )
        for each in found.candidates:
            print(f"{each.number}: {each.architecture.choice}, {each.seconds:.0f} s")


if __name__ == "__main__":
    main()
