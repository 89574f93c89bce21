"""What an installation has and what is slow: facts of this one, and sentences about machines that are described."""

from __future__ import annotations

import errno
import importlib.metadata
import json
import os
import sys

import pytest

from metalens.cli import COMMANDS
from metalens.formats.files.extras import EXTRA_OF, SERVES
from metalens.workflows.doctor import devices, extras, measured, slow, versions, weights


def test_the_command_reports_all_parts(run):
    status, out, err = run("doctor", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert list(found) == ["versions", "machine", "devices", "threads", "extras", "weights", "measured", "slow"]
    assert min(found["measured"].values()) > 0
    assert 1 <= found["machine"]["usable_cores"] <= found["machine"]["cores"]
    status, out, _ = run("doctor")
    assert status == 0
    for word in ("processor", "devices", "threads", "packages", "extras", "weights", "measured", "slow here"):
        assert word in out


def test_versions_are_those_of_the_distributions():
    found = versions()
    assert found["numpy"] == importlib.metadata.version("numpy")
    assert found["scikit-image"] == importlib.metadata.version("scikit-image")
    assert set(EXTRA_OF) - {"skimage", "sklearn", "skvideo"} <= {name.replace("-", "_") for name in found}


def test_every_extra_serves_commands_that_there_are():
    assert set(SERVES) == set(EXTRA_OF.values())
    assert {line.split()[0] for lines in SERVES.values() for line in lines} <= set(COMMANDS)


def test_without_a_package_its_extra_is_incomplete_and_the_rest_is_told(monkeypatch):
    assert extras()["restore"]["missing"] == []
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert extras()["restore"]["missing"] == ["torch"]
    assert extras()["photographs"]["missing"] == ["scikit-learn"]
    assert devices()["torch"] == []
    assert weights() == {}


def test_the_embedded_weights_are_found():
    found = weights()
    assert found["embedded_adapters"] == ["metacamera", "metacamera-200um"]
    assert found["embedded_prior_bytes"] > 10**6


def described(*, cores=4, usable=4, memory=16e9, torch=("cpu", "cuda:0: A"), jax=("gpu: A",), threads=None, disk=500.0):
    return {
        "machine": {"cores": cores, "usable_cores": usable, "memory_bytes": memory},
        "devices": {"torch": list(torch), "jax": list(jax)},
        "threads": threads or {},
        "measured": {"disk_mb_per_s": disk},
    }


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ({}, []),
        ({"torch": ("cpu",), "jax": ("cpu: cpu",)}, ["no GPU"]),
        ({"jax": ("cpu: cpu",)}, ["JAX does not use"]),
        ({"torch": (), "jax": ("cpu: cpu",)}, []),
        ({"usable": 2}, ["2 of 4 cores"]),
        ({"cores": 1, "usable": 1}, ["One core"]),
        ({"threads": {"OMP_NUM_THREADS": "1"}}, ["OMP_NUM_THREADS is 1 of 4"]),
        ({"threads": {"OMP_NUM_THREADS": "4"}}, []),
        ({"memory": 2e9}, ["2.5 GB of memory"]),
        ({"memory": None}, []),
        ({"disk": 0.0}, ["disk of temporary files takes no 16 MB"]),
    ],
)
def test_what_is_slow_is_said(machine, words, monkeypatch):
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    told = slow(described(**machine))
    assert len(told) == len(words)
    assert all(word in sentence for word, sentence in zip(words, told, strict=True))


def test_modules_that_are_compiled_at_each_start_are_said(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" in slow(described())[0]


def test_a_disk_that_takes_nothing_is_told_with_all_else(monkeypatch):
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    found = measured()
    assert found["disk_mb_per_s"] == 0
    assert found["fft_1024_ms"] > 0
