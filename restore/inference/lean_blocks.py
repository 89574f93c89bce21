"""The networks' residual blocks for inference: in place, and once for what the paths have in common.

A large picture's features do not fit into the processor's caches, so that each pass over memory, and each new tensor,
costs as much as a tenth of a convolution. diffusers makes nine of them to a residual block, because training needs
them; four are left here. The result is the same to the bit.

Both paths of a restoration begin with the same latents. They first differ where the first residual block adds the time
embedding: the convolutions before it are computed for one path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metalens.restore.prior.networks import ResnetBlock2D

Forward = Callable[..., Tensor]


@contextmanager
def lean(network: nn.Module, *, repeats: int = 1, beside: nn.Module | None = None) -> Iterator[None]:
    """Inside the block, a network computes without gradients, in place where nothing else reads the values.

    Args:
        network: a U-Net, encoder or decoder of diffusers.
        repeats: the batch holds so many equal parts; they differ by the time embedding alone.
        beside: a convolution beside the network's first one, whose input repeats as well.

    Returns:
        A context manager; the network's own forward methods are restored after the block.
    """
    forwards: dict[nn.Module, Forward] = {
        block: _in_place(block) for block in network.modules() if isinstance(block, ResnetBlock2D) and _is_plain(block)
    }
    if isinstance(getattr(network, "conv_act", None), nn.SiLU):
        forwards[network.conv_act] = _silu  # type: ignore[index]
    if repeats > 1:
        forwards |= {each: _once(each, repeats) for each in (network.conv_in, beside) if isinstance(each, nn.Conv2d)}
        first = network.down_blocks[0].resnets[0]  # type: ignore[index,union-attr]
        # Q of a LoRA layer is given for the whole batch.
        if first in forwards and isinstance(first.conv1, nn.Conv2d):
            forwards[first] = _in_place(first, repeats)
    for module, forward in forwards.items():
        module.forward = forward
    try:
        yield
    finally:
        for module in forwards:
            del module.forward


def _is_plain(block: ResnetBlock2D) -> bool:
    """Whether a block is one that the priors have: SiLU, the time embedding added, no resampling."""
    return (
        block.upsample is None
        and block.downsample is None
        and block.time_embedding_norm == "default"
        and isinstance(block.nonlinearity, nn.SiLU)
        and block.output_scale_factor == 1.0
    )


def _silu(features: Tensor) -> Tensor:
    return F.silu(features, inplace=True)


def _repeated(features: Tensor, repeats: int) -> Tensor:
    # Tensor.repeat would lose the order of channels-last.
    return features if repeats == 1 else torch.cat([features] * repeats)


def _once(layer: nn.Module, repeats: int) -> Forward:
    forward = layer.forward

    def once(features: Tensor) -> Tensor:
        return _repeated(forward(features[: len(features) // repeats]), repeats)

    return once


def _in_place(block: ResnetBlock2D, repeats: int = 1) -> Forward:
    """``forward`` of a residual block, without what only training needs."""

    def forward(features: Tensor, temb: Tensor | None = None) -> Tensor:
        if torch.is_grad_enabled():
            raise RuntimeError("lean blocks overwrite what a gradient needs")
        # All parts are normalised: their statistics may be shared by the tiles of a picture.
        first = block.norm1(features)[: len(features) // repeats]
        hidden = _repeated(block.conv1(_silu(first)), repeats)
        if block.time_emb_proj is not None and temb is not None:
            hidden.add_(block.time_emb_proj(block.nonlinearity(temb))[:, :, None, None])
        hidden = block.conv2(_silu(block.norm2(hidden)))
        return hidden.add_(features if block.conv_shortcut is None else block.conv_shortcut(features))

    return forward
