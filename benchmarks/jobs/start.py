"""How long a process takes from its start: imports, help, a first simulation, and one restored picture."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from measuring.job import Beside, Job, Task


def python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def running(*arguments: str) -> Task:
    return partial(python, *arguments)


def small_bank() -> Task:
    """``metalens psf`` of 3 × 3 fields, each time into a new file; what JAX compiled is kept from the first time on."""
    folder = Path(tempfile.mkdtemp())
    numbers = iter(range(10**6))

    def run() -> None:
        output = folder / f"{next(numbers)}.h5"
        options = ["--fields", "3x3", "--wavelengths", "3", "--window", "51"]
        python("-m", "metalens.cli", "psf", "metacamera", "-o", str(output), *options)

    return run


def one_picture() -> Task:
    """``metalens restore`` of the embedded example, each time into a new folder."""
    folder = Path(tempfile.mkdtemp())
    numbers = iter(range(10**6))

    def run() -> None:
        python("-m", "metalens.cli", "restore", "embedded:example", "-o", str(folder / str(next(numbers))))

    return run


IDLE = Beside("python -c pass", lambda: running("-c", "pass"))
CLICK = Beside("import click", lambda: running("-c", "import click"))
IMPORTS = Beside("import jax, h5py, scipy.fft", lambda: running("-c", "import jax, jax.numpy, h5py, scipy.fft"))
TORCH = Beside("import torch, safetensors", lambda: running("-c", "import torch, safetensors"))

JOBS = {
    "import metalens": Job(lambda: running("-c", "import metalens"), IDLE),
    "metalens --help": Job(lambda: running("-m", "metalens.cli", "--help"), CLICK),
    "metalens psf --help": Job(lambda: running("-m", "metalens.cli", "psf", "--help"), CLICK),
    "metalens psf, 3 × 3 fields, warm cache": Job(small_bank, IMPORTS),
    "metalens restore, one picture": Job(one_picture, TORCH),
}
