"""A group with a default command: the first word decides, and help and mistakes fit the form used."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from metalens.commands.default_group import DefaultGroup


@click.command(short_help="the default")
@click.argument("lens")
@click.option("-o", "--output", required=True, help="Where to.")
def simulate(lens: str, output: str) -> None:
    """Simulate LENS."""
    click.echo(f"simulate {lens} into {output}")


@click.command(short_help="another one")
@click.argument("bank")
@click.option("--steps", type=int, default=3, help="How many.")
def fit(bank: str, steps: int) -> None:
    """Fit BANK."""
    click.echo(f"fit {bank} in {steps}")


def grouped() -> DefaultGroup:
    return DefaultGroup("psf", default=simulate, others=[fit], short_help="PSFs", epilog="Give a file as ./fit.")


def nested() -> click.Group:
    return click.Group("program", commands=[grouped()], context_settings={"help_option_names": ["-h", "--help"]})


OUTERMOST = pytest.mark.parametrize(
    ("command", "words"), [(grouped(), []), (nested(), ["psf"])], ids=["outermost", "inside another group"]
)


def call(command: click.Command, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, arguments, prog_name=command.name)
    return result.exit_code, result.output


@OUTERMOST
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.toml", "-o", "b"], "simulate a.toml into b\n"),
        (["-o", "b", "a.toml"], "simulate a.toml into b\n"),
        (["-o", "fit", "a.toml"], "simulate a.toml into fit\n"),
        (["simulate", "a.toml", "-o", "b"], "simulate a.toml into b\n"),
        (["./fit", "-o", "b"], "simulate ./fit into b\n"),
        (["--output=b", "--", "fit"], "simulate fit into b\n"),
        (["simulate", "fit", "-o", "b"], "simulate fit into b\n"),
        (["fit", "bank.h5"], "fit bank.h5 in 3\n"),
        (["fit", "simulate", "--steps", "4"], "fit simulate in 4\n"),
    ],
    ids=" ".join,
)
def test_the_first_word_decides(command, words, arguments, said):
    assert call(command, *words, *arguments) == (0, said)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_is_the_defaults_with_the_commands_below(flag):
    status, text = call(nested(), "psf", flag)
    assert status == 0
    parts = [
        "Usage: program psf [OPTIONS] LENS\n       program psf COMMAND [ARGS]...\n",
        "Simulate LENS.",
        "-o, --output TEXT  Where to.  [required]",
        "simulate  the default",
        "fit       another one",
        "Give a file as ./fit.",
    ]
    places = [text.find(part) for part in parts]
    assert -1 not in places, text
    assert places == sorted(places)
    assert text.count("--help") == 1


def test_a_commands_own_help_is_its_own():
    for name in ("simulate", "fit"):
        status, text = call(nested(), "psf", name, "--help")
        assert status == 0
        assert text.startswith(f"Usage: program psf {name} [OPTIONS]")
        assert "Commands:" not in text


@pytest.mark.parametrize(
    ("arguments", "usage", "mistake"),
    [
        ([], "psf [OPTIONS] LENS", "Missing argument 'LENS'"),
        (["a.toml"], "psf [OPTIONS] LENS", "Missing option '-o' / '--output'"),
        (["a.toml", "--steps", "3"], "psf [OPTIONS] LENS", "--steps"),
        (["--bogus", "a.toml", "-o", "b"], "psf [OPTIONS] LENS", "--bogus"),
        (["simulate", "--bogus"], "psf simulate [OPTIONS] LENS", "--bogus"),
        (["fit", "bank.h5", "-o", "b"], "psf fit [OPTIONS] BANK", "-o"),
        (["fit"], "psf fit [OPTIONS] BANK", "Missing argument 'BANK'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_answered_with_the_usage_of_the_form_that_was_used(arguments, usage, mistake):
    status, text = call(nested(), "psf", *arguments)
    assert status == 2
    assert text.startswith(f"Usage: program {usage}\n")
    assert mistake in text


def test_the_overview_of_the_program_lists_the_group_as_one_command():
    _, text = call(nested(), "--help")
    assert [line.split() for line in text.partition("Commands:\n")[2].splitlines()] == [["psf", "PSFs"]]
