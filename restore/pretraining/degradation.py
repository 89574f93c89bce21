"""Generic degradations and the neutral target, independent of any lens."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from metalens.formats.pairs.neutral_target import EPSILON, RADIUS


def guided_filter(picture: Tensor, *, radius: int = RADIUS, epsilon: float = EPSILON) -> Tensor:
    """Edge-preserving smoothing: the target of the neutral path, for pictures that come without it.

    The same filter as :func:`metalens.formats.pairs.neutral_target.neutral_target`, which says what it is and is
    stored in pairs.

    Args:
        picture: ``[batch, channel, y, x]`` in 0..1.
        radius: half width of the window in pixels.
        epsilon: the variance that separates texture from edge.

    Returns:
        The same shape.
    """
    mean = _box_mean(picture, radius)
    variance = (_box_mean(picture * picture, radius) - mean * mean).clamp_min(0)
    slope = variance / (variance + epsilon)
    offset = mean * (1 - slope)
    return _box_mean(slope, radius) * picture + _box_mean(offset, radius)


def _box_mean(picture: Tensor, radius: int) -> Tensor:
    # A window that extends beyond the border averages only the samples inside.
    return F.avg_pool2d(picture, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)


def degrade_generically(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Degrade pictures at random: blur per channel, haze, noise.

    No point spread function of a metalens is used, so that the prior favours no lens. In linear light the core of the
    blur is an elliptical Gaussian or a defocus disc, with a width of its own for each channel; a wide Gaussian is the
    haze.

    Args:
        pictures: ``[batch, 3, y, x]`` in 0..1, sRGB.
        generator: source of randomness, on the pictures' device.

    Returns:
        The same shape, in 0..1.
    """
    batch, channels, height, width = pictures.shape
    device = pictures.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        drawn = torch.rand(shape, generator=generator, device=device) * (high - low) + low
        return drawn[..., None, None]

    linear = pictures.clamp(0, 1) ** 2.2
    margin = min(24, height - 1, width - 1)
    padded = F.pad(linear, (margin,) * 4, mode="reflect")
    fy = torch.fft.fftfreq(padded.shape[-2], device=device)[:, None]
    fx = torch.fft.rfftfreq(padded.shape[-1], device=device)[None, :]
    sharpness = uniform(0.3, 3.5, batch, 1) * uniform(0.6, 1.4, batch, channels)
    turn, stretch = uniform(0, torch.pi, batch, 1), uniform(0.5, 1.0, batch, channels)
    along, across = fx * turn.cos() + fy * turn.sin(), fy * turn.cos() - fx * turn.sin()
    gaussian = torch.exp(-2 * torch.pi**2 * sharpness**2 * (along**2 + (stretch * across) ** 2))
    argument = 2 * torch.pi * (2 * sharpness) * (fx**2 + fy**2).sqrt() + 1e-6
    disc = 2 * torch.special.bessel_j1(argument) / argument
    core = torch.where(uniform(0, 1, batch, 1) < 0.4, disc, gaussian)
    haze = uniform(0.0, 0.5, batch, channels)
    wide = torch.exp(-2 * torch.pi**2 * uniform(5.0, 16.0, batch, 1) ** 2 * (fx**2 + fy**2))
    transfer = (1 - haze) * core + haze * wide
    blurred = torch.fft.irfft2(torch.fft.rfft2(padded) * transfer, s=padded.shape[-2:])
    blurred = blurred[..., margin : margin + height, margin : margin + width]
    noise = torch.randn(pictures.shape, generator=generator, device=device)
    strength = uniform(0.0, 0.03, batch, 1)
    noisy = blurred + noise * strength * (blurred.clamp_min(0) + 0.02).sqrt()
    return noisy.clamp(1e-6, 1) ** (1 / 2.2)
