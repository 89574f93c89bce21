"""How long it takes to choose a lens' meta-atoms, to keep them in a file, and to simulate the lens that they make.

``python benchmarks/structure.py [--quick] [--json FILE]``. A hyperbolic lens at f/2 for 511 nm, sites 350 nm apart on a
square lattice, pillars of the published fit of neural nano-optics on a grid of 5 nm, for one wavelength and for three:
1 mm across, or with ``--quick`` 0.2 mm. The point spread function is that of a lens of 0.2 mm, 64 samples of 0.5 µm at
10°, and its peak is compared with the one of phase and response. Times are of the processor (user and system), once
each with what is compiled; memory is the process' largest.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from measuring import machine

from metalens.formats.camera.structure import read_structure, write_structure
from metalens.optics import Hyperbolic, MetaAtoms, Metalens, nano_optics_proxy
from metalens.optics.structure import StructureOptions, choose_structure, with_structure
from metalens.psf import simulate_psf

GREEN, PITCH, FOCAL_RATIO = 511e-9, 350e-9, 2.0
LIBRARY = "nano-optics-proxy"
LIGHT = {"window": (64, 64), "pixel_pitch": 0.5e-6}


def lens_of(diameter: float) -> Metalens:
    return Metalens(diameter, FOCAL_RATIO * diameter, Hyperbolic(FOCAL_RATIO * diameter, GREEN))


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    before = time.process_time()
    return work(), time.process_time() - before


def choose_and_keep(diameter: float) -> dict[str, Any]:
    """Seconds to choose, write and read, and what came of it."""
    lens, found = lens_of(diameter), {}
    for name, wavelengths in (("one", [GREEN]), ("three", [462e-9, GREEN, 606e-9])):
        structure, found[f"choose_{name}_s"] = timed(
            lambda nodes=wavelengths: choose_structure(
                lens, LIBRARY, StructureOptions(pitch=PITCH, wavelengths=nodes, step=5e-9)
            )
        )
        found[f"efficiency_{name}"] = structure.provenance["design_efficiency"]
    found["sites"] = int(structure.counts().sum())
    found["largest_memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "structure.h5"
        _, found["write_s"] = timed(lambda: write_structure(path, structure))
        found["file_mb"] = path.stat().st_size / 1e6
        _, found["read_s"] = timed(lambda: read_structure(path))
    return found


def simulate(diameter: float) -> dict[str, Any]:
    """Seconds of a point spread function by sites and by the response to the phase, and the ratio of their peaks."""
    lens, library = lens_of(diameter), nano_optics_proxy()
    structure = choose_structure(lens, LIBRARY, StructureOptions(pitch=PITCH, wavelengths=[GREEN], step=5e-9))
    lenses = {
        "sites": with_structure(lens, library, structure),
        "response": replace(lens, response=MetaAtoms(library, GREEN)),
    }
    found, peak = {}, {}
    for name, each in lenses.items():
        psf, found[f"psf_{name}_s"] = timed(
            lambda which=each: simulate_psf(which, GREEN, math.radians(10), engine="angular_spectrum", **LIGHT)
        )
        peak[name] = float(psf.max())
    return found | {"peak_ratio": peak["sites"] / peak["response"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a lens of 0.2 mm")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    figures = {"machine": machine(), **choose_and_keep(0.2e-3 if options.quick else 1e-3), **simulate(0.2e-3)}
    for name, value in figures.items():
        print(f"{name:20} {value if not isinstance(value, float) else format(value, '.4g')}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
