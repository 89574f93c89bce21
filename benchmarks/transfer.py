"""To another lens: as it is, after some minutes of training from another lens' adapter, and from nothing.

    python benchmarks/transfer.py PAIRS --psf other.h5 --test TEST -o runs/transfer [--init metacamera]
        [--minutes 1,5,15] [--batch 4] [--crop 128] [--precision fp32] [--device cpu] [--pictures 24]

PAIRS and TEST are of the other lens. Every row is a training of its own, whose learning rate ends with its minutes.
A stopped run goes on when it is started again. Prints a table in Markdown for α = 0.75.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from measuring.adapters import Setting, figures_of, table, trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--psf", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--init", default="metacamera")
    parser.add_argument("--minutes", default="1,5,15")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pictures", type=int, help="of TEST, the first so many")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    setting = Setting(given.output, given.psf, given.test, given.device, given.pictures)
    runs = {"zero-shot": figures_of("zero-shot", given.init, setting)}
    common = [given.pairs, "--batch", given.batch, "--crop", given.crop, "--precision", given.precision]
    common += ["--learning-rate", given.learning_rate]
    for minutes in given.minutes.split(","):
        for origin, start in ((given.init, ["--init", given.init]), ("nothing", [])):
            name = f"{minutes} min from {origin}"
            adapter = trained(name, [*common, "--minutes", minutes, *start], setting)
            runs[name] = figures_of(name, adapter, setting)
            print(f"{name}: {runs[name]['0.75']['psnr']:.2f} dB", flush=True)
    print(table(runs))


if __name__ == "__main__":
    main()
