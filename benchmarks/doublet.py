"""What a second metasurface is worth: the doublet of Arbabi et al. against a single surface behind the same stop.

``python benchmarks/doublet.py [--fields 0,10,20,30] [--json FILE]``. The geometry is the published one (Nature
Communications 7, 13682, 2016): a stop of 0.8 mm on one side of 1 mm of fused silica, a lens of 1.6 mm on the other,
850 nm, 717 µm to the sensor, f/0.9. The published coefficients are not used: both phases are even polynomials, fitted
to the smallest spots over the fields, once with a phase in the stop and once without. ``spot_um`` is the root mean
square radius of the rays about their centroid, ``strehl`` the peak of the PSF relative to the paraxial one on the axis
without aberration, π²R⁴/(λf)² over the area. Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measuring import machine
from scipy.optimize import least_squares

from metalens.optics import EvenPolynomial, Metalens, PlaneWave, Plate, Stop
from metalens.psf import simulate_psf
from metalens.psf.rays import pupil_points, ray_landing

LIGHT, INDEX = 850e-9, 1.4525
STOP, LENS, GLASS, BACK = 0.8e-3, 1.6e-3, 1e-3, 717e-6
OF_STOP, OF_LENS = 4, 6
"""Coefficients of the two polynomials."""

SPREAD = 8e-6
"""Metres that stand for a residual of one; spots are a tenth of it."""


def lens_of(coefficients: jax.Array | np.ndarray, *, doublet: bool) -> Metalens:
    """The lens of coefficients in units of 100 rad: those of the lens, then those of the stop."""
    values = 100 * jnp.asarray(coefficients)
    phase = EvenPolynomial(values[OF_LENS:], 0.5 * STOP) if doublet else None
    return Metalens(
        LENS, BACK, EvenPolynomial(values[:OF_LENS], 0.5 * LENS), stop=Stop(STOP, 0.0, phase=phase),
        substrate=Plate(GLASS, INDEX),
    )  # fmt: skip


def landings(lens: Metalens, sines: np.ndarray, points: tuple[jax.Array, jax.Array]) -> jax.Array:
    """``[field, ray, (y, x)]`` about the centroid."""

    def at(sine: jax.Array) -> jax.Array:
        source = PlaneWave(jnp.stack([jnp.zeros(()), sine]))
        found, _ = ray_landing(lens, source, jnp.asarray(LIGHT), *points)
        return found - found.mean(axis=0)

    return jnp.stack([at(jnp.asarray(each)) for each in sines])


def fitted(fields: np.ndarray, *, doublet: bool) -> np.ndarray:
    with jax.enable_x64(True):
        start = np.zeros(OF_LENS + (OF_STOP if doublet else 0))
        start[0] = -math.pi * (0.5 * LENS) ** 2 / (LIGHT * BACK) / 100
        y, x = (jnp.asarray(each[:-1].ravel()) for each in pupil_points(lens_of(start, doublet=doublet), 6, 16))
        keep = np.asarray(y) > 0
        points = (y[keep], x[keep])
        sines = np.sin(np.radians(fields))

        @jax.jit
        def residual(values: jax.Array) -> jax.Array:
            return (landings(lens_of(values, doublet=doublet), sines, points) / SPREAD).ravel()

        slope = jax.jit(jax.jacfwd(residual))
        found = least_squares(
            lambda values: np.asarray(residual(jnp.asarray(values))),
            start,
            lambda values: np.asarray(slope(jnp.asarray(values))),
            max_nfev=300,
        )
        return np.asarray(found.x)


def measured(coefficients: np.ndarray, fields: np.ndarray, *, doublet: bool) -> list[dict[str, float]]:
    lens, rows = lens_of(coefficients, doublet=doublet), []
    points = tuple(jnp.asarray(each[:-1].ravel()) for each in pupil_points(lens, 12, 32))
    ideal = math.pi * (0.5 * STOP) ** 2 / (LIGHT * BACK) ** 2
    for degrees in fields:
        rays = np.asarray(landings(lens, np.array([math.sin(math.radians(degrees))]), points))[0]  # type: ignore[arg-type]
        psf = simulate_psf(lens, LIGHT, math.radians(degrees), window=(64, 64), pixel_pitch=0.25e-6)
        rows.append(
            {
                "field_deg": float(degrees),
                "spot_um": round(1e6 * float(np.sqrt((rays**2).sum(axis=-1).mean())), 3),
                "strehl": round(float(np.asarray(psf).max()) / (0.25e-6**2 * ideal), 3),
            }
        )
        print("doublet" if doublet else "single", rows[-1], flush=True)
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
        told[name] = {"coefficients_rad": [round(100 * float(each), 4) for each in found]}
        told[name]["fields"] = measured(found, fields, doublet=name == "doublet")
    told["seconds"] = round(time.process_time() - before)
    print(json.dumps(told, indent=1))
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
