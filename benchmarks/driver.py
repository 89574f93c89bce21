"""All benchmarks in one table, each beside the floor of what must be computed and beside a peer.

    make bench                                          # or: python benchmarks/driver.py
    python benchmarks/driver.py --only "one call" --rounds 5 --json now.json
    python benchmarks/driver.py --json now.json --before earlier.json --tolerance 0.2

Every job runs in a process of its own, in turn with its floor and its peer; the medians of the turns count. On a busy
machine compare processor times and ratios, not wall-clock times. ``--before`` compares with an earlier file: where a
job has a floor, by the ratio to it, so that another machine or a busy one counts less. A job that is dearer than before
by more than the tolerance makes the exit status 1. Peers are measured where the extra ``peers`` is installed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from jobs import MODULES

HEAD = (
    "| job | ms | processor ms | MB | floor | processor ms | of the floor | peer | peer takes |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)
JOB_COLUMNS = ("wall_s", "processor_s")


def names_of(wanted: str) -> list[tuple[str, str]]:
    """(module, job) of all jobs whose name has a text in it."""
    found = [(module, name) for module in MODULES for name in import_module(f"jobs.{module}").JOBS]
    return [(module, name) for module, name in found if wanted in f"{module}: {name}"]


def in_a_process(module: str, name: str, rounds: int) -> dict[str, Any]:
    """Measure one job; the last line of the process is the answer."""
    command = [sys.executable, __file__, "--one", json.dumps([module, name]), "--rounds", str(rounds)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(run.stdout.splitlines()[-1]))


def line_of(name: str, row: dict[str, Any]) -> str:
    """A row of the table."""
    cells = [name, *(f"{1e3 * row[key]:.2f}" for key in JOB_COLUMNS), f"{row['memory_mb']:.0f}"]
    floor, peer = row.get("floor"), row.get("peer")
    cells += [floor["what"], f"{1e3 * floor['processor_s']:.2f}", f"{floor['ratio']:.1f} ×"] if floor else ["", "", ""]
    cells += [peer["what"], f"{peer['ratio']:.0f} ×"] if peer else ["", ""]
    return f"| {' | '.join(cells)} |"


def ratios(now: dict[str, Any], before: dict[str, Any]) -> dict[str, float]:
    """Processor time of each job that both runs have, relative to that of before.

    Args:
        now: job → row.
        before: the same of an earlier run. If both rows have the same floor, multiples of it are compared.
    """
    found = {}
    for name in now.keys() & before.keys():
        new, old = now[name], before[name]
        scale = 1.0
        if "floor" in new and "floor" in old and new["floor"]["what"] == old["floor"]["what"]:
            scale = old["floor"]["processor_s"] / new["floor"]["processor_s"]
        found[name] = scale * new["processor_s"] / old["processor_s"]
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def report(now: dict[str, Any], before: dict[str, Any], tolerance: float | None) -> bool:
    """Print the ratios to an earlier run; whether all are within the tolerance."""
    found = ratios(now["jobs"], before["jobs"])
    print(f"\nBefore: {before['machine']}\n\n| job | times before |\n| --- | --- |")
    for name, ratio in found.items():
        print(f"| {name} | {ratio:.2f} |")
    worse = [name for name, ratio in found.items() if tolerance is not None and ratio > 1 + tolerance]
    if worse:
        print(f"\nDearer than before by more than {tolerance:.0%}: {', '.join(worse)}.", file=sys.stderr)
    return not worse


def answer_one(order: str, rounds: int) -> None:
    from measuring.job import measured

    module, name = json.loads(order)
    print(json.dumps(measured(import_module(f"jobs.{module}").JOBS[name], rounds)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="TEXT", help="jobs with this text in “module: name”")
    parser.add_argument("--rounds", type=int, default=5, help="turns of which the medians count")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures into this file")
    parser.add_argument("--before", type=Path, metavar="FILE", help="compare with the figures of an earlier run")
    parser.add_argument("--tolerance", type=float, help="fail if a job is dearer than before by this share, as 0.2")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        answer_one(options.one, options.rounds)
        return
    if options.tolerance is not None and options.before is None:
        parser.error("--tolerance needs --before")
    before = None if options.before is None else json.loads(options.before.read_text(encoding="utf-8"))
    chosen = names_of(options.only)
    if not chosen:
        parser.error(f"no job has {options.only!r} in its name")
    from measuring import machine

    now: dict[str, Any] = {"machine": machine(), "rounds": options.rounds, "jobs": {}}
    print(f"{now['machine']}; medians of {options.rounds} turns\n\n{HEAD}", flush=True)
    for module, name in chosen:
        now["jobs"][name] = in_a_process(module, name, options.rounds)
        print(line_of(name, now["jobs"][name]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    if before is not None and not report(now, before, options.tolerance):
        sys.exit(1)


if __name__ == "__main__":
    main()
