"""Group normalisation with the statistics of a whole picture, for networks that process it in tiles.

Mean and deviation of a group are computed over the whole input of the network. They would differ from tile to tile, and
so would brightness and contrast. Here they are computed once, over windows spread over the picture, and all tiles are
normalised by the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Forward = Callable[[Tensor], Tensor]


class SharedStatistics:
    """Shared statistics of a network's group normalisations.

    Args:
        module: the network; :meth:`collecting` and :meth:`applied` change its ``GroupNorm`` layers temporarily.
        parts: number of equal parts of a batch with separate statistics, such as the two paths.
    """

    def __init__(self, module: nn.Module, parts: int = 1) -> None:
        self.layers = [layer for layer in module.modules() if isinstance(layer, nn.GroupNorm)]
        self.parts = parts
        self._found: dict[nn.GroupNorm, tuple[Tensor, Tensor]] = {}

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Inside the block, each layer normalises each part of a batch by its own statistics and stores them."""
        with self._replaced(self._collect):
            yield

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside the block, each layer normalises by the stored statistics."""
        with self._replaced(self._apply):
            yield

    @contextmanager
    def _replaced(self, forward: Callable[[nn.GroupNorm], Forward]) -> Iterator[None]:
        for layer in self.layers:
            layer.forward = forward(layer)  # type: ignore[assignment,method-assign]
        try:
            yield
        finally:
            for layer in self.layers:
                del layer.forward

    def _collect(self, layer: nn.GroupNorm) -> Forward:
        def forward(features: Tensor) -> Tensor:
            apart = features.float().reshape(self.parts, -1, layer.num_groups, *self._grouped(layer, features))
            variance, mean = torch.var_mean(apart, dim=(1, 3, 4), correction=0)
            self._found[layer] = mean, variance
            return self._normalise(layer, features)

        return forward

    def _apply(self, layer: nn.GroupNorm) -> Forward:
        return lambda features: self._normalise(layer, features)

    @staticmethod
    def _grouped(layer: nn.GroupNorm, features: Tensor) -> tuple[int, int]:
        return layer.num_channels // layer.num_groups, features[0, 0].numel()

    def _normalise(self, layer: nn.GroupNorm, features: Tensor) -> Tensor:
        mean, variance = self._found[layer]
        each = layer.num_channels // layer.num_groups
        scale = (variance + layer.eps).rsqrt().repeat_interleave(each, dim=1)
        shift = -mean.repeat_interleave(each, dim=1) * scale
        if layer.affine:
            scale, shift = scale * layer.weight.float(), shift * layer.weight.float() + layer.bias.float()
        # [part, channel] → [batch, channel, 1, …]
        ones = (1,) * (features.ndim - 2)
        scale, shift = (
            value.repeat_interleave(len(features) // self.parts, dim=0).unflatten(1, (-1, *ones))
            for value in (scale, shift)
        )
        return torch.addcmul(shift, features.float(), scale).to(features.dtype)
