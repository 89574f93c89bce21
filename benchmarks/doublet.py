"""What a second metasurface is worth: the doublet of Arbabi et al. against a single surface behind the same stop.

``python benchmarks/doublet.py [--fields 0,10,20,30] [--json FILE]``. The geometry is the published one (Nature
Communications 7, 13682, 2016): a stop of 0.8 mm on one side of 1 mm of fused silica, a lens of 1.6 mm on the other,
850 nm, 717 µm to the sensor, f/0.9. The published coefficients are not used: both phases are even polynomials, fitted
to the smallest spots over the fields as the start ``smallest_spots`` of a design does, once with a phase in the stop
and once without. ``spot_um`` is the root mean square radius of the rays about their centroid, ``strehl`` the peak of
the PSF relative to the paraxial one on the axis without aberration, π²R⁴/(λf)² over the area. Seconds are of the
processor.
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

from metalens.formats.camera import parts
from metalens.optics import Metalens, PlaneWave, Plate, Quadratic, Stop
from metalens.psf import simulate_psf
from metalens.psf.camera_fields import CameraView
from metalens.psf.design.doublet_variables import DoubletVariables
from metalens.psf.design.smallest_spots import smallest_spots
from metalens.psf.design.variables import PolynomialVariables
from metalens.psf.rays import pupil_points, ray_landing

LIGHT, INDEX = 850e-9, 1.4525
STOP, LENS, GLASS, BACK = 0.8e-3, 1.6e-3, 1e-3, 717e-6
OF_STOP, OF_LENS = 4, 6
"""Coefficients of the two polynomials."""


def fitted(fields: np.ndarray, *, doublet: bool) -> Metalens:
    start = Metalens(
        LENS, BACK, Quadratic(BACK, LIGHT), stop=Stop(STOP, 0.0), substrate=Plate(GLASS, INDEX)
    )  # fmt: skip
    places = np.stack([np.zeros_like(fields), BACK * np.sin(np.radians(fields))], axis=1)
    view = CameraView(start, places, np.zeros_like(places), math.inf, 0.0, (0.0, 0.0))
    of_lens = PolynomialVariables(OF_LENS, 0.5 * LENS)
    stop = parts.Stop(diameter_um=1e6 * STOP, distance_um=0.0)
    both = DoubletVariables(of_lens, PolynomialVariables(OF_STOP, 0.5 * STOP), stop)
    variables = both if doublet else of_lens
    return variables.lens(start, jnp.asarray(smallest_spots(view, np.array([LIGHT]), variables, start)))


def measured(lens: Metalens, fields: np.ndarray) -> list[dict[str, float]]:
    rows = []
    points = [jnp.asarray(each[:-1].ravel()) for each in pupil_points(lens, 12, 32)]
    ideal = math.pi * (0.5 * STOP) ** 2 / (LIGHT * BACK) ** 2
    for degrees in fields:
        source = PlaneWave(jnp.array([0.0, math.sin(math.radians(degrees))]))
        landing, inside = ray_landing(lens, source, jnp.asarray(LIGHT), *points)
        rays = np.asarray(landing)[np.asarray(inside)]
        rays -= rays.mean(axis=0)
        psf = simulate_psf(lens, LIGHT, math.radians(degrees), window=(64, 64), pixel_pitch=0.25e-6)
        rows.append(
            {
                "field_deg": float(degrees),
                "spot_um": round(1e6 * float(np.sqrt((rays**2).sum(axis=-1).mean())), 3),
                "strehl": round(float(np.asarray(psf).max()) / (0.25e-6**2 * ideal), 3),
            }
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--fields", default="0,10,20,30", help="in degrees, with commas")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    before, fields = time.process_time(), np.array([float(each) for each in options.fields.split(",")])
    told: dict[str, Any] = {"machine": machine()}
    for name in ("single", "doublet"):
        found = fitted(fields, doublet=name == "doublet")
        phases = [found.phase] + ([found.stop.phase] if name == "doublet" else [])
        told[name] = {
            "coefficients_rad": [np.round(np.asarray(each.coefficients), 4).tolist() for each in phases],
            "fields": measured(found, fields),
        }
    told["seconds"] = round(time.process_time() - before)
    print(json.dumps(told, indent=1))
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
