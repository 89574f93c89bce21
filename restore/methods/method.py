"""Interface of the benchmark's restoration methods: a description, a fit to pairs, a restoration of captures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from metalens.formats.pairs.reader import Pairs
from metalens.formats.psf.bank import PsfBank
from metalens.restore.inference.capture import Capture
from metalens.restore.training.optimisation import Budget

Precision = Literal["fp32", "bf16"]
Report = Callable[[float, dict[str, float]], None]
"""Progress callback: fraction of the fitting that is done, in 0..1, and the latest losses."""


@dataclass(frozen=True)
class Description:
    """Description of a method in tables.

    Attributes:
        title: name in tables.
        reference: publication.
        knows: information about the camera that the method takes, besides captures.
        differs: differences from the publication.
        learns: whether fitting uses the training budget; otherwise it only chooses a setting.
        uses_prior: whether the method uses the pretrained latent diffusion model.
        variants: names of the results for one capture, such as one for each α; ``("",)`` for a single result. The last
            variant is timed.
    """

    title: str
    reference: str
    knows: str
    differs: str
    learns: bool = True
    uses_prior: bool = False
    variants: tuple[str, ...] = ("",)


Restore = Callable[[Capture, Sequence[str]], dict[str, np.ndarray]]
"""(capture, variants) → {variant: ``[y, x, 3]`` uint8 sRGB}."""


@dataclass(frozen=True)
class Fitted:
    """A method fitted to one camera.

    Attributes:
        restore: maps a capture to its restored pictures.
        parameters: parameters of the method, those of the prior included.
        trainable: trained parameters.
        steps: training steps.
        seconds: training time in seconds.
        chosen: settings chosen by the fit, and other figures of it.
        losses: perceptual distances in the training's loss, by their names in
            :data:`metalens.restore.metrics.perceptual_loss.PERCEPTUAL`; they do not judge the method.
    """

    restore: Restore
    parameters: int = 0
    trainable: int = 0
    steps: int = 0
    seconds: float = 0.0
    chosen: dict[str, Any] = field(default_factory=dict)
    losses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Training:
    """Inputs of the fit, the same for all methods.

    Attributes:
        pairs: clean and captured pictures of the camera; only the training split is used.
        bank: the camera's point spread functions.
        prior: the latent diffusion model, as :func:`metalens.restore.prior.prior_folder.load_prior` takes it.
        budget: training budget of methods that learn.
        folder: folder of the method's checkpoint.
        batch: crops per step.
        crop: side of a crop in pixels.
        precision: precision of forward passes in training and restoration; trained weights stay float32.
        device: device name of torch.
        seed: seed of crops, noise and initial weights.
        resume: continue from the checkpoint in the folder, if there is one.
        initial: adapter from which DMDiff starts, of any lens; ``None`` starts anew. Other methods ignore it.
        report: progress callback.
    """

    pairs: Pairs
    bank: PsfBank
    prior: str
    budget: Budget
    folder: Path
    batch: int = 4
    crop: int = 96
    precision: Precision = "fp32"
    device: str = "cpu"
    seed: int = 0
    resume: bool = False
    initial: str | None = None
    report: Report = lambda share, figures: None


@dataclass(frozen=True)
class Method:
    """One method: its description (``describe``) and its fit to pairs (``fit``)."""

    describe: Description
    fit: Callable[[Training], Fitted]
