"""What the configuration files of a prior may ask for, before a network is made of them.

diffusers makes whatever a ``config.json`` names: a width of 10⁶ channels would take terabytes before its weights are
looked for. Keys that bear on sizes are checked, and those that this package reads; all others are left to diffusers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metalens.formats.files.errors import InputError
from metalens.formats.files.record import first_problem

Channels = Annotated[int, Field(ge=1, le=512)]
Width = Annotated[int, Field(ge=1, le=8192)]
Depth = Annotated[int, Field(ge=1, le=64)]
Blocks = Annotated[list[Width], Field(min_length=1, max_length=8)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Scale = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Statistics = Annotated[list[Scale], Field(max_length=512)]


class Configuration(BaseModel):
    """A file of diffusers; further keys are kept."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


class AutoencoderConfiguration(Configuration):
    """``vae/config.json``."""

    block_out_channels: Blocks = [64]
    layers_per_block: Depth = 1
    latent_channels: Channels = 4
    in_channels: Channels = 3
    out_channels: Channels = 3
    scaling_factor: Annotated[Scale, Field(gt=0)] = 0.18215
    shift_factor: Scale | None = None
    latents_mean: Statistics | None = None
    latents_std: Statistics | None = None


class DenoiserConfiguration(Configuration):
    """``unet/config.json``."""

    block_out_channels: Blocks = [320, 640, 1280, 1280]
    layers_per_block: Depth | list[Depth] = 2
    in_channels: Channels = 4
    out_channels: Channels = 4
    cross_attention_dim: Width | list[Width] = 1280
    transformer_layers_per_block: Depth | list[Depth | list[Depth]] = 1
    time_embedding_dim: Width | None = None


class ScheduleConfiguration(Configuration):
    """``scheduler/scheduler_config.json``."""

    num_train_timesteps: Annotated[int, Field(ge=1, le=100_000)] = 1000
    beta_start: Share = 0.0001
    beta_end: Share = 0.02
    trained_betas: Annotated[list[Share], Field(max_length=100_000)] | None = None
    prediction_type: str = "epsilon"


def check_configuration(model: type[Configuration], content: Mapping[str, Any], *, origin: str) -> None:
    """Check a configuration.

    Args:
        model: what it may hold.
        content: of the file.
        origin: how error messages name the file.

    Raises:
        InputError: a key is of another type, or out of its bounds.
    """
    try:
        model.model_validate(dict(content))
    except ValidationError as error:
        problem = first_problem(error, model).rstrip(".")
        raise InputError(f"{origin}: {problem}; copy or download the folder again.") from error
