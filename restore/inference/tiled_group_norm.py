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
    """

    def __init__(self, module: nn.Module) -> None:
        self.layers = [layer for layer in module.modules() if isinstance(layer, nn.GroupNorm)]
        self._found: dict[nn.GroupNorm, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in self.layers}

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Inside the block, each layer normalises a batch by its own statistics and stores them.

        A block for each part of the batches that are normalised later, such as one for each path, in their order:
        fewer features are in memory at a time.
        """
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
            grouped = features.float().unflatten(1, (layer.num_groups, -1)).flatten(2)
            variance, mean = torch.var_mean(grouped, dim=(0, 2), correction=0)
            self._found[layer].append((mean, variance))
            return _normalised(layer, features, [(mean, variance)])

        return forward

    def _apply(self, layer: nn.GroupNorm) -> Forward:
        return lambda features: _normalised(layer, features, self._found[layer])


def _normalised(layer: nn.GroupNorm, features: Tensor, statistics: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Normalise equal parts of a batch by a mean and a variance ``[group]`` for each."""
    mean, variance = (torch.stack(each) for each in zip(*statistics, strict=True))
    channels = layer.num_channels // layer.num_groups
    scale = (variance + layer.eps).rsqrt().repeat_interleave(channels, dim=1)
    shift = -mean.repeat_interleave(channels, dim=1) * scale
    if layer.affine:
        scale, shift = scale * layer.weight.float(), shift * layer.weight.float() + layer.bias.float()
    # [part, channel] → [batch, channel, 1, …]
    ones = (1,) * (features.ndim - 2)
    scale, shift = (
        value.repeat_interleave(len(features) // len(statistics), dim=0).unflatten(1, (-1, *ones))
        for value in (scale, shift)
    )
    normalised = torch.empty_like(features)
    for each in range(len(features)):
        # One after the other: as float32, all windows of a large picture would take a gigabyte.
        normalised[each] = torch.addcmul(shift[each], features[each].float(), scale[each])
    return normalised
