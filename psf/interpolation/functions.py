"""Functions of any bank at any position on the sensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.lateral_colour import (
    REGISTERED_SHIFT,
    centroids,
    has_lateral_colour,
    moved_back,
    neighbour_shift,
)
from metalens.psf.camera_fields import view_of
from metalens.psf.interpolation.linear_weights import linear_weights, node_weights
from metalens.psf.interpolation.radius import radial_functions


class FieldFunctions(Protocol):
    """Point spread functions at any position; registered ones of a symmetric lens, at the position of their light."""

    @property
    def kernel(self) -> tuple[int, int]:
        """Rows, columns of the functions."""

    @property
    def channels(self) -> int:
        """Colour channels."""

    @property
    def registered(self) -> bool:
        """Whether the functions come with their centroids in the middle."""

    def on_grid(self, y: np.ndarray, x: np.ndarray, reduce: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Functions on a grid of positions, each passed through ``reduce``.

        Args:
            y: ``[row]`` in metres.
            x: ``[column]`` in metres.
            reduce: linear; takes ``[place, channel, y, x]`` to ``[place, channel, ...]``.

        Returns:
            ``[row, column, channel, ...]``.
        """

    def at(self, position: np.ndarray) -> np.ndarray:
        """Functions ``[place, channel, y, x]`` at places ``[place, (y, x)]`` in metres."""

    def share(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Sums of the functions on a grid of positions: the share of the light that arrives.

        Args:
            y: ``[row]`` in metres.
            x: ``[column]`` in metres.

        Returns:
            ``[row, column, channel]``.
        """

    def displacement(self, position: np.ndarray) -> np.ndarray:
        """Centroids ``[place, channel, (y, x)]`` in pixels."""


@dataclass(frozen=True)
class HatFunctions:
    """Functions between nodes by hat windows.

    Attributes:
        bank: whose nodes they are.
        nodes: ``[node, channel, y, x]``.
        centroid: ``[node, channel, (y, x)]`` in pixels.
        registered: whether ``nodes`` have their centroids in the middle.
    """

    bank: PsfBank
    nodes: np.ndarray
    centroid: np.ndarray
    registered: bool

    @property
    def kernel(self) -> tuple[int, int]:
        """Rows, columns of the functions."""
        return (self.nodes.shape[-2], self.nodes.shape[-1])

    @property
    def channels(self) -> int:
        """Colour channels."""
        return int(self.nodes.shape[1])

    def on_grid(self, y: np.ndarray, x: np.ndarray, reduce: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Interpolate the reduced nodes. See :class:`FieldFunctions`."""
        reduced = reduce(self.nodes)
        if self.bank.layout == "grid":
            grid = self.bank.as_grid(reduced)
            along_x = np.tensordot(linear_weights(self.bank.field_x, x).astype(np.float32), grid, (0, 1))
            return np.tensordot(linear_weights(self.bank.field_y, y).astype(np.float32), along_x, (0, 1))
        position = np.stack([each.ravel() for each in np.meshgrid(y, x, indexing="ij")], axis=1)
        values = np.tensordot(node_weights(self.bank, position).astype(np.float32), reduced, 1)
        return values.reshape(len(y), len(x), *reduced.shape[1:])

    def at(self, position: np.ndarray) -> np.ndarray:
        """See :class:`FieldFunctions`."""
        return np.tensordot(node_weights(self.bank, position), self.nodes, 1).astype(np.float32)

    def share(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Sums of the functions. See :class:`FieldFunctions`."""
        sums = self.on_grid(y, x, lambda nodes: nodes.sum(axis=(-2, -1), keepdims=True, dtype=np.float64))
        return np.asarray(sums[..., 0, 0])

    def displacement(self, position: np.ndarray) -> np.ndarray:
        """See :class:`FieldFunctions`."""
        return np.tensordot(node_weights(self.bank, position), self.centroid, 1)


def field_functions(bank: PsfBank, registered: bool | None) -> FieldFunctions:
    """Interpolate the functions of a bank.

    A symmetric lens' functions are interpolated along the radius and rotated, whether the bank is a radius or a grid;
    other grids and scattered nodes are interpolated by hat windows.

    Args:
        bank: the functions.
        registered: whether to move them to their centroids; ``None`` does so if neighbours lie apart by more than
            ``REGISTERED_SHIFT`` pixels, since interpolating shifted functions makes double images.

    Returns:
        Functions at any place of the sensor, each of its own energy.

    Raises:
        InputError: two nodes are closer than a pixel.
    """
    symmetric = bank.layout == "radial" or _is_symmetric(bank)
    if not symmetric:
        _check_distances(bank)
    centroid = centroids(bank.intensity)
    if registered is None:
        registered = has_lateral_colour(bank) if symmetric else neighbour_shift(bank, centroid) > REGISTERED_SHIFT
    if symmetric:
        return radial_functions(bank, registered=registered)
    nodes = moved_back(bank.intensity, centroid) if registered else bank.intensity
    return HatFunctions(bank, nodes, centroid, registered)


def _is_symmetric(bank: PsfBank) -> bool:
    """Whether a grid was simulated, and of a lens whose functions depend on the distance from the axis alone."""
    if bank.layout != "grid" or bank.subpixel_intensity is None or bank.simulated_position is None:
        return False
    if len(bank.simulated_position) == len(bank.position):
        return False
    square = bank.intensity.shape[-1] == bank.intensity.shape[-2]
    reference = float(bank.channel_weight[1] @ bank.wavelength)
    return square and view_of(bank.camera, bank.position[:1], reference).rotationally_symmetric


def _check_distances(bank: PsfBank) -> None:
    if bank.layout == "grid":
        closest = min([*np.diff(bank.field_y), *np.diff(bank.field_x)], default=np.inf)
    else:
        apart = np.linalg.norm(bank.position[:, None] - bank.position, axis=-1)
        closest = apart[~np.eye(len(apart), dtype=bool)].min(initial=np.inf)
    if closest < bank.pixel_pitch:
        raise InputError("psf bank: two nodes are closer than a pixel; make the bank with fewer fields.")
