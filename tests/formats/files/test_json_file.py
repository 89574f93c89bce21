"""JSON files from elsewhere are read, or refused in one sentence."""

import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.files.json_file import read_json, read_record


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", r"not a readable note \(Expecting property name.*\); copy it again\."),
        (b"[" * 100_000, r"not a readable note \(maximum recursion depth.*\); copy it again\."),
        (b'{"a": "\xff"}', "not a readable note .*decode byte 0xff"),
        (b"[1]", r"found list, expected dict\); copy it again"),
        (b" " * 100 + b"{}", "102 bytes is no note; at most 100 bytes are read"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    largest = 100 if content.startswith(b" ") else 2**20
    with pytest.raises(InputError, match=message):
        read_json(path, "note", "copy it again", largest=largest)


def test_a_missing_file_is_told_with_the_advice(tmp_path):
    with pytest.raises(InputError, match=r"a\.json: no such file; copy it again\."):
        read_json(tmp_path / "a.json", "note", "copy it again")


def test_objects_and_arrays_are_given_as_they_are(tmp_path):
    (tmp_path / "object.json").write_text('{"a": [1, null]}')
    (tmp_path / "array.json").write_text("[1]")
    assert read_json(tmp_path / "object.json", "note", "") == {"a": [1, None]}
    assert read_json(tmp_path / "array.json", "note", "", kind=list) == [1]
    assert read_json(tmp_path / "array.json", "note", "", kind=object) == [1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": "x"}', r"note\.json: not a readable note \(a: expected a number.*; copy it again\."),
        (b"[1.5]", r"content: expected an object"),
        (b'{"a": 1' + 5000 * b"0" + b"}", "not a readable note"),
        (b"[" * 100_000, "not a readable note"),
        (b"\xff", "not a readable note"),
    ],
)
def test_what_has_another_schema_is_one_sentence(tmp_path, content, message):
    (tmp_path / "note.json").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_record(tmp_path / "note.json", dict[str, float], "note", "copy it again")


def test_a_byte_order_mark_is_passed_over(tmp_path):
    (tmp_path / "note.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_record(tmp_path / "note.json", dict[str, float], "note", "") == {"a": 1.0}
    assert read_json(tmp_path / "note.json", "note", "") == {"a": 1}
