"""What all tests share."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def forget_compiled_functions() -> Iterator[None]:
    """Give back the memory of what JAX has compiled: over all modules it would be several gigabytes a process."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
