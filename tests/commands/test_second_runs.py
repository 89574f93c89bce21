"""Runs that stand in each other's way: the second one into a place is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from metalens.formats.files.claim import held

from ..restore.conftest import bank, camera, prior_folder
from .refusing import begun, refused
from .test_align import rig
from .test_full_disk import captured, given, write_captures

__all__ = ["bank", "begun", "camera", "captured", "given", "prior_folder", "refused", "rig", "write_captures"]


HOLDER = """
import sys
from pathlib import Path
from metalens.formats.files.claim import held
with held(Path(".OUT.h5.lock"), Path("OUT.h5")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_into_one_file_is_refused(refused, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        refused("psf {lens} -o OUT.h5", "another run is writing here")
        holder.communicate("")
    with held(tmp_path / ".OUT.h5.lock", tmp_path / "OUT.h5"):
        pass
