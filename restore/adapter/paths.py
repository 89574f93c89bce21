"""The three paths of DMDiff: their inputs and targets (section 3.2)."""

from __future__ import annotations

import torch
from pydantic import model_validator
from pydantic.dataclasses import dataclass as settings
from torch import Tensor
from torch.nn import functional as F

from metalens.formats.files.errors import InputError
from metalens.formats.files.record import STRICT, Share, told_as_input_error
from metalens.restore.prior.prior import PATHS


@told_as_input_error("paths")
@settings(frozen=True, config=STRICT)
class PathShares:
    """Probability of each path in training; the published values by default."""

    positive: Share = 0.7
    neutral: Share = 0.2
    negative: Share = 0.1

    @model_validator(mode="after")
    def _are_all(self) -> PathShares:
        shares = [getattr(self, path) for path in PATHS]
        if abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"path shares must be 0 or more and sum to 1, found {shares}")
        return self

    def draw(self, generator: torch.Generator) -> str:
        """Draw the path of a training step."""
        shares = torch.tensor([getattr(self, path) for path in PATHS])
        return PATHS[int(torch.multinomial(shares, 1, generator=generator))]


def source_and_target(path: str, clean: Tensor, neutral: Tensor, captured: Tensor) -> tuple[Tensor, Tensor]:
    """Input and target of one path.

    positive: captured → clean; neutral: captured → edge-preserving low-pass of the clean; negative: clean → captured.
    Where linear restorations follow the capture's channels, the clean picture as an input has zeros in their place.

    Args:
        path: one of the three.
        clean: ``[batch, 3, y, x]`` in 0..1.
        neutral: its edge-preserving low-pass, which the pairs hold (:mod:`metalens.formats.pairs.neutral_target`).
        captured: of the same shape, or with further channels.

    Returns:
        Input and target; the input of the negative path has as many channels as ``captured``, its target three.

    Raises:
        InputError: there is no such path.
    """
    if path == "positive":
        return captured, clean
    if path == "neutral":
        return captured, neutral
    if path == "negative":
        further = captured.shape[1] - clean.shape[1]
        return (F.pad(clean, (0, 0, 0, 0, 0, further)), captured[:, :-further]) if further else (clean, captured)
    raise InputError(f"path {path!r} is unknown; expected one of {', '.join(PATHS)}.")
