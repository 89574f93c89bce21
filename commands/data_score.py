"""``metalens data score``: metrics of restored pictures against the clean pictures of pairs."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer
from metalens.commands.options import PATH, device_option, json_option
from metalens.commands.progress import count_progress


@click.command(short_help="metrics of restored pictures")
@click.argument("pairs", type=PATH)
@click.argument("restored", type=PATH)
@click.option(
    "--metrics", default="psnr,ssim,st_lpips,lpips", show_default=True, help="Comma-separated; 'all' takes every one."
)
@device_option
@json_option
def score(pairs: Path, restored: Path, metrics: str, device: str, as_json: bool) -> None:
    """Compare RESTORED, which metalens restore made of PAIRS, with their clean pictures: means for each α.

    It needs no point spread functions. Metrics that cannot be computed on this machine are named with the reason.
    """
    from metalens.restore.report.scores import score_restored

    with count_progress("score", "picture") as tell:
        found = score_restored(pairs, restored, metrics.split(","), device, tell)
    rows = [
        f"{version:>12}  " + "  ".join(f"{key} {value:.4f}" for key, value in figures.items())
        for version, figures in found.means.items()
    ]
    missing = [f"{key}: not computed, {reason}" for key, reason in found.missing.items()]
    answer({"pictures": found.pictures, "means": found.means, "missing": found.missing}, as_json, [*rows, *missing])
