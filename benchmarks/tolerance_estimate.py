"""What errors of fabrication and assembly take from the restored picture: the exploration's estimate and drawn lenses.

    python benchmarks/tolerance_estimate.py metacamera metacamera-200um my-lens.toml --draws 60

The estimate is ``lost by tolerances`` of ``metalens explore``, at the fields, wavelengths and noise of its
specification ``explore-1mm3``. The drawn lenses are those of ``metalens tolerance``: nine places of the sensor, one
wavelength a channel, restored decibels averaged over field and colour, as drawn less the 5 % quantile. Seconds are
those of the processor, compilation included.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable

from measuring import machine
from scipy.stats import spearmanr

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.design.spec import read_design
from metalens.formats.design.tolerance_spec import TYPICAL
from metalens.psf.design.problem import problem_of
from metalens.psf.design.tolerance_estimate import tolerance_loss_db
from metalens.psf.tolerance.monte_carlo import run_monte_carlo, tolerance_run_of
from metalens.psf.tolerance.summary import summarise

SHARES = (0.0, 0.3, 0.55, 0.75, 0.92)
"""Of the sensor's half diagonal."""


def estimated(camera: Camera) -> float:
    """Decibels that ``metalens explore`` would tell of a camera."""
    sensor = camera.sensor
    corner_um = 0.5 * math.hypot(*sensor.pixels) * sensor.pixel_pitch_um
    fields = [math.degrees(math.atan2(share * corner_um, camera.lens.focal_length_um)) for share in SHARES]
    plain = read_design("explore-1mm3")
    sampling = plain.sampling.model_copy(update={"fields_deg": tuple(fields)})
    asked = plain.model_copy(update={"explore": None, "camera": camera, "sampling": sampling})
    return tolerance_loss_db(problem_of(asked), camera)


def drawn(camera: Camera, draws: int) -> float:
    """Decibels that ``metalens tolerance`` tells: as drawn less the 5 % quantile, by its typical errors."""
    run = tolerance_run_of(camera, TYPICAL, explicit=False, draws=draws)
    with tempfile.TemporaryDirectory() as folder:
        told = summarise(run_monte_carlo(camera, run, folder))
    restored = told["figures"]["restored_db"]["mean_over_field_and_colour"]
    return float(restored["as_drawn"] - restored["quantile_5"])


def timed(task: Callable[[], float]) -> tuple[float, float]:
    """The answer, and seconds of the processor."""
    used = time.process_time()
    return task(), time.process_time() - used


def main() -> None:
    """Estimate and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lenses", nargs="+")
    parser.add_argument("--draws", type=int, default=60)
    asked = parser.parse_args()
    print(machine())
    print("| lens | estimated, dB | seconds | drawn, dB | seconds |\n| --- | --- | --- | --- | --- |")
    rows = []
    for lens in asked.lenses:
        camera = read_camera(lens)
        estimate, drawing = timed(lambda: estimated(camera)), timed(lambda: drawn(camera, asked.draws))  # noqa: B023
        rows.append((estimate[0], drawing[0]))
        print(f"| {lens} | {estimate[0]:.3f} | {estimate[1]:.0f} | {drawing[0]:.3f} | {drawing[1]:.0f} |", flush=True)
    if len(rows) > 2:
        print(f"rank correlation {spearmanr(*zip(*rows, strict=True)).statistic:.2f}")


if __name__ == "__main__":
    main()
