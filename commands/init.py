"""``metalens init``: a commented, valid file to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer
from metalens.commands.options import PATH, json_option

_KINDS = ("lens", "design", "tolerances", "library", "sensor", "captures", "train")


@click.command(short_help="a file with comments to start from")
@click.argument("kind", metavar="KIND", type=click.Choice(_KINDS))
@click.argument("name", type=PATH)
@json_option
def init(kind: str, name: Path, as_json: bool) -> None:
    """Write NAME.toml, a valid file of a KIND with a comment at each key, to be edited.

    KIND is lens (a camera), design (a specification), tolerances (fabrication and assembly errors), library (meta-atoms
    to compute), sensor (a sensor for lens files), captures (a list of pinhole captures) or train (a training recipe).
    metalens align screens writes the list of captures of a screen.
    """
    from metalens.workflows.starting_files import KINDS, write_starting_file

    path = write_starting_file(kind, name)
    command = KINDS[kind].read_by.replace("FILE", str(path)).replace("NAME", str(path.with_suffix("")))
    answer({"output": str(path), "kind": kind, "read_by": command}, as_json, [f"{path}: edit it, then", f"  {command}"])
