"""Cost of the search: a step with its gradient for each kind of architecture, and a candidate of an exploration.

    python benchmarks/exploring.py [--candidates 3]

A step is that of the specification ``explore-1mm3``: five fields, three wavelengths a channel, 65 pixels; compilation
is told apart. Candidates are those of ``metalens explore``.
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


def spec_of(lens: dict[str, Any], channels: str = "joint") -> DesignSpec:
    """The specification of one architecture."""
    plain = read_design("explore-1mm3").model_copy(update={"explore": None})
    objective = {"kind": "restoration", "channels": channels}
    return plain.with_(camera={"lens": {"focal_length_um": FOCUS} | lens}, objectives=(objective,))


def main() -> None:
    """Time steps and candidates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=3)
    asked = parser.parse_args()
    print(machine(), "\n")
    cases = {f"{name}, joint": spec_of(lens) for name, lens in ARCHITECTURES.items()}
    cases |= {"no stop, separate": spec_of(ARCHITECTURES["no stop"], "separate")}
    tasks, compiled = {}, {}
    for name, spec in cases.items():
        task = task_of(spec)
        numbers = task.starts[0].numbers
        began = time.perf_counter()
        gradient = Gradients(task).planned_for(numbers)
        start = jnp.asarray(numbers, jnp.float32)
        jax.block_until_ready(gradient(start))
        compiled[name] = time.perf_counter() - began
        tasks[name] = lambda gradient=gradient, start=start: gradient(start)
    costs = interleaved_costs(tasks, 3, warm=False)
    print("| architecture, channels | first step, s | a step, s | of the processor, s |\n| --- | --- | --- | --- |")
    for name, cost in costs.items():
        print(f"| {name} | {compiled[name]:.1f} | {cost.wall:.3f} | {cost.processor:.3f} |")
    if asked.candidates:
        spec = read_design("explore-1mm3").with_(explore={"candidates": asked.candidates})
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            found = explore_architectures(spec, Path(folder) / "run")
        print(f"\n{asked.candidates} candidates: {time.perf_counter() - began:.0f} s")
        for each in found.candidates:
            print(f"{each.number}: {each.architecture.choice}, {each.seconds:.0f} s")


if __name__ == "__main__":
    main()
