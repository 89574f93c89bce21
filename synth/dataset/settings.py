"""What decides the content of a set of pairs, beside photographs, cameras and seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from metalens.formats.errors import InputError
from metalens.synth.sensor import Demosaicing

Cropping = Literal["random", "centre"]

CAMERA_RUN = 16
"""Neighbouring samples that one camera of an ensemble takes before another one is drawn."""


@dataclass(frozen=True)
class PairsSettings:
    """How samples are made.

    Attributes:
        cropping: ``random`` cuts each sample anew, for training; ``centre`` takes the largest centred rectangle of
            each photograph, unturned, for a test set.
        mirror: mirror half of the random samples left to right.
        turn: turn random samples by a random number of quarter turns.
        exposure: darkest and brightest light of a random sample, as a share of the photograph's; log-uniform.
        candidates: rectangles that are drawn for a random sample, of which one is taken by its sharpness; 1 takes
            what comes.
        demosaicing: see :func:`metalens.synth.sensor.develop`.
        validation: share of the photographs that validate.

    Raises:
        InputError: a setting makes no sense.
    """

    cropping: Cropping = "random"
    mirror: bool = True
    turn: bool = True
    exposure: tuple[float, float] = (1.0, 1.0)
    candidates: int = 6
    demosaicing: Demosaicing = "malvar2004"
    validation: float = 0.05

    def __post_init__(self) -> None:
        for name, kinds in (("cropping", Cropping), ("demosaicing", Demosaicing)):
            if getattr(self, name) not in get_args(kinds):
                words = " or ".join(repr(kind) for kind in get_args(kinds))
                raise InputError(f"{name} {getattr(self, name)!r}: expected {words}.")
        low, high = self.exposure
        if not 0 < low <= high <= 1:
            raise InputError(f"exposure {low:g} to {high:g}: expected a range above 0 and up to 1, the darkest first.")
        if not 1 <= self.candidates <= 1000:
            raise InputError(f"candidates {self.candidates}: expected 1 to 1000.")
        if not 0 <= self.validation < 1:
            raise InputError(f"validation {self.validation:g}: expected a share from 0 to below 1.")

    def described(self) -> dict[str, Any]:
        """As the manifest's ``config``."""
        return asdict(self) | {"exposure": list(self.exposure)}


def described_settings(config: dict[str, Any]) -> PairsSettings:
    """The settings of a manifest's ``config``.

    Raises:
        InputError: it is of another kind of pairs or another version.
    """
    try:
        return PairsSettings(**(config | {"exposure": tuple(config["exposure"])}))
    except (TypeError, KeyError) as error:
        raise InputError(f"the manifest's config is not that of simulated pairs ({error}); make them anew.") from error


def source_of(number: int, total: int, photographs: int) -> int:
    """Tell which photograph a sample is made from; samples of one photograph lie together."""
    each, more = divmod(total, photographs)
    if number < more * (each + 1):
        return number // (each + 1)
    return more + (number - more * (each + 1)) // each


def camera_of(number: int, seed: int, cameras: int) -> int:
    """Tell which camera of an ensemble makes a sample: a function of the run's seed and the sample's number alone.

    The samples of a run of :data:`CAMERA_RUN` have one camera, as it takes time to make one ready.
    """
    # A spawn key keeps this apart from the samples' own generators.
    key = np.random.SeedSequence([seed, number // CAMERA_RUN], spawn_key=(1,))
    return int(np.random.default_rng(key).integers(cameras))


def stand_in(number: int, seed: int, candidates: list[int]) -> int:
    """Choose the photograph that stands in for a lost one in a sample."""
    key = np.random.SeedSequence([seed, number], spawn_key=(2,))
    return candidates[int(np.random.default_rng(key).integers(len(candidates)))]
