"""Text files of other programs: lines, tables and columns of numbers, whatever wrote them.

Spreadsheets begin a file with a byte-order mark, quote the names of columns, write decimal commas between semicolons or
save as UTF-16; scripts put remarks before the header; remarks hold letters of an old encoding. These functions read all
tables, so that every reader accepts and refuses the same files with the same messages.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file

MARK = b"\xef\xbb\xbf"
"""What begins UTF-8 text with a byte-order mark."""

_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""What begins UTF-16 text."""

Words = dict[int | str, Callable[[str], float]]
"""What makes numbers of the cells of some columns, by the number of the column."""

REMARK = "#"

LONGEST_LINE = 2**24
"""Bytes: a row of a map with 16384 numbers has less than half a million."""


def text_lines(path: str | os.PathLike[str], what: str, *, largest: int, remark: str = REMARK) -> Iterator[str]:
    """Lines of a text file, without comments, blank lines and surrounding spaces.

    Args:
        path: the file.
        what: what it should be, as error messages name it.
        largest: bytes above which it is not read.
        remark: what begins a remark, up to the end of its line.

    Returns:
        An iterator over the lines, in their order.

    Raises:
        InputError: it is no file, too large, or no text.
    """
    target = input_file(path, what, largest=largest, missing="no such file; check its name.")
    try:
        with target.open("rb") as file:
            yield from (line for _, line in numbered_lines(file, str(path), remark=remark))
    except OSError as error:
        raise InputError(f"{path}: could not be read ({error.strerror or error}); check its permissions.") from error


def numbered_lines(file: BinaryIO, origin: str, *, remark: str = REMARK) -> Iterator[tuple[int, str]]:
    """Lines as :func:`text_lines` gives them, each with its number from 1 on.

    Bytes that are not UTF-8 are allowed, as comments may hold them. They are replaced, so that a number or name with
    them is invalid.

    Args:
        file: open for reading bytes.
        origin: name of the file, for messages.
        remark: sign that begins a comment.

    Returns:
        Number of the line, from 1, and its text.

    Raises:
        InputError: the file is UTF-16, or a line is too long.
    """
    begin = file.read(len(MARK))
    if begin.startswith(_OTHER_MARKS):
        raise InputError(f"{origin}: is UTF-16 text; save it as UTF-8, in a spreadsheet as CSV UTF-8.")
    file.seek(0 if begin != MARK else len(MARK))
    text = io.TextIOWrapper(file, encoding="utf-8", errors="replace")
    try:
        for number in range(1, 2**63):
            line = text.readline(LONGEST_LINE)
            if not line:
                return
            if len(line) == LONGEST_LINE or "\0" in line:
                raise InputError(f"{origin}: line {number} is no line of text; give a text file.")
            kept = line.partition(remark)[0].strip()
            if kept:
                yield number, kept
    finally:
        text.detach()


# Lines are bounded already: the reader of cells need not raise an error of its own for a long one.
csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))


def cells_of(line: str) -> list[str]:
    """Cells of a line, without quotation marks and surrounding spaces."""
    return [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True), [])]


def check_separator(line: str) -> None:
    """Check that the cells of a line are separated by commas, not by semicolons or tabs.

    Raises:
        ValueError: they do; the message says what to do.
    """
    for name, sign in (("semicolons", ";"), ("tabs", "\t")):
        if sign in line:
            commas = " with decimal commas" if re.search(r"\d,\d", line) else ""
            raise ValueError(
                f"numbers between {name}{commas}; write them with decimal points and between commas (a spreadsheet "
                "does so under English settings)"
            )


def numbers_of(lines: Iterable[str], *, columns: int | None = None, words: Words | None = None) -> np.ndarray:
    """Numbers between commas, a row a line.

    Args:
        lines: as :func:`text_lines` gives them.
        columns: how many a line has; None takes those of the first.
        words: for columns that hold words.

    Returns:
        ``[line, column]`` float64; ``[0, columns or 0]`` without lines.

    Raises:
        ValueError: they are none, or a line has another number of cells; the message says which.
    """
    rest = iter(lines)
    first = list(islice(rest, 1))
    if not first:
        return np.zeros((0, columns or 0))
    check_separator(first[0])
    found = len(cells_of(first[0]))
    if columns is not None and found != columns:
        twice = "; are its decimals commas? write points" if found == 2 * columns else ""
        raise ValueError(f"a line holds {found} numbers, {columns} were expected{twice}")
    try:
        return np.loadtxt(
            (line for part in (first, rest) for line in part),
            delimiter=",",
            quotechar='"',
            comments=None,
            ndmin=2,
            dtype=float,
            converters=words,
            encoding=None,
        )
    except ValueError as error:
        raise ValueError(str(error).splitlines()[0].rstrip(".;")) from error


def header_of(lines: Iterator[str]) -> list[str]:
    """The names of a table's columns, from its first line that is no remark, in small letters.

    Raises:
        ValueError: there is none, or two columns have one name.
    """
    line = next(lines, "")
    check_separator(line)
    names = [name.lower() for name in cells_of(line)]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"the columns are {line[:80]!r}; names were expected, none of them twice")
    return names


def first_line(path: Path, what: str, *, largest: int) -> str:
    """First line of a text file that is not a comment.

    Args:
        path: of the file.
        what: kind of the file, for messages.
        largest: size in bytes up to which a file is read.

    Returns:
        The line; empty if there is none.

    Raises:
        InputError: the file cannot be read or is too large.
    """
    lines = text_lines(path, what, largest=largest)
    return next(lines, "")
