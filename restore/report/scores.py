"""Metrics of restored pictures against the clean pictures of their pairs; no bank is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import require_folder
from metalens.formats.pairs.reader import pair_names, read_pairs
from metalens.formats.pictures.pictures import read_picture
from metalens.restore.inference.filtered_files import METHOD
from metalens.restore.metrics.catalogue import METRICS
from metalens.restore.metrics.metric import WHOLE, Metric
from metalens.restore.report.evaluation import restored_pictures


@dataclass(frozen=True)
class Scores:
    """Means over the pictures.

    Attributes:
        pictures: their number.
        means: ``captured``, α, ``map`` (of α) or ``wiener-joint`` → metric → mean.
        missing: metric → why it cannot be computed here.
    """

    pictures: int
    means: dict[str, dict[str, float]]
    missing: dict[str, str]


def score_restored(
    pairs: Path,
    restored: Path,
    metrics: Sequence[str],
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Scores:
    """Measure captured and restored pictures.

    Args:
        pairs: a folder of pairs.
        restored: output of ``metalens restore`` for them.
        metrics: keys of :data:`metalens.restore.metrics.catalogue.METRICS`, or ``all``.
        device: of torch.
        progress: progress callback: pictures done, pictures in all.

    Returns:
        Means over the pictures of each metric, and why a metric is missing.

    Raises:
        InputError: a metric is unknown, none can be computed here, there is no folder ``restored``, a restored picture
            is missing or of another size, or the pictures are not all restored at the same α.
    """
    wanted = _wanted(metrics)
    opened = read_pairs(pairs)
    require_folder(restored, "give a folder that `metalens restore` wrote")
    names = pair_names(opened)
    missing = {each.key: reason for each in wanted if (reason := each.reason(opened.manifest.pixels)) is not None}
    if len(missing) == len(wanted):
        raise InputError("; ".join(f"{key}: {reason}" for key, reason in missing.items()) + "; choose other metrics.")
    loaded = {each.key: each.load(device) for each in wanted if each.key not in missing}
    rows: dict[str, dict[str, list[float]]] = {}
    for number, name in enumerate(names):
        progress(number, len(names))
        clean, captured = opened[number]
        versions = {"captured": captured} | _versions(name, restored)
        wrong = next((version for version, each in versions.items() if each.shape != clean.shape), None)
        if wrong is not None:
            raise InputError(f"{restored}: {name} at α = {wrong} has another size than the pair; restore it again.")
        if rows and set(rows) != set(versions):
            raise InputError(f"{restored}: {name} is restored at other α than {names[0]}; restore all at the same.")
        for key, compare in loaded.items():
            for version, found in zip(versions, compare(clean, list(versions.values())), strict=True):
                rows.setdefault(version, {}).setdefault(key, []).append(found[WHOLE])
    progress(len(names), len(names))
    means = {version: {key: float(np.mean(values)) for key, values in each.items()} for version, each in rows.items()}
    return Scores(len(names), means, missing)


def _versions(name: str, restored: Path) -> dict[str, np.ndarray]:
    """The restored pictures of one pair: by their α, by a map of α, by the joint Wiener filter."""
    paths = {label: restored / f"{name}-{label}.png" for label in ("map", METHOD)}
    others = {label: read_picture(path) for label, path in paths.items() if path.is_file()}
    if others and not any(restored.glob(f"{escape(name)}-alpha*.png")):
        return others
    by_alpha = restored_pictures(name, restored)
    return {f"{alpha:g}": by_alpha[alpha] for alpha in sorted(by_alpha)} | others


def _wanted(keys: Sequence[str]) -> list[Metric]:
    known = {each.key: each for each in METRICS}
    if list(keys) == ["all"]:
        return list(METRICS)
    for key in keys:
        if key not in known:
            raise InputError(f"--metrics: no metric {key!r}; expected some of {', '.join(known)}, or all.")
    return [known[key] for key in dict.fromkeys(keys)]
