"""What is used of diffusers, imported without what nothing here uses.

diffusers imports all models of a kind for one of them, and what it finds of peft, transformers, bitsandbytes and
PyTorch's compiler: two thirds of the time that a command of the restorer takes to begin. Processes of this package
leave them out (docs/restoration.md). In a process of others, who may use diffusers themselves, only
bitsandbytes is left out, which pyiqa brings.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec, module_from_spec
from typing import Any, cast

import torch

from metalens.formats.files.interruption import is_own_process

_ALL_OF_A_KIND = ("diffusers.models.autoencoders", "diffusers.models.unets", "diffusers.models.transformers")
"""Packages that import all of their modules, of which one or two are used."""

_UNUSED = ("peft", "transformers", "torch._dynamo")
"""diffusers does without them. What needs peft or transformers imports them later."""


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


@contextmanager
def without_siblings(package: str) -> Iterator[None]:
    """While this lasts, importing a module of a package does not run the package's own ``__init__``.

    Afterwards whoever imports the package gets it whole.
    """
    spec = None if package in sys.modules else find_spec(package)
    if spec is None:
        yield
        return
    sys.modules[package] = module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[package]


@contextmanager
def _uncompiled() -> Iterator[None]:
    """While this lasts, functions that must not be compiled are not marked so: that would import the compiler."""
    marking = torch.compiler.disable

    def unmarked(function: Callable[..., Any] | None = None, **settings: Any) -> Any:
        del settings
        return function or unmarked

    torch.compiler.disable = unmarked  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compiler.disable = marking


@contextmanager
def _without_schedules_of_scipy() -> Iterator[None]:
    """While this lasts, diffusers takes SciPy for missing: its schedulers would import all of ``scipy.stats``."""
    from diffusers.utils import import_utils

    found = import_utils._scipy_available
    import_utils._scipy_available = False
    try:
        yield
    finally:
        import_utils._scipy_available = found


@contextmanager
def _without_names_of_distributions() -> Iterator[None]:
    """While this lasts, diffusers takes packages to be installed under the names by which they are imported.

    To know the others it would read the file lists of all that is installed.
    """
    given = importlib.metadata.packages_distributions
    importlib.metadata.packages_distributions = dict
    try:
        yield
    finally:
        importlib.metadata.packages_distributions = given


with ExitStack() as stack:
    # Where diffusers was imported before, it has asked for the packages already, and they must be there.
    if "diffusers" not in sys.modules:
        stack.enter_context(left_out("bitsandbytes"))
        if is_own_process():
            stack.enter_context(_uncompiled())
            for name in _UNUSED:
                stack.enter_context(left_out(name))
            stack.enter_context(_without_names_of_distributions())
            stack.enter_context(_without_schedules_of_scipy())
            for name in _ALL_OF_A_KIND:
                stack.enter_context(without_siblings(name))
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.resnet import ResnetBlock2D
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

__all__ = ["AutoencoderKL", "DDPMScheduler", "ResnetBlock2D", "UNet2DConditionModel", "left_out", "without_siblings"]
