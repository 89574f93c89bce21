"""Metrics of restored pictures, from a benchmark's folder alone, in one process or several.

Figures already in the folder are kept, picture by picture: an interrupted run continues where it stopped. A metric
whose weights were missing is computed by a later run on a machine that has them.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metalens.formats.files.atomic import write_text
from metalens.formats.files.errors import InputError
from metalens.formats.files.interruption import terminate_as_interrupt
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.restore.bench.folder import (
    SCORES,
    Figures,
    Run,
    chart_pictures,
    judged_pictures,
    read_scores,
    runs_of,
)
from metalens.restore.bench.plan import read_plan
from metalens.restore.bench.process import Tell, teller
from metalens.restore.deconvolution.consistency import consistency
from metalens.restore.metrics.catalogue import METRICS
from metalens.restore.metrics.metric import WHOLE, Compare
from metalens.restore.metrics.slanted_edge import resolution

CONSISTENCY, RESOLUTION = "consistency", "mtf50"

CHART = "chart"
"""Key of the chart's figures, in place of a picture's name."""


@dataclass(frozen=True)
class Subject:
    """Pictures that are evaluated together: those of one run, or the captures themselves.

    Attributes:
        scores: file of their figures.
        variants: variant → folder of its pictures.
        charts: variant → file of its restored chart.
    """

    scores: Path
    variants: dict[str, Path]
    charts: dict[str, Path]


def judge(
    folder: Path,
    device: str = "cpu",
    tell: Tell = lambda stage, share, figures: None,
    *,
    part: int = 0,
    parts: int = 1,
) -> dict[str, str]:
    """Compute all missing figures that can be computed here.

    Args:
        folder: folder of the benchmark.
        device: device name of torch.
        tell: progress callback.
        part: index of this process, from 0.
        parts: number of processes that share the work; each run is handled by one process.

    Returns:
        Metric → the reason why it cannot be computed for these pictures on this machine.

    Raises:
        InputError: a picture or a file is missing or damaged.
    """
    bank, plan = read_psf_bank(folder / "psf.h5"), read_plan(folder)
    pixels = read_picture(next(judged_pictures(folder))[1]).shape
    metrics = [metric for metric in METRICS if plan.wants(metric.key)]
    missing = {metric.key: reason for metric in metrics if (reason := metric.reason(pixels)) is not None}
    loaded: dict[str, Compare] = {}
    # Distributed from the longest to the shortest, so that all processes have about the same work.
    subjects = sorted(subjects_of(folder), key=lambda subject: -len(subject.variants))[part::parts]
    pictures = list(judged_pictures(folder))
    for number, subject in enumerate(subjects):
        figures = read_scores(subject.scores)
        for done, (name, clean_path, captured_path) in enumerate(pictures):
            wanted = [m for m in metrics if m.key not in missing and not _has(figures, subject, m.key, name)]
            again = plan.wants(CONSISTENCY) and not _has(figures, subject, CONSISTENCY, name)
            if not (wanted or again):
                continue
            for metric in wanted:
                if metric.key not in loaded:
                    loaded[metric.key] = metric.load(device)
            clean, captured = read_picture(clean_path), read_picture(captured_path)
            made = [read_picture(place / f"{name}.png") for place in subject.variants.values()]
            for metric in wanted:
                _put(figures, subject, metric.key, name, loaded[metric.key](clean, made))
            if again:
                found = consistency(captured, made, bank, device)
                _put(figures, subject, CONSISTENCY, name, [{WHOLE: value} for value in found])
            _write(subject, figures)
            tell("judge", (number + (done + 1) / len(pictures)) / len(subjects), {})
        if (
            plan.wants(RESOLUTION)
            and chart_pictures(folder) is not None
            and not _has(figures, subject, RESOLUTION, CHART)
        ):
            _measure_charts(subject, figures)
        _write(subject, figures)
        tell("judge", (number + 1) / len(subjects), {})
    return missing


def subjects_of(folder: Path) -> list[Subject]:
    """The captures and clean pictures, and the pictures of every finished run."""
    chart = chart_pictures(folder)
    sides = {side: folder / "test" / side for side in ("captured", "clean")}
    charts = {} if chart is None else {"clean": chart[0], "captured": chart[1]}
    return [
        Subject(folder / "test" / SCORES, sides, charts),
        *(_of_run(run) for run in runs_of(folder, read_plan(folder)) if run.finished),
    ]


def _of_run(run: Run) -> Subject:
    variants = run.result()["variants"]
    return Subject(
        run.folder / SCORES,
        {variant: run.pictures(variant) for variant in variants},
        {variant: run.chart(variant) for variant in variants},
    )


def _measure_charts(subject: Subject, figures: Figures) -> None:
    found = [resolution(read_picture(subject.charts[variant])) for variant in subject.variants]
    _put(figures, subject, RESOLUTION, CHART, found)


def _put(figures: Figures, subject: Subject, key: str, name: str, found: Sequence[dict[str, float]]) -> None:
    for variant, values in zip(subject.variants, found, strict=True):
        finite = {place: value if math.isfinite(value) else None for place, value in values.items()}
        figures.setdefault(variant, {}).setdefault(key, {})[name] = finite


def _has(figures: Figures, subject: Subject, key: str, name: str) -> bool:
    return all(name in figures.get(variant, {}).get(key, {}) for variant in subject.variants)


def _write(subject: Subject, figures: Figures) -> None:
    write_text(subject.scores, json.dumps(figures) + "\n")


def main(arguments: list[str]) -> int:
    """Evaluate a folder, or a part of it; ``missing.json`` gets the reasons of metrics that cannot be computed.

    Args:
        arguments: folder, device, index of the part from 0, number of parts.
    """
    folder, device, part, parts = Path(arguments[0]), arguments[1], int(arguments[2]), int(arguments[3])
    try:
        missing = judge(folder, device, teller(), part=part, parts=parts)
    except InputError as error:
        print(f"metalens: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, BrokenPipeError):  # a broken pipe: the benchmark that started this was killed
        return 130
    if part == 0:  # The reasons are the same in all parts.
        write_text(folder / "missing.json", json.dumps(missing, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    terminate_as_interrupt()
    sys.exit(main(sys.argv[1:]))
