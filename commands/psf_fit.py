"""``metalens psf fit``: alignment errors of lens and sensor, fitted to a bank."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer
from metalens.commands.new_file import claim_new_file
from metalens.commands.options import PATH, WAVELENGTHS, json_option, output_option
from metalens.commands.progress import count_progress
from metalens.formats.files.input_file import real_path

if TYPE_CHECKING:
    from metalens.psf.captured.fit import LensFit


@click.command(short_help="defocus, tilt and more of a lens, from its PSFs")
@click.argument("bank", type=PATH)
@output_option("The lens.toml to write, with the fitted values.")
@click.option("--lens", required=True, help="The nominal lens: a lens.toml or the name of a preset.")
@click.option(
    "--parameters",
    help="Free parameters, comma-separated: defocus, tilt, decentre, width_error. [default: the first three; without "
    "tilt where the lens has refractive surfaces]",
)
@click.option("--wavelengths", type=WAVELENGTHS, help="Wavelengths per colour channel. [default: the lens file's]")
@json_option
def fit(bank: Path, output: Path, lens: str, parameters: str | None, wavelengths: int | None, as_json: bool) -> None:
    """Fit parameters of a lens to the point spread functions of BANK, a psf.h5, usually a measured one.

    Prints each parameter with its standard error, the residual, and parameters that the PSFs cannot separate.
    """
    from metalens.formats.camera.camera import read_camera, write_camera
    from metalens.formats.psf.bank_file import read_psf_bank
    from metalens.psf.captured.fit import fit_lens, fitted_camera

    claim_new_file(output)
    camera, functions = read_camera(lens), read_psf_bank(bank)
    # A lens.toml refers to files beside it, so they are written beside the new lens.toml as well.
    camera.in_folder(real_path(output).parent)
    names = None if parameters is None else [name.strip() for name in parameters.split(",") if name.strip()]
    with count_progress("fit", "trial") as tell:
        found = fit_lens(functions, camera, parameters=names, wavelengths_per_channel=wavelengths, progress=tell)
    fitted = fitted_camera(camera, found)
    write_camera(output, fitted)
    numbers = fitted_numbers(found)
    figures = {
        "output": str(output),
        "lens_hash": fitted.hash,
        "fitted": numbers,
        "residual": found.residual,
        "residual_before": found.residual_before,
        "nodes": found.nodes,
        "hard_to_tell_apart": [[first, second, rho] for first, second, rho in found.confused],
        "undetermined": found.unseen,
    }
    answer(figures, as_json, fit_text(output, found, numbers))


def fitted_numbers(found: LensFit) -> dict[str, dict[str, Any]]:
    """Each parameter and its standard error, if any, in the unit of its name."""
    import numpy as np

    scale = {
        "defocus": ("defocus_um", 1e6),
        "tilt_y": ("tilt_y_deg", 180 / np.pi),
        "tilt_x": ("tilt_x_deg", 180 / np.pi),
        "decentre_y": ("decentre_y_um", 1e6),
        "decentre_x": ("decentre_x_um", 1e6),
        "width_error": ("duty_error", 1.0),
    }
    numbers = {}
    for number, value, error in zip(found.names, found.value, found.standard_error, strict=True):
        name, factor = scale[number]
        # To first order the error of an angle equals that of its slope.
        angle = np.arctan(value) if name.endswith("_deg") else value
        spread = float(factor * error) if np.isfinite(error) else None
        numbers[name] = {"value": float(factor * angle), "standard_error": spread}
    return numbers


def fit_text(output: Path, found: LensFit, numbers: dict[str, dict[str, Any]]) -> list[str]:
    """Describe a fit: one line for each number, then what could not be determined.

    Args:
        output: the ``lens.toml`` that was written.
        found: the fit.
        numbers: what :func:`fitted_numbers` returned.

    Returns:
        Its lines.
    """
    lines = [
        f"{output}: {found.residual:.1%} of the PSFs is left unexplained on {found.nodes} nodes, "
        f"{found.residual_before:.1%} before the fit"
    ]
    for name, number in numbers.items():
        error = number["standard_error"]
        lines.append(f"  {name} = {number['value']:z.5g}" + ("" if error is None else f" ± {error:.2g}"))
    for first, second, rho in found.confused:
        lines.append(f"  {first} and {second} are hard to tell apart here: their correlation is {rho:z.3f}")
    for name in found.unseen:
        lines.append(f"  these PSFs do not tell {name}: it is as it was; add positions across the field")
    return lines
