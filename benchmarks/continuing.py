"""An adapter trained on for some minutes: by more of the same pairs, with pseudo pairs, by lenses as they may come out.

    python benchmarks/continuing.py PAIRS --psf psf.h5 --test TEST -o runs/continuing [--init metacamera]
        [--pseudo PSEUDO] [--photos PHOTOS --test-photos TEST_PHOTOS --lens metacamera --members 8 --test-members 4]
        [--minutes 15] [--batch 4] [--crop 96] [--precision bf16] [--learning-rate 3e-4] [--device cpu] [--pictures 8]

PAIRS and TEST (whole frames) are of the lens as drawn. With --pseudo, pairs of ``metalens pseudo`` are mixed in. With
--photos, as many pairs are made by lenses with the typical errors of ``metalens tolerance``, and all adapters restore
--test-photos through other such lenses too, told the FWHM map of the lens as drawn, since nobody measures each lens.
A stopped run goes on when it is started again. Prints tables in Markdown for α = 0.75.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from measuring.adapters import (
    Figures,
    Setting,
    figures_of,
    mean_of,
    metalens,
    options_of,
    parser_of,
    setting_of,
    table,
    trained,
)

from metalens.formats.camera.camera import read_camera
from metalens.formats.design.tolerance_spec import TYPICAL
from metalens.formats.pairs.reader import read_pairs
from metalens.psf.tolerance.ensemble import simulate_ensemble
from metalens.psf.tolerance.monte_carlo import tolerance_run_of

FIELDS = (5, 5)
TRAINING_SEED, TEST_SEED = 0, 1


def main() -> None:
    parser = parser_of(__doc__, crop=96, precision="bf16", learning_rate=3e-4)
    parser.add_argument("--init", default="metacamera")
    parser.add_argument("--pseudo", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--test-photos", type=Path)
    parser.add_argument("--lens", default="metacamera")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--test-members", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=15)
    given = parser.parse_args()
    if given.photos and not given.test_photos:
        parser.error("--photos needs --test-photos: the lenses that come out have none of their own")
    setting = setting_of(given)
    options = ["--init", given.init, "--minutes", given.minutes, *options_of(given)]
    adapters: dict[str, Path | str] = {"as it was": given.init}
    adapters["trained on"] = trained("trained on", [given.pairs, *options], setting)
    if given.pseudo:
        name = "trained on, with pseudo pairs"
        adapters[name] = trained(name, [given.pairs, *options, "--pseudo", given.pseudo], setting)
    if given.photos:
        drawn = ensemble(given, "training", given.members, TRAINING_SEED)
        pairs = given.output / "ensemble-pairs"
        if not (pairs / "manifest.json").is_file():
            count, (rows, columns) = len(read_pairs(given.pairs)), read_pairs(given.pairs)[0][0].shape[:2]
            crops = ["--crop", f"{rows}x{columns}", "--count", count]
            metalens("synth", given.photos, "-o", pairs, "--psf-ensemble", drawn, *crops)
        adapters["trained on the ensemble"] = trained("trained on the ensemble", [pairs, *options], setting)
    print("The lens as drawn:\n")
    print(table({name: figures_of(name, adapter, setting) for name, adapter in adapters.items()}), flush=True)
    if given.photos:
        print(f"\n{given.test_members} lenses as they may come out, means:\n")
        print(table(on_lenses(given, adapters, setting)))


def ensemble(given: argparse.Namespace, name: str, count: int, seed: int) -> Path:
    """The folder of the banks of lenses with typical errors."""
    folder = given.output / f"{name}-lenses"
    camera = read_camera(given.lens)
    own = camera.spectrum.wavelengths_per_channel
    settings = {"draws": count, "seed": seed, "fields": FIELDS, "wavelengths_per_channel": own}
    run = tolerance_run_of(camera, TYPICAL, explicit=False, **settings)
    simulate_ensemble(camera, run, folder, count=count, resume=folder.is_dir())
    return Path(folder)


def on_lenses(given: argparse.Namespace, adapters: dict[str, Path | str], setting: Setting) -> dict[str, Figures]:
    """Figures of each adapter, means over the lenses that no training saw."""
    banks = sorted(ensemble(given, "test", given.test_members, TEST_SEED).glob("*.h5"))
    found: dict[str, list[Figures]] = {}
    for bank in banks:
        test = given.output / f"test-{bank.stem}"
        if not (test / "manifest.json").is_file():
            metalens("synth", given.test_photos, "-o", test, "--psf", bank, "--whole", "--seed", 1)
        for name, adapter in adapters.items():
            figures = figures_of(f"{name}, lens {bank.stem}", adapter, replace(setting, test=test))
            found.setdefault(name, []).append(figures)
    return {
        name: {version: mean_of([figures[version] for figures in each]) for version in each[0]}
        for name, each in found.items()
    }


if __name__ == "__main__":
    main()
