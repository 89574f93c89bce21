"""A picture that the camera took, and where on the sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Capture:
    """One capture and where it lies on the sensor.

    Attributes:
        picture: ``[y, x, 3]`` sRGB, uint8 or floats in 0..1.
        place: (row, column) of its first pixel on the sensor; None: it is the whole frame.
    """

    picture: np.ndarray
    place: tuple[int, int] | None = None

    @property
    def corner(self) -> tuple[int, int]:
        """(row, column) of its first pixel on the sensor."""
        return (0, 0) if self.place is None else self.place
