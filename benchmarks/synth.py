"""Training sets: pairs per second, where the time goes, how workers and backends scale, and whether memory stays flat.

Run as ``python benchmarks/synth.py [PART …] [--psf psf.h5] [--count N]``. Parts, all by default but the last:

    stages    milliseconds of each step of one pair, in this process
    pairs     pairs per second and core, and the share of time in each stage, at full frames
    workers   one and two worker processes, and the same on a Ray cluster of this machine
    crops     sharpness of the crops that are chosen, against crops anywhere
    memory    resident set over many small pairs of a run with one worker; 10000 take a while

Without a bank, made-up functions of 101² samples on 7² nodes. Figures mean something on a machine that does nothing
else.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from blur import smooth_bank

from metalens.formats.pairs.neutral_target import neutral_target
from metalens.formats.pairs.shard import PairSample, store_sample
from metalens.formats.pictures.light import read_stored_light
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import read_psf_bank, write_psf_bank
from metalens.runners.backend import BackendSettings
from metalens.synth.blur import blur
from metalens.synth.dataset.crops import choose_view, cut_scene, sharpness_of
from metalens.synth.dataset.settings import PairsSettings
from metalens.synth.embedded_photographs import embedded_photographs
from metalens.synth.generate import Execution, PairsOptions, PairsReport, generate_pairs, simulated_camera
from metalens.synth.sensor import develop, expose

REPEATS = 7
PARTS = ("stages", "pairs", "workers", "crops", "memory")


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


def stages(bank: PsfBank, psf: Path, count: int) -> None:
    del psf, count
    camera, sensor, pixels = simulated_camera(bank), bank.camera.sensor, bank.camera.sensor.pixels
    path = embedded_photographs()[0].path
    picture = read_stored_light(path)
    sharpness, settings = sharpness_of(picture), PairsSettings()
    view = choose_view(sharpness, pixels, settings, np.random.default_rng(0))
    scene = cut_scene(picture, view, pixels)
    light = np.maximum(np.asarray(blur(camera.operator, scene)), 0)
    generator = np.random.default_rng(0)
    raw = expose(sensor, light, camera.exposure, generator)
    clean, degraded = to_8_bit(linear_to_srgb(scene)), develop(sensor, raw, camera.exposure)
    sample = PairSample(clean, degraded, 0, 0, neutral=neutral_target(clean))
    steps: dict[str, Callable[[], object]] = {
        "read the photograph": lambda: read_stored_light(path),
        "measure its sharpness": lambda: sharpness_of(picture),
        "choose a crop": lambda: choose_view(sharpness, pixels, settings, np.random.default_rng(0)),
        "cut and resize": lambda: cut_scene(picture, view, pixels),
        "blur": lambda: np.asarray(blur(camera.operator, scene)),
        "expose": lambda: expose(sensor, light, camera.exposure, generator),
        "develop": lambda: develop(sensor, raw, camera.exposure),
        "neutral target": lambda: neutral_target(clean),
        "compress": lambda: store_sample(sample, pixels),
    }
    print(f"{'milliseconds':>22} {'elapsed':>8} {'processor':>10}")
    for name, run in steps.items():
        elapsed, processor = milliseconds(run)
        print(f"{name:>22} {elapsed:8.1f} {processor:10.1f}")


def timed(psf: Path, folder: Path, count: int, **options: object) -> tuple[PairsReport, float, float]:
    """A run, its seconds from the first shard to the end, and all its seconds."""
    moments = [time.perf_counter()]
    report = generate_pairs(
        embedded_photographs(),
        psf,
        folder,
        PairsOptions(count=count, **options),
        execution=Execution(progress=lambda *_: moments.append(time.perf_counter())),
    )
    end = time.perf_counter()
    return report, end - moments[1], end - moments[0]


def pairs(bank: PsfBank, psf: Path, count: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        used = time.process_time()
        report, seconds, whole = timed(psf, Path(place) / "pairs", count)
        used = time.process_time() - used
        size = sum(path.stat().st_size for path in (Path(place) / "pairs").iterdir())
    rows, columns = bank.camera.sensor.pixels
    print(f"{count} pairs of {rows} × {columns} in one process: {(count - 1) / seconds:.2f} pairs/s after the first,")
    print(f"{whole:.1f} s in all, {used / count:.3f} processor seconds and {size / count / 1024:.0f} KiB a pair")
    total = sum(report.seconds.values())
    for stage, spent in report.seconds.items():
        print(f"{stage:>22} {spent / total:6.1%}")


def workers(bank: PsfBank, psf: Path, count: int) -> None:
    """Rates from the first shard's end, when every worker is warm, so shards are small."""
    del bank
    rates: dict[str, float] = {}
    places = {
        "1 worker": BackendSettings(workers=1),
        "2 workers": BackendSettings(workers=2),
        **{f"Ray, {count} worker{'s'[: count > 1]}": BackendSettings("ray", count) for count in (1, 2, 3, 4)},
    }
    for name, place in places.items():
        with tempfile.TemporaryDirectory() as folder:
            warm = 8 * place.workers
            moments: list[tuple[float, int]] = []
            try:
                generate_pairs(
                    embedded_photographs(),
                    psf,
                    Path(folder) / "pairs",
                    PairsOptions(count=count + warm, shard_size=4),
                    execution=Execution(
                        place, progress=lambda done, _, seen=moments: seen.append((time.perf_counter(), done))
                    ),
                )
            except Exception as error:
                print(f"{name:>22} {error}")
                continue
        first = next(number for number, (_, done) in enumerate(moments) if done >= warm)
        rates[name] = (moments[-1][1] - moments[first][1]) / (moments[-1][0] - moments[first][0])
        print(f"{name:>22} {rates[name]:6.2f} pairs/s  {rates[name] / rates['1 worker']:5.2f} of one worker")


def crops(bank: PsfBank, psf: Path, count: int) -> None:
    del bank, psf, count
    print("root mean square of the Laplacian of chosen crops, in 1/255 of white:")
    for candidates in (1, 6, 20):
        settings, found = PairsSettings(candidates=candidates), []
        for photograph in embedded_photographs():
            sharpness = sharpness_of(read_stored_light(photograph.path))
            for number in range(200):
                crop = choose_view(sharpness, (128, 128), settings, np.random.default_rng([0, number])).crop
                found.append(255 * sharpness.of(crop, crop.height / 128))
        quarters = np.percentile(found, [10, 50, 90])
        print(f"{candidates:3d} candidates: {quarters[0]:5.1f} {quarters[1]:5.1f} {quarters[2]:5.1f} (10, 50, 90 %)")


def memory(bank: PsfBank, psf: Path, count: int) -> None:
    """One worker process makes ``count`` pairs of 64 × 64 pixels; its resident set is read as it goes."""
    del bank
    seen: list[tuple[int, float]] = []
    done = 0

    def watch(process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            resident = [int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS")]
            markers = len(os.listdir(output)) // 2 if output.exists() else 0  # noqa: PTH208 (a count is enough)
            if resident:
                seen.append((16 * markers, resident[0]))
            time.sleep(0.5)

    with tempfile.TemporaryDirectory() as place:
        output = Path(place) / "pairs"
        command = [sys.executable, "-m", "metalens.cli", "synth", "embedded:train", "-o", output, "--psf", psf]
        options = ["--crop", "64", "--count", str(count), "--shard-size", "16"]
        process = subprocess.Popen([*map(str, command), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        watcher = threading.Thread(target=watch, args=(process,))
        watcher.start()
        status = process.wait()
        watcher.join()
    print(f"{count} pairs of 64 × 64, status {status}; resident set in MiB")
    for share in (0.1, 0.25, 0.5, 0.75, 1.0):
        reached = [size for number, size in seen if number >= share * 0.99 * count]
        done = int(share * count)
        print(f"{done:10d} pairs {(reached or [float('nan')])[0]:8.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--psf", type=Path)
    parser.add_argument("--count", type=int)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        chosen = read_psf_bank(given.psf) if given.psf else smooth_bank(7, 101, (400, 400))
        path = given.psf or Path(scratch) / "psf.h5"
        if given.psf is None:
            write_psf_bank(path, chosen)
        print(f"bank {chosen.intensity.shape}, sensor {chosen.camera.sensor.pixels}")
        usual = {"pairs": 100, "workers": 120, "memory": 10_000}
        for part in given.parts or PARTS[:-1]:
            print(f"\n{part}")
            globals()[part](chosen, path, given.count or usual.get(part, 0))
