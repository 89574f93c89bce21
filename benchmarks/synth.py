"""Pairs per second, and where the time of one pair goes.

Run as ``python benchmarks/synth.py [psf.h5]``; without a bank, made-up functions of 101² samples on 7² nodes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from blur import smooth_bank

from metalens.formats.pictures import read_picture
from metalens.formats.psf_bank import PsfBank, read_psf_bank
from metalens.formats.scene import random_crop, scene_from_picture
from metalens.formats.sensor_preset import read_sensor_preset
from metalens.synth.blur import blur
from metalens.synth.embedded_photographs import embedded_photographs
from metalens.synth.generate import generate_pairs, simulated_camera
from metalens.synth.sensor import develop, expose

REPEATS = 7
FURTHER_TERMS = {"column_noise_e": 0.3, "rolling_gain_percent": 0.5}
"""Beside those of the preset."""


def milliseconds(run: Callable[[], object]) -> tuple[float, float]:
    """Median elapsed and processor time; on a busy machine only the second says what the work costs."""
    run()
    times = []
    for _ in range(REPEATS):
        start, used = time.perf_counter(), time.process_time()
        run()
        times.append((time.perf_counter() - start, time.process_time() - used))
    elapsed, processor = 1e3 * np.median(times, axis=0)
    return float(elapsed), float(processor)


def stage_table(bank: PsfBank) -> None:
    camera = simulated_camera(bank)
    sensor = bank.camera.sensor
    path = embedded_photographs()[0].path
    picture = read_picture(path)
    generator = np.random.default_rng(0)
    crop = random_crop(picture.shape[:2], sensor.pixels, generator)
    scene = scene_from_picture(picture, sensor.pixels, crop)
    light = np.asarray(blur(camera.operator, jnp.asarray(scene)))
    raw = expose(sensor, light, camera.exposure, generator)
    every_term = sensor.model_copy(update=read_sensor_preset("ov6946") | FURTHER_TERMS | {"pixels": sensor.pixels})
    stages: dict[str, Callable[[], object]] = {
        "read the photograph": lambda: read_picture(path),
        "cut and resize": lambda: scene_from_picture(picture, sensor.pixels, crop),
        "blur": lambda: np.asarray(blur(camera.operator, jnp.asarray(scene))),
        "expose": lambda: expose(sensor, light, camera.exposure, generator),
        "expose, every term": lambda: expose(every_term, light, camera.exposure, generator),
        "develop": lambda: develop(sensor, raw, camera.exposure),
    }
    print(f"{'milliseconds':>22} {'elapsed':>8} {'processor':>10}")
    for name, run in stages.items():
        elapsed, processor = milliseconds(run)
        print(f"{name:>22} {elapsed:8.1f} {processor:10.1f}")


def throughput(bank: PsfBank, count: int = 40) -> None:
    moments = [time.perf_counter()]
    used = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        generate_pairs(
            embedded_photographs(),
            bank,
            Path(folder) / "pairs",
            count=count,
            progress=lambda *_: moments.append(time.perf_counter()),
        )
        end, used = time.perf_counter(), time.process_time() - used
        size = sum(path.stat().st_size for path in (Path(folder) / "pairs").iterdir())
    rows, columns = bank.camera.sensor.pixels
    print(f"\n{count} pairs of {rows} × {columns}: {end - moments[1]:.1f} s after the first, with the shard,")
    print(f"{(count - 1) / (end - moments[1]):.2f} pairs per second,")
    print(f"{used / count:.3f} processor seconds and {size / count / 1024:.0f} KiB a pair;")
    print(f"the first took {moments[1] - moments[0]:.1f} s, with a first look at every photograph")


if __name__ == "__main__":
    chosen = read_psf_bank(sys.argv[1]) if len(sys.argv) > 1 else smooth_bank(7, 101, (400, 400))
    print(f"bank {chosen.intensity.shape}, sensor {chosen.camera.sensor.pixels}\n")
    stage_table(chosen)
    throughput(chosen)
