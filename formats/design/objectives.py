"""The ``[[objectives]]`` tables of ``design.toml``, one record per kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from metalens.formats.files.record import Micrometres, Positive, Record

Reduction = Literal["mean", "log_mean", "soft_worst", "worst"]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class _Objective(Record):
    weight: Positive = Field(default=1.0, description="of the logarithm of the figure in the loss")
    reduction: Reduction = Field(default="mean", description="over field, colour and whatever else the figure has")
    sharpness: Positive = Field(default=8.0, description="of soft_worst, the exponent of its power mean")


class StrehlObjective(_Objective):
    """Peak against that of an unaberrated lens, at each wavelength."""

    kind: Literal["strehl"]


class MtfObjective(_Objective):
    """Modulation transfer along the tangential and the sagittal direction; light that is lost lowers it."""

    kind: Literal["mtf"]
    frequencies: tuple[Share, ...] = Field(
        default=(0.25,), min_length=1, max_length=16, description="shares of the sensor's Nyquist frequency"
    )


class MtfVolumeObjective(_Objective):
    """Mean modulation transfer over all frequencies up to Nyquist."""

    kind: Literal["mtf_volume"]


class WidthObjective(_Objective):
    """Width of the point spread functions: rms, or the radius that holds a share of the light."""

    kind: Literal["width"]
    measure: Literal["rms", "encircled"] = "rms"
    share: float = Field(default=0.5, gt=0, lt=1, allow_inf_nan=False, description="of encircled")


class UniformityObjective(_Objective):
    """How much the point spread functions differ from their mean over the field."""

    kind: Literal["uniformity"]


class EfficiencyObjective(_Objective):
    """Share of the light through the aperture that lands within a radius around the chief ray."""

    kind: Literal["efficiency"]
    radius_um: Micrometres


class _ImageObjective(_Objective):
    image_variance: float = Field(
        default=0.06, gt=0, le=1, allow_inf_nan=False, description="of photographs, in units of white squared"
    )
    grey: Share = Field(default=0.2, description="share of white at which the sensor's noise is taken")
    exposure_f_number: Positive | None = Field(
        default=None,
        description="f-number at which the scene fills the sensor's white level in the exposure time; a slower lens "
        "gets less light. None exposes every lens to the white level",
    )


class RestorationObjective(_ImageObjective):
    """Expected squared error after a Wiener filter that knows the functions of each place, with the sensor's noise."""

    kind: Literal["restoration"]
    channels: Literal["joint", "separate"] = Field(
        default="joint", description="whether the filter uses the correlation of the colours, or takes each alone"
    )
    noise_scale: Positive = Field(
        default=30.0,
        description="of joint: multiple of the sensor's noise; stands for mosaic, rounding and other unmodelled noise",
    )


class CapturedObjective(_ImageObjective):
    """Expected squared error of the captured picture."""

    kind: Literal["captured"]


Objective = Annotated[
    StrehlObjective
    | MtfObjective
    | MtfVolumeObjective
    | WidthObjective
    | UniformityObjective
    | EfficiencyObjective
    | RestorationObjective
    | CapturedObjective,
    Field(discriminator="kind"),
]
