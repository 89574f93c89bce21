"""How a scene is cut into blocks that are blurred alone.

Either one block for each node, where the node has weight, or one for each
cell between neighbouring nodes, on which the functions of its corners act and add up before they are transformed back.
The first is cheaper where functions are as wide as the nodes are apart, the second in large frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.fft import next_fast_len

from metalens.restore.deconvolution.wiener import tile_weights

_MOST_PARTS = 8
"""Into which a cell is divided along one axis."""


@dataclass(frozen=True)
class Blocks:
    """The blocks along one axis of the scene, all of one length.

    Attributes:
        starts: ``[block]`` first sample of each in the scene.
        length: samples of each.
        size: samples of its transform.
        members: ``[block, function]`` the nodes whose functions act on it, among those of the axis.
        weights: ``[block, function, length]`` of these nodes.
    """

    starts: np.ndarray
    length: int
    size: int
    members: np.ndarray
    weights: np.ndarray


class SceneAxis:
    """One axis of a picture's scene.

    Args:
        positions: ``[node]`` ascending positions on the sensor in metres, from its middle.
        pixel_pitch: in metres.
        sensor: pixels of the sensor along this axis.
        place: the picture's first pixel on the sensor.
        pixels: of the picture.
        kernel: samples of a function.
        reach: pixels by which lateral colour moves light at most.

    Attributes:
        nodes: indices of the nodes that have weight in it, among those of the bank.
    """

    def __init__(
        self,
        positions: np.ndarray,
        pixel_pitch: float,
        *,
        sensor: int,
        place: int,
        pixels: int,
        kernel: int,
        reach: int,
    ) -> None:
        self._kernel, self._reach, margin = kernel, reach, kernel // 2
        self._scene = pixels + 2 * margin
        # Light moves by up to ``reach`` pixels, into the windows and out of them.
        weights = tile_weights(positions, pixel_pitch, sensor + 2 * (margin + reach))
        touched = weights[:, place : place + self._scene + 2 * reach] > 0
        self.nodes = np.flatnonzero(touched.any(axis=1))
        self._touched = touched[self.nodes]
        self._weights = tile_weights(positions, pixel_pitch, sensor + 2 * margin)[
            self.nodes, place : place + self._scene
        ]

    def windows(self) -> Blocks:
        """A block for each node, where it has weight."""
        first = self._touched.argmax(axis=1) - 2 * self._reach
        last = self._touched.shape[1] - self._touched[:, ::-1].argmax(axis=1)
        return self._blocks(
            np.maximum(first, 0), np.minimum(last, self._scene), np.arange(len(self.nodes))[:, np.newaxis]
        )

    def cells(self) -> Blocks:
        """Blocks between two neighbouring nodes each, of the length at which their transforms are cheapest."""
        if len(self.nodes) == 1:
            return self.windows()
        left = np.minimum(self._touched.argmax(axis=0), len(self.nodes) - 2)
        edges = np.array([0, *np.flatnonzero(np.diff(left)) + 1, self._scene])
        plans = [self._divided(edges, left, parts) for parts in range(1, _MOST_PARTS + 1)]
        return min(plans, key=lambda plan: len(plan.starts) * plan.size)

    def _divided(self, edges: np.ndarray, left: np.ndarray, parts: int) -> Blocks:
        """Cells between ``edges``, the longest in so many parts, the others in as many as have no more samples."""
        longest = -(-int(np.diff(edges).max()) // parts)
        ends = [
            np.linspace(start, end, -(-(end - start) // longest) + 1).round().astype(int)
            for start, end in pairwise(edges)
        ]
        first, last = (np.concatenate([each[part] for each in ends]) for part in (slice(None, -1), slice(1, None)))
        return self._blocks(first, last, left[first][:, np.newaxis] + np.arange(2))

    def _blocks(self, first: np.ndarray, last: np.ndarray, members: np.ndarray) -> Blocks:
        length = int((last - first).max())
        starts = np.minimum(first, self._scene - length)
        sample = starts[:, np.newaxis] + np.arange(length)
        inside = (sample >= first[:, np.newaxis]) & (sample < last[:, np.newaxis])
        weights = self._weights[members[:, :, np.newaxis], sample[:, np.newaxis]] * inside[:, np.newaxis]
        size = next_fast_len(length + self._kernel - 1, real=True)
        return Blocks(starts, length, size, members, weights)

    def weights_at(self, source: np.ndarray) -> np.ndarray:
        """Weights ``[node, 3, y, x]`` at the places of the scene that pixels come from."""
        index = np.arange(self._scene)
        return np.stack([np.interp(source, index, each) for each in self._weights]).astype(np.float32)


def cheapest(rows: tuple[Blocks, Blocks], columns: tuple[Blocks, Blocks]) -> tuple[Blocks, Blocks]:
    """The blocks along both axes with the fewest samples to transform.

    Args:
        rows: what there is to choose from along the rows.
        columns: and along the columns.

    Returns:
        The blocks along the rows, and those along the columns.
    """

    def samples(plan: tuple[Blocks, Blocks]) -> int:
        down, across = plan
        transforms = down.members.shape[1] * across.members.shape[1] + 1
        return len(down.starts) * len(across.starts) * transforms * down.size * across.size

    return min(((down, across) for down in rows for across in columns), key=samples)


def products(rows: Blocks, columns: Blocks) -> np.ndarray:
    """Weights of blocks over both axes.

    Args:
        rows: blocks along the rows.
        columns: blocks along the columns.

    Returns:
        ``[row, column, function, 1, height, width]``, the outer product of both axes' weights.
    """
    down = rows.weights[:, np.newaxis, :, np.newaxis, :, np.newaxis]
    product = down * columns.weights[np.newaxis, :, np.newaxis, :, np.newaxis, :]
    return product.reshape(*product.shape[:2], -1, 1, rows.length, columns.length)


def moved_products(rows: SceneAxis, columns: SceneAxis, source: np.ndarray) -> np.ndarray:
    """Weights of windows where colours come from other places.

    Args:
        rows: the scene's rows.
        columns: the scene's columns.
        source: ``[3, y, x, (y, x)]`` rows and columns of the scene from which each pixel comes.

    Returns:
        ``[row, column, 1, 3, height, width]`` float32, the product of both axes' weights at each pixel's source.
    """
    (tops, height), (lefts, width) = ((each.starts, each.length) for each in (rows.windows(), columns.windows()))
    down, across = rows.weights_at(source[..., 0]), columns.weights_at(source[..., 1])
    found = np.empty((len(tops), len(lefts), 1, 3, height, width), np.float32)
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            part = (..., slice(top, top + height), slice(left, left + width))
            np.multiply(down[row][part], across[column][part], out=found[row, column, 0])
    return found
