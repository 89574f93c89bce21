"""A rotationally symmetric lens' functions at any place of the sensor, from those at a few distances from the axis.

At equal distances the functions differ by a rotation only. Along the radius they are interpolated by a cubic spline,
whose nodes go on to the other side of the axis by symmetry; then they are rotated by cubic spline interpolation, on
the sub-pixels as far as the bank holds sharp features there, and on the pixels further out, where functions are
smooth. Their sums are set to those along the radius, so that rotating loses no flux.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import map_coordinates, spline_filter

from metalens.formats.psf_bank import PsfBank, sum_subpixels
from metalens.psf.octant import octant_of, unfold_images

FINE_REACH = 20
"""Pixels from the centre to which functions are rotated on sub-pixels."""

BLEND = 8
"""Pixels over which sub-pixels go over into pixels."""

MIRRORED = 4
"""Nodes of the other side of the axis that the spline sees."""


@dataclass(frozen=True)
class RadialFunctions:
    """Functions along +x, made ready to be interpolated and rotated.

    Attributes:
        radius: ``[node]`` distances from the axis in metres, ascending; mirrored ones are negative.
        pixels: ``[node, channel, y, x]`` spline coefficients of the functions on pixels.
        fine: ``[node, channel, y · s, x · s]`` of their middles on sub-pixels; ``None`` without sub-pixels.
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
        return (self.pixels.shape[-2], self.pixels.shape[-1])

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
        images = np.concatenate([reduce(self.at(place[None])) for place in octant.position])
        return unfold_images(octant, images).reshape(len(y), len(x), *images.shape[1:])

    def at(self, position: np.ndarray) -> np.ndarray:
        """Functions ``[place, channel, y, x]`` float32 at places ``[place, (y, x)]`` in metres."""
        return np.stack([self._at(*place) for place in position])

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

    def _at(self, y: float, x: float) -> np.ndarray:
        distance = float(np.hypot(y, x))
        weights = self._weights(np.array([distance]))[0]
        used = np.flatnonzero(np.abs(weights) > 1e-7)
        direction = (y / distance, x / distance) if distance > 0 else (0.0, 1.0)
        shift = float(weights @ self.centroid.mean(axis=1)) if self.registered else 0.0
        image = _turned(np.tensordot(weights[used], self.pixels[used], 1), direction, self.kernel, 1, shift)
        if self.fine is not None:
            side = self.fine.shape[-1]
            middle = np.tensordot(weights[used], self.fine[used], 1)
            fine = sum_subpixels(_turned(middle, direction, (side, side), self.subpixels, shift), self.subpixels)
            _blend(image, fine)
        image = np.clip(image, 0, None)
        share = weights @ self.node_share
        return (image * (share / image.sum(axis=(-2, -1)))[:, None, None]).astype(np.float32)


def radial_functions(bank: PsfBank, *, registered: bool) -> RadialFunctions:
    """Put the functions of a symmetric lens' bank, radial or a grid, in the order of their distance from the axis."""
    subpixels = bank.subpixels
    images, position = bank.intensity, bank.position
    if bank.subpixel_intensity is not None and bank.simulated_position is not None:
        images, position = bank.subpixel_intensity, bank.simulated_position
    distance = np.hypot(*position.T)
    _, order = np.unique(np.round(distance, 12), return_index=True)
    nodes = [_along_x(images[node], position[node]) for node in order]
    pixels = np.stack([sum_subpixels(node, subpixels) for node in nodes]).astype(np.float64)
    share = images[order].sum(axis=(-2, -1), dtype=np.float64)
    side = pixels.shape[-1]
    centroid = (pixels.sum(axis=-2) @ (np.arange(side) - side // 2)) / pixels.sum(axis=(-2, -1))
    fine = None
    if subpixels > 1:
        cut = max(0, side // 2 - FINE_REACH) * subpixels
        fine = np.stack([node[:, cut : node.shape[1] - cut, cut : node.shape[2] - cut] for node in nodes])
        fine = _coefficients(_with_mirrored(fine))
    radius = distance[order]
    mirrored = slice(MIRRORED, 0, -1)
    return RadialFunctions(
        radius=np.concatenate([-radius[mirrored], radius]),
        pixels=_coefficients(_with_mirrored(pixels)),
        fine=fine,
        subpixels=subpixels,
        node_share=np.concatenate([share[mirrored], share]),
        centroid=np.concatenate([-centroid[mirrored], centroid]),
        registered=registered,
    )


def _with_mirrored(nodes: np.ndarray) -> np.ndarray:
    return np.concatenate([nodes[MIRRORED:0:-1, ..., ::-1], nodes])


def _coefficients(images: np.ndarray) -> np.ndarray:
    flat = images.reshape(-1, *images.shape[-2:]).astype(np.float64)
    return np.stack([spline_filter(image, mode="constant") for image in flat]).reshape(images.shape)


def _along_x(image: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Turn a function ``[channel, y, x]`` so that it lies on +x."""
    distance = float(np.hypot(*place))
    if place[0] == 0 or distance == 0:
        return image.astype(np.float64)
    side = (image.shape[-2], image.shape[-1])
    turned = _turned(_coefficients(image), (-place[0] / distance, place[1] / distance), side, 1, 0.0)
    return np.clip(turned, 0, None) * (image.sum(axis=(-2, -1)) / turned.sum(axis=(-2, -1)))[:, None, None]


def _turned(
    coefficients: np.ndarray, direction: tuple[float, float], size: tuple[int, int], subpixels: int, shift: float
) -> np.ndarray:
    """Rotate functions ``[channel, y, x]`` on +x to a direction (y, x) of length 1, moved back by ``shift`` pixels."""
    y, x = np.mgrid[: size[0], : size[1]]
    y, x = y - size[0] // 2, x - size[1] // 2
    sine, cosine = direction
    along = cosine * x + sine * y + shift * subpixels + coefficients.shape[-1] // 2
    across = cosine * y - sine * x + coefficients.shape[-2] // 2
    return np.stack(
        [map_coordinates(image, [across, along], mode="constant", prefilter=False) for image in coefficients]
    )


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
