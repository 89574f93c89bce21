"""The path as a vector beside the U-Net's time embedding: every block knows which path it computes.

The prompts of the three paths reach the U-Net through cross-attention alone. Stable Diffusion has it on all levels but
the coarsest; the embedded prior on the coarsest alone, so that the paths of a trained adapter hardly differ in fine
detail, and α changes little. The time embedding is added in each residual block of all levels. The vectors start at 0:
a new adapter changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from metalens.restore.prior.prior import PATHS, Prior


class PathEmbedding(nn.Module):
    """One vector for each path, by a forward hook on the time embedding.

    Args:
        prior: its U-Net is hooked in place.
    """

    def __init__(self, prior: Prior) -> None:
        super().__init__()
        features = prior.unet.time_embedding.linear_2.out_features
        self.vectors = nn.Parameter(torch.zeros(len(PATHS), features))
        self._paths: Sequence[str] = ()
        prior.unet.time_embedding.register_forward_hook(self._add)

    @contextmanager
    def given(self, paths: Sequence[str]) -> Iterator[None]:
        """Add the vectors of these paths, one for each sample of the batch, in the U-Net that runs inside the block."""
        before, self._paths = self._paths, paths
        try:
            yield
        finally:
            self._paths = before

    def _add(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        del layer, inputs
        if len(self._paths) != len(output):
            raise ValueError(f"{len(self._paths)} paths for {len(output)} samples")
        return output + torch.stack([self.vectors[PATHS.index(path)] for path in self._paths]).to(output.dtype)
