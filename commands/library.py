"""``metalens library``: compute, import and show libraries of meta-atom responses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer, counted
from metalens.commands.new_file import claim_new_file
from metalens.commands.options import (
    PATH,
    Number,
    backend_options,
    backend_settings,
    dry_run_option,
    json_option,
    output_option,
    resume_option,
)
from metalens.commands.plan import answer_plan
from metalens.commands.progress import count_progress
from metalens.formats.files.atomic import require_new_directory, require_new_file

if TYPE_CHECKING:
    from metalens.formats.meta_atoms.library import AtomLibrary


MOST_MEASURED = 500
"""Meta-atoms whose smallest feature and gap are told: it takes some milliseconds each."""


@click.group(short_help="libraries of meta-atom responses")
def library() -> None:
    """Compute, import or show a library: the complex transmission of meta-atoms. Commands take --json."""


@library.command(short_help="compute one by rigorous coupled-wave analysis")
@click.argument("spec", type=PATH)
@output_option("The library.h5 to write.")
@backend_options
@resume_option
@dry_run_option
@json_option
def build(
    spec: Path,
    output: Path,
    backend_name: str,
    workers: int,
    slurm_options: tuple[str, ...],
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compute the library that SPEC describes, a TOML file: shape, materials, wavelengths, angles.

    Finished meta-atoms are kept in OUTPUT.parts until all are computed; --resume continues from them. The result does
    not depend on the number of workers.
    """
    import shutil
    from contextlib import closing
    from dataclasses import replace

    from metalens.formats.files.claim import check_claim
    from metalens.formats.meta_atoms.library import write_atom_library
    from metalens.formats.meta_atoms.spec import read_library_spec
    from metalens.optics.rcwa import build_library, plan_library
    from metalens.optics.rcwa.build import ASKED, asked_of

    require_new_file(output)
    parts = output.with_name(output.name + ".parts")
    record, text = read_library_spec(spec)
    check_claim(parts, ASKED, resume=resume, asked=asked_of(text))
    plan = plan_library(record)
    # A single worker is also a process with one thread: another order of sums would change the last bits.
    backend = replace(backend_settings(backend_name, workers, slurm_options), own_process=True)
    size: dict[str, Any] = {
        "library": record.name,
        "atoms": len(plan.geometry),
        "wavelengths": len(plan.wavelength),
        "angles": len(plan.angle),
        "polarisations": len(record.light.polarisations),
    }
    if dry_run:
        with closing(backend.open(output, {})):
            pass
        sentence = (
            f"would compute {record.name}: {counted(size['atoms'], 'meta-atom')} at "
            f"{counted(size['wavelengths'], 'wavelength')}, {counted(size['angles'], 'angle')} and "
            f"{counted(size['polarisations'], 'polarisation')}, into {output}"
        )
        from metalens.workflows.simulation_estimates import library_estimate

        answer_plan({**size, "output": str(output)}, library_estimate(plan, workers=backend.workers), as_json, sentence)
        return
    with closing(backend.open(output, {})) as runner, count_progress("meta-atoms", "atom") as tell:
        claim_new_file(output)
        found = build_library(text, parts, runner, resume=resume and parts.exists(), progress=tell)
    write_atom_library(output, found)
    shutil.rmtree(parts)
    _report(found, output, as_json)


@library.command("import", short_help="from a table of another solver")
@click.argument("table", type=PATH, required=False)
@click.option("--about", type=PATH, required=True, help="The TOML file that describes the table.")
@output_option("The library.h5 to write.")
@json_option
def import_(table: Path | None, about: Path, output: Path, as_json: bool) -> None:
    """Make a library of TABLE (.csv, .h5), or of the Touchstone files that --about lists.

    The file --about gives shape, materials, normalisation and time dependence, exp(−iωt) or exp(+iωt);
    docs/meta-atoms.md lists its keys.
    """
    from metalens.formats.meta_atoms.library import write_atom_library
    from metalens.formats.meta_atoms.table import import_library

    claim_new_file(output)
    found = import_library(about, table)
    write_atom_library(output, found)
    _report(found, output, as_json)


@library.command(short_help="phase range, amplitudes and figures of a library")
@click.argument("source", metavar="LIBRARY")
@click.option("--figures", type=PATH, help="Folder for figures: transmission, phase, angles, convergence.")
@click.option("--polarisation", type=click.Choice(["s", "p"]), help="[default: the library's first]")
@click.option(
    "--angle",
    type=Number(-89.9, 89.9),
    default=0.0,
    show_default=True,
    help="Angle of incidence in degrees; one of the library's.",
)
@json_option
def show(source: str, figures: Path | None, polarisation: Any, angle: float, as_json: bool) -> None:
    """Show phase range, amplitudes and first-order efficiency of LIBRARY at each wavelength.

    LIBRARY is a library.h5, or the name of an included one, such as si3n4-on-sio2. The first order is the light of a
    lens whose meta-atoms are chosen at normal incidence for that wavelength, each as if among its like.
    """
    import math

    from metalens.formats.meta_atoms.library import library_path, read_atom_library

    if figures is not None:
        require_new_directory(figures, "--figures")
    found = read_atom_library(library_path(source))
    chosen = found.at_incidence(polarisation or found.polarisations[0], math.radians(angle))
    content = {**_summary(found), "by_wavelength": _by_wavelength(chosen)}
    for row, share in zip(content["by_wavelength"], _first_order(found, chosen), strict=False):
        row["first_order"] = share
    if figures is not None:
        content["figures"] = _draw(found, figures)
    answer(content, as_json, [*_table(content), *_above_one(found)])


def _summary(found: AtomLibrary) -> dict[str, Any]:
    from metalens.formats.meta_atoms.energy import energy_excess

    tables: dict[str, Any] = {
        "library": found.name,
        "shape": found.shape,
        "materials": [found.material, found.substrate, found.surrounding],
        "lattice": found.lattice,
        "pitch_nm": round(1e9 * found.pitch, 6),
        "height_nm": round(1e9 * found.height, 6),
        "atoms": len(found.geometry),
        **_process_limits(found),
        "wavelengths": len(found.wavelength),
        "angles_deg": [round(float(each) * 57.29577951308232, 6) for each in found.angle],
        "polarisations": list(found.polarisations),
    }
    if found.error is not None and found.orders is not None:
        tables["largest_error"] = float(found.error.max())
        tables["median_error"] = float(sorted(found.error.ravel())[found.error.size // 2])
        tables["most_orders"] = int(found.orders.max())
    if found.transmittance is not None and found.reflectance is not None:
        tables["most_absorbed"] = float((1 - found.transmittance - found.reflectance).max())
        tables["most_power"] = float((found.transmittance + found.reflectance).max())
    excess = energy_excess(found)
    tables["samples_above_one"] = 0 if excess is None else excess.samples
    return tables


def _process_limits(found: AtomLibrary) -> dict[str, Any]:
    """Families and turns of the meta-atoms, and their smallest feature and gap where they are few."""
    import math

    from metalens.formats.meta_atoms.families import families_of, family_of, lengths_of
    from metalens.formats.meta_atoms.feature_size import feature_and_gap
    from metalens.formats.meta_atoms.library import lattice_vectors

    families = families_of(found)
    number = found.family if found.family is not None else [0] * len(found.geometry)
    counts = [sum(1 for each in number if each == place) for place in range(len(families))]
    turns = [{"rotation_deg": round(math.degrees(each.rotation), 6)} if each.rotation else {} for each in families]
    told: dict[str, Any] = dict(turns[0])
    if found.family is not None:
        every = zip(families, counts, turns, strict=True)
        told = {"families": [{"shape": each.shape, "atoms": count, **turn} for each, count, turn in every]}
    if len(found.geometry) > MOST_MEASURED:
        return told
    vectors = found.pitch * lattice_vectors(found.lattice)
    atoms = range(len(found.geometry))
    features = [feature_and_gap(family_of(found, atom), lengths_of(found, atom), vectors) for atom in atoms]
    smallest = {
        name: round(1e9 * min(values), 3)
        for name, values in zip(("smallest_feature_nm", "smallest_gap_nm"), zip(*features, strict=True), strict=True)
    }
    return smallest | told


def _by_wavelength(chosen: AtomLibrary) -> list[dict[str, float]]:
    from metalens.formats.meta_atoms.coverage import coverage_of

    found = coverage_of(chosen)
    return [
        {
            "wavelength_nm": round(1e9 * float(found.wavelength[place]), 6),
            "phase_range_rad": float(found.phase_range[place]),
            "covered_rad": float(found.covered[place]),
            "lowest_amplitude": float(found.lowest_amplitude[place]),
            "mean_power": float(found.mean_power[place]),
            "largest_step_rad": float(found.largest_step[place]),
        }
        for place in range(len(found.wavelength))
    ]


def _first_order(found: AtomLibrary, chosen: AtomLibrary) -> list[float]:
    """Share of the light in the first order by wavelength, at the incidence of ``chosen``; none for two parameters."""
    import jax.numpy as jnp
    import numpy as np

    from metalens.optics.meta_atoms.named import scalar_library
    from metalens.optics.meta_atoms.response import MetaAtoms

    if found.family is not None or len(found.parameter_names) != 1 or abs(found.angle[0]) > 1e-9:
        return []
    normal, incident = scalar_library(found), scalar_library(chosen, angle=float(chosen.angle[0]))
    designs = {light: MetaAtoms(normal, light, incident=incident) for light in map(float, found.wavelength)}
    return [float(np.abs(each.coefficients(jnp.asarray(light))[0]) ** 2) for light, each in designs.items()]


def _draw(found: AtomLibrary, folder: Path) -> list[str]:
    from functools import partial

    from metalens.formats.drawing.library_map import pictures_of_library
    from metalens.formats.drawing.style import save_figure
    from metalens.formats.files.atomic import atomic_directory

    with atomic_directory(folder) as part:
        made = [
            path.name
            for name, draw in pictures_of_library(found).items()
            for path in save_figure(part, name, partial(draw, found), {"png": 150})
        ]
    return [str(folder / name) for name in made]


def _table(content: dict[str, Any]) -> list[str]:
    families = content.get("families") or [{"shape": content["shape"], "atoms": content["atoms"]}]
    atoms = " and ".join(f"{each['atoms']} {each['shape'].replace('_', ' ')}s" for each in families)
    first = f"{content['library']}: {atoms}, {content['height_nm']:g} nm high, pitch {content['pitch_nm']:g} nm"
    if "smallest_feature_nm" in content:
        first += f", features from {content['smallest_feature_nm']:g} nm, gaps from {content['smallest_gap_nm']:g} nm"
    known = "first_order" in content["by_wavelength"][0]
    last = "  first order" if known else ""
    lines = [first, f"wavelength/nm  phase range/rad  covered of 2π/rad  lowest amplitude  mean power{last}"]
    for row in content["by_wavelength"]:
        share = f"  {row['first_order']:11.3f}" if known else ""
        lines.append(
            f"{row['wavelength_nm']:13.6g}  {row['phase_range_rad']:15.2f}  {row['covered_rad']:17.2f}"
            f"  {row['lowest_amplitude']:16.3f}  {row['mean_power']:10.3f}{share}"
        )
    return [*lines, *content.get("figures", [])]


def _above_one(found: AtomLibrary) -> list[str]:
    """A sentence on samples whose transmitted and reflected power exceed the incident power; none without any."""
    from metalens.formats.meta_atoms.energy import LARGEST_EXCESS, energy_excess

    excess = energy_excess(found)
    if excess is None:
        return []
    return [
        f"transmitted and reflected power exceed {1 + LARGEST_EXCESS:g} times the incident one in "
        f"{counted(excess.samples, 'sample')} of {excess.of}, up to {excess.largest:.3f} ({excess.place}): resonances "
        "for which the Fourier orders do not suffice"
    ]


def _report(found: AtomLibrary, output: Path, as_json: bool) -> None:
    import warnings

    from metalens.formats.files.errors import InputWarning

    content = {"output": str(output), **_summary(found), "by_wavelength": _by_wavelength(found)}
    ranges = [row["phase_range_rad"] for row in content["by_wavelength"]]
    sentence = (
        f"{output}: {counted(content['atoms'], 'meta-atom')} at {counted(content['wavelengths'], 'wavelength')}, "
        f"phase ranges {min(ranges):.2f} to {max(ranges):.2f} rad"
    )
    if "largest_error" in content:
        sentence += f"; at the last step to more orders t changed by {content['largest_error']:.2g} at most"
    for excess in _above_one(found):
        warnings.warn(
            f"{output}: {excess}; compute it with more orders (accuracy.most_orders).", InputWarning, stacklevel=2
        )
    answer(content, as_json, sentence)
