"""The ``[lens.multiplexed]`` table of ``lens.toml``: a second phase, of the other one of two polarisations."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from metalens.formats.camera.phase import SecondPhase
from metalens.formats.files.record import Record

_LIGHT = {"linear": ("x", "y", "unpolarised"), "circular": ("left", "right", "unpolarised")}


class Multiplexed(Record):
    """Two lenses in one: ``[lens.phase]`` is of light along x, or left circular; this phase of y, or right circular."""

    polarisations: Literal["linear", "circular"]
    light: Literal["x", "y", "left", "right", "unpolarised"] = Field(
        description="polarisation of the light that is simulated, the handedness as the receiver sees it"
    )
    phase: SecondPhase

    @model_validator(mode="after")
    def _fit(self) -> Multiplexed:
        if self.light not in _LIGHT[self.polarisations]:
            raise ValueError(
                f"light {self.light!r} is none of the {self.polarisations} polarisations; give one of "
                f"{', '.join(_LIGHT[self.polarisations])}"
            )
        return self
