"""What a benchmark works on: point spread functions, pairs, captures, the chart.

What was given is checked. What nobody gave is made into the benchmark's folder, each by the command that a user would
type, in a process of its own; what is there is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from metalens.formats.errors import InputError
from metalens.formats.pairs import Pairs, read_pairs, require_same_camera
from metalens.formats.pictures import write_picture
from metalens.formats.psf_bank import PsfBank, read_psf_bank
from metalens.restore.bench.judged_sets import read_test_sets
from metalens.restore.bench.plan import INPUTS
from metalens.restore.metrics.edge_chart import SMALLEST_SIDE, edge_chart
from metalens.restore.metrics.slanted_edge import resolution
from metalens.restore.stage import run_stage

Say = Callable[[str], None]
"""Told each command before it runs."""


@dataclass(frozen=True)
class Inputs:
    """Where everything lies."""

    psf: Path
    pairs: Path
    test: tuple[Path, ...]
    chart: Path | None


def check_inputs(
    *,
    psf: str | Path | None,
    pairs: str | Path | None,
    test: Sequence[str | Path],
    crop: int,
    chart: str | Path | None = None,
) -> None:
    """Refuse what no method could work with. What is still to be made is ``None``, or no ``test``.

    Args:
        psf: the camera's bank.
        pairs: that methods are fitted to.
        test: folders of pairs that they are judged on.
        crop: side of a training crop in pixels.
        chart: the chart of edges and its capture, as pairs.

    Raises:
        InputError: files of another camera, no whole frames to judge on, pairs smaller than the crop, or a chart that
            is none.
    """
    bank = None if psf is None else read_psf_bank(psf)
    fitted_to = None if pairs is None else read_pairs(pairs)
    tests = read_test_sets(test)
    if chart is not None:
        _check_chart(read_pairs(chart), bank)
    if bank is not None:
        for each in (*(() if fitted_to is None else (fitted_to,)), *tests.values()):
            require_same_camera(each, bank)
        for each in tests.values():
            found, wanted = each.manifest.pixels, bank.camera.sensor.pixels
            if found != wanted:
                raise InputError(
                    f"{each.folder}: pictures of {' × '.join(map(str, found))} pixels, methods are judged on whole "
                    f"frames of {' × '.join(map(str, wanted))}; make them with metalens synth --whole."
                )
    if fitted_to is not None:
        if min(fitted_to.manifest.pixels) < crop:
            raise InputError(
                f"{fitted_to.folder}: pairs of {min(fitted_to.manifest.pixels)} pixels are smaller than the crop of "
                f"{crop}; lower --crop, or make larger pairs."
            )
        if not len(fitted_to.of_split("train")):
            raise InputError(f"{fitted_to.folder}: has no pairs of the training side of its split; make more.")


def _check_chart(pairs: Pairs, bank: PsfBank | None) -> None:
    if bank is not None:
        require_same_camera(pairs, bank)
    clean, _ = pairs[0]
    if min(clean.shape[:2]) < SMALLEST_SIDE or math.isnan(resolution(clean)["whole"]):
        raise InputError(
            f"{pairs.folder}: its first picture shows no chart of edges; leave --chart out, and one is sent through "
            "the camera, or measure no resolution with --no-chart."
        )


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
        InputError: a command failed; what it said stands above.
    """
    made = folder / INPUTS
    made.mkdir(parents=True, exist_ok=True)
    if psf is None:
        psf = made / "psf.h5"
        if not psf.is_file():
            run_stage("psf", ["psf", str(lens), "-o", str(psf)], say)
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
    run_stage("synth", ["synth", *photos, "-o", str(output), "--psf", str(psf), *options, *resume], say)
