"""The wavelength that a lens is designed for."""

from __future__ import annotations

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.parts import (
    GeometricResponse,
    KinoformResponse,
    LibraryResponse,
    NanofinResponse,
    NanoOpticsProxyResponse,
)
from metalens.formats.camera.phase import HyperbolicPhase, LogAspherePhase, QuadraticPhase
from metalens.formats.files.errors import InputError

_OF_ONE_WAVELENGTH = (
    GeometricResponse,
    KinoformResponse,
    NanofinResponse,
    NanoOpticsProxyResponse,
    LibraryResponse,
    HyperbolicPhase,
    QuadraticPhase,
    LogAspherePhase,
)


def design_wavelength(camera: Camera) -> float:
    """That of the response, else that of the phase, else the middle of the green channel, in metres.

    Raises:
        InputError: there is none of these.
    """
    for part in (camera.lens.response, camera.lens.phase):
        if isinstance(part, _OF_ONE_WAVELENGTH):
            return part.wavelength_nm * 1e-9
    if camera.spectrum.channels:
        return camera.spectrum.channels[1].centre_nm * 1e-9
    raise InputError(
        f"{camera.name}: has no design wavelength, neither in its response nor in its phase nor as a green channel; "
        "give --wavelengths-nm, or a wavelength_nm in [lens.phase]."
    )
