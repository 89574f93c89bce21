"""What is no file is told before it is opened, whatever its name."""

from __future__ import annotations

import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file, is_file, is_folder

LONG = "x" * 5000
"""No file system takes such a name."""


def test_files_and_folders_are_told_from_each_other(tmp_path):
    (tmp_path / "file").touch()
    assert is_file(tmp_path / "file")
    assert not is_folder(tmp_path / "file")
    assert is_folder(tmp_path)
    assert not is_file(tmp_path)


@pytest.mark.parametrize("name", [LONG, f"{LONG}/file", "zero\0byte", "not-there"])
def test_a_name_that_no_file_has_is_no_file_and_is_refused_in_a_sentence(tmp_path, name):
    assert not is_file(tmp_path / name)
    assert not is_folder(tmp_path / name)
    with pytest.raises(InputError, match=r"no such file\.|could not be read"):
        input_file(tmp_path / name, "lens.toml", largest=10, missing="no such file.")
