"""A frame that is blurred in parts, each with its own operator, is the frame that is blurred whole."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from metalens.formats.files.errors import InputError
from metalens.synth.blur import BlurSettings, blur, blur_in_parts, shift_variant_blur
from metalens.synth.dataset import camera as dataset_camera
from metalens.synth.generate import simulated_camera

from .conftest import MakeBank, bank_of, gaussians

PIXELS = (32, 41)

CLOSE = BlurSettings(tolerance=1e-4, registered=False)


def scene() -> np.ndarray:
    """Soft, as those are by which the tolerance is told."""
    noise = np.random.default_rng(0).random((*PIXELS, 3), dtype=np.float32)
    soft = gaussian_filter(noise, (2, 2, 0))
    return np.asarray((soft - soft.min()) / (soft.max() - soft.min()))


def test_parts_make_the_image_of_the_whole_frame() -> None:
    bank = bank_of(gaussians((2, 2), (9, 9)), PIXELS)
    operator, scenes = shift_variant_blur(bank, CLOSE), [scene(), np.ones((*PIXELS, 3), np.float32)]
    images, change = blur_in_parts(bank, scenes, CLOSE, side=24)
    assert 0 <= change <= 1e-4
    for found, each in zip(images, scenes, strict=True):
        error = found - np.asarray(blur(operator, each))
        assert np.sqrt(np.mean(error**2)) < 1e-4
        # Both are fits, and the tolerance is a root mean square.
        assert np.abs(error).max() < 4e-4


def test_a_large_frame_is_photographed_in_parts(make_bank: MakeBank, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = make_bank(PIXELS)
    whole = dataset_camera.light_on(simulated_camera(bank), scene(), PIXELS, (0, 0))
    monkeypatch.setattr(dataset_camera, "LARGEST_WHOLE", 1000)
    camera = simulated_camera(bank)
    found = dataset_camera.light_on(camera, scene(), PIXELS, (0, 0))
    assert not camera._ready
    for ours, expected in ((found.scene, whole.scene), (found.white, whole.white)):
        assert np.sqrt(np.mean((ours - expected) ** 2)) < 2e-3


def test_what_cannot_be_blurred_in_parts_is_refused(make_bank: MakeBank) -> None:
    bank = make_bank(PIXELS)
    with pytest.raises(InputError, match="distortion cannot be blurred in parts"):
        blur_in_parts(bank, [scene()], BlurSettings(distortion=True))
    with pytest.raises(InputError, match=r"found a scene of shape \(32, 40, 3\), expected 32 × 41 pixels"):
        blur_in_parts(bank, [scene()[:, :40]])
