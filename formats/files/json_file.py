"""Guarded reading of JSON files: missing, too large, too deeply nested or of another kind."""

from __future__ import annotations

import codecs
import json
import os
from functools import cache
from typing import Any, TypeVar, cast, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import shown
from metalens.formats.files.input_file import input_file
from metalens.formats.files.record import expectation
from metalens.formats.files.schema_version import version_advice

LARGEST_JSON = 2**26

Schema = TypeVar("Schema")


def read_json(
    path: str | os.PathLike[str], what: str, advice: str, *, kind: type = dict, largest: int = LARGEST_JSON
) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        what: kind of the file, for messages: ``benchmark's plan``.
        advice: what to do if it cannot be used, the end of the message: ``start anew in another folder``.
        kind: what it must hold: ``dict`` for an object, ``list`` for an array, ``object`` for anything.
        largest: bytes above which it is not read.

    Returns:
        Its content; the caller checks its entries.

    Raises:
        InputError: it is missing, a folder, too large, no JSON, or of another kind.
    """
    target = input_file(path, what, largest=largest, missing=f"no such file; {advice}.")
    try:
        found = json.loads(target.read_bytes().decode("utf-8-sig"))
        if not isinstance(found, kind):
            raise ValueError(f"found {type(found).__name__}, expected {kind.__name__}")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a readable {what} ({error}); {advice}.") from error
    return found


def read_record(
    path: str | os.PathLike[str], schema: type[Schema], what: str, advice: str, *, largest: int = LARGEST_JSON
) -> Schema:
    """Read a JSON file of a known schema.

    Args:
        path: the file.
        schema: a pydantic record, or a type such as ``dict[str, float]``.
        what: as of :func:`read_json`.
        advice: as of :func:`read_json`.
        largest: bytes above which it is not read.

    Returns:
        The content as that type.

    Raises:
        InputError: it is missing, too large, no JSON, or does not have the schema.
    """
    target = input_file(path, what, largest=largest, missing=f"no such file; {advice}.")
    try:
        content = target.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: not a readable {what} ({error}); {advice}.") from error
    return parse_record(content.removeprefix(codecs.BOM_UTF8), schema, what, advice, origin=str(path))


def parse_record(content: bytes | str, schema: type[Schema], what: str, advice: str, *, origin: str) -> Schema:
    """Read JSON of a known schema that lies in another file, or is a line of one.

    Args:
        content: the JSON text.
        schema: as of :func:`read_record`.
        what: as of :func:`read_json`.
        advice: as of :func:`read_json`.
        origin: how error messages name the file.

    Returns:
        The content as that type.

    Raises:
        InputError: it is no JSON, or does not have the schema.
    """
    try:
        found: Schema = _validator(cast(Any, schema)).validate_json(content)
        return found
    except RecursionError as error:
        raise InputError(f"{origin}: not a readable {what} ({error}); {advice}.") from error
    except ValidationError as error:
        first = _first(error)
        place = ".".join(str(part) for part in first["loc"])
        told = f"{shown(place) or 'content'}: {expectation(first)}, found {shown(str(first['input']), 80)!r}"
        if first["loc"] == ("version",) and first["type"] == "literal_error":
            advice = version_advice(
                first["input"], get_args(cast(Any, schema).model_fields["version"].annotation), advice
            )
        raise InputError(f"{origin}: not a readable {what} ({told}); {advice}.") from error


@cache
def _validator(schema: Any) -> TypeAdapter[Any]:
    return TypeAdapter(schema)


def _first(error: ValidationError) -> ErrorDetails:
    """The first thing that is wrong; the schema and version come before whatever follows from them."""
    errors = error.errors(include_url=False)
    return next((each for each in errors if each["loc"] in (("schema",), ("version",))), errors[0])
