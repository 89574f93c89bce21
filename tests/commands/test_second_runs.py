"""Runs that stand in each other's way: the second one into a place is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from metalens.formats.files import claim
from metalens.formats.files.claim import claimed_file, held
from metalens.formats.files.errors import InputError

from .refusing import everything_in

HOLDER = """
import sys
from pathlib import Path
from metalens.formats.files.claim import claimed_file
with claimed_file(Path("OUT.h5")):
    print("held", flush=True)
    sys.stdin.read()
"""

INTO_ONE_FILE = (
    "psf {lens} -o OUT",
    "psf measured captures --lens {lens} -o OUT",
    "psf fit bank.h5 --lens {lens} -o OUT",
    "export {lens} --zemax other.txt --csv OUT",
    "library import --about about.toml -o OUT",
    "align target -o OUT",
    "sensor calibrate flats --dark dark -o OUT",
    "init lens OUT.toml",
)


def test_a_second_run_into_one_file_is_refused(refused, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        refused("psf {lens} -o OUT.h5", "another run is writing here")
        holder.communicate("")
    with claimed_file(tmp_path / "OUT.h5"):
        pass


@pytest.mark.parametrize("line", INTO_ONE_FILE)
def test_each_command_tells_a_second_run_before_it_computes(line, refused, tmp_path: Path) -> None:
    output = tmp_path / ("OUT.toml" if "OUT.toml" in line else "OUT")
    with claimed_file(output):
        refused(line, "another run is writing here")
    assert everything_in(tmp_path) == []


def test_what_another_run_has_written_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It began first, and ends between this one's first look and its lock."""
    output = tmp_path / "OUT"

    @contextmanager
    def after_the_other(lock: Path, place: Path) -> Iterator[None]:
        output.write_text("the other's")
        with held(lock, place):
            yield

    monkeypatch.setattr(claim, "held", after_the_other)
    with pytest.raises(InputError, match="OUT: exists already"), claimed_file(output):
        pass
    assert output.read_text() == "the other's"
