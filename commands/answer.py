"""Output of a command: one JSON object or one sentence on stdout; skipped inputs on stderr."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from metalens.formats.files.foreign_text import LONGEST_MESSAGE, shown

if TYPE_CHECKING:
    from metalens.formats.pairs.manifest import PairsSource, SkippedSource


LONGEST_LINE = 20_000
"""Letters of a line of an answer."""


def answer(figures: dict[str, Any], as_json: bool, text: str | Sequence[str]) -> None:
    """Print the result on stdout, as JSON or as text.

    Args:
        figures: content of the JSON object.
        as_json: whether ``--json`` was given.
        text: a sentence, or several lines; a line end within one of them is a name's, and shown as such.
    """
    lines = [text] if isinstance(text, str) else text
    click.echo(json.dumps(figures) if as_json else "\n".join(shown(line, LONGEST_LINE) for line in lines))


VERSIONS = frozenset({"metalens", "jax"})
"""Entries of a provenance that are never numbers, even where they look like one."""


def figures_of(provenance: Mapping[str, str]) -> dict[str, Any]:
    """The entries of a file's provenance, which are texts, as JSON tells them: numbers as numbers, several as a list.

    Args:
        provenance: name → text.

    Example:
        >>> figures_of({"jax": "1.0", "engine": "fresnel", "engine_error": "2.9e-06", "channel_energy": "1.0 0.5"})
        {'jax': '1.0', 'engine': 'fresnel', 'engine_error': 2.9e-06, 'channel_energy': [1.0, 0.5]}
    """
    return {key: text if key in VERSIONS else _figure(text) for key, text in provenance.items()}


def _figure(text: str) -> Any:
    try:
        numbers = [int(each) if each.isdecimal() else float(each) for each in text.split()]
    except ValueError:
        return text
    if not numbers or not all(map(math.isfinite, numbers)):
        return text
    return numbers[0] if len(numbers) == 1 else numbers


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number and what it counts, such as ``1 pair`` or ``3 pairs``.

    Args:
        number: how many.
        noun: of one.
        plural: of several, if it is not the noun with an s.

    Returns:
        The number, a space and the noun, in the singular for 1 alone.
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def tell_line(line: str) -> None:
    """Print a line on stderr, beside the result."""
    click.echo(shown(line, LONGEST_MESSAGE), err=True)


def tell_skipped(skipped: Iterable[SkippedSource], word: str = "skipped") -> None:
    """Print on stderr which photographs were skipped, and why.

    Args:
        skipped: photographs with their reasons.
        word: first word of each line.
    """
    for each in skipped:
        tell_line(f"{word} {shown(each.name)}: {each.reason}")


def tell_duplicates(sources: Sequence[PairsSource]) -> list[dict[str, str]]:
    """Print on stderr which photographs of a set are copies of others of it.

    Args:
        sources: photographs of the set.

    Returns:
        The photographs, for the JSON object.
    """
    from metalens.formats.pairs.shared_photographs import duplicates, duplicates_sentence

    found = duplicates(sources)
    if found:
        tell_line(duplicates_sentence(found))
    return [each._asdict() for each in found]


def tell_shared(test: Iterable[PairsSource], training: Iterable[PairsSource]) -> list[dict[str, str]]:
    """Print on stderr which test photographs also trained.

    Args:
        test: photographs that a result is judged by.
        training: photographs of the sets that it was trained or tuned on.

    Returns:
        The photographs, for the JSON object.
    """
    from metalens.formats.pairs.shared_photographs import shared_photographs, shared_sentence

    shared = shared_photographs(test, training)
    if shared:
        tell_line(shared_sentence(shared))
    return [each._asdict() for each in shared]
