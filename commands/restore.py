"""``metalens restore``: captures to photographs."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer
from metalens.commands.options import json_option, output_option, restorer_options
from metalens.commands.progress import count_progress


def _alphas(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[float, ...]:
    """Parse a comma-separated list of numbers."""
    del ctx, parameter
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a number or a list such as 0,0.5,1.") from error


@click.command(short_help="captures to photographs")
@click.argument("captures", nargs=-1, required=True)
@output_option("The folder of pictures to make.")
@restorer_options(default="metacamera")
@click.option(
    "--alpha",
    "alphas",
    default="0.75",
    show_default=True,
    callback=_alphas,
    help="0 is faithful, 1 detailed, beyond 1 sharper still; a list such as 0,0.5,1 costs one decode each.",
)
@json_option
def restore(
    captures: tuple[str, ...],
    output: Path,
    adapter: str,
    prior: str | None,
    alphas: tuple[float, ...],
    device: str,
    as_json: bool,
) -> None:
    """Restore CAPTURES: whole frames of the adapter's camera, as files or folders of pictures, or pairs.

    One diffusion step a picture, then one decode for every α.
    """
    from metalens.restore.restoration import captures_of, check_alphas, restore_files
    from metalens.restore.restorer import load_restorer

    alphas = check_alphas(alphas)
    found = captures_of(captures)
    restorer = load_restorer(adapter, prior=prior).to(device)
    with count_progress("restore", "picture") as tell:
        rows = restore_files(restorer, found, alphas, output, report=tell)
    figures = {"output": str(output), "camera": restorer.camera.name, "restored": rows}
    answer(figures, as_json, f"{output}: {len(rows)} pictures from {len(found)} captures")
