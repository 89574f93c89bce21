"""Names that others chose cannot forge, colour or flood what is printed."""

from hypothesis import given
from hypothesis import strategies as st

from metalens.formats.files.foreign_text import LONGEST, shown


@given(text=st.text(st.characters(codec=None), max_size=400))
def test_whatever_is_shown_is_one_printable_short_line(text):
    found = shown(text)
    assert len(found.splitlines()) <= 1
    assert not any(ord(sign) < 32 or ord(sign) == 127 or 0xD800 <= ord(sign) < 0xE000 for sign in found)
    found.encode("utf-8")
    assert len(found) <= 10 * LONGEST


def test_plain_names_stay_as_they_are():
    for name in ("IMG[1].png", "Straße 7 – Größe.png", "夜.jpg", ""):
        assert shown(name) == name


def test_what_is_not_shown_is_escaped_and_what_is_long_is_cut_in_its_middle():
    assert shown("a\nmetalens: done\x1b[2J") == "a\\nmetalens: done\\x1b[2J"
    assert shown("IMG\udcff.png") == "IMG\\xff.png"
    assert shown("\u202egnp.exe") == "\\u202egnp.exe"
    assert shown("a" * 500 + "b" * 500) == "a" * 99 + "…" + "b" * 99
