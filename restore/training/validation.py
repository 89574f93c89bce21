"""Validation on held-out photographs: losses of each path, and pictures restored at every α."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metalens.restore.adapter.restorer import Restorer, blend
from metalens.restore.metrics.picture_tensors import as_picture
from metalens.restore.metrics.shift_tolerant_lpips import ShiftTolerantLPIPS, shift_tolerant_lpips
from metalens.restore.prior.prior import PATHS
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.loss import PathLoss
from metalens.restore.training.pairs import Example, TrainingPairs, inputs_of

ALPHAS = (0.0, 0.5, 0.75, 1.0)
"""Values of α in validation."""

SIDE = 128
"""Largest side of the restored pictures in pixels."""

_SHOWN = 4


@dataclass(frozen=True)
class Pictures:
    """Held-out crops for display: title → ``[picture, 3, y, x]`` in 0..1."""

    versions: dict[str, Tensor]

    def sheet(self) -> np.ndarray:
        """All crops in one picture ``[y, x, 3]`` uint8: one row per crop, one column per version."""
        rows = [torch.cat(list(row), dim=-1) for row in zip(*self.versions.values(), strict=True)]
        whole = torch.cat(rows[:_SHOWN], dim=-2)
        return (whole.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


class Validation:
    """Fixed crops of the validation split; of the training split, if the former is empty.

    Args:
        restorer: what is trained.
        data: pairs of cameras.
        loss: of the paths.
        config: the recipe.
        autocast: the precision to compute in.
    """

    def __init__(
        self,
        restorer: Restorer,
        data: TrainingPairs,
        loss: PathLoss,
        config: TrainConfig,
        autocast: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.restorer = restorer
        self.data = data
        self.loss = loss
        self.config = config
        self.autocast = autocast
        self.among = data.validation or data.training
        self.held_out = bool(data.validation)

    @torch.no_grad()
    def path_losses(self) -> dict[str, dict[str, float]]:
        """Loss, its terms and PSNR of each path, means over the fixed crops."""
        figures: dict[str, dict[str, float]] = {}
        for path in PATHS:
            rows = []
            for number in range(self.config.validation_batches):
                batch = self._draw(self.config.batch, self.config.crop, 1 + number, of_clean=path == "negative")
                source, target = inputs_of(path, batch, self.config.neutral)
                with self.autocast():
                    places = batch.place.tolist()
                    predicted = self.restorer.forward(source, batch.degradation_map, [path] * len(source), places)
                if path != "negative":
                    predicted, target = self.restorer.context(predicted), self.restorer.context(target)
                rows.append({name: float(value) for name, value in self.loss(predicted.float(), target, path).items()})
            figures[path] = {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}
            figures[path]["psnr"] = -10 * math.log10(max(figures[path]["l2"], 1e-10))
        return figures

    @torch.no_grad()
    def by_alpha(self) -> tuple[dict[str, Any], Pictures]:
        """PSNR and perceptual distance of captured and restored pictures, means over the fixed crops.

        The distance is the shift-tolerant LPIPS in the form of ``config.judge``; VGG's is no part of any loss here.

        Returns:
            ``pictures``, their number and ``side`` in pixels, ``judge``, ``captured`` and ``restored`` (by α), each
            with ``psnr`` in dB and ``perceptual``; and the pictures.
        """
        side = self.side
        versions: list[dict[str, Tensor]] = []
        for number in range(self.config.validation_pictures):
            example = self._draw(1, side, 10_000 + number, of_clean=False)
            versions.append(self._restored(example))
        judge = shift_tolerant_lpips(self.config.judge).to(versions[0]["clean"].device)
        rows = [_figures(judge, version) for version in versions]
        names = [name for name in versions[0] if name != "clean"]
        means = {
            name: {key: float(np.mean([row[name][key] for row in rows])) for key in ("psnr", "perceptual")}
            for name in names
        }
        figures = {"pictures": len(rows), "side": side, "held_out": self.held_out, "captured": means.pop("captured")}
        figures["judge"] = self.config.judge
        figures["restored"] = means
        shown = {
            title: torch.cat([version[name] for version in versions[:_SHOWN]]).cpu()
            for title, name in (("captured", "captured"), ("α = 0", "0"), ("α = 1", "1"), ("clean", "clean"))
        }
        return figures, Pictures(shown)

    def _restored(self, example: Example) -> dict[str, Tensor]:
        """A crop in all its versions, each ``[1, 3, y, x]`` in 0..1."""
        maps = example.degradation_map
        with self.autocast():
            encoded = self.restorer.encode(example.captured, maps)
            positive, neutral = (self.restorer.step(encoded, maps, [path]) for path in ("positive", "neutral"))
            decoded = {
                f"{alpha:g}": self.restorer.prior.decode(blend(positive, neutral, alpha)).float() for alpha in ALPHAS
            }
        captured = example.captured[:, :3]
        if self.restorer.consistency is not None:
            (place,), seen = example.place.tolist(), as_picture(captured[0])
            decoded = {a: self.restorer.consistent(each[0], seen, place)[None] for a, each in decoded.items()}
        return {"clean": example.clean, "captured": captured, **{a: each.clamp(0, 1) for a, each in decoded.items()}}

    @property
    def side(self) -> int:
        """Side of the restored pictures in pixels, a multiple of what the prior needs."""
        multiple = self.restorer.prior.size_multiple
        frames = (min(source.pairs.manifest.pixels) for source in self.data.sources)
        return max(self.config.crop, min(SIDE, *frames) // multiple * multiple)

    def _draw(self, count: int, side: int, number: int, *, of_clean: bool) -> Example:
        """Draw crops by a number of their own, independent of the training steps."""
        random = np.random.default_rng([self.config.seed, 2**63, number])
        device = self.restorer.prior.alpha_cumprod.device
        multiple = self.restorer.prior.latent_stride
        drawn = [
            self.data.draw(self.among, side, random=random, multiple=multiple, of_clean=of_clean) for _ in range(count)
        ]
        return Example(*(torch.stack(list(parts)).to(device) for parts in zip(*drawn, strict=True)))


def _figures(judge: ShiftTolerantLPIPS, version: dict[str, Tensor]) -> dict[str, dict[str, float]]:
    clean = version["clean"]
    others = {name: picture for name, picture in version.items() if name != "clean"}
    reference = judge.features(clean)
    found = {}
    for name, picture in others.items():
        error = float((picture - clean).square().mean())
        distance = float(judge.compare(reference, judge.features(picture)))
        found[name] = {"psnr": -10 * math.log10(max(error, 1e-10)), "perceptual": distance}
    return found
