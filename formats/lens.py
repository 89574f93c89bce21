"""The ``[lens]`` table of ``lens.toml``: aperture, focal length, phase and meta-atoms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from metalens.formats.record import Finite, OpticalWavelength, Positive, Record


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
    radius_um: Positive


Phase = Annotated[HyperbolicPhase | QuadraticPhase | EvenPolynomialPhase, Field(discriminator="family")]


class MetaAtoms(Record):
    """The pillars that make the phase. Recorded for fabrication; the phase here is taken as ideal."""

    material: str
    substrate: str
    pitch_nm: Positive
    height_nm: Positive
    diameter_nm: tuple[Positive, Positive]

    @model_validator(mode="after")
    def _fit(self) -> MetaAtoms:
        smallest, largest = self.diameter_nm
        if not smallest < largest < self.pitch_nm:
            raise ValueError(
                f"diameter_nm {list(self.diameter_nm)} must grow and stay under pitch_nm {self.pitch_nm:g}"
            )
        return self


class Lens(Record):
    """A flat circular lens whose aperture stop is the lens itself."""

    aperture_um: Positive = Field(description="diameter of the clear aperture")
    focal_length_um: Positive = Field(description="distance from the lens to the sensor")
    phase: Phase
    meta_atoms: MetaAtoms | None = None

    @property
    def aperture_m(self) -> float:
        """Aperture diameter in metres."""
        return self.aperture_um * 1e-6

    @property
    def focal_length_m(self) -> float:
        """Focal length in metres."""
        return self.focal_length_um * 1e-6
