"""Test photographs that also trained: the same file, or the same picture resized, stretched, mirrored or upside down.

Compared is what manifests hold: the SHA-256 of each file, and its look (:func:`look_of`), which a picture keeps in
another size, aspect ratio or compression. A crop, or a turn by a right angle, looks different and is not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from metalens.formats.files.foreign_text import shown
from metalens.formats.pairs.manifest import PairsSource
from metalens.formats.pairs.photograph_split import ALIKE

MOST_NAMED = 3
"""Photographs that a sentence names; further ones are counted."""

_SIDE = 16


class SharedPhotograph(NamedTuple):
    """A test photograph that also trained.

    Attributes:
        name: of the test photograph.
        training_name: of the photograph that trained.
        how: ``the same file``, ``the same picture``, ``mirrored``, ``upside down`` or ``turned by 180°``.
    """

    name: str
    training_name: str
    how: str


def shared_photographs(test: Iterable[PairsSource], training: Iterable[PairsSource]) -> list[SharedPhotograph]:
    """Find the test photographs that also trained.

    Args:
        test: photographs that a result is judged by.
        training: all photographs of the training sets; those of their validation split count as not trained on.

    Returns:
        One entry for each such test photograph, in the order of the test photographs.
    """
    trained = [source for source in training if source.split == "train"]
    by_hash = {source.sha256: source.name for source in trained}
    looked = [source for source in trained if source.look]
    looks = np.array([_bits(source.look) for source in looked], dtype=bool).reshape(-1, _SIDE, _SIDE)
    found = []
    for source in test:
        if source.sha256 in by_hash:
            found.append(SharedPhotograph(source.name, by_hash[source.sha256], "the same file"))
        elif source.look and len(looks):
            found += _alike(source, looked, looks)
    return found


def shared_sentence(shared: Sequence[SharedPhotograph]) -> str:
    """What a user is told about them; some are named, the others counted.

    Args:
        shared: of :func:`shared_photographs`, one or more.

    Returns:
        A sentence or two.
    """
    names = [shown(each.name) + _told(each) for each in shared[:MOST_NAMED]]
    more = f" and {len(shared) - MOST_NAMED} more" if len(shared) > MOST_NAMED else ""
    return (
        f"test photographs that also trained: {', '.join(names)}{more}. Figures of them are better than those of other "
        "photographs; take them out of one of the sets."
    )


def _told(each: SharedPhotograph) -> str:
    return f" ({each.how})" if each.name == each.training_name else f" ({each.how} as {shown(each.training_name)})"


def _bits(look: str) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bytes.fromhex(look), dtype=np.uint8)).reshape(_SIDE, _SIDE).astype(bool)


def _alike(source: PairsSource, trained: Sequence[PairsSource], looks: np.ndarray) -> list[SharedPhotograph]:
    bits = _bits(source.look)
    # A mirror turns "brighter to the right" round; where neighbours are equal the bit of both is 0.
    seen = {
        "the same picture": bits,
        "mirrored": ~bits[:, ::-1],
        "upside down": bits[::-1],
        "turned by 180°": ~bits[::-1, ::-1],
    }
    different = {how: (looks != each).sum(axis=(1, 2)) for how, each in seen.items()}
    how = min(different, key=lambda each: int(different[each].min()))
    if different[how].min() > ALIKE:
        return []
    return [SharedPhotograph(source.name, trained[int(different[how].argmin())].name, how)]
