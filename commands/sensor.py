"""``metalens sensor``: calibration of a sensor from its own frames."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer
from metalens.commands.new_file import claim_new_file
from metalens.commands.options import PATH, json_option


@click.group(short_help="calibrate a sensor from its frames")
def sensor() -> None:
    """Measure the parameters of a sensor for the lens.toml. Commands take --json."""


@sensor.command(short_help="gain, noise and full well from flat fields")
@click.argument("flats", nargs=-1, required=True, type=PATH)
@click.option("--dark", required=True, type=PATH, help="Frames without light: a stack, or a folder of frames.")
@click.option("-o", "--output", type=PATH, help="The sensor.toml to write. [default: print only]")
@click.option(
    "--bit-depth", type=click.IntRange(4, 16), help="Bit depth of the frames. [default: from the largest value]"
)
@json_option
def calibrate(flats: tuple[Path, ...], dark: Path, output: Path | None, bit_depth: int | None, as_json: bool) -> None:
    """Measure a sensor's gain, noise and full well from flat fields, by the photon-transfer curve of EMVA 1288.

    FLATS are levels of uniform light from dark to saturated, at least two raw frames each: a stack (.npy, .tif, .h5) or
    a folder of frames for each level, or a folder of those. A lens.toml uses the result by preset = "sensor.toml" in
    its table [sensor].
    """
    from dataclasses import asdict

    from metalens.formats.camera.sensor_preset import dump_sensor_preset
    from metalens.formats.captures.flat_fields import list_flat_fields
    from metalens.formats.files.atomic import write_text
    from metalens.formats.files.errors import InputError
    from metalens.synth.sensor import calibrate_sensor

    if output is not None:
        claim_new_file(output)
    darks = list_flat_fields([dark])
    if len(darks) != 1:
        raise InputError(f"{dark}: holds {len(darks)} levels; the dark frames are one stack or one folder of frames.")
    found = calibrate_sensor(list_flat_fields(flats), darks[0], bit_depth=bit_depth)
    text = dump_sensor_preset(found.sensor_table(), f"Calibrated from {found.levels} levels of light by EMVA 1288.")
    if output is not None:
        write_text(output, text)
    bound = " at most, for the steps of the numbers" if found.limited_by_quantisation else ""
    sentence = (
        f"K {found.system_gain:.4g} DN/e⁻, read noise {found.read_noise_e:.3g} e⁻{bound}, full well "
        f"{found.full_well_e:.5g} e⁻, PRNU {found.prnu_percent:.2g} %, DSNU {found.dsnu_e:.2g} e⁻, from {found.levels} "
        "levels"
    )
    if found.step != 1:
        sentence += f"; the files' numbers go in steps of {found.step:.5g}, and DN is such a step"
    where = [f"{output}: {sentence}"] if output is not None else [*text.rstrip().splitlines(), f"# {sentence}"]
    answer({"output": str(output) if output is not None else None, **asdict(found)}, as_json, where)
