"""Files with a comment at each key: the values come back, and what the reader's record says stands beside them."""

from __future__ import annotations

import tomllib
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from metalens.formats.files.commented_toml import commented_toml, toml_value
from metalens.formats.files.record import Positive, Record
from metalens.formats.files.schema_keys import table_of


class Round(Record):
    """A round one."""

    shape: Literal["round"]
    diameter_um: Positive


class Square(Record):
    """A square one."""

    shape: Literal["square"]
    width_um: Positive


class Part(Record):
    """A part of it."""

    name: str
    weight: float = Field(default=1.0, ge=0, le=2, description="in the mean")


class Whole(Record):
    """All of it; a key that is None is not there.

    A second paragraph.
    """

    count: int = Field(ge=1, le=9, description="of ``pieces``; None is all of them")
    kind: Literal["fast", "exact"] = "fast"
    limit: Positive | None = Field(default=None, description="at most")
    form: Annotated[Round | Square, Field(discriminator="shape")]
    parts: tuple[Part, ...] = ()
    lengths: tuple[Positive, Positive] | None = None


VALUES = {
    "count": 3,
    "form": {"shape": "square", "width_um": 2.0},
    "parts": [{"name": "a"}, {"name": 'b "quoted"', "weight": 0.5}],
}


def text(**options) -> str:
    return commented_toml(table_of(Whole), VALUES, head=["# head"], **options)


def test_the_values_come_back():
    assert tomllib.loads(text()) == VALUES
    assert tomllib.loads(text(inline=("shape",))) == VALUES
    Whole.model_validate(tomllib.loads(text()))


@pytest.mark.parametrize(
    "line",
    [
        "# head",
        "# of pieces; without it all of them (a whole number from 1 to 9)",
        '#   kind = "fast": one of fast, exact',
        "#   limit: at most (a number above 0)",
        "#   lengths: a list of 2: a number above 0",
        "# A square one.",
        "# Other values of shape: round.",
        "[form]",
        "# A part of it.",
        "[[parts]]",
        "#   weight = 1.0: in the mean (a number from 0 to 2)",
    ],
)
def test_each_key_is_explained_once(line):
    assert text().splitlines().count(line) == (2 if line == "[[parts]]" else 1)


def test_a_table_can_stand_in_one_line():
    assert 'form = { shape = "square", width_um = 2.0 }' in text(inline=("shape",)).splitlines()
    assert "# a table of shape = round, square" in text(inline=("shape",)).splitlines()


def test_a_table_of_keys_says_what_it_reads():
    table = table_of(Whole)
    assert (table.title, table.text) == ("Whole", "All of it; a key that is None is not there.")
    assert [key.name for key in table.keys if key.required] == ["count", "form"]
    form, parts = (next(key for key in table.keys if key.name == name) for name in ("form", "parts"))
    assert [each.constants for each in form.tables] == [{"shape": "round"}, {"shape": "square"}]
    assert parts.repeated
    assert [each.title for each in parts.tables] == ["Part"]


SCALARS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)


KEYS = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=1, max_size=8)
"""Not by a regular expression: its unbounded words and dictionaries took so long to draw that Hypothesis gave up."""


@given(st.one_of(SCALARS, st.lists(SCALARS, max_size=4), st.dictionaries(KEYS, SCALARS, max_size=4)))
def test_what_is_written_as_toml_is_read_back(value):
    assert tomllib.loads(f"key = {toml_value(value)}") == {"key": value}
