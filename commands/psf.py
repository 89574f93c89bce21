"""``metalens psf``: point spread functions of a lens; simulated unless a subcommand is named."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer, figures_of
from metalens.commands.default_group import DefaultGroup
from metalens.commands.new_file import claim_new_file
from metalens.commands.options import (
    FIELDS,
    PATH,
    WAVELENGTHS,
    WINDOW,
    Number,
    dry_run_option,
    json_option,
    numbers,
    output_option,
    parse_grid,
)
from metalens.commands.plan import answer_plan
from metalens.commands.progress import count_progress
from metalens.commands.psf_fit import fit
from metalens.commands.psf_measured import measured
from metalens.formats.files.atomic import require_apart, require_new_directory, require_new_file

if TYPE_CHECKING:
    from metalens.formats.camera.camera import Camera
    from metalens.formats.psf.bank import PsfBank
    from metalens.psf.engines.choice import Engine


def _wavelengths(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | list[float] | None:
    """Parse a number of wavelengths per channel, or a list of wavelengths in nm (returned in metres)."""
    del ctx, parameter
    if value is None:
        return None
    how_many = numbers(value, WAVELENGTHS, count=1)
    if how_many is not None:
        return int(how_many[0])
    which = numbers(value, Number(200, 20_000))
    if which is None:
        raise click.BadParameter(
            f"{value!r} is neither a whole number of wavelengths, 1 to 99, nor a list of nm such as 450,532,650, each "
            "200 to 20000."
        )
    return [each * 1e-9 for each in which]


@click.command(short_help="the default command, described above; its name may be omitted")
@click.argument("lens")
@output_option("The psf.h5 to write.")
@click.option(
    "--fields",
    callback=parse_grid,
    help="Field nodes, ROWSxCOLUMNS. [default: 7x7, 13x13 or 25x25, the first with 60 dB between the nodes]",
)
@click.option("--radii", type=FIELDS, help="Instead of a grid, this many fields from the axis to the corner.")
@click.option("--window", type=WINDOW, help="Side of each PSF in pixels, odd. [default: holds 97 % of the light]")
@click.option(
    "--wavelengths",
    callback=_wavelengths,
    metavar="N|NM,NM,…",
    help="Number of wavelengths per colour channel, or a list in nm. [default: the lens file's]",
)
@click.option(
    "--spectral-tolerance",
    type=Number(1e-4, 0.5),
    help="Choose the number by convergence: largest change of a channel's PSF; 0.02 is 2 %.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "direction_cosine", "angular_spectrum", "rayleigh_sommerfeld", "fresnel", "vectorial"]),
    default="auto",
    show_default=True,
    help="Propagation method; fresnel is for comparison only.",
)
@click.option("--figures", type=PATH, help="Folder for figures: PSFs, FWHM, MTF and more over the field.")
@dry_run_option
@json_option
def simulate(
    lens: str,
    output: Path,
    fields: tuple[int, int] | None,
    radii: int | None,
    window: int | None,
    wavelengths: int | list[float] | None,
    spectral_tolerance: float | None,
    engine: Engine,
    figures: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Simulate the point spread functions of LENS, a lens.toml or the name of a preset.

    Presets: metacamera, metacamera-200um, multi-order, nano-optics, hyperbolic, wide-field, wide-field-multi-order.
    Writes the PSFs over field and colour with their FWHM map and other figures of merit.
    """
    from metalens.formats.camera.camera import read_camera

    camera = read_camera(lens)
    from metalens.psf.bank import simulate_bank
    from metalens.psf.bank_request import COARSEST, BankRequest

    request: dict[str, Any] = {
        "fields": fields,
        "radii": radii,
        "window": None if window is None else (window, window),
        "wavelengths_per_channel": wavelengths if isinstance(wavelengths, int) else None,
        "wavelengths": wavelengths if isinstance(wavelengths, list) else None,
        "spectral_tolerance": spectral_tolerance,
    }
    if radii is not None and fields is not None:
        raise click.UsageError("give either --fields, a grid, or --radii, one radius.")
    require_new_file(output)
    require_apart(output, figures)
    if figures is not None:
        require_new_directory(figures, "--figures")
    if dry_run:
        from metalens.psf.bank_plan import plan_bank

        chosen = plan_bank(camera, BankRequest(**request), engine)
        nodes = f"{radii} radii" if radii is not None else _size(fields or COARSEST)
        if chosen.finer:
            nodes += f", at most {_size(chosen.finer[-1])} if interpolation between them errs by more than wanted,"
        plan = {
            "camera": camera.name,
            "lens_hash": camera.hash,
            **({"fields": list(fields or COARSEST)} if radii is None else {"radii": radii}),
            **({"finer_fields": [list(each) for each in chosen.finer]} if chosen.finer else {}),
            "wavelengths": wavelengths or camera.spectrum.wavelengths_per_channel,
            "window": [chosen.side, chosen.side],
            "engine": chosen.engine.engine,
            "engine_reason": chosen.engine.reason,
            "output": str(output),
        }
        from metalens.workflows.simulation_estimates import bank_estimate

        expected = bank_estimate(camera, BankRequest(**request), chosen, engine)
        answer_plan(plan, expected, as_json, f"would simulate {camera.name} on {nodes} into {output}")
        return
    BankRequest(**request).check(camera)
    from metalens.formats.psf.bank_file import write_psf_bank

    claim_new_file(output)
    with count_progress("PSF", "field") as tell:
        bank = simulate_bank(camera, **request, engine=engine, progress=tell)
        write_psf_bank(output, bank)
    found = _found(bank, output)
    if figures is not None:
        from metalens.psf.pictures import write_pictures

        found["figures"] = [str(path) for path in write_pictures(bank, figures)]
    least, most = found["fwhm_um"]["least"], found["fwhm_um"]["most"]
    nodes = f"{radii} radii" if radii is not None else _size(fields or _grid(bank))
    text = f"{output}: {camera.name} on {nodes}{_between_nodes(bank)}, FWHM (DMDiff, Eq. 2) {least:.1f} to "
    text += f"{most:.1f} µm over field and colour"
    if (distortion := found["distortion"]) is not None and distortion["pixels"] >= TOLD_DISTORTION:
        text += f", distortion up to {distortion['percent']:.1f} %, {distortion['pixels']:.1f} pixels"
    answer(found, as_json, f"{text}; {bank.provenance['engine']} ({bank.provenance['engine_reason']})")


TOLD_DISTORTION = 0.5
"""Pixels from which on the distortion is told in the sentence; the JSON has it always."""


def _grid(bank: PsfBank) -> tuple[int, int]:
    return len(bank.field_y), len(bank.field_x)


def _size(fields: tuple[int, int]) -> str:
    return f"{fields[0]}×{fields[1]} fields"


def _between_nodes(bank: PsfBank) -> str:
    """What interpolation between the nodes is worth: as measured where it chose their number, else estimated."""
    if "node_error" not in bank.provenance:
        return _between_given_nodes(bank)
    found, wanted = (-20 * math.log10(float(bank.provenance[name])) for name in ("node_error", "node_error_wanted"))
    if found >= wanted:
        return f" ({found:.0f} dB between them)"
    return (
        f" ({found:.0f} dB between them, {wanted:.0f} dB were wanted: no finer grid is chosen without being asked for; "
        "give --fields or --radii)"
    )


def _between_given_nodes(bank: PsfBank) -> str:
    from metalens.psf.node_count import LARGEST_ERROR, bank_node_error

    if len(bank.position) == 1:
        return " (the same everywhere)"
    error = bank_node_error(bank)
    more = "give more nodes, or leave out --fields and --radii to have their number chosen"
    if not math.isfinite(error):
        return f" (too few to tell the error between them: {more})"
    wanted = -20 * math.log10(LARGEST_ERROR)
    found = -20 * math.log10(max(error, 1e-10))
    # The estimate is too low by up to 13 dB (docs/blur.md).
    poor = f"; {wanted:.0f} dB are usual: {more}" if found < wanted - 15 else ""
    return f" (about {found:.0f} dB between them{poor})"


def _found(bank: PsfBank, output: Path) -> dict[str, Any]:
    """Figures of a simulated bank."""
    width = bank.by_channel.full_width_half_maximum * 1e6
    return {
        "output": str(output),
        "camera": bank.camera.name,
        "lens_hash": bank.camera.hash,
        "layout": bank.layout,
        "nodes": len(bank.position),
        "window": list(bank.intensity.shape[-2:]),
        "distortion": distortion_figures(bank.camera),
        "fwhm_um": {"least": float(width.min()), "most": float(width.max())},
        **figures_of(bank.provenance),
    }


def distortion_figures(camera: Camera) -> dict[str, float] | None:
    """The largest distortion; None without rotational symmetry, or where the image ends before the sensor's corner.

    Returns:
        ``percent``, negative for a barrel, and ``pixels``.
    """
    from metalens.formats.files.errors import InputError
    from metalens.psf.distortion import distortion_of

    try:
        found = distortion_of(camera)
    except InputError:
        return None
    return {"percent": 100 * found.largest, "pixels": found.largest_pixels}


psf = DefaultGroup(
    "psf",
    default=simulate,
    others=[measured, fit],
    short_help="PSFs of a lens over field and colour",
    epilog="A LENS file that has the name of one of these commands is given with its folder: ./simulate.",
)
