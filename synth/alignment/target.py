"""Calibration target: a grid of dots with a marked origin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalens.formats.files.arguments import require_number, require_whole_pair
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit

MARKS = np.array([[0, 0], [0, 2], [1, 0]])
"""Labels (row, column) of the three larger dots: the origin, two to its right, one below it.

No turn of the grid by a right angle and no mirror image puts this triple onto itself.
"""

MARK_SIZE = 1.45
"""Radius of a marked dot relative to the others: twice the light, whatever the blur, without touching a neighbour."""


LARGEST_DISPLAY = 2**27
"""Pixels: four times those of an 8K display."""


@dataclass(frozen=True)
class DotTarget:
    """A square grid of white dots on black, in pixels of the display.

    Positions are (y, x) with whole numbers at the middles of pixels, row 0 at the top.

    Attributes:
        pixels: rows, columns of the display.
        spacing: from dot to dot.
        radius: of a dot.
    """

    pixels: tuple[int, int]
    spacing: float
    radius: float

    def __post_init__(self) -> None:
        require_whole_pair(self.pixels, "target: pixels")
        require_number(self.spacing, "target: spacing")
        require_number(self.radius, "target: radius")
        if self.pixels[0] * self.pixels[1] > LARGEST_DISPLAY:
            raise InputError(
                f"target: {self.pixels[0]} × {self.pixels[1]} px are more than any display has; at most "
                f"{LARGEST_DISPLAY} in all are drawn."
            )
        if not (self.radius >= 2 and 2 * MARK_SIZE * self.radius <= 0.8 * self.spacing):
            raise InputError(
                f"target: dots of radius {self.radius:g} px every {self.spacing:g} px; expected a radius of 2 px at "
                f"least and {0.8 / (2 * MARK_SIZE):.2f} of the spacing at most."
            )
        if min(self.pixels) < 5 * self.spacing:
            raise InputError(
                f"target: {self.pixels[0]} × {self.pixels[1]} px hold fewer than five dots of spacing "
                f"{self.spacing:g} px a side; make the spacing smaller."
            )

    @property
    def centre(self) -> np.ndarray:
        """Position (y, x) of the origin: the middle of the display."""
        return (np.array(self.pixels) - 1) / 2

    @property
    def reach(self) -> np.ndarray:
        """Dots (rows, columns) on each side of the origin; half a spacing is left free at the border."""
        return np.floor((self.centre - self.spacing / 2) / self.spacing).astype(int)

    def labels(self) -> np.ndarray:
        """Labels ``[dot, (row, column)]`` of all dots, the origin's 0, 0."""
        rows, columns = (np.arange(-reach, reach + 1) for reach in self.reach)
        return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)

    def positions(self, labels: np.ndarray) -> np.ndarray:
        """Positions ``[dot, (y, x)]`` of dots by their labels."""
        return self.centre + self.spacing * np.asarray(labels, dtype=np.float64)

    def picture(self) -> np.ndarray:
        """What to display: ``[y, x, 3]`` uint8 sRGB; a dot's edge has as much light as the disc covers of the pixel."""
        light = np.zeros(self.pixels, dtype=np.float32)
        labels = self.labels()
        marked = (labels[:, None] == MARKS).all(axis=-1).any(axis=1)
        for position, mark in zip(self.positions(labels), marked, strict=True):
            radius = self.radius * (MARK_SIZE if mark else 1.0)
            top, left = np.floor(position - radius - 1).astype(int)
            side = 2 * int(np.ceil(radius)) + 4
            y, x = np.mgrid[top : top + side, left : left + side]
            distance = np.hypot(y - position[0], x - position[1])
            light[top : top + side, left : left + side] += np.clip(radius + 0.5 - distance, 0, 1)
        return np.repeat(to_8_bit(linear_to_srgb(light))[..., None], 3, axis=2)
