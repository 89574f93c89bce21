"""Large pictures in overlapping tiles: cutting and blending.

The unit is a cell of ``Prior.size_multiple`` pixels, so that tiles of the picture, of its latents and of the restored
picture coincide exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from metalens.formats.files.errors import InputError
from metalens.restore.conditioning.degradation_map import Region

OVERLAP = 0.25
"""Overlap of two neighbours as a fraction of a tile's side."""


@dataclass(frozen=True)
class Tile:
    """A rectangle of cells."""

    top: int
    left: int
    height: int
    width: int

    def of(self, values: Tensor, samples: int) -> Tensor:
        """Cut this tile from values.

        Args:
            values: ``[…, y, x]`` of the whole frame.
            samples: samples per cell along each side.

        Returns:
            ``[…, height · samples, width · samples]``.
        """
        rows = slice(self.top * samples, (self.top + self.height) * samples)
        columns = slice(self.left * samples, (self.left + self.width) * samples)
        return values[..., rows, columns]

    def region(self, cell: int, frame: tuple[int, int]) -> Region:
        """Region of the tile in the frame.

        Args:
            cell: pixels per cell along each side.
            frame: (rows, columns) of the frame in pixels.

        Returns:
            The tile as fractions of the frame's sides.
        """
        rows, columns = frame
        return Region(
            self.top * cell / rows, self.left * cell / columns, self.height * cell / rows, self.width * cell / columns
        )


@dataclass(frozen=True)
class Tiling:
    """Tiles of equal size that cover a frame of ``rows`` × ``columns`` cells.

    Attributes:
        rows: of the frame.
        columns: of the frame.
        height: of a tile.
        width: of a tile.
        tops: where tiles begin, ascending.
        lefts: where tiles begin, ascending.
    """

    rows: int
    columns: int
    height: int
    width: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.tops) * len(self.lefts)

    def tiles(self) -> list[Tile]:
        """All tiles, row by row."""
        return [Tile(top, left, self.height, self.width) for top in self.tops for left in self.lefts]

    def windows(self, most: int) -> list[Tile]:
        """At most ``most``² windows of half a tile's side, spread evenly over the frame."""
        height, width = max(1, self.height // 2), max(1, self.width // 2)
        tops = _spread(self.rows - height, min(most, math.ceil(self.rows / height)))
        lefts = _spread(self.columns - width, min(most, math.ceil(self.columns / width)))
        return [Tile(top, left, height, width) for top in tops for left in lefts]

    def share(self, tile: Tile, samples: int) -> tuple[Tensor, Tensor]:
        """Blending weights of a tile; those of all tiles sum to 1 everywhere.

        Args:
            tile: one of the tiles.
            samples: samples per cell along each side.

        Returns:
            Weights over the rows ``[y, 1]`` and over the columns ``[1, x]``.
        """
        down = _shares(self.tops, self.height, self.rows, samples)[self.tops.index(tile.top)]
        across = _shares(self.lefts, self.width, self.columns, samples)[self.lefts.index(tile.left)]
        return down[:, None], across[None, :]


def tiling_of(pixels: tuple[int, int], cell: int, side: int, enough: int | None = None) -> Tiling:
    """Cut a padded picture into tiles.

    Along each axis the number of tiles is the smallest with an overlap of at least a quarter of ``side``, or of
    ``enough``. Tiles have equal size and even spacing; a picture up to ``side`` is one tile.

    Args:
        pixels: (rows, columns), multiples of ``cell``.
        cell: pixels per cell along each side.
        side: the largest side of a tile in pixels.
        enough: cells of overlap that do, where a quarter of the side is more.

    Returns:
        Size and starts of the tiles along both axes, in cells.

    Raises:
        InputError: ``side`` is less than four cells, which leaves nothing between the overlaps.
    """
    if side < 4 * cell:
        raise InputError(f"--tile {side}: this prior needs tiles of {4 * cell} pixels or more.")
    overlap = math.ceil(side // cell * OVERLAP)
    overlap = overlap if enough is None else min(overlap, enough)
    (height, tops), (width, lefts) = (_cut(length // cell, side // cell, overlap) for length in pixels)
    return Tiling(pixels[0] // cell, pixels[1] // cell, height, width, tops, lefts)


def tiled(
    function: Callable[[Tile], Tensor],
    tiling: Tiling,
    samples: int,
    report: Callable[[], None] = lambda: None,
) -> Tensor:
    """Compute a plane tile by tile and blend the tiles where they overlap.

    Args:
        function: tile → ``[…, tile.height · samples, tile.width · samples]``.
        tiling: the tiles.
        samples: samples of the result per cell along each side.
        report: called after each tile.

    Returns:
        ``[…, rows · samples, columns · samples]``.
    """
    whole: Tensor | None = None
    for tile in tiling.tiles():
        part = function(tile)
        report()
        if len(tiling) == 1:
            return part
        if whole is None:
            whole = part.new_zeros((*part.shape[:-2], tiling.rows * samples, tiling.columns * samples))
        down, across = tiling.share(tile, samples)
        tile.of(whole, samples).add_(part * (down.to(part) * across.to(part)))
    assert whole is not None
    return whole


def _cut(length: int, side: int, overlap: int) -> tuple[int, tuple[int, ...]]:
    """Length and starts of the fewest equal parts of at most ``side`` that overlap by so much or more."""
    if length <= side:
        return length, (0,)
    count = math.ceil((length - overlap) / (side - overlap))
    part = min(side, math.ceil((length + (count - 1) * overlap) / count))
    return part, _spread(length - part, count)


def _spread(room: int, count: int) -> tuple[int, ...]:
    """``count`` different integers from 0 to ``room``, evenly spaced."""
    if count <= 1 or room <= 0:
        return (0,)
    return tuple(sorted({round(number * room / (count - 1)) for number in range(count)}))


def _shares(starts: Sequence[int], length: int, whole: int, samples: int) -> list[Tensor]:
    """Weights along one axis of every part, ``[length · samples]`` each.

    A part has weight 0 in the outer quarter of an overlap, where padding affected its convolutions, and rises to 1 over
    the middle half. At the edge of the frame it keeps weight 1.
    """
    place = torch.arange(length * samples) + 0.5
    total = torch.zeros(whole * samples)
    weights = []
    for number, start in enumerate(starts):
        weight = torch.ones(length * samples)
        if number > 0:
            weight = torch.minimum(weight, _ramp(place, (starts[number - 1] + length - start) * samples))
        if number < len(starts) - 1:
            overlap = (start + length - starts[number + 1]) * samples
            weight = torch.minimum(weight, _ramp(length * samples - place, overlap))
        weights.append(weight)
        total[start * samples : (start + length) * samples] += weight
    return [
        weight / total[start * samples : (start + length) * samples]
        for start, weight in zip(starts, weights, strict=True)
    ]


def _ramp(distance: Tensor, overlap: int) -> Tensor:
    """Smooth ramp from 0 to 1 with the distance from an edge, over the middle half of the overlap."""
    linear = (2 * distance / overlap - 0.5).clamp(0, 1)
    return linear * linear * (3 - 2 * linear)
