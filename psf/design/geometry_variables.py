"""Free geometry of the meta-atoms as a function of the distance from the lens' centre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.structure_tables import RadialGeometryTable
from metalens.formats.design.variables import RadialGeometryVariables
from metalens.formats.files.input_file import real_path
from metalens.optics.meta_atoms import MetaAtomLibrary, check_range
from metalens.optics.meta_atoms.library import width_unit
from metalens.optics.meta_atoms.named import library_named
from metalens.optics.metalens import Metalens
from metalens.optics.phase import Phase
from metalens.optics.structure import RadialGeometry, control_of, geometry_within, radial_geometry_of
from metalens.psf.design.problem import Problem
from metalens.psf.design.variables import LensVariables

ZONES = 4
"""Zones that each wavelength has in an interleaved lens."""


@dataclass(frozen=True)
class GeometryVariables(LensVariables):
    """A geometry for each ring, kept within the library by a logistic function of the number.

    The phase of a ring follows from its geometry by the library at each wavelength, so that dispersion and loss are
    part of the design.

    Attributes:
        record: the table of the specification.
        library: transmission of the meta-atoms.
        unit: metres in one unit of the library's geometry.
        drawn: the lens that is to be built.
        wavelength: ``[wavelength]`` in metres for which starts are fitted.
    """

    record: RadialGeometryVariables
    library: MetaAtomLibrary
    unit: float
    drawn: Metalens
    wavelength: np.ndarray

    @property
    def count(self) -> int:
        """A ring each spacing, the centre and the rim included."""
        radius = 0.5 * float(self.drawn.aperture_diameter)
        return int(np.ceil(radius / self.spacing - 1e-9)) + 1

    @property
    def rotationally_symmetric(self) -> bool:
        """True."""
        return True

    @property
    def spacing(self) -> float:
        """Between the values in metres."""
        return 1e-9 * self.record.spacing_nm

    def lens(self, drawn: Metalens, numbers: jax.Array) -> Metalens:
        """The lens built of the geometry; its phase stays, rays are computed from it. See :class:`LensVariables`."""
        built = RadialGeometry(geometry_within(self.library, numbers), self.spacing, self.library)
        return replace(drawn, structure=built)

    def closest(self, lens: Metalens) -> np.ndarray:
        """The geometries whose responses fit best at all wavelengths."""
        return self._fitted(replace(self.drawn, phase=lens.phase), self.wavelength)

    def independent(self, phases: Sequence[Phase], wavelengths: np.ndarray) -> np.ndarray:
        """The geometries that fit best a phase of its own at each wavelength, but for a constant at each.

        Args:
            phases: one a wavelength, rotationally symmetric.
            wavelengths: ``[wavelength]`` in metres.

        Returns:
            ``[count]`` numbers.
        """
        return self._fitted(self.drawn, wavelengths, phases)

    def interleaved(self, phases: Sequence[Phase], wavelengths: np.ndarray) -> np.ndarray:
        """Zones of equal area that belong to the wavelengths in turn; each zone has the lens of its own one.

        Args:
            phases: one a wavelength, rotationally symmetric.
            wavelengths: ``[wavelength]`` in metres.

        Returns:
            ``[count]`` numbers.
        """
        lenses = [self.independent([phase], wavelengths[[at]]) for at, phase in enumerate(phases)]
        zones = ZONES * len(phases)
        share = (np.arange(self.count) * self.spacing / (0.5 * float(self.drawn.aperture_diameter))) ** 2
        zone = np.minimum((share * zones).astype(int), zones - 1)
        return np.choose(zone % len(phases), lenses)

    def _fitted(self, lens: Metalens, wavelengths: np.ndarray, phases: Sequence[Phase] | None = None) -> np.ndarray:
        found = radial_geometry_of(lens, self.library, spacing=self.spacing, wavelengths=wavelengths, phases=phases)
        return np.asarray(control_of(self.library, jnp.asarray(found.geometry)), dtype=float)

    def tables(self, numbers: np.ndarray, output: Path) -> dict[str, Any]:
        """The table ``[lens.radial_geometry]``. See :class:`LensVariables`."""
        widths = np.asarray(geometry_within(self.library, jnp.asarray(numbers, jnp.float32)), dtype=float)
        # Rounded to a thousandth of a nanometre, and not beyond the table's ends.
        least, most = (float(each) * self.unit * 1e9 for each in np.asarray(self.library.geometry)[[0, -1]])
        nanometres = np.clip(np.round(1e9 * self.unit * widths, 3), least, most)
        table = RadialGeometryTable(
            library=self.record.library, spacing_nm=self.record.spacing_nm, geometry_nm=tuple(map(float, nanometres))
        )
        return {"radial_geometry": table.in_folder(real_path(output).parent)}


def geometry_variables(record: RadialGeometryVariables, problem: Problem) -> GeometryVariables:
    """The variables that a ``[variables]`` table of this family describes.

    Args:
        record: the table.
        problem: the specification.

    Returns:
        The variables, beginning at the lens' own geometry.

    Raises:
        InputError: the library cannot be found or does not hold the wavelengths, or its pitch is not known.
    """
    lens, table = problem.view.lens, problem.camera.lens
    library = library_named(record.library, incidence=table.incidence)
    check_range(library, wavelength=problem.wavelength)
    pitch = None if table.meta_atoms is None else 1e-9 * table.meta_atoms.pitch_nm
    return GeometryVariables(record, library, width_unit(library, pitch), lens, problem.wavelength)
