"""The machine's device, and what it is called."""

from __future__ import annotations

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
