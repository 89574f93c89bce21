"""Wiener deconvolution (Wiener 1949) with the bank's point spread functions: one for the whole picture, or tiled.

*Whole* and *tiled* use :mod:`metalens.restore.deconvolution.wiener`; N, the noise-to-signal ratio, is chosen among nine
values from 10⁻⁴ to 1 by the PSNR on eight training pairs. *Joint* uses
:mod:`metalens.restore.deconvolution.joint_wiener`; its multiple of the sensor's noise is chosen in the same way.

*Whole* filters with one function, the mean of the bank, as in DMDiff's table. *Tiled* filters with the function of each
node and blends the results with linear weights, for a blur that varies over the field.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from metalens.formats.pairs.reader import Pairs
from metalens.formats.psf.bank import PsfBank
from metalens.restore.deconvolution.joint_wiener import tune_noise_scale, wiener_joint
from metalens.restore.deconvolution.wiener import tune_regulariser, wiener_tiled, wiener_whole
from metalens.restore.inference.capture import Capture
from metalens.restore.methods.method import Description, Fitted, Method, Training
from metalens.restore.methods.tuning import tuned, tuning_pairs

Filter = Callable[[Capture, PsfBank, float], np.ndarray]


def _whole(capture: Capture, bank: PsfBank, noise_to_signal: float) -> np.ndarray:
    return wiener_whole(capture.picture, bank, noise_to_signal)


def _tiled(capture: Capture, bank: PsfBank, noise_to_signal: float) -> np.ndarray:
    return wiener_tiled(capture.picture, bank, noise_to_signal, place=capture.corner)


def _joint(capture: Capture, bank: PsfBank, noise_scale: float) -> np.ndarray:
    return wiener_joint(capture.picture, bank, noise_scale, place=capture.corner)


def tuned_setting(tune: Callable[..., float], pairs: Pairs, bank: PsfBank) -> float:
    """The setting of a filter that is best on training pairs.

    Args:
        tune: of that filter, such as :func:`metalens.restore.deconvolution.joint_wiener.tune_noise_scale`.
        pairs: of the camera, whole frames or crops.
        bank: the camera's point spread functions.

    Returns:
        The best of the filter's candidates.

    Raises:
        InputError: the training side of the pairs' split is empty.
    """
    chosen = tuning_pairs(pairs)
    pictures = [(clean, capture.picture) for clean, capture in chosen]
    return tune(pictures, bank, places=[capture.corner for _, capture in chosen])


def _fit(training: Training, apply: Filter, tune: Callable[..., float], setting: str = "noise_to_signal") -> Fitted:
    bank, chosen = training.bank, tuned_setting(tune, training.pairs, training.bank)
    return tuned(lambda capture: apply(capture, bank, chosen), **{setting: chosen})


WHOLE = Method(
    Description(
        title="Wiener, whole",
        reference="Wiener 1949",
        knows="the bank's mean function",
        differs="nothing; one constant for the noise, chosen on training pairs",
        learns=False,
    ),
    lambda training: _fit(training, _whole, partial(tune_regulariser, tiled=False)),
)

TILED = Method(
    Description(
        title="Wiener, tiled",
        reference="Wiener 1949",
        knows="the bank",
        differs="a filter for each node of the bank, blended by hat windows",
        learns=False,
    ),
    lambda training: _fit(training, _tiled, tune_regulariser),
)

JOINT = Method(
    Description(
        title="Wiener, joint",
        reference="Galatsanos and Chin 1989",
        knows="the bank, the sensor's noise",
        differs="a filter over all colours for each node of the bank; statistics of photographs measured by frequency",
        learns=False,
    ),
    lambda training: _fit(training, _joint, tune_noise_scale, "noise_scale"),
)
