"""Gratings of a few pillars from the shipped libraries: the share in their first order with and without neighbours.

``python benchmarks/supercell_gratings.py [--orders 120] [--json FILE]``. Each grating has the pillars that the local
periodic approximation finds best at normal incidence. ``local`` is that approximation with flat cells at the angle of
incidence, ``supercell`` rigorous coupled-wave analysis with all neighbours, the light from the side on which the first
order is bent farther from the normal and from the other one. ``change`` is the largest difference from the same with
three quarters of the Fourier orders: a resonance converges late. Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import machine

from metalens.formats.meta_atoms.library import AtomLibrary, library_path, read_atom_library
from metalens.optics.rcwa.supercell import SupercellSolver, local_amplitude, supercell_of

GRATINGS = (("si3n4-on-sio2", 540e-9, 5), ("tio2-on-sio2", 600e-9, 5), ("a-si-on-sio2", 1500e-9, 3))
"""Library, wavelength and number of pillars."""

PISTONS = 48


def best_pillars(library: AtomLibrary, colour: int, count: int) -> np.ndarray:
    """Numbers of the meta-atoms that make the most light by the local approximation, of all constant phases."""
    through = library.transmission[0, 0, :, colour]
    wanted = np.exp(1j * (2 * np.pi * np.arange(PISTONS)[:, None] / PISTONS - 2 * np.pi * np.arange(count) / count))
    chosen = np.abs(through - wanted[..., None]).argmin(axis=-1)
    return chosen[np.argmax([abs(local_amplitude(through[each])) for each in chosen])]


def grating(name: str, wavelength: float, count: int, orders: int) -> list[dict[str, Any]]:
    library = read_atom_library(library_path(name))
    colour = int(np.abs(library.wavelength - wavelength).argmin())
    atoms = best_pillars(library, colour, count)
    cell = supercell_of(library, library.geometry[atoms], wavelength)
    solvers, rows = [SupercellSolver(cell, count) for count in (orders, 3 * orders // 4)], []
    for degrees in (0.0, 20.0):
        angle = int(np.abs(library.angle - math.radians(degrees)).argmin())
        for number, polarisation in enumerate("sp"):
            local = abs(local_amplitude(library.transmission[number, angle, atoms, colour])) ** 2
            turns = (0.0, math.pi) if degrees else (0.0,)
            found, fewer = (
                np.array([abs(each.at(math.radians(degrees), turn, polarisation).amplitude) ** 2 for turn in turns])
                for each in solvers
            )
            rows.append(
                {
                    "library": name, "wavelength_nm": round(1e9 * wavelength), "sine": round(cell.deflection, 3),
                    "pillars_nm": [round(1e9 * float(each[0])) for each in cell.geometry], "field_deg": degrees,
                    "polarisation": polarisation, "local": round(float(local), 3),
                    "away": round(float(found.min()), 3), "towards": round(float(found.max()), 3),
                    "change": round(float(abs(found - fewer).max()), 3),
                    "fourier_orders": len(solvers[0].layer.coefficients),
                }
            )  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--orders", type=int, default=120, help="Fourier orders for each pillar")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    before = time.process_time()
    rows = [row for each in GRATINGS for row in grating(*each, options.orders)]
    told = {"machine": machine(), "rows": rows, "seconds": round(time.process_time() - before)}
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"{told['seconds']} s")


if __name__ == "__main__":
    main()
