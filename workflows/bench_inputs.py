"""Generate a benchmark's missing inputs in its folder, by normal commands; existing ones are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from metalens.formats.files.atomic import folders_for
from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import require
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.restore.bench.inputs import Inputs
from metalens.restore.bench.plan import INPUTS
from metalens.restore.metrics.edge_chart import SMALLEST_SIDE, edge_chart
from metalens.workflows.command import run_command

Say = Callable[[str], None]
"""Called with each command before it runs."""


@dataclass(frozen=True)
class WantedInputs:
    """The inputs of a benchmark: given ones, and the sources of those that are missing.

    Attributes:
        photos: photographs for training pairs.
        test_photos: photographs for test pairs; none of them may be among ``photos``.
        count: training pairs to make.
        lens: ``lens.toml`` or a preset, if ``psf`` is not given.
        psf: the camera's bank.
        pairs: folder of training pairs.
        test: folders of test pairs, whole frames; each folder is a set of its own.
        chart: folder of pairs with the edge chart.
        no_chart: leave the edge chart out.
    """

    photos: Sequence[str]
    test_photos: Sequence[str]
    count: int
    lens: str | None = None
    psf: Path | None = None
    pairs: Path | None = None
    test: Sequence[Path] = ()
    chart: Path | None = None
    no_chart: bool = False


def make_inputs(folder: Path, wanted: WantedInputs, say: Say) -> Inputs:
    """Generate the inputs that are not given.

    Args:
        folder: folder of the benchmark.
        wanted: what is given, and the sources of the rest.
        say: called with each command before it runs.

    Returns:
        Files and folders of the inputs, both the given and the generated ones.

    Raises:
        InputError: a command failed; its own error is on stderr. Or the embedded photographs are not installed.
    """
    psf, pairs, test, chart = wanted.psf, wanted.pairs, wanted.test, wanted.chart
    sources = [*(wanted.photos if pairs is None else ()), *(() if test else wanted.test_photos)]
    if any(source.startswith("embedded") for source in sources):
        require("embedded photographs", "skimage", "sklearn")
    made = folder / INPUTS
    if psf is not None and pairs is not None and test and (chart is not None or wanted.no_chart):
        return Inputs(psf, pairs, tuple(test), chart)
    with folders_for(folder, made):
        try:
            return _made_inputs(made, wanted, say)
        except InputError as error:
            if not any(made.iterdir()):
                raise
            told = str(error).rstrip(".")
            raise InputError(
                f"{told}; what was made stays in {made}, the same command goes on with --resume."
            ) from error


def _made_inputs(made: Path, wanted: WantedInputs, say: Say) -> Inputs:
    psf, pairs, test, chart = wanted.psf, wanted.pairs, wanted.test, wanted.chart
    if psf is None:
        psf = made / "psf.h5"
        if not psf.is_file():
            run_command("psf", ["psf", str(wanted.lens), "-o", str(psf)], say)
    if pairs is None:
        pairs = made / "pairs"
        _synth(wanted.photos, pairs, psf, ["--count", str(wanted.count)], say)
    if not test:
        test = [made / "test"]
        _synth(wanted.test_photos, test[0], psf, ["--whole", "--seed", "1"], say)
    if chart is None and not wanted.no_chart:
        chart = _make_chart(made, psf, say)
    return Inputs(psf, pairs, tuple(test), chart)


def _make_chart(made: Path, psf: Path, say: Say) -> Path | None:
    """Simulate the capture of the edge chart; ``None`` for sensors that are too small."""
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
    # The command resumes an interrupted run, and does nothing if all shards exist.
    resume = ["--resume"] if output.is_dir() else []
    run_command("synth", ["synth", *photos, "-o", str(output), "--psf", str(psf), *options, *resume], say)
