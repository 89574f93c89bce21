"""How far a point spread function with the correction by neighbours is from a computation of the whole lens.

``python benchmarks/whole_cylindrical_lens.py [--sites 29] [--focal-length-um 12] [--orders 15] [--phases 4] [--json
FILE]``. A
cylindrical lens of silicon nitride pillars (``si3n4-on-sio2``, 540 nm), one row of sites that repeats across, is
computed whole by rigorous coupled-wave analysis: the row is one supercell, whose field over one period is the field
behind the lens. It is compared with the local periodic approximation and with that times the correction of ``metalens
verify``, all three brought to the focus by the same angular spectrum, at two fields and in both polarisations.
Amplitudes are those of the power in each plane wave. Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from measuring import machine

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.meta_atoms.verification import Verification
from metalens.optics import metalens_of
from metalens.optics.fabrication import library_of
from metalens.optics.meta_atoms.library import at_incidence
from metalens.optics.neighbours import Neighbours, neighbours_of
from metalens.optics.phase.gradient import phase_slope
from metalens.optics.rcwa.supercell import SupercellSolver, supercell_of
from metalens.optics.verification import VerificationPlan, plan_verification
from metalens.optics.verification.zone import verified_zone

LIGHT, PITCH, STEP = 540e-9, 350e-9, 25e-9
FIELDS = (0.0, math.radians(20))


def camera_of(sites: int, focal_length: float) -> Camera:
    response = {"kind": "library", "library": "si3n4-on-sio2", "wavelength_nm": 1e9 * LIGHT}
    phase = {"family": "hyperbolic", "wavelength_nm": 1e9 * LIGHT}
    table = {"aperture_um": 1e6 * sites * PITCH, "focal_length_um": 1e6 * focal_length}
    lens = {**table, "phase": phase, "response": response}
    return read_camera("hyperbolic").with_(lens=lens, sensor={"pixels": (16, 16), "pixel_pitch_um": 0.5})


def correction_of(plan: VerificationPlan) -> Neighbours:
    rows = [row for count in plan.zones for row in verified_zone(plan, count, LIGHT)]
    found = Verification(
        camera="cylinder", lens_hash="0" * 64, library=plan.library.name, tolerance=plan.tolerance, zones=tuple(rows)
    )
    print(f"zones {list(plan.zones)}, rows not converged {found.unconverged}", flush=True)
    for row in rows:
        told = f"{row.local:.3f} {row.supercell:.3f} {row.phase_error_rad:+.2f} ± {row.uncertainty:.3f}"
        print(f"{row.pillars:3d} {row.field_deg:4.0f}° {row.azimuth_deg:4.0f} {row.polarisation} {told}", flush=True)
    return neighbours_of(found, flat_cells=True, orders=())


def at_focus(field: np.ndarray, focal_length: float, sine: float) -> tuple[np.ndarray, np.ndarray]:
    """Places about the chief ray's in metres, and the intensity there, of a field ``[x]`` at steps of :data:`STEP`."""
    length = 2**14
    padded = np.zeros(length, dtype=complex)
    padded[: len(field)] = field
    sines = np.fft.fftfreq(length, STEP) * LIGHT
    travels = np.abs(sines) < 1
    gamma = np.sqrt(np.where(travels, 1 - sines**2, 0))
    spectrum = np.fft.fft(padded) * np.where(travels, np.exp(2j * np.pi / LIGHT * focal_length * gamma), 0)
    intensity = np.abs(np.fft.ifft(spectrum)) ** 2
    middle = 0.5 * (len(field) - 1) + focal_length * sine / math.sqrt(1 - sine**2) / STEP
    place = (np.arange(length) - middle) * STEP
    near = np.abs(place) < 6e-6
    return place[near], intensity[near] / len(field)


def whole_field(solver: SupercellSolver, angle: float, polarisation: str, x: np.ndarray) -> np.ndarray:
    orders = solver.scattered(angle, 0.0, polarisation)
    coefficients = solver.layer.coefficients
    along = coefficients[:, 1] == 0
    amplitude = np.sqrt(np.maximum(orders.order_shares[along], 0)) * np.exp(1j * orders.order_phases[along])
    number = 2 * np.pi * (coefficients[along, 0] / (len(solver.cell.geometry) * PITCH) + math.sin(angle) / LIGHT)
    return np.exp(1j * x[:, None] * number) @ amplitude


def compared(sites: int, focal_length: float, orders: int, phases: int) -> list[dict[str, Any]]:
    camera = camera_of(sites, focal_length)
    plan = plan_verification(
        camera, fields=FIELDS, wavelengths=[LIGHT], zones=5, most_pillars=10, orders_per_atom=(9, 15, 25),
        constant_phases=phases,
    )  # fmt: skip
    correction, lens = correction_of(plan), metalens_of(camera)
    library = library_of(lens)
    assert library is not None
    site = PITCH * (np.arange(sites) - sites // 2)
    phase = lens.phase.at(jnp.zeros(sites), jnp.asarray(site))
    chosen = np.asarray(lens.response.chosen_geometry(phase), dtype=float)  # type: ignore[attr-defined]
    solver = SupercellSolver(supercell_of(plan.library, chosen[:, None], LIGHT), orders)
    x = STEP * (np.arange(round(sites * PITCH / STEP)) + 0.5) - 0.5 * sites * PITCH
    number = np.clip(np.floor((x + 0.5 * sites * PITCH) / PITCH), 0, sites - 1).astype(int)
    slope = phase_slope(lens.phase, jnp.zeros(len(x)), jnp.asarray(x))
    rows = []
    for angle in FIELDS:
        direction = jnp.asarray([0.0, math.sin(angle)])
        tilt = np.exp(2j * np.pi * math.sin(angle) / LIGHT * x)
        for which, polarisation in enumerate("sp"):
            seen = at_incidence(library, which, jnp.asarray(math.sin(angle) ** 2))
            local = np.asarray(seen.at(jnp.asarray(chosen), jnp.asarray(LIGHT)))[number] * tilt
            factor = np.asarray(correction.factor(slope, direction, jnp.asarray(LIGHT), which))
            # The supercell's origin is its first site.
            whole = whole_field(solver, angle, polarisation, x - site[0])
            fields = {"local": local, "corrected": local * factor, "whole": whole}
            found = {name: at_focus(each, focal_length, math.sin(angle)) for name, each in fields.items()}
            rows.append({"field_deg": math.degrees(angle), "polarisation": polarisation, **figures(found)})
            print(rows[-1], flush=True)
    return rows


def figures(found: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Peaks and shares within 1 µm and 6 µm, and distances to the whole lens' function, relative to its norm."""
    place, whole = found["whole"]
    told = {}
    for name, (_, each) in found.items():
        told[f"peak_{name}"] = float(each.max() / whole.max())
        told[f"in_1um_{name}"] = float(each[np.abs(place) < 1e-6].sum())
        told[f"in_6um_{name}"] = float(each.sum())
        told[f"distance_{name}"] = float(np.linalg.norm(each - whole) / np.linalg.norm(whole))
    return {name: round(value, 4) for name, value in told.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--sites", type=int, default=29)
    parser.add_argument("--focal-length-um", type=float, default=12.0)
    parser.add_argument("--orders", type=int, default=15, help="Fourier orders for each pillar of the whole lens")
    parser.add_argument("--phases", type=int, default=4, help="constant phases of each zone that are averaged")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    before = time.process_time()
    rows = compared(options.sites, 1e-6 * options.focal_length_um, options.orders, options.phases)
    told = {"machine": machine(), "rows": rows, "seconds": round(time.process_time() - before)}
    print(json.dumps(told, indent=1))
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
