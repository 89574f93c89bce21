"""The held-out photographs are made once."""

import shutil

import pytest

from metalens.app.held_out import begin_held_out, held_out_folder, held_out_job
from metalens.app.job import Job
from metalens.app.photographs import add_upload


@pytest.fixture
def started(monkeypatch):
    """Command lines that were started; nothing runs."""
    lines = []
    monkeypatch.setattr(Job, "start", lambda job, arguments: lines.append(" ".join(arguments)))
    return lines


def test_what_runs_or_is_there_is_not_begun_again(studio, project, pairs, started, scene_png, monkeypatch):
    shutil.copytree(pairs, held_out_folder(project))
    begin_held_out(studio)
    assert started == []
    # The last shard is missing: the app was ended meanwhile.
    next(held_out_folder(project).glob("shard-*.h5")).unlink()
    with monkeypatch.context() as patched:
        patched.setattr(held_out_job(studio), "state", lambda: "running")
        begin_held_out(studio)
    assert started == []
    begin_held_out(studio)
    assert started[0].endswith("--json --resume")
    add_upload(project, scene_png, "scene.png")
    begin_held_out(studio)
    assert len(started) == 1
