"""What drawing restored pictures towards their captures brings, for how much trust and how many iterations.

    metalens restore PAIRS -o RESTORED --adapter metacamera
    python benchmarks/data_consistency.py PAIRS RESTORED --psf psf.h5 [--pictures 4] [--alpha 0.75]
        [--errors 0.018,0.025,0.035,0.05,0.1] [--iterations 3,5,10] [--distance]

PAIRS are whole frames. Prints a table in Markdown: means over the pictures, and processor seconds a picture on one
thread. ``--distance`` adds ST-LPIPS (VGG), which takes longest.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from metalens.formats.pairs.reader import pair_names, read_pairs
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.restore.inference.data_consistency import DataConsistency
from metalens.restore.inference.restored_names import restored_name
from metalens.restore.machine import machine_name
from metalens.restore.metrics.measures import perceptual_distance, psnr, psnr_by_zone

COLUMNS = ("psnr", "centre", "middle", "edge", "distance", "seconds")


def numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("restored", type=Path)
    parser.add_argument("--psf", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=4, help="so many, evenly spread")
    parser.add_argument("--alpha", type=float, default=0.75)
    parser.add_argument("--errors", type=numbers, default=[0.018, 0.025, 0.035, 0.05, 0.1])
    parser.add_argument("--iterations", type=numbers, default=[3, 5, 10])
    parser.add_argument("--distance", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    pairs, bank = read_pairs(given.pairs), read_psf_bank(given.psf)
    ways = {
        f"{error:g}, {count:g} iterations": DataConsistency(bank, restorer_error=error, iterations=int(count))
        for error in given.errors
        for count in given.iterations
    }
    rows: dict[str, list[dict[str, float]]] = {}

    def note(way: str, clean: np.ndarray, picture: np.ndarray, seconds: float = 0.0) -> None:
        row = {"psnr": psnr(clean, picture), **psnr_by_zone(clean, picture), "seconds": seconds}
        row["distance"] = perceptual_distance(clean, picture) if given.distance else float("nan")
        rows.setdefault(way, []).append(row)

    names = pair_names(pairs)
    for number in np.linspace(0, len(pairs) - 1, min(given.pictures, len(pairs))).round().astype(int):
        clean, captured = pairs[number]
        restored = read_picture(given.restored / restored_name(names[number], given.alpha))
        note("captured", clean, captured)
        note("restored", clean, restored)
        for way, towards in ways.items():
            started = time.process_time()
            picture = towards(restored, captured)
            note(way, clean, picture, time.process_time() - started)
    print(f"{machine_name(torch.device('cpu'))}, one thread; {len(rows['captured'])} pictures, α = {given.alpha:g}\n")
    print("| error of the restorer | PSNR | centre | middle | edge | ST-LPIPS | seconds |\n|" + " --- |" * 7)
    for way, found in rows.items():
        means = {key: np.mean([row[key] for row in found]) for key in COLUMNS}
        cells = [f"{means[key]:.3f}" if key == "distance" else f"{means[key]:.2f}" for key in COLUMNS]
        print(f"| {way} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
