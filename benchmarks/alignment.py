"""Captured pairs: error of the calibration against the truth of simulated rigs, and time.

Run as ``python benchmarks/alignment.py``; prints two tables.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.captures.screen_captures import read_alignment_set
from metalens.formats.pictures.pictures import write_picture
from metalens.synth.alignment import DotTarget, RigCalibration, SimulatedRig, calibrate_rig, simulated_rig
from metalens.synth.alignment.captured_pairs import check_capture, make_pair
from metalens.synth.alignment.mapping import sensor_residual
from metalens.synth.alignment.rehearsal import rehearse
from metalens.synth.alignment.warp import grid_of
from metalens.synth.photographs import Photograph

RIGS = 3
SIDE = 240
DISPLAY = (720, 720)
TARGET = DotTarget(DISPLAY, 40, 8)

CASES: dict[str, dict[str, object]] = {
    "as it is": {},
    "sharp: 0.5 px": {"blur": (0.5, 0.7)},
    "blurred: 2 to 3 px": {"blur": (2.0, 3.0)},
    "distortion −20 %": {"radial": (-0.2, 0.05)},
    "vignetting 70 %": {"vignetting": 0.7},
    "haze 30 %": {"haze": 0.3},
    "a third of the light": {"white_level": 0.27},
    "coma 0.6 px": {"coma": 0.6},
    "coma 1.2 px": {"coma": 1.2},
}


def camera_of(side: int) -> Camera:
    preset = read_camera("metacamera")
    return preset.model_copy(update={"sensor": preset.sensor.model_copy(update={"pixels": (side, side)})})


def scene(seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(DISPLAY[0])[:, None], np.fft.rfftfreq(DISPLAY[1])) + 1 / 300
    picture = np.fft.irfft2(np.fft.rfft2(generator.standard_normal(DISPLAY)) / frequency, s=DISPLAY)
    return np.repeat(np.clip(128 + 48 * picture / picture.std(), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def calibrated(folder: Path, rig: SimulatedRig, seed: int) -> tuple[RigCalibration, float, float]:
    """The calibration, its seconds, and those of a capture that is checked and made a pair."""
    write_picture(folder / "scene.png", scene(seed))
    photographs = [Photograph("scene", folder / "scene.png")]
    rehearse(folder / "rig", rig, camera_of(SIDE), TARGET, photographs, np.random.default_rng(seed), frames=1)
    listed = read_alignment_set(folder / "rig" / "captures.toml")
    start = time.perf_counter()
    found = calibrate_rig(listed)
    middle = time.perf_counter()
    check_capture(listed, found, listed.captures[0])
    make_pair(listed, found, listed.captures[0])
    return found, middle - start, time.perf_counter() - middle


def main() -> None:
    print(f"{RIGS} rigs each, sensor {SIDE} × {SIDE}, one frame a capture; distances in pixels of the sensor\n")
    print(f"{'case':<22} {'dots':>5} {'residual':>9} {'error':>7} {'largest':>8} {'gamma':>6}  model")
    seconds = []
    for name, changes in CASES.items():
        rows, models = [], []
        for seed in range(RIGS):
            generator = np.random.default_rng(seed)
            turn = float(generator.uniform(-np.pi, np.pi))
            rig = simulated_rig(camera_of(SIDE).sensor, generator, display=DISPLAY, jitter=6.0, turn=turn)
            rig = replace(rig, **changes)
            with tempfile.TemporaryDirectory() as place:
                found, *taken = calibrated(Path(place), rig, seed)
            points = grid_of(found.region, 21).reshape(-1, 2)
            error = np.linalg.norm(sensor_residual(found.mapping, points, rig.display_of(points)), axis=1)
            residual = found.figures()["residual_px"]["mean"]
            rows.append((len(found.dots), residual, error.mean(), error.max(), found.display.gamma.mean()))
            models.append(found.mapping.model.name)
            seconds.append(taken)
        dots, residual, mean, gamma = np.mean(rows, axis=0)[[0, 1, 2, 4]]
        largest = max(row[3] for row in rows)
        kinds = ", ".join(sorted(set(models)))
        print(
            f"{name:<22} {dots:5.0f} {residual:9.3f} {mean:7.3f} {largest:8.3f} {gamma:6.3f}  {kinds}",
            flush=True,
        )
    calibration, pair = np.median(seconds, axis=0)
    print(f"\nseconds: {calibration:.1f} a calibration, {pair:.2f} a capture checked and made a pair (medians)")


if __name__ == "__main__":
    main()
