"""A TOML file with a comment at each key, from values and the record that reads them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from metalens.formats.files.schema_keys import Key, Table

_WIDTH = 112

_UNKNOWN = Table("", "", (), {})
"""Table of keys about which nothing is said."""


def toml_value(value: object) -> str:
    """A value as TOML writes it; a dictionary as a table in one line."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        # TOML allows no control characters in a string.
        return '"' + "".join(f"\\u{ord(each):04X}" if each < " " or each == "\x7f" else each for each in escaped) + '"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml_value(each)}" for key, each in value.items()) + " }"
    return repr(value)


def commented_toml(
    table: Table, values: Mapping[str, Any], *, head: Sequence[str], inline: Collection[str] = ()
) -> str:
    """Write values as TOML, each with what its key means, and list the keys that could be added.

    Args:
        table: the keys that the file can have.
        values: content of the file; keys that the table does not have are written without a comment.
        head: first lines of the file, comments and the keys of the schema among them.
        inline: a table whose first key is one of these is written in one line.

    Returns:
        The file's text.
    """
    return "\n".join([*head, *_lines(table, values, "", inline)]) + "\n"


def _lines(table: Table, values: Mapping[str, Any], prefix: str, inline: Collection[str]) -> list[str]:
    known = {key.name: key for key in table.keys}
    plain = {name: value for name, value in values.items() if not _is_table(value, inline)}
    lines = []
    for name, value in plain.items():
        lines += [*_comment(known.get(name)), f"{name} = {toml_value(value)}"]
    lines += _left_out([key for key in table.keys if key.name not in values and not key.required])
    for name, value in values.items():
        if name in plain:
            continue
        repeated = isinstance(value, list | tuple)
        brackets = f"[[{prefix}{name}]]" if repeated else f"[{prefix}{name}]"
        for number, each in enumerate(value if repeated else [value]):
            # The comments of a list's first entry hold for all.
            inner = _member(known.get(name), each) if number == 0 else _UNKNOWN
            lines += ["", *(_heading(known.get(name), inner) if number == 0 else ()), brackets]
            lines += _lines(inner, each, f"{prefix}{name}.", inline)
    return lines


def _is_table(value: Any, inline: Collection[str]) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and _is_table(value[0], inline)
    return isinstance(value, Mapping) and next(iter(value), "") not in inline


def _member(key: Key | None, value: Mapping[str, Any]) -> Table:
    """The table of a union that a value is of."""
    tables = key.tables if key is not None else ()
    fitting = (each for each in tables if all(value.get(name) == tag for name, tag in each.constants.items()))
    return next(fitting, _UNKNOWN)


def _heading(key: Key | None, table: Table) -> list[str]:
    others = [tag for each in (key.tables if key else ()) if each != table for tag in each.constants.values()]
    names = ", ".join(table.constants)
    return [
        *_wrapped(_plain(table.text)),
        *_wrapped(f"Other values of {names}: {', '.join(others)}." if others else ""),
    ]


def _comment(key: Key | None) -> list[str]:
    return [] if key is None else _wrapped(_with_kind(key.text, _kind(key)))


def _left_out(keys: Sequence[Key]) -> list[str]:
    """Comments on the keys that are left out; a person writes no digest of a file."""
    told = [_told(key) for key in keys if not key.name.endswith("sha256")]
    return ["# Also possible:", *(line for each in told for line in _wrapped(each, "#   ", "#       "))] if told else []


def _told(key: Key) -> str:
    name = f"{key.name} = {toml_value(key.default)}" if isinstance(key.default, bool | int | float | str) else key.name
    text = key.text
    if not text and key.kind == "a table" and len(key.tables) == 1:
        text = key.tables[0].text
    return f"{name}: {_with_kind(text, _kind(key))}"


def _kind(key: Key) -> str:
    """What a key takes; of a table its keys, or what tells the members of a union apart."""
    tags = dict.fromkeys(each for table in key.tables for each in table.constants.items())
    inner = dict.fromkeys(each.name for table in key.tables for each in table.keys if not each.name.endswith("sha256"))
    if tags:
        return f"a table of {next(iter(tags))[0]} = {', '.join(value for _, value in tags)}"
    return re.sub(r"\ba table\b", f"a table of {', '.join(inner)}", key.kind) if inner else key.kind


def _with_kind(text: str, kind: str) -> str:
    return f"{_plain(text).removesuffix('.')} ({kind})" if text else kind


def _plain(text: str) -> str:
    """A description as a comment: without marks of reStructuredText, and without None, which no file has."""
    text = re.sub(r" \(:\w+:`[^`]*`\)", "", text).replace("``", "").replace("`", "")
    text = re.sub(r"\b(is|are) None\b", r"\1 left out", text)
    return re.sub(r"\bNone is\b", "without it", text).replace("None", "without it")


def _wrapped(text: str, first: str = "# ", later: str = "# ") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=later) if text else []
