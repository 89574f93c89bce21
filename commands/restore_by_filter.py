"""``metalens restore --method wiener-joint``: captures to pictures by a filter, without networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from metalens.commands.answer import counted
from metalens.commands.bank import given_banks
from metalens.commands.plan import answer_plan
from metalens.commands.progress import share_progress
from metalens.commands.restored import answer_restored, distortion_for

if TYPE_CHECKING:
    from metalens.formats.pictures.picture_output import PictureForm

OF_THE_RESTORER = {
    "adapter": "--adapter",
    "prior": "--prior",
    "device": "--device",
    "alphas": "--alpha",
    "alpha_map_path": "--alpha-map",
    "latents": "--latents",
    "steps": "--steps",
    "tile": "--tile",
    "precision": "--precision",
    "consistent": "--consistent",
    "uncertainty": "--uncertainty",
    "frames": "--frames",
    "steady": "--steady",
}
"""Parameter → option that means nothing to a filter."""


def filter_captures(
    context: click.Context,
    captures: tuple[str, ...],
    output: Path,
    psf_path: Path | None,
    noise_scale: float,
    any_lens: bool,
    place: tuple[int, int] | None,
    undistort: bool,
    form: PictureForm,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Filter captures as ``metalens restore --method wiener-joint`` was asked to.

    Args:
        context: of the command, which tells what was given.
        captures: files and folders.
        output: the new folder.
        psf_path: the camera's psf.h5, a preset or a lens.toml.
        noise_scale: of the filter.
        any_lens: accept pairs of other cameras than the bank's.
        place: (row, column) of a part of the frame on the sensor.
        undistort: whether the pictures are written without the camera's distortion.
        form: container and bits of the pictures.
        resume: go on with an interrupted run.
        dry_run: check and estimate alone.
        as_json: print one JSON object.

    Raises:
        InputError: the camera is not given, or no capture can be used.
        UsageError: an option of the restorer was given.
    """
    from metalens.formats.files.atomic import require_outside
    from metalens.formats.files.claim import check_claim
    from metalens.formats.files.errors import InputError
    from metalens.formats.psf.bank_file import as_bank
    from metalens.restore.inference.capture_files import captures_of
    from metalens.restore.inference.capture_run import NOTE
    from metalens.restore.inference.filtered_files import FilterOptions, filter_files

    given = click.core.ParameterSource.COMMANDLINE
    wrong = [option for name, option in OF_THE_RESTORER.items() if context.get_parameter_source(name) is given]
    if wrong:
        raise click.UsageError(f"{', '.join(wrong)}: of the restorer; leave out with --method wiener-joint.")
    if psf_path is None:
        raise InputError("--method wiener-joint needs --psf, the psf.h5 of the camera that took the captures.")
    check_claim(output, NOTE, resume=resume)
    require_outside(output, captures)
    found, bank = captures_of(captures), as_bank(given_banks([psf_path], dry_run=dry_run)[0])
    options = FilterOptions(
        noise_scale, place, any_lens, form, distortion=distortion_for(bank.camera) if undistort else None
    )
    if dry_run:
        from metalens.restore.deconvolution.joint_wiener import wiener_joint
        from metalens.restore.inference.filtered_files import check_filtered
        from metalens.workflows.restorer_estimates import filtering_estimate
        from metalens.workflows.simulation_estimates import with_simulations

        files, sensor = check_filtered(bank, found, any_lens=any_lens), bank.camera.sensor
        frame = files[0].read(sensor)
        sizes = [(each.shape[0], each.shape[1]) for each in (file.read(sensor) for file in files)]
        at = files[0].place or place
        expected = filtering_estimate(frame, sizes, lambda: wiener_joint(frame, bank, noise_scale, place=at))
        plan = {"output": str(output), "camera": bank.camera.name, "captures": len(found)}
        expected = with_simulations(expected, [bank])
        answer_plan(plan, expected, as_json, f"would filter {counted(len(found), 'capture')} into {output}")
        return
    with share_progress("restore") as tell:
        done = filter_files(
            bank,
            found,
            output,
            options,
            resume=resume,
            report=lambda done, total: tell(done / total, {}),
        )
    answer_restored(context, output, bank.camera.name, done, len(found), {}, as_json)
