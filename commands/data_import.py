"""``metalens data import``: pairs of two folders of equally named pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from metalens.commands.answer import answer, counted
from metalens.commands.options import PATH, SHARD_SIZE, Number, json_option, output_option, resume_option
from metalens.commands.progress import count_progress


@click.command(name="import", short_help="pairs of two folders of pictures")
@click.argument("clean", type=PATH)
@click.argument("captured", type=PATH)
@output_option("The folder of pairs to make.")
@click.option("--neutral", type=PATH, help="A folder of targets of the neutral path. [default: made of CLEAN]")
@click.option("--names", type=PATH, help="A text file with one name per line. [default: all pictures]")
@click.option("--lens", help="What took the captures: a lens.toml or a preset. [default: unknown]")
@click.option(
    "--kind",
    type=click.Choice(["captured", "pseudo"]),
    default="captured",
    show_default=True,
    help="Captured by a camera, or made by a restorer's negative path.",
)
@click.option(
    "--validation",
    type=Number(0, 1, max_open=True),
    default=0.05,
    show_default=True,
    help="Fraction of the clean pictures for validation.",
)
@click.option("--licence", default="", help="Licence of the pictures.")
@click.option("--shard-size", type=SHARD_SIZE, default=32, show_default=True, help="Pairs per file.")
@resume_option
@json_option
def import_(clean: Path, captured: Path, output: Path, lens: str | None, as_json: bool, **options: Any) -> None:
    """Make pairs of two folders of equally named pictures, CLEAN and CAPTURED, which are aligned and of one size.

    Names are compared without their suffix. Without --lens, metalens train takes the pairs without --psf.
    """
    from metalens.formats.camera.camera import read_camera
    from metalens.formats.files.atomic import require_outside
    from metalens.formats.files.claim import check_claim
    from metalens.formats.pairs.from_folders import ImportOptions, import_pairs
    from metalens.formats.pairs.manifest import MANIFEST

    require_outside(output, [clean, captured, options["neutral"]])
    check_claim(output, MANIFEST, resume=options["resume"])
    camera = None if lens is None else read_camera(lens)
    with count_progress("pairs", "pair") as tell:
        manifest = import_pairs(clean, captured, output, ImportOptions(camera=camera, **options), tell)
    figures = {
        "output": str(output),
        "count": manifest.count,
        "pixels": list(manifest.pixels),
        "camera": manifest.camera_names,
        "validation": sum(source.split == "validation" for source in manifest.sources),
    }
    rows, columns = manifest.pixels
    text = f"{output}: {counted(manifest.count, 'pair')} of {rows} × {columns} pixels, camera {manifest.camera_names}"
    answer(figures, as_json, text)
