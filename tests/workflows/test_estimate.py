"""Estimates: closed forms of time, and how sizes and times are said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from metalens.runners.processes import peak_memory
from metalens.workflows import machine_speed
from metalens.workflows.estimate import (
    Estimate,
    Timing,
    folder_bytes,
    measured,
    spoken_bytes,
    spoken_seconds,
    timing,
)
from metalens.workflows.restorer_estimates import BenchTerms, bench_estimate


def test_further_units_cost_what_the_second_one_did() -> None:
    spent = Timing(first=5.0, further=2.0)
    assert spent.of(0) == 0
    assert spent.of(1) == 5
    assert spent.of(11) == 5 + 10 * 2
    # Each of the processes begins with what is slow.
    assert spent.of(11, workers=2) == 5 + 4.5 * 2
    assert spent.of(2, workers=8) == 5


def test_a_unit_is_done_twice() -> None:
    done: list[int] = []
    spent = timing(lambda: done.append(1))
    assert len(done) == 2
    assert min(spent.first, spent.further) >= 0


def test_the_start_is_what_was_done_but_measuring() -> None:
    @measured
    def estimate(seconds: float) -> Estimate:
        """Cost of something."""
        return Estimate(0, seconds, 0, "")

    found = estimate(20.0)
    assert found.measuring is not None
    assert found.measuring >= 0
    assert found.begun(found.measuring + 4).seconds == pytest.approx(24)
    # Once, and never less than the work itself.
    assert found.begun(found.measuring + 4).begun(100).seconds == pytest.approx(24)
    assert found.begun(0.0).seconds == 20
    # Where nothing was measured, the seconds hold the start already.
    assert Estimate(0, 20.0, 0, "").begun(100).seconds == 20


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (12, "12 B"),
        (1500, "1.5 kB"),
        (99_000, "99 kB"),
        (1.234e6, "1.2 MB"),
        (5e9, "5.0 GB"),
        (3e15, "3000 TB"),
    ],
)
def test_sizes_are_said_with_two_digits(size: float, text: str) -> None:
    assert spoken_bytes(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.1, "1 s"), (90, "90 s"), (180, "3 min"), (7000, "117 min"), (9000, "2.5 h")]
)
def test_times_are_said_in_their_unit(seconds: float, text: str) -> None:
    assert spoken_seconds(seconds) == text


def test_an_estimate_is_a_sentence_and_figures() -> None:
    estimate = Estimate(1.5e6, 200.4, 2e9, "one pair was made in 0.20 s")
    assert estimate.sentence() == ("about 1.5 MB on disk, 3 min and 2.0 GB of memory (one pair was made in 0.20 s)")
    assert estimate.told() == {
        "disk_bytes": 1_500_000,
        "kept_bytes": 1_500_000,
        "seconds": 200.4,
        "memory_bytes": 2_000_000_000,
        "basis": "one pair was made in 0.20 s",
    }
    kept = replace(estimate, kept_bytes=4e5)
    assert kept.sentence().startswith("about 1.5 MB on disk (400 kB of it stay), 3 min")
    assert kept.told()["kept_bytes"] == 400_000


def test_the_memory_of_this_process_is_more_than_an_array_that_it_held() -> None:
    held = bytearray(50_000_000)
    assert peak_memory() > len(held)


def test_a_folder_is_as_large_as_its_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(bytes(7))
    (tmp_path / "b").write_bytes(bytes(5))
    assert folder_bytes(tmp_path) == 12


def test_estimates_of_runs_too_large_to_begin_are_scaled_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = BenchTerms(
        methods=3, learning=2, seeds=1, parallel=1, minutes=None, steps=100, crops=4, crop=96, training=8, test=3,
        generated=3, pixels=(400, 400),
    )  # fmt: skip
    seconds = []
    for pace in (1.0, 3.0):
        monkeypatch.setattr("metalens.workflows.restorer_estimates.relative_time", lambda pace=pace: pace)
        seconds.append(bench_estimate(terms).seconds)
    assert seconds[1] == pytest.approx(3 * seconds[0])
    # Minutes that are given do not depend on the machine.
    limited = bench_estimate(replace(terms, steps=None, minutes=1.0)).seconds
    assert limited == pytest.approx(bench_estimate(replace(terms, steps=0)).seconds + 2 * 60)


def test_a_benchmark_keeps_checkpoints_of_what_learns_and_the_pairs_that_it_makes() -> None:
    """7 methods on 8 pictures of 400 × 400 with 200 pairs: 326 MB, of which 213 are pairs and 100 checkpoints."""
    terms = BenchTerms(
        methods=7, learning=4, seeds=1, parallel=1, minutes=3.0, steps=None, crops=4, crop=96, training=200, test=8,
        generated=8, pixels=(400, 400),
    )  # fmt: skip
    assert bench_estimate(terms).disk_bytes == pytest.approx(326e6, rel=0.2)
    less = bench_estimate(replace(terms, learning=0, training=0, generated=0)).disk_bytes
    assert less < 0.1 * bench_estimate(terms).disk_bytes


def test_the_pace_is_that_of_the_fastest_of_three_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = [5.0, 2.0, 3.0]
    clock = iter([second * machine_speed.JOB_SECONDS for each in rounds for second in (0.0, each)])
    monkeypatch.setattr(machine_speed.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(machine_speed, "_job", lambda: None)
    assert machine_speed.relative_time.__wrapped__() == pytest.approx(2)
