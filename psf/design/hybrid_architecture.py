"""Architectures with refractive surfaces: rays through the glass, which stays as it is, and the phase to begin with.

The metasurface is its own stop, so that chief rays and the cone of light do not depend on its phase. Behind the last
surface rays are straight: where they land, and how wide they are seen, is linear in the distance of the sensor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.surfaces import surfaces_behind
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import GREEN
from metalens.optics.from_lens_toml import metalens_of
from metalens.optics.metalens import Metalens
from metalens.optics.phase import EvenPolynomial
from metalens.optics.refraction.aimed_rays import aimed_bundle
from metalens.optics.refraction.check import ON_PLACE, checked_behind_surfaces
from metalens.optics.source import Source
from metalens.psf.conjugates import Conjugates, source_at
from metalens.psf.rays import chief_ray, ray_landing, seen_cone
from metalens.psf.spectra.spectrum import spectral_quadrature

TERMS = 4
"""Number of terms of the phase to begin with: r², r⁴, r⁶, r⁸."""

_ANGLES = np.radians(np.arange(0, 80, 0.1))
_RAYS, _STEPS = 16, 8


@dataclass(frozen=True)
class HybridRays:
    """Rays of a camera with refractive surfaces, for two distances of its sensor.

    Attributes:
        sine: ``[angle]`` sines of field angles, ascending from 0.
        focal_length: ``[2]`` from the metasurface to the sensor, in µm.
        landing: ``[2, angle]`` where their chief rays land, in µm from the axis; not finite where none arrives.
        cone: ``[2]`` focal length of a lens without glass with the same cone of light, in µm.
        nearest: the sensor lies farther from the metasurface than this, in µm: behind the last glass.
    """

    sine: np.ndarray
    focal_length: np.ndarray
    landing: np.ndarray
    cone: np.ndarray
    nearest: float

    def cone_um(self, focal_length: np.ndarray) -> np.ndarray:
        """``[candidate]`` focal length of a lens without glass that has the same cone of light, in µm.

        Args:
            focal_length: ``[candidate]`` in µm.
        """
        share = self._share(focal_length)
        return np.asarray((1 - share) * self.cone[0] + share * self.cone[1])

    def sine_of(self, focal_length: np.ndarray, radius: float) -> np.ndarray:
        """``[candidate]`` sine of the field angle whose chief ray lands at a radius; NaN where none does.

        Args:
            focal_length: ``[candidate]`` in µm.
            radius: on the sensor, in µm.

        Returns:
            ``[candidate]`` from 0 to 1, or NaN.
        """
        share = self._share(focal_length)[:, None]
        with np.errstate(invalid="ignore"):
            landed = (1 - share) * self.landing[0] + share * self.landing[1]
            # The image is the branch that begins on the axis; it ends where it folds over (``psf/rays.py``).
            rises = np.logical_and.accumulate(np.diff(landed, axis=1) > 0, axis=1)
        found = np.full(len(landed), np.nan)
        for row, (place, on_branch) in enumerate(zip(landed, rises, strict=True)):
            count = 1 + int(on_branch.sum())
            if focal_length[row] > self.nearest and place[count - 1] >= radius:
                found[row] = np.interp(radius, place[:count], self.sine[:count])
        return found

    def _share(self, focal_length: np.ndarray) -> np.ndarray:
        return np.asarray((focal_length - self.focal_length[0]) / np.diff(self.focal_length)[0])


def hybrid_rays(camera: Camera) -> HybridRays:
    """Trace chief rays at all field angles, in the middle of the green channel.

    Args:
        camera: with refractive surfaces and without a stop.
    """
    return _traced(camera.model_dump_json())


@lru_cache(maxsize=32)
def _traced(text: str) -> HybridRays:
    camera = Camera.model_validate_json(text)
    lens, wavelength = metalens_of(camera), green_wavelength(camera)
    distance = Conjugates(camera.object_distance_m).finite_distance
    sensors = [replace(lens, focal_length=share * lens.focal_length) for share in (1.0, 1.25)]
    behind, cover = surfaces_behind(camera.lens.surfaces), camera.lens.cover_glass
    return HybridRays(
        sine=np.sin(_ANGLES),
        focal_length=np.array([1e6 * float(each.focal_length) for each in sensors]),
        landing=np.array([1e6 * _landing(each, wavelength, jnp.sin(_ANGLES), distance) for each in sensors]),
        cone=np.array([1e6 * float(seen_cone(each, wavelength).focal_length) for each in sensors]),
        nearest=sum(each.thickness_um or 0.0 for each in behind) + (0.0 if cover is None else cover.thickness_um),
    )


def green_wavelength(camera: Camera) -> float:
    """Mean wavelength of the green channel in metres."""
    wavelength, weight = spectral_quadrature(camera.spectrum)
    return float(weight[GREEN] @ wavelength)


@jax.jit
def _landing(lens: Metalens, wavelength: jax.Array, sine: jax.Array, distance: jax.Array | None) -> jax.Array:
    """``[angle]`` in metres from the axis; NaN or infinite where no chief ray arrives."""

    def landing(sine: jax.Array) -> jax.Array:
        front, arrives = jnp.stack([jnp.zeros_like(sine), sine]), True
        if lens.surfaces:
            rays = aimed_bundle(lens.surfaces, source_at(front, distance), wavelength, jnp.zeros((1, 2))).rays
            away = jnp.linalg.norm(rays.place[0])
            front, arrives = rays.direction[0], (rays.fault[0] == 0) & (away < ON_PLACE * lens.aperture_diameter)
        return jnp.where(arrives, chief_ray(replace(lens, surfaces=()), wavelength, front).landing[1], jnp.nan)

    return jax.vmap(landing)(sine)


def focusing_phase(camera: Camera, wavelength: float) -> dict[str, object]:
    """The phase with which a wavelength is focused on the axis, through the glass: [lens.phase] of a lens.toml.

    The coefficients are those of the smallest spot of rays, by Gauss–Newton.

    Args:
        camera: with refractive surfaces and without a stop.
        wavelength: in metres.

    Returns:
        The table's keys and values, as :class:`metalens.formats.camera.lens_phase.Phase` takes them.

    Raises:
        InputError: rays do not come through the glass.
    """
    lens = metalens_of(camera)
    distance = Conjugates(camera.object_distance_m).finite_distance
    flat, light, _ = checked_behind_surfaces(lens, source_at(jnp.zeros(2), distance), wavelength)
    radius = 0.5 * float(lens.aperture_diameter)
    height = jnp.asarray(radius * np.sqrt((np.arange(_RAYS) + 0.5) / _RAYS))
    terms = np.zeros(TERMS)
    for _ in range(_STEPS):
        miss, slope = (np.asarray(each, dtype=float) for each in _miss(flat, light, wavelength, height, terms, radius))
        arrives = np.isfinite(miss) & np.isfinite(slope).all(axis=1)
        if arrives.sum() <= TERMS:
            raise InputError(
                f"explore: {camera.name}: light on the axis does not come through lens.surfaces; use a smaller "
                "pupil_um or other surfaces."
            )
        terms = terms - np.linalg.lstsq(slope[arrives], miss[arrives], rcond=None)[0]
    return {"family": "even_polynomial", "radius_um": 1e6 * radius, "coefficients_rad": terms.round(6).tolist()}


@jax.jit
def _miss(
    flat: Metalens, light: Source, wavelength: jax.Array, height: jax.Array, terms: jax.Array, radius: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Where rays land ``[ray]`` in µm from the axis, and the derivatives ``[ray, term]`` by the phase's terms."""

    def landing(terms: jax.Array) -> tuple[jax.Array, jax.Array]:
        focused = replace(flat, phase=EvenPolynomial(terms, radius))
        found = 1e6 * ray_landing(focused, light, wavelength, jnp.zeros_like(height), height)[0][:, 1]
        return found, found

    slope, miss = jax.jacfwd(landing, has_aux=True)(jnp.asarray(terms))
    return miss, slope
