"""``metalens restore``: captures to photographs."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer, counted
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
)
from metalens.commands.plan import answer_plan
from metalens.commands.progress import share_progress


def _alphas(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[float, ...]:
    """Parse a comma-separated list of numbers."""
    del ctx, parameter
    found = numbers(value, Number(-100, 100))
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
    help="0 is faithful, 1 detailed, above 1 extrapolates; each value of a list such as 0,0.5,1 costs one decode.",
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
    help="Apply data consistency with the PSFs of --psf or of the adapter: closer to the scene, but slower.",
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
    uncertainty: bool,
    place: tuple[int, int] | None,
    device: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Restore CAPTURES: frames of the adapter's camera, as files or folders of pictures, pairs, or stored latents.

    One diffusion step per picture, then one decode for each α. See docs/restoration.md.
    """
    if method == "wiener-joint":
        _filter(context, captures, output, psf_path, noise_scale, any_lens, place, dry_run, as_json)
        return
    if context.get_parameter_source("noise_scale") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--noise-scale is of --method wiener-joint.")
    import torch

    from metalens.formats.files.atomic import require_apart, require_new_directory, require_outside
    from metalens.formats.files.errors import InputError
    from metalens.formats.psf.bank_file import as_bank
    from metalens.restore.adapter.adapter_file import load_restorer
    from metalens.restore.inference.data_consistency import DataConsistency
    from metalens.restore.inference.restoration import Settings, check_alphas
    from metalens.restore.inference.restored_files import (
        RestoreOptions,
        captures_of,
        read_alpha_map,
        restore_files,
        take_camera,
    )

    if alpha_map_path is not None and context.get_parameter_source("alphas") is not click.core.ParameterSource.DEFAULT:
        raise click.UsageError("give either --alpha or --alpha-map.")
    for folder in (output, latents):
        if folder is not None:
            require_new_directory(folder)
            require_outside(folder, captures)
    require_apart(output, latents)
    alphas = check_alphas(alphas)
    settings = Settings(steps=steps, tile=tile, place=place)
    alpha_map = None if alpha_map_path is None else read_alpha_map(alpha_map_path)
    found = captures_of(captures)
    bank = None if psf_path is None else as_bank(given_banks([psf_path], dry_run=dry_run)[0])
    restorer = load_restorer(adapter, prior=prior)
    if bank is not None:
        take_camera(restorer, bank, any_lens=any_lens)
    restorer.to(device, {"fp32": torch.float32, "bf16": torch.bfloat16}[precision])
    functions = bank or restorer.bank
    for wanted, option in ((consistent, "--consistent"), (uncertainty, "--uncertainty")):
        if wanted and functions is None:
            raise InputError(f"{option} needs --psf, the psf.h5 of the camera that took the captures.")
    consistency = DataConsistency(functions, device=device) if consistent and functions is not None else None
    options = RestoreOptions(alphas, settings, alpha_map, any_lens, consistency, functions if uncertainty else None)
    if dry_run:
        from metalens.restore.inference.restored_files import CaptureFile, check_files
        from metalens.workflows.restorer_estimates import restoring_estimate

        sizes = check_files(restorer, found, options, latents=latents)
        frame = next((each.read() for each in found if isinstance(each, CaptureFile)), None)
        pictures = (1 if alpha_map is not None else len(alphas), consistent, uncertainty)
        expected = restoring_estimate(restorer, frame, sizes, settings, *pictures)
        plan = {"output": str(output), "camera": restorer.camera.name, "captures": len(found)}
        answer_plan(plan, expected, as_json, f"would restore {counted(len(found), 'capture')} into {output}")
        return
    with share_progress("restore") as tell:
        rows = restore_files(
            restorer, found, output, options, latents=latents, report=lambda done, total: tell(done / total, {})
        )
    figures = {"output": str(output), "camera": restorer.camera.name, "restored": rows}
    if latents is not None:
        figures["latents"] = str(latents)
    answer(figures, as_json, f"{output}: {counted(len(rows), 'picture')} from {counted(len(found), 'capture')}")


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
}
"""Parameter → option that means nothing to a filter."""


def _filter(
    context: click.Context,
    captures: tuple[str, ...],
    output: Path,
    psf_path: Path | None,
    noise_scale: float,
    any_lens: bool,
    place: tuple[int, int] | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """``--method wiener-joint``."""
    from metalens.formats.files.atomic import require_new_directory, require_outside
    from metalens.formats.files.errors import InputError
    from metalens.formats.psf.bank_file import as_bank
    from metalens.restore.inference.filtered_files import filter_files
    from metalens.restore.inference.restored_files import captures_of

    given = click.core.ParameterSource.COMMANDLINE
    wrong = [option for name, option in OF_THE_RESTORER.items() if context.get_parameter_source(name) is given]
    if wrong:
        raise click.UsageError(f"{', '.join(wrong)}: of the restorer; leave out with --method wiener-joint.")
    if psf_path is None:
        raise InputError("--method wiener-joint needs --psf, the psf.h5 of the camera that took the captures.")
    require_new_directory(output)
    require_outside(output, captures)
    found, bank = captures_of(captures), as_bank(given_banks([psf_path], dry_run=dry_run)[0])
    if dry_run:
        from metalens.restore.deconvolution.joint_wiener import wiener_joint
        from metalens.restore.inference.filtered_files import check_filtered
        from metalens.workflows.restorer_estimates import filtering_estimate

        files = check_filtered(bank, found, any_lens=any_lens)
        frame, sizes = files[0].read(), [(each.shape[0], each.shape[1]) for each in (file.read() for file in files)]
        at = files[0].place or place
        expected = filtering_estimate(frame, sizes, lambda: wiener_joint(frame, bank, noise_scale, place=at))
        plan = {"output": str(output), "camera": bank.camera.name, "captures": len(found)}
        answer_plan(plan, expected, as_json, f"would filter {counted(len(found), 'capture')} into {output}")
        return
    with share_progress("restore") as tell:
        rows = filter_files(
            bank,
            found,
            output,
            noise_scale,
            place=place,
            any_lens=any_lens,
            report=lambda done, total: tell(done / total, {}),
        )
    figures = {"output": str(output), "camera": bank.camera.name, "restored": rows}
    answer(figures, as_json, f"{output}: {counted(len(rows), 'picture')} from {counted(len(found), 'capture')}")
