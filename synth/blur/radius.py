"""A rotationally symmetric lens' functions at any place of the sensor, from those at a few distances from the axis.

At equal distances the functions differ by a rotation only. Along the radius they are interpolated by a cubic spline,
whose nodes go on to the other side of the axis by symmetry; then they are rotated by cubic spline interpolation
(``rotation``), on the sub-pixels as far as the bank holds sharp features there, and on the pixels further out, where
functions are smooth. Their sums are set to those along the radius, so that rotating loses no flux.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline

from metalens.formats.psf.bank import PsfBank, sum_subpixels
from metalens.psf.field_symmetry import octant_of, unfold_images
from metalens.synth.blur.rotation import rotated, spline_coefficients

FINE_REACH = 20
"""Pixels from the centre to which functions are rotated on sub-pixels."""

BLEND = 8
"""Pixels over which sub-pixels go over into pixels."""

MIRRORED = 4
"""Nodes of the other side of the axis that the spline sees."""

BATCH = 32
"""Functions that are rotated together, and reduced before the next ones are."""


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
        registered: whether the functions are asked for with their centroids in the middle.
    """

    radius: np.ndarray
    pixels: np.ndarray
    fine: np.ndarray | None
    subpixels: int
    node_share: np.ndarray
    centroid: np.ndarray
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
        """Functions ``[row, column, channel, ...]`` at places of a grid in metres, each passed through ``reduce``.

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

    def left_out(self) -> np.ndarray:
        """What every second node's function changes by, on the pixels, when the others tell it ``[node, ...]``."""
        own = np.flatnonzero(self.radius >= 0)
        if len(own) < 5:
            return np.zeros((0, self.channels, *self.kernel))
        nodes = own[1:-1:2]
        kept = np.union1d(np.flatnonzero(self.radius < 0)[::2], own[::2])
        fewer = np.zeros((len(nodes), len(self.radius)))
        fewer[:, kept] = CubicSpline(self.radius[kept], np.eye(len(kept)))(self.radius[nodes])
        places = np.stack([np.zeros(len(nodes)), self.radius[nodes]], axis=1)
        whole = replace(self, fine=None)
        return whole._turned(places, fewer) - whole.at(places)

    def _turned(self, position: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Functions at places, which the nodes' ``[place, node]`` weights tell."""
        angle = np.arctan2(position[:, 0], position[:, 1])
        shift = weights @ self.centroid.mean(axis=1) if self.registered else np.zeros(len(position))
        image = np.clip(rotated(self.pixels, weights, angle, shift), 0, None)
        if self.fine is not None:
            fine = rotated(self.fine, weights, angle, shift * self.subpixels)
            _blend(image, np.clip(sum_subpixels(fine, self.subpixels), 0, None))
        share = weights @ self.node_share
        return (image * (share / image.sum(axis=(-2, -1)))[..., None, None]).astype(np.float32)

    def share(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Sums ``[row, column, channel]`` of the functions at places of a grid in metres."""
        distance = np.hypot(y[:, None], x)
        return (self._weights(distance.ravel()) @ self.node_share).reshape(len(y), len(x), -1)

    def displacement(self, position: np.ndarray) -> np.ndarray:
        """Centroids ``[place, channel, (y, x)]`` in pixels."""
        distance = np.hypot(*position.T)
        along = self._weights(distance) @ self.centroid
        direction = position / np.maximum(distance, np.finfo(float).tiny)[:, None]
        return along[..., None] * direction[:, None]

    def _weights(self, distance: np.ndarray) -> np.ndarray:
        """Weights ``[place, node]`` of the spline; beyond the last node its function holds."""
        if len(self.radius) == 1:
            return np.ones((len(distance), 1))
        return CubicSpline(self.radius, np.eye(len(self.radius)))(np.minimum(distance, self.radius[-1]))


def radial_functions(bank: PsfBank, *, registered: bool) -> RadialFunctions:
    """Put the functions of a symmetric lens' bank, radial or a grid, in the order of their distance from the axis."""
    subpixels = bank.subpixels
    images, position = bank.intensity, bank.position
    if bank.subpixel_intensity is not None and bank.simulated_position is not None:
        images, position = bank.subpixel_intensity, bank.simulated_position
    distance = np.hypot(*position.T)
    _, order = np.unique(np.round(distance, 12), return_index=True)
    nodes = _along_x(images[order], position[order])
    pixels = np.stack([sum_subpixels(node, subpixels) for node in nodes]).astype(np.float64)
    share = images[order].sum(axis=(-2, -1), dtype=np.float64)
    side = pixels.shape[-1]
    centroid = (pixels.sum(axis=-2) @ (np.arange(side) - side // 2)) / pixels.sum(axis=(-2, -1))
    fine = None
    if subpixels > 1:
        cut = max(0, side // 2 - FINE_REACH) * subpixels
        fine = np.stack([node[:, cut : node.shape[1] - cut, cut : node.shape[2] - cut] for node in nodes])
        fine = spline_coefficients(_with_mirrored(fine))
    radius = distance[order]
    mirrored = slice(MIRRORED, 0, -1)
    return RadialFunctions(
        radius=np.concatenate([-radius[mirrored], radius]),
        pixels=spline_coefficients(_with_mirrored(pixels)),
        fine=fine,
        subpixels=subpixels,
        node_share=np.concatenate([share[mirrored], share]),
        centroid=np.concatenate([-centroid[mirrored], centroid]),
        registered=registered,
    )


def _with_mirrored(nodes: np.ndarray) -> np.ndarray:
    return np.concatenate([nodes[MIRRORED:0:-1, ..., ::-1], nodes])


def _along_x(images: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Turn functions ``[node, channel, y, x]`` so that they lie on +x."""
    found = images.astype(np.float64)
    aside = np.flatnonzero(places[:, 0])
    if len(aside):
        coefficients = spline_coefficients(images[aside])
        angle = -np.arctan2(places[aside, 0], places[aside, 1])
        turned = np.clip(rotated(coefficients, np.eye(len(aside)), angle, np.zeros(len(aside))), 0, None)
        share = images[aside].sum(axis=(-2, -1), dtype=np.float64) / turned.sum(axis=(-2, -1))
        found[aside] = turned * share[..., None, None]
    return found


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
