"""``metalens restore``: captures to photographs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from metalens.commands.answer import counted, tell_line
from metalens.commands.bank import given_banks
from metalens.commands.options import (
    PATH,
    SIDE,
    Number,
    Precision,
    dry_run_option,
    json_option,
    numbers,
    output_option,
    restorer_options,
    together,
)
from metalens.commands.plan import answer_plan
from metalens.commands.progress import share_progress
from metalens.commands.restore_by_filter import filter_captures
from metalens.commands.restored import answer_restored, distortion_for

if TYPE_CHECKING:
    from metalens.formats.pictures.picture_output import PictureForm


def _alphas(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[float, ...]:
    """Parse a comma-separated list of numbers."""
    del ctx, parameter
    found = numbers(value, Number())
    if found is None:
        raise click.BadParameter(f"{value!r} is not a number or a list such as 0,0.5,1.")
    return found


def _place(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """Parse ROW,COLUMN."""
    del ctx, parameter
    if value is None:
        return None
    found = numbers(value, click.IntRange(0, 2**16), count=2)
    if found is None:
        raise click.BadParameter(f"{value!r} is not ROW,COLUMN, such as 0,1200.")
    return found[0], found[1]


form_options = together(
    click.option(
        "--depth",
        type=click.Choice(["8", "16"]),
        default="8",
        show_default=True,
        help="Bits of a value; nothing is rounded before.",
    ),
    click.option(
        "--format", "container", type=click.Choice(["png", "tiff"]), default="png", show_default=True, help="Of sRGB."
    ),
    click.option("--linear", is_flag=True, help="Write linear light as OpenEXR, float32, instead of sRGB."),
)


@click.command(short_help="captures to photographs")
@click.argument("captures", nargs=-1, required=True)
@output_option("The folder of pictures to make.")
@restorer_options(default="metacamera")
@click.option(
    "--alpha",
    "alphas",
    default="0.75",
    show_default=True,
    callback=_alphas,
    help="From −1 to 2: 0 is faithful, 1 detailed; above 1 and below 0 extrapolate, to more detail or less. Each value "
    "of a list such as 0,0.5,1 costs one decode.",
)
@click.option(
    "--alpha-map",
    "alpha_map_path",
    type=PATH,
    help="A grey picture of the photograph's size instead of --alpha: black is 0, white 1.",
)
@click.option("--latents", type=PATH, help="A folder for the latents; pass it as CAPTURES later to decode other α.")
@click.option("--steps", type=click.IntRange(1, 4), default=1, show_default=True, help="Diffusion steps.")
@click.option(
    "--tile",
    type=SIDE,
    default=512,
    show_default=True,
    help="Largest side of a tile in pixels; larger pictures are split.",
)
@click.option(
    "--precision",
    type=Precision(),
    default="fp32",
    show_default=True,
    help="Precision of the networks.",
)
@click.option(
    "--psf", "psf_path", type=PATH, help="The captures' camera, if not the adapter's: psf.h5, preset, lens.toml."
)
@click.option(
    "--method",
    type=click.Choice(["restorer", "wiener-joint"]),
    default="restorer",
    show_default=True,
    help="wiener-joint: the Wiener filter over all colours with the PSFs of --psf, without networks.",
)
@click.option(
    "--noise-scale",
    type=Number(1e-3, 1e4),
    default=10.0,
    show_default=True,
    help="Of wiener-joint: multiple of the sensor's noise that the filter assumes; more is smoother.",
)
@click.option("--any-lens", is_flag=True, help="Accept captures of lenses on which the adapter was not trained.")
@click.option(
    "--consistent",
    is_flag=True,
    help="Apply data consistency with the PSFs of --psf or of the adapter: closer to the scene, but slower. An adapter "
    "with a trained block of its own needs no option.",
)
@click.option(
    "--without-consistency",
    is_flag=True,
    help="Leave out the trained block of the adapter: the picture of the networks alone, which costs a third less.",
)
@click.option(
    "--uncertainty",
    is_flag=True,
    help="Write a map of the expected error beside each picture, with the PSFs of --psf or of the adapter: "
    "black for none, white for 32/255 and more. metacamera-200um is not calibrated for it.",
)
@click.option(
    "--place",
    callback=_place,
    metavar="ROW,COLUMN",
    help="First pixel of the captures on the sensor, if they are parts of the frame.",
)
@click.option(
    "--undistort", is_flag=True, help="Take out the camera's distortion: straight lines stay straight behind a stop."
)
@form_options
@click.option("--frames", is_flag=True, help="The captures are frames of a sequence, as a video's: measure flicker.")
@click.option(
    "--steady",
    type=Number(0, 1),
    default=0.0,
    show_default=True,
    help="Share by which a frame's latents are drawn towards the previous frame's where the scene stands still.",
)
@click.option("--resume", is_flag=True, help="Continue an interrupted run, or one in which captures failed.")
@dry_run_option
@json_option
@click.pass_context
def restore(
    context: click.Context,
    captures: tuple[str, ...],
    output: Path,
    adapter: str,
    prior: str | None,
    alphas: tuple[float, ...],
    alpha_map_path: Path | None,
    latents: Path | None,
    steps: int,
    tile: int,
    precision: str,
    psf_path: Path | None,
    method: str,
    noise_scale: float,
    any_lens: bool,
    consistent: bool,
    without_consistency: bool,
    uncertainty: bool,
    place: tuple[int, int] | None,
    undistort: bool,
    depth: str,
    container: str,
    linear: bool,
    frames: bool,
    steady: float,
    resume: bool,
    device: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Restore CAPTURES: frames of the adapter's camera, as pictures, folders, videos, pairs, or stored latents.

    One diffusion step per picture, then one decode for each α. A capture that cannot be restored stops no other; the
    exit status is then 1. 'embedded:example' is a capture that comes with the package. Raw files of cameras, such as
    DNG, are read with the extra raw. See docs/restoration.md.
    """
    form = _form(context, depth, container, linear)
    if method == "wiener-joint":
        filter_captures(
            context, captures, output, psf_path, noise_scale, any_lens, place, undistort, form, resume, dry_run, as_json
        )
        return
    if context.get_parameter_source("noise_scale") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--noise-scale is of --method wiener-joint.")
    import torch

    from metalens.formats.captures.video import is_video
    from metalens.formats.files.atomic import require_apart, require_outside
    from metalens.formats.files.claim import check_claim
    from metalens.formats.files.errors import InputError
    from metalens.formats.psf.bank_file import as_bank
    from metalens.restore.adapter.adapter_file import load_restorer
    from metalens.restore.inference.capture_files import captures_of
    from metalens.restore.inference.capture_run import NOTE
    from metalens.restore.inference.data_consistency import DataConsistency
    from metalens.restore.inference.restoration import Settings, check_alphas
    from metalens.restore.inference.restored_files import RestoreOptions, read_alpha_map, restore_files, take_camera

    if alpha_map_path is not None and context.get_parameter_source("alphas") is not click.core.ParameterSource.DEFAULT:
        raise click.UsageError("give either --alpha or --alpha-map.")
    for folder in (output, latents):
        if folder is not None:
            check_claim(folder, NOTE, resume=resume)
            require_outside(folder, captures)
    require_apart(output, latents)
    alphas = check_alphas(alphas)
    settings = Settings(steps=steps, tile=tile, place=place)
    alpha_map = None if alpha_map_path is None else read_alpha_map(alpha_map_path)
    found = captures_of(captures)
    bank = None if psf_path is None else as_bank(given_banks([psf_path], dry_run=dry_run)[0])
    restorer = load_restorer(adapter, prior=prior)
    if without_consistency:
        if uncertainty:
            raise InputError("--uncertainty was calibrated with the adapter's block; leave out --without-consistency.")
        restorer.leave_out_consistency()
    if bank is not None:
        take_camera(restorer, bank, any_lens=any_lens)
    restorer.to(device, {"fp32": torch.float32, "bf16": torch.bfloat16}[precision])
    functions = bank or restorer.bank
    for wanted, option in ((consistent, "--consistent"), (uncertainty, "--uncertainty")):
        if wanted and functions is None:
            raise InputError(f"{option} needs --psf, the psf.h5 of the camera that took the captures.")
    if consistent and restorer.consistency is not None:
        tell_line("--consistent adds nothing: the adapter has a block of data consistency of its own.")
        consistent = False
    consistency = DataConsistency(functions, device=device) if consistent and functions is not None else None
    options = RestoreOptions(
        alphas,
        settings,
        alpha_map,
        any_lens,
        consistency,
        functions if uncertainty else None,
        form,
        sequence=frames or any(is_video(each) for each in captures),
        steady=steady,
        distortion=distortion_for(restorer.camera) if undistort else None,
    )
    if dry_run:
        from metalens.restore.inference.capture_files import CaptureFile
        from metalens.restore.inference.restored_files import check_files
        from metalens.workflows.restorer_estimates import restoring_estimate
        from metalens.workflows.simulation_estimates import with_simulations

        sizes, sensor = check_files(restorer, found, options, latents=latents), restorer.camera.sensor
        frame = next((each.read(sensor) for each in found if isinstance(each, CaptureFile)), None)
        pictures = (1 if alpha_map is not None else len(alphas), consistent, uncertainty)
        expected = restoring_estimate(restorer, frame, sizes, settings, *pictures)
        expected = with_simulations(expected, [] if bank is None else [bank])
        plan = {"output": str(output), "camera": restorer.camera.name, "captures": len(found)}
        answer_plan(plan, expected, as_json, f"would restore {counted(len(found), 'capture')} into {output}")
        return
    with share_progress("restore") as tell:
        done = restore_files(
            restorer,
            found,
            output,
            options,
            latents=latents,
            resume=resume,
            report=lambda done, total: tell(done / total, {}),
        )
    kept = {} if latents is None else {"latents": str(latents)}
    answer_restored(context, output, restorer.camera.name, done, len(found), kept, as_json)


def _form(context: click.Context, depth: str, container: str, linear: bool) -> PictureForm:
    from metalens.formats.pictures.picture_output import PictureForm

    if not linear:
        return PictureForm("tiff" if container == "tiff" else "png", 16 if depth == "16" else 8)
    given = click.core.ParameterSource.COMMANDLINE
    for name, option in (("depth", "--depth"), ("container", "--format")):
        if context.get_parameter_source(name) is given:
            raise click.UsageError(f"{option} is of sRGB; --linear writes OpenEXR in floats.")
    return PictureForm("exr", 16)
