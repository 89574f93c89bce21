"""A project begins with a photograph that is captured already; the further ones are captured once, at low priority."""

import shutil

import pytest

from metalens.app.held_out import add_held_out, begin_held_out, begin_project, held_out_folder, held_out_job
from metalens.app.job import Job
from metalens.app.photographs import add_upload, photographs_in


@pytest.fixture
def started(monkeypatch):
    """Command lines that were started; nothing runs."""
    lines = []
    monkeypatch.setattr(Job, "start", lambda job, arguments, patient: lines.append((" ".join(arguments), patient)))
    return lines


def test_an_empty_project_begins_with_the_example(project):
    for _ in range(2):
        begin_project(project)
    (given,) = photographs_in(project)
    assert (given.about.title, given.about.pixels, given.about.place) == ("coffee", (304, 304), (20, 70))
    assert given.clean is not None


@pytest.mark.long
def test_what_runs_or_is_there_is_not_begun_again(studio, project, pairs, started, monkeypatch):
    begin_project(project)
    begin_held_out(studio)
    made = "synth embedded:china embedded:motorcycle -o metalens-app/held-out --psf metalens-app/psf/metacamera.h5"
    assert started == [(f"{made} --whole --seed 1 --json", True)]
    shutil.copytree(pairs, held_out_folder(project))
    begin_held_out(studio)
    assert len(started) == 1
    # The last shard is missing: the app was ended meanwhile.
    shard = next(held_out_folder(project).glob("shard-*.h5"))
    shard.rename(project.folder / shard.name)
    with monkeypatch.context() as patched:
        patched.setattr(held_out_job(studio), "state", lambda: "running")
        begin_held_out(studio)
    assert len(started) == 1
    begin_held_out(studio)
    assert started[1][0].endswith("--json --resume")
    (project.folder / shard.name).rename(shard)
    add_held_out(project)
    assert begin_held_out(studio) is None
    assert [each.about.title for each in photographs_in(project)] == ["coffee", "good-0", "good-1"]


def test_a_project_that_began_with_an_upload_keeps_it_alone(studio, project, scene_png, started):
    add_upload(project, scene_png, "scene.png")
    begin_project(project)
    assert begin_held_out(studio) is None
    assert ([each.about.source for each in photographs_in(project)], started) == (["upload"], [])
