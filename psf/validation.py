"""Checks of the arguments of a simulation."""

from __future__ import annotations

import math
from numbers import Real

import jax.numpy as jnp
import numpy as np

from metalens.formats.files.arguments import require_number, require_whole_pair
from metalens.formats.files.errors import InputError
from metalens.optics.aperture import Circle
from metalens.optics.fabrication import library_of
from metalens.optics.metalens import Metalens
from metalens.optics.phase.profile import Phase
from metalens.optics.phase.stretched import Stretched
from metalens.optics.refraction.rear_rays import air_behind, cover_thickness
from metalens.optics.refraction.surfaces import Surface
from metalens.psf.conjugates import Conjugates
from metalens.psf.engines.image_window import ImageWindow

LARGEST_FIELD_ANGLE = math.radians(75)
"""Largest field angle, in radians; beyond it a scalar model without cosine factors is not acceptable."""

FieldAngle = float | tuple[float, float]
"""θ, or (θ, φ), in radians."""


def field_direction(field_angle: FieldAngle) -> tuple[float, float]:
    """Direction cosines (y, x) of the plane wave that comes from a field angle θ or (θ, φ) in radians.

    Raises:
        InputError: an angle is not finite or beyond 75°.
    """
    theta, phi = field_angle if isinstance(field_angle, tuple) and len(field_angle) == 2 else (field_angle, 0.0)
    if not isinstance(theta, Real) or not isinstance(phi, Real):
        raise InputError(f"psf: field angle {field_angle!r}: θ, or a pair of θ and φ, was expected, in radians.")
    if not (math.isfinite(theta) and math.isfinite(phi)) or abs(theta) > LARGEST_FIELD_ANGLE:
        raise InputError(
            f"psf: field angle ({theta:z.4g}, {phi:z.4g}) rad is out of range; θ up to 75° (1.309 rad) and a finite "
            "φ were expected, both in radians."
        )
    return math.sin(theta) * math.sin(phi), math.sin(theta) * math.cos(phi)


def check_request(
    lens: Metalens,
    wavelength: np.ndarray,
    window: ImageWindow,
    conjugates: Conjugates,
) -> None:
    """Check that all values of a simulation are finite and in range; units as in :func:`metalens.psf.simulate_psf`.

    Args:
        lens: the metalens.
        wavelength: ``[wavelength]`` in metres.
        window: samples of each PSF.
        conjugates: object and sensor.

    Raises:
        InputError: with the first such value.
    """
    if wavelength.size == 0 or not np.all((wavelength >= 200e-9) & (wavelength <= 20e-6)):
        bad = wavelength[~((wavelength >= 200e-9) & (wavelength <= 20e-6))]
        found = f"wavelength {bad[0]:.4g} m is out of range" if bad.size else "no wavelength was given"
        raise InputError(f"psf: {found}; 2e-7 to 2e-5 was expected, in metres.")
    require_whole_pair(window.shape, "psf: window", most=2**16)
    require_number(window.pixel_pitch, "psf: pixel_pitch")
    distance = float(lens.focal_length) + conjugates.defocus
    object_distance, sensor_tilt = conjugates.object_distance, conjugates.sensor_tilt
    for name, length in [
        ("pixel_pitch", window.pixel_pitch),
        ("aperture_diameter", float(lens.aperture_diameter)),
        ("focal_length", float(lens.focal_length)),
        ("focal_length + defocus", distance),
    ]:
        if not 0 < length < math.inf:
            raise InputError(f"psf: {name} {length:.4g} m is out of range; a positive length was expected, in metres.")
    if not object_distance > 0:
        raise InputError(
            f"psf: object_distance {object_distance:.4g} m is out of range; a positive length was expected, in metres."
        )
    if not all(abs(slope) <= math.tan(math.radians(20)) for slope in sensor_tilt):
        raise InputError(
            f"psf: sensor_tilt ({sensor_tilt[0]:z.3g}, {sensor_tilt[1]:z.3g}) is out of range; slopes up to "
            "tan 20° = 0.364 were expected."
        )
    if lens.cover_glass is not None and not 0 <= float(lens.cover_glass.thickness) < distance:
        raise InputError(
            f"psf: a cover glass of {1e6 * float(lens.cover_glass.thickness):.0f} µm does not fit between the lens and "
            f"a sensor {1e6 * distance:.0f} µm behind it."
        )
    if lens.substrate is not None and lens.stop is None and math.isfinite(object_distance):
        raise InputError(
            "psf: a substrate in front of a lens that is its own stop bends light from a finite distance in a way "
            "that is not simulated; leave the substrate out, or set object_distance to infinity, where it does not "
            "matter."
        )
    _check_surfaces(lens, conjugates)
    lens.check(wavelength)
    if min(window.shape) < 1:
        raise InputError(f"psf: window {window.shape[0]} × {window.shape[1]} is empty; at least 1 × 1 was expected.")
    for each in lens.phases:
        _check_design_wavelength(each)
    rim = jnp.linspace(0, 0.5 * float(lens.aperture_diameter), 65)
    phases = [each.at(*place) for each in lens.phases for place in ((0 * rim, rim), (rim, 0 * rim))]
    if not all(bool(jnp.isfinite(phase).all()) for phase in phases):
        raise InputError(
            "psf: the lens' phase is not finite everywhere on the aperture; correct its coefficients, focal "
            "length or design wavelength."
        )


def _check_design_wavelength(phase: Phase) -> None:
    """Check the design wavelength of a profile that has one, and of all terms of a sum."""
    for inner in (*getattr(phase, "terms", ()), *([phase.phase] if isinstance(phase, Stretched) else [])):
        if isinstance(inner, Phase):
            _check_design_wavelength(inner)
    design = getattr(phase, "wavelength", None)
    if design is not None and not 200e-9 <= float(design) <= 20e-6:
        raise InputError(
            f"psf: the design wavelength {float(design):.4g} m of a {type(phase).__name__} phase is out of range; 2e-7 "
            "to 2e-5 was expected, in metres."
        )


def _check_surfaces(lens: Metalens, conjugates: Conjugates) -> None:
    """Check the lengths of refractive surfaces, and that nothing is asked of them that is not simulated."""
    if not lens.surfaces and not lens.rear_surfaces:
        return
    _check_lengths(lens.surfaces, "surface")
    _check_lengths(lens.rear_surfaces, "rear surface")
    if any(conjugates.sensor_tilt):
        raise InputError("psf: tilted sensors are not simulated behind refractive surfaces; set sensor_tilt to (0, 0).")
    if lens.neighbours is not None:
        raise InputError(
            "lens.neighbours: supercells are computed in plane waves, and refractive surfaces bend the light; leave "
            "out one of them."
        )
    if lens.substrate is not None and lens.stop is None:
        raise InputError(
            "psf: a substrate without a stop lies behind the refractive surfaces; give its glass and thickness to the "
            "last surface, and leave the substrate out."
        )
    if lens.rear_surfaces:
        _check_rear(lens, conjugates)


def _check_lengths(surfaces: tuple[Surface, ...], name: str) -> None:
    for number, surface in enumerate(surfaces, start=1):
        clear, thickness = float(surface.clear_diameter), float(surface.thickness)
        if not (0 < clear < math.inf and 0 <= thickness < math.inf):
            raise InputError(
                f"psf: {name} {number} has a clear_diameter of {clear:.4g} m and a thickness of {thickness:.4g} m; a "
                "positive diameter and a thickness of 0 or more were expected, in metres."
            )


def _check_rear(lens: Metalens, conjugates: Conjugates) -> None:
    """Check that there is room for the sensor, and that rays can carry what the metasurface does."""
    if len(lens.rear_surfaces) < 2:
        raise InputError(
            "psf: rear_surfaces are the plane of the metasurface and the surfaces behind it, and only the first is "
            "there; give others, or leave it out."
        )
    room = float(air_behind(lens)) - float(cover_thickness(lens)) + min(conjugates.defocus, 0.0)
    if room <= 0:
        raise InputError(
            f"psf: the sensor or its cover glass lies {-1e6 * room:.4g} µm in front of the last surface behind the "
            "metasurface; use a longer focal_length or thinner glass."
        )
    obstacle = _not_carried(lens, near=bool(lens.surfaces) or conjugates.finite_distance is not None)
    if obstacle is not None:
        raise InputError(
            f"psf: rays go from the metasurface through the refractive surfaces behind it, and do not carry {obstacle}."
        )


def _not_carried(lens: Metalens, *, near: bool) -> str | None:
    """What rays through surfaces behind the metasurface do not carry, and what to do; None if they carry all of it."""
    library = library_of(lens)
    if lens.structure is not None and lens.structure.acts_on_polarisation:
        return "meta-atoms that act on polarisation; describe the lens by its phase and a response of one order"
    if lens.structure is not None and not isinstance(lens.aperture, Circle):
        return "the mean light of meta-atoms behind another opening than a disc; leave out lens.aperture"
    if lens.second_phase is not None:
        return "two phases of two polarisations; give the light of one of them"
    if lens.structure is None and len(lens.response.orders) > 1:
        return (
            f"{len(lens.response.orders)} diffraction orders at once; give one alone in response.orders, which leaves "
            "the stray light of the others out"
        )
    if library is not None and library.oblique is not None and near:
        return (
            "meta-atoms that respond by an angle of incidence that varies over the lens, as of near objects and behind "
            'other surfaces; set incidence = "normal" in [lens]'
        )
    if lens.phase.flat_pixel is not None:
        return "a phase of flat pixels; use cubic interpolation"
    if any(getattr(each, "wrapped", False) for each in (lens.phase, *getattr(lens.phase, "terms", ()))):
        return "a phase that is known modulo 2π only; unwrap the map"
    return None
