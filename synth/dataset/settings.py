"""The settings that determine a set of pairs, together with photographs, cameras and seed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass as settings

from metalens.formats.files.errors import InputError
from metalens.formats.files.record import STRICT, Positive, told_as_input_error
from metalens.formats.pairs.manifest import PairsManifest
from metalens.formats.pairs.photograph_split import pairs_of_each
from metalens.synth.sensor import Demosaicing

Cropping = Literal["random", "centre"]

RUN = 16
"""Number of consecutive samples with the same camera of an ensemble and the same position on a large sensor."""

LARGE_SENSOR = 8
"""A sensor is large if it has this many times the pixels of a crop with its margins."""


@told_as_input_error("settings of pairs")
@settings(frozen=True, config=STRICT)
class PairsSettings:
    """How samples are made.

    Attributes:
        cropping: ``random`` draws a crop for each sample, for training; ``centre`` takes the largest centred
            rectangle of each photograph, not turned, for a test set.
        mirror: mirror half of the random samples left to right.
        turn: turn random samples by a random number of quarter turns.
        exposure: smallest and largest factor on the light of the photograph; log-uniform between them.
        candidates: rectangles drawn for a random sample, one of which is chosen by sharpness; 1 ignores sharpness.
        demosaicing: see :func:`metalens.synth.sensor.develop`.
        validation: share of photographs and pairs in the validation split, 0..1; of few photographs, one.

    Raises:
        InputError: a setting is out of range.
    """

    cropping: Cropping = "random"
    mirror: bool = True
    turn: bool = True
    exposure: Annotated[tuple[Positive, Positive], Field(strict=False)] = (1.0, 1.0)
    candidates: Annotated[int, Field(ge=1, le=1000)] = 6
    demosaicing: Demosaicing = "malvar2004"
    validation: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.05

    @model_validator(mode="after")
    def _ascends(self) -> PairsSettings:
        low, high = self.exposure
        if not low <= high <= 1:
            raise ValueError(f"exposure {low:g} to {high:g}: expected a range above 0 and up to 1, the darkest first")
        return self

    def described(self) -> dict[str, Any]:
        """The settings as the manifest's ``config``."""
        return asdict(self) | {"exposure": list(self.exposure)}


def described_settings(config: dict[str, Any]) -> PairsSettings:
    """The settings of a manifest's ``config``.

    Raises:
        InputError: the pairs are of another kind or version.
    """
    try:
        return PairsSettings(**config)
    except InputError as error:
        raise InputError(f"the manifest's config is not that of simulated pairs; make them anew ({error})") from error


def pairs_of_sources(manifest: PairsManifest) -> np.ndarray:
    """Number of samples of each photograph of simulated pairs.

    A test set, ``centre``, shows all of its photographs alike; in others the share that is asked for validates.

    Args:
        manifest: of the set.
    """
    settings = described_settings(manifest.config)
    share = 1.0 if settings.cropping == "centre" else settings.validation
    return pairs_of_each(manifest.count, [source.split for source in manifest.sources], share)


def camera_of(number: int, seed: int, cameras: int) -> int:
    """Camera of an ensemble that takes a sample, drawn from the seed.

    :data:`RUN` consecutive samples share one camera, because preparing a camera takes time.

    Args:
        number: of the sample, from 0.
        seed: of the run.
        cameras: number of cameras.

    Returns:
        Its index, from 0.
    """
    return int(_apart([seed, number // RUN], 1).integers(cameras))


def position_of(
    number: int, seed: int, pixels: tuple[int, int], sensor: tuple[int, int], margin: int
) -> tuple[int, int]:
    """Position of a sample on the sensor, drawn from the seed.

    Both coordinates are even, so that every crop starts with the same colour of the Bayer pattern. On a large sensor
    :data:`RUN` consecutive samples share one position, because the blur operator is built for that position.

    Args:
        number: of the sample.
        seed: of the run.
        pixels: rows, columns of the sample.
        sensor: rows, columns of the sensor.
        margin: pixels around a crop whose light falls on it.

    Returns:
        Row, column of the sample's first pixel, both even.
    """
    turn = number // RUN if is_large(pixels, sensor, margin) else number
    generator = _apart([seed, turn], 3)
    spare = [(whole - part) // 2 for whole, part in zip(sensor, pixels, strict=True)]
    return 2 * int(generator.integers(spare[0] + 1)), 2 * int(generator.integers(spare[1] + 1))


def is_large(pixels: tuple[int, int], sensor: tuple[int, int], margin: int) -> bool:
    """Whether blurring one crop is cheaper than blurring the whole sensor; see :data:`LARGE_SENSOR`.

    Args:
        pixels: rows, columns of the crop.
        sensor: rows, columns of the sensor.
        margin: pixels around the crop whose light falls on it.

    Returns:
        True for a large sensor.
    """
    seen = (pixels[0] + 2 * margin) * (pixels[1] + 2 * margin)
    return sensor[0] * sensor[1] >= LARGE_SENSOR * seen


def stand_in(number: int, seed: int, candidates: list[int]) -> int:
    """Draw the photograph that replaces a lost one in a sample.

    Args:
        number: of the sample, from 0.
        seed: of the run.
        candidates: indices of the photographs that can be read.

    Returns:
        One of the candidates.
    """
    return candidates[int(_apart([seed, number], 2).integers(len(candidates)))]


def _apart(entropy: list[int], purpose: int) -> np.random.Generator:
    """Generator for draws shared by several samples; its spawn key makes it independent of the samples' generators."""
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(purpose,)))
