"""Nothing outside the project folder is read or written."""

import errno

import pytest

from metalens.app.project import open_project
from metalens.formats.files.errors import InputError, sentence_of


@pytest.fixture
def project(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "other.png").write_bytes(b"secret")
    return open_project(tmp_path / "mine")


@pytest.mark.parametrize("path", ["../other.png", "/etc/passwd", "a/../../other.png", "a\0b", "link"])
def test_a_path_outside_is_refused(project, path):
    (project.folder / "link").symlink_to(project.folder.parent / "other.png")
    with pytest.raises(InputError, match=r"lies outside the project folder|no file can have this name"):
        project.inside(path)


def test_a_path_inside_is_real(project):
    assert project.inside("a/../b.png") == project.folder / "b.png"


def test_a_linked_folder_of_the_app_leads_nowhere_else(project):
    project.own.symlink_to(project.folder.parent)
    with pytest.raises(InputError, match="outside the project folder"):
        project.part("photographs")


def test_hidden_and_deep_files_are_not_listed(project):
    for place in ("a.toml", "b/c.toml", ".hidden/d.toml", "1/2/3/4/5/e.toml"):
        (project.folder / place).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / place).write_text("")
    assert project.listed("*.toml") == ["a.toml", "b/c.toml"]


def test_what_was_chosen_is_remembered(project):
    project.remember(alpha=0.5)
    project.remember(photograph="x")
    assert open_project(project.folder).state() == {"alpha": 0.5, "photograph": "x"}


def test_a_folder_that_was_deleted_is_told_and_not_made_again(project):
    project.folder.rmdir()
    with pytest.raises(InputError, match=r"is gone; end the app, and start it in another folder\.$"):
        project.part("designs")
    # What was chosen is no result: it is lost without a word.
    project.remember(alpha=0.5)
    assert not project.folder.exists()


def test_a_disk_that_takes_nothing_is_told(project, monkeypatch):
    def refuse(path, **given):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(InputError) as refused:
        project.part("designs")
    told = "could not be written (No space left on device); nothing half-written was left; free some disk space."
    assert sentence_of(refused.value) == f"{project.own / 'designs'}: {told}"


@pytest.mark.parametrize("content", ["", "[1]", "{", "\udcff", "[" * 100_000], ids=len)
def test_a_damaged_state_is_no_state(project, content):
    project.part()
    (project.own / "state.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert project.state() == {}


def test_a_project_needs_a_folder(tmp_path):
    with pytest.raises(InputError, match="no such folder; give the folder of your project"):
        open_project(tmp_path / "missing")
