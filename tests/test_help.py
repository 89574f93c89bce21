"""Every --help reads well and is instant: it loads none of the packages that take seconds to import."""

import json
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from metalens.cli import metalens
from metalens.formats.camera.camera import preset_names
from metalens.restore.inference.restoration import LEAST_ALPHA, MOST_ALPHA
from metalens.restore.methods import METHODS

HEAVY = ("torch", "jax", "numpy", "scipy", "matplotlib", "h5py", "pydantic", "diffusers", "transformers", "PIL")


def named(*names: str) -> click.Command:
    """A command by its name, a subcommand by its group's and its own."""
    command: click.Command = metalens
    for name in names:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name)
        assert command is not None
    return command


def below(*names: str) -> list[tuple[str, ...]]:
    """The commands below one, each with the names that lead to it, in the order in which they are listed."""
    command = named(*names)
    if not isinstance(command, click.Group):
        return []
    direct = [(*names, name) for name in command.list_commands(click.Context(command))]
    return [each for inner in direct for each in (inner, *below(*inner))]


COMMANDS = below()

ALL_HELP_IN_ONE_PROCESS = """
import json, sys
from click.testing import CliRunner
from metalens.cli import metalens

runner = CliRunner()
for arguments in (["--help"], ["--version"], *([*names, "--help"] for names in json.loads(sys.argv[1]))):
    result = runner.invoke(metalens, arguments)
    assert result.exit_code == 0, (arguments, result.output)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def help_of(*command: str) -> str:
    result = CliRunner().invoke(metalens, [*command, "--help"], prog_name="metalens", terminal_width=100)
    assert result.exit_code == 0, result.output
    return result.output


def test_no_help_loads_a_package_that_takes_seconds():
    command = [sys.executable, "-c", ALL_HELP_IN_ONE_PROCESS, json.dumps(COMMANDS)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert set(json.loads(run.stdout)).isdisjoint(HEAVY)


@pytest.mark.parametrize("arguments", [["--help"], ["psf", "--help"], ["--version"]])
def test_help_and_version_succeed_in_a_process_of_their_own(arguments):
    run = subprocess.run(
        [sys.executable, "-m", "metalens.cli", *arguments], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "metalens" in run.stdout


def test_the_overview_lists_the_commands_in_the_order_of_the_stages():
    overview = help_of().partition("Commands:")[2]
    listed = [line.split()[0] for line in overview.splitlines() if line.startswith("  ") and line[2] != " "]
    assert listed == [names[0] for names in COMMANDS if len(names) == 1]
    stages = ["psf", "synth", "train", "restore"]
    assert [name for name in listed if name in stages] == stages


def test_the_help_of_psf_shows_how_to_simulate_and_lists_its_commands():
    text = help_of("psf")
    assert text.startswith("Usage: metalens psf [OPTIONS] LENS\n       metalens psf COMMAND [ARGS]...\n")
    options, _, commands = text.partition("Commands:")
    for parameter in named("psf", "simulate").params:
        if parameter.param_type_name == "option":
            assert parameter.opts[-1] in options
    for names in below("psf"):
        assert f"  {names[-1]} " in commands


@pytest.mark.parametrize("names", below("psf"), ids=" ".join)
def test_the_help_of_a_command_of_psf_shows_its_own_usage_and_no_commands(names):
    text = help_of(*names)
    assert text.startswith(f"Usage: metalens {' '.join(names)} [OPTIONS]")
    assert "Commands:" not in text


def test_no_preset_has_the_name_of_a_command_of_psf():
    assert {names[-1] for names in below("psf")}.isdisjoint(preset_names())


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does_and_what_each_option_is_for(names):
    command = named(*names)
    assert command.help
    assert command.help.splitlines()[0].endswith((".", ":")), "the first line is a whole sentence"
    for parameter in command.params:
        # Former names are hidden: they only say the new one.
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert getattr(parameter, "help", None), f"{names} {parameter.opts[0]} has no help"


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_answers_in_json_if_asked(names):
    assert "--json" in help_of(*names)


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_no_help_is_wider_than_a_hundred_columns(names):
    assert max(map(len, help_of(*names).splitlines())) <= 100


def test_psf_names_exactly_the_presets_that_there_are():
    presets = re.search(r"Presets: ([\w, -]+)\.", named("psf").help)
    assert presets is not None
    assert sorted(presets[1].split(", ")) == preset_names()


def test_an_unknown_command_is_wrong_use_and_names_what_was_typed():
    run = subprocess.run([sys.executable, "-m", "metalens.cli", "focus"], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stdout == ""
    assert "focus" in run.stderr


def test_a_command_loads_no_other_ones():
    program = "import sys; from metalens.cli import main; sys.argv[1:] = ['synth', '--help']; main()"
    print_loaded = "import atexit, sys; atexit.register(lambda: print(*sys.modules, sep='\\n', file=sys.stderr)); "
    run = subprocess.run([sys.executable, "-c", print_loaded + program], capture_output=True, text=True, check=False)
    assert run.returncode == 0
    others = {f"metalens.commands.{names[0]}" for names in COMMANDS} - {"metalens.commands.synth"}
    assert others.isdisjoint(run.stderr.split())


def test_the_help_of_bench_names_all_methods():
    (option,) = [each for each in named("bench").params if each.name == "methods"]
    assert isinstance(option, click.Option)
    assert f" {', '.join(METHODS)}. [default: all]" in str(option.help)


def test_the_help_of_restore_tells_the_range_of_alpha():
    assert f"From {LEAST_ALPHA:g} to {MOST_ALPHA:g}: 0 is faithful".replace("-", "−") in help_of("restore")
