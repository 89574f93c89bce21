"""From the tables of a ``lens.toml`` to the parts of a lens: micrometres and nanometres become metres."""

from __future__ import annotations

import numpy as np

from metalens.formats import lens_parts as parts
from metalens.formats import lens_phase as families
from metalens.formats.errors import InputError
from metalens.formats.lens import Lens
from metalens.optics.aperture import Annulus, Aperture, Circle, Polygon
from metalens.optics.meta_atoms import MetaAtoms, library_named, nano_optics_proxy
from metalens.optics.phase import (
    Cubic,
    EvenPolynomial,
    Freeform,
    Hyperbolic,
    LogAsphere,
    Phase,
    Quadratic,
    Sum,
    Zernike,
)
from metalens.optics.response import IdealPhase, Kinoform, Response

MICRO, NANO = 1e-6, 1e-9


def phase_of(record: families.Phase, lens: Lens) -> Phase:
    """The phase profile that a ``[lens.phase]`` table describes, on its lens.

    Raises:
        InputError: a freeform map cannot be read, or is smaller than the lens.
    """
    match record:
        case families.HyperbolicPhase():
            return Hyperbolic(lens.focal_length_m, record.wavelength_nm * NANO)
        case families.QuadraticPhase():
            return Quadratic(lens.focal_length_m, record.wavelength_nm * NANO)
        case families.EvenPolynomialPhase():
            return EvenPolynomial(np.array(record.coefficients_rad), record.radius_um * MICRO)
        case families.LogAspherePhase():
            return LogAsphere(
                centre_focus=record.centre_focus_um * MICRO,
                rim_focus=record.rim_focus_um * MICRO,
                radius=record.radius_um * MICRO,
                wavelength=record.wavelength_nm * NANO,
            )
        case families.CubicPhase():
            return Cubic(record.strength_rad, record.radius_um * MICRO)
        case families.ZernikePhase():
            return Zernike(record.indices, np.array(record.coefficients_rad), record.radius_um * MICRO)
        case families.FreeformPhase():
            return _freeform(record, lens)
        case families.SumPhase():
            return Sum(tuple(phase_of(term, lens) for term in record.terms))


def _freeform(record: families.FreeformPhase, lens: Lens) -> Freeform:
    samples = record.samples()
    height, width = (record.pitch_um * length for length in samples.shape)
    # A map may end where the aperture does; one part in a thousand for a pitch that was rounded.
    if min(height, width) < lens.aperture_um * 0.999:
        raise InputError(
            f"{record.file}: {samples.shape[0]} × {samples.shape[1]} samples of {record.pitch_um:g} µm cover "
            f"{height:g} × {width:g} µm, less than aperture_um {lens.aperture_um:g}; use a larger map or pitch_um, or "
            "a smaller aperture_um."
        )
    return Freeform(samples, record.pitch_um * MICRO, record.interpolation)


def aperture_of(record: parts.Aperture | None) -> Aperture:
    """The shape of an opening; a circle where none is given."""
    match record:
        case parts.AnnularAperture():
            return Annulus(record.inner_diameter_um * MICRO)
        case parts.PolygonalAperture():
            return Polygon(MICRO * np.array(record.vertices_um))
        case _:
            return Circle()


def response_of(record: parts.Response | None) -> Response:
    """What the structure makes of the phase; the ideal response where none is given."""
    match record:
        case parts.KinoformResponse():
            return Kinoform(record.wavelength_nm * NANO, record.orders)
        case parts.NanoOpticsProxyResponse():
            return MetaAtoms(nano_optics_proxy(), record.wavelength_nm * NANO, record.orders, record.duty_error or 0.0)
        case parts.LibraryResponse():
            return MetaAtoms(library_named(record.path()), record.wavelength_nm * NANO, record.orders)
        case _:
            return IdealPhase()
