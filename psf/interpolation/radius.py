"""A rotationally symmetric lens' functions at any place of the sensor, from those at a few distances from the axis.

At equal distances the functions differ by a rotation only. Along the radius they are interpolated by a cubic spline,
whose nodes go on to the other side of the axis by symmetry; then they are rotated by cubic spline interpolation
(``rotation``), on the sub-pixels as far as the bank holds sharp features there, and on the pixels further out, where
functions are smooth. Their sums are set to those along the radius, so that rotating loses no flux.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import PsfBank, sum_subpixels
from metalens.formats.psf.lateral_colour import centroids, moved_back
from metalens.psf.field_symmetry import octant_of, unfold_images
from metalens.psf.interpolation.rotation import rotated, spline_coefficients

FINE_REACH = 20
"""Pixels from the centre to which functions are rotated on sub-pixels."""

BLEND = 8
"""Pixels over which sub-pixels go over into pixels."""

MIRRORED = 4
"""Nodes of the other side of the axis that the spline sees."""

BATCH = 32
"""Number of functions that are rotated and reduced at once, to limit memory."""


@dataclass(frozen=True)
class RadialFunctions:
    """Functions along +x, made ready to be interpolated and rotated.

    Attributes:
        radius: ``[node]`` distances from the axis in metres, ascending; mirrored ones are negative.
        pixels: ``[node, channel, y + 4, x + 4]`` spline coefficients of the functions on pixels.
        fine: ``[node, channel, y · s + 4, x · s + 4]`` of their middles on sub-pixels; ``None`` without sub-pixels.
        subpixels: s.
        node_share: ``[node, channel]`` sums of the functions.
        centroid: ``[node, channel]`` centroid along x in pixels.
        landing: ``[node, channel]`` where each colour lands, in metres from the axis: of registered functions, which
            are asked for there; otherwise the radius.
        registered: whether the functions have their centroids in the middle.
    """

    radius: np.ndarray
    pixels: np.ndarray
    fine: np.ndarray | None
    subpixels: int
    node_share: np.ndarray
    centroid: np.ndarray
    landing: np.ndarray
    registered: bool

    @property
    def kernel(self) -> tuple[int, int]:
        """Rows, columns of the functions."""
        return (self.pixels.shape[-2] - 4, self.pixels.shape[-1] - 4)

    @property
    def channels(self) -> int:
        """Colour channels."""
        return int(self.pixels.shape[1])

    def on_grid(self, y: np.ndarray, x: np.ndarray, reduce: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Functions on a grid of positions, each passed through ``reduce``.

        See :class:`~metalens.psf.interpolation.functions.FieldFunctions`.

        ``reduce`` takes ``[place, channel, y, x]`` to another linear image of odd, equal sides; places that are
        mirror images of each other are computed once.
        """
        position = np.stack([each.ravel() for each in np.meshgrid(y, x, indexing="ij")], axis=1)
        octant = octant_of(position)
        batches = [octant.position[first : first + BATCH] for first in range(0, len(octant.position), BATCH)]
        images = np.concatenate([reduce(self.at(each)) for each in batches])
        return unfold_images(octant, images).reshape(len(y), len(x), *images.shape[1:])

    def at(self, position: np.ndarray) -> np.ndarray:
        """Functions ``[place, channel, y, x]`` float32 at places ``[place, (y, x)]`` in metres."""
        return self._turned(position, self._weights(np.hypot(*position.T)))

    def _turned(self, position: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Functions at places, which the nodes' ``[place, channel, node]`` weights tell."""
        angle = np.arctan2(position[:, 0], position[:, 1])
        image = np.clip(rotated(self.pixels, weights, angle), 0, None)
        if self.fine is not None:
            fine = rotated(self.fine, weights, angle)
            _blend(image, np.clip(sum_subpixels(fine, self.subpixels), 0, None))
        share = np.einsum("pcn,nc->pc", weights, self.node_share)
        return (image * (share / image.sum(axis=(-2, -1)))[..., None, None]).astype(np.float32)

    def share(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Sums of the functions. See :class:`~metalens.psf.interpolation.functions.FieldFunctions`."""
        distance = np.hypot(y[:, None], x)
        share = np.einsum("pcn,nc->pc", self._weights(distance.ravel()), self.node_share)
        return share.reshape(len(y), len(x), -1)

    def displacement(self, position: np.ndarray) -> np.ndarray:
        """Centroids ``[place, channel, (y, x)]`` in pixels; beyond the last node they go on straight."""
        distance = np.hypot(*position.T)
        along = np.broadcast_to(self.centroid[-1:], (len(distance), self.channels))
        if len(self.radius) > 1:
            spline, last = CubicSpline(self.radius, self.centroid), self.radius[-1]
            along = spline(np.minimum(distance, last))
            along = along + np.maximum(distance - last, 0)[:, None] * spline(last, 1)
        direction = position / np.maximum(distance, np.finfo(float).tiny)[:, None]
        return np.asarray(along[..., None] * direction[:, None])

    def _weights(self, distance: np.ndarray) -> np.ndarray:
        """Weights ``[place, channel, node]`` of the spline; beyond the last node its function holds."""
        if len(self.radius) == 1:
            return np.ones((len(distance), self.channels, 1))
        if not self.registered:
            found = CubicSpline(self.radius, np.eye(len(self.radius)))(np.minimum(distance, self.radius[-1]))
            return np.broadcast_to(found[:, None], (len(distance), self.channels, len(self.radius)))
        splines = [CubicSpline(landing, np.eye(len(landing))) for landing in self.landing.T]
        ends = self.landing[-1]
        return np.stack([each(np.minimum(distance, end)) for each, end in zip(splines, ends, strict=True)], axis=1)


def radial_functions(bank: PsfBank, *, registered: bool) -> RadialFunctions:
    """Prepare the functions of a rotationally symmetric lens for interpolation along the radius.

    Args:
        bank: radial or a grid.
        registered: whether to move the functions to their centroids.

    Returns:
        The functions, ordered by distance from the axis.

    Raises:
        InputError: a colour's image of one node does not lie farther from the axis than that of the node before.
    """
    subpixels = bank.subpixels
    images, position = bank.intensity, bank.position
    if bank.subpixel_intensity is not None and bank.simulated_position is not None:
        images, position = bank.subpixel_intensity, bank.simulated_position
    distance = np.hypot(*position.T)
    _, order = np.unique(np.round(distance, 12), return_index=True)
    # Node by node: the functions of all of them at once, by sub-pixels and in double precision, take gigabytes.
    each = [_along_x(images[number], position[number], subpixels, registered=registered) for number in order]
    pixels, middle, centroid = (np.stack(found) for found in zip(*each, strict=True))
    share = images[order].sum(axis=(-2, -1), dtype=np.float64)
    fine = spline_coefficients(_with_mirrored(middle)) if subpixels > 1 else None
    radius = distance[order]
    mirrored = slice(MIRRORED, 0, -1)
    landing = radius[:, None] + (bank.pixel_pitch * centroid if registered else 0 * centroid)
    if (np.diff(landing, axis=0) <= 0).any():
        raise InputError(
            "psf bank: a colour's image folds over itself between two nodes, so that its light cannot be moved; make "
            "the bank with more fields, or blur with registered=False."
        )
    return RadialFunctions(
        radius=np.concatenate([-radius[mirrored], radius]),
        pixels=spline_coefficients(_with_mirrored(pixels)),
        fine=fine,
        subpixels=subpixels,
        node_share=np.concatenate([share[mirrored], share]),
        centroid=np.concatenate([-centroid[mirrored], centroid]),
        landing=np.concatenate([-landing[mirrored], landing]),
        registered=registered,
    )


def _with_mirrored(nodes: np.ndarray) -> np.ndarray:
    return np.concatenate([nodes[MIRRORED:0:-1, ..., ::-1], nodes])


def _along_x(
    image: np.ndarray, place: np.ndarray, subpixels: int, *, registered: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn a function ``[channel, y, x]`` so that it lies on +x.

    Returns:
        It by pixels, its middle by sub-pixels, and the x ``[channel]`` of its centroid in pixels.
    """
    found = image.astype(np.float64)
    if place[0]:
        angle = -np.arctan2(place[0], place[1])
        turned = np.clip(rotated(spline_coefficients(image[None]), np.ones((1, 1, 1)), np.array([angle]))[0], 0, None)
        found = turned * (image.sum(axis=(-2, -1), dtype=np.float64) / turned.sum(axis=(-2, -1)))[:, None, None]
    pixels = sum_subpixels(found, subpixels).astype(np.float64)
    centroid = centroids(pixels)[..., 1]
    if registered:
        # Each colour by itself, before anything is interpolated.
        shift = np.stack([np.zeros_like(centroid), subpixels * centroid], axis=-1)
        found = moved_back(found, shift).astype(np.float64)
        pixels = sum_subpixels(found, subpixels)
    cut = max(0, pixels.shape[-1] // 2 - FINE_REACH) * subpixels
    return pixels, found[:, cut : found.shape[1] - cut, cut : found.shape[2] - cut], centroid


def _blend(image: np.ndarray, fine: np.ndarray) -> None:
    """Put the finer middle into the image, with a smooth edge if the image goes on beyond it."""
    side, middle = fine.shape[-1], image.shape[-1] // 2
    cut = slice(middle - side // 2, middle + side // 2 + 1)
    edge = np.ones(side)
    if side < image.shape[-1]:
        inner = np.clip((side // 2 - np.abs(np.arange(side) - side // 2)) / BLEND, 0, 1)
        edge = np.sin(0.5 * np.pi * inner) ** 2
    weight = edge[:, None] * edge
    image[..., cut, cut] += weight * (fine - image[..., cut, cut])
