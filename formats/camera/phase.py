"""The ``[lens.phase]`` table of ``lens.toml``: one record a family."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from metalens.formats.camera.phase_map import existing_map, read_phase_map
from metalens.formats.files.linked_file import Digest, FileName, LinkingTable, checked_sha256
from metalens.formats.files.record import Finite, Micrometres, OpticalWavelength, Record

LARGEST_ZERNIKE_INDEX = 230
"""The last index of radial order 20."""


class HyperbolicPhase(Record):
    """Focuses a plane wave on axis without spherical aberration, at one wavelength."""

    family: Literal["hyperbolic"]
    wavelength_nm: OpticalWavelength


class QuadraticPhase(Record):
    """The wide-field profile −πr²/(λf): a tilt of the wave is a shift of the pupil."""

    family: Literal["quadratic"]
    wavelength_nm: OpticalWavelength


class EvenPolynomialPhase(Record):
    """Σ aᵢ (r/R)^(2i), i = 1, 2, …: the form of neural nano-optics."""

    family: Literal["even_polynomial"]
    coefficients_rad: tuple[Finite, ...] = Field(min_length=1, max_length=32)
    radius_um: Micrometres


class LogAspherePhase(Record):
    """A long depth of focus: the centre focuses at one distance, the rim at another."""

    family: Literal["log_asphere"]
    wavelength_nm: OpticalWavelength
    centre_focus_um: Micrometres
    rim_focus_um: Micrometres
    radius_um: Micrometres


class CubicPhase(Record):
    """α((x/R)³ + (y/R)³): wavefront coding; it does not focus by itself."""

    family: Literal["cubic"]
    strength_rad: Finite
    radius_um: Micrometres


class ZernikePhase(Record):
    """Σ aⱼ Zⱼ by OSA/ANSI index, orthonormal on the disc of the radius."""

    family: Literal["zernike"]
    indices: tuple[Annotated[int, Field(ge=0, le=LARGEST_ZERNIKE_INDEX)], ...] = Field(min_length=1, max_length=231)
    coefficients_rad: tuple[Finite, ...]
    radius_um: Micrometres

    @model_validator(mode="after")
    def _fit(self) -> ZernikePhase:
        if len(self.coefficients_rad) != len(self.indices):
            raise ValueError(
                f"{len(self.indices)} indices with {len(self.coefficients_rad)} coefficients_rad; "
                "give one coefficient an index"
            )
        if len(set(self.indices)) != len(self.indices):
            raise ValueError(f"indices {list(self.indices)} hold one index twice; add up its coefficients")
        return self


class FreeformPhase(LinkingTable):
    """A map of samples in a file beside the ``lens.toml``."""

    family: Literal["freeform"]
    file: FileName = Field(description="relative to the folder of the lens.toml")
    pitch_um: Micrometres
    interpolation: Literal["cubic", "nearest"] = "cubic"
    units: Literal["rad", "turns", "levels"] | None = Field(
        default=None, description="of the map's numbers; 256 levels are a turn; None for radians that look like them"
    )
    wrapped: bool | None = Field(
        default=None, description="whether the map is wrapped into a turn; None for one that does not look like it"
    )
    sha256: Digest | None = Field(default=None, description="of the file; set when it is read")

    def in_folder(self, folder: Path) -> FreeformPhase:
        """The same phase with its map found in ``folder``, and the SHA-256 of the map in the record.

        Raises:
            InputError: the map is missing, or not the one whose SHA-256 is recorded.
        """
        digest = checked_sha256(existing_map(folder / self.file), self.sha256, "lens.phase.sha256")
        found = self.model_copy(update={"sha256": digest})
        found._folder = folder
        return found

    def samples(self) -> np.ndarray:
        """The map, ``[y, x]`` in radians.

        Raises:
            InputError: the camera was not read from a file, or the map cannot be read or has changed since.
        """
        path = self._place("lens.phase", self.file)
        checked_sha256(existing_map(path), self.sha256, "lens.phase.sha256")
        return read_phase_map(path)


PhaseTerm = Annotated[
    HyperbolicPhase
    | QuadraticPhase
    | EvenPolynomialPhase
    | LogAspherePhase
    | CubicPhase
    | ZernikePhase
    | FreeformPhase,
    Field(discriminator="family"),
]
"""A family that can be a term of a sum."""


StopPhase = Annotated[EvenPolynomialPhase | LogAspherePhase | CubicPhase | ZernikePhase, Field(discriminator="family")]
"""A family whose phase does not depend on the lens' focal length, and needs no file: of a surface in the stop."""


PlainPhase = Annotated[
    HyperbolicPhase | QuadraticPhase | EvenPolynomialPhase | LogAspherePhase | CubicPhase | ZernikePhase,
    Field(discriminator="family"),
]
"""A family that needs no file."""


class PlainSum(Record):
    """The sum of several families that need no file."""

    family: Literal["sum"]
    terms: tuple[PlainPhase, ...] = Field(min_length=2, max_length=16)


class SumPhase(Record):
    """The sum of several families, such as a hyperbolic and a cubic one."""

    family: Literal["sum"]
    terms: tuple[PhaseTerm, ...] = Field(min_length=2, max_length=16)

    def in_folder(self, folder: Path) -> SumPhase:
        """The same sum with the maps of its terms found in ``folder``.

        Raises:
            InputError: a map is missing, or not the one whose SHA-256 is recorded.
        """
        found = [term.in_folder(folder) if isinstance(term, FreeformPhase) else term for term in self.terms]
        return self.model_copy(update={"terms": tuple(found)})


Phase = Annotated[
    HyperbolicPhase
    | QuadraticPhase
    | EvenPolynomialPhase
    | LogAspherePhase
    | CubicPhase
    | ZernikePhase
    | FreeformPhase
    | SumPhase,
    Field(discriminator="family"),
]


SecondPhase = Annotated[
    HyperbolicPhase | QuadraticPhase | EvenPolynomialPhase | LogAspherePhase | CubicPhase | ZernikePhase | PlainSum,
    Field(discriminator="family"),
]
"""Phases of the second polarisation of a multiplexed lens; it needs no file."""
