"""What a restoration method is to the benchmark: it describes itself, is fitted to pairs, and restores captures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from metalens.formats.pairs.reader import Pairs
from metalens.formats.psf.bank import PsfBank
from metalens.restore.training.optimisation import Budget

Precision = Literal["fp32", "bf16"]
Report = Callable[[float, dict[str, float]], None]
"""Called with the share of the fitting that is done and the latest figures."""


@dataclass(frozen=True)
class Description:
    """What a table says of a method beside its figures.

    Attributes:
        title: its name in tables.
        reference: where it was published.
        knows: what it is told of the camera besides its captures.
        differs: what is otherwise here than in the publication.
        learns: whether its fitting takes the training budget; otherwise it only chooses a setting.
        uses_prior: whether it stands on the pretrained latent diffusion model.
        variants: pictures that it makes of one capture, such as one for each α; ``("",)`` for a single one. The last
            is the one that is timed.
    """

    title: str
    reference: str
    knows: str
    differs: str
    learns: bool = True
    uses_prior: bool = False
    variants: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Capture:
    """A picture of the camera: ``[y, x, 3]`` uint8, and (row, column) on the sensor where it begins."""

    picture: np.ndarray
    place: tuple[int, int] = (0, 0)


Restore = Callable[[Capture, Sequence[str]], dict[str, np.ndarray]]
"""From a capture and the variants that are wanted of it to variant → ``[y, x, 3]`` uint8."""


@dataclass(frozen=True)
class Fitted:
    """A method that is ready for captures of one camera.

    Attributes:
        restore: captures to pictures.
        parameters: numbers that the method is made of, the prior's included.
        trainable: those of them that training changed.
        steps: of training.
        seconds: of training.
        chosen: settings that fitting chose, and what it tells of itself.
    """

    restore: Restore
    parameters: int = 0
    trainable: int = 0
    steps: int = 0
    seconds: float = 0.0
    chosen: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """What every method is fitted with, the same for all.

    Attributes:
        pairs: clean and captured pictures of the camera; only those of the split's training side are used.
        bank: the camera's point spread functions.
        prior: the latent diffusion model, as :func:`metalens.restore.prior.prior.load_prior` takes it.
        budget: of methods that learn.
        folder: where a method keeps its checkpoint.
        batch: crops a step.
        crop: their side in pixels.
        precision: of forward passes, in training and restoring; what is trained stays float32.
        device: of torch.
        seed: of crops, noise and initial weights.
        resume: take up the checkpoint in the folder, if there is one.
        report: told of progress.
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
    report: Report = lambda share, figures: None


@dataclass(frozen=True)
class Method:
    """One method: ``describe`` what it is, ``fit`` it to pairs; what is fitted restores."""

    describe: Description
    fit: Callable[[Training], Fitted]
