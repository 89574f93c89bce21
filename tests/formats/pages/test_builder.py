"""Templates are filled, and what comes from outside stays text."""

import re
from html.parser import HTMLParser
from importlib.resources import files

import jinja2
import pytest

from metalens.formats.pages import builder
from metalens.formats.pages.builder import Best, Table, listing, number, render

TEMPLATES = sorted(each.name for each in files("metalens.formats.pages").joinpath("templates").iterdir())
HOSTILE = "<img src=x onerror=\"alert(1)\"> & | 'x'"


class Parsed(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        del attrs
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def filled(kind: str, source: str, **values: object) -> str:
    """A template that is given as text, with the parts of its kind at hand."""
    return builder._environment(kind).from_string(source).render(values)


def test_every_template_can_be_compiled():
    assert len(TEMPLATES) >= 9
    for name in TEMPLATES:
        builder._environment(name.split(".")[1]).get_template(name)


@pytest.mark.parametrize("name", [each for each in TEMPLATES if each.endswith(".html.j2")])
def test_pages_hold_no_script_and_nothing_from_elsewhere(name):
    source = files("metalens.formats.pages").joinpath("templates", name).read_text(encoding="utf-8")
    assert re.findall(r"<script|https?:|url\(|@import|<link|\bon\w+=|\|\s*safe", source) == []


def test_text_in_html_is_escaped_in_cells_names_and_attributes():
    source = '{% from "parts.html.j2" import figure, table %}{{ table(told) }}{{ figure("stem", name) }}'
    parsed = Parsed(filled("html", source, told=Table((HOSTILE,), [(HOSTILE, Best(HOSTILE))]), name=HOSTILE))
    assert parsed.tags == ["div", "table", "tr", "th", "tr", "td", "td", "figure", "img", "figcaption", "a"]
    assert parsed.text.count(HOSTILE) == 4


def test_text_in_markdown_begins_no_tag_and_ends_no_cell():
    source = '{% from "parts.md.j2" import table %}{{ table(told) }}'
    lines = filled("md", source, told=Table(("a", "b"), [(HOSTILE, Best("1 < 2"))])).splitlines()
    assert lines[:2] == ["| a | b |", "| --- | --- |"]
    assert lines[2] == "| &lt;img src=x onerror=\"alert(1)\"> & \\| 'x' | **1 < 2** |"


def test_the_best_of_a_column_is_marked_and_what_is_missing_is_a_dash():
    told = Table(("name", "figure"), [("a", Best("1")), ("b", None)])
    html = filled("html", '{% from "parts.html.j2" import table %}{{ table(told) }}', told=told)
    assert '<td class="best">1</td>' in html
    assert "<td>–</td>" in html
    markdown = filled("md", '{% from "parts.md.j2" import table %}{{ table(told, figures=true) }}', told=told)
    assert markdown == "| name | figure |\n| --- | ---: |\n| a | **1** |\n| b | – |\n"


def test_a_value_that_is_missing_is_an_error_and_no_gap():
    with pytest.raises(jinja2.UndefinedError, match="origin"):
        render("transfer_card.md", camera={"name": "a", "hash": "0123"})


def test_numbers_have_their_digits_and_listings_their_dots():
    assert (number(1.005, 1), number(None, 3)) == ("1.0", "–")
    told = listing({"a": {"b": 1.23456789, "c": {"d": None}}, "e": [1, "x"]})
    assert told == Table((), [("a.b", "1.23457"), ("a.c.d", "None"), ("e", "1, x")])
