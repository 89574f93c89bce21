"""Average the weights of two adapters of one camera: between two trainings, fidelity against detail.

    python scripts/average_adapters.py DETAILED FAITHFUL --share 0.15 --pairs pairs/ -o averaged/

SHARE is that of FAITHFUL. Adapters of one lineage can be averaged (Wortsman et al., CVPR 2022, arXiv 2109.01903); what
comes out is measured like any other. A path embedding that FAITHFUL lacks counts as that of DETAILED. The map of the
expected error is calibrated on photographs that PAIRS keep for validation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import read_pairs
from metalens.restore.adapter.adapter_file import load_restorer, save_adapter
from metalens.restore.inference.uncertainty import Capture, calibrate

CALIBRATION_PICTURES = 8


def main() -> None:
    """Write the averaged adapter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detailed")
    parser.add_argument("faithful")
    parser.add_argument("--share", type=float, required=True, help="weight of FAITHFUL, 0 to 1")
    parser.add_argument("--pairs", type=Path, required=True, help="whole frames of the adapters' camera")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    if not 0 <= given.share <= 1:
        parser.error(f"--share {given.share:g}: expected 0 to 1")
    detailed, faithful = load_restorer(given.detailed), load_restorer(given.faithful)
    if detailed.camera.hash != faithful.camera.hash or detailed.prior.identity != faithful.prior.identity:
        raise InputError(f"{given.detailed} and {given.faithful}: are of different cameras or priors.")
    other = faithful.parameters()
    with torch.no_grad():
        for name, parameter in detailed.parameters().items():
            parameter.lerp_(other.get(name, parameter), given.share)
    pairs = read_pairs(given.pairs)
    places = [int(place) for place in pairs.of_split("validation")]
    chosen = [pairs.sample(place) for place in places[:: max(1, len(places) // CALIBRATION_PICTURES)]]
    if detailed.bank is not None:
        held_out = [(each.clean, Capture(each.degraded)) for each in chosen[:CALIBRATION_PICTURES]]
        detailed.training["uncertainty"] = calibrate(detailed, detailed.bank, held_out)
    detailed.training["averaged"] = {"with": given.faithful, "share": given.share}
    given.output.mkdir()
    save_adapter(given.output, detailed)


if __name__ == "__main__":
    main()
