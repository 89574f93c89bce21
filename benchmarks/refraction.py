"""Rays through refractive surfaces against optiland: places, directions and optical paths of the same rays.

Run it where optiland is installed beside metalens, in an environment of its own (`pip install optiland`):

    python benchmarks/refraction.py
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np
from optiland.materials import IdealMaterial
from optiland.optic import Optic
from optiland.rays import RealRays

from metalens.optics import Cauchy, Surface
from metalens.optics.refraction.surfaces import trace

LIGHT = 587.6e-9
MILLI, MICRO = 1e-3, 1e-6
CROWN, FLINT, AIR = Cauchy(1.5168), Cauchy(1.62), Cauchy(1.0)
PLANE = Surface(0.0, 0.0, np.zeros(0), 1e-3, 2e-3, 0.5e-3, CROWN)
SYSTEMS = {
    "plano-convex, sphere": (replace(PLANE, curvature=1 / 1.5e-3), replace(PLANE, medium=AIR)),
    "even asphere, conic −0.6": (
        replace(PLANE, curvature=1 / 1.2e-3, conic=-0.6, coefficients=np.array([0.0, 8e-6, -3e-6, 1e-6])),
        replace(PLANE, curvature=-1 / 6e-3, medium=AIR, thickness=0.2e-3),
    ),
    "doublet in contact": (
        replace(PLANE, curvature=1 / 2e-3, thickness=0.6e-3),
        replace(PLANE, curvature=-1 / 1.8e-3, thickness=0.3e-3, medium=FLINT),
        replace(PLANE, curvature=-1 / 9e-3, thickness=1e-3, medium=AIR),
    ),
}
ANGLES_DEG = (0.0, 10.0, 20.0)
APERTURE = 1e-3


def optiland_lens(surfaces: tuple[Surface, ...]) -> Optic:
    """The same surfaces in millimetres, the plane behind them as its image."""
    lens = Optic()
    lens.surfaces.add(index=0, thickness=np.inf)
    for number, surface in enumerate(surfaces, start=1):
        radius = np.inf if surface.curvature == 0 else 1 / surface.curvature / MILLI
        shape = {"surface_type": "standard"}
        if len(surface.coefficients):
            # Its own tolerance for the place on an asphere, 1e-10 mm, is a thousandth of a wave in the path.
            powers = 2 * np.arange(1, len(surface.coefficients) + 1)
            terms = surface.coefficients / MILLI / (surface.radius / MILLI) ** powers
            shape = {"surface_type": "even_asphere", "coefficients": terms.tolist(), "tol": 1e-15}
        medium = IdealMaterial(n=float(surface.medium.index(LIGHT)))
        lens.surfaces.add(
            index=number, radius=radius, conic=surface.conic, thickness=surface.thickness / MILLI, material=medium,
            is_stop=number == 1, **shape,
        )  # fmt: skip
    lens.surfaces.add(index=len(surfaces) + 1)
    return lens


def compared(surfaces: tuple[Surface, ...], degrees: float) -> tuple[float, float, float]:
    """Largest differences of places in nm, of direction cosines, and of optical paths in waves."""
    place = np.random.default_rng(0).uniform(-0.35, 0.35, (200, 2)) * APERTURE
    sine, count = np.sin(np.radians(degrees)), len(place)
    rays = RealRays(
        place[:, 1] / MILLI, place[:, 0] / MILLI, np.zeros(count), np.full(count, sine), np.zeros(count),
        np.full(count, np.sqrt(1 - sine**2)), np.ones(count), np.full(count, LIGHT / MICRO),
    )  # fmt: skip
    lens = optiland_lens(surfaces)
    for surface in lens.surfaces.surfaces[1:]:
        surface.trace(rays)
    direction = jnp.array([0.0, sine])
    found = jax.vmap(lambda start: trace(surfaces, LIGHT, start, direction))(jnp.asarray(place))
    axis = sum(surface.thickness * float(surface.medium.index(LIGHT)) for surface in surfaces)
    index = float(surfaces[-1].medium.index(LIGHT))
    there = np.stack([rays.y, rays.x], axis=-1) * MILLI
    cosines = np.stack([rays.M, rays.L], axis=-1) * index
    path = np.asarray(rays.opd) * MILLI - axis
    assert int(found.fault.max()) == 0
    return (
        1e9 * float(np.abs(np.asarray(found.place) - there).max()),
        float(np.abs(np.asarray(found.direction) - cosines).max()),
        float(np.abs(np.asarray(found.path) - path).max() / LIGHT),
    )


def main() -> None:
    """Print the differences as a table."""
    print(f"optiland {version('optiland')}, jax {jax.__version__}, double precision, 200 rays each\n")
    print("| surfaces | field | place (nm) | direction cosine | path (waves) |\n| --- | --- | --- | --- | --- |")
    for name, surfaces in SYSTEMS.items():
        for degrees in ANGLES_DEG:
            place, cosine, path = compared(surfaces, degrees)
            print(f"| {name} | {degrees:g}° | {place:.1e} | {cosine:.1e} | {path:.1e} |")


if __name__ == "__main__":
    with jax.enable_x64(True):
        main()
