"""Matches the dots of a capture to the dots of the target, for any orientation of the camera."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from scipy.spatial import cKDTree

from metalens.formats.files.errors import InputError
from metalens.synth.alignment.dots import FEWEST, Dots
from metalens.synth.alignment.target import MARKS, DotTarget

_MOST_CANDIDATES = 16
_BESIDE = np.array([[0, 1], [0, -1], [-1, 0], [1, 2], [1, 1], [1, -1], [-1, 1], [-1, -1]])
"""Labels near the marks; a candidate triple is scored by the dots found there."""


@dataclass(frozen=True)
class LabelledDots:
    """Dots with known positions on the display.

    Attributes:
        label: ``[dot, (row, column)]`` of the target.
        index: ``[dot]`` into the dots that were found.
        mirrored: whether the capture shows the display as in a mirror.
    """

    label: np.ndarray
    index: np.ndarray
    mirrored: bool


def label_dots(dots: Dots, target: DotTarget, *, name: str) -> LabelledDots:
    """Give each dot its label.

    The three marked dots have more light than their neighbours and fix origin and axes, in any orientation. From them
    the grid grows: an affine fit to the nearest labelled dots predicts the position of the next one. Missing dots are
    skipped; a bright spot outside the grid gets no label.

    Args:
        dots: from :func:`metalens.synth.alignment.dots.find_dots`.
        target: what was displayed.
        name: how an error message calls the capture.

    Returns:
        Labels of at least ``FEWEST`` dots and the index of each dot, sorted by label; and whether the capture is
        mirrored.

    Raises:
        InputError: the marks are not seen, or too few dots can be reached from them.
    """
    tree = cKDTree(dots.position)
    origin, right, below = _marks(dots, tree, name)
    known = {tuple(MARKS[0]): origin, tuple(MARKS[1]): right, tuple(MARKS[2]): below}
    known = _grow(dots.position, tree, known, target.reach)
    if len(known) < FEWEST:
        raise InputError(
            f"{name}: {len(known)} of {len(dots.position)} dots could be counted from the marked ones, at least "
            f"{FEWEST} are needed; the middle of the target has to be seen whole."
        )
    label = np.array(sorted(known))
    index = np.array([known[tuple(each)] for each in label])
    axes = dots.position[right] - dots.position[origin], dots.position[below] - dots.position[origin]
    return LabelledDots(label, index, bool(_cross(axes[0], axes[1]) > 0))


def _cross(first: np.ndarray, second: np.ndarray) -> float:
    return float(first[0] * second[1] - first[1] * second[0])


def _marks(dots: Dots, tree: cKDTree, name: str) -> tuple[int, int, int]:
    """The three dots that are marked: origin, the one to its right, the one below."""
    _, near = tree.query(dots.position, k=9)
    ratio = dots.flux / np.median(dots.flux[near[:, 1:]], axis=1)
    candidates = [int(i) for i in np.argsort(-ratio)[:_MOST_CANDIDATES] if ratio[i] > 1.5]
    best, score = None, 0.0
    for triple in permutations(candidates, 3):
        found = _score(dots, tree, triple)
        if found > score:
            best, score = triple, found
    if best is None:
        raise InputError(
            f"{name}: the three larger dots in the target's middle were not found ({len(candidates)} dots have more "
            "light than their neighbours); they have to be seen, and nothing but the target."
        )
    return best


def _score(dots: Dots, tree: cKDTree, triple: tuple[int, int, int]) -> float:
    """Score of a candidate triple: share of the expected neighbouring dots that exist; 0 if impossible."""
    origin, right, below = dots.position[list(triple)]
    across, down = (right - origin) / 2, below - origin
    lengths = np.linalg.norm([across, down], axis=1)
    if lengths.max() > 2 * lengths.min() or lengths.max() > 3 * dots.spacing:
        return 0.0
    if abs(_cross(across, down)) < 0.4 * lengths.prod():
        return 0.0
    distance, _ = tree.query(origin + _BESIDE @ np.stack([down, across]))
    there = distance < 0.3 * lengths.min()
    return float(there.mean()) if there.mean() >= 0.6 else 0.0


def _grow(
    position: np.ndarray, tree: cKDTree, known: dict[tuple[int, int], int], reach: np.ndarray
) -> dict[tuple[int, int], int]:
    """Label dot after dot from those that have labels, nearest first."""
    known = dict(known)
    taken = set(known.values())
    around = [(i, j) for i in range(-2, 3) for j in range(-2, 3) if (i, j) != (0, 0)]
    while True:
        wanted = {(row + i, column + j) for row, column in known for i, j in around} - known.keys()
        # One wave at a time, from what the wave before has labelled; the nearest to the origin lead.
        found = {}
        for label in sorted(wanted, key=lambda each: (max(abs(each[0]), abs(each[1])), each)):
            if abs(label[0]) > reach[0] or abs(label[1]) > reach[1]:
                continue
            index = _dot_at(position, tree, known, label)
            if index is not None and index not in taken:
                found[label] = index
                taken.add(index)
        if not found:
            return known
        known.update(found)


def _dot_at(
    position: np.ndarray, tree: cKDTree, known: dict[tuple[int, int], int], label: tuple[int, int]
) -> int | None:
    """The dot where the labelled ones around expect it, if there is one."""
    row, column = label
    for reach in (2, 3):
        near = [
            (i, j)
            for i in range(row - reach, row + reach + 1)
            for j in range(column - reach, column + reach + 1)
            if (i, j) in known
        ]
        offset = np.array([(1, i - row, j - column) for i, j in near], dtype=np.float64).reshape(-1, 3)
        if len(near) >= 3 and np.linalg.matrix_rank(offset) == 3:
            break
    else:
        return None
    weight = 1 / (1 + (offset[:, 1:] ** 2).sum(axis=1))[:, None]
    affine, *_ = np.linalg.lstsq(offset * weight, position[[known[each] for each in near]] * weight, rcond=None)
    step = min(np.linalg.norm(affine[1]), np.linalg.norm(affine[2]))
    distance, index = tree.query(affine[0])
    return int(index) if distance < 0.3 * step else None
