"""Time and memory of layouts of a lens: choosing its structure, writing, reading it, and the forms weighed.

``python benchmarks/layout.py [--diameter-um 1000] [--pitch-nm 350] [--steps choose "write oasis"]``. Every step is a
process of its own: seconds on the clock, seconds of the processor, and its largest memory, with its children's. The
lens is hyperbolic, f = 2 D, of pillars of the nano-optics proxy. What is read back is compared site by site with what
was written.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

import gdstk
import numpy as np
from measuring import machine

from metalens.formats.camera.structure import EMPTY, Structure, read_structure, write_structure
from metalens.optics.layout.mask import MaskOptions, write_mask
from metalens.optics.layout.reading import read_drawn_atoms
from metalens.optics.layout.recognition import Made, structure_of_layout
from metalens.optics.layout.sites_table import read_sites_table, write_sites_table

STEPS = (
    "choose",
    "write gds",
    "write gds whole",
    "write oasis",
    "write oasis whole",
    "write csv",
    "read gds",
    "read gds whole",
    "read oasis",
    "read oasis whole",
    "read csv",
    "gdstk reads gds whole",
)


def choose(folder: Path, diameter: float, pitch: float) -> str:
    from metalens.optics import Hyperbolic, Metalens
    from metalens.optics.structure import StructureOptions, choose_structure

    lens = Metalens(diameter, 2 * diameter, Hyperbolic(2 * diameter, 532e-9))
    made = choose_structure(lens, "nano-optics-proxy", StructureOptions(pitch=pitch, wavelengths=[532e-9]))
    write_structure(folder / "structure.h5", made)
    return f"{int(made.counts().sum())} sites, {int((made.counts() > 0).sum())} geometries"


def write(path: Path, made: Structure, diameter: float, kind: str, whole: bool) -> str:
    if kind == "csv":
        return f"{write_sites_table(path, made)} lines, {path.stat().st_size / 1e6:.1f} MB"
    figures = write_mask(path, made, kind, diameter=diameter, options=MaskOptions(quadrants=not whole))
    return f"{figures.references} references, {figures.size / 1e6:.1f} MB"


def read(path: Path, made: Structure, kind: str) -> str:
    known = Made(made.height)
    found = read_sites_table(path, known) if kind == "csv" else structure_of_layout(read_drawn_atoms(path), known)
    again = found.structure
    margin = [(one - other) // 2 for one, other in zip(made.site_index.shape, again.site_index.shape, strict=True)]
    inner = made.site_index[
        margin[0] : len(made.site_index) - margin[0], margin[1] : made.site_index.shape[1] - margin[1]
    ]
    assert int((again.site_index != EMPTY).sum()) == int((made.site_index != EMPTY).sum())
    taken = inner != EMPTY
    assert (taken == (again.site_index != EMPTY)).all()
    away = np.abs(again.geometry[again.site_index[taken], 0] - made.geometry[inner[taken], 0]).max()
    return f"every site as written, widths within {1e9 * away:.2g} nm"


def read_by_gdstk(path: Path) -> str:
    references = gdstk.read_gds(path).top_level()[0].references
    return f"{len(np.array([each.origin for each in references]))} origins"


def step(name: str, folder: Path, diameter: float, pitch: float) -> dict:
    what, _, rest = name.partition(" ")
    kind, _, whole = rest.partition(" ")
    path = folder / f"lens{whole}.{kind}"
    made = read_structure(folder / "structure.h5") if what in ("write", "read") else None
    started, used = time.perf_counter(), processor_seconds()
    if what == "choose":
        told = choose(folder, diameter, pitch)
    elif what == "gdstk":
        told = read_by_gdstk(folder / "lenswhole.gds")
    else:
        assert made is not None
        told = write(path, made, diameter, kind, bool(whole)) if what == "write" else read(path, made, kind)
    seconds, busy = time.perf_counter() - started, processor_seconds() - used
    unit = 1 if sys.platform == "darwin" else 1024
    memory = sum(getrusage(who).ru_maxrss * unit for who in (RUSAGE_SELF, RUSAGE_CHILDREN)) / 1e9
    return {"seconds": seconds, "busy": busy, "gigabytes": memory, "told": told}


def processor_seconds() -> float:
    """Of this process and its children so far."""
    return sum(getrusage(who).ru_utime + getrusage(who).ru_stime for who in (RUSAGE_SELF, RUSAGE_CHILDREN))


def forms(structure: Structure) -> None:
    """Bytes of a GDSII file that refers to each site, and of one with an array for each run of equal neighbours."""
    flat = structure.site_index.ravel()
    starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
    lengths = np.diff(np.r_[starts, flat.size])[flat[starts] != EMPTY]
    # A reference has 24 bytes and its cell's name, an array 48.
    single, runs = (lengths == 1).sum(), (lengths > 1).sum()
    alone, arrays = 30 * lengths.sum() / 1e6, (30 * single + 54 * runs) / 1e6
    share = single / lengths.sum()
    print(f"\nreferences alone {alone:.0f} MB, arrays for runs {arrays:.0f} MB; {share:.0%} of the sites have no run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--diameter-um", type=float, default=1000.0)
    parser.add_argument("--pitch-nm", type=float, default=350.0)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS, help="what is measured, choose first")
    parser.add_argument("--one", nargs=2, metavar=("STEP", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, folder = options.one
        print(json.dumps(step(name, Path(folder), 1e-6 * options.diameter_um, 1e-9 * options.pitch_nm)))
        return
    print(machine())
    print(f"\n| D {options.diameter_um:g} µm, pitch {options.pitch_nm:g} nm | s | processor s | GB | |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.steps:
            command = [sys.executable, __file__, *sys.argv[1:], "--one", name, folder]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(run.stdout.splitlines()[-1])
            figures = " | ".join(f"{found[key]:.1f}" for key in ("seconds", "busy", "gigabytes"))
            print(f"| {name} | {figures} | {found['told']} |", flush=True)
        if options.steps == STEPS:
            forms(read_structure(Path(folder) / "structure.h5"))


if __name__ == "__main__":
    main()
