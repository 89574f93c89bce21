"""What decides the content of a set of pairs, beside photographs, cameras and seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.synth.sensor import Demosaicing

Cropping = Literal["random", "centre"]

RUN = 16
"""Neighbouring samples that are taken by one camera of an ensemble, and at one place of a large sensor."""

LARGE_SENSOR = 8
"""A sensor is large if it has so many times the pixels that the light of a crop comes from."""


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

    The samples of a :data:`RUN` have one camera, as it takes time to make one ready.
    """
    return int(_apart([seed, number // RUN], 1).integers(cameras))


def position_of(
    number: int, seed: int, pixels: tuple[int, int], sensor: tuple[int, int], margin: int
) -> tuple[int, int]:
    """Tell where on the sensor a sample lies: a function of the run's seed and the sample's number alone.

    Even, so that every crop begins at the same colour of the Bayer pattern. The samples of a :data:`RUN` lie at one
    place of a large sensor, whose blur is made ready for that place alone.

    Args:
        number: of the sample.
        seed: of the run.
        pixels: rows, columns of the sample.
        sensor: rows, columns of the sensor.
        margin: how far from a crop light falls on it.
    """
    turn = number // RUN if is_large(pixels, sensor, margin) else number
    generator = _apart([seed, turn], 3)
    spare = [(whole - part) // 2 for whole, part in zip(sensor, pixels, strict=True)]
    return 2 * int(generator.integers(spare[0] + 1)), 2 * int(generator.integers(spare[1] + 1))


def is_large(pixels: tuple[int, int], sensor: tuple[int, int], margin: int) -> bool:
    """Whether blurring a crop alone is worth while: see :data:`LARGE_SENSOR`."""
    seen = (pixels[0] + 2 * margin) * (pixels[1] + 2 * margin)
    return sensor[0] * sensor[1] >= LARGE_SENSOR * seen


def stand_in(number: int, seed: int, candidates: list[int]) -> int:
    """Choose the photograph that stands in for a lost one in a sample."""
    return candidates[int(_apart([seed, number], 2).integers(len(candidates)))]


def _apart(entropy: list[int], purpose: int) -> np.random.Generator:
    """Random numbers for what is not a sample's own: a spawn key keeps them apart from the samples' generators."""
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(purpose,)))
