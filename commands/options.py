"""Options that several commands take, each with one name, one type and one help text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import click

from metalens.formats.files.input_file import real_path

if TYPE_CHECKING:
    from metalens.runners.backend import BackendSettings

Function = TypeVar("Function", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)


class Number(click.FloatRange):
    """A number between two bounds; click's own lets NaN pass, which is between none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Convert what was typed. See :class:`click.ParamType`."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return float(number)


class Precision(click.Choice[str]):
    """fp32 or bf16: the precision of forward passes."""

    _FORMER: ClassVar = {"float32": "fp32", "bfloat16": "bf16"}

    def __init__(self) -> None:
        super().__init__(["fp32", "bf16"])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Convert what was typed. See :class:`click.ParamType`."""
        if value in self._FORMER:
            self.fail(f"{value} is called {self._FORMER[value]} in all commands.", param, ctx)
        return super().convert(value, param, ctx)


SEED = click.IntRange(0, 2**32 - 1)
PAIRS = click.IntRange(1, 10**7)
SHARD_SIZE = click.IntRange(1, 10**6)
FIELDS = click.IntRange(1, 999)
WAVELENGTHS = click.IntRange(1, 99)
WINDOW = click.IntRange(1, 4095)
SIDE = click.IntRange(1, 2**16)
"""Side of a picture or a crop, in pixels."""
LENSES = click.IntRange(1, 10**6)
CANDIDATES = click.IntRange(1, 10**5)
WORKERS = click.IntRange(1, 1024)
STEPS = click.IntRange(1, 10**9)
MINUTES = Number(1e-6, 10**7)
BATCH = click.IntRange(1, 2**16)
RANK = click.IntRange(1, 1024)
LEARNING_RATE = Number(0, 1, min_open=True)
WEIGHT = Number(0, 10**6)
SHARE = Number(0, 1)
LENGTH_NM = Number(0.01, 10**9)
LENGTH_UM = Number(0.01, 10**6)


def numbers(value: str, kind: click.ParamType, *, count: int | None = None) -> tuple[Any, ...] | None:
    """The numbers of a list with commas.

    Args:
        value: the list as it was typed.
        kind: type of each number, one of those above.
        count: how many are expected; None is any number of them.

    Returns:
        The numbers; None if one of them is no such number, or there are not so many.
    """
    parts = value.split(",")
    try:
        return tuple(kind(part) for part in parts) if count in (None, len(parts)) else None
    except click.BadParameter:
        return None


def check_each_once(option: str, paths: Sequence[Path]) -> None:
    """Refuse a file that a repeatable option names twice.

    Args:
        option: its name, for the message.
        paths: what was given.

    Raises:
        click.UsageError: one is there twice.
    """
    places = [real_path(path) for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise click.UsageError(f"{option} {path}: is given twice; give each once.")


def _device(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    """Check that the device works here before anything starts."""
    del ctx, parameter
    if value != "cpu":  # the CPU always works: no need to import torch
        from metalens.restore.machine import usable_device

        usable_device(value)
    return value


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
device_option = click.option("--device", default="cpu", show_default=True, callback=_device, help="A PyTorch device.")
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Check the input; print the plan, its size, time and memory."
)
resume_option = click.option("--resume", is_flag=True, help="Continue an interrupted run with the same settings.")


def parse_grid(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """Parse ``ROWSxCOLUMNS``; a callback of click options.

    Args:
        ctx: not used.
        parameter: not used.
        value: text from the command line; None where the option is left out.

    Returns:
        (rows, columns), or None.

    Raises:
        click.BadParameter: the text has another form.
    """
    if value is None:
        return None
    parts = value.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r} is not ROWSxCOLUMNS, such as 7x7.")
    rows, columns = (SIDE(part, parameter, ctx) for part in parts)
    return rows, columns


def output_option(text: str) -> Callable[[Function], Function]:
    """``-o``, the output of the command."""
    return click.option("-o", "--output", type=PATH, required=True, help=text)


def renamed_option(former: str, name: str) -> Callable[[Function], Function]:
    """An option's former name, which is answered by the name that it has now.

    Args:
        former: what it was called.
        name: what it is called.

    Returns:
        A decorator that adds the former name as a hidden option; a call with it is a usage error that tells the new
        name.
    """

    def refuse(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise click.UsageError(f"{former} is called {name} in all commands.", ctx)
        del parameter

    # A name of its own, or it would take the value of the option that has its place.
    parameter = f"former_{former.strip('-').replace('-', '_')}"
    return click.option(former, parameter, hidden=True, expose_value=False, callback=refuse)


def bank_option(text: str) -> Callable[[Function], Function]:
    """``--psf``, the psf.h5 of the camera; the command takes it as ``psf_path`` (:mod:`metalens.commands.bank`)."""
    return click.option("--psf", "psf_path", type=PATH, required=True, help=text)


def together(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Several options as one decorator; the help lists them in this order."""

    def with_options(function: Function) -> Function:
        # Decorators apply from the last to the first.
        for option in reversed(options):
            function = option(function)
        return function

    return with_options


def restorer_options(*, default: str | None = None) -> Callable[[Function], Function]:
    """``--adapter``, ``--prior`` and ``--device``: the restorer and its device.

    Args:
        default: the default adapter; without it, ``--adapter`` is required.
    """
    choice: dict[str, Any] = {"required": True} if default is None else {"default": default, "show_default": True}
    return together(
        click.option("--adapter", help="An adapter's folder, or 'metacamera', the embedded one.", **choice),
        click.option("--prior", help="The adapter's prior, if it has moved since training."),
        device_option,
    )


def photograph_options(*, training: str, test: str, count: int) -> Callable[[Function], Function]:
    """``--photos``, ``--test-photos`` and ``--count``: photographs from which pairs and captures are simulated.

    Args:
        training: help text of ``--photos``.
        test: help text of ``--test-photos``.
        count: default number of training pairs.

    Returns:
        A decorator that adds the three options to a command.
    """
    return together(
        click.option("--photos", multiple=True, help=training),
        click.option("--test-photos", multiple=True, help=test),
        click.option(
            "--count", type=PAIRS, default=count, show_default=True, help="Training pairs to make from --photos."
        ),
    )


recipe_options = together(
    click.option("--batch", type=BATCH, default=4, show_default=True, help="Crops per step."),
    click.option("--crop", type=SIDE, default=96, show_default=True, help="Side of a crop in pixels."),
    click.option(
        "--precision",
        type=Precision(),
        default="fp32",
        show_default=True,
        help="Precision of forward passes in training and restoration.",
    ),
)
"""``--batch``, ``--crop`` and ``--precision`` of a comparison: equal for everything that is compared."""

backend_options = together(
    click.option(
        "--backend",
        "backend_name",
        type=click.Choice(["local", "ray", "slurm"]),
        default="local",
        show_default=True,
        help="Where the jobs run.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(0, 1024),
        default=1,
        show_default=True,
        help="Parallel processes; 0 for all cores.",
    ),
    click.option("--slurm", "slurm_options", multiple=True, help="KEY=VALUE for submitit, such as partition=short."),
)
"""``--backend``, ``--workers`` and ``--slurm``: where jobs run; see :func:`backend_settings`."""


def backend_settings(name: str, workers: int, slurm_options: tuple[str, ...]) -> BackendSettings:
    """What :func:`backend_options` gave.

    Args:
        name: of the backend.
        workers: processes; 0 for all cores.
        slurm_options: KEY=VALUE.

    Returns:
        The backend with its number of processes, 1 or more, and Slurm's options.

    Raises:
        click.UsageError: an option has another form.
    """
    from metalens.runners.backend import BackendSettings
    from metalens.runners.processes import available_cores

    pairs = [option.partition("=") for option in slurm_options]
    if slurm_options and name != "slurm":
        raise click.UsageError("--slurm is for --backend slurm; add that, or leave it out.")
    if not all(key and separator for key, separator, _ in pairs):
        raise click.UsageError("--slurm takes KEY=VALUE, such as partition=short.")
    options = {key: value for key, _, value in pairs}
    return BackendSettings(name, workers or available_cores(), options=options)  # type: ignore[arg-type]
