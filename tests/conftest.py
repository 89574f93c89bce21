"""What all tests share."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from .hub_server import Hub, running_hub

SMALL_CAMERA = """
schema = "metalens.camera"
version = 1
name = "small"
lens = { aperture_um = 40.0, focal_length_um = 100.0, phase = { family = "hyperbolic", wavelength_nm = 530.0 } }
sensor = { pixels = [32, 32], pixel_pitch_um = 1.0, bit_depth = 10, full_well_e = 5000.0, read_noise_e = 3.0 }

[spectrum]
channels = [
  { name = "red", centre_nm = 532.0, fwhm_nm = 1.0 },
  { name = "green", centre_nm = 530.0, fwhm_nm = 1.0 },
  { name = "blue", centre_nm = 528.0, fwhm_nm = 1.0 },
]
"""


CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"
collect_ignore = [] if CASES.is_dir() else ["test_cases.py"]
"""The cases lie beside the repository, or nowhere."""

LONGEST = ("test_demo.py", "test_notebooks.py")
"""Files of a few tests that take minutes each: begun first, or one process would be left with them in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


# Every 700 new objects by default; with all that is imported here, looking for garbage took a twentieth of the time.
gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session")
def small_camera_text() -> str:
    """The ``lens.toml`` of a hyperbolic lens of 40 µm, nearly of one colour."""
    return SMALL_CAMERA


LARGEST_PROCESS = 3_000_000_000
"""Bytes of memory."""


@pytest.fixture(autouse=True, scope="module")
def forget_compiled_functions() -> Iterator[None]:
    """Give back the memory of what JAX has compiled once it is much: over all modules it would be several gigabytes.

    Until then modules share it: each would trace and compile the same sums and products anew.
    """
    yield
    if "jax" in sys.modules and psutil.Process().memory_info().rss > LARGEST_PROCESS:
        sys.modules["jax"].clear_caches()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process: arguments → (status, stdout, stderr)."""
    from metalens.cli import main

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["metalens", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capfd.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture(autouse=True, scope="session")
def without_waiting_for_the_disk() -> Iterator[None]:
    """Files of tests need not outlive a loss of power; waiting for thousands of them took a fiftieth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What commands keep for later is kept for this run of the tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METALENS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """An empty model hub on this machine, and a cache folder of this test's own."""
    from huggingface_hub import constants

    # Its other protocol needs a server of another kind.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("METALENS_CACHE", str(tmp_path_factory.mktemp("cache")))
    # Sent to this hub only.
    monkeypatch.setenv("HF_TOKEN", "of-this-test")
    with running_hub() as started:
        monkeypatch.setenv("HF_ENDPOINT", started.url)
        yield started
