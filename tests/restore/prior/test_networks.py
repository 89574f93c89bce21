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


def test_diffusers_and_peft_are_imported_at_one_place_each():
    folder = Path(networks.__file__).parents[1]
    for package, expected in (("diffusers", {"networks.py", "seesr_style.py"}), ("peft", {"peft_layers.py"})):
        importing = re.compile(rf"^\s*(?:import|from) {package}\b", re.MULTILINE)
        found = {path.name for path in folder.rglob("*.py") if importing.search(path.read_text(encoding="utf-8"))}
        assert found == expected


def test_a_module_is_imported_without_its_siblings_and_the_package_is_whole_again(tmp_path, monkeypatch):
    package = tmp_path / "made_up_folder"
    package.mkdir()
    (package / "__init__.py").write_text("from made_up_folder import one, other\n")
    (package / "one.py").write_text("class One: pass\n")
    (package / "other.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    with networks.without_siblings("made_up_folder"):
        one = importlib.import_module("made_up_folder.one")
        assert "made_up_folder.other" not in sys.modules
    whole = importlib.import_module("made_up_folder")
    assert whole.one is one
    assert "made_up_folder.other" in sys.modules
    with networks.without_siblings("made_up_folder"):
        assert importlib.import_module("made_up_folder") is whole


# Imports PyTorch anew: three seconds.
@pytest.mark.long
def test_a_command_imports_neither_peft_nor_transformers_nor_the_compiler_for_the_embedded_adapter():
    program = (
        "import sys; from metalens.formats.files.interruption import terminate_as_interrupt; terminate_as_interrupt()\n"
        "from metalens.restore.adapter.adapter_file import load_restorer; load_restorer('metacamera')\n"
        "from metalens.restore.inference import restored_files\n"
        "print(sorted({'peft', 'transformers', 'torch._dynamo', 'bitsandbytes', 'torchvision'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (run.stdout.strip(), run.stderr) == ("[]", "")


# All of diffusers and transformers is imported: a quarter of a minute.
@pytest.mark.long
def test_whoever_imported_diffusers_before_can_use_the_restorer():
    program = "import diffusers; from metalens.restore.prior.networks import AutoencoderKL"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
