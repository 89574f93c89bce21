"""Licence and credit of the photographs of a dataset, by the table beside them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file

LARGEST_TABLE = 2**28

_NAMES = ("file", "file_name")
_LICENCES = ("licence", "license", "rights")
_CREDITS = ("credit", "author", "attribution", "artist")


class Terms(NamedTuple):
    """Terms of a photograph, as its source states them; empty where it does not."""

    licence: str = ""
    credit: str = ""


def read_terms(path: Path) -> dict[str, Terms]:
    """Read the terms of photographs.

    Args:
        path: a ``manifest.json`` with ``photographs``, or the ``metadata.jsonl`` or ``metadata.csv`` of an imagefolder.

    Returns:
        File name, relative to the table's folder → terms.

    Raises:
        InputError: it is none of them, or damaged.
    """
    target = input_file(path, "table of licences", largest=LARGEST_TABLE, missing="no such file.")
    try:
        text = target.read_bytes().decode("utf-8-sig")
        return {name: _terms(row) for row in _rows(path, text) if (name := _first(row, _NAMES))}
    except (ValueError, RecursionError, csv.Error) as error:
        raise InputError(f"{path}: no readable table of licences ({error}); ask the dataset's author.") from error


def _rows(path: Path, text: str) -> Iterable[Mapping[str, Any]]:
    if path.suffix == ".csv":
        return csv.DictReader(io.StringIO(text))
    if path.suffix == ".jsonl":
        found = [json.loads(line) for line in text.splitlines() if line.strip()]
    else:
        content = json.loads(text)
        found = content.get("photographs", []) if isinstance(content, dict) else []
    return [row for row in found if isinstance(row, dict)]


def _terms(row: Mapping[str, Any]) -> Terms:
    return Terms(_first(row, _LICENCES), _first(row, _CREDITS))


def _first(row: Mapping[str, Any], keys: Iterable[str]) -> str:
    return next((value for key in keys if isinstance(value := row.get(key), str) and value), "")
