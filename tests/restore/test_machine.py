"""The machine's device, and what it is called."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.machine import machine_name, usable_device


def test_the_processor_is_a_device_with_a_name():
    device = usable_device("cpu")
    assert device == torch.device("cpu")
    assert machine_name(device).endswith("cores")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("abacus", "--device abacus: torch knows no such device; expected cpu, cuda"),
        ("", "torch knows no such device"),
        ("cuda:99", "--device cuda:99: torch finds no such device here; use --device cpu"),
        ("meta", "--device meta: torch finds no such device here"),
    ],
)
def test_a_device_that_does_not_work_here_is_named(name, message):
    with pytest.raises(InputError, match=message):
        usable_device(name)


# Imports PyTorch anew: two seconds.
@pytest.mark.long
def test_freed_memory_is_used_again_without_new_pages_of_the_system():
    program = (
        "import resource, torch; from metalens.restore.machine import keep_freed_memory; kept = keep_freed_memory()\n"
        "pages = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "def work(): first = torch.ones(2**24); second = first + 1; return float((second * 2)[0])\n"
        "def turn(): before = pages(); work(); return pages() - before\n"
        "print(kept, min(turn() for _ in range(8)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    kept, pages = run.stdout.split()
    # Three tensors of 64 MiB have 49152 pages, which each turn takes anew unless they are kept. Small allocations
    # between them can push one of them to a new place, in some turns.
    assert int(pages) < 1000 or kept == "False"
