"""What a benchmark was not given, made into its folder by commands that a user could type; what is there is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from metalens.formats.files.extras import require
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank import read_psf_bank
from metalens.restore.bench.inputs import Inputs
from metalens.restore.bench.plan import INPUTS
from metalens.restore.metrics.edge_chart import SMALLEST_SIDE, edge_chart
from metalens.workflows.command import run_command

Say = Callable[[str], None]
"""Told each command before it runs."""


def make_inputs(
    folder: Path,
    *,
    lens: str | None,
    photos: Sequence[str],
    test_photos: Sequence[str],
    count: int,
    psf: Path | None = None,
    pairs: Path | None = None,
    test: Sequence[Path] = (),
    chart: Path | None = None,
    with_chart: bool = True,
    say: Say,
) -> Inputs:
    """Make what is not given.

    Args:
        folder: where to.
        lens: ``lens.toml`` or a preset, if ``psf`` is not given.
        photos: that pairs are made of.
        test_photos: that methods are judged on; none of them may be among ``photos``.
        count: pairs to make.
        psf: the camera's bank.
        pairs: clean and captured pictures to fit to.
        test: clean and captured whole frames to judge on; each folder is a set of its own.
        chart: the chart of edges and its capture, as pairs.
        with_chart: whether a chart is wanted at all.
        say: told what is made.

    Raises:
        InputError: a command failed; what it said stands above. Or the embedded photographs are not installed.
    """
    sources = [*(photos if pairs is None else ()), *(() if test else test_photos)]
    if any(source.startswith("embedded") for source in sources):
        require("embedded photographs", "skimage", "sklearn")
    made = folder / INPUTS
    made.mkdir(parents=True, exist_ok=True)
    if psf is None:
        psf = made / "psf.h5"
        if not psf.is_file():
            run_command("psf", ["psf", str(lens), "-o", str(psf)], say)
    if pairs is None:
        pairs = made / "pairs"
        _synth(photos, pairs, psf, ["--count", str(count)], say)
    if not test:
        test = [made / "test"]
        _synth(test_photos, test[0], psf, ["--whole", "--seed", "1"], say)
    if chart is None and with_chart:
        chart = _make_chart(made, psf, say)
    return Inputs(psf, pairs, tuple(test), chart)


def _make_chart(made: Path, psf: Path, say: Say) -> Path | None:
    """The chart as the camera sees it; ``None`` for sensors that are too small for one."""
    pixels = read_psf_bank(psf).camera.sensor.pixels
    if min(pixels) < SMALLEST_SIDE:
        say(f"no chart of edges: the sensor has {pixels[0]} × {pixels[1]} pixels, a chart needs {SMALLEST_SIDE}.")
        return None
    picture = made / "chart.png"
    if not picture.is_file():
        write_picture(picture, edge_chart(pixels))
    _synth([str(picture)], made / "chart", psf, ["--whole", "--seed", "2"], say)
    return made / "chart"


def _synth(photos: Sequence[str], output: Path, psf: Path, options: Sequence[str], say: Say) -> None:
    # It goes on where it was stopped, and does nothing where all is there.
    resume = ["--resume"] if output.is_dir() else []
    run_command("synth", ["synth", *photos, "-o", str(output), "--psf", str(psf), *options, *resume], say)
