"""Choice of the distortion model by cross-validation on the dots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.synth.alignment.mapping import DistortionModel, SensorToDisplay, fit_mapping, sensor_residual

MODELS = (
    DistortionModel("radial", 0),
    DistortionModel("radial", 2),
    DistortionModel("radial", 4),
    *(DistortionModel("polynomial", order) for order in range(2, 6)),
)
"""Candidate models."""

_FOLDS = 5
_NO_GRID = 2.0


@dataclass(frozen=True)
class ChosenMapping:
    """A map with its residuals and cross-validation errors.

    Attributes:
        mapping: fitted to all dots that were kept.
        residual: ``[dot, (y, x)]`` pixels, of the dots that were kept.
        kept: ``[dot]`` True for the dots that were used.
        foreseen: model's name → root-mean-square distance in pixels of dots that it was not fitted to.
    """

    mapping: SensorToDisplay
    residual: np.ndarray
    kept: np.ndarray
    foreseen: dict[str, float]


def choose_mapping(sensor: np.ndarray, display: np.ndarray, *, shape: tuple[int, int], name: str) -> ChosenMapping:
    """Fit the map whose distortion model predicts unseen dots best, by cross-validation.

    Dots are put into five groups; each model is fitted without one of them and has to say where its dots are. Of the
    models that are no worse than the best by more than one standard error, the one of fewest numbers is taken.
    Dots that lie off by more than six times the usual distance belong to something else and are left out.

    Args:
        sensor: ``[dot, (y, x)]`` centres on the sensor.
        display: ``[dot, (y, x)]`` their places on the display.
        shape: rows, columns of the sensor.
        name: how an error message calls the capture.

    Returns:
        The map fitted to all dots that were kept, its residuals, and the cross-validation error of each model that was
        tried.

    Raises:
        InputError: the dots do not lie on any plane grid.
    """
    kept, away = _without_strays(sensor, display, shape)
    if not away < _NO_GRID:
        raise InputError(
            f"{name}: the dots lie {away:.2g} px off any map of a plane grid; display the target unscaled on a flat "
            "screen and give its spacing as it was displayed."
        )
    sensor, display = sensor[kept], display[kept]
    # Each group has dots from the whole field; the groups are the same in every run.
    fold = np.random.default_rng(0).permutation(len(sensor)) % _FOLDS
    tried = [model for model in MODELS if 8 + model.parameters <= 0.6 * 2 * len(sensor)]
    error = {}
    for model in tried:
        squared = np.empty(len(sensor))
        whole = fit_mapping(model, sensor, display, shape=shape)
        for number in range(_FOLDS):
            left_out = fold == number
            mapping = fit_mapping(model, sensor[~left_out], display[~left_out], shape=shape, start=whole)
            squared[left_out] = (sensor_residual(mapping, sensor[left_out], display[left_out]) ** 2).sum(axis=1)
        error[model] = squared
    best = min(tried, key=lambda model: float(error[model].mean()))
    chosen = next(
        model for model in sorted(tried, key=lambda model: model.parameters) if _no_worse(error[model], error[best])
    )
    mapping = fit_mapping(chosen, sensor, display, shape=shape)
    residual = sensor_residual(mapping, sensor, display)
    return ChosenMapping(mapping, residual, kept, {model.name: float(np.sqrt(error[model].mean())) for model in tried})


def _no_worse(squared: np.ndarray, best: np.ndarray) -> bool:
    more = squared - best
    return bool(more.mean() <= more.std() / np.sqrt(len(more)) + 1e-12)


def _without_strays(sensor: np.ndarray, display: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Which dots belong to the grid, and their mean distance from a map in pixels."""
    model = DistortionModel("polynomial", 3)
    kept = np.ones(len(sensor), dtype=bool)
    for _ in range(3):
        mapping = fit_mapping(model, sensor[kept], display[kept], shape=shape)
        away = np.linalg.norm(sensor_residual(mapping, sensor, display), axis=1)
        kept = away <= max(6 * float(np.median(away[kept])), 0.2)
    return kept, float(away[kept].mean())
