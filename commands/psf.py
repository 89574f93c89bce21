"""``metalens psf``: point spread functions of a lens; by simulation, if no subcommand is named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer
from metalens.commands.default_group import DefaultGroup
from metalens.commands.options import json_option, output_option
from metalens.commands.output import require_place
from metalens.commands.progress import count_progress
from metalens.commands.psf_fit import fit
from metalens.commands.psf_measured import measured

if TYPE_CHECKING:
    from metalens.formats.camera import Camera
    from metalens.formats.psf_bank import PsfBank


def _grid(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
    """Parse ROWSxCOLUMNS."""
    del ctx, parameter
    parts = value.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r} is not ROWSxCOLUMNS, such as 7x7.")
    return int(parts[0]), int(parts[1])


@click.command(short_help="what is described above; the word itself may be left out")
@click.argument("lens")
@output_option("The psf.h5 to write.")
@click.option("--fields", default="7x7", show_default=True, callback=_grid, help="Field nodes, ROWSxCOLUMNS.")
@click.option("--window", type=int, help="Side of each PSF in pixels, odd. [default: holds 97 % of the light]")
@click.option("--wavelengths", type=int, help="Wavelengths a colour channel. [default: the lens file's]")
@click.option("--dry-run", is_flag=True, help="Check the lens file and say what would be simulated.")
@json_option
def simulate(
    lens: str,
    output: Path,
    fields: tuple[int, int],
    window: int | None,
    wavelengths: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Simulate the point spread functions of LENS, a lens.toml or the name of a preset.

    Presets: metacamera, nano-optics, hyperbolic, wide-field. Writes the PSFs over field and colour with their FWHM map.
    """
    from metalens.formats.camera import read_camera

    camera = read_camera(lens)
    if dry_run:
        text = f"would simulate {camera.name} on {fields[0]}×{fields[1]} fields into {output}"
        answer(_plan(camera, output, fields, wavelengths), as_json, text)
        return
    from metalens.formats.psf_bank import write_psf_bank
    from metalens.psf.bank import simulate_bank

    require_place(output)
    with count_progress("PSF", "field") as tell:
        bank = simulate_bank(
            camera,
            fields=fields,
            window=None if window is None else (window, window),
            wavelengths_per_channel=wavelengths,
            progress=tell,
        )
    write_psf_bank(output, bank)
    figures = _figures(bank, output)
    least, most = figures["fwhm_um"]["least"], figures["fwhm_um"]["most"]
    text = f"{output}: {camera.name}, FWHM (Eq. 2) {least:.1f} to {most:.1f} µm over field and colour"
    answer(figures, as_json, text)


def _plan(camera: Camera, output: Path, fields: tuple[int, int], wavelengths: int | None) -> dict[str, Any]:
    """What a simulation would do."""
    return {
        "camera": camera.name,
        "lens_hash": camera.hash,
        "fields": list(fields),
        "wavelengths_per_channel": wavelengths or camera.spectrum.wavelengths_per_channel,
        "output": str(output),
    }


def _figures(bank: PsfBank, output: Path) -> dict[str, Any]:
    """What a simulation has made."""
    width = bank.by_channel.full_width_half_maximum * 1e6
    return {
        "output": str(output),
        "camera": bank.camera.name,
        "lens_hash": bank.camera.hash,
        "window": list(bank.intensity.shape[-2:]),
        "fwhm_um": {"least": float(width.min()), "most": float(width.max())},
        **bank.provenance,
    }


psf = DefaultGroup(
    "psf",
    default=simulate,
    others=[measured, fit],
    short_help="PSFs of a lens over field and colour",
    epilog="A LENS file that has the name of one of these commands is given with its folder: ./simulate.",
)
