"""The lenses of a comparison: presets, ``lens.toml`` files, or what ``metalens design`` wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metalens.formats.camera.camera import Camera, preset_names, read_camera
from metalens.formats.camera.size import entrance_area_um2, entrance_diameter_um, track_length_um
from metalens.formats.camera.surfaces import surfaces_behind
from metalens.formats.files.errors import InputError
from metalens.optics.from_lens_toml import metalens_of
from metalens.psf.rays import seen_cone
from metalens.psf.spectra.spectrum import spectral_quadrature


@dataclass(frozen=True)
class ComparedLens:
    """One of the compared lenses.

    Attributes:
        source: as it was given: a preset's name or a file's path.
        camera: lens and sensor.
    """

    source: str
    camera: Camera

    @property
    def name(self) -> str:
        """The preset's name, or the camera's: two presets may hold one, as that of an earlier version does."""
        return self.source if self.source in preset_names() else self.camera.name

    @property
    def light(self) -> float:
        """Light on a pixel from a scene of given luminance, for a lens that loses none: opening area over f²."""
        return entrance_area_um2(self.camera.lens) / self.cone_um**2

    @property
    def cone_um(self) -> float:
        """Distance in µm from which the opening makes the cone of light at the sensor: f, but for surfaces behind."""
        lens = self.camera.lens
        if not surfaces_behind(lens.surfaces):
            return lens.focal_length_um
        wavelength, weight = spectral_quadrature(self.camera.spectrum)
        return 1e6 * float(seen_cone(metalens_of(self.camera), float(weight[1] @ wavelength)).focal_length)

    def described(self) -> dict[str, Any]:
        """Its sizes, in µm, and its f-number."""
        lens = self.camera.lens
        return {
            "aperture_um": lens.aperture_um,
            "entrance_diameter_um": entrance_diameter_um(lens),
            "focal_length_um": lens.focal_length_um,
            "f_number": self.cone_um / entrance_diameter_um(lens),
            "track_length_um": track_length_um(lens),
            "diameter_um": max(lens.aperture_um, entrance_diameter_um(lens)),
        }


def read_lenses(sources: Sequence[str]) -> list[ComparedLens]:
    """Read the lenses and check that they can be compared.

    Args:
        sources: names of presets and paths of ``lens.toml`` files.

    Returns:
        The lenses, in their order.

    Raises:
        InputError: a source is no camera, two have one name, or their sensors differ.
    """
    lenses = [ComparedLens(source, read_camera(source)) for source in sources]
    named: dict[str, ComparedLens] = {}
    for lens in lenses:
        # Each has a folder of its name, and some disks do not tell capitals apart.
        other = named.setdefault(lens.name.casefold(), lens)
        if other is not lens and other.source == lens.source:
            raise InputError(f"compare: {lens.source} is given twice; give each lens once.")
        if other is not lens:
            raise InputError(
                f"compare: {other.source} and {lens.source} are both named {lens.name!r}; change the name in one "
                "of the files."
            )
        if lens.camera.sensor != lenses[0].camera.sensor:
            raise InputError(
                f"compare: the sensor of {lens.name} differs from that of {lenses[0].name} in "
                f"{_difference(lenses[0].camera, lens.camera)}; give all lenses the same [sensor]."
            )
    return lenses


def _difference(first: Camera, other: Camera) -> str:
    """The first key of the sensor that differs, with both values."""
    before, now = first.sensor.model_dump(), other.sensor.model_dump()
    key = next(key for key in before if before[key] != now[key])
    return f"{key}, {now[key]!r} against {before[key]!r}"
