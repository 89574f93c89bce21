"""How time and memory of a point spread function grow with aperture, window and number of fields.

``python benchmarks/psf_scaling.py [--plot FILE] [--json FILE] [--apertures-mm 5 10 20 [--field-deg 5]]``. The lens is
hyperbolic for 532 nm at f/2, so that aperture and focal length grow together; light of 532 nm; samples of 0.5 µm. Every
measurement is a process of its own: its memory is that process' largest, with compilation and the interpreter itself,
which is measured first. Errors are relative L2 distances over the window from the Rayleigh–Sommerfeld engine in float64
at twice the sampling up to D = 1 mm, and the engine's own estimate beyond.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from measuring import interleaved_costs, machine, peak_megabytes

from metalens.formats.files.errors import InputError
from metalens.optics import Hyperbolic, Metalens
from metalens.psf import PsfSimulator, estimate_error, psf_simulator

WAVELENGTH = 532e-9
FOCAL_RATIO = 2.0
PITCH = 0.5e-6
ENGINES = ["direction_cosine", "angular_spectrum"]
REFERENCE_UP_TO_MM = 1.0
IDLE = "idle"


@dataclass(frozen=True)
class Job:
    """What is simulated: fields spread from the axis to 20°, or a single one at its angle."""

    aperture_mm: float = 0.5
    window: int = 128
    fields: int = 1
    degrees: float = 10.0

    def lens(self) -> Metalens:
        focal_length = FOCAL_RATIO * self.aperture_mm * 1e-3
        return Metalens(self.aperture_mm * 1e-3, focal_length, Hyperbolic(focal_length, WAVELENGTH))

    def simulator(self, engine: str, refinement: float = 1.0) -> PsfSimulator:
        angles = np.radians([self.degrees] if self.fields == 1 else np.linspace(0, 20, self.fields)).tolist()
        return psf_simulator(
            self.lens(),
            [WAVELENGTH],
            angles,
            window=(self.window, self.window),
            pixel_pitch=PITCH,
            engine=engine,
            refinement=refinement,
        )


@dataclass(frozen=True)
class Sweep:
    """One quantity that grows, and the jobs."""

    name: str
    label: str
    jobs: dict[float, Job] = field(default_factory=dict)


SWEEPS = [
    Sweep("aperture", "aperture, mm (f/2)", {value: Job(aperture_mm=value) for value in (0.2, 0.5, 1.0, 2.0, 4.0)}),
    Sweep("window", "window, samples a side", {value: Job(window=value) for value in (32, 64, 128, 256, 512)}),
    Sweep("fields", "fields in one batch", {value: Job(fields=value) for value in (1, 3, 10, 30)}),
]


def measure(engine: str, job: Job, rounds: int) -> dict[str, float | str | None]:
    """Time, memory and choices of one engine, in this process."""
    try:
        simulator, lens = job.simulator(engine), job.lens()
    except InputError as error:
        return {"refused": str(error)}
    started = time.perf_counter()
    np.asarray(simulator(lens))
    first = time.perf_counter() - started
    seconds = interleaved_costs({"psf": partial(simulator, lens)}, rounds)["psf"].wall
    plan = simulator.plan
    detail = plan.grid.size[0] if plan.grid else (plan.sampling.tiles, plan.sampling.pupil_samples)
    peak = peak_megabytes()  # before the reference, which takes more
    return {
        "ms": 1e3 * seconds / job.fields,
        "first_s": first,
        "sampling": str(detail),
        "host_mb": peak["host"],
        "device_mb": peak.get("device"),
    }


def error_of(engine: str, job: Job) -> float | None:
    """Largest error over the fields, or nothing where no finer computation is possible."""
    try:
        simulator = job.simulator(engine)
        if job.aperture_mm > REFERENCE_UP_TO_MM:
            return float(estimate_error(simulator, job.lens()).max())
        exact = np.asarray(job.simulator("rayleigh_sommerfeld", refinement=2.0)(job.lens()), dtype=float)
    except InputError:
        return None
    difference = np.linalg.norm(np.asarray(simulator(job.lens()), dtype=float) - exact, axis=(-2, -1))
    return float((difference / np.linalg.norm(exact, axis=(-2, -1))).max())


def in_a_process(task: str, engine: str, job: Job, rounds: int) -> dict:
    """Run this file for one measurement; its last line is the answer."""
    order = json.dumps({"task": task, "engine": engine, "job": asdict(job), "rounds": rounds})
    run = subprocess.run([sys.executable, __file__, "--one", order], capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def answer(order: dict) -> dict:
    job = Job(**order["job"])
    if order["task"] == "error":
        return {"error": error_of(order["engine"], job)}
    if order["engine"] == IDLE:
        return {"host_mb": peak_megabytes()["host"]}
    return measure(order["engine"], job, order["rounds"])


def run_sweep(sweep: Sweep, rounds: int) -> list[dict]:
    """One line of the table for each job, printed as it comes."""
    print(f"\n| {sweep.label} | engine | ms per PSF | with compilation, s | peak memory, MB | error | sampling |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    rows = []
    for value, job in sweep.jobs.items():
        taken = job.simulator("auto").plan.engine
        for engine in ENGINES:
            found = in_a_process("measure", engine, job, rounds)
            if "refused" not in found and job.fields == 1:
                found |= in_a_process("error", engine, job, rounds)
            row = {"sweep": sweep.name, "value": value, "engine": engine, "auto": taken == engine, **found}
            print(_line(row), flush=True)
            rows.append(row)
    return rows


def _line(row: dict) -> str:
    name = f"{row['engine']}, `auto`" if row["auto"] else row["engine"]
    if "refused" in row:
        return f"| {row['value']} | {name} | – | – | – | – | beyond its reach |"
    error = f"{row['error']:.1e}" if row.get("error") is not None else "–"
    memory = f"{row['host_mb']:.0f}" + (f" + {row['device_mb']:.0f} device" if row["device_mb"] else "")
    return (
        f"| {row['value']} | {name} | {row['ms']:.2f} | {row['first_s']:.2f} | {memory} | {error} | {row['sampling']} |"
    )


def plot(rows: list[dict], path: Path) -> None:
    """Time and memory over each quantity; what ``auto`` takes is filled."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(SWEEPS), figsize=(10, 5.4), sharex="col", sharey="row", layout="constrained")
    for column, sweep in enumerate(SWEEPS):
        for engine, colour in zip(ENGINES, ("tab:blue", "tab:orange"), strict=True):
            of_engine = [row for row in rows if row["sweep"] == sweep.name and row["engine"] == engine and "ms" in row]
            for axis, key in zip(axes[:, column], ("ms", "host_mb"), strict=True):
                axis.loglog(*_points(of_engine, key), color=colour, label=engine.replace("_", " "))
                axis.loglog(*_points(of_engine, key), "o", color=colour, markerfacecolor="white")
                chosen = [row for row in of_engine if row["auto"]]
                axis.loglog(*_points(chosen, key), "o", color=colour)
                axis.grid(alpha=0.3, which="both", linewidth=0.5)
        axes[1, column].set_xlabel(sweep.label)
        values = list(sweep.jobs)
        axes[1, column].set_xticks(values, [f"{value:g}" for value in values], minor=False)
        axes[1, column].xaxis.minorticks_off()
    axes[0, 0].set_ylabel("ms per PSF")
    axes[1, 0].set_yscale("linear")
    axes[1, 0].set_ylim(bottom=0)
    axes[1, 0].set_ylabel("peak memory, MB")
    axes[0, 0].legend(title="filled: what auto takes")
    figure.savefig(path, dpi=130)


def _points(rows: list[dict], key: str) -> tuple[list[float], list[float]]:
    return [row["value"] for row in rows], [row[key] for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of which the shortest counts")
    parser.add_argument("--apertures-mm", type=float, nargs="+", help="measure these apertures alone")
    parser.add_argument("--field-deg", type=float, default=10.0, help="angle of the light on these apertures")
    parser.add_argument("--plot", type=Path, help="draw the tables into this picture")
    parser.add_argument("--json", type=Path, help="write the tables into this file")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(answer(json.loads(options.one))))
        return
    print(machine())
    idle = in_a_process("measure", IDLE, Job(), 0)
    print(f"An interpreter that has imported all and computed nothing: {idle['host_mb']:.0f} MB.")
    sweeps = SWEEPS
    if options.apertures_mm:
        sweeps = [
            replace(SWEEPS[0], jobs={value: Job(value, degrees=options.field_deg) for value in options.apertures_mm})
        ]
    rows = [row for sweep in sweeps for row in run_sweep(sweep, options.rounds)]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
