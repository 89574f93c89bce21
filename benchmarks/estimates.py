"""What a dry run told, against what the run then took: time, size on disk and memory.

    python benchmarks/estimates.py [psf tolerance synth train ...]

Each command runs with ``--dry-run --json`` and then for itself, in a folder that is removed, on embedded photographs.
The ratios are told ÷ true. That of time is of processor seconds, which other programs on the machine change less: what
was told counts by the dry run's own processor seconds in a second. ``demo``, which takes minutes, is left out unless it
is named. ``align`` and ``import`` are missing: their dry runs do all of the work but the writing.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from measuring import machine

from metalens.formats.camera.camera import read_camera, write_camera

COMMANDS = {
    "psf": "psf metacamera -o made.h5 --fields 7x7 --wavelengths 3",
    "tolerance": "tolerance metacamera -o made --draws 10 --fields 1x1",
    "design": "design metacamera -o made.toml --minutes 0.5",
    "explore": "explore explore-1mm3 -o made --candidates 2",
    "library": "library build library.toml -o made.h5",
    "verify": "verify pillars.toml -o made --zones 2 --most-pillars 12",
    "export": "export metacamera --gds made.gds --library si3n4-on-sio2",
    "psf-wide": "psf hyperbolic -o made.h5 --wavelengths 3",
    "synth": "synth embedded:train -o made --psf bank.h5 --count 48",
    "synth-preset": "synth embedded:train -o made --psf metacamera-200um --count 24",
    "train": "train pairs -o made --psf bank.h5 --steps 20",
    "train-init": "train pairs -o made --psf bank.h5 --steps 40 --init metacamera --crop 64 --batch 2",
    "restore": "restore pairs -o made --adapter metacamera --alpha 0,0.75",
    "restore-preset": "restore test -o made --adapter metacamera --psf wide-field",
    "filter": "restore pairs -o made --method wiener-joint --psf bank.h5",
    "pseudo": "pseudo embedded:train -o made --adapter metacamera --count 12",
    "pretrain": "pretrain embedded:train -o made --work work --autoencoder-steps 40 --denoiser-steps 40",
    "report": "report -o made --psf bank.h5 --pairs test --restored restored --adapter metacamera --tune pairs",
    "compare": "compare metacamera -o made --count 8 --minutes 0.5",
    "bench": "bench -o made --psf bank.h5 --pairs pairs --test test --methods osediff --steps-per-method 20",
    "demo-quick": "demo -o made --quick",
    "demo": "demo -o made",
}

LONG = ("demo",)
"""Left out unless they are named."""

INPUTS = {
    "bank.h5": "psf metacamera -o bank.h5 --fields 3x3 --wavelengths 3",
    "library.toml": "init library library.toml",
    "pairs": "synth embedded:train -o pairs --psf bank.h5 --count 8",
    "test": "synth embedded:held-out -o test --psf bank.h5 --whole --seed 1 --count 3",
    "restored": "restore test -o restored --adapter metacamera --alpha 0,0.75",
}
"""File or folder → what makes it, those that others need first."""


def make_inputs(names: list[str], folder: Path) -> None:
    """Make what commands read, and what that needs."""
    wanted: set[str] = set()
    lines = [COMMANDS[name] for name in names]
    while lines:
        needed = INPUTS.keys() & set(shlex.split(lines.pop())) - wanted
        wanted |= needed
        lines += [INPUTS[each] for each in needed]
    for name, line in INPUTS.items():
        if name in wanted:
            run(line, folder)
    if "verify" in names:
        response = {"kind": "library", "library": "si3n4-on-sio2", "wavelength_nm": 530.0}
        lens = {"aperture_um": 40.0, "focal_length_um": 60.0, "response": response}
        camera = read_camera("hyperbolic").with_(lens=lens, sensor={"pixels": (32, 32), "pixel_pitch_um": 1.0})
        write_camera(folder / "pillars.toml", camera)


@dataclass(frozen=True)
class Run:
    """A command that was run.

    Attributes:
        told: its stdout.
        seconds: that it took.
        processor_seconds: of all its processes.
        memory: largest, in bytes.
        disk: largest size of the folder's files while it ran, in bytes.
    """

    told: str
    seconds: float
    processor_seconds: float
    memory: float
    disk: float


def run(line: str, folder: Path) -> Run:
    """Run a command in a folder."""
    begun, ended, disk = time.perf_counter(), Event(), 0

    def watch() -> None:
        nonlocal disk
        while not ended.wait(0.3):
            disk = max(disk, bytes_in(folder))

    command = [sys.executable, "-m", "metalens.cli", *shlex.split(line)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        watching = Thread(target=watch)
        watching.start()
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    spent = time.perf_counter() - begun
    ended.set()
    watching.join()
    if process.returncode:
        raise SystemExit(f"metalens {line} failed; run it to see why.")
    disk = max(disk, bytes_in(folder))
    return Run(told, spent, usage.ru_utime + usage.ru_stime, 1024.0 * usage.ru_maxrss, disk)


def bytes_in(folder: Path) -> int:
    """Bytes of the files of a folder, links left out; they come and go."""
    found = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                found += os.lstat(Path(place) / name).st_size
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=[name for name in COMMANDS if name not in LONG])
    names = parser.parse_args().names
    print(machine(), end="\n\n")
    print("| command | s, told | true | of processors, true | ratio | MB on disk, ratio | MB of memory, ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as inputs:
        make_inputs(names, Path(inputs))
        for name in names:
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                for each in Path(inputs).iterdir():
                    (folder / each.name).symlink_to(each)
                dry = run(f"{COMMANDS[name]} --dry-run --json", folder)
                told = json.loads(dry.told)["estimate"]
                true = run(f"{COMMANDS[name]} --json", folder)
                disk = true.disk
                share = told["seconds"] * dry.processor_seconds / dry.seconds / true.processor_seconds
                print(
                    f"| `{name}` | {told['seconds']:.0f} | {true.seconds:.0f} | {true.processor_seconds:.0f} "
                    f"| {share:.2f} | {1e-6 * disk:.1f}, {told['disk_bytes'] / disk:.2f} "
                    f"| {1e-6 * true.memory:.0f}, {told['memory_bytes'] / true.memory:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
