"""Options that several commands take, each with one name, one type and one help text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)


def _device(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    """Check that the device works here before anything starts."""
    del ctx, parameter
    if value != "cpu":  # the CPU always works: no need to import torch
        from metalens.restore.machine import usable_device

        usable_device(value)
    return value


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
device_option = click.option("--device", default="cpu", show_default=True, callback=_device, help="A torch device.")
resume_option = click.option("--resume", is_flag=True, help="Continue an interrupted run with the same settings.")


def parse_grid(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
    """Parse ``ROWSxCOLUMNS``; a callback of click options.

    Args:
        ctx: not used.
        parameter: not used.
        value: text from the command line.

    Returns:
        (rows, columns).

    Raises:
        click.BadParameter: the text has another form.
    """
    del ctx, parameter
    parts = value.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r} is not ROWSxCOLUMNS, such as 7x7.")
    return int(parts[0]), int(parts[1])


def output_option(text: str) -> Callable[[Function], Function]:
    """``-o``, the output of the command."""
    return click.option("-o", "--output", type=PATH, required=True, help=text)


def bank_option(text: str) -> Callable[[Function], Function]:
    """``--psf``, the psf.h5 of the camera; the command takes it as ``psf_path``."""
    return click.option("--psf", "psf_path", type=PATH, required=True, help=text)


def restorer_options(*, default: str | None = None) -> Callable[[Function], Function]:
    """``--adapter``, ``--prior`` and ``--device``: the restorer and its device.

    Args:
        default: the default adapter; without it, ``--adapter`` is required.
    """
    choice: dict[str, Any] = {"required": True} if default is None else {"default": default, "show_default": True}
    options = (
        click.option("--adapter", help="An adapter's folder, or 'metacamera', the embedded one.", **choice),
        click.option("--prior", help="The adapter's prior, if it has moved since training."),
        device_option,
    )

    def with_options(function: Function) -> Function:
        # Decorators apply from the last to the first, so that the help lists them from the first to the last.
        for option in reversed(options):
            function = option(function)
        return function

    return with_options
