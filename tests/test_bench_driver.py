"""The driver of the benchmarks compares with an earlier run, and each of its jobs stands in a table."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def driver(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("driver")
    for name in [each for each in sys.modules if each.split(".")[0] in ("driver", "jobs", "measuring")]:
        del sys.modules[name]


def row(processor: float, floor: float | None = None) -> dict:
    found = {"wall_s": processor, "processor_s": processor, "memory_mb": 100.0}
    if floor is not None:
        found["floor"] = {"what": "its transforms", "processor_s": floor, "ratio": processor / floor}
    return found


def test_a_job_is_compared_by_its_multiple_of_the_floor(driver):
    # A machine of half the speed takes twice as long for the floor, too.
    assert driver.ratios({"a": row(4.0, 2.0)}, {"a": row(2.0, 1.0)}) == {"a": 1.0}
    assert driver.ratios({"a": row(3.0, 1.0)}, {"a": row(2.0, 1.0)}) == {"a": 1.5}


def test_without_a_floor_times_are_compared(driver):
    assert driver.ratios({"a": row(3.0)}, {"a": row(2.0, 1.0)}) == {"a": 1.5}


def test_the_dearest_job_is_told_first_and_jobs_of_one_run_alone_are_left_out(driver):
    now, before = {"a": row(1.0), "b": row(3.0), "c": row(9.0)}, {"a": row(1.0), "b": row(1.0), "d": row(1.0)}
    assert list(driver.ratios(now, before).items()) == [("b", 3.0), ("a", 1.0)]


def test_a_job_beyond_the_tolerance_fails(driver, capsys):
    before = {"machine": "the same", "jobs": {"a": row(1.0), "b": row(1.0)}}
    now = {"jobs": {"a": row(1.1), "b": row(1.5)}}
    assert driver.report(now, before, None)
    assert driver.report(now, before, 0.6)
    assert not driver.report(now, before, 0.2)
    assert capsys.readouterr().err == "\nDearer than before by more than 20%: b.\n"


def test_every_job_has_a_name_of_its_own_and_a_row_all_columns(driver):
    names = [name for _, name in driver.names_of("")]
    assert len(set(names)) == len(names)
    assert driver.names_of("start: import metalens") == [("start", "import metalens")]
    columns = driver.HEAD.splitlines()[0].count("|")
    peer = {"what": "another", "processor_s": 9.0, "ratio": 9.0}
    for each in (row(1.0), row(1.0, 0.5), row(1.0, 0.5) | {"peer": peer}):
        assert driver.line_of("a", each).count("|") == columns


@pytest.mark.long
def test_one_job_is_measured_written_and_compared(tmp_path):
    out, command = tmp_path / "now.json", [sys.executable, str(BENCHMARKS / "driver.py"), "--rounds", "1"]
    command += ["--only", "start: import metalens", "--json", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    found = json.loads(out.read_text())
    assert found["jobs"]["import metalens"]["processor_s"] > 0
    assert found["jobs"]["import metalens"]["floor"]["what"] == "python -c pass"
    found["jobs"]["import metalens"]["floor"]["processor_s"] *= 1e3
    out.write_text(json.dumps(found))
    run = subprocess.run(
        [*command, "--before", str(out), "--tolerance", "0.2"], check=False, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert "Dearer than before by more than 20%: import metalens." in run.stderr
