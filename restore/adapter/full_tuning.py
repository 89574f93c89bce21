"""Tuning all weights of the prior for one camera, instead of LoRA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn

from metalens.restore.adapter.svda import Mixing
from metalens.restore.conditioning.degradation_map import WHOLE, Region
from metalens.restore.prior.prior import Prior


class FullTuning:
    """All weights of autoencoder and U-Net, trained; the place of :class:`~metalens.restore.adapter.lora.LoraLayers`.

    There is no Q: what the network knows of its place in the field comes from its input.

    Args:
        prior: its weights become trainable, in place.

    Attributes:
        ranks: empty, as there is no LoRA.
    """

    def __init__(self, prior: Prior) -> None:
        prior.vae.requires_grad_(True)
        prior.unet.requires_grad_(True)
        self.prior = prior
        self.ranks: dict[str, int] = {}

    @contextmanager
    def conditioned(
        self, mixings: dict[str, Mixing] | None, aspect: float, regions: Sequence[Region] = WHOLE
    ) -> Iterator[None]:
        """Nothing to apply.

        Args:
            mixings: must be ``None``.
            aspect: height / width of the pictures.
            regions: which part of its frame each picture shows.

        Returns:
            A context manager without effect.
        """
        del aspect, regions
        assert mixings is None
        yield

    def parameters(self) -> dict[str, nn.Parameter]:
        """All weights by name."""
        return {
            f"{root}.{name}": parameter
            for root, module in (("unet", self.prior.unet), ("vae", self.prior.vae))
            for name, parameter in module.named_parameters()
        }
