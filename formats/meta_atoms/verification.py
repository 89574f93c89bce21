"""``verification.json``: supercells of a lens' zones against the local periodic approximation."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from metalens.formats.files.errors import InputError
from metalens.formats.files.json_file import read_record
from metalens.formats.files.schema_version import WHOLE

ORDERS = (-3, -2, -1, 0, 1, 2, 3)
"""Orders of a grating in units of the lens' phase: 1 the wanted one, 0 the light that is not deflected."""

Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class VerifiedZone(BaseModel):
    """One zone of a lens, as a grating, in light of one wavelength, direction and polarisation.

    Attributes:
        radius_um: where the lens has this zone.
        pillars: N, meta-atoms in a period.
        geometry_nm: of each of them, along the falling phase, at the constant phase that is the best by the local
            approximation.
        deflection_sine: of the first order in air, at normal incidence.
        wavelength_nm: of the light.
        field_deg: angle of incidence in air.
        azimuth_deg: of the plane of incidence from the direction along which the phase falls: outward on a
            converging lens.
        polarisation: of the light, of the plane of incidence.
        local: share in the wanted order by the local periodic approximation with flat cells.
        supercell: the same with all neighbours.
        phase_error_rad: phase of the wanted order with neighbours less that without, of arrays with equally many
            Fourier orders.
        undeflected: share in the zeroth order.
        other_orders: share in the other transmitted orders along the row.
        transmittance: of all orders.
        fourier_orders: of the supercell.
        change: of the wanted order's share at the last step to more Fourier orders, the largest of those looked at.
        converged: whether it is within the tolerance.
        order_shares: in each of the :data:`ORDERS`; empty in files of earlier versions.
        local_order_shares: the same by the local periodic approximation with flat cells.
        constant_phases: P, zones that differ in their constant phase, whose light in the wanted order was averaged.
        uncertainty: of the wanted order's amplitude over the local one: the standard error of the mean over the
            constant phases, and the last change with the number of Fourier orders; None in files of earlier versions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    radius_um: float
    pillars: int = Field(ge=2)
    geometry_nm: tuple[tuple[float, ...], ...]
    deflection_sine: float
    wavelength_nm: float
    field_deg: float
    azimuth_deg: float
    polarisation: Literal["s", "p"]
    local: Share
    supercell: Share
    phase_error_rad: float
    undeflected: Share
    other_orders: Share
    transmittance: Share
    fourier_orders: int
    change: Share
    converged: bool
    order_shares: tuple[Share, ...] = ()
    local_order_shares: tuple[Share, ...] = ()
    constant_phases: int = Field(default=1, ge=1)
    uncertainty: Share | None = None


class Verification(BaseModel):
    """What supercells say of a lens.

    Attributes:
        camera: its name.
        lens_hash: hash of the camera.
        library: its name.
        tolerance: largest change of a share that counts as converged.
        zones: a row for each zone, wavelength, direction and polarisation.
        versions: of the packages that decide the numbers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    schema_: Literal["metalens.verification"] = Field(default="metalens.verification", alias="schema")
    version: Annotated[Literal[1], WHOLE] = 1
    camera: str
    lens_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    library: str
    tolerance: float
    zones: tuple[VerifiedZone, ...]
    versions: dict[str, str] = {}

    @property
    def unconverged(self) -> int:
        """Number of rows whose supercell did not converge."""
        return sum(not zone.converged for zone in self.zones)


def read_verification(path: str | os.PathLike[str]) -> Verification:
    """Read a ``verification.json``.

    Args:
        path: the file.

    Raises:
        InputError: it is missing, of another schema, or does not hold every incidence of every zone.
    """
    found = read_record(path, Verification, "verification", "make it with `metalens verify`")
    rows = {(z.wavelength_nm, z.field_deg, round(z.azimuth_deg), z.polarisation, z.pillars) for z in found.zones}
    places = [(z.wavelength_nm, z.field_deg, z.pillars) for z in found.zones]
    wanted = len({row[0] for row in places}) * len({row[1] for row in places}) * len({row[2] for row in places})
    whole = {place for place in places if all((*place[:2], 0, name, place[2]) in rows for name in "sp")}
    off_axis = all((*p[:2], 180, name, p[2]) in rows for p in places if p[1] > 0 for name in "sp")
    if not places or len(whole) != wanted or not off_axis or any(not zone.deflection_sine > 0 for zone in found.zones):
        raise InputError(
            f"{path}: not every zone has both polarisations at every wavelength and field, from both sides; make it "
            "again with `metalens verify`."
        )
    return found


def csv_of(found: Verification) -> str:
    """The rows as a table, geometries joined by spaces."""
    lists = ("geometry_nm", "order_shares", "local_order_shares")
    names = [name for name in VerifiedZone.model_fields if name not in lists]
    lines = [",".join([*names, "geometry_nm"])]
    for zone in found.zones:
        values = [getattr(zone, name) for name in names]
        told = [f"{value:.6g}" if isinstance(value, float) else str(value) for value in values]
        lines.append(",".join([*told, " ".join("x".join(f"{each:g}" for each in atom) for atom in zone.geometry_nm)]))
    return "\n".join(lines) + "\n"
