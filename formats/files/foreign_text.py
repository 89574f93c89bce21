"""Text from outside, such as file names, made safe for printing: one line, no control characters, limited length.

A name may hold a line end, which forges a line of output, escape sequences, which move the terminal's cursor or rename
its window, bytes that are no UTF-8, which cannot be printed at all, marks that turn the direction of writing, or a
million letters.
"""

from __future__ import annotations

import unicodedata

LONGEST = 200
"""Letters of a name that are shown."""

LONGEST_MESSAGE = 2000
"""Letters of a message that are shown."""

_CONTROL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories of what is no visible sign."""


def shown(text: str, longest: int = LONGEST) -> str:
    r"""Text made safe for printing: invisible characters escaped, and a long text shortened in the middle.

    Args:
        text: from a file.
        longest: number of characters that are kept.

    Returns:
        Printable text.

    >>> shown("a\x1b[31m\nb")
    'a\\x1b[31m\\nb'
    """
    if len(text) > longest:
        half = (longest - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_sign(each) for each in text)


def as_utf8(name: str) -> str:
    r"""A file's name with each byte that is no UTF-8 written as ``\xff``, so that manifests and JSON can hold it.

    >>> as_utf8("caf\udce9 \n")
    'caf\\xe9 \n'
    """
    return "".join(_sign(each) if "\udc80" <= each <= "\udcff" else each for each in name)


def _sign(sign: str) -> str:
    if unicodedata.category(sign) not in _CONTROL:
        return sign
    if "\udc80" <= sign <= "\udcff":
        # How Python keeps a byte of a name that is no UTF-8.
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return sign.encode("unicode_escape").decode("ascii")
