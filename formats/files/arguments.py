"""Kinds of the numbers that a caller gives in Python; the command line's come through the types of its options."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import shown


def require_whole(value: object, name: str, *, most: int | None = None) -> None:
    """Check that an argument is a whole number; true and false are none.

    Args:
        value: the argument.
        name: its name, for the message.
        most: the largest one.

    Raises:
        InputError: it is something else, such as 1.5, NaN or a word, or larger.
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise InputError(f"{name} {shown(repr(value), 40)}: a whole number was expected.")
    if most is not None and int(value) > most:
        raise InputError(f"{name} {shown(repr(value), 40)}: at most {most} was expected.")


def require_number(value: object, name: str) -> None:
    """Check that an argument is a finite number; true and false are none.

    Args:
        value: the argument.
        name: its name, for the message.

    Raises:
        InputError: it is something else, such as NaN, infinity or a word.
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        raise InputError(f"{name} {shown(repr(value), 40)}: a finite number was expected.")


def require_whole_pair(value: object, name: str, *, most: int | None = None) -> None:
    """Check that an argument is two whole numbers.

    Args:
        value: the argument.
        name: its name, for the message.
        most: the largest one.

    Raises:
        InputError: it is something else, such as one number.
    """
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise InputError(f"{name} {shown(repr(value), 40)}: two whole numbers, rows and columns, were expected.")
    for each in value:
        require_whole(each, name, most=most)
