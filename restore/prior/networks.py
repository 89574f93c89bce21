"""What is used of diffusers and peft, imported without the quantised layers that nothing here has."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, cast


@contextmanager
def left_out(package: str) -> Iterator[None]:
    """While this lasts, an installed package seems not to be there, unless it was imported before."""
    modules = cast(dict[str, Any], sys.modules)
    if package in modules:
        yield
        return
    modules[package] = None
    try:
        yield
    finally:
        del modules[package]


# pyiqa brings bitsandbytes, and both import what they find of it. That loads PyTorch's compiler: a fifth of the time
# that a command of the restorer takes to begin. They ask once whether the package is there, and keep the answer. Where
# diffusers was imported before, it has asked already, and the package must be there.
with nullcontext() if "diffusers" in sys.modules else left_out("bitsandbytes"):
    from diffusers import AutoencoderKL, ControlNetModel, DDPMScheduler, UNet2DConditionModel
    from peft import LoraConfig, inject_adapter_in_model
    from peft.import_utils import is_bnb_4bit_available, is_bnb_available
    from peft.tuners.lora import LoraLayer

    is_bnb_available()
    is_bnb_4bit_available()

__all__ = [
    "AutoencoderKL",
    "ControlNetModel",
    "DDPMScheduler",
    "LoraConfig",
    "LoraLayer",
    "UNet2DConditionModel",
    "inject_adapter_in_model",
    "left_out",
]
