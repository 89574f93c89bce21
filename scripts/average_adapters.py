"""Average the weights of two adapters of one camera: between two trainings, fidelity against detail.

    python scripts/average_adapters.py DETAILED FAITHFUL --share 0.15 --pairs pairs/ -o averaged/

SHARE is that of FAITHFUL. Adapters of one lineage can be averaged (Wortsman et al., CVPR 2022, arXiv 2109.01903); what
comes out is measured like any other. A path embedding or a block of data consistency that FAITHFUL lacks counts as that
of DETAILED. The map of the expected error is calibrated on photographs that PAIRS keep for validation.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from metalens.formats.files.atomic import atomic_directory, require_new_directory
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import Pairs, read_pairs
from metalens.restore.adapter.adapter_file import load_restorer, save_adapter
from metalens.restore.adapter.lens_transfer import pairs_trained_on
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.inference.capture import Capture
from metalens.restore.inference.uncertainty import calibrate

CALIBRATION_PICTURES = 8


def average_adapters(detailed: str, faithful: str, share: float, pairs: Path, output: Path) -> None:
    """Write the average of two adapters.

    Args:
        detailed: folder or name of an adapter; its settings are those of the average.
        faithful: of an adapter of the same camera, prior and settings; it may lack the path embedding, and the
            block of data consistency.
        share: weight of ``faithful``, 0 to 1.
        pairs: whole frames of the adapters' camera, some of them kept for validation.
        output: a new or empty folder.

    Raises:
        InputError: the share is out of its range, an adapter or the pairs cannot be read, the adapters do not match,
            no pair is kept for validation, or the folder is not empty.
    """
    if not 0 <= share <= 1:
        raise InputError(f"--share must be from 0 to 1, found {share:g}.")
    require_new_directory(output)
    average, other = load_restorer(detailed), load_restorer(faithful)
    _require_alike(average, other, f"{detailed} and {faithful}")
    read = read_pairs(pairs)
    if not (places := read.of_split("validation")).size:
        raise InputError(f"{pairs}: keeps no pair for validation, and the expected error is calibrated on such pairs.")
    weights = other.parameters()
    with torch.no_grad():
        for name, parameter in average.parameters().items():
            parameter.lerp_(weights.get(name, parameter), share)
    if average.bank is not None:
        average.training["uncertainty"] = calibrate(average, average.bank, _captures(read, places.tolist()))
    known = pairs_trained_on(detailed)
    average.training["pairs_before"] = known + [each for each in pairs_trained_on(faithful) if each not in known]
    average.training["averaged"] = {"with": faithful, "share": share}
    with atomic_directory(output) as part:
        save_adapter(part, average)


def _require_alike(detailed: Restorer, faithful: Restorer, where: str) -> None:
    if detailed.camera.hash != faithful.camera.hash:
        raise InputError(
            f"{where}: are of different cameras, {detailed.camera.name!r} ({detailed.camera.hash[:12]}…) and "
            f"{faithful.camera.name!r} ({faithful.camera.hash[:12]}…); only adapters of one camera can be averaged."
        )
    if detailed.prior.identity != faithful.prior.identity:
        raise InputError(f"{where}: were trained on different priors, {detailed.prior.name} and {faithful.prior.name}.")
    first, second = (
        {name: tuple(each.shape) for name, each in restorer.parameters().items()} for restorer in (detailed, faithful)
    )
    optional = {name for name in first if name.startswith(("path_embedding.", "consistency.")) and name not in second}
    if different := sorted({name for name, _ in first.items() ^ second.items()} - optional):
        raise InputError(
            f"{where}: are of different settings, for their weights differ in shape, {different[0]} among others; "
            "train both with the same ranks, skips and conditioning."
        )


def _captures(pairs: Pairs, places: list[int]) -> list[tuple[np.ndarray, Capture]]:
    chosen = places[:: max(1, len(places) // CALIBRATION_PICTURES)][:CALIBRATION_PICTURES]
    return [(sample.clean, Capture(sample.degraded)) for sample in map(pairs.sample, chosen)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the averaged adapter; what is wrong with the arguments is one sentence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detailed", help="an adapter's folder or name")
    parser.add_argument("faithful", help="another one of the same camera and prior")
    parser.add_argument("--share", type=float, required=True, help="weight of FAITHFUL, 0 to 1")
    parser.add_argument("--pairs", type=Path, required=True, help="whole frames of the adapters' camera")
    parser.add_argument("-o", "--output", type=Path, required=True, help="a new or empty folder")
    given = parser.parse_args(arguments)
    try:
        average_adapters(given.detailed, given.faithful, given.share, given.pairs, given.output)
    except InputError as error:
        sys.exit(f"average_adapters: {error}")


if __name__ == "__main__":
    main()
