"""JSON files from elsewhere are read, or refused in one sentence."""

import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.files.json_file import read_json


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
