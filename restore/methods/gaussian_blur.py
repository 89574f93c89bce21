"""Blind estimate of a Gaussian blur, and its approximate inverse by a polynomial.

Polyblur (Delbracio et al. 2021, arXiv 2012.09322): in a sharp photograph the steepest edge along any direction is about
as steep as the range of values allows. A Gaussian blur of standard deviation σ along that direction reduces that slope
to f, with

    σ² = c² / f² − b²

A polynomial of third degree in the transfer function K inverts the blur without division by small numbers:

    p(K) = a₃K³ + a₂K² + a₁K + a₀,  a₃ = α/2 − β + 2, a₂ = 3β − α − 6, a₁ = 5 − 3β + α/2, a₀ = β,

K·p(K) is 1 with first derivative 0 at K = 1; β is the gain of the highest frequencies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

DIRECTIONS = 6
LEAST, MOST = 0.3, 6.0
"""Range of the estimated standard deviation in pixels."""


@dataclass(frozen=True)
class EdgeModel:
    """Coefficients c (``slope``) and b (``offset``) of σ² = c² / f² − b²."""

    slope: float
    offset: float


def steepest(pictures: Tensor) -> Tensor:
    """The steepest slope along each of six directions, after scaling each picture to 0..1.

    Args:
        pictures: ``[batch, y, x]`` of one channel each.

    Returns:
        ``[batch, direction]`` per pixel; direction k is at 180° k / 6 from x towards y.
    """
    flat = pictures.flatten(1).float()
    low, high = flat.quantile(torch.tensor([0.001, 0.999], device=flat.device), dim=1)
    scaled = ((pictures.float() - low[:, None, None]) / (high - low).clamp_min(1e-3)[:, None, None]).clamp(0, 1)
    x = (scaled[:, 1:-1, 2:] - scaled[:, 1:-1, :-2]) / 2
    y = (scaled[:, 2:, 1:-1] - scaled[:, :-2, 1:-1]) / 2
    angles = [math.pi * number / DIRECTIONS for number in range(DIRECTIONS)]
    slopes = [(math.cos(angle) * x + math.sin(angle) * y).abs().flatten(1) for angle in angles]
    # A high quantile, not the maximum: the very steepest pixels are noise.
    return torch.stack([each.quantile(0.999, dim=1) for each in slopes], dim=1)


def calibrate(clean: Tensor) -> EdgeModel:
    """Fit c and b by least squares on sharp pictures blurred by known Gaussians.

    Args:
        clean: ``[batch, y, x]``.
    """
    widths = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
    rows, values = [], []
    for width in widths:
        covariance = torch.eye(2, device=clean.device).expand(len(clean), 2, 2) * width**2
        slope = steepest(filtered(clean, gaussian_transfer(covariance, margined(clean)))).flatten()
        rows.append(slope.clamp_min(1e-3) ** -2)
        values.append(torch.full_like(slope, width**2))
    inverse, square = torch.cat(rows).double(), torch.cat(values).double()
    # Relative errors: unweighted residuals of σ² would let the widest blurs dominate by their fourth power.
    weight = 1 / square
    a = torch.stack([inverse * weight, -weight], dim=1)
    solution = torch.linalg.lstsq(a, (square * weight)[:, None]).solution[:, 0]
    return EdgeModel(slope=float(solution[0].clamp_min(1e-6)) ** 0.5, offset=float(solution[1].clamp_min(0)) ** 0.5)


def covariance_of(pictures: Tensor, model: EdgeModel) -> Tensor:
    """Estimate the Gaussian blur of pictures from their steepest slopes.

    Args:
        pictures: ``[batch, y, x]``, one channel each.
        model: calibrated relation between slope and width.

    Returns:
        Covariances ``[batch, 2, 2]`` in the order (x, y), in pixels².
    """
    slopes = steepest(pictures)
    variance = (model.slope**2 / slopes.clamp_min(1e-4).square() - model.offset**2).clamp(LEAST**2, MOST**2)
    # The direction of the widest blur and its perpendicular are the axes of the ellipse.
    wide = variance.argmax(dim=1)
    across = (wide + DIRECTIONS // 2) % DIRECTIONS
    angle = wide * (math.pi / DIRECTIONS)
    axis = torch.stack([angle.cos(), angle.sin()], dim=1)
    other = torch.stack([-angle.sin(), angle.cos()], dim=1)
    first, second = (variance.gather(1, each[:, None])[:, 0] for each in (wide, across))
    return first[:, None, None] * axis[:, :, None] * axis[:, None] + second[:, None, None] * (
        other[:, :, None] * other[:, None]
    )


def margined(pictures: Tensor) -> tuple[int, int]:
    """(rows, columns) of the periodic frame that :func:`filtered` works on."""
    height, width = pictures.shape[-2:]
    return height + 2 * _margin(height), width + 2 * _margin(width)


def _margin(side: int) -> int:
    return min(int(4 * MOST), side - 1)


def gaussian_transfer(covariance: Tensor, size: tuple[int, int]) -> Tensor:
    """Transfer function K of Gaussian blurs on a periodic frame.

    Args:
        covariance: ``[batch, 2, 2]`` in the order (x, y), in pixels².
        size: (rows, columns) of the frame.

    Returns:
        ``[batch, y, x // 2 + 1]`` real, in the layout of :func:`torch.fft.rfft2`.
    """
    y = torch.fft.fftfreq(size[0], device=covariance.device)[:, None]
    x = torch.fft.rfftfreq(size[1], device=covariance.device)[None, :]
    form = (
        covariance[:, 0, 0, None, None] * x**2
        + 2 * covariance[:, 0, 1, None, None] * x * y
        + covariance[:, 1, 1, None, None] * y**2
    )
    return torch.exp(-2 * math.pi**2 * form)


def filtered(pictures: Tensor, transfer: Tensor) -> Tensor:
    """Multiply the spectrum of pictures by a transfer function; the borders are padded by reflection.

    Args:
        pictures: ``[batch, y, x]``.
        transfer: ``[batch, rows, columns // 2 + 1]`` on the frame of :func:`margined`.

    Returns:
        ``[batch, y, x]`` float32.
    """
    height, width = pictures.shape[-2:]
    y, x = _margin(height), _margin(width)
    padded = F.pad(pictures.float()[:, None], (x, x, y, y), mode="reflect")[:, 0]
    through = torch.fft.irfft2(torch.fft.rfft2(padded) * transfer, s=(padded.shape[-2], padded.shape[-1]))
    return through[:, y : y + height, x : x + width]


def sharpened(pictures: Tensor, covariance: Tensor, alpha: float, beta: float) -> Tensor:
    """Invert a Gaussian blur approximately by the polynomial p(K).

    Args:
        pictures: ``[batch, y, x]``.
        covariance: ``[batch, 2, 2]`` of the blur.
        alpha: α of p(K).
        beta: β of p(K).

    Returns:
        ``[batch, y, x]``, not clipped.
    """
    k = gaussian_transfer(covariance, margined(pictures))
    polynomial = (alpha / 2 - beta + 2) * k**3 + (3 * beta - alpha - 6) * k**2 + (5 - 3 * beta + alpha / 2) * k + beta
    return filtered(pictures, polynomial)
