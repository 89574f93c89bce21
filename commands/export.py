"""``metalens export``: files for fabrication and for ray tracers, of a lens; a restorer as ONNX beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer
from metalens.commands.default_group import DefaultGroup
from metalens.commands.export_onnx import onnx
from metalens.commands.new_file import claim_new_file
from metalens.commands.options import LENGTH_NM, PATH, Number, dry_run_option, json_option, numbers
from metalens.commands.plan import answer_plan
from metalens.commands.progress import count_progress
from metalens.formats.files.input_file import real_path

if TYPE_CHECKING:
    import numpy as np

    from metalens.formats.camera.camera import Camera
    from metalens.formats.camera.structure import Structure
    from metalens.optics.layout.chosen import Choice
    from metalens.optics.layout.mask import MaskOptions
    from metalens.optics.layout.ray_tracing import RadialPhaseTable
    from metalens.workflows.estimate import Estimate

LAYER = "LAYER[/TYPE]"


def _wavelengths(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Parse a list of wavelengths in nm into metres."""
    del ctx, parameter
    if value is None:
        return None
    found = numbers(value, Number(200, 20_000))
    if found is None:
        raise click.BadParameter(f"{value!r} is no list of nm such as 450,532,650, each 200 to 20000.")
    return tuple(each * 1e-9 for each in found)


@click.command("layout", short_help="files for fabrication and for ray tracers")
@click.argument("lens")
@click.option("--gds", type=PATH, help="The GDSII layout to write.")
@click.option("--oasis", type=PATH, help="The OASIS layout to write.")
@click.option("--csv", type=PATH, help="The table to write: one line per meta-atom.")
@click.option("--zemax", type=PATH, help="The phase to write: a radial table and a Binary 2 surface.")
@click.option(
    "--structure",
    "structure_path",
    type=PATH,
    help="The structure.h5 to write: position and geometry of each meta-atom.",
)
@click.option("--library", help="Meta-atom library: a name or a library.h5. [default: the lens file's]")
@click.option(
    "--lattice", type=click.Choice(["square", "hexagonal"]), help="Lattice of the meta-atoms. [default: square]"
)
@click.option(
    "--pitch-nm", type=LENGTH_NM, help="Pitch of the meta-atoms. [default: the lens file's, or the library's]"
)
@click.option(
    "--wavelengths-nm",
    callback=_wavelengths,
    metavar="NM,NM,…",
    help="Wavelengths for which meta-atoms are chosen. [default: the lens file's]",
)
@click.option(
    "--dispersion",
    type=Number(-10, 10),
    help="How the phase follows the frequency between --wavelengths-nm: 1 gives one focal length (achromatic), 0 one "
    "phase. [default: 0]",
)
@click.option("--grid-nm", type=Number(0.01, 100), default=1.0, show_default=True, help="Grid of the layout in nm.")
@click.option(
    "--vertices",
    type=click.IntRange(8, 96),
    default=32,
    show_default=True,
    help="Vertices of a round meta-atom, a multiple of 4.",
)
@click.option("--circles", is_flag=True, help="OASIS: write circles; radii are rounded to the grid.")
@click.option("--atom-layer", metavar=LAYER, default="1/0", show_default=True, help="Layer of the meta-atoms.")
@click.option("--boundary-layer", metavar=LAYER, default="2/0", show_default=True, help="Layer of the aperture.")
@click.option("--mark-layer", metavar=LAYER, default="3/0", show_default=True, help="Layer of the alignment marks.")
@click.option("--label-layer", metavar=LAYER, default="4/0", show_default=True, help="Layer of the label.")
@click.option("--label", help="Text beside the lens; empty for none. [default: the lens' name]")
@click.option("--no-marks", is_flag=True, help="No alignment marks.")
@click.option(
    "--no-quadrants", is_flag=True, help="Draw the whole lens, even if it could be assembled from one rotated quadrant."
)
@click.option(
    "--zemax-tolerance-rad",
    type=Number(1e-9, 10),
    default=0.01,
    show_default=True,
    help="Largest phase error of the Zemax polynomial, in radians.",
)
@dry_run_option
@json_option
def layout(
    lens: str,
    gds: Path | None,
    oasis: Path | None,
    csv: Path | None,
    zemax: Path | None,
    structure_path: Path | None,
    library: str | None,
    lattice: Any,
    pitch_nm: float | None,
    wavelengths_nm: tuple[float, ...] | None,
    dispersion: float | None,
    dry_run: bool,
    as_json: bool,
    zemax_tolerance_rad: float,
    **drawn: Any,
) -> None:
    """Write LENS, a lens.toml or a preset, as files for a clean room or for a ray tracer.

    The layout is the lens' own structure or, if it has none, the best meta-atom of a library at each site.
    Layouts have one cell for each geometry and one reference for each site; y points up.
    """
    from metalens.formats.camera.camera import read_camera
    from metalens.formats.files.errors import InputError
    from metalens.formats.files.extras import require
    from metalens.formats.meta_atoms.library import library_path
    from metalens.optics.layout.chosen import choice_for, structure_of_camera
    from metalens.workflows.layout_files import write_structure_file

    places = {"gds": gds, "oasis": oasis, "csv": csv, "structure": structure_path, "zemax": zemax}
    outputs = {kind: path for kind, path in places.items() if path is not None}
    _check_places(outputs)
    if gds is not None or oasis is not None:
        require("layout", "gdstk")
    camera = read_camera(lens)
    options = _mask_options(camera.name, drawn)
    if options.circles and oasis is None:
        raise InputError("--circles: is for OASIS files; add --oasis, or leave it out.")
    if library is not None:
        library_path(library)
    built = set(outputs) != {"zemax"}
    pitch = None if pitch_nm is None else pitch_nm * 1e-9
    choice = None
    if built:
        choice = choice_for(
            camera,
            library=library,
            pitch=pitch,
            lattice=lattice,
            wavelengths=wavelengths_nm,
            dispersion=dispersion or 0.0,
        )
    table = None if zemax is None else _radial_phase(camera, zemax_tolerance_rad)
    if dry_run:
        from metalens.workflows.simulation_estimates import layout_estimate

        expected = layout_estimate(camera, choice, list(outputs), options)
        _tell_plan(camera, choice, outputs, built, expected, as_json)
        return
    claim_new_file(*outputs.values())
    found: dict[str, Any] = {"camera": camera.name, "lens_hash": camera.hash, "outputs": {}}
    with _together(outputs):
        if zemax is not None and table is not None:
            found |= _write_zemax(zemax, table)
        if built:
            with count_progress("structure", "row") as tell:
                structure = structure_of_camera(camera, choice, tell)
            found |= _structure_figures(structure)
            for kind, path in outputs.items():
                if kind != "zemax":
                    found["outputs"][kind] = write_structure_file(kind, path, structure, camera, options)
    what = f"{found['sites']} sites on a {found['lattice']} lattice" if built else f"{found['terms']} terms"
    names = ", ".join(str(path) for path in outputs.values())
    answer(found, as_json, f"{names}: {camera.name}, {what}{_delay(found)}{_rounding(found)}")


def _rounding(found: dict[str, Any]) -> str:
    """How far drawn widths are from those of the structure, where that is a nanometre or more."""
    errors = (each.get("largest_width_error_nm", 0.0) for each in found["outputs"].values() if isinstance(each, dict))
    most = max(errors, default=0.0)
    return f"; the grid makes widths wrong by up to {most:.2g} nm" if most >= 1 else ""


def _delay(found: dict[str, Any]) -> str:
    """The group delay of an achromatic structure, for the answer in words."""
    told = found.get("structure", {})
    if "group_delay_asked_fs" not in told:
        return ""
    asked, offered = (float(told[f"group_delay_{which}_fs"]) for which in ("asked", "of_meta_atoms"))
    bound = told.get("delay_times_bandwidth_bound")
    most = f", at most {float(bound):.2f} for their height" if bound else ""
    return (
        f"; group delays over {asked:z.1f} fs, the meta-atoms have {offered:z.1f} fs; delay times bandwidth "
        f"{float(told['delay_times_bandwidth']):.2f}{most}"
    )


def _check_places(outputs: dict[str, Path]) -> None:
    """Check, before the computation, that every output is new and can be written."""
    from metalens.formats.files.atomic import require_new_file
    from metalens.formats.files.errors import InputError

    if not outputs:
        raise InputError(
            "export: nothing to write; add --gds, --oasis, --csv, --zemax or --structure with a file name."
        )
    if len({real_path(path) for path in outputs.values()}) < len(outputs):
        raise InputError("export: two outputs have one name; give each a name of its own.")
    for path in outputs.values():
        require_new_file(path)


def _mask_options(name: str, drawn: dict[str, Any]) -> MaskOptions:
    from metalens.optics.layout.layers import LayerMap, parse_layer
    from metalens.optics.layout.mask import MaskOptions

    return MaskOptions(
        layers=LayerMap(*(parse_layer(drawn[f"{each}_layer"]) for each in ("atom", "boundary", "mark", "label"))),
        vertices=drawn["vertices"],
        grid=drawn["grid_nm"] * 1e-9,
        circles=drawn["circles"],
        label=name if drawn["label"] is None else drawn["label"],
        marks=not drawn["no_marks"],
        quadrants=not drawn["no_quadrants"],
    )


def _tell_plan(
    camera: Camera,
    choice: Choice | None,
    outputs: dict[str, Path],
    built: bool,
    expected: Estimate,
    as_json: bool,
) -> None:
    from metalens.optics.layout.chosen import site_estimate

    plan: dict[str, Any] = {"camera": camera.name, "outputs": {kind: str(path) for kind, path in outputs.items()}}
    if choice is not None:
        plan |= {
            "library": str(choice.library),
            "pitch_nm": 1e9 * choice.pitch,
            "lattice": choice.lattice,
            "wavelengths_nm": [1e9 * each for each in choice.wavelengths],
            "sites": site_estimate(camera, choice),
        }
        how = f"about {plan['sites']} sites, {plan['pitch_nm']:g} nm apart, from {plan['library']}"
    else:
        how = "its own structure" if built else "its phase"
    text = f"would write {', '.join(plan['outputs'].values())}: {camera.name}, {how}"
    answer_plan(plan, expected, as_json, text)


@contextmanager
def _together(outputs: dict[str, Path]) -> Iterator[None]:
    """Write all outputs or none: if one fails, those already written are removed."""
    try:
        yield
    except BaseException:
        for path in outputs.values():
            path.unlink(missing_ok=True)
        raise


def _structure_figures(structure: Structure) -> dict[str, Any]:
    counts = structure.counts()
    return {
        "sites": int(counts.sum()),
        "geometries": int((counts > 0).sum()),
        "lattice": structure.lattice,
        "pitch_nm": 1e9 * structure.pitch,
        "shape": structure.shape,
        **_sites_by_family(structure, counts),
        "library": structure.library_name,
        "structure": structure.provenance,
    }


def _sites_by_family(structure: Structure, counts: np.ndarray) -> dict[str, Any]:
    """How many sites have a meta-atom of each family; nothing of one family."""
    if structure.family is None:
        return {}
    families = enumerate(structure.families)
    return {
        "families": [
            {"shape": family.shape, "sites": int(counts[structure.family == number].sum())}
            for number, family in families
        ]
    }


def _radial_phase(camera: Camera, tolerance: float) -> RadialPhaseTable:
    from metalens.optics.layout.ray_tracing import radial_phase_table
    from metalens.optics.phase.from_lens_toml import phase_of

    return radial_phase_table(phase_of(camera.lens.phase, camera.lens), camera.lens.aperture_m, tolerance=tolerance)


def _write_zemax(path: Path, found: RadialPhaseTable) -> dict[str, Any]:
    from metalens.optics.layout.ray_tracing import write_radial_phase

    write_radial_phase(path, found)
    figures = {"terms": len(found.coefficients), "largest_error_rad": found.largest_error}
    return figures | {"outputs": {"zemax": {"path": str(path), **figures}}}


export = DefaultGroup(
    "export",
    default=layout,
    others=[onnx],
    short_help="files for fabrication and for ray tracers; a restorer as ONNX",
    epilog="A LENS file that has the name of one of these commands is given with its folder: ./layout.",
)
