"""Division of photographs into training and validation by their content, not by crops or file names.

A photograph falls by its own content hash, so that it lies on the same side in every set it is used in, whatever
other photographs there are. Copies of one photograph, the same file under another name or the same picture in
another size or compression, fall together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np
from PIL import Image

from metalens.formats.pictures.resizing import strips

Split = Literal["train", "validation"]

_SIDE = 16
VALIDATION_SHARE = 0.05
"""Share of the photographs, if nothing else is asked for."""

ALIKE = 31
"""Two photographs whose looks differ in at most so many of their 256 bits count as copies of one.

Of 159 photographs (docs/photographs.md) no two differ in less than 51 bits; shrunk to 2/3 and saved as a JPEG of
quality 70, none differs from itself in more than 25.
"""


def look_of(picture: np.ndarray) -> str:
    """What a picture shows, in 256 bits: where it grows brighter from left to right on a grid of 16 × 16.

    A difference hash: nearly the same for a picture in another size, compression or brightness.

    Args:
        picture: ``[y, x, 3]`` uint8 sRGB.

    Returns:
        64 hexadecimal digits.
    """
    parts = [np.asarray(Image.fromarray(picture[rows]).convert("L")) for rows in strips(picture.shape[:2])]
    grey = Image.fromarray(np.concatenate(parts)).resize((_SIDE + 1, _SIDE), Image.Resampling.BOX)
    values = np.asarray(grey).astype(np.int16)
    return np.packbits(np.diff(values, axis=1) > 0).tobytes().hex()


def split_photographs(hashes: Sequence[str], looks: Sequence[str], share: float) -> list[Split]:
    """Assign each photograph to the training or the validation split.

    Args:
        hashes: SHA-256 of each photograph's file, in hexadecimal digits.
        looks: :func:`look_of` each.
        share: of the photographs in the validation split, 0 to 1. Above 0, with at least two photographs that are not
            copies of each other, each split gets at least one.

    Returns:
        One side for each.
    """
    groups = copies(hashes, looks)
    heads = {group: min(hashes[member] for member in members) for group, members in groups.items()}
    ranked = sorted(groups, key=lambda group: heads[group])
    held = {group for group in ranked if int(heads[group][:16], 16) < share * 2**64}
    if share > 0 and not held:
        held = {ranked[0]}
    if len(held) == len(ranked):
        held.discard(ranked[-1])
    sides: list[Split] = ["train"] * len(hashes)
    for group in held:
        for member in groups[group]:
            sides[member] = "validation"
    return sides


def pairs_of_each(total: int, sides: Sequence[Split], share: float) -> np.ndarray:
    """Deal pairs to photographs: evenly, but no more of them to the validation split than were asked for.

    Of few photographs the least that can validate, one, is a large part of them. It then gets fewer pairs than the
    others do, so that the pairs that train are not fewer than asked for.

    Args:
        total: pairs in all, at least 1.
        sides: of each photograph; at least one trains.
        share: of the pairs in the validation split, 0 to 1; one pair of each of its photographs is the least.

    Returns:
        Number of pairs of each photograph; where they cannot be equal, the first ones of a split have one more.
    """
    held = np.array([side == "validation" for side in sides])
    each = _even(total, len(sides))
    validate = min(int(each[held].sum()), max(int(held.sum()), round(share * total)))
    each[held], each[~held] = _even(validate, int(held.sum())), _even(total - validate, int((~held).sum()))
    return each


def _even(total: int, parts: int) -> np.ndarray:
    """Whole numbers, the largest first, that differ by 1 at most."""
    return np.array([total // parts + (number < total % parts) for number in range(parts)], dtype=np.int64)


def photographs_in_turn(numbers: Sequence[int], each: np.ndarray) -> list[int]:
    """Photograph of each of some pairs; pairs of one photograph are consecutive.

    Args:
        numbers: of the pairs, from 0.
        each: :func:`pairs_of_each` photograph.

    Returns:
        Its index, from 0.
    """
    return list(map(int, np.searchsorted(np.cumsum(each), numbers, side="right")))


def copies(hashes: Sequence[str], looks: Sequence[str]) -> dict[int, list[int]]:
    """Group photographs that are copies of each other.

    Args:
        hashes: SHA-256 of each photograph's file, in hexadecimal digits.
        looks: :func:`look_of` each.

    Returns:
        Index of the first of each group → indices of all of it, ascending.
    """
    parent = list(range(len(hashes)))

    def first_of(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def join(one: int, other: int) -> None:
        low, high = sorted((first_of(one), first_of(other)))
        parent[high] = low

    seen: dict[str, int] = {}
    for number, each in enumerate(hashes):
        join(number, seen.setdefault(each, number))
    words = np.array([[int(look[at : at + 16], 16) for at in range(0, 64, 16)] for look in looks], dtype=np.uint64)
    for number in range(1, len(words)):
        different = np.bitwise_count(words[:number] ^ words[number]).sum(axis=1, dtype=np.int64)
        for other in np.flatnonzero(different <= ALIKE):
            join(number, int(other))
    groups: dict[int, list[int]] = defaultdict(list)
    for number in range(len(hashes)):
        groups[first_of(number)].append(number)
    return dict(groups)
