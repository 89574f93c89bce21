"""Restoration by one-step latent diffusion (DMDiff, arXiv 2506.22753). Reads files; never simulates.

In reading order:

- ``prior``          the latent diffusion model
- ``conditioning``   degradation maps: FWHM and quality over the field
- ``adapter``        LoRA with A·Q·B, the three paths, the restorer
- ``training``       training an adapter on pairs
- ``inference``      restoring captures, at any α and size
- ``deconvolution``  the baselines of linear optics
- ``metrics``        image quality metrics
- ``report``         a page that compares restored pictures
- ``methods``        other restorers behind one interface; ``bench`` compares all of them
- ``pretraining``    training a small prior
- ``machine``        the computing device, and its name for measured figures

Called as a function, this folder restores one picture, ``metalens.restore(picture, adapter="metacamera", alpha=0.75)``:
see :func:`metalens.restore.inference.picture.restore_picture` (docs/adr/0027).

``weights/`` holds the embedded prior and adapters. Imports nothing of jax, ``optics``, ``psf`` or ``synth``.
"""

import inspect
import sys
from types import ModuleType
from typing import Any


class _CallableFolder(ModuleType):
    """The module of this folder, which is also the front door's function of the same name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Restore one picture; see :func:`metalens.restore.inference.picture.restore_picture`."""
        from metalens.formats.files.extras import require

        require("metalens.restore", "torch", "diffusers", "peft", "safetensors")
        from metalens.restore.inference.picture import restore_picture

        return restore_picture(*arguments, **options)

    @property
    def __signature__(self) -> inspect.Signature:
        from metalens.restore.inference.picture import restore_picture

        return inspect.signature(restore_picture)


sys.modules[__name__].__class__ = _CallableFolder
