"""A job is a command in a process of its own; its state lies in files."""

import json
import re
import time

import pytest

from metalens.app.job import Job, Jobs, shown_command
from metalens.app.project import open_project


@pytest.fixture
def project(tmp_path):
    return open_project(tmp_path)


def wait(job):
    assert job.process is not None
    job.process.wait()
    return job.state()


def test_a_command_runs_and_answers(project):
    job = Job(project, "presets")
    assert job.state() == "new"
    job.start(["design", "held", "-o", "lens.toml", "--bad-option", "--json"])
    assert wait(job) == "failed"
    assert "No such option" in job.sentence()
    assert job.command() == "metalens design held -o lens.toml --bad-option"
    # Another run of the app finds it.
    assert Job(project, "presets").state() == "failed"


def test_a_share_is_read_from_the_progress_bar(project):
    job = Job(project, "x")
    project.part("jobs", "x")
    (job.folder / "log").write_text("PSF:  10%|█  | 1/10\rPSF:  40%|████  | 4/10 [00:01]\r\n")
    assert job.share() == 0.4
    assert job.told(re.compile(r"(\d+)/(\d+)")) == [("1", "10"), ("4", "10")]
    assert job.progress_line() == "PSF:  40%|████  | 4/10 [00:01]"


def test_a_job_that_ended_with_its_app_is_stopped(project):
    job = Job(project, "x")
    project.part("jobs", "x")
    (job.folder / "command.json").write_text(json.dumps(["psf", "metacamera"]))
    assert job.state() == "stopped"


def test_ending_leaves_nothing_half_written(project):
    jobs = Jobs(project)
    job = jobs.job("bank")
    job.start(["psf", "metacamera", "-o", "bank.h5", "--json"])
    while job.state() == "running" and "PSF" not in job.progress_line():
        time.sleep(0.05)
    jobs.end_all()
    assert job.state() in ("stopped", "done")
    inside = {path.name for path in project.folder.iterdir()} - {"metalens-app"}
    assert inside == (set() if job.state() == "stopped" else {"bank.h5"})


def test_a_command_is_shown_without_json():
    assert shown_command(["psf", "my lens.toml", "--json"]) == "metalens psf 'my lens.toml'"
