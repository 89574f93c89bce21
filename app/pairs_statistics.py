"""What a contact sheet tells of pairs: exposure and sharpness of each, its place, its photograph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import laplace

from metalens.formats.pairs.reader import read_pairs

MOST = 500
"""Pairs that are looked at; of a larger folder, evenly spread."""

HELD_OUT = "held out"
"""Split of photographs that no training may use."""


@dataclass(frozen=True)
class PairStatistics:
    """Statistics of one pair.

    Attributes:
        index: in the folder.
        photograph: name of its photograph.
        split: ``train``, ``validation``, or ``held out``, where no training may use the folder's photographs.
        camera: name of its camera.
        position: (row, column) on the sensor of its first pixel.
        sensor: rows, columns.
        brightness: mean of the captured picture, 0 to 1.
        saturated: share of its pixels that are white in all channels.
        sharpness: standard deviation of the Laplacian of the clean picture's grey values, of 255.
        captured_sharpness: the same of the captured picture.
    """

    index: int
    photograph: str
    split: str
    camera: str
    position: tuple[int, int]
    sensor: tuple[int, int]
    brightness: float
    saturated: float
    sharpness: float
    captured_sharpness: float


@dataclass(frozen=True)
class PairsStatistics:
    """Statistics of a folder of pairs.

    Attributes:
        count: pairs in all.
        pixels: rows, columns of a picture.
        kind: how they were made.
        skipped: photographs that could not be used, with the reasons.
        pairs: those that were looked at.
    """

    count: int
    pixels: tuple[int, int]
    kind: str
    skipped: tuple[tuple[str, str], ...]
    pairs: tuple[PairStatistics, ...]


def pairs_statistics(folder: Path, *, held_out: bool = False) -> PairsStatistics:
    """Look at the pairs of a folder.

    Args:
        folder: of pairs.
        held_out: no training may use its photographs, whatever split its manifest gives them.

    Returns:
        The number of pairs, what was skipped or lost, and figures of at most ``MOST`` pairs at even distances.

    Raises:
        InputError: it holds no pairs, or they are damaged.
    """
    pairs = read_pairs(folder)
    manifest = pairs.manifest
    chosen = np.unique(np.linspace(0, len(pairs) - 1, min(MOST, len(pairs))).round().astype(int))
    found = []
    for index in map(int, chosen):
        sample = pairs.sample(index)
        source, camera = manifest.sources[sample.source], manifest.cameras[sample.camera]
        found.append(
            PairStatistics(
                index,
                source.name,
                HELD_OUT if held_out else source.split,
                camera.name,
                (int(sample.position[0]), int(sample.position[1])),
                camera.sensor,
                float(sample.degraded.mean() / 255),
                float((sample.degraded == 255).all(axis=-1).mean()),
                sharpness(sample.clean),
                sharpness(sample.degraded),
            )
        )
    skipped = [(each.name, each.reason) for each in manifest.skipped]
    skipped += [(manifest.sources[each.source].name, f"lost: {each.reason}") for each in manifest.lost]
    pairs.close()
    return PairsStatistics(len(pairs), manifest.pixels, manifest.kind, tuple(skipped), tuple(found))


def sharpness(picture: np.ndarray) -> float:
    """Standard deviation of the Laplacian of the grey values of a picture ``[y, x, 3]`` uint8."""
    return float(laplace(picture.mean(axis=-1)).std())
