"""Metrics without a network: PSNR, SSIM and CIEDE2000, whole and by zone, and PIQE of the whole picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from metalens.restore.conditioning.quality import piqe
from metalens.restore.metrics.measures import field_zones, psnr, psnr_by_zone, ssim, ssim_map
from metalens.restore.metrics.metric import WHOLE, Compare

Figures = Callable[[np.ndarray, np.ndarray], dict[str, float]]


def colour_difference(clean: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """CIEDE2000 at every pixel (Sharma et al. 2005, 10.1002/col.20070), for sRGB under D65.

    Args:
        clean: ``[y, x, 3]`` uint8 or float in 0..1.
        picture: of the same shape.

    Returns:
        ``[y, x]`` ΔE₀₀; about 1 is just noticeable.
    """
    difference: np.ndarray = deltaE_ciede2000(rgb2lab(clean), rgb2lab(picture))
    return difference


def psnr_figures(clean: np.ndarray, picture: np.ndarray) -> dict[str, float]:
    """PSNR of the whole picture and of each zone.

    Args:
        clean: ``[y, x, 3]`` uint8.
        picture: of the same shape.

    Returns:
        ``whole`` and each zone → dB.
    """
    return {WHOLE: psnr(clean, picture), **psnr_by_zone(clean, picture)}


def ssim_figures(clean: np.ndarray, picture: np.ndarray) -> dict[str, float]:
    """SSIM of the whole picture and the mean of the SSIM map in each zone.

    Args:
        clean: ``[y, x, 3]`` uint8.
        picture: of the same shape.

    Returns:
        ``whole`` and each zone → SSIM.
    """
    return {WHOLE: ssim(clean, picture), **_zone_means(ssim_map(clean, picture))}


def colour_figures(clean: np.ndarray, picture: np.ndarray) -> dict[str, float]:
    """Mean CIEDE2000 of the whole picture and of each zone.

    Args:
        clean: ``[y, x, 3]`` uint8.
        picture: of the same shape.

    Returns:
        ``whole`` and each zone → ΔE₀₀.
    """
    difference = colour_difference(clean, picture)
    return {WHOLE: float(difference.mean()), **_zone_means(difference)}


def piqe_figures(clean: np.ndarray, picture: np.ndarray) -> dict[str, float]:
    """PIQE of the picture; it has no reference.

    Args:
        clean: not used.
        picture: ``[y, x, 3]`` uint8.

    Returns:
        ``whole`` → PIQE, in 0..100, lower is better.
    """
    del clean
    return {WHOLE: float(piqe(picture[None].astype(np.float32) / 255)[0])}


def loader(figures: Figures) -> Callable[[str], Compare]:
    """Loader of one of these metrics; they always compute on the CPU."""

    def load(device: str) -> Compare:
        del device

        def compare(clean: np.ndarray, pictures: Sequence[np.ndarray]) -> list[dict[str, float]]:
            return [figures(clean, picture) for picture in pictures]

        return compare

    return load


def _zone_means(values: np.ndarray) -> dict[str, float]:
    masks = field_zones(values.shape)
    return {zone: float(values[mask].mean()) for zone, mask in masks.items() if mask.any()}


load_psnr = loader(psnr_figures)
load_ssim = loader(ssim_figures)
load_colour = loader(colour_figures)
load_piqe = loader(piqe_figures)
