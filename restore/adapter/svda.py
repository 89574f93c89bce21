"""Spatially varying degradation-aware (SVDA) attention: from a degradation map to the Q of W* = W + A·Q·B.

Three forms (DMDiff section 3.3 is the first):

- ``global``: one r × r matrix for each picture and block. The flattened map goes through Linear + ReLU, is concatenated
with the block's embedding and projected to r² numbers, which are added to the identity.
- ``local``: a field of matrices. From each cell of the map with its neighbours, and from the block's embedding, follow
the weights of K basis matrices. The weights are interpolated at each feature's position in the picture:
  Q(x, y) = I + Σₖ wₖ(x, y) Δₖ. Each region is restored according to its own degradation, without an r × r matrix per
  pixel.
- ``mean``: the local form with its weights averaged over the picture, for comparison.

B starts at 0, so that an untrained adapter changes nothing. If the bases Δₖ started at 0 as well, Q would have no
gradient until B has grown, and little for long after it. They start as Δₖ ~ 0.1 · N(0, 1/r), and their weights with
mean 0 and variance 1 over the adapter's own lens map and over qualities: Q differs over the frame from the first step,
and its mean is the identity. A global Q starts as the identity.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from metalens.restore.conditioning.degradation_map import (
    CELLS,
    CHANNELS,
    WHOLE,
    Region,
    position_weights,
    sample_positions,
)

Form = Literal["local", "global", "mean", "plain"]
"""``plain`` is LoRA without Q, for comparison."""

OF_WHOLE_FRAMES: tuple[Form, ...] = ("global", "mean")
"""Forms whose Q is one for the picture: they take the map of the whole frame, for a crop in training too."""

_START = 0.1
"""Length of the bases at the start, as a share of the identity's. With 1 the first steps hardly learn."""

_QUALITIES = (0.25, 0.5, 0.75)
"""S_i over which the weights are standardised."""


@dataclass
class Mixing:
    """Q of one block for a batch of pictures; it acts on rank vectors.

    Attributes:
        matrix: ``[batch, r, r]`` (global) or ``[K, r, r]`` (local), to be added to the identity.
        weights: ``None`` (global) or ``[batch, K, n, n]`` (local).

    A ``batch`` of one applies to all pictures.
    """

    matrix: Tensor
    weights: Tensor | None

    def on_grid(self, features: Tensor, regions: Sequence[Region] = WHOLE) -> Tensor:
        """Apply Q to ``[batch, r, y, x]``, a feature map that spans a region of each picture's frame.

        Args:
            features: rank vectors.
            regions: one for all pictures, or one each.

        Returns:
            ``[batch, r, y, x]``, features + Q features.
        """
        if self.weights is None:
            return features + torch.einsum("bij,bjyx->biyx", self.matrix.to(features), features)
        return self.on_field(features, self.field(features.shape[-2], features.shape[-1], regions))

    def field(self, height: int, width: int, regions: Sequence[Region] = WHOLE) -> Tensor:
        """Weights of the basis matrices at the samples of a feature map.

        Args:
            height: rows of the feature map.
            width: columns of the feature map.
            regions: the part of the frame that each picture shows; one for all, or one each.

        Returns:
            ``[batch, K, height, width]``.

        Raises:
            ValueError: Q is global.
        """
        if self.weights is None:
            raise ValueError("a global Q has no field")
        cells_y, cells_x = (int(side) for side in self.weights.shape[-2:])
        device, dtype = self.weights.device, self.weights.dtype
        along_y = _readings(tuple((each.top, each.height) for each in regions), height, cells_y, device, dtype)
        along_x = _readings(tuple((each.left, each.width) for each in regions), width, cells_x, device, dtype)
        return along_y[:, None] @ self.weights @ along_x[:, None].transpose(-1, -2)

    def on_field(self, features: Tensor, field: Tensor) -> Tensor:
        """Apply Q with weights that :meth:`field` computed.

        Args:
            features: ``[batch, r, y, x]`` rank vectors.
            field: ``[batch, K, y, x]`` weights.

        Returns:
            ``[batch, r, y, x]``.
        """
        # In channels-last order each basis is one matrix product over all positions: a quarter of the time of 1 × 1
        # convolutions. One basis at a time, so that no tensor of K times the features is needed. On CPUs accumulation
        # in bfloat16 takes twice the time of float32.
        vectors = features.permute(0, 2, 3, 1)
        if features.device.type == "cpu":
            vectors = vectors.float()
        field = field.to(vectors)
        if torch.is_grad_enabled():
            mixed = vectors
            for index, basis in enumerate(self.matrix.to(vectors)):
                mixed = torch.addcmul(mixed, field[:, index, :, :, None], vectors @ basis.T)
        else:
            # In place: allocating new memory takes as long as the sums.
            mixed, product = vectors.clone(), torch.empty_like(vectors)
            for index, basis in enumerate(self.matrix.to(vectors)):
                torch.matmul(vectors, basis.T, out=product)
                mixed.addcmul_(field[:, index, :, :, None], product)
        return mixed.to(features.dtype).permute(0, 3, 1, 2)

    def everywhere(self, features: Tensor) -> Tensor:
        """Apply the mean of Q over the frame to ``[batch, token, r]`` vectors without a position in the frame."""
        return features + torch.einsum("bij,btj->bti", self.mean().to(features), features)

    def mean(self) -> Tensor:
        """Q − I, its mean over the frame, ``[batch, r, r]``."""
        if self.weights is None:
            return self.matrix
        return torch.einsum("bk,kij->bij", self.weights.mean(dim=(-2, -1)), self.matrix)


@functools.lru_cache(maxsize=256)
def _readings(
    stretches: tuple[tuple[float, float], ...], count: int, cells: int, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """``[stretch, count, cells]``: matrices that read a map at samples along stretches (start, length) of a side.

    Cached, since every layer of every step needs the same few.
    """
    matrices = [position_weights(start + length * sample_positions(count), cells) for start, length in stretches]
    return torch.stack(matrices).to(device, dtype)


def rows_of_tokens(tokens: int, aspect: float) -> int:
    """Rows of a feature map whose samples were flattened to tokens.

    Args:
        tokens: number of samples.
        aspect: height / width of the feature map.

    Returns:
        The number of rows.

    Raises:
        ValueError: no feature map of this aspect has so many samples.
    """
    height = max(1, round((tokens * aspect) ** 0.5))
    if height * (tokens // height) != tokens:
        raise ValueError(f"{tokens} tokens do not fill a feature map of aspect {aspect:.3f}")
    return height


class DegradationAttention(nn.Module):
    """The network N_A of SVDA: degradation maps → Q for every block.

    Args:
        ranks: block name → rank r of its LoRA layers.
        form: ``local``, ``global`` or ``plain``, which has no Q.
        bases: K, basis matrices per block (local form).
        fwhm: whether the FWHM channels of the map are used (all but the last); otherwise they are set to 0.
        width: hidden features (local form); the global form has 256, as published.
        channels: channels of the map.
        cells: n of the n × n map.
    """

    def __init__(
        self,
        ranks: dict[str, int],
        *,
        form: Form = "local",
        bases: int = 4,
        fwhm: bool = True,
        width: int = 32,
        channels: int = CHANNELS,
        cells: int = CELLS,
    ) -> None:
        super().__init__()
        self.ranks = dict(ranks)
        self.form = form
        self.fwhm = fwhm
        if form == "plain":
            return
        self.embedding = nn.Parameter(torch.randn(len(ranks), 64) * 0.5)
        keys = {block: block.replace(".", "/") for block in ranks}
        self._keys = keys
        if form in ("local", "mean"):
            self.local = nn.Sequential(
                nn.Conv2d(channels, width, 3, padding=1, padding_mode="replicate"),
                nn.SiLU(),
                nn.Conv2d(width, width, 1),
                nn.SiLU(),
            )
            self.weigh = nn.Linear(width + 64, bases)
            self.basis = nn.ParameterDict(
                {
                    keys[block]: nn.Parameter(_START * torch.randn(bases, rank, rank) / rank**0.5)
                    for block, rank in ranks.items()
                }
            )
            nn.init.zeros_(self.weigh.weight[:, width:])
        else:
            self.whole = nn.Sequential(nn.Flatten(), nn.Linear(channels * cells * cells, 256), nn.ReLU())
            projections = {str(rank): nn.Linear(256 + 64, rank * rank) for rank in sorted(set(ranks.values()))}
            for layer in projections.values():
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
            self.project = nn.ModuleDict(projections)

    @torch.no_grad()
    def standardise(self, lens_map: Tensor) -> None:
        """Give the weights of the bases mean 0 and variance 1 over a lens map, once, at the start.

        Their linear layer is scaled. Three qualities are taken with the lens map: over the map of a lens that is equal
        everywhere the weights would not vary, and for another quality they would be far from 1.

        Args:
            lens_map: ``[channel − 1, n, n]`` in 0..1, all channels but the quality.
        """
        if self.form not in ("local", "mean"):
            return
        maps = torch.stack([torch.cat([lens_map, torch.full_like(lens_map[:1], each)]) for each in _QUALITIES])
        found = self._weights(self.local(self._used(maps)), 0)
        mean, deviation = found.mean(dim=(0, 2, 3)), found.std(dim=(0, 2, 3), correction=0)
        self.weigh.weight.div_(deviation[:, None])
        self.weigh.bias.copy_((self.weigh.bias - mean) / deviation)

    def forward(self, maps: Tensor) -> dict[str, Mixing] | None:
        """Q of every block for maps ``[batch, channel, n, n]`` in 0..1; ``None`` is the identity."""
        if self.form == "plain":
            return None
        maps = self._used(maps)
        if self.form in ("local", "mean"):
            return self._local(maps)
        whole = self.whole(maps)
        mixings = {}
        for index, (block, rank) in enumerate(self.ranks.items()):
            joined = torch.cat([whole, self.embedding[index].expand(len(maps), -1)], dim=1)
            matrix = self.project[str(rank)](joined).reshape(-1, rank, rank)
            mixings[block] = Mixing(matrix=matrix, weights=None)
        return mixings

    def _used(self, maps: Tensor) -> Tensor:
        """The map without the channels of the lens, if those are not used."""
        return maps if self.fwhm else torch.cat([torch.zeros_like(maps[:, :-1]), maps[:, -1:]], dim=1)

    def _local(self, maps: Tensor) -> dict[str, Mixing]:
        features = self.local(maps)
        mixings = {}
        for index, block in enumerate(self.ranks):
            weights = self._weights(features, index)
            if self.form == "mean":
                weights = weights.mean(dim=(-2, -1), keepdim=True).expand_as(weights)
            mixings[block] = Mixing(matrix=self.basis[self._keys[block]], weights=weights)
        return mixings

    def _weights(self, features: Tensor, index: int) -> Tensor:
        """Weights ``[batch, K, n, n]`` of a block's bases, from ``[batch, width, n, n]`` features of the map."""
        placed = features.permute(0, 2, 3, 1)
        embedded = self.embedding[index].expand(*placed.shape[:-1], -1)
        weights: Tensor = self.weigh(torch.cat([placed, embedded], dim=-1))
        return weights.permute(0, 3, 1, 2)
