"""What to do about a file of another version than this metalens reads."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from pydantic import BeforeValidator
from pydantic_core import PydanticKnownError


def _whole(value: object) -> object:
    """Refuse what is equal to a whole number and is none: ``true`` and ``1.0``."""
    if type(value) is not int:
        raise PydanticKnownError("literal_error", {"expected": "a whole number"})
    return value


WHOLE = BeforeValidator(_whole)
"""Check of the version in a record: ``Annotated[Literal[1], WHOLE]``."""

NEWER = "a newer metalens wrote it and is needed to read it: update metalens"
"""What to do about a file of a later version."""


def version_advice(found: object, known: Collection[int], older: str) -> str:
    """What to do about a file whose version is not known.

    Args:
        found: what stands in the file in the place of its version.
        known: versions that are read.
        older: what to do about a version before these, or one that is none.

    Returns:
        The end of a sentence.

    Example:
        >>> version_advice(1, (2, 3), "make it again"), version_advice("x", (2, 3), "make it again")
        ('make it again', 'make it again')
        >>> version_advice(4, (2, 3), "make it again")
        'a newer metalens wrote it and is needed to read it: update metalens'
    """
    number = isinstance(found, int | np.integer) and not isinstance(found, bool)
    return NEWER if number and int(found) > max(known) else older  # type: ignore[call-overload]
