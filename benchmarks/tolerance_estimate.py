"""What errors of fabrication and assembly take from the restored picture: the exploration's estimate and drawn lenses.

    python benchmarks/tolerance_estimate.py metacamera metacamera-200um my-lens.toml

The estimate is ``lost by tolerances`` of ``metalens explore``, at the fields, wavelengths and noise of its
specification ``explore-1mm3``. The drawn lenses have random errors all at once, are seen at the same fields on four
sides of the sensor, and lose what the worst twentieth of them loses at least of the same restored decibels, those of
the mean error over the sensor. Seconds are those of the processor, compilation included.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from measuring import machine
from scipy.stats import spearmanr

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.design.spec import read_design
from metalens.formats.design.tolerance_spec import TYPICAL
from metalens.psf.camera_fields import view_of
from metalens.psf.design.problem import Problem, problem_of
from metalens.psf.design.tolerance_estimate import restored_of, tolerance_loss_db
from metalens.psf.tolerance.draws import Draw, draw_samples, stacked

SHARES = (0.0, 0.3, 0.55, 0.75, 0.92)
"""Of the sensor's half diagonal."""


def seen(camera: Camera, sides_deg: tuple[float, ...]) -> Problem:
    """A camera at the fields of the exploration, on some sides of the sensor."""
    sensor = camera.sensor
    corner_um = 0.5 * math.hypot(*sensor.pixels) * sensor.pixel_pitch_um
    fields = [math.degrees(math.atan2(share * corner_um, camera.lens.focal_length_um)) for share in SHARES]
    plain = read_design("explore-1mm3")
    sampling = plain.sampling.model_copy(update={"fields_deg": tuple(fields), "azimuths_deg": sides_deg})
    problem = problem_of(plain.model_copy(update={"explore": None, "camera": camera, "sampling": sampling}))
    wavelength = float(problem.channel_weight[1] @ problem.wavelength)
    # A problem's own lens is a plain one, whose phase a search replaces.
    return replace(problem, view=view_of(camera, problem.view.position, wavelength))


def estimated(camera: Camera) -> float:
    """Decibels that ``metalens explore`` would tell of a camera."""
    return tolerance_loss_db(seen(camera, (0.0,)), camera)


def drawn(camera: Camera, draws: int) -> float:
    """Restored decibels of the lens without errors less the 5 % quantile of those of drawn ones."""
    problem = seen(camera, (0.0, 90.0, 180.0, 270.0))
    restored = restored_of(problem, draw_samples(TYPICAL.errors, camera, problem.view.lens, 0, draws))
    return float(restored_of(problem, stacked([Draw()]))[0] - np.quantile(restored, 0.05))


def timed(task: Callable[[], float]) -> tuple[float, float]:
    """The answer, and seconds of the processor."""
    used = time.process_time()
    return task(), time.process_time() - used


def main() -> None:
    """Estimate and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lenses", nargs="+")
    parser.add_argument("--draws", type=int, default=200)
    asked = parser.parse_args()
    print(machine())
    print("| lens | estimated, dB | seconds | drawn, dB | seconds |\n| --- | --- | --- | --- | --- |")
    rows = []
    for lens in asked.lenses:
        camera = read_camera(lens)
        estimate = timed(partial(estimated, camera))
        drawing = timed(partial(drawn, camera, asked.draws))
        rows.append((estimate[0], drawing[0]))
        print(f"| {lens} | {estimate[0]:.3f} | {estimate[1]:.0f} | {drawing[0]:.3f} | {drawing[1]:.0f} |", flush=True)
    if len(rows) > 2:
        print(f"rank correlation {spearmanr(*zip(*rows, strict=True)).statistic:.2f}")


if __name__ == "__main__":
    main()
