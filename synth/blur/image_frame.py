"""The part of the sensor that is imaged, and the scene around it from which light scatters in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from scipy.interpolate import RectBivariateSpline

from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import PsfBank

LARGEST_SCALE = 8
"""Largest scale of the halo's grid: margins are multiples of it."""

WARP_MARGIN = 16
"""Pixels beyond the functions' reach, from which a warp can bring light."""

KNOTS = 49
"""Places along each side at which the functions' centroids are asked for."""


@dataclass(frozen=True)
class Frame:
    """A part of the sensor.

    Attributes:
        pixels: rows, columns of the image.
        origin: row, column of the sensor's pixel that is the image's first.
        surround: pixels by which scenes go beyond the image on each side.
        kernel: rows, columns of the functions.
        sensor: rows, columns of the sensor.
        pitch: of its pixels in metres.
    """

    pixels: tuple[int, int]
    origin: tuple[int, int]
    surround: int
    kernel: tuple[int, int]
    sensor: tuple[int, int]
    pitch: float

    @property
    def scene_pixels(self) -> tuple[int, int]:
        """Rows, columns of the scenes."""
        return (self.pixels[0] + 2 * self.surround, self.pixels[1] + 2 * self.surround)

    @property
    def margin(self) -> tuple[int, int]:
        """Rows, columns by which the continued scene goes beyond the image on each side."""
        reach = [side // 2 + 1 + WARP_MARGIN for side in self.kernel]
        return (LARGEST_SCALE * -(-reach[0] // LARGEST_SCALE), LARGEST_SCALE * -(-reach[1] // LARGEST_SCALE))

    @property
    def continued_pixels(self) -> tuple[int, int]:
        """Rows, columns of the continued scene."""
        return (self.pixels[0] + 2 * self.margin[0], self.pixels[1] + 2 * self.margin[1])

    def continued(self, planes: jax.Array) -> jax.Array:
        """The scene ``[channel, y, x]`` with its mirror image, or what is needed of it."""
        widths = [margin - self.surround for margin in self.margin]
        pads = [(max(width, 0), max(width, 0)) for width in widths]
        cuts = [slice(max(-width, 0), size - max(-width, 0)) for width, size in zip(
            widths, self.scene_pixels, strict=True)]  # fmt: skip
        return jnp.pad(planes[:, cuts[0], cuts[1]], ((0, 0), *pads), mode="symmetric")

    def places(self, axis: int) -> np.ndarray:
        """Positions in metres of the continued scene's rows or columns."""
        return self._metres(np.arange(self.pixels[axis] + 2 * self.margin[axis]) - self.margin[axis], axis)

    def as_pixels(self, position: np.ndarray) -> np.ndarray:
        """Places ``[..., (y, x)]`` in metres as rows, columns of the continued scene."""
        first = np.array([self.origin[axis] - (self.sensor[axis] - 1) / 2 - self.margin[axis] for axis in (0, 1)])
        return position / self.pitch - first

    def _metres(self, pixel: np.ndarray, axis: int) -> np.ndarray:
        return (self.origin[axis] + pixel - (self.sensor[axis] - 1) / 2) * self.pitch

    def core_pixels(self, core: tuple[int, int]) -> tuple[int, int]:
        """Rows, columns of the part of the continued scene that cores reach the image from."""
        return (self.pixels[0] + core[0] - 1, self.pixels[1] + core[1] - 1)

    def core_places(self, index: np.ndarray, core: tuple[int, int], axis: int) -> np.ndarray:
        """Positions on the sensor of rows or columns of the part that cores reach.

        Args:
            index: ``[place]`` of rows or columns; may be fractions.
            core: rows, columns of the core.
            axis: 0 for rows, 1 for columns.

        Returns:
            ``[place]`` in metres.
        """
        return self._metres(index - (core[axis] - 1 - core[axis] // 2), axis)

    def core_axis(self, core: tuple[int, int]) -> tuple[float, float]:
        """Row, column of that part where the optical axis lies."""
        row, column = (
            (length - 1) / 2 - first + side - 1 - side // 2
            for length, first, side in zip(self.sensor, self.origin, core, strict=True)
        )
        return (row, column)

    def core_first(self, core: tuple[int, int]) -> tuple[int, int]:
        """Row, column of the continued scene where that part begins."""
        row, column = (margin - (side - 1 - side // 2) for margin, side in zip(self.margin, core, strict=True))
        return (row, column)

    def core_part(self, planes: jax.Array, core: tuple[int, int]) -> jax.Array:
        """Part of the continued scene whose light reaches the image through the cores.

        Args:
            planes: ``[channel, y, x]`` of the continued scene.
            core: rows, columns of the core.

        Returns:
            ``[channel, y, x]``.
        """
        first = self.core_first(core)
        rows, columns = self.core_pixels(core)
        return planes[:, first[0] : first[0] + rows, first[1] : first[1] + columns]

    def halo_margin(self, scale: int) -> tuple[int, int]:
        """Rows, columns by which the part that halos reach the image from goes beyond it."""
        return (scale * -(-(self.kernel[0] // 2 + 1) // scale), scale * -(-(self.kernel[1] // 2 + 1) // scale))

    def halo_pixels(self, scale: int) -> tuple[int, int]:
        """Rows, columns of the halo's grid."""
        rows, columns = self._halo_groups(scale)
        return (rows + 3, columns + 3)

    def halo_places(self, index: np.ndarray, scale: int, axis: int) -> np.ndarray:
        """Positions on the sensor of rows or columns of the halo grid.

        Args:
            index: ``[place]`` of rows or columns; may be fractions.
            scale: pixels per sample of the halo.
            axis: 0 for rows, 1 for columns.

        Returns:
            ``[place]`` in metres.
        """
        return self._metres(scale * (index - 1) - self.halo_margin(scale)[axis], axis)

    def halo_axis(self, scale: int) -> tuple[float, float]:
        """Row, column of the halo's grid where the optical axis lies."""
        row, column = (
            ((length - 1) / 2 - first + margin) / scale + 1
            for length, first, margin in zip(self.sensor, self.origin, self.halo_margin(scale), strict=True)
        )
        return (row, column)

    def halo_first(self, scale: int) -> tuple[int, int]:
        """Row, column of the continued scene where the part that halos reach the image from begins."""
        row, column = (margin - part for margin, part in zip(self.margin, self.halo_margin(scale), strict=True))
        return (row, column)

    def spread(self, values: np.ndarray, first: tuple[int, int]) -> np.ndarray:
        """Extend values of a part over the whole continued scene by repeating its edge.

        Args:
            values: ``[channel, y, x]`` of the part.
            first: row, column of the continued scene where the part begins.

        Returns:
            ``[channel, y, x]`` of the continued scene.
        """
        index = [
            np.clip(np.arange(length + 2 * margin) - begin, 0, size - 1)
            for length, margin, begin, size in zip(self.pixels, self.margin, first, values.shape[1:], strict=True)
        ]
        return values[:, index[0][:, None], index[1]]

    def halo_part(self, planes: jax.Array, scale: int) -> jax.Array:
        """Part of the continued scene whose light reaches the image through the halos.

        Args:
            planes: ``[channel, y, x]`` of the continued scene.
            scale: pixels per sample of the halo; the sides of the part are multiples of it.

        Returns:
            ``[channel, y, x]``.
        """
        inner, first = self.halo_margin(scale), self.halo_first(scale)
        rows, columns = (length + 2 * part for length, part in zip(self.pixels, inner, strict=True))
        part = planes[:, first[0] : first[0] + rows, first[1] : first[1] + columns]
        groups = self._halo_groups(scale)
        return jnp.pad(part, ((0, 0), (0, scale * groups[0] - rows), (0, scale * groups[1] - columns)))

    def _halo_groups(self, scale: int) -> tuple[int, int]:
        rows, columns = (
            -(-(length + 2 * part) // scale) for length, part in zip(self.pixels, self.halo_margin(scale), strict=True)
        )
        return (rows, columns)

    def corners(self) -> np.ndarray:
        """The first and the last pixel's places ``[2, (y, x)]`` in metres."""
        ends = [self._metres(np.array([0, self.pixels[axis] - 1]), axis) for axis in (0, 1)]
        return np.stack(ends, axis=1)

    def probes(self) -> np.ndarray:
        """Places ``[place, (y, x)]`` in metres that differ most: a corner, an edge, near the axis."""
        y, x = self.corners().T
        near = [np.clip(0, *ends) for ends in (y, x)]
        far = [ends[np.abs(ends).argmax()] for ends in (y, x)]
        return np.array([far, [near[0], far[1]], near])

    def displacement(self, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """A smooth field over the continued scene, ``[channel, y, x, (y, x)]``, from its values at some knots.

        Args:
            of: takes places ``[place, (y, x)]`` in metres to ``[place, channel, (y, x)]``.
        """
        y, x = self.places(0), self.places(1)
        knots = [np.linspace(each[0], each[-1], KNOTS) for each in (y, x)]
        position = np.stack([each.ravel() for each in np.meshgrid(*knots, indexing="ij")], axis=1)
        values = of(position).reshape(KNOTS, KNOTS, -1)
        planes = [RectBivariateSpline(*knots, values[..., each])(y, x) for each in range(values.shape[-1])]
        return np.moveaxis(np.stack(planes).reshape(-1, 2, len(y), len(x)), 1, -1)


def frame_of(
    bank: PsfBank, kernel: tuple[int, int], pixels: tuple[int, int] | None, origin: tuple[int, int], surround: int
) -> Frame:
    """The frame of a bank's sensor; see :func:`metalens.synth.blur.shift_variant_blur`.

    Args:
        bank: the bank.
        kernel: rows, columns of the functions.
        pixels: rows, columns of the image; ``None`` for the whole sensor.
        origin: row, column on the sensor of the first pixel of the image.
        surround: pixels of scene on each side of the image, at least 0.

    Returns:
        The frame.

    Raises:
        InputError: the image is empty, or the surround negative.
    """
    sensor = bank.camera.sensor
    pixels = pixels or sensor.pixels
    if min(pixels) < 1 or surround < 0:
        raise InputError(
            f"blur: an image of {pixels[0]} × {pixels[1]} pixels with a surround of {surround} was asked for; "
            "expected one pixel or more, and 0 or more around them."
        )
    return Frame((pixels[0], pixels[1]), (origin[0], origin[1]), surround, kernel, sensor.pixels, sensor.pixel_pitch_m)
