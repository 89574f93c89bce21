"""The form of a specification, read off its records: units, bounds and help are those of the starting files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from nicegui import ui
from pydantic import BaseModel

from metalens.formats.design.spec import DesignSpec
from metalens.formats.files.schema_keys import table_of

Kind = Literal["number", "whole", "choice", "truth", "numbers", "texts"]

UNITS = {
    "_um": "µm",
    "_nm": "nm",
    "_deg": "°",
    "_rad": "rad",
    "_pixels": "pixels",
    "_e": "electrons",
    "_dn": "DN",
    "_percent": "%",
    "_s": "s",
    "_c": "°C",
}
"""Ending of a key → unit."""

_TABLES = ("camera.lens", "camera.sensor", "variables", "objectives", "start", "sampling", "search")
_HIDDEN = {"kind", "family"}


@dataclass(frozen=True)
class FormField:
    """A key of a ``design.toml`` that a form can change.

    Attributes:
        table: dotted name of its table; ``objectives.0`` is the first objective.
        key: its name.
        kind: of input.
        value: that it has.
        choices: allowed texts.
        help: its meaning and what it takes, in the words of the starting files.
        optional: whether it may be left empty.
    """

    table: str
    key: str
    kind: Kind
    value: Any
    choices: tuple[str, ...] = ()
    help: str = ""
    optional: bool = False

    @property
    def unit(self) -> str:
        """From the ending of the key; empty where it has none."""
        return next(
            (unit for ending, unit in UNITS.items() if self.key.endswith(ending) and "_per_" not in self.key), ""
        )

    def parsed(self, given: Any) -> Any:
        """The value for the specification of what an input holds; None where it was left empty."""
        if given is None or given == "":
            return [] if self.kind in ("numbers", "texts") and not self.optional else None
        if self.kind == "whole" and float(given) == int(float(given)):
            return int(float(given))
        if self.kind == "number":
            return float(given)
        if self.kind in ("numbers", "texts"):
            parts = [part.strip() for part in str(given).split(",") if part.strip()]
            return [_number(part) for part in parts] if self.kind == "numbers" else parts
        return given


def _number(text: str) -> float | str:
    """A number, or the text as it is, which the specification then refuses by name."""
    try:
        return float(text)
    except ValueError:
        return text


def form_fields(spec: DesignSpec) -> list[FormField]:
    """All keys with one value or a plain list, table by table.

    Args:
        spec: with the values.
    """
    found: list[FormField] = []
    for table in _TABLES:
        record: Any = spec
        for part in table.split("."):
            record = getattr(record, part)
        records = (
            {f"{table}.{number}": each for number, each in enumerate(record)}
            if table == "objectives"
            else {table: record}
        )
        for name, each in records.items():
            found += _of_record(name, each)
    return found


def _of_record(table: str, record: BaseModel) -> Iterator[FormField]:
    properties = type(record).model_json_schema()["properties"]
    for key in table_of(type(record)).keys:
        schema = properties[key.name]
        options = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
        kind = _kind(options[0]) if len(options) == 1 and key.name not in _HIDDEN else None
        if kind is not None:
            yield FormField(
                table,
                key.name,
                kind,
                getattr(record, key.name),
                choices=tuple(options[0].get("enum", ())),
                help="; ".join(part for part in (key.text, key.kind) if part),
                optional="anyOf" in schema,
            )


def _kind(option: dict[str, Any]) -> Kind | None:
    match option.get("type"):
        case "string":
            return "choice" if "enum" in option else None
        case "integer":
            return "whole"
        case "number":
            return "number"
        case "boolean":
            return "truth"
        case "array":
            items = option.get("items", {})
            if items.get("type") in ("number", "integer"):
                return "numbers"
            return "texts" if items.get("type") == "string" else None
    return None


def changed(spec: DesignSpec, field: FormField, value: Any) -> DesignSpec:
    """The specification with one key changed, checked as a file is.

    Args:
        spec: as it was.
        field: the key.
        value: its new value; None leaves the key out.

    Returns:
        A new specification; the given one stays as it was.

    Raises:
        InputError: the value is not allowed there.
    """
    table, _, rest = field.table.partition(".")
    if table == "objectives":
        number = int(rest)
        objectives = [each.model_dump(exclude_none=True) for each in spec.objectives]
        objectives[number] = _with(objectives[number], field.key, value)
        return spec.with_(objectives=objectives)
    if table == "camera":
        return spec.with_(camera={rest: {field.key: value}})
    return spec.with_(**{table: {field.key: value}})


def _with(table: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    return {name: each for name, each in (table | {key: value}).items() if each is not None}


def build_form(fields: list[FormField], typed: Callable[[FormField, Any], None]) -> None:
    """Show the inputs, a group a table.

    Args:
        fields: of :func:`form_fields`.
        typed: called with a field and the parsed value when it was changed.
    """
    for table in dict.fromkeys(field.table for field in fields):
        group = ui.expansion(table, value=table in ("camera.lens", "variables", "search")).classes("w-full")
        with group, ui.element("div").classes("metalens-form"):
            for field in fields:
                if field.table == table:
                    _input(field, typed)


def _input(field: FormField, typed: Callable[[FormField, Any], None]) -> None:
    def tell(value: Any) -> None:
        typed(field, field.parsed(value))

    label = f"{field.key} ({field.unit})" if field.unit else field.key
    with ui.column().classes("w-full gap-0"):
        match field.kind:
            case "choice":
                options = [*field.choices] if not field.optional else ["", *field.choices]
                element: Any = ui.select(
                    options, label=label, value=field.value or "", on_change=lambda e: tell(e.value)
                )
            case "truth":
                element = ui.switch(label, value=bool(field.value), on_change=lambda e: tell(e.value))
            case "number" | "whole":
                element = ui.number(label, value=field.value, on_change=lambda e: tell(e.value))
                element.props("debounce=300")
            case _:
                shown = ", ".join(map(str, field.value)) if field.value else ""
                element = ui.input(label, value=shown, on_change=lambda e: tell(e.value)).props("debounce=300")
        element.classes("w-full").mark(f"{field.table}.{field.key}").props("dense")
        ui.label(field.help).classes("metalens-faint metalens-hint")
