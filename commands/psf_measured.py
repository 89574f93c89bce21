"""``metalens psf measured``: a bank from raw captures of a pinhole."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer, counted, figures_of
from metalens.commands.new_file import claim_new_file
from metalens.commands.options import PATH, WINDOW, json_option, output_option
from metalens.commands.progress import count_progress


@click.command(short_help="PSFs from raw captures of a pinhole")
@click.argument("captures", type=PATH)
@output_option("The psf.h5 to write.")
@click.option("--lens", required=True, help="The camera that took them: a lens.toml or the name of a preset.")
@click.option("--window", type=WINDOW, default=33, show_default=True, help="Side of each PSF in pixels, odd.")
@json_option
def measured(captures: Path, output: Path, lens: str, window: int, as_json: bool) -> None:
    """Make a psf.h5 from raw captures. CAPTURES is a captures.toml that lists them, or its folder.

    The list gives the position of the pinhole's image on the sensor for each file. Background is subtracted; repeats
    are registered and averaged; saturated captures are an error.
    """
    from metalens.formats.camera.camera import read_camera
    from metalens.formats.captures.pinhole_captures import read_capture_set
    from metalens.formats.psf.bank_file import write_psf_bank
    from metalens.psf.captured.captures import bank_of_captures

    claim_new_file(output)
    camera, files = read_camera(lens), read_capture_set(captures)
    with count_progress("PSF", "position") as tell:
        bank = bank_of_captures(files, camera, window=window, progress=tell)
    write_psf_bank(output, bank)
    width = 1e6 * bank.by_channel.full_width_half_maximum
    figures = {
        "output": str(output),
        "camera": camera.name,
        "lens_hash": camera.hash,
        "layout": bank.layout,
        "window": list(bank.intensity.shape[-2:]),
        "fwhm_um": {"least": float(width.min()), "most": float(width.max())},
        **figures_of(bank.provenance),
    }
    text = (
        f"{output}: {counted(int(bank.provenance['captures']), 'capture')} of "
        f"{counted(len(bank.position), 'position')}, FWHM (DMDiff, Eq. 2) "
        f"{width.min():.1f} to {width.max():.1f} µm over field and colour"
    )
    answer(figures, as_json, text)
