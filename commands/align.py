"""``metalens align``: pairs from captures of a screen, and the pictures to display on it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.align_screens import screens
from metalens.commands.align_target import target
from metalens.commands.answer import answer, counted, tell_skipped
from metalens.commands.default_group import DefaultGroup
from metalens.commands.options import PATH, SHARD_SIZE, dry_run_option, json_option, output_option, resume_option
from metalens.commands.plan import answer_plan
from metalens.commands.progress import count_progress

if TYPE_CHECKING:
    from metalens.formats.captures.screen_captures import AlignmentSet
    from metalens.synth.alignment import AlignmentReport, RigCalibration


@click.command(short_help="pairs from captures of a screen")
@click.argument("captures", type=PATH)
@output_option("The folder of pairs to make.")
@click.option("--figures", type=PATH, help="A new folder for drawings of the calibration, and alignment.json.")
@click.option("--shard-size", type=SHARD_SIZE, default=64, show_default=True, help="Pairs per file.")
@click.option("--strict", is_flag=True, help="Stop at an unusable capture instead of skipping it.")
@resume_option
@dry_run_option
@json_option
def pairs(
    captures: Path,
    output: Path,
    figures: Path | None,
    shard_size: int,
    strict: bool,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make pixel-aligned pairs from captures of a screen. CAPTURES is the TOML file that lists them.

    The fixed rig is calibrated once, from captures of dots and of plain screens. Each displayed picture is then
    resampled to the sensor's grid, as linear light. Saturated, shifted or unsharp captures are skipped, each with its
    reason.
    """
    from metalens.formats.captures.screen_captures import read_alignment_set
    from metalens.formats.files.atomic import require_apart, require_new_directory
    from metalens.formats.files.claim import check_claim
    from metalens.formats.pairs.manifest import MANIFEST
    from metalens.synth.alignment import align_captures, calibrate_rig

    begun = time.perf_counter()
    check_claim(output, MANIFEST, resume=resume)
    require_apart(output, figures)
    if figures is not None:
        require_new_directory(figures, "--figures")
    listed = read_alignment_set(captures)
    rig = calibrate_rig(listed)
    with count_progress("align", "capture") as tell:
        report = align_captures(
            listed,
            rig,
            None if dry_run else output,
            shard_size=shard_size,
            strict=strict,
            resume=resume,
            progress=tell,
        )
    tell_skipped(report.skipped)
    found = _found(rig, report)
    if figures is not None:
        _draw(figures, listed, rig, report, found)
    residual = found["calibration"]["residual_px"]
    text = (
        f"{found['calibration']['dots']} dots, {residual['mean']:.3f} px off in the mean and {residual['max']:.3f} px "
        f"at most ({found['calibration']['model']}); {counted(len(report.skipped), 'capture')} left out"
    )
    if dry_run:
        from metalens.workflows.simulation_estimates import done_estimate

        # Three pictures a pair, of which compression leaves about half.
        rows, columns = rig.region[2:]
        cost = done_estimate(len(report.usable) * 9 * rows * columns / 2, begun)
        made = counted(len(report.usable), "pair")
        answer_plan({"output": None, **found}, cost, as_json, f"would make {made} in {output}; {text}")
    else:
        answer({"output": str(output), **found}, as_json, f"{output}: {counted(len(report.usable), 'pair')}; {text}")


def _found(rig: RigCalibration, report: AlignmentReport) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "count": len(report.usable),
        "made": report.made,
        "captures": [asdict(each.figures) for each in report.usable],
        "skipped": [{"name": each.name, "reason": each.reason} for each in report.skipped],
        "calibration": rig.figures(),
    }


def _draw(
    folder: Path, listed: AlignmentSet, rig: RigCalibration, report: AlignmentReport, found: dict[str, Any]
) -> None:
    import json

    from metalens.formats.files.atomic import atomic_directory
    from metalens.synth.alignment.captured_pairs import make_pair
    from metalens.synth.alignment.pictures import write_alignment_pictures

    with atomic_directory(folder) as part:
        paths = write_alignment_pictures(rig, part, pair=make_pair(listed, rig, report.usable[0].capture))
        (part / "alignment.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        found["figures"] = [str(folder / path.name) for path in paths]


align = DefaultGroup(
    "align",
    default=pairs,
    others=[target, screens],
    short_help="pairs from captures of a screen",
    epilog="A list of captures that has the name of one of these commands is given with its folder: ./target.",
)
