"""Time and accuracy of the point-spread-function engines, and the time of a whole bank.

Run it as ``python benchmarks/psf.py [--bank metacamera]``. Accuracy is the relative L2 distance from the
Rayleigh–Sommerfeld engine in float64; times are the best of some runs, after compilation.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np

from metalens.formats.camera import read_camera
from metalens.optics import metalens_of
from metalens.psf import simulate_bank
from metalens.psf.simulate import simulate_psf

ENGINES = ["direction_cosine", "angular_spectrum", "rayleigh_sommerfeld"]


def seconds(task: Callable[[], object], runs: int) -> float:
    """Shortest of some runs; the first call compiles and is not counted."""
    task()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        task()
        times.append(time.perf_counter() - started)
    return min(times)


def compare_engines() -> None:
    lens = metalens_of(read_camera("hyperbolic"))
    print("D = 0.5 mm, f = 1 mm, hyperbolic for 532 nm, samples of 0.5 µm\n")
    print("| wavelength, nm | field, ° | window, µm | engine | ms per PSF | relative L2 | energy in the window |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for wavelength, degrees, side in [
        (532e-9, 0, 128),
        (532e-9, 20, 128),
        (465e-9, 10, 128),
        (650e-9, 20, 128),
        (532e-9, 0, 320),
        (532e-9, 20, 320),
    ]:
        found = {}
        for engine in reversed(ENGINES):

            def task(engine: str = engine) -> np.ndarray:
                return simulate_psf(
                    lens,
                    wavelength,  # noqa: B023 — called before the loop moves on
                    np.radians(degrees),  # noqa: B023
                    window=(side, side),  # noqa: B023
                    pixel_pitch=0.5e-6,
                    engine=engine,
                )

            found[engine] = task()
            elapsed = seconds(task, 1 if engine == "rayleigh_sommerfeld" else 5)
            exact = found["rayleigh_sommerfeld"]
            error = np.linalg.norm(found[engine] - exact) / np.linalg.norm(exact)
            print(
                f"| {1e9 * wavelength:.0f} | {degrees} | {side / 2:.0f} | {engine} | {1e3 * elapsed:.1f} "
                f"| {error:.1e} | {found[engine].sum():.4f} |",
                flush=True,
            )


def time_bank(name: str) -> None:
    camera = read_camera(name)
    started, busy = time.perf_counter(), time.process_time()
    bank = simulate_bank(camera)
    elapsed, used = time.perf_counter() - started, time.process_time() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shape = bank.intensity.shape
    print(
        f"\n{name}: {shape[0]} fields, {len(bank.wavelength)} wavelengths, {shape[-1]} × {shape[-1]} "
        f"pixels: {elapsed:.1f} s ({used:.1f} s of processor time) with compilation and measures, "
        f"{memory:.0f} MB at the peak, lowest captured share {bank.provenance['captured_share_lowest']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", nargs="*", default=["metacamera"], help="presets whose bank is timed")
    options = parser.parse_args()
    for name in options.bank:
        time_bank(name)
    compare_engines()


if __name__ == "__main__":
    main()
