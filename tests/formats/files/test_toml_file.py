"""Files of TOML from elsewhere: bounded, of a known schema, and a sentence with its place for what is neither."""

from pathlib import Path

import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.files.record import Positive, Record
from metalens.formats.files.toml_file import parse_toml, read_text, shipped_names, shipped_text, validated

HEAD = 'schema = "metalens.thing"\nversion = 1\n'


def parsed(text: str) -> dict:
    return parse_toml(text, "metalens.thing", 1, origin="my.toml", remedy="copy them from the manual")


def text_of(path: Path) -> str:
    return read_text(path, "thing.toml", missing="no such file; give a thing.toml.")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_is_read_with_and_without_the_marks_of_an_editor(tmp_path: Path, encoding: str, newline: str) -> None:
    path = tmp_path / "thing.toml"
    path.write_text(HEAD + 'size = "3 µm"\n', encoding=encoding, newline=newline)
    assert parsed(text_of(path)) == {"size": "3 µm"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"thing\.toml: no such file; give a thing\.toml\."),
        (b"\xff\xfe\x00binary", r"thing\.toml: could not be read as UTF-8 text"),
        (b"#" * (2**20 + 1), r"thing\.toml: 1048577 bytes is no thing\.toml; at most 1 MiB is read\."),
    ],
)
def test_a_missing_binary_or_large_file_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "thing.toml").write_bytes(content)
    with pytest.raises(InputError, match=message):
        text_of(tmp_path / "thing.toml")


def test_a_folder_is_no_file_and_a_larger_limit_can_be_given(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a folder, a .* is a file"):
        text_of(tmp_path)
    (tmp_path / "list.toml").write_bytes(b"#" * (2**20 + 1))
    assert len(read_text(tmp_path / "list.toml", "list", missing="", largest=2**21)) == 2**20 + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "a = = 1", r"my\.toml: not valid TOML \(Invalid value \(at line 3, column 5\)\)"),
        (HEAD + "a = 1\na = 2\n", r"not valid TOML \(Cannot overwrite a value \(at line 4"),
        (HEAD + "a = " + "9" * 5000, "not valid TOML .*digits"),
        (HEAD + "a = " + "[" * 100_000, r"not valid TOML \(brackets nested too deeply\)"),
        (HEAD + "a" + ".a" * 200_000 + " = 1", r"not valid TOML \(a key of more than 64 parts\)"),
        (HEAD + "[" + '"a" . ' * 100_000 + "a]", r"not valid TOML \(a key of more than 64 parts\)"),
    ],
)
def test_what_is_no_toml_is_told_and_what_would_hold_the_parser_is_refused_at_once(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parsed(text)


def test_long_words_and_lists_of_numbers_are_no_deep_keys() -> None:
    text = HEAD + f'name = "{"a-" * 300_000}"\nx = [{"1.5, " * 1000}]\n'
    assert len(parsed(text)["x"]) == 1000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("size = 1", "found neither; copy them from the manual."),
        ('schema = "metalens.thing"', 'found schema = "metalens.thing"; copy'),
        (HEAD.replace("1", "2"), 'found schema = "metalens.thing" and version = 2; a newer metalens wrote it'),
        *((HEAD.replace("1", each), f"version = {each}; copy") for each in ("true", "1.0")),
        (HEAD.replace("1", "0"), 'found schema = "metalens.thing" and version = 0; copy'),
        (HEAD.replace("thing", "other").replace("1", "9"), 'found schema = "metalens.other" and version = 9; copy'),
        (HEAD.replace("thing", "other"), 'found schema = "metalens.other" and version = 1; copy'),
        (HEAD.replace("thing", "x" * 1000), "xxx… and version = 1; copy"),
        (HEAD + "[schema]", "not valid TOML"),
    ],
)
def test_another_schema_or_version_is_refused_with_what_was_found_and_expected(text: str, found: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(text)
    assert found in str(caught.value)
    assert len(str(caught.value)) < 300
    if "TOML" not in found:
        assert 'my.toml: expected the lines schema = "metalens.thing" and version = 1 at the top' in str(caught.value)


def test_a_wrong_key_is_told_with_the_file() -> None:
    class Thing(Record):
        size_um: Positive

    assert validated(Thing, {"size_um": 2}, origin="my.toml").size_um == 2.0
    with pytest.raises(InputError, match=r"my\.toml: size_um: .* more than 0, found -1\."):
        validated(Thing, {"size_um": -1}, origin="my.toml")


@pytest.mark.parametrize("folder", ["camera/presets", "camera/sensors", "design/designs"])
def test_shipped_files_are_found_by_name(folder: str) -> None:
    names = shipped_names(folder)
    assert names == sorted(names)
    assert all("schema = " in shipped_text(folder, name) for name in names)
