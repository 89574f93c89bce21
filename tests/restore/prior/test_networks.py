"""Packages that are installed by others' wish and take seconds to import are left out."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from metalens.restore.prior import networks


def test_a_package_that_is_left_out_seems_not_to_be_installed_and_is_there_again(tmp_path, monkeypatch):
    (tmp_path / "made_up_package.py").write_text("value = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with networks.left_out("made_up_package"):
        assert importlib.util.find_spec("made_up_package") is None
        with pytest.raises(ImportError, match="made_up_package"):
            importlib.import_module("made_up_package")
    made_up = importlib.import_module("made_up_package")
    with networks.left_out("made_up_package"):
        assert importlib.import_module("made_up_package") is made_up


def test_diffusers_and_peft_are_imported_at_one_place():
    folder = Path(networks.__file__).parents[1]
    importing = re.compile(r"^\s*(?:import|from) (?:diffusers|peft)\b", re.MULTILINE)
    found = [path.name for path in folder.rglob("*.py") if importing.search(path.read_text(encoding="utf-8"))]
    assert found == ["networks.py"]


# All of diffusers and transformers is imported: a quarter of a minute.
@pytest.mark.long
def test_whoever_imported_diffusers_before_can_use_the_restorer():
    program = "import diffusers; from metalens.restore.prior.networks import AutoencoderKL"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
