"""Fill the templates of pages and reports.

Everything that a template is given is escaped: in HTML as Jinja does it; in Markdown so that it begins no HTML tag and
ends no cell of a table. A value that a template names and was not given is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


class Best(str):
    """A cell of a table that holds the best value of its column: shaded in HTML, bold in Markdown."""

    __slots__ = ()


class Table(NamedTuple):
    """A table as every template takes it.

    Attributes:
        headings: of the columns; empty for a table without a head.
        rows: of as many cells; ``None`` is shown as a dash.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[object]]


def render(template: str, **values: Any) -> str:
    """Fill a template.

    Args:
        template: name in ``templates``, without ``.j2``; its ending, ``.html`` or ``.md``, decides what is escaped.
        values: name → value, as the template uses them.

    Returns:
        The whole text, ending with one line break.
    """
    text = _environment(template.rpartition(".")[2]).get_template(f"{template}.j2").render(values)
    return text.strip("\n") + "\n"


def number(value: float | None, digits: int) -> str:
    """Format a number for a table.

    Args:
        value: the number; ``None`` if it is not known.
        digits: after the decimal point.

    Returns:
        The text; a dash for ``None``.
    """
    return "–" if value is None else f"{value:z.{digits}f}"


def listing(values: Mapping[str, Any], prefix: str = "") -> Table:
    """Table of the names and values of a record; nested names are joined by dots.

    Args:
        values: the record.
        prefix: of all names.

    Returns:
        A table of two columns.
    """
    rows: list[Sequence[object]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            rows += listing(value, f"{prefix}{key}.").rows
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        rows.append((f"{prefix}{key}", f"{shown:.6g}" if isinstance(shown, float) else str(shown)))
    return Table((), rows)


@cache
def _environment(kind: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("metalens.formats.pages"),
        # Also in Markdown, where _plain_in_markdown escapes first and leaves Jinja nothing to do.
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain_in_markdown if kind == "md" else None,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "layout": format, "listing": listing}
    environment.tests["best"] = lambda value: isinstance(value, Best)
    return environment


def _plain_in_markdown(value: object) -> object:
    """Text from outside as Markdown that shows it: it begins no tag (CommonMark 6.6) and ends no cell of a table."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return Markup(re.sub(r"<(?=[A-Za-z/!?])", "&lt;", value).replace("|", r"\|"))
