"""Perceptual distances for whole pictures and for each zone of the field: ST-LPIPS (VGG) and EfficientNet-Lite0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from metalens.restore.metrics.efficientnet_distance import efficientnet_distance
from metalens.restore.metrics.feature_distance import FeatureDistance
from metalens.restore.metrics.measures import field_zones
from metalens.restore.metrics.metric import WHOLE, Compare
from metalens.restore.metrics.picture_tensors import as_tensor
from metalens.restore.metrics.shift_tolerant_lpips import shift_tolerant_lpips


def load_shift_tolerant(device: str) -> Compare:
    """Load the shift-tolerant LPIPS on a device."""
    return lambda clean, pictures: distances_by_zone(clean, pictures, shift_tolerant_lpips("vgg").to(device))


def load_efficientnet(device: str) -> Compare:
    """Load the distance of EfficientNet's features on a device."""
    return lambda clean, pictures: distances_by_zone(clean, pictures, efficientnet_distance().to(device))


@torch.no_grad()
def distances_by_zone(
    clean: np.ndarray, pictures: Sequence[np.ndarray], network: FeatureDistance
) -> list[dict[str, float]]:
    """Distances of pictures from a clean one.

    The distance of a zone is the mean difference over the features in the zone, summed over the layers. The receptive
    field of a feature extends beyond its zone.

    Args:
        clean: ``[y, x, 3]`` uint8.
        pictures: of the same shape.
        network: the distance, on the device that computes it.

    Returns:
        For each picture: ``whole`` and the zones of :func:`metalens.restore.metrics.measures.field_zones` → distance.
    """
    device = network.scale.device
    reference = network.features(as_tensor(clean)[None].to(device))
    found = []
    for picture in pictures:
        maps = network.difference_maps(reference, network.features(as_tensor(picture)[None].to(device)))
        distances = {WHOLE: float(sum(each.mean() for each in maps))}
        for zone in field_zones(clean.shape):
            masks = [torch.from_numpy(field_zones(each.shape[1:])[zone]).to(each.device) for each in maps]
            parts = [each[0][mask].mean() for each, mask in zip(maps, masks, strict=True) if mask.any()]
            distances[zone] = float(sum(parts))
        found.append(distances)
    return found
