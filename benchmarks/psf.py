"""Point spread functions against torchoptics: time and error on one job, in one run.

``python benchmarks/psf.py [--rounds 3] [--threads 2]``. The job: the preset ``hyperbolic`` (D = 0.5 mm, f = 1 mm), a
window of 128 × 128 samples of 0.5 µm about the chief ray, 450, 532 and 650 nm at 0, 10 and 20°. Errors are relative L2
distances over the window from the Rayleigh–Sommerfeld engine, in float64 and at twice the sampling. All contenders take
turns, and the shortest of their times counts. On a busy machine the ratios of processor time hold, times do not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
import torchoptics
from measuring import Cost, interleaved_costs, machine
from measuring.direct_integration import DirectIntegration

from metalens.formats.camera.camera import read_camera
from metalens.optics import Metalens, metalens_of
from metalens.psf import psf_simulator, simulate_psf

WINDOW = (128, 128)
PITCH = 0.5e-6
CASES = [(nanometres * 1e-9, degrees) for nanometres in (450, 532, 650) for degrees in (0, 10, 20)]
ENGINES = ["auto", "direction_cosine", "angular_spectrum", "rayleigh_sommerfeld"]
FIELDS = np.radians([0.0, 10.0, 20.0]).tolist()
BATCHES = {
    "9 wavelengths, 450–650 nm": np.linspace(450e-9, 650e-9, 9),
    "9 wavelengths, 520–544 nm": np.linspace(520e-9, 544e-9, 9),
}
BASELINE = "torchoptics, 0.5 µm, area-weighted edge"

Simulate = Callable[[float, float], np.ndarray]
"""Wavelength in metres and field angle in degrees to ``[y, x]`` energy per sample."""


def engine_of(lens: Metalens, engine: str) -> Simulate:
    """One call of :func:`metalens.psf.simulate_psf`, planning included."""

    def simulate(wavelength: float, degrees: float) -> np.ndarray:
        return simulate_psf(lens, wavelength, np.radians(degrees), window=WINDOW, pixel_pitch=PITCH, engine=engine)

    return simulate


def reference(lens: Metalens, wavelength: float, degrees: float) -> np.ndarray:
    """In float64, at twice the sampling."""
    simulator = psf_simulator(
        lens,
        [wavelength],
        [np.radians(degrees)],
        window=WINDOW,
        pixel_pitch=PITCH,
        engine="rayleigh_sommerfeld",
        refinement=2.0,
    )
    return simulator.of_field(lens, 0)[0].astype(float)


def relative_distance(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def compare(lens: Metalens, rounds: int) -> Cost:
    """Print the table of all contenders; returns the baseline's median cost of a function."""
    contenders: dict[str, Simulate] = {
        BASELINE: DirectIntegration(lens, WINDOW, PITCH, PITCH, weighted=True),
        "torchoptics, 0.25 µm, its own circle": DirectIntegration(lens, WINDOW, PITCH, PITCH / 2, weighted=False),
        **{f"metalens, {engine}": engine_of(lens, engine) for engine in ENGINES},
    }
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    errors = {name: np.zeros(len(CASES)) for name in contenders}
    for index, case in enumerate(CASES):
        exact = reference(lens, *case)
        for name, simulate in contenders.items():
            errors[name][index] = relative_distance(simulate(*case), exact)
        tasks = {name: partial(simulate, *case) for name, simulate in contenders.items()}
        for name, cost in interleaved_costs(tasks, rounds, warm=False).items():
            costs[name].append(cost)
    found = {name: np.array(each) for name, each in costs.items()}
    print(
        "\n| one call | ms (worst) | processor ms | error, median | worst | speed, median (least) | by processor time |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, cost in found.items():
        middle, (speed, by_processor) = np.median(cost, axis=0), (found[BASELINE] / cost).T
        print(
            f"| {name} | {1e3 * middle[0]:.1f} ({1e3 * cost[:, 0].max():.1f}) | {1e3 * middle[1]:.1f} | "
            f"{np.median(errors[name]):.1e} | {errors[name].max():.1e} | {np.median(speed):.1f} ({speed.min():.1f}) | "
            f"{np.median(by_processor):.1f} ({by_processor.min():.1f}) |",
            flush=True,
        )
    print_cases(lens, found, errors)
    return Cost(*np.median(found[BASELINE], axis=0).tolist())


def print_cases(lens: Metalens, costs: dict[str, np.ndarray], errors: dict[str, np.ndarray]) -> None:
    """Each wavelength and field: processor time and error of the baseline and of what ``auto`` takes."""
    print("\n| nm | field, ° | baseline, processor ms | error | `auto` takes | processor ms | error | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    ours = "metalens, auto"
    for index, (wavelength, degrees) in enumerate(CASES):
        plan = psf_simulator(lens, [wavelength], [np.radians(degrees)], window=WINDOW, pixel_pitch=PITCH).plan
        peer, mine = 1e3 * costs[BASELINE][index, 1], 1e3 * costs[ours][index, 1]
        print(
            f"| {1e9 * wavelength:.0f} | {degrees} | {peer:.0f} | {errors[BASELINE][index]:.1e} | {plan.engine} | "
            f"{mine:.1f} | {errors[ours][index]:.1e} | {peer / mine:.0f} |"
        )


def compare_batches(lens: Metalens, baseline: Cost, rounds: int) -> None:
    """Time per function of warm batches, and of planning, which a single call pays each time."""
    print("\n| batch of 3 fields | engine | planning, ms | ms per PSF | processor ms | speed | by processor |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    one = {f"{1e9 * value:.0f} nm": np.array([value]) for value in (450e-9, 532e-9, 650e-9)}
    for name, wavelengths in {**one, **BATCHES}.items():
        for engine in ("direction_cosine", "angular_spectrum"):
            print_batch(lens, name, wavelengths, engine, baseline, rounds)


def print_batch(
    lens: Metalens, name: str, wavelengths: Sequence[float] | np.ndarray, engine: str, baseline: Cost, rounds: int
) -> None:
    plan = partial(psf_simulator, lens, wavelengths, FIELDS, window=WINDOW, pixel_pitch=PITCH, engine=engine)
    simulator = plan()
    found = interleaved_costs({"plan": plan, "batch": partial(simulator, lens)}, rounds)
    each = Cost(*(seconds / len(wavelengths) / len(FIELDS) for seconds in found["batch"]))
    print(
        f"| {name} | {engine} | {1e3 * found['plan'].wall:.1f} | {1e3 * each.wall:.2f} | {1e3 * each.processor:.2f} | "
        f"{baseline.wall / each.wall:.0f} | {baseline.processor / each.processor:.0f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of which the shortest counts")
    parser.add_argument("--threads", type=int, default=2, help="of torch; JAX takes all cores")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(machine())
    print(f"torchoptics {torchoptics.__version__}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    lens = metalens_of(read_camera("hyperbolic"))
    baseline = compare(lens, options.rounds)
    compare_batches(lens, baseline, options.rounds)


if __name__ == "__main__":
    main()
