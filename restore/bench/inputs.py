"""Inputs of a benchmark (bank, pairs, captures, edge chart) and their checks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import Pairs, read_pairs, require_same_camera
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.restore.bench.judged_sets import read_test_sets
from metalens.restore.metrics.edge_chart import SMALLEST_SIDE
from metalens.restore.metrics.slanted_edge import resolution


@dataclass(frozen=True)
class Inputs:
    """Paths of the inputs."""

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
    """Check inputs that no method could work with. Inputs that are not generated yet are ``None``, or an empty
    ``test``.

    Args:
        psf: the camera's ``psf.h5``.
        pairs: folder of training pairs.
        test: folders of test pairs.
        crop: side of a training crop in pixels.
        chart: folder of pairs with the edge chart and its capture.

    Raises:
        InputError: files belong to different cameras, the test pairs are not whole frames, pairs are smaller than the
            crop, or the chart is not an edge chart.
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
