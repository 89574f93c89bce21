"""Free parameters of a doublet: the lens, and a first metasurface in the plane of its stop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metalens.formats.camera import parts
from metalens.optics.metalens import Metalens
from metalens.psf.design.variables import LensVariables, PolynomialVariables


@dataclass(frozen=True)
class DoubletVariables(LensVariables):
    """The numbers of the lens, then those of the phase of its stop.

    Attributes:
        of_lens: free parameters of the lens behind the stop.
        of_stop: those of the phase in the plane of the stop.
        stop: the table ``[lens.stop]`` of the camera, whose phase is replaced.
    """

    of_lens: LensVariables
    of_stop: PolynomialVariables
    stop: parts.Stop

    @property
    def count(self) -> int:
        """Numbers of both metasurfaces."""
        return self.of_lens.count + self.of_stop.count

    @property
    def rotationally_symmetric(self) -> bool:
        """Whether the lens behind the stop is; the phase of the stop always is."""
        return self.of_lens.rotationally_symmetric

    def lens(self, drawn: Metalens, numbers: jax.Array) -> Metalens:
        """Both metasurfaces with these parameters. See :class:`LensVariables`."""
        assert drawn.stop is not None, "without a stop these variables are a contradiction"
        single = self.of_lens.lens(drawn, numbers[: self.of_lens.count])
        phase = self.of_stop.phase(numbers[self.of_lens.count :])
        return replace(single, stop=replace(drawn.stop, phase=phase))

    def closest(self, lens: Metalens) -> np.ndarray:
        """Each metasurface by itself; a stop without a phase is that with the phase 0. See :class:`LensVariables`."""
        assert lens.stop is not None, "without a stop these variables are a contradiction"
        phase = lens.stop.phase
        of_stop = np.zeros(self.of_stop.count) if phase is None else self.of_stop.closest_to(phase)
        return np.concatenate([self.of_lens.closest(lens), of_stop])

    def tables(self, numbers: np.ndarray, output: Path) -> dict[str, Any]:
        """Entries of ``[lens]``: those of the lens, and its stop with a phase. See :class:`LensVariables`."""
        phase = self.of_stop.record(np.asarray(numbers[self.of_lens.count :]), output)
        stop = self.stop.model_copy(update={"phase": phase})
        return {**self.of_lens.tables(numbers[: self.of_lens.count], output), "stop": stop}
