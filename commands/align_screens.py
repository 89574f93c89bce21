"""``metalens align screens``: all pictures to display, and the list of captures."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.align_target import pixels_option, radius_option, spacing_option
from metalens.commands.answer import answer
from metalens.commands.options import json_option, output_option
from metalens.commands.progress import count_progress


@click.command(short_help="all pictures to display, and the list of captures")
@click.argument("photos", nargs=-1, required=True)
@output_option("The folder to make.")
@click.option(
    "--lens", required=True, help="The camera: a preset, or a lens.toml, which is copied beside captures.toml."
)
@pixels_option
@spacing_option
@radius_option
@json_option
def screens(
    photos: tuple[str, ...],
    output: Path,
    lens: str,
    pixels: tuple[int, int],
    spacing: float,
    radius: float | None,
    as_json: bool,
) -> None:
    """Write the pictures to display (dots, greys, colours, and PHOTOS cropped to the display) and a captures.toml.

    The captures.toml expects one capture of each picture in the folder capture/ beside it. PHOTOS are files or folders,
    or 'embedded' for the photographs that come with the installed packages.
    """
    from metalens.formats.camera.camera import preset_names, read_camera
    from metalens.formats.files.atomic import require_new_directory, require_outside
    from metalens.synth.alignment import DotTarget
    from metalens.synth.alignment.screens import write_screens
    from metalens.synth.photograph_sources import photographs_of

    dots = DotTarget(pixels, spacing, spacing / 5 if radius is None else radius)
    require_outside(output, photos)
    require_new_directory(output)
    camera = lens if lens in preset_names() else read_camera(lens)
    found = photographs_of(photos, as_light=False)
    with count_progress("screens", "photograph") as tell:
        count = write_screens(output, dots, found, lens=camera, progress=tell)
    figures = {"output": str(output), "screens": count, "photographs": len(found)}
    answer(
        figures, as_json, f"{output}: {count} pictures to display, {len(found)} of them photographs, and captures.toml"
    )
