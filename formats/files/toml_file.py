"""Guarded reading of TOML files: limited size, known schema, and errors in one sentence."""

from __future__ import annotations

import os
import re
import tomllib
from importlib import resources
from typing import Any, TypeVar

from pydantic import ValidationError

from metalens.formats.files.commented_toml import toml_value
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file
from metalens.formats.files.record import Record, first_problem
from metalens.formats.files.schema_version import version_advice

LARGEST_FILE = 2**20

# The parser's time grows with the cube of a key's depth: 40 kB of dots would hold it for a quarter of a minute.
_DEEP_KEY = re.compile(r"""(?<![\w"'-])(?:[\w"'-]+[ \t]*\.[ \t]*){64}""")

AnyRecord = TypeVar("AnyRecord", bound=Record)


def read_text(path: str | os.PathLike[str], what: str, *, missing: str, largest: int = LARGEST_FILE) -> str:
    """Read a file of text, UTF-8 with or without a byte-order mark.

    Args:
        path: the file.
        what: what it should be, as error messages name it: ``lens.toml``.
        missing: end of the sentence that is said if there is no such file.
        largest: bytes above which it is not read, whole MiB.

    Returns:
        The text without a byte-order mark.

    Raises:
        InputError: it is missing, a folder, too large, or no UTF-8 text.
    """
    target = input_file(path, what, largest=largest, missing=missing)
    try:
        return target.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: could not be read as UTF-8 text ({error}).") from error


def parse_toml(text: str, schema: str, version: int, *, origin: str, remedy: str = "") -> dict[str, Any]:
    """Parse TOML that begins with the lines ``schema`` and ``version``, and give what else it holds.

    Args:
        text: the file's content.
        schema: what ``schema`` must be.
        version: what ``version`` must be.
        origin: how error messages name it.
        remedy: what to do about another schema or an earlier version: ``copy them from a preset``.

    Returns:
        The tables and keys but ``schema`` and ``version``.

    Raises:
        InputError: it is not valid TOML (with line and column), or of another schema or version.
    """
    content = toml_tables(text, origin=origin)
    found = {key: content.pop(key, None) for key in ("schema", "version")}
    # True and 1.0 are equal to 1, and no version.
    if found != {"schema": schema, "version": version} or type(found["version"]) is not int:
        said = " and ".join(f"{key} = {_short(value)}" for key, value in found.items() if value is not None)
        advice = version_advice(found["version"], (version,), remedy) if found["schema"] == schema else remedy
        raise InputError(
            f'{origin}: expected the lines schema = "{schema}" and version = {version} at the top, found '
            f"{said or 'neither'}{'; ' if advice else ''}{advice}."
        )
    return content


def toml_tables(text: str, *, origin: str) -> dict[str, Any]:
    """Parse TOML of any schema.

    Args:
        text: the file's content.
        origin: how error messages name it.

    Returns:
        All tables and keys.

    Raises:
        InputError: it is not valid TOML (with line and column).
    """
    try:
        if _DEEP_KEY.search(text):
            raise ValueError("a key of more than 64 parts")
        return tomllib.loads(text)
    except ValueError as error:
        raise InputError(f"{origin}: not valid TOML ({error}).") from error
    except RecursionError as error:
        raise InputError(f"{origin}: not valid TOML (brackets nested too deeply).") from error


def validated(
    record: type[AnyRecord], content: dict[str, Any], *, origin: str, tags: frozenset[str] = frozenset()
) -> AnyRecord:
    """Make a record of a file's content.

    Args:
        record: its type.
        content: as :func:`parse_toml` gives it.
        origin: how error messages name the file.
        tags: see :func:`metalens.formats.files.record.first_problem`.

    Returns:
        The record, each of whose values is within its range.

    Raises:
        InputError: the first key that is wrong, with its place.
    """
    try:
        return record.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{origin}: {first_problem(error, record, tags)}") from error


def dump_toml(schema: str, version: int, tables: dict[str, Any]) -> str:
    """Write tables as TOML that :func:`parse_toml` reads back.

    Args:
        schema: the line ``schema``.
        version: the line ``version``.
        tables: texts, numbers, truth values, lists of these, and tables and lists of tables.

    Returns:
        The file's content.
    """
    lines = [f'schema = "{schema}"', f"version = {version}"]
    _dump_table(tables, "", lines)
    return "\n".join(lines) + "\n"


def _dump_table(table: dict[str, Any], prefix: str, lines: list[str]) -> None:
    nested = {key: value for key, value in table.items() if isinstance(value, dict)}
    listed = {
        key: value
        for key, value in table.items()
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], dict)
    }
    for key, value in table.items():
        if key not in nested and key not in listed:
            lines.append(f"{key} = {toml_value(value)}")
    for key, value in nested.items():
        lines += ["", f"[{prefix}{key}]"]
        _dump_table(value, f"{prefix}{key}.", lines)
    for key, values in listed.items():
        for value in values:
            lines += ["", f"[[{prefix}{key}]]"]
            _dump_table(value, f"{prefix}{key}.", lines)


def shipped_names(folder: str) -> list[str]:
    """Names of the TOML files that come with the package in a folder of ``formats``, sorted."""
    entries = (resources.files("metalens.formats") / folder).iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))


def shipped_text(folder: str, name: str) -> str:
    """Text of a TOML file that is shipped with the package.

    Args:
        folder: below ``metalens/formats``.
        name: of the file, without ``.toml``.

    Returns:
        Its text.
    """
    return (resources.files("metalens.formats") / folder / f"{name}.toml").read_text(encoding="utf-8")


def _short(value: object) -> str:
    said = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)
    return said if len(said) <= 60 else said[:60] + "…"
