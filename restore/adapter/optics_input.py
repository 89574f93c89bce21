"""Linear restorations as further input channels of encoder and U-Net: conditioning by optics.

A convolution beside each network's first one takes the further channels, and its output is added there. Both start at
zero, so a new adapter changes nothing. That is the same as a first convolution of more channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn import functional as F

from metalens.restore.deconvolution.linear_estimates import ESTIMATE_CHANNELS
from metalens.restore.prior.prior import Prior


class OpticsInput(nn.Module):
    """First convolutions for the linear restorations, by forward hooks.

    Args:
        prior: its encoder and U-Net are hooked in place.
    """

    def __init__(self, prior: Prior) -> None:
        super().__init__()
        self.stride = prior.latent_stride
        encoder, unet = prior.vae.config.block_out_channels[0], prior.unet.config.block_out_channels[0]
        self.encoder = _zero(ESTIMATE_CHANNELS, encoder)
        self.unet = _zero(self.latent_channels, unet)
        self._given: Tensor | None = None
        prior.vae.encoder.conv_in.register_forward_hook(self._add(self.encoder))
        prior.unet.conv_in.register_forward_hook(self._add(self.unet))

    @property
    def latent_channels(self) -> int:
        """Channels of the estimates at the latents' resolution: each latent holds all the pixels that it spans."""
        return ESTIMATE_CHANNELS * self.stride**2

    def at_latents(self, estimates: Tensor) -> Tensor:
        """Estimates ``[batch, channel, y, x]`` at the latents' resolution, every pixel kept."""
        return F.pixel_unshuffle(estimates, self.stride)

    @contextmanager
    def given(self, channels: Tensor) -> Iterator[None]:
        """Add these channels to the input of the network that runs inside the block."""
        before, self._given = self._given, channels
        try:
            yield
        finally:
            self._given = before

    def _add(self, convolution: nn.Conv2d) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
        def add(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            del layer, inputs
            if self._given is None:
                raise ValueError("conditioning by optics needs the linear estimates beside the capture")
            return output + convolution(self._given.to(convolution.weight.dtype)).to(output.dtype)

        return add


def _zero(inputs: int, outputs: int) -> nn.Conv2d:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.zeros_(convolution.weight)
    return convolution
