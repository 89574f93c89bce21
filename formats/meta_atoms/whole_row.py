"""``whole_row.json``: the meta-atoms along a diameter of a lens, computed together, against the local approximation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from metalens.formats.files.schema_version import WHOLE
from metalens.formats.meta_atoms.verification import Share


class RowFunction(BaseModel):
    """Line spread functions of the row, in light of one wavelength, direction and polarisation.

    Attributes:
        wavelength_nm: of the light.
        field_deg: angle of incidence in air, in the plane of the row.
        polarisation: of the light, of the plane of incidence.
        place_um: of the samples, from where the chief ray lands.
        whole: line spread function of all meta-atoms together, relative to its own peak.
        local: by the local periodic approximation with flat cells, relative to the same peak.
        corrected: that with the correction by the zones' supercells; empty where there is none.
        light_whole: share of the incident light at these places.
        light_local: the same by the local periodic approximation.
        light_corrected: the same with the correction; None where there is none.
        distance_local: relative L2 distance of ``local`` from ``whole``.
        distance_corrected: that of ``corrected``; None where there is none.
        change: relative L2 change of ``whole`` at the last step to more Fourier orders.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    wavelength_nm: float
    field_deg: float
    polarisation: Literal["s", "p"]
    place_um: tuple[float, ...]
    whole: tuple[Share, ...]
    local: tuple[Share, ...]
    corrected: tuple[Share, ...]
    light_whole: Share
    light_local: Share
    light_corrected: Share | None
    distance_local: Share
    distance_corrected: Share | None
    change: Share


class WholeRow(BaseModel):
    """A row of meta-atoms as one supercell: a cylindrical lens, in which every meta-atom has its own neighbours.

    Attributes:
        camera: its name.
        lens_hash: hash of the camera.
        library: its name.
        meta_atoms: in the row.
        orders_per_pillar: Fourier orders for each meta-atom.
        uncorrected: why there is no correction by zones; None where there is one.
        functions: one for each wavelength, direction and polarisation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["metalens.whole_row"] = Field(default="metalens.whole_row", alias="schema")
    version: Annotated[Literal[1], WHOLE] = 1
    camera: str
    lens_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    library: str
    meta_atoms: int
    orders_per_pillar: int
    uncorrected: str | None
    functions: tuple[RowFunction, ...]
