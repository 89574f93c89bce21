"""Jobs here and in other processes: the same answers, in order if asked, and nobody outlives their master."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from metalens.formats.files.errors import InputError
from metalens.runners.job import do_job, in_order
from metalens.runners.local import Here, LocalWorkers, check_workers, workers_of
from metalens.runners.processes import end, start_python

JOBS = """
import os, time
from metalens.formats.files.errors import InputError

def double(spec, progress):
    time.sleep(spec.get("seconds", 0))
    progress(1)
    return 2 * spec["number"]

def refuse(spec, progress):
    raise InputError("jobs: no.")

def fail(spec, progress):
    return 1 / 0

def die(spec, progress):
    os._exit(3)

def threads(spec, progress):
    print("what is printed is no answer")
    return [os.environ["OMP_NUM_THREADS"], os.environ.get("MORE")]
"""


@pytest.fixture(autouse=True)
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "somejobs.py").write_text(JOBS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


def test_workers_answer_what_this_process_does_in_any_order_and_in_order_where_it_is_asked():
    specs = [{"number": 0.1 + number} for number in range(4)]
    here = list(in_order(Here().run("somejobs:double", specs)))
    assert here == [2 * (0.1 + number) for number in range(4)]
    told = []
    with closing(LocalWorkers(2)) as workers:
        found = list(workers.run("somejobs:double", specs, lambda place, made: told.append((place, made))))
        # The workers stay for the next jobs.
        processes = list(workers.processes)
        assert list(in_order(workers.run("somejobs:double", specs))) == here
        assert workers.processes == processes
    assert dict(found) == dict(enumerate(here))
    assert sorted(told) == [(place, 1) for place in range(4)]


def test_results_come_in_order_whatever_ends_first():
    assert list(in_order([(2, "c"), (0, "a"), (1, "b")])) == ["a", "b", "c"]


def test_a_worker_has_one_thread_and_what_it_prints_is_no_answer():
    with closing(LocalWorkers(1, {"MORE": "1"})) as workers:
        assert list(workers.run("somejobs:threads", [{}])) == [(0, ["1", "1"])]


@pytest.mark.parametrize(
    ("job", "error", "message"),
    [
        ("refuse", InputError, r"jobs: no\."),
        ("fail", RuntimeError, "ZeroDivisionError"),
        ("die", InputError, r"a worker ended with status 3; run again with --resume"),
    ],
)
def test_what_goes_wrong_in_a_worker_is_told_and_ends_the_others(job, error, message):
    workers = LocalWorkers(2)
    with pytest.raises(error, match=message):
        list(workers.run(f"somejobs:{job}", [{}, {}]))
    assert workers.processes == []


def test_an_unknown_job_is_a_failure_and_no_hang():
    assert "AttributeError" in do_job("somejobs:nothing", {})["failure"]


MASTER = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background makes its children deaf to it
from metalens.runners.local import LocalWorkers
workers = LocalWorkers(2)
specs = [{"number": 1}, {"number": 1}, {"number": 1, "seconds": 60}, {"number": 1, "seconds": 60}]
for place, answer in workers.run("somejobs:double", specs):
    print(*(process.pid for process in workers.processes), flush=True)
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_master(ending):
    with subprocess.Popen([sys.executable, "-c", MASTER], stdout=-1, stderr=subprocess.DEVNULL, text=True) as master:
        workers = [int(word) for word in master.stdout.readline().split()]
        assert len(workers) == 2
        master.send_signal(ending)
        master.wait(timeout=30)
    deadline = time.monotonic() + 30
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_running, workers))


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_one_worker_is_this_process_and_numbers_that_make_no_sense_are_refused():
    assert isinstance(workers_of(1), Here)
    assert isinstance(workers_of(2), LocalWorkers)
    for workers in (0, 257):
        with pytest.raises(InputError, match=f"--workers {workers}: at least 1 and at most 256"):
            check_workers(workers)


def test_processes_are_asked_to_keep_what_they_have_and_ended_if_they_do_not_listen():
    listening = "import time; print(1, flush=True); time.sleep(60)"
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + listening
    processes = [start_python(["-c", text], {}) for text in (deaf, listening)]
    assert [process.stdout.readline() for process in processes] == ["1\n", "1\n"]
    end(processes, seconds=1)
    assert [process.returncode for process in processes] == [-signal.SIGKILL, -signal.SIGTERM]
    assert all(process.stdout.closed for process in processes)
