"""The ``[lens]`` table of ``lens.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from metalens.formats.camera.multiplexed import Multiplexed
from metalens.formats.camera.neighbours_table import NeighboursTable
from metalens.formats.camera.parts import (
    Aperture,
    Fabrication,
    IdealResponse,
    LibraryResponse,
    MetaAtoms,
    NanofinResponse,
    Plate,
    Response,
    Stop,
    check_aperture,
)
from metalens.formats.camera.phase import FreeformPhase, Phase, SumPhase
from metalens.formats.camera.structure_tables import RadialGeometryTable, StructureTable
from metalens.formats.camera.surfaces import RefractiveSurface, check_surfaces, surfaces_in_front
from metalens.formats.files.record import Finite, Micrometres, Record


class Lens(Record):
    """A flat lens, its own aperture stop unless it has one in front."""

    aperture_um: Micrometres = Field(description="diameter of the disc that holds the clear aperture")
    focal_length_um: Micrometres = Field(
        description="distance from the lens to the sensor in focus, all glass between them included"
    )
    phase: Phase
    meta_atoms: MetaAtoms | None = None
    aperture: Aperture | None = Field(default=None, description="shape of the opening; None is a circle")
    stop: Stop | None = None
    substrate: Plate | None = Field(default=None, description="glass in front of the meta-atoms")
    cover_glass: Plate | None = Field(default=None, description="glass between the lens and the sensor")
    response: Response | None = Field(default=None, description="None is the ideal one")
    defocus_um: Finite | None = Field(default=None, description="sensor farther from the lens than focal_length_um")
    decentre_um: tuple[Finite, Finite] | None = Field(
        default=None, description="(y, x) where the lens' axis meets the sensor, from its centre"
    )
    fabrication: Fabrication | None = None
    structure: StructureTable | None = Field(default=None, description="a meta-atom at each site")
    radial_geometry: RadialGeometryTable | None = Field(default=None, description="meta-atoms by their radius")
    incidence: Literal["local", "normal"] | None = Field(
        default=None, description="angle at which a library is taken; None is local if the library has angles"
    )

    neighbours: NeighboursTable | None = Field(default=None, description="what supercells of `metalens verify` change")
    multiplexed: Multiplexed | None = Field(default=None, description="a second phase, of the other polarisation")
    surfaces: Annotated[tuple[RefractiveSurface, ...], Field(min_length=1, max_length=64)] | None = Field(
        default=None,
        description="refractive surfaces in the order of the light; all are in front where the metasurface is not one",
    )

    @model_validator(mode="after")
    def _fit(self) -> Lens:
        check_aperture(self.aperture, self.aperture_um, "aperture")
        defocus = self.defocus_um or 0.0
        if self.focal_length_um + defocus <= 0:
            raise ValueError(
                f"defocus_um {defocus:g} puts the sensor in front of the lens; it must be more than "
                f"-{self.focal_length_um:g}, less than the focal length"
            )
        room = self.focal_length_um + min(defocus, 0.0)
        if self.cover_glass is not None and self.cover_glass.thickness_um > room:
            raise ValueError(
                f"cover_glass.thickness_um {self.cover_glass.thickness_um:g} does not fit between the lens and the "
                f"sensor, {room:g} apart"
            )
        built = [name for name in ("structure", "radial_geometry") if getattr(self, name) is not None]
        if len(built) > 1:
            raise ValueError("structure and radial_geometry both say what the lens is built of; leave out one of them")
        if self.incidence == "local" and not built and not isinstance(self.response, LibraryResponse):
            raise ValueError(
                'incidence "local" needs meta-atoms of a library with angles: a structure, a radial_geometry or a '
                'response of the kind "library"; leave it out'
            )
        if self.neighbours is not None and not built and not isinstance(self.response, LibraryResponse):
            raise ValueError(
                "neighbours corrects meta-atoms of a library: a structure, a radial_geometry or a response of the kind "
                '"library"; leave it out'
            )
        self._check_multiplexed()
        self._check_surfaces()
        return self

    def _check_surfaces(self) -> None:
        if self.surfaces is None:
            return
        cover = 0.0 if self.cover_glass is None else self.cover_glass.thickness_um
        check_surfaces(self.surfaces, self.focal_length_um + min(self.defocus_um or 0.0, 0.0) - cover)
        if self.substrate is not None and self.stop is None and surfaces_in_front(self.surfaces):
            raise ValueError(
                "substrate without a stop lies behind the surfaces, whose last thickness_um and index tell the same "
                "glass; leave substrate out"
            )
        if self.neighbours is not None:
            raise ValueError(
                "neighbours is computed in plane waves, and behind surfaces light has many directions; leave out one"
            )

    def _check_multiplexed(self) -> None:
        table = self.multiplexed
        if table is None:
            return
        if not isinstance(self.response, IdealResponse | LibraryResponse | None):
            raise ValueError(
                f'multiplexed needs a response of the kind "ideal" or "library", and found {self.response.kind!r}; the '
                "meta-atoms of two polarisations are rectangles of a library"
            )
        if self.radial_geometry is not None:
            raise ValueError("multiplexed and radial_geometry exclude each other; leave out one of them")
        if self.neighbours is not None or self.incidence == "local":
            raise ValueError(
                "multiplexed lenses are taken at normal incidence and without neighbours; leave out both keys"
            )

    def in_folder(self, folder: Path) -> Lens:
        """The same lens with the files that it names found in ``folder``, and their SHA-256 in the record.

        Raises:
            InputError: a file is missing, or not the one whose SHA-256 is recorded.
        """
        found: dict[str, object] = {}
        if isinstance(self.phase, FreeformPhase | SumPhase):
            found["phase"] = self.phase.in_folder(folder)
        if isinstance(self.response, LibraryResponse | NanofinResponse):
            found["response"] = self.response.in_folder(folder)
        if self.structure is not None:
            found["structure"] = self.structure.in_folder(folder)
        if self.radial_geometry is not None:
            found["radial_geometry"] = self.radial_geometry.in_folder(folder)
        if self.neighbours is not None:
            found["neighbours"] = self.neighbours.in_folder(folder)
        return self.model_copy(update=found) if found else self

    @property
    def single_surface(self) -> Lens:
        """The lens without a phase in the plane of its stop."""
        if self.stop is None or self.stop.phase is None:
            return self
        return self.model_copy(update={"stop": self.stop.model_copy(update={"phase": None})})

    @property
    def aperture_m(self) -> float:
        """Aperture diameter in metres."""
        return self.aperture_um * 1e-6

    @property
    def focal_length_m(self) -> float:
        """Focal length in metres."""
        return self.focal_length_um * 1e-6

    @property
    def decentre_m(self) -> tuple[float, float]:
        """(y, x) on the sensor, from its centre, of the lens' axis, in metres."""
        y, x = self.decentre_um or (0.0, 0.0)
        return y * 1e-6, x * 1e-6

    @property
    def defocus_m(self) -> float:
        """Sensor displacement away from the lens, in metres."""
        return (self.defocus_um or 0.0) * 1e-6
