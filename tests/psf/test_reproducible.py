"""The same camera makes the same psf.h5, to the last bit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.psf import simulate_bank


def make_bank(path: Path, engine: str = "direction_cosine") -> None:
    camera = read_camera("hyperbolic").with_(
        lens={"aperture_um": 40, "focal_length_um": 100}, sensor={"pixels": (16, 16), "pixel_pitch_um": 1}
    )
    bank = simulate_bank(camera, fields=(2, 3), wavelengths_per_channel=1, window=(25, 25), engine=engine)
    write_psf_bank(path, bank)


def test_a_bank_that_is_made_again_has_the_same_bytes(tmp_path):
    first, second = tmp_path / "first.h5", tmp_path / "second.h5"
    make_bank(first, "angular_spectrum")
    make_bank(second, "angular_spectrum")
    assert first.read_bytes() == second.read_bytes()


def _begin(path: Path, threads: int, kept: dict[str, str]) -> subprocess.Popen[bytes]:
    """Make the bank in a process of its own."""
    counted = ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = kept | {"JAX_PLATFORMS": "cpu"} | dict.fromkeys(counted, str(threads))
    return subprocess.Popen([sys.executable, __file__, str(path)], env=environment)


# Two processes that compile for themselves.
@pytest.mark.long
def test_a_bank_has_the_same_bytes_with_one_thread_and_with_three(tmp_path):
    """Two processes, compiled as a user's are; with a remade bank that differs, synth --resume would refuse to go on.

    Without XLA's optimisations, as the other tests compile, loops are shared among threads in another way, and sums
    differ by 1e-8.
    """
    made = {threads: tmp_path / f"{threads}.h5" for threads in (1, 3)}
    kept = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS" and not key.startswith("JAX_")}
    # Each compiles for itself.
    kept |= {"METALENS_COMPILATION_CACHE": "off"}
    running = [_begin(path, threads, kept) for threads, path in made.items()]
    assert [each.wait() for each in running] == [0, 0]
    assert made[1].read_bytes() == made[3].read_bytes()


if __name__ == "__main__":
    make_bank(Path(sys.argv[1]))
