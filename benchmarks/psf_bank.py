"""Time and memory of a whole bank of point spread functions, with its figures of merit, from a cold start.

``python benchmarks/psf_bank.py [--camera metacamera] [--radii 10] [--wavelengths 31] [--runs 1]``. Each run is a
process of its own: seconds from the call to the finished bank, compilation and figures included, imports not; memory
is that process' largest.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import numpy as np
from measuring import machine, peak_megabytes

from metalens.formats.camera.camera import read_camera
from metalens.psf import simulate_bank


def measure(camera: str, radii: int, wavelengths: int) -> dict:
    """One bank, in this process; wavelengths evenly from 450 to 650 nm."""
    started, used = time.perf_counter(), time.process_time()
    bank = simulate_bank(
        read_camera(camera), radii=radii, wavelengths=np.linspace(450e-9, 650e-9, wavelengths).tolist()
    )
    return {
        "seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time() - used,
        "memory_mb": peak_megabytes(),
        "intensity": bank.intensity.shape,
        "subpixel_intensity": bank.subpixel_intensity.shape,
        **{key: value for key, value in bank.provenance.items() if key not in ("metalens", "jax")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--camera", default="metacamera", help="preset or file")
    parser.add_argument("--radii", type=int, default=10)
    parser.add_argument("--wavelengths", type=int, default=31)
    parser.add_argument("--runs", type=int, default=1, help="processes of which the quickest counts")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.camera, options.radii, options.wavelengths)))
        return
    print(machine())
    command = [sys.executable, __file__, *sys.argv[1:], "--one"]
    runs = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        for _ in range(options.runs)
    ]
    best = min(runs, key=lambda run: run["seconds"])
    print(f"\n| {options.camera} | {options.radii} radii × {options.wavelengths} wavelengths |\n| --- | --- |")
    for name, value in best.items():
        print(f"| {name} | {value:.2f} |" if isinstance(value, float) else f"| {name} | {value} |")


if __name__ == "__main__":
    main()
