"""Summary of a Monte Carlo run: distributions, yield, ranking of errors, and the worst lens."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.psf.tolerance.evaluation import FIGURES
from metalens.psf.tolerance.monte_carlo import MonteCarlo
from metalens.psf.tolerance.sensitivity import Shares, enough_draws, variance_shares

QUANTILES = (5, 50, 95)
"""Per cent."""


def draws_for(share: int) -> int:
    """Fewest draws that tell a quantile: at least one of them lies beyond it on average.

    Args:
        share: of the quantile, in per cent.

    Example:
        >>> draws_for(5), draws_for(50), draws_for(95)
        (20, 2, 20)
    """
    return math.ceil(100 / min(share, 100 - share))


METHODS = {
    "one_at_a_time": "each error alone a standard deviation to either side of its nominal number, all others nominal",
    "share_of_variance": (
        "first-order Sobol index of each error, from additive polynomials of degree 2 fitted to the draws "
        "(doi:10.1016/j.ress.2007.04.002)"
    ),
}


def worst_of(figures: np.ndarray) -> np.ndarray:
    """``[..., figure]`` the worst over field and channel of figures ``[..., figure, field, channel]``."""
    least, most = figures.min(axis=(-2, -1)), figures.max(axis=(-2, -1))
    return np.where(np.array([end == "least" for end in FIGURES.values()]), least, most)


def mean_of(figures: np.ndarray) -> np.ndarray:
    """``[..., figure]`` their mean over field and channel."""
    return np.asarray(figures.mean(axis=(-2, -1)))


def summarise(found: MonteCarlo) -> dict[str, Any]:
    """Summary of a Monte Carlo run as a JSON object."""
    run = found.run
    return {
        "schema": "metalens.tolerance_summary",
        "version": 1,
        "lens_hash": run.lens_hash,
        "draws": run.draws,
        "seed": run.seed,
        "fields": list(run.fields),
        "errors": {name: each.model_dump() for name, each in found.errors.terms.items()},
        "not_applied": run.not_applied,
        "figures": _distributions(found),
        "yield": yields(found),
        "sensitivity": sensitivity(found),
        "worst_draw": worst_draw(found),
        "methods": METHODS,
    }


def _distributions(found: MonteCarlo) -> dict[str, Any]:
    told = {}
    worst, mean = worst_of(found.figures), mean_of(found.figures)
    for number, (name, end) in enumerate(FIGURES.items()):
        told[name] = {
            "worse_is": "less" if end == "least" else "more",
            "worst_over_field_and_colour": {
                "as_drawn": float(worst_of(found.drawn)[number]),
                "nominal": float(worst_of(found.nominal)[number]),
                **_statistics(worst[:, number]),
            },
            "mean_over_field_and_colour": {
                "as_drawn": float(mean_of(found.drawn)[number]),
                "nominal": float(mean_of(found.nominal)[number]),
                **_statistics(mean[:, number]),
            },
            "by_field_and_colour": {
                channel: {
                    "as_drawn": found.drawn[number, :, index].tolist(),
                    **_statistics(found.figures[:, number, :, index]),
                }
                for index, channel in enumerate(CHANNEL_NAMES)
            },
        }
    return told


def _statistics(values: np.ndarray) -> dict[str, Any]:
    """Mean, standard deviation and quantiles over the draws ``[draw, ...]``; None where they are too few for one."""
    spread = values.std(axis=0, ddof=1).tolist() if len(values) > 1 else None
    quantiles = {
        f"quantile_{share}": np.percentile(values, share, axis=0).tolist() if len(values) >= draws_for(share) else None
        for share in QUANTILES
    }
    told = {"mean": values.mean(axis=0).tolist(), "sigma": spread}
    return told | quantiles


def yields(found: MonteCarlo) -> dict[str, float]:
    """Share of the draws that keep each limit at every field and colour, and ``all`` of them; empty without limits."""
    worst, passes = worst_of(found.figures), {}
    for name, limit in found.run.spec.limits.given.items():
        values = worst[:, list(FIGURES).index(name)]
        passes[name] = values >= limit if FIGURES[name] == "least" else values <= limit
    if passes:
        passes["all"] = np.logical_and.reduce(list(passes.values()))
    return {name: float(kept.mean()) for name, kept in passes.items()}


def sensitivity(found: MonteCarlo) -> dict[str, Any]:
    """Ranking of the errors for each figure of merit, for its worst value and its mean over field and colour."""
    told: dict[str, Any] = {}
    for which, reduce in (("worst_over_field_and_colour", worst_of), ("mean_over_field_and_colour", mean_of)):
        shares = _shares(found, reduce(found.figures))
        nominal, steps = reduce(found.nominal), reduce(found.steps) if found.names else None
        for number, name in enumerate(FIGURES):
            rows = []
            for error, label in enumerate(found.names):
                assert steps is not None
                change = steps[error, :, number] - nominal[number]
                share = None if shares is None else float(shares.first_order[error, number])
                rows.append(
                    {
                        "error": label,
                        "share_of_variance": share,
                        "change_at_minus_sigma": float(change[0]),
                        "change_at_plus_sigma": float(change[1]),
                    }
                )
            rows.sort(key=_importance, reverse=True)
            explained = None if shares is None else float(shares.explained[number])
            told.setdefault(name, {})[which] = {"explained": explained, "ranking": rows}
    return told


def _importance(row: dict[str, Any]) -> tuple[float, float]:
    """By share of the variance where it is known; among equals, by the larger of the two changes."""
    change = max(abs(row["change_at_minus_sigma"]), abs(row["change_at_plus_sigma"]))
    return (row["share_of_variance"] or 0.0, change)


def _shares(found: MonteCarlo, values: np.ndarray) -> Shares | None:
    """Shares ``[error, figure]`` of the variance; None where the draws are too few to tell them."""
    if not found.names or len(values) < enough_draws(len(found.names)):
        return None
    return variance_shares(found.numbers, values)


def worst_draw(found: MonteCarlo) -> dict[str, Any]:
    """The lens with the lowest Strehl ratio at its worst field and colour: its number, errors and figures."""
    worst = worst_of(found.figures)
    index = int(worst[:, list(FIGURES).index("strehl_ratio")].argmin())
    return {
        "index": index,
        "errors": {name: float(value) for name, value in zip(found.names, found.numbers[index], strict=True)},
        "worst_over_field_and_colour": {name: float(value) for name, value in zip(FIGURES, worst[index], strict=True)},
    }


def table_of(found: MonteCarlo) -> str:
    """A CSV, a line a draw: its errors, and each figure's worst and mean over field and colour."""
    worst, mean = worst_of(found.figures), mean_of(found.figures)
    titles = ["draw", *found.names, *(f"{name}_worst" for name in FIGURES), *(f"{name}_mean" for name in FIGURES)]
    lines = [",".join(titles)]
    for index, row in enumerate(np.concatenate([found.numbers, worst, mean], axis=1)):
        lines.append(",".join([str(index), *(repr(float(value)) for value in row)]))
    return "\n".join(lines) + "\n"
