"""How long a picture takes with each method that stands on the prior, in turns, so that a busy minute strikes all.

    python benchmarks/latency.py PAIRS --psf psf.h5 [--runs 5] [--device cpu]
        [--methods osediff,s3diff,dmdiff-global,dmdiff-local,seesr-style]

Each is fitted for one step, which changes nothing of what a picture costs, and restores the first whole frame of PAIRS
in one of its variants. Prints a table in Markdown: the median of elapsed time, and its ratio to the first method's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch

from metalens.formats.pairs.reader import read_pairs
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.restore.inference.capture import Capture
from metalens.restore.machine import machine_name
from metalens.restore.methods import load_method
from metalens.restore.methods.method import Fitted, Training
from metalens.restore.training.optimisation import Budget

METHODS = "osediff,s3diff,dmdiff-global,dmdiff-local,seesr-style"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--psf", type=Path, required=True)
    parser.add_argument("--methods", default=METHODS)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    pairs, bank = read_pairs(given.pairs), read_psf_bank(given.psf)
    capture = Capture(pairs[0][1])
    fitted: dict[str, tuple[Fitted, str]] = {}
    with tempfile.TemporaryDirectory() as place:
        for name in given.methods.split(","):
            method, folder = load_method(name), Path(place) / name
            folder.mkdir()
            training = Training(pairs, bank, "embedded", Budget(steps=1), folder, batch=1, crop=96, device=given.device)
            fitted[name] = method.fit(training), method.describe.variants[-1]
        seconds: dict[str, list[float]] = {name: [] for name in fitted}
        for turn in range(given.runs + 1):
            for name, (ready, variant) in fitted.items():
                started = time.perf_counter()
                ready.restore(capture, (variant,))
                if turn:  # the first warms up
                    seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    first = next(iter(medians))
    machine = f"{machine_name(torch.device(given.device))}, {torch.get_num_threads()} threads"
    pixels = " × ".join(map(str, capture.picture.shape[:2]))
    print(f"{machine}, load {os.getloadavg()[0]:.1f}; {pixels} pixels\n")
    print(f"| method | seconds | of {first} |\n| --- | --- | --- |")
    for name, median in medians.items():
        print(f"| {name} | {median:.2f} | {median / medians[first]:.2f} |")


if __name__ == "__main__":
    main()
