"""Expected and true error of restored pictures, by tenths of the map that `metalens restore --uncertainty` writes.

    python benchmarks/uncertainty.py kodak/ --adapter metacamera

Pairs of photographs that the adapter was not trained on, whole frames. Errors are means over colours in steps of 1/255,
under the Gaussian of the map.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from metalens.formats.pairs.reader import read_pairs
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.restore.adapter.adapter_file import load_restorer
from metalens.restore.inference.capture import Capture
from metalens.restore.inference.restoration import decode, latents_of
from metalens.restore.inference.uncertainty import ALPHA, SMOOTHING, expected_error


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--adapter", default="metacamera")
    parser.add_argument("--psf", type=Path, help="the camera's psf.h5, if the adapter has none")
    given = parser.parse_args()
    restorer = load_restorer(given.adapter)
    bank = restorer.bank if given.psf is None else read_psf_bank(given.psf)
    if bank is None:
        parser.error("this adapter needs --psf")
    said, true = [], []
    for clean, captured in read_pairs(given.pairs):
        latents = latents_of(restorer, captured)
        restored = decode(restorer, latents, ALPHA)
        error = np.abs(restored.astype(np.float32) - clean).mean(axis=-1)
        true.append(gaussian_filter(error, SMOOTHING)[::4, ::4].ravel())
        said.append(255 * expected_error(restorer, latents, Capture(captured), restored, bank)[::4, ::4].ravel())
    expected, measured = np.concatenate(said), np.concatenate(true)
    print(f"rank correlation {spearmanr(expected, measured).statistic:.3f}, {len(said)} pictures")
    print("| tenth | expected error, 1/255 | true error, 1/255 |\n| --- | --- | --- |")
    for number, part in enumerate(np.array_split(np.argsort(expected), 10), start=1):
        print(f"| {number} | {expected[part].mean():.1f} | {measured[part].mean():.1f} |")


if __name__ == "__main__":
    main()
