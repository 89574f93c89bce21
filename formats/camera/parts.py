"""Other parts of the ``[lens]`` table of ``lens.toml``: aperture, stop, plates, response and meta-atoms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from metalens.formats.camera.phase import StopPhase
from metalens.formats.files.linked_file import Digest, FileName, LinkingTable, checked_sha256
from metalens.formats.files.record import Finite, Micrometres, Nanometres, NotNegative, OpticalWavelength, Record
from metalens.formats.meta_atoms.library import library_path, shipped_libraries

Point = tuple[Finite, Finite]


class CircularAperture(Record):
    """The whole disc."""

    shape: Literal["circle"]


class AnnularAperture(Record):
    """The disc without a smaller one at its centre."""

    shape: Literal["annulus"]
    inner_diameter_um: Micrometres


class PolygonalAperture(Record):
    """An opening with straight edges, inside the disc."""

    shape: Literal["polygon"]
    vertices_um: tuple[Point, ...] = Field(min_length=3, max_length=256, description="(y, x) from the centre, in order")

    @model_validator(mode="after")
    def _fit(self) -> PolygonalAperture:
        edges = list(zip(self.vertices_um, (*self.vertices_um[1:], self.vertices_um[0]), strict=True))
        if any(start == end for start, end in edges):
            raise ValueError("vertices_um holds one vertex twice in a row; leave out one of them")
        for number, first in enumerate(edges):
            # Neighbours share a corner, the last one and the first one too.
            for other in range(number + 2, len(edges) - (number == 0)):
                if _cross(*first, *edges[other]):
                    raise ValueError(
                        f"the edges of vertices_um from vertex {number} and from vertex {other} cross or touch each "
                        "other; put the vertices in their order around the opening"
                    )
        if (
            abs(_twice_the_area(self.vertices_um))
            < 1e-9 * max(abs(each) for point in self.vertices_um for each in point) ** 2
        ):
            raise ValueError("vertices_um enclose no area; they lie on one line")
        return self


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the segments ab and cd have a point in common."""
    if _turn(a, b, c) * _turn(a, b, d) > 0 or _turn(c, d, a) * _turn(c, d, b) > 0:
        return False
    # On one line, or touching: their boxes decide.
    return all(
        max(min(a[axis], b[axis]), min(c[axis], d[axis])) <= min(max(a[axis], b[axis]), max(c[axis], d[axis]))
        for axis in (0, 1)
    )


def _twice_the_area(vertices: tuple[Point, ...]) -> float:
    return sum(a[1] * b[0] - b[1] * a[0] for a, b in zip(vertices, (*vertices[1:], vertices[0]), strict=True))


Aperture = Annotated[CircularAperture | AnnularAperture | PolygonalAperture, Field(discriminator="shape")]


def check_aperture(aperture: Aperture | None, diameter_um: float, place: str) -> None:
    """Check that an aperture lies within its disc.

    Args:
        aperture: the opening; ``None`` for the whole disc.
        diameter_um: of the disc, in µm.
        place: name of the table, for messages.

    Raises:
        ValueError: it reaches beyond; the message begins with the place.
    """
    if isinstance(aperture, AnnularAperture) and aperture.inner_diameter_um >= diameter_um:
        raise ValueError(
            f"{place}.inner_diameter_um {aperture.inner_diameter_um:g} must be less than the disc's diameter, "
            f"{diameter_um:g}"
        )
    if isinstance(aperture, PolygonalAperture):
        farthest = max((y**2 + x**2) ** 0.5 for y, x in aperture.vertices_um)
        if farthest > 0.5 * diameter_um * (1 + 1e-6):
            raise ValueError(
                f"{place}.vertices_um reaches {farthest:g} from the centre, more than the disc's radius "
                f"{0.5 * diameter_um:g}; make the diameter larger or the polygon smaller"
            )


class Stop(Record):
    """An aperture stop in front of the lens; the lens is then only as large as the oblique beams need."""

    diameter_um: Micrometres
    distance_um: NotNegative = Field(description="in air, to the lens or the front of its substrate")
    aperture: Aperture | None = None
    phase: StopPhase | None = Field(default=None, description="of a first metasurface, in the plane of the stop")

    @model_validator(mode="after")
    def _fit(self) -> Stop:
        check_aperture(self.aperture, self.diameter_um, "aperture")
        return self


class Plate(Record):
    """A plane-parallel plate: the substrate in front of the meta-atoms, or a cover glass behind them."""

    thickness_um: Micrometres
    index: float = Field(ge=1, le=4.5, allow_inf_nan=False, description="refractive index, the same at all wavelengths")


Orders = Annotated[tuple[Annotated[int, Field(ge=-20, le=20)], ...], Field(min_length=1, max_length=41)]


class IdealResponse(Record):
    """The design phase at every wavelength, without loss."""

    kind: Literal["ideal"]


class _OrderedResponse(Record):
    wavelength_nm: OpticalWavelength = Field(description="design wavelength of the structure")
    orders: Orders = Field(default=(1,), description="diffraction orders that are kept, ascending")

    @model_validator(mode="after")
    def _ascend(self) -> _OrderedResponse:
        if list(self.orders) != sorted(set(self.orders)):
            raise ValueError(f"orders {list(self.orders)} must ascend, each once; sort them")
        return self


class KinoformResponse(_OrderedResponse):
    """A blazed surface or a staircase, made for one wavelength, which may be a multiple of the light's: multi-order."""

    kind: Literal["kinoform"]
    levels: int | None = Field(
        default=None, ge=2, le=256, description="steps in the place of the blaze; None is smooth"
    )


class NanoOpticsProxyResponse(_OrderedResponse):
    """Pillars by the published structure-to-phase fit of neural nano-optics, 400 to 700 nm."""

    kind: Literal["nano_optics_proxy"]
    wavelength_nm: float = Field(ge=400, le=700, allow_inf_nan=False)
    duty_error: float | None = Field(
        default=None, ge=-0.25, le=0.25, allow_inf_nan=False, description="added to every pillar's duty cycle"
    )


class LibraryResponse(LinkingTable, _OrderedResponse):
    """Meta-atoms of a library: one that comes with the package, or a ``library.h5`` beside the ``lens.toml``."""

    kind: Literal["library"]
    library: FileName = Field(description="a name, or a file in the lens.toml's folder")
    sha256: Digest | None = Field(default=None, description="of the file; set when it is read")

    def in_folder(self, folder: Path) -> LibraryResponse:
        """The same response with its library found in ``folder``, and the SHA-256 of the library in the record.

        Raises:
            InputError: the library is missing, or not the one whose SHA-256 is recorded.
        """
        shipped = self.library in shipped_libraries()
        path = library_path(self.library if shipped else folder / self.library)
        digest = checked_sha256(path, self.sha256, "lens.response.sha256")
        found = self.model_copy(update={"sha256": digest})
        found._folder = folder
        return found

    def path(self) -> Path:
        """Where the library lies.

        Raises:
            InputError: the camera was not read from a file, or the library is missing or has changed since.
        """
        if self.library in shipped_libraries():
            self.in_folder(Path())
            return library_path(self.library)
        path = self._place("lens.response", self.library)
        checked_sha256(library_path(path), self.sha256, "lens.response.sha256")
        return path


Handedness = Literal["left", "right", "unpolarised"]


def _told(light: Handedness | None) -> Handedness:
    if light is None:
        raise ValueError(
            "light is not given, and natural light is unpolarised: of it one half is focused and the other half "
            'diverges; give "left" or "right" for circular light, or "unpolarised" for both halves'
        )
    return light


class GeometricResponse(Record):
    """Rotated half-wave plates (nanofins): the phase is twice their angle, its sign that of the handedness."""

    kind: Literal["geometric"]
    wavelength_nm: OpticalWavelength = Field(description="at which the plates turn all light")
    light: Handedness | None = Field(
        default=None, description="incident polarisation: circular as the receiver sees it, or none"
    )
    transmittance: float | None = Field(
        default=None, gt=0, le=1, allow_inf_nan=False, description="of the plates; None is 1"
    )

    @model_validator(mode="after")
    def _fit(self) -> GeometricResponse:
        _told(self.light)
        return self


class NanofinResponse(LinkingTable):
    """One rectangular pillar of a library at every site, turned by half of the phase, in circular light."""

    kind: Literal["nanofins"]
    library: FileName = Field(description="library.h5 of rectangular pillars, in the lens.toml's folder")
    sha256: Digest | None = Field(default=None, description="of the file; set when it is read")
    wavelength_nm: OpticalWavelength = Field(description="at which the pillar that converts the most light is taken")
    light: Handedness | None = Field(
        default=None, description="incident polarisation: circular as the receiver sees it, or none"
    )

    @model_validator(mode="after")
    def _fit(self) -> NanofinResponse:
        _told(self.light)
        return self

    def in_folder(self, folder: Path) -> NanofinResponse:
        """The same response with its library found in ``folder``, and the SHA-256 of the library in the record.

        Raises:
            InputError: the library is missing, or not the one whose SHA-256 is recorded.
        """
        digest = checked_sha256(library_path(folder / self.library), self.sha256, "lens.response.sha256")
        found = self.model_copy(update={"sha256": digest})
        found._folder = folder
        return found

    def path(self) -> Path:
        """Where the library lies.

        Raises:
            InputError: the camera was not read from a file, or the library is missing or has changed since.
        """
        path = self._place("lens.response", self.library)
        checked_sha256(library_path(path), self.sha256, "lens.response.sha256")
        return path


Response = Annotated[
    IdealResponse | KinoformResponse | NanoOpticsProxyResponse | LibraryResponse | GeometricResponse | NanofinResponse,
    Field(discriminator="kind"),
]


class MetaAtoms(Record):
    """The meta-atoms, recorded for fabrication; ``[lens.response]`` describes their transmission."""

    material: str
    substrate: str
    pitch_nm: Nanometres
    height_nm: Nanometres
    diameter_nm: tuple[Nanometres, Nanometres]

    @model_validator(mode="after")
    def _fit(self) -> MetaAtoms:
        smallest, largest = self.diameter_nm
        if not smallest < largest < self.pitch_nm:
            raise ValueError(
                f"diameter_nm {list(self.diameter_nm)} must grow and stay under pitch_nm {self.pitch_nm:g}"
            )
        return self


class Fabrication(Record):
    """Deviations of the fabricated lens from the design."""

    width_error_nm: Finite | None = Field(default=None, description="what all meta-atoms are wider")
    width_spread_nm: NotNegative | None = Field(
        default=None, description="standard deviation of what each one is wider besides, independent of its neighbours"
    )
    height_error_nm: Finite | None = Field(default=None, description="what all meta-atoms are higher")
    index_error: float | None = Field(
        default=None, ge=-1, le=1, allow_inf_nan=False, description="what their refractive index is larger"
    )
    pitch_error_percent: float | None = Field(
        default=None, ge=-10, le=10, allow_inf_nan=False, description="what all lengths in the lens' plane are longer"
    )
    missing_share: float | None = Field(
        default=None, ge=0, lt=1, allow_inf_nan=False, description="share of the meta-atoms that is not there"
    )
