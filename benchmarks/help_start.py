"""How fast ``import metalens`` and ``metalens --help`` are, and how much memory they take, beside an idle interpreter.

Run as ``python benchmarks/help_start.py [--runs 15] [--json]``; only the standard library is used, so that nothing but
the command itself is measured. The first run, which fills the disk's cache, is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence

CASES = {
    "python -c pass": ("-c", "pass"),
    "import metalens": ("-c", "import metalens"),
    "metalens --help": ("-m", "metalens.cli", "--help"),
    "metalens --version": ("-m", "metalens.cli", "--version"),
    "metalens psf --help": ("-m", "metalens.cli", "psf", "--help"),
    "metalens train --help": ("-m", "metalens.cli", "train", "--help"),
}


def run_once(arguments: Sequence[str]) -> tuple[float, float]:
    """Seconds from the start of a process to its end, and its largest resident set in MB."""
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    start = time.perf_counter()
    process = os.posix_spawn(sys.executable, [sys.executable, *arguments], os.environ, file_actions=silent)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(arguments)}: failed")
    # Linux counts in KiB, macOS in bytes.
    return seconds, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def measure(arguments: Sequence[str], runs: int) -> dict[str, float]:
    run_once(arguments)
    seconds, memory = zip(*(run_once(arguments) for _ in range(runs)), strict=True)
    return {
        "median_s": round(statistics.median(seconds), 4),
        "least_s": round(min(seconds), 4),
        "most_s": round(max(seconds), 4),
        "peak_memory_mb": round(max(memory), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    found = {name: measure(arguments, options.runs) for name, arguments in CASES.items()}
    if options.json:
        print(json.dumps({"runs": options.runs, "python": sys.version.split()[0], "cases": found}))
        return
    print(f"{'':>22} {'median':>9} {'least':>9} {'most':>9} {'memory':>9}   ({options.runs} runs)")
    for name, row in found.items():
        times = " ".join(f"{1e3 * row[key]:6.0f} ms" for key in ("median_s", "least_s", "most_s"))
        print(f"{name:>22} {times} {row['peak_memory_mb']:6.1f} MB")


if __name__ == "__main__":
    main()
