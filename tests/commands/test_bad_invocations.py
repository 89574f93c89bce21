"""Hundreds of ways to use the command line wrongly: each ends with one sentence about it, and leaves nothing behind.

No simulation and no training starts, and no file appears, beside the outputs or among the inputs: all of it is refused
before.
"""

from __future__ import annotations

import shlex

import pytest

from metalens.cli import COMMANDS

from .bad_invocations import BASES, FILES, LENS_KEYS, OPTIONS
from .refusing import is_a_sentence

NUMBERS = [
    (f"{BASES[base]} {option} {shlex.quote(value)}", option)
    for base, options in OPTIONS.items()
    for option, values in options.items()
    for value in values
]


def test_they_are_many_and_of_every_command():
    lines = [line for line, _ in [*NUMBERS, *FILES]]
    assert len(set(lines)) == len(lines) >= 300
    assert {line.split()[0] for line in lines} >= set(COMMANDS)


@pytest.mark.parametrize("base", OPTIONS)
def test_an_option_out_of_its_range(refused, base):
    for option, values in OPTIONS[base].items():
        for value in values:
            refused(f"{BASES[base]} {option}={shlex.quote(value)}", option)


@pytest.mark.parametrize(("line", "word"), FILES, ids=[line for line, _ in FILES])
def test_what_is_no_file_or_does_not_go_together(refused, line, word):
    refused(line, word)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("option", ["--bogus", "--json=1"])
def test_an_option_that_is_not_there_or_takes_nothing(refused, base, option):
    refused(f"{BASES[base]} {option}", option.partition("=")[0])


@pytest.mark.parametrize("old", LENS_KEYS)
def test_a_key_of_a_lens_out_of_its_range(refused, small_camera_text, tmp_path, old):
    key = old.split()[0]
    for number, value in enumerate(LENS_KEYS[old]):
        lens = tmp_path / f"{number}.toml"
        lens.write_text(small_camera_text.replace(old, f"{key} = {value}"))
        refused(f"psf {lens} -o OUT.h5", key)


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        ("no such file; give another.", True),
        ("no such file", False),
        ("there are 1 pairs.", False),
        ("there are 3 pair.", False),
        ("1 pixel is missing, 31 pixels are there.", True),
        ("one process(es).", False),
        ("two stops..", False),
    ],
)
def test_what_a_sentence_is(said: str, is_one: bool) -> None:
    assert is_a_sentence(said) == is_one
