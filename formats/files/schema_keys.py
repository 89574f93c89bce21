"""The keys of a file's tables, read off the record that checks them: their kinds, ranges, defaults and meanings.

Starting files (``metalens init``) and the pages about file formats are written from these, so that they say what the
reader accepts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

_UNBOUNDED = 1e9
"""A bound from here on only guards against overflow, and is not told."""

_ATTRIBUTE = re.compile(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Key:
    """One key of a table.

    Attributes:
        name: as it is written in the file.
        kind: what it takes, in words: ``a number above 0``.
        required: whether a file without it is refused.
        default: value where it is left out; None if there is none, or if the key is then switched off.
        text: its meaning; may be empty.
        tables: the tables that it can hold, one for each member of a union.
        repeated: whether it holds a list of such tables.
    """

    name: str
    kind: str
    required: bool
    default: Any
    text: str
    tables: tuple[Table, ...] = ()
    repeated: bool = False


@dataclass(frozen=True)
class Table:
    """A table of a file.

    Attributes:
        title: name of the record that checks it.
        text: first paragraph of the record's description.
        keys: in the record's order.
        constants: keys that have one value only, by which the members of a union are told apart: ``family``.
    """

    title: str
    text: str
    keys: tuple[Key, ...]
    constants: Mapping[str, str]


def table_of(record: Any) -> Table:
    """Read the table that a record checks.

    Args:
        record: a pydantic model or dataclass.
    """
    schema = TypeAdapter(record).json_schema()
    return _table(schema, schema.get("$defs", {}))


def _table(schema: dict[str, Any], definitions: dict[str, Any]) -> Table:
    described = schema.get("description", "")
    meanings = {name: _one_line(text) for name, text in _ATTRIBUTE.findall(_attributes(described))}
    required, properties = schema.get("required", ()), schema.get("properties", {})
    keys = tuple(
        _key(name, part, name in required, meanings.get(name, ""), definitions) for name, part in properties.items()
    )
    constants = {name: str(part["const"]) for name, part in properties.items() if "const" in part}
    return Table(schema.get("title", ""), _one_line(described.partition("\n\n")[0]), keys, constants)


def _attributes(described: str) -> str:
    return described.partition("Attributes:\n")[2]


def _key(name: str, schema: dict[str, Any], required: bool, text: str, definitions: dict[str, Any]) -> Key:
    members = list(_members(schema, definitions))
    within = [inner for each in members for inner in (_items(each, definitions) or [each])]
    kinds = list(dict.fromkeys(_kind(each, definitions) for each in members))
    return Key(
        name=name,
        kind=" or ".join(kinds),
        required=required,
        default=schema.get("default"),
        text=schema.get("description", text),
        tables=tuple(_table(each, definitions) for each in within if "properties" in each),
        repeated=any(each.get("type") == "array" for each in members),
    )


def _members(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a key can be: references resolved, the members of a union one by one, without None."""
    if "$ref" in schema:
        yield from _members(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    elif "anyOf" in schema or "oneOf" in schema:
        for member in schema.get("anyOf", schema.get("oneOf", ())):
            yield from _members(member, definitions)
    elif schema.get("type") != "null":
        yield schema


def _items(schema: dict[str, Any], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """What the entries of a list can be; nothing if it is no list of one kind."""
    return list(_members(schema["items"], definitions)) if isinstance(schema.get("items"), dict) else []


def _kind(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "properties" in schema:
        return "a table"
    if "const" in schema:
        return _said(schema["const"])
    if "enum" in schema:
        return f"one of {', '.join(_said(each) for each in schema['enum'])}"
    kind = schema.get("type")
    if kind == "array":
        parts = schema.get("prefixItems")
        if parts:
            inner = dict.fromkeys(_kind(each, definitions) for part in parts for each in _members(part, definitions))
            return f"a list of {len(parts)}: {' or '.join(inner)}"
        return f"a list: {' or '.join(dict.fromkeys(_kind(each, definitions) for each in _items(schema, definitions)))}"
    if kind in ("integer", "number"):
        return ("a whole number" if kind == "integer" else "a number") + _range(schema)
    return {"boolean": "true or false", "string": "text"}.get(str(kind), "a value")


def _range(schema: dict[str, Any]) -> str:
    least, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    most, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    lower = f" above {above:g}" if above is not None and (least is None or least <= above) else ""
    if least is not None and abs(least) < _UNBOUNDED and not lower:
        lower = f" from {least:g}"
    upper = f" below {below:g}" if below is not None and below < _UNBOUNDED else ""
    if most is not None and most < _UNBOUNDED:
        upper = f" to {most:g}"
    return lower + upper


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())
