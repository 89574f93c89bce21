"""From a ``[lens.phase]`` table to a phase profile; maps in unclear units, and maps that look wrapped, are refused."""

from __future__ import annotations

import numpy as np

from metalens.formats.camera import phase as families
from metalens.formats.camera.lens import Lens
from metalens.formats.files.errors import InputError
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

MICRO, NANO = 1e-6, 1e-9


def phase_of(record: families.Phase | families.SecondPhase, lens: Lens) -> Phase:
    """The phase profile described by a ``[lens.phase]`` table.

    Args:
        record: the table.
        lens: the ``[lens]`` table to which it belongs.

    Returns:
        The profile, lengths in metres and phase in radians.

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
        case families.SumPhase() | families.PlainSum():
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
    samples = samples * RADIANS[_units(record, samples)]
    if record.wrapped is None and record.interpolation == "cubic":
        _refuse_wrapped(record.file, samples)
    return Freeform(samples, record.pitch_um * MICRO, record.interpolation, wrapped=bool(record.wrapped))


RADIANS = {"rad": 1.0, "turns": 2 * np.pi, "levels": 2 * np.pi / 256}
"""Radians in each of the units of a phase map."""


def _units(record: families.FreeformPhase, samples: np.ndarray) -> str:
    """The units of a map; those of a range that is no phase's by chance have to be said."""
    if record.units is not None:
        return record.units
    ranges = {1.0: 'units = "turns"', 255.0: 'units = "levels", of which 256 are a turn,'}
    for highest, meant in ranges.items():
        if samples.min() >= 0 and samples.min() < 0.01 * highest and 0.99 * highest < samples.max() <= highest:
            raise InputError(
                f"{record.file}: its numbers lie in 0 to {highest:g}, which does not look like radians; give {meant} "
                'or units = "rad" if they are.'
            )
    return "rad"


def _refuse_wrapped(file: str, samples: np.ndarray) -> None:
    """Refuse a map whose neighbours differ by more than half a turn within one, or whose samples just fill 0 to 2π."""
    turn = 2 * np.pi
    jumps = max(np.abs(np.diff(samples, axis=axis)).max() for axis in (0, 1))
    if np.ptp(samples) <= turn * (1 + 1e-3) and jumps > np.pi:
        found = "neighbours jump by about 2π within a range of one turn"
    elif 0 <= samples.min() < 0.01 * turn and 0.99 * turn < samples.max() <= turn * (1 + 1e-3):
        found = "its numbers just fill 0 to 2π"
    else:
        return
    raise InputError(
        f"{file}: {found}, so that the map looks wrapped, which cubic interpolation would take for slopes; give "
        "wrapped = true, or false if it is meant so."
    )
