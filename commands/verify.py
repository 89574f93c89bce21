"""``metalens verify``: supercells of a lens' zones against the local periodic approximation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer, counted
from metalens.commands.options import (
    Number,
    backend_options,
    backend_settings,
    dry_run_option,
    json_option,
    numbers,
    output_option,
    resume_option,
)
from metalens.commands.plan import answer_plan
from metalens.commands.progress import count_progress

if TYPE_CHECKING:
    from metalens.formats.meta_atoms.verification import Verification
    from metalens.formats.meta_atoms.whole_row import WholeRow
    from metalens.optics.verification import VerificationPlan
    from metalens.optics.verification.whole_row import Row


@click.command(short_help="compare zones with all neighbours (supercells) with the library")
@click.argument("lens")
@output_option("The folder to make: table, JSON and picture.")
@click.option("--wavelengths-nm", help="Comma-separated. [default: the design wavelength, or the middle of green]")
@click.option("--fields-deg", help="Comma-separated. [default: 0, half of the corner's angle, the corner's angle]")
@click.option("--zones", type=click.IntRange(1, 50), default=5, show_default=True, help="Number of zones.")
@click.option(
    "--most-pillars", type=click.IntRange(2, 24), default=10, show_default=True, help="Meta-atoms of the widest zone."
)
@click.option("--sagittal", is_flag=True, help="Also planes of incidence along the zones; takes eight times as long.")
@click.option(
    "--tolerance", type=Number(1e-4, 0.5), default=0.02, show_default=True, help="Largest change of a converged share."
)
@click.option(
    "--orders-per-pillar",
    default="9,15,25,40",
    show_default=True,
    help="Fourier orders per meta-atom to try, ascending, comma-separated.",
)
@click.option(
    "--constant-phases",
    type=click.IntRange(1, 16),
    default=4,
    show_default=True,
    help="Zones of each width, which differ in their constant phase; their mean counts.",
)
@click.option(
    "--whole-row", is_flag=True, help="Also all meta-atoms along the diameter as one supercell; for small lenses."
)
@backend_options
@resume_option
@dry_run_option
@json_option
def verify(
    lens: str,
    output: Path,
    wavelengths_nm: str | None,
    fields_deg: str | None,
    zones: int,
    most_pillars: int,
    sagittal: bool,
    tolerance: float,
    orders_per_pillar: str,
    constant_phases: int,
    whole_row: bool,
    backend_name: str,
    workers: int,
    slurm_options: tuple[str, ...],
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compute zones of LENS, a lens.toml, as supercells, with all neighbours of each meta-atom.

    Writes verification.json, verification.csv and verification.png: share of the light in the wanted order, in the
    undeflected one and in others, and the phase error, by radius, wavelength, angle and polarisation.
    Finished zones are kept in OUTPUT.parts until all are done; --resume continues from them. --whole-row adds
    whole_row.json and whole_row.png: line spread functions of the row of meta-atoms through the lens' centre, computed
    whole, by the local periodic approximation, and with the zones' correction.
    """
    import math
    import shutil
    from contextlib import closing

    from metalens.formats.camera.camera import read_camera
    from metalens.formats.files.atomic import require_new_directory
    from metalens.formats.files.claim import check_claim
    from metalens.optics.verification import plan_verification, verify_lens
    from metalens.optics.verification.run import ASKED, asked_of

    require_new_directory(output)
    parts = output.with_name(output.name + ".parts")
    chosen = _list("--wavelengths-nm", wavelengths_nm, Number(1, 1e6))
    fields = _list("--fields-deg", fields_deg, Number(0, 89))
    orders = _list("--orders-per-pillar", orders_per_pillar, click.IntRange(3, 400))
    assert orders is not None
    if len(orders) < 2 or list(orders) != sorted(set(orders)):
        raise click.UsageError("--orders-per-pillar takes two or more numbers that ascend, such as 9,15,25,40.")
    plan = plan_verification(
        read_camera(lens),
        wavelengths=None if chosen is None else [1e-9 * each for each in chosen],
        fields=None if fields is None else [math.radians(each) for each in fields],
        zones=zones,
        most_pillars=most_pillars,
        sagittal=sagittal,
        tolerance=tolerance,
        orders_per_atom=orders,
        constant_phases=constant_phases,
    )
    row = None
    if whole_row:
        from metalens.optics.verification.whole_row import row_of

        row = row_of(plan)
    check_claim(parts, ASKED, resume=resume, asked=asked_of(plan))
    backend = backend_settings(backend_name, workers, slurm_options)
    if dry_run:
        from metalens.workflows.simulation_estimates import verification_estimate

        told, sentence = _plan(plan, row, output)
        answer_plan(told, verification_estimate(plan, row, workers=backend.workers), as_json, sentence)
        return
    with closing(backend.open(output, {})) as runner, count_progress("zones", "zone") as tell:
        found = verify_lens(plan, parts, runner, resume=resume and parts.exists(), progress=tell)
    made = None
    if row is not None:
        from metalens.optics.verification import whole_row as rows

        with count_progress("whole row", "function") as tell:
            made = rows.whole_row(plan, row, found, tell)
    _write(found, made, output)
    shutil.rmtree(parts)
    answer(_summary(found, made, output), as_json, _text(found, made, output))


def _range_of(kind: Number | click.IntRange) -> str:
    return f"{kind.min:g} to {kind.max:g}"


_MOST_VALUES = 32
"""Largest number of a list; each multiplies the time."""


def _list(option: str, value: str | None, kind: Number | click.IntRange) -> tuple[Any, ...] | None:
    if value is None:
        return None
    found = numbers(value, kind)
    if found is None:
        raise click.UsageError(f"{option} {value!r}: expected numbers with commas, each {_range_of(kind)}.")
    if len(found) > _MOST_VALUES or len(set(found)) < len(found):
        raise click.UsageError(f"{option}: has {len(found)} numbers; give {_MOST_VALUES} at most, each once.")
    return found


def _plan(plan: VerificationPlan, row: Row | None, output: Path) -> tuple[dict[str, Any], str]:
    import math

    told = {
        "camera": plan.camera.name,
        "library": plan.library.name,
        "zones": {str(count): 1e6 * radius for count, radius in plan.zones.items()},
        "wavelengths_nm": [1e9 * each for each in plan.wavelengths],
        "fields_deg": [math.degrees(each) for each in plan.fields],
        "incidences": len(plan.incidences),
        "row": None if row is None else len(row.place),
        "output": str(output),
    }
    more = "" if row is None else f", and {counted(len(row.place), 'meta-atom')} along the diameter together"
    sentence = (
        f"would compute {counted(len(plan.zones), 'zone')} of {', '.join(map(str, plan.zones))} meta-atoms at "
        f"{counted(len(plan.wavelengths), 'wavelength')} and {counted(len(plan.incidences), 'incidence')}, both "
        f"polarisations{more}, into {output}"
    )
    return told, sentence


def _write(found: Verification, row: WholeRow | None, output: Path) -> None:
    from functools import partial

    from metalens.formats.drawing.style import save_figure
    from metalens.formats.drawing.verification import verification_figure
    from metalens.formats.files.atomic import atomic_directory
    from metalens.formats.meta_atoms.verification import csv_of

    with atomic_directory(output) as part:
        (part / "verification.json").write_text(found.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")
        (part / "verification.csv").write_text(csv_of(found), encoding="utf-8")
        save_figure(part, "verification", partial(verification_figure, found), {"png": 150})
        if row is not None:
            from metalens.formats.drawing.whole_row import whole_row_figure

            (part / "whole_row.json").write_text(row.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")
            save_figure(part, "whole_row", partial(whole_row_figure, row), {"png": 150})


def _summary(found: Verification, row: WholeRow | None, output: Path) -> dict[str, Any]:
    worst = max(found.zones, key=lambda zone: abs(zone.supercell - zone.local))
    return {
        "output": str(output),
        "camera": found.camera,
        "rows": len(found.zones),
        "unconverged": found.unconverged,
        "largest_difference": worst.model_dump(mode="json"),
        "whole_row": None if row is None else row.model_dump(mode="json", by_alias=True),
    }


def _text(found: Verification, row: WholeRow | None, output: Path) -> list[str]:
    lines = [f"{output}: {len(found.zones)} rows"]
    lines.append(
        "radius/um  pillars  wavelength/nm  field/deg  azimuth  pol.  local  supercell  phase error/rad  uncertainty"
    )
    lines += [
        f"{zone.radius_um:9.4g}  {zone.pillars:7d}  {zone.wavelength_nm:13.5g}  {zone.field_deg:9.3g}  "
        f"{zone.azimuth_deg:7.3g}  {zone.polarisation:>4}  {zone.local:5.3f}  {zone.supercell:9.3f}  "
        f"{zone.phase_error_rad:15.2f}  {zone.uncertainty or 0:11.3f}{'' if zone.converged else '  not converged'}"
        for zone in found.zones
    ]
    if found.unconverged:
        lines.append(
            f"{found.unconverged} rows have not converged: shares still changed by more than {found.tolerance:g} at "
            "the last step to more Fourier orders; raise the last number of --orders-per-pillar."
        )
    return lines if row is None else lines + _text_of_row(row)


def _text_of_row(row: WholeRow) -> list[str]:
    lines = [
        f"{row.meta_atoms} meta-atoms along the diameter, computed together with {row.orders_per_pillar} Fourier "
        "orders each: light in the line spread function, and distances from it (relative L2)",
        "wavelength/nm  field/deg  pol.  light: whole  local  corrected  distance: local  corrected  change by orders",
    ]
    for each in row.functions:
        light, distance = (
            "        –" if value is None else f"{value:9.3f}"
            for value in (each.light_corrected, each.distance_corrected)
        )
        lines.append(
            f"{each.wavelength_nm:13.5g}  {each.field_deg:9.3g}  {each.polarisation:>4}  {each.light_whole:12.3f}  "
            f"{each.light_local:5.3f}  {light}  {each.distance_local:15.3f}  {distance}  {each.change:16.3f}"
        )
    if row.uncorrected is not None:
        lines.append(f"no correction by zones: {row.uncorrected}")
    return lines
