"""``tolerances.toml``: distributions of fabrication and assembly errors, and limits of the figures of merit.

Keys carry the unit in which their distribution's numbers are: ``width_error_nm = { distribution = "normal", sigma =
10.5 }``. Without a file, :data:`TYPICAL` holds.
"""

from __future__ import annotations

import math
import os
from typing import Annotated, Literal

from pydantic import Field, model_validator

from metalens.formats.camera.lens import Lens
from metalens.formats.files.record import Finite, Micrometres, NotNegative, Positive, Record, tags_of
from metalens.formats.files.toml_file import parse_toml, read_text, validated

SCHEMA = "metalens.tolerance"
VERSION = 1

LARGEST_MISSING = 0.5
LARGEST_TILT = 20.0
"""Degrees, as in ``lens.toml``."""

LARGEST_STRETCH = 50.0
"""Percent of a radius of curvature."""


class Fixed(Record):
    """The same in every lens."""

    distribution: Literal["fixed"]
    nominal: Finite

    @property
    def reach(self) -> float:
        """How far the numbers lie from the nominal one at most."""
        return 0.0

    @property
    def sigma_of_numbers(self) -> float:
        """Standard deviation."""
        return 0.0


class Normal(Record):
    """Normally distributed about the nominal number, cut off at a limit on either side where there is one."""

    distribution: Literal["normal"]
    nominal: Finite = 0.0
    sigma: Positive = Field(description="before it is cut off")
    limit: Positive | None = Field(default=None, description="largest distance from the nominal number")

    @property
    def reach(self) -> float:
        """How far the numbers lie from the nominal one at most."""
        return math.inf if self.limit is None else self.limit

    @property
    def sigma_of_numbers(self) -> float:
        """Standard deviation, of the numbers within the limit: σ² (1 − 2bφ(b)/(2Φ(b) − 1)) with b = limit/σ."""
        if self.limit is None:
            return self.sigma
        b = self.limit / self.sigma
        inside = math.erf(b / math.sqrt(2))
        density = math.exp(-0.5 * b * b) / math.sqrt(2 * math.pi)
        # Of a limit far below σ the numbers are uniform, and the difference cancels.
        share = 1 - 2 * b * density / inside if b > 1e-3 else b * b / 3
        return self.sigma * math.sqrt(share)


class Uniform(Record):
    """Uniform distribution within a distance of the nominal number."""

    distribution: Literal["uniform"]
    nominal: Finite = 0.0
    plus_minus: Positive

    @property
    def reach(self) -> float:
        """How far the numbers lie from the nominal one at most."""
        return self.plus_minus

    @property
    def sigma_of_numbers(self) -> float:
        """Standard deviation."""
        return self.plus_minus / math.sqrt(3)


Distribution = Annotated[Fixed | Normal | Uniform, Field(discriminator="distribution")]


class Errors(Record):
    """The distribution of each error; one that is None does not occur. All are independent of each other."""

    width_error_nm: Distribution | None = Field(default=None, description="of all meta-atoms of a lens alike")
    width_spread_nm: Distribution | None = Field(
        default=None, description="standard deviation of each meta-atom's own error besides"
    )
    height_error_nm: Distribution | None = None
    index_error: Distribution | None = Field(default=None, description="of the meta-atoms' refractive index")
    missing_share: Distribution | None = Field(default=None, description="of the meta-atoms")
    pitch_error_percent: Distribution | None = Field(default=None, description="all lengths in the lens' plane")
    defocus_um: Distribution | None = Field(default=None, description="sensor farther from the lens")
    tilt_y_deg: Distribution | None = Field(default=None, description="slope of the sensor's depth towards +y")
    tilt_x_deg: Distribution | None = Field(default=None, description="slope of the sensor's depth towards +x")
    decentre_y_um: Distribution | None = Field(default=None, description="lens' axis from the sensor's centre")
    decentre_x_um: Distribution | None = None
    surface_radius_percent: Distribution | None = Field(
        default=None, description="radius of curvature of all refractive surfaces alike"
    )
    surface_distance_um: Distribution | None = Field(
        default=None, description="axial distance behind each refractive surface, of all alike"
    )
    glass_index_error: Distribution | None = Field(
        default=None, description="refractive index behind each surface, of all glasses alike"
    )

    @model_validator(mode="after")
    def _fit(self) -> Errors:
        for name, lowest, highest in (
            ("width_spread_nm", 0.0, math.inf),
            ("missing_share", 0.0, LARGEST_MISSING),
            ("tilt_y_deg", -LARGEST_TILT, LARGEST_TILT),
            ("tilt_x_deg", -LARGEST_TILT, LARGEST_TILT),
            ("surface_radius_percent", -LARGEST_STRETCH, LARGEST_STRETCH),
        ):
            found: Fixed | Normal | Uniform | None = getattr(self, name)
            if found is None:
                continue
            # A normal distribution is unbounded: tails beyond 8 σ, which are never drawn, are not checked.
            within = name.startswith(("tilt", "surface_radius"))
            reach = min(found.reach, 8 * found.sigma_of_numbers) if within else found.reach
            if not (found.nominal - reach >= lowest - 1e-12 and found.nominal + reach <= highest + 1e-12):
                raise ValueError(
                    f"{name} goes from {found.nominal - reach:g} to {found.nominal + reach:g}, between {lowest:g} and "
                    f"{highest:g} was expected; give a nominal number and a limit or plus_minus that stay inside"
                )
        return self

    @property
    def terms(self) -> dict[str, Fixed | Normal | Uniform]:
        """Name → distribution of the errors that occur, in the order above."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: each for name, each in found.items() if each is not None}


class Limits(Record):
    """Limits for every field and colour of an acceptable lens; None is no limit."""

    strehl_ratio: Positive | None = Field(default=None, description="at least")
    modulation_quarter: Positive | None = Field(default=None, description="at a quarter of Nyquist, at least")
    modulation_half: Positive | None = Field(default=None, description="at half of Nyquist, at least")
    width_um: Micrometres | None = Field(default=None, description="by Eq. 2, at most")
    half_energy_radius_um: Micrometres | None = Field(default=None, description="at most")
    restored_db: Positive | None = Field(
        default=None, description="expected PSNR after the joint Wiener filter, at least"
    )
    window_share: Positive | None = Field(default=None, description="at least")
    efficiency: Positive | None = Field(default=None, description="at least")
    diffuse_share: NotNegative | None = Field(default=None, description="at most")

    @property
    def given(self) -> dict[str, float]:
        """Name → limit of those that are given."""
        return self.model_dump(exclude_none=True)


class ToleranceSpec(Record):
    """Errors and limits."""

    description: str = ""
    errors: Errors
    limits: Limits = Field(default_factory=Limits)

    @model_validator(mode="after")
    def _fit(self) -> ToleranceSpec:
        if not self.errors.terms:
            raise ValueError("errors names none; give at least one, such as defocus_um")
        return self


TYPICAL = ToleranceSpec(
    description="Widths as published with neural nano-optics (0.03 and 0.015 of a pitch of 350 nm), others typical",
    errors=Errors(
        width_error_nm=Normal(distribution="normal", sigma=10.5),
        width_spread_nm=Fixed(distribution="fixed", nominal=5.25),
        height_error_nm=Normal(distribution="normal", sigma=7.0),
        index_error=Normal(distribution="normal", sigma=0.01),
        missing_share=Uniform(distribution="uniform", nominal=0.001, plus_minus=0.001),
        pitch_error_percent=Normal(distribution="normal", sigma=0.01),
        defocus_um=Normal(distribution="normal", sigma=5.0),
        tilt_y_deg=Normal(distribution="normal", sigma=0.1),
        tilt_x_deg=Normal(distribution="normal", sigma=0.1),
        decentre_y_um=Normal(distribution="normal", sigma=5.0),
        decentre_x_um=Normal(distribution="normal", sigma=5.0),
    ),
)
"""Default without a file; docs/tolerancing.md gives the source of each number."""

TYPICAL_OF_GLASS = {
    "surface_radius_percent": Normal(distribution="normal", sigma=0.3),
    "surface_distance_um": Normal(distribution="normal", sigma=5.0),
    "glass_index_error": Normal(distribution="normal", sigma=0.0005),
}
"""Errors of refractive surfaces that are typical besides."""


def typical_tolerances(lens: Lens) -> ToleranceSpec:
    """The errors that hold for a lens without a file.

    Args:
        lens: of the camera.

    Returns:
        :data:`TYPICAL`, with :data:`TYPICAL_OF_GLASS` where the lens has refractive surfaces.
    """
    if lens.surfaces is None:
        return TYPICAL
    return TYPICAL.model_copy(update={"errors": TYPICAL.errors.model_copy(update=TYPICAL_OF_GLASS)})


_TAGS = tags_of(Distribution)


def read_tolerance_spec(path: str | os.PathLike[str]) -> ToleranceSpec:
    """Read a ``tolerances.toml``.

    Raises:
        InputError: there is no such file, or its content does not describe tolerances.
    """
    missing = "no such file; give a tolerances.toml, or leave --spec out for typical ones."
    return parse_tolerance_spec(read_text(path, "tolerances.toml", missing=missing), origin=os.fspath(path))


def parse_tolerance_spec(text: str, *, origin: str = "tolerances.toml") -> ToleranceSpec:
    """Read tolerances from the text of a file.

    Args:
        text: TOML.
        origin: name of the source, for messages.

    Returns:
        The tolerances.

    Raises:
        InputError: the text is not TOML, of another schema, or does not describe tolerances.
    """
    content = parse_toml(text, SCHEMA, VERSION, origin=origin, remedy="copy them from docs/tolerancing.md")
    return validated(ToleranceSpec, content, origin=origin, tags=_TAGS)
