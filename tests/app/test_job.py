"""A job is a command in a process of its own; its state lies in files."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from metalens.app.job import Job, Jobs, shown_command
from metalens.app.project import open_project
from metalens.formats.files.claim import held
from metalens.formats.files.errors import InputError


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


def test_a_patient_command_leaves_the_processor_to_all_others(project):
    job = Job(project, "help")
    job.start(["synth", "--help"], patient=True)
    assert job.process is not None
    assert os.getpriority(os.PRIO_PROCESS, job.process.pid) == 19
    assert wait(job) == "done"


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


@pytest.mark.parametrize(
    ("answer", "state"), [("", "stopped"), ('{"camera"', "stopped"), ("[1]", "stopped"), ('{"camera": 1}', "done")]
)
def test_a_job_whose_app_was_killed_is_known_by_its_lock_and_its_answer(project, answer, state):
    job = Job(project, "x")
    project.part("jobs", "x")
    (job.folder / "command.json").write_text(json.dumps(["psf", "metacamera"]))
    (job.folder / "answer").write_text(answer)
    with (job.folder / "log").open("wb") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        assert job.state() == "running"
        with pytest.raises(InputError, match="another run of the app has begun it"):
            job.start(["psf", "metacamera"])
    assert job.state() == state


@pytest.mark.parametrize("content", ["", "[", "[" * 100_000, '{"a": 1}', "\0"], ids=len)
def test_damaged_notes_of_a_job_are_no_faults_of_the_app(project, content):
    job = Job(project, "x")
    project.part("jobs", "x")
    for name in ("command.json", "answer", "status"):
        (job.folder / name).write_text(content)
    assert (job.state(), job.command()) == ("failed", "")
    assert isinstance(job.answer(), dict)


KILLED_APP = """
import os, signal, sys, time
from metalens.app.job import Job
from metalens.app.project import open_project

job = Job(open_project(sys.argv[1]), "bank")
job.start(["psf", "metacamera", "-o", "bank.h5", "--json"])
while job.state() == "running" and "PSF" not in job.progress_line():
    time.sleep(0.02)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_the_app_was_killed_its_job_is_found_and_may_be_killed_too(project):
    app = subprocess.run([sys.executable, "-c", KILLED_APP, str(project.folder)], check=False)
    assert app.returncode == -signal.SIGKILL
    # What another run of the app sees.
    job = Job(project, "bank")
    assert job.state() == "running"
    assert job.command() == "metalens psf metacamera -o bank.h5"
    os.killpg(int((job.folder / "process").read_text()), signal.SIGKILL)
    while job.state() == "running":
        time.sleep(0.02)
    assert job.state() == "stopped"
    # A lock that nobody holds locks nothing.
    assert {path.name for path in project.folder.iterdir()} == {"metalens-app", ".bank.h5.lock"}
    # It can be begun again, and stopped by yet another run.
    job.start(["psf", "metacamera", "-o", "bank.h5", "--json"])
    Job(project, "bank").stop()
    assert wait(job) == "stopped"


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


def test_a_command_that_hears_no_signal_is_killed_and_counts_as_stopped(project, monkeypatch):
    monkeypatch.setattr("metalens.app.job._SECONDS_TO_END", 0.1)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    job = Jobs(project).job("bank")
    project.part("jobs", "bank")
    job.process = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    assert job.process.stdout is not None
    with job.process.stdout as said:
        said.readline()
    # What it had begun, beside what another run is at.
    names = (f"bank.h5.{job.process.pid}.part", "bank.h5.lock", "other.h5.lock")
    part, lock, other = (project.folder / f".{name}" for name in names)
    part.touch()
    lock.touch()
    with held(other, other):
        job.end()
        assert [each.exists() for each in (part, lock, other)] == [False, False, True]
    assert job.state() == "stopped"


def test_a_command_whose_folder_was_deleted_is_ended_and_its_state_known(project):
    job = Jobs(project).job("gone")
    project.part("jobs", "gone")
    job.process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    job.process.wait()
    shutil.rmtree(project.folder)
    job.end()
    assert (job.state(), project.folder.exists()) == ("failed", False)


def test_a_command_is_shown_without_json():
    assert shown_command(["psf", "my lens.toml", "--json"]) == "metalens psf 'my lens.toml'"
