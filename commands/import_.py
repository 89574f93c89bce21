"""``metalens import``: a camera from a layout or from a ray tracer's file, with the lens as drawn."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer
from metalens.commands.options import LENGTH_NM, LENGTH_UM, PATH, dry_run_option, json_option, output_option
from metalens.commands.plan import answer_plan

if TYPE_CHECKING:
    from metalens.formats.camera.camera import Camera
    from metalens.optics.layout.as_made import Imported, ImportOptions

LAYER = "LAYER[/TYPE]"


@click.command("import", short_help="a camera from a layout, with the lens as drawn")
@click.argument("layout", type=PATH)
@output_option("The folder to make: lens.toml and the files that it names.")
@click.option("--like", required=True, help="A lens.toml or preset: focal length, nominal phase, sensor, spectrum.")
@click.option("--library", help="Meta-atom library: a name or a library.h5. [default: that of --like]")
@click.option(
    "--pitch-nm", type=LENGTH_NM, help="Pitch of the meta-atoms. [default: detected; for a map, the library's]"
)
@click.option(
    "--lattice", type=click.Choice(["square", "hexagonal"]), help="Lattice of the meta-atoms. [default: detected]"
)
@click.option("--atom-layer", metavar=LAYER, help="Layer of the meta-atoms. [default: 1/0, or the only layer]")
@click.option("--boundary-layer", metavar=LAYER, default="2/0", show_default=True, help="Layer of the aperture.")
@click.option("--cell", help="Cell of the lens. [default: the top cell]")
@click.option(
    "--map-of",
    type=click.Choice(["radius", "diameter", "width"]),
    default="radius",
    show_default=True,
    help="Quantity in a map, in nm.",
)
@click.option(
    "--aperture-um",
    type=LENGTH_UM,
    help="Diameter of the aperture. [default: the boundary's, or that of the filled disc]",
)
@click.option("--name", help="Name of the camera. [default: the file's]")
@dry_run_option
@json_option
def import_(
    layout: Path, output: Path, like: str, dry_run: bool, as_json: bool, atom_layer: str | None, **asked: Any
) -> None:
    """Make a camera from LAYOUT, so that metalens psf simulates the lens as drawn.

    LAYOUT is a GDSII or OASIS file from any tool, a table of sites (x_um,y_um,diameter_nm), a map of radii in nm (.npy
    or numbers between commas), a radial phase as export --zemax writes it, or an OpticStudio lens (.zmx) with a Binary
    2 surface and refractive surfaces around it.
    """
    from metalens.formats.camera.camera import read_camera
    from metalens.formats.files.atomic import atomic_directory, require_new_directory
    from metalens.optics.layout.as_made import LENS_FILE, import_lens, write_imported

    begun = time.perf_counter()
    require_new_directory(output)
    camera = read_camera(like)
    imported = import_lens(layout, camera, _options(atom_layer=atom_layer, **asked))
    if dry_run:
        from metalens.workflows.simulation_estimates import done_estimate

        cost = done_estimate(layout.stat().st_size, begun)
        plan = _figures(imported, imported.camera) | {"output": str(output)}
        answer_plan(plan, cost, as_json, f"would make {output}: " + _sentence(imported))
        return
    with atomic_directory(output) as part:
        made = write_imported(part, imported, Path(like).parent if Path(like).is_file() else None)
    found = {"output": str(output), "lens_hash": made.hash, **_figures(imported, made)}
    told = ""
    # Of a lens file with its own focal length nothing but the sensor is that of --like.
    if made.lens.surfaces is None:
        difference, told = _beside(read_camera(output / LENS_FILE), camera, like)
        found |= difference
    answer(found, as_json, f"{output}: {_sentence(imported)}{told}")


def _beside(made: Camera, camera: Camera, like: str) -> tuple[dict[str, Any], str]:
    """The phase of the imported lens beside that of ``--like``, as figures and in words; another lens is warned of."""
    import warnings

    from metalens.formats.files.errors import InputError, InputWarning
    from metalens.optics.layout.phase_difference import ANOTHER_LENS, phase_difference

    try:
        found = phase_difference(made, camera)
    except InputError as error:
        return {"phase_difference_rad": None}, f"; its phase is not compared with that of {like}: {error}".rstrip(".")
    at = f"at {1e9 * found.wavelength:.4g} nm"
    if found.rms > ANOTHER_LENS:
        warnings.warn(
            f"--like {like}: the phase of the imported lens differs from that of this lens by {found.rms:.2f} rad "
            f"(root mean square, {at}), as another lens' does, or one that is turned, mirrored or off its centre; give "
            "the lens that the file was made from.",
            InputWarning,
            stacklevel=2,
        )
    figures = {"phase_difference_rad": found.rms, "phase_difference_nm": 1e9 * found.wavelength}
    return figures, f"; its phase differs from that of {like} by {found.rms:.2f} rad (root mean square, {at})"


def _options(
    *,
    atom_layer: str | None,
    boundary_layer: str,
    pitch_nm: float | None,
    aperture_um: float | None,
    **plain: Any,
) -> ImportOptions:
    """The options in metres."""
    import math

    from metalens.formats.files.errors import InputError
    from metalens.optics.layout.as_made import ImportOptions
    from metalens.optics.layout.layers import parse_layer

    for name, value in (("--pitch-nm", pitch_nm), ("--aperture-um", aperture_um)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} {value:g} must be a positive number.")
    return ImportOptions(
        layer=None if atom_layer is None else parse_layer(atom_layer),
        boundary=parse_layer(boundary_layer),
        pitch=None if pitch_nm is None else pitch_nm * 1e-9,
        diameter=None if aperture_um is None else aperture_um * 1e-6,
        **plain,
    )


def _figures(imported: Imported, camera: Camera) -> dict[str, Any]:
    """Figures of the imported lens and of the fit to its library."""
    known: dict[str, Any] = {"camera": camera.name, "aperture_um": camera.lens.aperture_um}
    if imported.phase is not None:
        told = {"terms": len(imported.phase.coefficients), "largest_error_rad": imported.phase.largest_error}
        return known | told | {"surfaces": sum(not each.metasurface for each in camera.lens.surfaces or ())}
    assert imported.recognised is not None
    structure = imported.recognised.structure
    counts = structure.counts()
    lengths = structure.geometry[counts > 0] * 1e9
    return known | {
        "sites": int(counts.sum()),
        "geometries": len(lengths),
        "shape": structure.shape,
        "lengths_nm": {"least": float(lengths.min()), "most": float(lengths.max())},
        "lattice": structure.lattice,
        "pitch_nm": 1e9 * structure.pitch,
        "library": structure.library_name,
        "centre_shift_nm": [1e9 * each for each in imported.recognised.shift],
        "largest_stray_nm": 1e9 * imported.recognised.stray,
        "sites_outside": imported.recognised.outside(1e-6 * known["aperture_um"]),
        "set_aside": list(imported.recognised.aside),
    }


def _sentence(imported: Imported) -> str:
    found = _figures(imported, imported.camera)
    if imported.phase is not None:
        behind = f", refractive surfaces: {found['surfaces']}" if found["surfaces"] else ""
        return f"an even polynomial of {found['terms']} terms over {found['aperture_um']:g} µm{behind}"
    least, most = found["lengths_nm"]["least"], found["lengths_nm"]["most"]
    outside = f"; {found['sites_outside']} of them stand outside it" if found["sites_outside"] else ""
    aside = f"; polygons left aside as too large: {', '.join(found['set_aside'])}" if found["set_aside"] else ""
    return (
        f"{found['sites']} {found['shape'].replace('_', ' ')}s of {least:.4g} to {most:.4g} nm on a "
        f"{found['lattice']} lattice with a pitch of {found['pitch_nm']:.5g} nm, {found['aperture_um']:g} µm across"
        f"{outside}{aside}"
    )
