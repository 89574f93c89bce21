"""Touchstone files of version 1: S-parameters of two ports over frequency (IBIS Open Forum, Touchstone 1.1).

Behind ``!`` stands a remark, of any bytes. The option line ``# GHz S MA R 50`` has its words in any order and any
letters, and each may be missing: these are the defaults. A line is a frequency and S11, S21, S12, S22 as pairs. Where
the frequency falls, parameters of noise begin, five numbers a line, which are of no use here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.text_file import text_lines

LARGEST_FILE = 2**28
"""Bytes."""

_FREQUENCIES = {"hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9, "thz": 1e12}
_PARAMETERS = ("s", "y", "z", "g", "h")
_FORMATS = ("ma", "ri", "db")
_NUMBERS, _NOISE = 9, 5

_LARGEST = 1e18
"""Largest magnitude of the numbers of a file: more than the frequency of any light in hertz."""


def read_touchstone(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """S21 of a file.

    Returns:
        ``[frequency]`` in hertz, and ``[frequency]`` complex S21.

    Raises:
        InputError: the file is missing, too large, of version 2, of other parameters than S, or no table of two ports.
    """
    try:
        lines = list(text_lines(path, "Touchstone file", largest=LARGEST_FILE, remark="!"))
        if any(line.startswith("[") for line in lines):
            raise ValueError("it is of version 2, with keywords in brackets, which is not read; export version 1")
        # Of several option lines the first one counts.
        options = next((line[1:] for line in lines if line.startswith("#")), None)
        if options is None:
            raise ValueError("it has no option line, such as '# GHz S MA R 50'")
        scale, kind = _options(options.lower().split())
        rows = np.array(list(_rows(line for line in lines if not line.startswith("#"))))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: no Touchstone file of two ports that can be read: {error}.") from error
    one, two = rows[:, 3], rows[:, 4]
    if kind == "ri":
        return rows[:, 0] * scale, one + 1j * two
    # No atom gives light: 1000 dB is beyond anything, and more would overflow.
    amplitude = one if kind == "ma" else 10 ** (np.clip(one, -1000, 1000) / 20)
    return rows[:, 0] * scale, amplitude * np.exp(1j * np.radians(two))


def _options(words: list[str]) -> tuple[float, str]:
    """Hertz of a unit of frequency, and how pairs are written."""
    scale, kind, rest = 1e9, "ma", iter(words)
    for word in rest:
        if word in _FREQUENCIES:
            scale = _FREQUENCIES[word]
        elif word in _FORMATS:
            kind = word
        elif word == "r":
            # The resistance of the ports does not change S-parameters.
            _number(next(rest, ""))
        elif word in _PARAMETERS[1:]:
            raise ValueError(f"it holds {word.upper()}-parameters; export S-parameters")
        elif word != "s":
            raise ValueError(f"its option line holds {word[:40]!r}; a line such as '# GHz S MA R 50' was expected")
    return scale, kind


def _rows(lines: Iterator[str]) -> Iterator[list[float]]:
    """Nine numbers for each frequency, up to the noise."""
    last = 0.0
    for line in lines:
        row = [_number(word) for word in line.split()]
        if len(row) == _NOISE and 0 < row[0] <= last:
            return
        if len(row) != _NUMBERS:
            raise ValueError(
                f"a line holds {len(row)} numbers; nine were expected, a frequency and four pairs: export the two "
                "ports alone, a frequency a line"
            )
        if row[0] <= last:
            raise ValueError(f"its frequency {row[0]:g} follows {last:g}; frequencies ascend, from more than 0 on")
        last = row[0]
        yield row
    if not last:
        raise ValueError("it has no line of numbers")


def _number(word: str) -> float:
    try:
        found = float(word)
    except ValueError:
        raise ValueError(f"{word[:40]!r} stands where a number was expected") from None
    if not abs(found) <= _LARGEST:
        raise ValueError(f"{word[:40]!r} is no S-parameter or frequency; numbers up to {_LARGEST:g} were expected")
    return found
