"""The ``[explore]`` table of ``design.toml``: architectures of a camera among which `metalens explore` searches.

An architecture is what a designer fixes before the phase: pupil, focal length, stop and glass in front, and one of
several named choices, such as the sensor's filters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from metalens.formats.files.record import (
    Finite,
    Micrometres,
    NotNegative,
    OpticalWavelength,
    Positive,
    Record,
)


def _as_pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int | float) else value


Pair = BeforeValidator(_as_pair)
"""One number stands for both ends."""


class Ranges(Record):
    """[least, largest] of each number of an architecture, or one number; None is the camera's own."""

    pupil_um: Annotated[tuple[Micrometres, Micrometres], Pair] | None = Field(
        default=None, description="diameter of the stop in front, or of the lens that is its own stop"
    )
    focal_length_um: Annotated[tuple[Micrometres, Micrometres], Pair] | None = None
    stop_distance_um: Annotated[tuple[NotNegative, NotNegative], Pair] | None = Field(
        default=None, description="air between the stop and the lens or its glass"
    )
    substrate_um: Annotated[tuple[NotNegative, NotNegative], Pair] | None = Field(
        default=None, description="glass between the stop and the lens"
    )
    start_wavelength_nm: Annotated[tuple[OpticalWavelength, OpticalWavelength], Pair] | None = Field(
        default=None, description="design wavelength of the starting lenses"
    )

    @property
    def given(self) -> dict[str, tuple[float, float]]:
        """Name → least and largest value of what is not the camera's own."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class Choice(Record):
    """One of several cameras that are tried: what differs from the specification's."""

    name: str = Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    camera: dict[str, Any] = Field(default={}, description="changes of the camera, as lens.toml has them")
    variables: dict[str, Any] = Field(default={}, description="changes of [variables]")
    range: Ranges = Field(default=Ranges(), description="ranges in the place of those of [explore.range]")


class Envelope(Record):
    """What a camera has to keep."""

    track_length_um: Micrometres | None = Field(default=None, description="largest, from the stop to the sensor")
    diameter_um: Micrometres | None = Field(default=None, description="largest, of the lens")
    period_um: Micrometres | None = Field(
        default=None, description="smallest, over which the phase at the lens' rim makes a turn"
    )
    f_number: Annotated[tuple[Positive, Positive], Pair] | None = Field(default=None, description="[least, largest]")
    numerical_aperture: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="smallest, of the light's cone on the axis"
    )
    field_deg: Annotated[tuple[NotNegative, NotNegative], Pair] | None = Field(
        default=None, description="[least, largest] angle in front of the camera that the sensor's corner sees"
    )

    def limits(self) -> Iterator[tuple[str, float, float]]:
        """(name, least, largest) of each quantity that is bounded."""
        for name in ("track_length_um", "diameter_um"):
            if (largest := getattr(self, name)) is not None:
                yield name, 0.0, largest
        for name in ("f_number", "field_deg"):
            if (both := getattr(self, name)) is not None:
                yield name, *both
        for name in ("period_um", "numerical_aperture"):
            if (smallest := getattr(self, name)) is not None:
                yield name, smallest, math.inf


class Exploration(Record):
    """How many architectures are tried, among which, and what they have to keep."""

    candidates: int = Field(default=32, ge=1, le=100_000)
    seed: int = Field(default=0, ge=0, lt=2**63)
    refine: float = Field(
        default=0.5, ge=0, lt=1, description="share of the candidates that are placed near the Pareto front"
    )
    range: Ranges = Ranges()
    choices: tuple[Choice, ...] = Field(default=(), max_length=32)
    envelope: Envelope = Envelope()

    def contradictions(self) -> list[str]:
        """A clause for each pair of numbers that cannot both hold; empty if there are none."""
        tables = {"range": self.range.given, "envelope": _pairs(self.envelope)}
        tables |= {f"choices.{each.name}.range": each.range.given for each in self.choices}
        found = [
            f"{table}.{name} begins at {low:g} and ends at {high:g}; exchange them"
            for table, values in tables.items()
            for name, (low, high) in values.items()
            if low > high
        ]
        names = [each.name for each in self.choices]
        twice = sorted({each for each in names if names.count(each) > 1})
        found += [f"two choices are called {name}" for name in twice]
        both = self.envelope.f_number, self.envelope.numerical_aperture
        if both[0] is not None and both[1] is not None:
            largest = math.sin(math.atan(0.5 / both[0][0]))
            if both[1] > largest:
                found.append(
                    f"envelope.numerical_aperture {both[1]:g} is more than {largest:.3g}, that of the least f_number "
                    f"{both[0][0]:g}"
                )
        return found


class Architecture(Record):
    """One architecture; the numbers are those of :class:`Ranges`.

    Attributes:
        choice: name of the choice; None where there are none.
        pupil_um: diameter.
        focal_length_um: to the sensor.
        stop_distance_um: air behind the stop.
        substrate_um: glass behind the stop. Without air and glass the lens is its own stop.
        start_wavelength_nm: of the starting lenses; None for the specification's.
    """

    choice: str | None = None
    pupil_um: Micrometres
    focal_length_um: Micrometres
    stop_distance_um: Finite = 0.0
    substrate_um: Finite = 0.0
    start_wavelength_nm: Finite | None = None

    @property
    def has_stop(self) -> bool:
        """Whether there is a stop in front of the lens."""
        return self.stop_distance_um + self.substrate_um > 0

    @property
    def track_length_um(self) -> float:
        """From the stop to the sensor."""
        return self.stop_distance_um + self.substrate_um + self.focal_length_um


def _pairs(envelope: Envelope) -> dict[str, tuple[float, float]]:
    both = {"f_number": envelope.f_number, "field_deg": envelope.field_deg}
    return {name: value for name, value in both.items() if value is not None}
