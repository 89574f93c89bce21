"""The terms of a comparison: what is equal for all its lenses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

SCHEMA = "metalens.comparison"
VERSION = 1
NOTE = "terms.json"
"""In the comparison's folder: the lenses, photographs and terms of the latest run."""

BASELINES = ("wiener-joint", "wiener-tiled", "richardson-lucy")
"""Methods of the benchmark that need no training."""

VARIANTS = ("α = 0.75", "consistent, α = 0.75")
"""What is restored with the adapted restorer."""

METRICS = ("psnr", "ssim", "st_lpips", "mtf50")
"""Metrics of the benchmark."""

TUNING_PAIRS = 12
"""Training pairs of a comparison without training: baselines choose their regulariser on three of them."""

Exposure = Literal["white", "time"]


@dataclass(frozen=True)
class ComparisonTerms:
    """Terms of a comparison.

    Attributes:
        fields: rows, columns of the bank's nodes.
        wavelengths: wavelengths per colour channel; ``None`` for the lens file's.
        count: training pairs of each lens.
        minutes: training time of each restorer; 0 for baselines alone, ``None`` without a limit.
        steps: training steps; training ends at whichever limit comes first.
        initial: adapter from which every restorer starts.
        prior: the diffusion prior.
        batch: crops per step.
        crop: side of a crop in pixels.
        precision: of forward passes.
        device: of torch.
        draws: lenses to draw with typical errors; 0 for no tolerances.
        exposure: ``white``: a white scene brings every lens the same electrons. ``time``: equal exposure time, so that
            electrons follow the light that each lens gathers, relative to the first.
    """

    fields: tuple[int, int] = (7, 7)
    wavelengths: int | None = None
    count: int = 200
    minutes: float | None = 5.0
    steps: int | None = None
    initial: str = "metacamera"
    prior: str = "embedded"
    batch: int = 4
    crop: int = 96
    precision: str = "fp32"
    device: str = "cpu"
    draws: int = 0
    exposure: Exposure = "white"

    @property
    def trains(self) -> bool:
        """Whether restorers are adapted, and not baselines computed alone."""
        return self.minutes != 0

    @property
    def pairs(self) -> int:
        """Training pairs that are made."""
        return self.count if self.trains else TUNING_PAIRS

    def described(self) -> dict[str, Any]:
        """The terms as JSON."""
        return asdict(self)
