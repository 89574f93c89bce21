"""Start small networks as linear ones that already pass pictures, so that a small budget goes to detail.

With random weights most of a short training is spent on learning to pass values through normalisations and
non-linearities. Here the residual branches start at zero, and the non-linear ends are made linear by pairs of channels
of opposite sign: SiLU(x) − SiLU(−x) = x. A constant pair far above the signal holds the group normalisation's divisor
still, which with one group is the same for all channels. Every weight is then trained as usual.

The autoencoder starts with 2 × 2 colour averages as its reconstruction and fine differences beside them in the
latents; the denoiser starts with its own input as the prediction of one step at the last timestep.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from metalens.restore.prior.networks import AutoencoderKL, UNet2DConditionModel

_CONSTANT = 8.0
_LUMINANCE = torch.tensor([0.299, 0.587, 0.114])


@torch.no_grad()
def start_autoencoder(autoencoder: AutoencoderKL) -> None:
    """Give a freshly built autoencoder of two levels and one normalisation group its linear start, in place.

    Its reconstruction is then the picture's 2 × 2 averages, repeated, to within a percent of their range.

    Args:
        autoencoder: two levels (n, 2 n channels, n ≥ 16), one normalisation group, 8 latent channels or more.
    """
    config = autoencoder.config
    narrow, wide = config.block_out_channels[0], config.block_out_channels[-1]
    if (
        len(config.block_out_channels) != 2
        or narrow < 16
        or wide != 2 * narrow
        or config.norm_num_groups != 1
        or config.latent_channels < 8
    ):
        raise ValueError("a linear start needs two levels of n and 2 n channels, n >= 16, one group, 8 latents")
    _silence_residuals(autoencoder)
    latents = config.latent_channels
    _start_encoder(autoencoder.encoder, narrow, latents)
    _start_decoder(autoencoder.decoder, narrow, latents)


@torch.no_grad()
def start_denoiser(denoiser: UNet2DConditionModel, alpha_cumprod: float) -> None:
    """Give a freshly built v-predicting denoiser its linear start, in place: x̂₀ is its input at the last timestep.

    Args:
        denoiser: one residual block a level, one normalisation group, and room for a pair of channels a latent.
        alpha_cumprod: ᾱ at the last timestep.

    Raises:
        ValueError: the denoiser has another form.
    """
    config = denoiser.config
    width, latents = config.block_out_channels[0], config.in_channels
    if config.norm_num_groups != 1 or config.layers_per_block != 1 or width // 2 <= latents:
        raise ValueError("a linear start needs one group, one block a level and more than 2 channels a latent")
    _silence_residuals(denoiser)
    half = width // 2
    entry = denoiser.conv_in
    for channel in (*range(latents), half - 1):
        for place in (channel, half + channel):
            entry.weight[place], entry.bias[place] = 0, 0
    for latent in range(latents):
        entry.weight[latent, latent, 1, 1] = 1
        entry.weight[half + latent, latent, 1, 1] = -1
    entry.bias[half - 1], entry.bias[width - 1] = _CONSTANT, -_CONSTANT
    # The last block of the last level joins its input with the output of conv_in, in this order.
    shortcut = denoiser.up_blocks[-1].resnets[-1].conv_shortcut
    shortcut.weight.normal_(0, 0.01)
    shortcut.bias.zero_()
    for channel in (*range(latents), half - 1):
        for place in (channel, half + channel):
            shortcut.weight[place] = 0
            shortcut.weight[place, -width + place] = 1
    gain = (math.sqrt(alpha_cumprod) - 1) / math.sqrt(1 - alpha_cumprod)
    _read_pairs(denoiser, half, outputs=latents, gain=gain)


def _silence_residuals(network: nn.Module) -> None:
    for name, module in network.named_modules():
        if name.endswith("conv2"):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)


def _clear(layer: Any, noise: float = 0.0) -> Any:
    layer.weight.normal_(0, noise) if noise else layer.weight.zero_()
    layer.bias.zero_()
    return layer


def _start_encoder(encoder: Any, narrow: int, latents: int) -> None:
    entry = encoder.conv_in
    for colour in range(3):
        entry.weight[colour] = 0
        entry.bias[colour] = 0
        entry.weight[colour, colour, 1, 1] = 1
    constant = narrow - 1
    entry.weight[constant] = 0
    entry.bias[constant] = _CONSTANT
    down = encoder.down_blocks[0].downsamplers[0].conv
    down.weight[:latents], down.bias[:latents] = 0, 0
    down.weight[constant], down.bias[constant] = 0, 0
    down.weight[constant, constant, 0, 0] = 1
    signs = {"x": [[1, -1], [1, -1]], "y": [[1, 1], [-1, -1]], "xy": [[1, -1], [-1, 1]]}
    for colour in range(3):
        down.weight[colour, colour, :2, :2] = 0.25
    details = [("x", _LUMINANCE), ("y", _LUMINANCE), ("xy", _LUMINANCE)]
    details += [("x", torch.tensor([0.5, -0.5, 0.0])), ("y", torch.tensor([0.5, -0.5, 0.0]))]
    for place, (direction, mixture) in enumerate(details, start=3):
        pattern = torch.tensor(signs[direction], dtype=torch.float32)
        down.weight[place, :3, :2, :2] = mixture[:, None, None] * pattern
    _pair(encoder.down_blocks[1].resnets[0].conv_shortcut, narrow)
    _read_pairs(encoder, narrow, outputs=latents)


def _start_decoder(decoder: Any, narrow: int, latents: int) -> None:
    entry = _clear(decoder.conv_in)
    for latent in range(latents):
        entry.weight[latent, latent, 1, 1] = 1
        entry.weight[narrow + latent, latent, 1, 1] = -1
    entry.bias[narrow - 1], entry.bias[2 * narrow - 1] = _CONSTANT, -_CONSTANT
    up = _clear(decoder.up_blocks[0].upsamplers[0].conv, noise=0.01)
    for channel in (*range(latents), narrow - 1):
        for place in (channel, narrow + channel):
            up.weight[place] = 0
            up.weight[place, place, 1, 1] = 1
    shortcut = decoder.up_blocks[1].resnets[0].conv_shortcut
    half = narrow // 2
    kept = [*range(half - 1), narrow - 1]
    shortcut.weight.zero_()
    shortcut.bias.zero_()
    for place, channel in enumerate(kept):
        shortcut.weight[place, channel] = 1
        shortcut.weight[half + place, narrow + channel] = 1
    _read_pairs(decoder, half, outputs=3)


def _pair(shortcut: Any, channels: int) -> None:
    """Channel k goes to k as it is and to ``channels + k`` with the other sign."""
    shortcut.weight.zero_()
    shortcut.bias.zero_()
    for channel in range(channels):
        shortcut.weight[channel, channel] = 1
        shortcut.weight[channels + channel, channel] = -1


def _read_pairs(part: Any, pairs: int, outputs: int, gain: float = 1.0) -> None:
    """Make normalisation, SiLU and ``conv_out`` pass the first channels of ``pairs`` pairs linearly."""
    divisor = gain * _CONSTANT / math.sqrt(pairs)
    exit_layer = _clear(part.conv_out)
    for channel in range(outputs):
        exit_layer.weight[channel, channel, 1, 1] = divisor
        exit_layer.weight[channel, pairs + channel, 1, 1] = -divisor
