"""The plane from which light goes to the sensor as waves, in which every engine simulates a flat lens."""

from __future__ import annotations

import math
from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.fabrication import library_of
from metalens.optics.incidence import largest_squared_sine
from metalens.optics.meta_atoms.oblique import check_angles
from metalens.optics.metalens import Metalens
from metalens.optics.polarised import polarised_lenses
from metalens.optics.refraction.check import checked_behind_surfaces
from metalens.optics.refraction.exit_check import checked_exit_light, choose_exit_plane
from metalens.optics.refraction.exit_light import ExitPlane, in_exit_plane
from metalens.optics.refraction.refracted_light import RefractedLight
from metalens.optics.source import PointSource, Source
from metalens.psf.engines.incoming import incoming_light
from metalens.psf.rays import check_chief_ray, pupil_points


def at_wave_plane(
    lens: Metalens, wavelength: np.ndarray, sources: list[Source]
) -> tuple[Metalens, list[Source], ExitPlane | None]:
    """The plane from which light goes to the sensor as waves, checked: that of the lens, or the exit pupil's.

    Args:
        lens: with or without refractive surfaces.
        wavelength: ``[wavelength]`` in metres.
        sources: the light of each field.

    Returns:
        The flat lens there, the light of all fields at each end of the spectrum, and the exit plane if there is glass
        behind the metasurface.

    Raises:
        InputError: rays do not come through, or meet meta-atoms at angles that their library has not.
    """
    refracts = lens.surfaces or lens.rear_surfaces
    ends = sorted({float(wavelength.min()), float(wavelength.max())} if refracts else {float(wavelength.min())})
    lit = [(*checked_behind_surfaces(lens, source, value)[:2], value) for value in ends for source in sources]
    for value in wavelength:
        for source in sources:
            check_chief_ray(lens, float(value), source)
    flat = replace(lens, surfaces=()) if lens.surfaces else lens
    for _, light, _ in lit:
        _check_incidence(flat, light)
    if not lens.rear_surfaces:
        return flat, [light for _, light, _ in lit], None
    plane = choose_exit_plane(flat, [(light, value) for _, light, value in lit])
    exits = []
    for each, light, value in lit:
        seen = polarised_lenses(each, light)[0][1]
        exits.append(checked_exit_light(seen, light, value, plane, incoming_light(each, light)))
    return in_exit_plane(flat, exits[0].light, exits[0].opening), [each.light for each in exits], plane


def _check_incidence(lens: Metalens, source: Source) -> None:
    """Refuse light that meets the meta-atoms beyond the angles of their library.

    Args:
        lens: with or without a library.
        source: of the light of one field point.

    Raises:
        InputError: the light does, at some place of the lens; or it comes from a near point, and supercells know plane
            waves, or from beyond the fields of the supercells.
    """
    if lens.neighbours is not None:
        if isinstance(source, PointSource):
            raise InputError(
                "lens.neighbours: supercells are computed in plane waves, and this object is at a finite distance; set "
                "the object to infinity, or leave out lens.neighbours."
            )
        lens.neighbours.check_field(float(np.hypot(*np.asarray(source.direction, dtype=float))))
    library = library_of(lens)
    bends = lens.stop is not None and lens.stop.phase is not None
    if bends and (lens.neighbours is not None or (library is not None and library.oblique is not None)):
        raise InputError(
            "psf: a metasurface in the stop gives the light at the lens many directions, and the library's meta-atoms "
            'respond to that of the field; set incidence = "normal" in [lens] and leave out lens.neighbours.'
        )
    if library is None or library.oblique is None:
        return
    if lens.stop is not None and isinstance(source, RefractedLight):
        raise InputError(
            "psf: refractive surfaces give the light behind the stop many directions, and the library's meta-atoms "
            'respond to that of the field; set incidence = "normal" in [lens], or leave out the stop.'
        )
    y, x = pupil_points(lens)
    angle = math.degrees(math.asin(float(np.hypot(*np.asarray(source.direction, dtype=float)))))
    largest = largest_squared_sine(lens, source, jnp.asarray(y), jnp.asarray(x))
    check_angles(library.oblique, largest, f"psf: light of the field at {angle:.1f}°")
