"""What each part of the adapter is worth: equal steps, crops and seeds, with one part left out at a time.

    python benchmarks/ablation.py PAIRS --psf psf.h5 --test TEST -o runs/ablation [--steps 1000] [--seeds 3]
        [--pseudo PSEUDO] [--batch 4] [--crop 128] [--precision fp32] [--device cpu] [--pictures 24]

PAIRS are of ``metalens synth``, TEST are whole frames of photographs that nothing was trained on. Local and global Q
run with every seed, at the learning rate of all and at 30 times that; the others with the first seed. A stopped run
goes on when it is started again. Prints a table in Markdown for α = 0.75.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from measuring.adapters import figures_of, options_of, parser_of, setting_of, table, trained

VARIANTS: dict[str, list[str]] = {
    "local Q": [],
    "global Q": ["--q", "global"],
    "local Q, 30 times the rate": ["--q-rate", "30"],
    "global Q, 30 times the rate": ["--q", "global", "--q-rate", "30"],
    "plain LoRA": ["--q", "plain"],
    "without FWHM": ["--no-fwhm"],
    "without negative path": ["--paths", "0.7777,0.2223,0"],
}
WITH_SEEDS = ("local Q", "global Q", "local Q, 30 times the rate", "global Q, 30 times the rate")


def main() -> None:
    parser = parser_of(__doc__, crop=128)
    parser.add_argument("--pseudo", type=Path, help="pseudo pairs, which the run without the negative path lacks")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    setting = setting_of(given)
    common = [given.pairs, "--steps", given.steps, *options_of(given)]
    runs = {}
    for name, options in VARIANTS.items():
        for seed in range(given.seeds if name in WITH_SEEDS else 1):
            pseudo = ["--pseudo", given.pseudo] if given.pseudo and name != "without negative path" else []
            label = f"{name}, seed {seed}"
            adapter = trained(label, [*common, *options, *pseudo, "--seed", seed], setting)
            runs[label] = figures_of(label, adapter, setting)
            print(f"{label}: {runs[label]['0.75']['psnr']:.2f} dB", flush=True)
    print(table(runs))
    print()
    for rate in ("", ", 30 times the rate"):
        local, other = (
            [runs[f"{form} Q{rate}, seed {seed}"]["0.75"]["psnr"] for seed in range(given.seeds)]
            for form in ("local", "global")
        )
        gains = np.subtract(local, other)
        by_seed = ", ".join(f"{gain:+.2f}" for gain in gains)
        print(f"local over global Q{rate}, by seed: {by_seed} dB; mean {np.mean(gains):+.2f}")


if __name__ == "__main__":
    main()
