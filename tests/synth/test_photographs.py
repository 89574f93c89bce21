import json
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.synth.embedded_photographs import embedded_photographs
from metalens.synth.photograph_sources import photographs_of
from metalens.synth.photographs import find_photographs


def test_embedded_photographs_are_there_in_colour_with_licence_and_credit() -> None:
    photographs = embedded_photographs()
    assert len(photographs) >= 6
    assert [photograph.name for photograph in photographs] == sorted(each.name for each in photographs)
    for photograph in photographs:
        picture = read_picture(photograph.path)
        assert min(picture.shape[:2]) >= 300
        assert (picture[..., 0] != picture[..., 2]).mean() > 0.5
        assert photograph.licence
        assert photograph.credit


def test_held_out_photographs_are_never_trained_on() -> None:
    train, held_out = embedded_photographs("train"), embedded_photographs("held_out")
    assert len(held_out) >= 3
    assert not {each.path for each in train} & {each.path for each in held_out}
    assert {each.path for each in train + held_out} == {each.path for each in embedded_photographs()}


def test_unknown_split_is_refused() -> None:
    with pytest.raises(InputError, match="expected 'train', 'held_out' or None"):
        embedded_photographs("test")  # type: ignore[arg-type]


def test_manifest_beside_photographs_gives_licence_and_credit(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_picture(tmp_path / name, np.zeros((4, 4, 3), dtype=np.uint8))
    entries = [{"file": "a.png", "licence": "CC0", "credit": "me"}]
    (tmp_path / "manifest.json").write_text(json.dumps({"photographs": entries}))
    found = find_photographs([tmp_path])
    assert [(each.name, each.licence, each.credit) for each in found] == [("a", "CC0", "me"), ("b", "", "")]
    # Other programs leave files of this name, too.
    for other in ("[]", '{"name": "a page"}'):
        (tmp_path / "manifest.json").write_text(other)
        assert [each.licence for each in find_photographs([tmp_path])] == ["", ""]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[" * 100_000,
        '{"photographs": {"a.png": 1}}',
        '{"photographs": ["a.png"]}',
        '{"photographs": [{"file": ["a.png"]}]}',
        '{"photographs": [{"licence": "CC0"}]}',
        '{"photographs": [{"file": "a.png", "licence": {"name": "CC0"}}]}',
        '{"photographs": [{"file": "a.png", "credit": 5}]}',
    ],
)
def test_a_manifest_that_is_damaged_is_refused(tmp_path: Path, content: str) -> None:
    write_picture(tmp_path / "a.png", np.zeros((4, 4, 3), dtype=np.uint8))
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match="not a readable manifest of photographs"):
        find_photographs([tmp_path])


def test_a_photograph_that_is_named_twice_is_taken_once(tmp_path: Path) -> None:
    for name in ("0.png", "1.png"):
        write_picture(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    assert len(photographs_of([tmp_path / "0.png", tmp_path, str(tmp_path / "0.png")])) == 2
