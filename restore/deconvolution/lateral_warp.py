"""Lateral colour taken out and put back: each colour of a picture, moved to where the lens shows it, and back again.

The image of a point at s lies at Y(s) = s + c(s), c the smooth field of the functions' centroids. Values between
samples are Lagrange polynomials through the six nearest along each axis, whose transpose is exact.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.lateral_colour import displacement

TAPS = 6

KNOTS = 65
"""Places along each side at which the movement is turned round; it is smooth."""

SOLVER_STEPS = 30
"""Steps of the fixed point that turns it round; each gains the digits that the movement's slope has."""


class LateralWarp:
    """The movement of a scene's colours into the image, on the pixels of a part of the sensor.

    Args:
        bank: point spread functions on a grid.
        pixels: (rows, columns) of the scene.
        place: (row, column) of its first pixel on the sensor; may be negative.
        device: where to compute.

    Attributes:
        source: ``[3, y, x, (y, x)]`` rows, columns of the scene from which each pixel of the image comes.
        reach: pixels by which light moves at most.
    """

    def __init__(
        self, bank: PsfBank, pixels: tuple[int, int], place: tuple[int, int], device: torch.device | str
    ) -> None:
        self._device = device
        self._places = [
            (np.arange(length) + first - (whole - 1) / 2) * bank.pixel_pitch
            for length, first, whole in zip(pixels, place, bank.camera.sensor.pixels, strict=True)
        ]
        there = displacement(bank, *self._places)
        grid = np.stack(np.meshgrid(*(np.arange(length) for length in pixels), indexing="ij"), axis=-1)
        self._landing = grid + there
        self.source = grid + _turned_round(there)
        self.reach = int(np.ceil(np.abs(self.source - grid).max()))
        by_y, by_x = np.gradient(self.source, axis=(1, 2))
        denser = by_y[..., 0] * by_x[..., 1] - by_y[..., 1] * by_x[..., 0]
        self._denser = torch.from_numpy(denser.astype(np.float32)).to(device)
        self._taps = _Taps(self.source, pixels, device)

    def forward(self, scene: Tensor) -> Tensor:
        """The scene ``[3, y, x]``, moved; stretched light is spread thinner."""
        return self._denser * self._taps.forward(scene)

    def adjoint(self, image: Tensor) -> Tensor:
        """The exact transpose of :meth:`forward`."""
        return self._taps.adjoint(self._denser * image)

    def back(self, picture: Tensor) -> Tensor:
        """A picture ``[3, y, x]`` of even brightness, each colour taken from where the lens shows it."""
        return taken_from(picture, self._landing)


def taken_from(picture: Tensor, place: np.ndarray) -> Tensor:
    """Take each colour of a picture from other places; beyond the ends the last samples hold.

    Args:
        picture: ``[3, y, x]``.
        place: ``[3, y', x', (y, x)]`` rows and columns in the picture.

    Returns:
        ``[3, y', x']``.
    """
    return _Taps(place, (picture.shape[1], picture.shape[2]), picture.device).forward(picture)


def _turned_round(there: np.ndarray) -> np.ndarray:
    """How far back ``[3, y, x, (y, x)]`` from each pixel of the image its light comes from."""
    rows, columns = there.shape[1:3]
    knots = [np.linspace(0, length - 1, min(KNOTS, length)) for length in (rows, columns)]
    grid = np.stack(np.meshgrid(*knots, indexing="ij"), axis=-1)
    from scipy.interpolate import RectBivariateSpline  # 0.2 s, which lenses without lateral colour do not need

    found = np.empty_like(there)
    for channel in range(len(there)):
        field = [RectBivariateSpline(np.arange(rows), np.arange(columns), there[channel, ..., axis]) for axis in (0, 1)]
        back = np.zeros_like(grid)
        for _ in range(SOLVER_STEPS):
            at = grid + back
            back = -np.stack([each.ev(at[..., 0], at[..., 1]) for each in field], axis=-1)
        for axis in (0, 1):
            found[channel, ..., axis] = RectBivariateSpline(*knots, back[..., axis])(
                np.arange(rows), np.arange(columns)
            )
    return found


class _Taps:
    """Values at fractional places, and the transpose; beyond the ends the last samples hold."""

    def __init__(self, place: np.ndarray, pixels: tuple[int, int], device: torch.device | str) -> None:
        self._shape = pixels
        self._index, self._weight = [], []
        for axis, length in enumerate(pixels):
            below = np.floor(place[..., axis])
            weights = _lagrange(place[..., axis] - below)
            first = below.astype(np.int64) - (TAPS // 2 - 1)
            self._index.append(
                [torch.from_numpy(np.clip(first + tap, 0, length - 1)).to(device) for tap in range(TAPS)]
            )
            self._weight.append([torch.from_numpy(each.astype(np.float32)).to(device) for each in weights])

    def forward(self, picture: Tensor) -> Tensor:
        flat, total = picture.flatten(1), torch.zeros_like(picture)
        for index, weight in self._each():
            total += weight * flat.gather(1, index.flatten(1)).view_as(total)
        return total

    def adjoint(self, picture: Tensor) -> Tensor:
        total = torch.zeros_like(picture).flatten(1)
        for index, weight in self._each():
            total.scatter_add_(1, index.flatten(1), (weight * picture).flatten(1))
        return total.view_as(picture)

    def _each(self) -> Iterator[tuple[Tensor, Tensor]]:
        for row, by_y in zip(self._index[0], self._weight[0], strict=True):
            for column, by_x in zip(self._index[1], self._weight[1], strict=True):
                yield row * self._shape[1] + column, by_y * by_x


def _lagrange(share: np.ndarray) -> list[np.ndarray]:
    """Weights of the samples at −2..3 for a value at ``share`` in 0..1; they sum to 1."""
    nodes = range(1 - TAPS // 2, TAPS // 2 + 1)
    return [np.prod([(share - other) / (node - other) for other in nodes if other != node], axis=0) for node in nodes]
