"""What a dry run told, against what the run then took: time, size on disk and memory.

    python benchmarks/estimates.py [psf synth train restore pseudo pretrain tolerance demo]

Each command runs with ``--dry-run --json`` and then for itself, in a folder that is removed, on embedded photographs.
The ratios are told ÷ true; other programs on the machine change the first of them. ``demo``, which takes minutes, is
left out unless it is named.
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
from pathlib import Path

from measuring import machine

COMMANDS = {
    "psf": "psf metacamera -o made.h5 --fields 7x7 --wavelengths 3",
    "tolerance": "tolerance metacamera -o made --draws 10 --fields 1x1",
    "synth": "synth embedded:train -o made --psf bank.h5 --count 48",
    "train": "train pairs -o made --psf bank.h5 --steps 20",
    "restore": "restore pairs -o made --adapter metacamera --alpha 0,0.75",
    "pseudo": "pseudo embedded:train -o made --adapter metacamera --count 12",
    "pretrain": "pretrain embedded:train -o made --work work --autoencoder-steps 40 --denoiser-steps 40",
    "demo": "demo -o made",
}

INPUTS = (
    "psf metacamera -o bank.h5 --fields 3x3 --wavelengths 3",
    "synth embedded:train -o pairs --psf bank.h5 --count 8",
)


def run(line: str, folder: Path) -> tuple[str, float, float]:
    """Run a command in a folder.

    Returns:
        Its stdout, its seconds and its largest memory in bytes.
    """
    begun = time.perf_counter()
    command = [sys.executable, "-m", "metalens.cli", *shlex.split(line)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"metalens {line} failed; run it to see why.")
    return told, time.perf_counter() - begun, 1024.0 * usage.ru_maxrss


def bytes_of(path: Path) -> int:
    return sum(each.stat().st_size for each in [path, *path.rglob("*")] if each.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=[name for name in COMMANDS if name != "demo"])
    names = parser.parse_args().names
    print(f"{machine()}\n\n| command | s, told | true | ratio | MB on disk, ratio | MB of memory, ratio |", flush=True)
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as inputs:
        for line in INPUTS if {"synth", "train", "restore"} & set(names) else ():
            run(line, Path(inputs))
        for name in names:
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                for each in Path(inputs).iterdir():
                    (folder / each.name).symlink_to(each)
                told = json.loads(run(f"{COMMANDS[name]} --dry-run --json", folder)[0])["estimate"]
                _, seconds, memory = run(f"{COMMANDS[name]} --json", folder)
                disk = sum(bytes_of(each) for each in folder.iterdir() if not each.is_symlink())
                print(
                    f"| `{name}` | {told['seconds']:.0f} | {seconds:.0f} | {told['seconds'] / seconds:.2f} "
                    f"| {1e-6 * disk:.1f}, {told['disk_bytes'] / disk:.2f} "
                    f"| {1e-6 * memory:.0f}, {told['memory_bytes'] / memory:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
