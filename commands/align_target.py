"""``metalens align target``: the grid of dots to display."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer
from metalens.commands.new_file import claim_new_file
from metalens.commands.options import Number, json_option, output_option, parse_grid

pixels_option = click.option(
    "--pixels", default="1080x1920", show_default=True, callback=parse_grid, help="Size of the display, ROWSxCOLUMNS."
)
spacing_option = click.option(
    "--spacing", type=Number(1, 2**16), default=64.0, show_default=True, help="Distance between dots in display pixels."
)
radius_option = click.option(
    "--radius", type=Number(0.1, 2**16), help="Radius of a dot in display pixels. [default: a fifth of the spacing]"
)


@click.command(short_help="the grid of dots to display")
@output_option("The PNG file to write.")
@pixels_option
@spacing_option
@radius_option
@json_option
def target(output: Path, pixels: tuple[int, int], spacing: float, radius: float | None, as_json: bool) -> None:
    """Write the grid of dots that calibrates a rig. Display it full screen and unscaled.

    On the sensor, a dot should be at least as wide as the blur, and the spacing about four times as much.
    """
    from metalens.formats.files.errors import InputError
    from metalens.formats.pictures.pictures import write_picture
    from metalens.synth.alignment import DotTarget

    claim_new_file(output)
    if output.suffix.lower() != ".png":
        raise InputError(f"{output}: the grid of dots is a PNG file; give a name that ends in .png.")
    dots = DotTarget(pixels, spacing, spacing / 5 if radius is None else radius)
    write_picture(output, dots.picture())
    table = [
        "[target]",
        f"pixels = [{pixels[0]}, {pixels[1]}]",
        f"spacing_px = {dots.spacing!r}",
        f"radius_px = {dots.radius!r}",
    ]
    figures = {
        "output": str(output),
        "dots": len(dots.labels()),
        "pixels": list(pixels),
        "spacing_px": dots.spacing,
        "radius_px": dots.radius,
    }
    sentence = f"{output}: {figures['dots']} dots; in the list of captures they are"
    answer(figures, as_json, [sentence, "", *table])
