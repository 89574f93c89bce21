"""Restoration methods side by side, each behind the same small interface: ``describe``, ``fit``, ``restore``.

In reading order:

- ``method``           the interface: a method, its training inputs, the fitted method
- ``tuning``           choosing a setting on training pairs, for methods that do not learn
- ``learning``         one training for all methods that learn
- ``wiener``           Wiener deconvolution: with one function, tiled over the field, or jointly over all colours
- ``richardson_lucy``  Richardson–Lucy deconvolution with the camera's blur (``restore/deconvolution/local_blur.py``)
- ``two_step``         blind correction: a Gaussian estimate, then colour fringes; ``gaussian_blur`` estimates and
  inverts
- ``nano_optics``      Wiener deconvolution of learned features (``feature_wiener``)
- ``swinir``           a transformer without prior or knowledge of the camera, in two sizes
- ``psf_aware``        a convolutional network (``nafnet``) that takes the bank's FWHM as input
- ``diffusion``        shared parts of the methods on the diffusion prior
- ``osediff``          one step, regularised by variational score distillation
- ``s3diff``           one step, LoRA guided by blind estimates of blur and noise, adversarial loss
- ``seesr_style``      fifty steps of diffusion with a ControlNet
- ``dmdiff``           this project's restorer, with a local and a global Q, at several α

:data:`METHODS` maps a method's name to its module and object. The module is imported when the method is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import missing_package

if TYPE_CHECKING:
    from metalens.restore.methods.method import Method

METHODS = {
    "wiener-whole": ("wiener", "WHOLE"),
    "wiener-tiled": ("wiener", "TILED"),
    "wiener-joint": ("wiener", "JOINT"),
    "richardson-lucy": ("richardson_lucy", "METHOD"),
    "two-step": ("two_step", "METHOD"),
    "nano-optics": ("nano_optics", "METHOD"),
    "swinir-small": ("swinir", "SMALL"),
    "swinir": ("swinir", "COLOUR_DENOISE"),
    "psf-aware": ("psf_aware", "METHOD"),
    "osediff": ("osediff", "METHOD"),
    "s3diff": ("s3diff", "METHOD"),
    "seesr-style": ("seesr_style", "METHOD"),
    "dmdiff-global": ("dmdiff", "GLOBAL"),
    "dmdiff-local": ("dmdiff", "LOCAL"),
}
"""Name → (module, object), in the order of the tables."""


def load_method(name: str) -> Method:
    """Import a method.

    Raises:
        InputError: there is no such method, or a package that it needs is not installed.
    """
    if name not in METHODS:
        raise InputError(f"--methods {name}: no such method; expected some of {', '.join(METHODS)}.")
    module, attribute = METHODS[name]
    try:
        method: Method = getattr(import_module(f"metalens.restore.methods.{module}"), attribute)
    except ModuleNotFoundError as error:
        sentence = missing_package(error.name or "")
        if sentence is None:
            raise
        raise InputError(f"method {name}: {sentence}, or leave the method out with --methods.") from error
    return method
