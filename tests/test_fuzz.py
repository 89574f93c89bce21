"""Every reader of every format takes damaged files: it reads them, or says in a sentence why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .fuzz import fuzz
from .fuzz_targets import TARGETS

# The reader of layouts works in a process of its own, and an adapter is read with its prior: tenths of a second each.
SLOW = ("gds", "oasis", "adapter", "weights")


@pytest.mark.parametrize("name", TARGETS)
def test_a_few_damaged_files(tmp_path, name):
    found = fuzz(TARGETS[name](), tmp_path, seed=0, count=2 if name in SLOW else 25)
    assert found["refused"] > 0


@pytest.mark.long  # of all formats as many inputs as there is time for: METALENS_FUZZ_SECONDS each
@pytest.mark.parametrize("name", TARGETS)
def test_many_damaged_files_within_bounds_of_time_and_memory(name):
    seconds = float(os.environ.get("METALENS_FUZZ_SECONDS", "20"))
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1], timeout=seconds + 300)
    assert run.returncode == 0, run.stderr[-4000:]
    found = json.loads(run.stdout)
    assert found["inputs"] == found.get("read", 0) + found["refused"]
