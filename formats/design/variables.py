"""The ``[variables]`` table of ``design.toml``: free parameters of a lens, one record per family."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from metalens.formats.files.record import Nanometres, Record


class OfStop(Record):
    """Beside the variables of the lens, those of a first metasurface in the plane of its stop."""

    stop_terms: int | None = Field(
        default=None,
        ge=1,
        le=12,
        description="terms of the phase that a first metasurface in the plane of the stop has, an even polynomial; "
        "None leaves the stop as it is",
    )


class EvenPolynomialVariables(OfStop):
    """The coefficients of an even polynomial in the radius, in a basis of Legendre polynomials."""

    family: Literal["even_polynomial"]
    terms: int = Field(default=8, ge=1, le=12, description="more would cancel beyond single precision")


class ZernikeVariables(OfStop):
    """The coefficients of Zernike polynomials up to a radial order."""

    family: Literal["zernike"]
    order: int = Field(default=8, ge=2, le=20)
    symmetry: Literal["none", "mirror", "rotation"] = Field(
        default="none", description="mirror keeps the terms that are the same when y is turned over, rotation m = 0"
    )


class FreeformVariables(OfStop):
    """The samples of a map, between which the phase is interpolated."""

    family: Literal["freeform"]
    samples: int = Field(default=33, ge=5, le=257, description="along each side of the square around the lens")


class RadialGeometryVariables(Record):
    """The geometry of the meta-atoms over the distance from the centre, through a library."""

    family: Literal["radial_geometry"]
    library: str = Field(min_length=1, max_length=255, description="a shipped name, or a file beside the specification")
    spacing_nm: Nanometres = Field(description="between the values, such as the pitch")


Variables = Annotated[
    EvenPolynomialVariables | ZernikeVariables | FreeformVariables | RadialGeometryVariables,
    Field(discriminator="family"),
]
