"""What a trained adapter's field of Q is worth: as learned, and with the field, the FWHM map or all of Q taken away.

    python benchmarks/q_field.py TEST [--adapter metacamera] [--alpha 0.75] [--pictures 8]

TEST are pairs of whole frames. Nothing is trained: the same adapter restores with

- Q as learned,
- its mean over the field in each place, which is what one matrix a picture could say,
- the field moved by half of the frame, so that the centre is restored as an edge,
- the FWHM map replaced by its mean, so that only the quality map tells places apart,
- the identity instead of Q, where W + A·B is left, for which A and B were not trained.

Prints a table in Markdown: means over the pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from measuring.adapters import mean_of, row_of, table_of
from torch import Tensor

from metalens.formats.pairs.reader import read_pairs
from metalens.restore.adapter.adapter_file import load_restorer
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.adapter.svda import Mixing
from metalens.restore.inference.restoration import restore
from metalens.restore.machine import machine_name

Change = Callable[[Mixing], Mixing]


def in_mean(mixing: Mixing) -> Mixing:
    weights = field_of(mixing)
    return replace(mixing, weights=weights.mean((-2, -1), keepdim=True).expand_as(weights).contiguous())


def moved(mixing: Mixing) -> Mixing:
    weights = field_of(mixing)
    return replace(mixing, weights=weights.roll([side // 2 for side in weights.shape[-2:]], (-2, -1)))


def identity(mixing: Mixing) -> Mixing:
    return replace(mixing, matrix=torch.zeros_like(mixing.matrix))


def field_of(mixing: Mixing) -> Tensor:
    if mixing.weights is None:
        raise SystemExit("the adapter has one Q a picture and no field of it; give one that was trained with --q local")
    return mixing.weights


def restored(restorer: Restorer, capture: np.ndarray, alpha: float, change: Change) -> np.ndarray:
    """A picture restored with a changed Q."""
    learned = restorer.attention.forward

    def changed(maps: Tensor) -> dict[str, Mixing] | None:
        mixings = learned(maps)
        return None if mixings is None else {block: change(mixing) for block, mixing in mixings.items()}

    with mock.patch.object(restorer.attention, "forward", changed):
        return np.asarray(restore(restorer, capture, (alpha,))[alpha])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", type=Path)
    parser.add_argument("--adapter", default="metacamera")
    parser.add_argument("--alpha", type=float, default=0.75)
    parser.add_argument("--pictures", type=int, help="the first so many")
    given = parser.parse_args()
    restorer = load_restorer(given.adapter)
    known = np.asarray(restorer.lens_map)
    flat = np.broadcast_to(known.mean(axis=(1, 2), keepdims=True), known.shape).copy()
    ways: dict[str, tuple[np.ndarray, Change]] = {
        "as learned": (known, lambda mixing: mixing),
        "its mean over the field": (known, in_mean),
        "moved by half of the field": (known, moved),
        "told a flat FWHM map": (flat, lambda mixing: mixing),
        "the identity": (known, identity),
    }
    rows: dict[str, list[dict[str, float]]] = {}
    pairs = read_pairs(given.test)
    for number in range(len(pairs))[: given.pictures]:
        clean, captured = pairs[number]
        pictures = {"captured": captured}
        for name, (fwhm, change) in ways.items():
            restorer.lens_map = fwhm
            pictures[name] = restored(restorer, captured, given.alpha, change)
        for name, row in zip(pictures, row_of(clean, list(pictures.values())), strict=True):
            rows.setdefault(name, []).append(row)
    print(f"{machine_name(torch.device('cpu'))}; {len(rows['captured'])} pictures, α = {given.alpha:g}\n")
    sizes = [basis.detach().abs().mean().item() for basis in restorer.attention.basis.values()]
    print(f"entries of the basis matrices: mean size {np.mean(sizes):.4f}\n")
    print(table_of({name: mean_of(each) for name, each in rows.items()}))


if __name__ == "__main__":
    main()
