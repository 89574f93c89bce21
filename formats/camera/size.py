"""Length, diameter, light-gathering area and depth of focus of a lens."""

from __future__ import annotations

import math

from metalens.formats.camera.lens import Lens
from metalens.formats.camera.parts import AnnularAperture, PolygonalAperture
from metalens.formats.camera.surfaces import surfaces_in_front


def entrance_diameter_um(lens: Lens) -> float:
    """Diameter in µm of the opening that limits the light: the stop's, or the lens' own."""
    return lens.aperture_um if lens.stop is None else lens.stop.diameter_um


def entrance_area_um2(lens: Lens) -> float:
    """Area in µm² of the opening that limits the light of an object on the axis."""
    diameter = entrance_diameter_um(lens)
    opening = lens.aperture if lens.stop is None else lens.stop.aperture
    if isinstance(opening, PolygonalAperture):
        corners = opening.vertices_um
        following = (*corners[1:], corners[0])
        return 0.5 * abs(sum(a[1] * b[0] - b[1] * a[0] for a, b in zip(corners, following, strict=True)))
    inner = opening.inner_diameter_um if isinstance(opening, AnnularAperture) else 0.0
    return math.pi / 4 * (diameter**2 - inner**2)


def f_number(lens: Lens) -> float:
    """Focal length over entrance diameter."""
    return lens.focal_length_um / entrance_diameter_um(lens)


def track_length_um(lens: Lens) -> float:
    """Distance in µm from the first of refractive surfaces, stop, substrate and lens to the sensor."""
    front = 0.0 if lens.stop is None else lens.stop.distance_um
    glass = 0.0 if lens.substrate is None else lens.substrate.thickness_um
    glass += sum(each.thickness_um or 0.0 for each in surfaces_in_front(lens.surfaces))
    return front + glass + lens.focal_length_um + (lens.defocus_um or 0.0)


def focus_range_um(lens: Lens, wavelength: float) -> float:
    """How far in µm a sensor is moved to either side to see it go out of focus.

    Args:
        lens: with the f-number N of its stop, or its own.
        wavelength: λ in metres.

    Returns:
        4 λN², twice Rayleigh's depth of focus, and half of the focal length at most.
    """
    return min(4e6 * wavelength * f_number(lens) ** 2, 0.5 * lens.focal_length_um)
