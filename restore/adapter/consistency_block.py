"""A block of data consistency behind the decoder, trained with the networks.

The decoded picture is the expectation x̂ of the most probable scene
(:mod:`metalens.restore.deconvolution.most_probable`), and training learns how far to trust it. The square root of the
covariance of its error is

    D = σ'(x̂) · (s / 0.05)^t · F⁻¹ L(ν) F

σ' is the slope of linear light over display values, s the local standard deviation of the picture (detail is restored
with larger errors than flat parts), F the Fourier transform, and L(ν) a triangular matrix over the colours at each
frequency: red and blue have an error of their own, and a part of green's, with which theirs correlates. Training also
learns a factor of the noise's weight, for what the camera model does not know.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metalens.restore.deconvolution.local_blur import LocalBlur
from metalens.restore.deconvolution.most_probable import ITERATIONS, RESTORER_ERROR, most_probable, slope
from metalens.restore.metrics.picture_tensors import display_of, light_of_display

_KNOTS = 8
_LOWEST, _HIGHEST = 1 / 128, 0.6
"""Cycles per pixel of the first and last knot, between which the logarithms are interpolated."""

_AROUND = 7
"""Pixels along the side of the neighbourhood of which s is taken."""

_TYPICAL = 0.05


class ConsistencyBlock(nn.Module):
    """The trained trust in a restored picture, by frequency and channel, and the solution with it.

    Attributes:
        deviation: ``[3, knot]`` logarithm of each colour's own standard deviation, in units of 0.035 display values.
        shared: ``[2, knot]`` red's and blue's part of green's error, in units of 0.035.
        texture: ``[3]`` exponent t.
        noise: ``[3]`` logarithm of the factor of the captured light's weight.
    """

    def __init__(self) -> None:
        super().__init__()
        self.deviation = nn.Parameter(torch.zeros(3, _KNOTS))
        self.shared = nn.Parameter(torch.zeros(2, _KNOTS))
        self.texture = nn.Parameter(torch.zeros(3))
        self.noise = nn.Parameter(torch.zeros(3))

    def forward(self, expected: Tensor, light: Tensor, weight: Tensor, blur: LocalBlur) -> Tensor:
        """The most probable picture.

        Args:
            expected: ``[3, y, x]`` the decoded picture, display values, nominally in 0..1.
            light: ``[3, y, x]`` captured light.
            weight: of the same shape (:func:`~metalens.restore.deconvolution.most_probable.measured`).
            blur: the camera's blur, of the picture's size and place.

        Returns:
            ``[3, y, x]`` display values, nominally in 0..1.
        """
        display = blur.extend(expected)
        mean = light_of_display(display)
        local = slope(mean) * (_local_deviation(display) / _TYPICAL) ** self.texture[:, None, None]
        size = (mean.shape[-2], mean.shape[-1])
        at_knots = _interpolation(size, mean)
        own, shared = RESTORER_ERROR * torch.exp(at_knots(self.deviation)), RESTORER_ERROR * at_knots(self.shared)

        def deviation(unknown: Tensor) -> Tensor:
            red, green, blue = torch.fft.rfft2(unknown)
            parts = (own[0] * red + shared[0] * green, own[1] * green, own[2] * blue + shared[1] * green)
            return local * torch.fft.irfft2(torch.stack(parts), s=size)

        def transposed(scene: Tensor) -> Tensor:
            red, green, blue = torch.fft.rfft2(local * scene)
            parts = (own[0] * red, own[1] * green + shared[0] * red + shared[1] * blue, own[2] * blue)
            return torch.fft.irfft2(torch.stack(parts), s=size)

        trusted = weight * torch.exp(self.noise)[:, None, None]
        found = most_probable(
            blur, light, trusted, mean, deviation=deviation, transposed=transposed, iterations=ITERATIONS
        )
        return display_of(blur.crop(found))


def _local_deviation(display: Tensor) -> Tensor:
    """Local standard deviation ``[3, y, x]``, at least a thousandth."""

    def mean(values: Tensor) -> Tensor:
        # Along one axis after the other: 14 additions in place of 49.
        for side in ((_AROUND, 1), (1, _AROUND)):
            around = (side[0] // 2, side[1] // 2)
            values = F.avg_pool2d(values[None], side, 1, around, count_include_pad=False)[0]
        return values

    return (mean(display.square()) - mean(display).square()).clamp_min(1e-6).sqrt()


def _interpolation(size: tuple[int, int], like: Tensor) -> Callable[[Tensor], Tensor]:
    """From values at the knots to the grid of ``rfft2``, linear in the logarithm of the frequency."""
    down = torch.fft.fftfreq(size[0], device=like.device)[:, None]
    across = torch.fft.rfftfreq(size[1], device=like.device)[None]
    frequency = torch.hypot(down, across).clamp(_LOWEST, _HIGHEST)
    place = (frequency / _LOWEST).log() / math.log(_HIGHEST / _LOWEST) * (_KNOTS - 1)
    below = place.floor().clamp(max=_KNOTS - 2).long()
    part = place - below
    return lambda knots: knots[..., below] * (1 - part) + knots[..., below + 1] * part
