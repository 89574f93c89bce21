"""Every --help reads well and is instant: it loads none of the packages that take seconds to import."""

import json
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from metalens.cli import metalens
from metalens.formats.camera import preset_names

HEAVY = ("torch", "jax", "numpy", "scipy", "matplotlib", "h5py", "pydantic", "diffusers", "transformers", "PIL")

COMMANDS = list(metalens.commands)

ALL_HELP_IN_ONE_PROCESS = """
import json, sys
from click.testing import CliRunner
from metalens.cli import metalens

runner = CliRunner()
for arguments in (["--help"], ["--version"], *([name, "--help"] for name in metalens.commands)):
    result = runner.invoke(metalens, arguments)
    assert result.exit_code == 0, (arguments, result.output)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def help_of(*command: str) -> str:
    result = CliRunner().invoke(metalens, [*command, "--help"], terminal_width=100)
    assert result.exit_code == 0, result.output
    return result.output


def test_no_help_loads_a_package_that_takes_seconds():
    run = subprocess.run([sys.executable, "-c", ALL_HELP_IN_ONE_PROCESS], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert set(json.loads(run.stdout)).isdisjoint(HEAVY)


@pytest.mark.parametrize("arguments", [["--help"], ["psf", "--help"], ["--version"]])
def test_help_and_version_succeed_in_a_process_of_their_own(arguments):
    run = subprocess.run(
        [sys.executable, "-m", "metalens.cli", *arguments], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "metalens" in run.stdout


def test_the_overview_lists_the_commands_in_the_order_of_the_road():
    overview = help_of().partition("Commands:")[2]
    listed = [line.split()[0] for line in overview.splitlines() if line.startswith("  ") and line[2] != " "]
    assert listed == COMMANDS
    assert [name for name in listed if name in ("psf", "synth", "train", "restore")] == [
        "psf",
        "synth",
        "train",
        "restore",
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_what_each_option_is_for(name):
    command = metalens.commands[name]
    assert command.help
    assert command.help.splitlines()[0].endswith((".", ":")), "the first line is a whole sentence"
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), f"{name} {parameter.opts[0]} has no help"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_in_json_if_asked(name):
    assert "--json" in help_of(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_help_is_wider_than_a_hundred_columns(name):
    assert max(map(len, help_of(name).splitlines())) <= 100


def test_psf_names_exactly_the_presets_that_there_are():
    named = re.search(r"Presets: ([\w, -]+)\.", metalens.commands["psf"].help)
    assert named is not None
    assert sorted(named[1].split(", ")) == preset_names()


def test_an_unknown_command_is_wrong_use_and_names_what_was_typed():
    run = subprocess.run([sys.executable, "-m", "metalens.cli", "focus"], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stdout == ""
    assert "focus" in run.stderr
