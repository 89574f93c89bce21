"""Photographs that are one and the same, in two sets or in one: resized, stretched, mirrored, turned or cropped.

Compared is what manifests hold: the SHA-256 of each file; its look (:func:`look_of`), which a picture keeps in another
size, aspect ratio or compression; and its thumbnail, in which crops and turned copies are looked for
(:mod:`metalens.formats.pairs.thumbnail`). Manifests of earlier versions have no thumbnails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from metalens.formats.files.foreign_text import shown
from metalens.formats.pairs.manifest import PairsSource
from metalens.formats.pairs.photograph_split import ALIKE, copies
from metalens.formats.pairs.thumbnail import ALIKE as THUMBNAIL_ALIKE
from metalens.formats.pairs.thumbnail import TURNS, UNDOES, Thumbnails, picture_of

MOST_NAMED = 3
"""Photographs that a sentence names; further ones are counted."""

MOST_SEARCHED = 20_000
"""Pairs of photographs, one millisecond each; of more, only whole ones are compared."""

_SIDE = 16
_WHOLE = 0.96
"""Size from which a picture is not called a part."""


class SharedPhotograph(NamedTuple):
    """A test photograph that also trained.

    Attributes:
        name: of the test photograph.
        training_name: of the photograph that trained.
        how: ``the same file``, ``the same picture``, a turn such as ``mirrored`` or ``turned by 90°``, ``a part`` of
            the other, or ``more`` than it, with their turn.
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
    test, trained = list(test), [source for source in training if source.split == "train"]
    by_hash = {source.sha256: source.name for source in trained}
    looked = [source for source in trained if source.look]
    looks = np.array([_bits(source.look) for source in looked], dtype=bool).reshape(-1, _SIDE, _SIDE)
    found = []
    for source in test:
        if source.sha256 in by_hash:
            found.append(SharedPhotograph(source.name, by_hash[source.sha256], "the same file"))
        elif source.look and len(looks):
            found += _alike(source, looked, looks)
    known = {each.name for each in found}
    found += _by_thumbnails([source for source in test if source.name not in known], trained)
    places = {source.name: place for place, source in reversed(list(enumerate(test)))}
    return sorted(found, key=lambda each: places[each.name])


def duplicates(sources: Sequence[PairsSource]) -> list[SharedPhotograph]:
    """Photographs of one set that are another one of it; crops and turned copies are not looked for.

    Args:
        sources: of the set.

    Returns:
        One entry for each photograph of which an earlier one of the set is a copy.
    """
    looked = [source for source in sources if source.look]
    found = {}
    for first, members in copies([each.sha256 for each in looked], [each.look for each in looked]).items():
        for member in members[1:]:
            same = looked[member].sha256 == looked[first].sha256
            how = "the same file" if same else "the same picture"
            found[member] = SharedPhotograph(looked[member].name, looked[first].name, how)
    return [found[member] for member in sorted(found)]


def duplicates_sentence(found: Sequence[SharedPhotograph]) -> str:
    """What a user is told about :func:`duplicates`, one or more.

    Args:
        found: the photographs.

    Returns:
        A sentence or two.
    """
    names, more = _named(found)
    return f"photographs that are there twice: {names}{more}. They count twice; remove one of each."


def shared_sentence(shared: Sequence[SharedPhotograph]) -> str:
    """What a user is told about them; some are named, the others counted.

    Args:
        shared: of :func:`shared_photographs`, one or more.

    Returns:
        A sentence or two.
    """
    names, more = _named(shared)
    return (
        f"test photographs that also trained: {names}{more}. Figures of them are better than those of other "
        "photographs; take them out of one of the sets."
    )


def _named(found: Sequence[SharedPhotograph]) -> tuple[str, str]:
    names = ", ".join(shown(each.name) + _told(each) for each in found[:MOST_NAMED])
    return names, f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""


def _told(each: SharedPhotograph) -> str:
    if each.name == each.training_name:
        return f" ({each.how})"
    joined = {"a part": "a part of", "more": "more than"}.get(each.how.partition(",")[0], f"{each.how} as")
    turn = each.how.partition(",")[2]
    return f" ({joined} {shown(each.training_name)}{',' + turn if turn else ''})"


def _by_thumbnails(test: Sequence[PairsSource], trained: Sequence[PairsSource]) -> list[SharedPhotograph]:
    """Test photographs that are a part of one that trained, that one that trained is a part of, or turned by 90°."""
    judged = [(source, picture) for source in test if (picture := picture_of(source.thumbnail)) is not None]
    known = [(source, picture) for source in trained if (picture := picture_of(source.thumbnail)) is not None]
    if not judged or not known:
        return []
    whole = len(judged) * len(known) > MOST_SEARCHED
    found: dict[int, SharedPhotograph] = {}
    among = Thumbnails([picture for _, picture in known])
    for number, (source, picture) in enumerate(judged):
        seen = among.search(picture, whole=whole)
        best = int(seen.correlation.argmax())
        if seen.correlation[best] >= THUMBNAIL_ALIKE:
            how = _how("a part", list(TURNS)[seen.turn[best]], float(seen.size[best]))
            found[number] = SharedPhotograph(source.name, known[best][0].name, how)
    if not whole:
        among = Thumbnails([picture for _, picture in judged])
        for source, picture in known:
            seen = among.search(picture)
            for number in np.flatnonzero(seen.correlation >= THUMBNAIL_ALIKE).tolist():
                # Seen from the test photograph, the turn is the other way round.
                turn = list(TURNS)[seen.turn[number]]
                how = _how("more", UNDOES.get(turn, turn), float(seen.size[number]))
                found.setdefault(number, SharedPhotograph(judged[number][0].name, source.name, how))
    return [found[number] for number in sorted(found)]


def _how(part: str, undone: str, size: float) -> str:
    turn = UNDOES.get(undone, undone)
    if size > _WHOLE:
        return turn or "the same picture"
    return f"{part}, {turn}" if turn else part


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
