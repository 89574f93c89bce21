"""Kill ``metalens synth`` with SIGKILL at random moments, resume it each time, compare with an undisturbed run.

Run as ``python benchmarks/kill_resume.py [kills] [workers]``: 100 kills of a run with 2 workers. Pictures are tiny and
each has a shard of its own, so that much of the time is spent where it hurts, in writing, syncing and renaming. Moments
are uniform from the start of the process, imports included, to the end of a run, and, in four of five kills, from the
moment when the folder first stands there. After every kill each shard that is there must be read, and each that has a
marker must have the marker's checksum.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.manifest import read_manifest
from metalens.formats.pairs.shard import open_shard
from metalens.formats.pairs.verify import verify_pairs
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.psf.external_bank import grid_bank_of_functions

PIXELS = (24, 32)
COUNT = 400


def prepare(folder: Path) -> None:
    preset = read_camera("metacamera")
    camera = preset.model_copy(update={"sensor": preset.sensor.model_copy(update={"pixels": PIXELS})})
    functions = np.full((1, 1, 3, 3, 3), 1 / 9)
    write_psf_bank(folder / "psf.h5", grid_bank_of_functions(camera, functions, {"engine": "made up"}))
    (folder / "photographs").mkdir()
    generator = np.random.default_rng(0)
    for number in range(4):
        picture = generator.integers(0, 256, (64, 96, 3), dtype=np.uint8)
        write_picture(folder / f"photographs/{number}.png", picture)


def start(folder: Path, output: Path, workers: int) -> subprocess.Popen[bytes]:
    arguments = ["synth", folder / "photographs", "-o", output, "--psf", folder / "psf.h5", "--resume"]
    options = ["--count", COUNT, "--shard-size", 1, "--workers", workers]
    command = [sys.executable, "-m", "metalens.cli", *map(str, [*arguments, *options])]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def inspect(output: Path) -> tuple[str, int]:
    """What a kill left: the phase it hit, and the shards that are there but cannot be read."""
    if not output.exists():
        return "before the folder", 0
    if not (output / "manifest.json").exists():
        return "before the manifest", 0
    manifest, unreadable = read_manifest(output), 0
    for shard in manifest.shards:
        if (output / shard.name).exists():
            try:
                with open_shard(output, manifest, shard) as opened:
                    opened.sample(0)
            except InputError as error:
                print(error)
                unreadable += 1
    damaged = [each for each in verify_pairs(output).damaged if "not finished" not in each.reason]
    unmarked = sum((output / s.name).exists() and not (output / s.marker).exists() for s in manifest.shards)
    halves = len(list(output.glob(".*.part")))
    phase = "in a write" if halves else "between a shard and its marker" if unmarked else "elsewhere in the shards"
    return phase, unreadable + len(damaged)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def require_same(found: dict[str, bytes], whole: dict[str, bytes]) -> None:
    different = sorted(name for name in found.keys() | whole.keys() if found.get(name) != whole.get(name))
    assert not different, f"a resumed set differs from an undisturbed one: {different[:10]}"


def main(kills: int, workers: int) -> None:
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder)
        begin = time.monotonic()
        assert start(folder, folder / "whole", workers).wait() == 0
        whole, duration = contents(folder / "whole"), time.monotonic() - begin
        print(f"undisturbed: {COUNT} pairs of {PIXELS[0]} × {PIXELS[1]} in {duration:.1f} s, {workers} workers")
        phases: Counter[str] = Counter()
        done, finished, unreadable = 0, 0, 0
        output = folder / "pairs"
        while done < kills:
            process = start(folder, output, workers)
            if draw.random() < 0.8:
                marks = len(list(output.glob("*.json"))) if output.exists() else 0
                while process.poll() is None and len(list(output.glob("*.json"))) <= marks:
                    time.sleep(0.002)
                time.sleep(draw.uniform(0, 0.5))
            else:
                time.sleep(draw.uniform(0, duration))
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                time.sleep(0.3)  # for its workers to follow
                done += 1
                phase, wrong = inspect(output)
                phases[phase] += 1
                unreadable += wrong
                if done % 10 == 0:
                    print(f"{done} kills, {finished} sets finished, {unreadable} shards unreadable", flush=True)
            if len(list(output.glob("shard-*.json"))) >= COUNT:
                assert start(folder, output, workers).wait() == 0
                require_same(contents(output), whole)
                finished += 1
                shutil.rmtree(output)
        assert start(folder, output, workers).wait() == 0
        require_same(contents(output), whole)
        print(f"{done} kills, {finished + 1} sets finished, each byte-identical; {unreadable} shards unreadable")
        for phase, count in phases.most_common():
            print(f"{count:5d} {phase}")
        assert unreadable == 0


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    main(given[0] if given else 100, given[1] if len(given) > 1 else 2)
