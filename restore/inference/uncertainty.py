"""Where a restored picture is uncertain: its expected error at each pixel, told without the clean picture.

Three indicators are known for every restoration, each the mean over colours in display values, blurred by a Gaussian:

- spread: how far the positive and the neutral path differ, the part of the picture that is painted;
- residual: how far the restored picture, blurred again by the lens, differs from the capture;
- gradient: of the restored picture; detail is where restorers fail.

    log error = c₀ + c₁ log spread + c₂ log residual + c₃ log gradient

with coefficients fitted on photographs that the training kept for validation. Figures by decile are in
docs/restoration.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import display_values
from metalens.formats.psf.bank import PsfBank
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.deconvolution.consistency import blurred_again
from metalens.restore.inference.capture import Capture
from metalens.restore.inference.restoration import Latents, Settings, decode, decode_values, latents_of

ALPHA = 0.75
"""α of the pictures on which the coefficients are fitted."""

SMOOTHING = 4.0
"""Standard deviation of the Gaussian in pixels: below it single pixels' noise cannot be told."""

LARGEST_SHOWN = 32 / 255
"""The expected error, in display values, that is white in the picture of a map."""

_LEAST = 1 / 1020
"""Added to indicators and errors before the logarithm: a quarter of 1/255."""

_EVERY = 4
"""Pixels between the samples of the fit, which neighbours share through the Gaussian."""


def expected_error(
    restorer: Restorer, latents: Latents, capture: Capture, restored: np.ndarray, bank: PsfBank, *, tile: int = 512
) -> np.ndarray:
    """Expected absolute error of a restored picture.

    Args:
        restorer: the restorer, whose training fitted the coefficients.
        latents: of the capture.
        capture: what the camera saw.
        restored: ``[y, x, 3]`` uint8, or floats in 0..1.
        bank: the camera's point spread functions.
        tile: largest side of a tile in pixels.

    Returns:
        ``[y, x]`` float32 in display values of 0..1: the mean error of the three colours.

    Raises:
        InputError: the adapter was trained without coefficients.
    """
    coefficients = calibration(restorer)
    found = indicators(restorer, latents, capture, restored, bank, tile=tile)
    logarithm = coefficients[0] + np.tensordot(coefficients[1:], np.log(found + _LEAST), axes=1)
    return np.clip(np.exp(logarithm) - _LEAST, 0, 1).astype(np.float32)


def calibration(restorer: Restorer) -> np.ndarray:
    """The coefficients c₀ to c₃ of an adapter.

    Raises:
        InputError: it has none.
    """
    found = restorer.training.get("uncertainty", {}).get("coefficients")
    if not isinstance(found, list) or len(found) != 4 or not all(isinstance(each, float) for each in found):
        raise InputError(
            "the adapter has no calibrated uncertainty: it was trained by an older version, or no photograph was kept "
            "for validation; train it on with metalens train --init."
        )
    return np.array(found)


def indicators(
    restorer: Restorer, latents: Latents, capture: Capture, restored: np.ndarray, bank: PsfBank, *, tile: int = 512
) -> np.ndarray:
    """The indicators of the error; arguments as in :func:`expected_error`.

    Args:
        restorer: the restorer.
        latents: of the capture.
        capture: what the camera saw.
        restored: ``[y, x, 3]`` uint8, or floats in 0..1.
        bank: the camera's point spread functions.
        tile: largest side of a tile in pixels.

    Returns:
        ``[3, y, x]`` spread, residual and gradient, smoothed, in display values 0..1.
    """
    positive, neutral = (decode_values(restorer, latents, alpha, tile=tile) for alpha in (1.0, 0.0))
    (again,) = blurred_again([restored], bank, place=capture.place)
    down, across = np.gradient(display_values(restored).mean(axis=-1))
    found = (
        np.abs(positive - neutral).mean(axis=-1),
        np.abs(again - display_values(capture.picture)).mean(axis=-1),
        np.hypot(down, across),
    )
    return np.stack([gaussian_filter(each, SMOOTHING) for each in found])


def calibrate(restorer: Restorer, bank: PsfBank, pairs: Iterable[tuple[np.ndarray, Capture]]) -> dict[str, Any]:
    """Fit the coefficients on photographs that were not trained on.

    Args:
        restorer: the trained restorer.
        bank: the camera's point spread functions.
        pairs: clean pictures ``[y, x, 3]`` uint8 and their captures.

    Returns:
        ``coefficients`` c₀ to c₃, ``rank_correlation`` of expected and true error on the same pictures, ``pictures``.
    """
    from scipy.stats import spearmanr  # 0.3 s, which restoring does not need

    rows, errors, count = [], [], 0
    for clean, capture in pairs:
        latents = latents_of(restorer, capture.picture, Settings(place=capture.place))
        restored = decode(restorer, latents, ALPHA)
        found = indicators(restorer, latents, capture, restored, bank)
        error = gaussian_filter(np.abs(display_values(restored) - display_values(clean)).mean(axis=-1), SMOOTHING)
        rows.append(np.log(found[:, ::_EVERY, ::_EVERY].reshape(len(found), -1) + _LEAST))
        errors.append(np.log(error[::_EVERY, ::_EVERY].ravel() + _LEAST))
        count += 1
    known, wanted = np.concatenate(rows, axis=1), np.concatenate(errors)
    design = np.vstack([np.ones(known.shape[1]), known]).T
    coefficients = np.linalg.lstsq(design, wanted, rcond=None)[0]
    agreement = float(spearmanr(design @ coefficients, wanted).statistic)
    return {
        "coefficients": [float(each) for each in coefficients],
        "rank_correlation": round(agreement, 4),
        "pictures": count,
    }


def as_grey(error: np.ndarray) -> np.ndarray:
    """A map as a picture ``[y, x]`` uint8: black is no error, white :data:`LARGEST_SHOWN` and more."""
    return np.asarray(np.rint(np.clip(error / LARGEST_SHOWN, 0, 1) * 255), dtype=np.uint8)


def from_grey(grey: np.ndarray) -> np.ndarray:
    """The expected error in display values of such a picture; white is :data:`LARGEST_SHOWN`, also where it is more."""
    return grey.astype(np.float32) / 255 * LARGEST_SHOWN
