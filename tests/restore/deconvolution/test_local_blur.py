"""The camera's blur as an operator: adjoint, exact where an answer is known, the same for a part as for all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve

from metalens.restore.deconvolution import local_blur
from metalens.restore.deconvolution.local_blur import LocalBlur

PIXELS = (64, 80)


@pytest.fixture(autouse=True, params=[(0, 0), (1, 1), (0, 1)], ids=["windows", "cells", "windows and cells"])
def blocks(request, monkeypatch):
    """Whichever is cheaper is taken; here each."""
    rows, columns = request.param
    monkeypatch.setattr(local_blur, "cheapest", lambda down, across: (down[rows], across[columns]))


@pytest.fixture(scope="module")
def varied(bank):
    """Nine functions of 7 × 9 pixels that differ from node to node and from colour to colour."""
    intensity = np.random.default_rng(0).random((9, 3, 7, 9)).astype(np.float32)
    return replace(bank, intensity=intensity / intensity.sum(axis=(-2, -1)).mean(axis=0)[:, None, None])


def test_the_transpose_is_the_transpose(varied):
    blur = LocalBlur(varied, PIXELS)
    generator = torch.Generator().manual_seed(0)
    scene = torch.rand(3, PIXELS[0] + 6, PIXELS[1] + 8, generator=generator)
    frame = torch.rand(3, *PIXELS, generator=generator)
    there = float((blur.forward(scene) * frame).sum())
    back = float((scene * blur.adjoint(frame)).sum())
    assert there == pytest.approx(back, rel=1e-5)


def test_one_function_everywhere_is_a_convolution(bank, varied):
    kernel = varied.intensity[4]
    alike = replace(bank, intensity=np.tile(kernel, (9, 1, 1, 1)))
    blur = LocalBlur(alike, PIXELS)
    scene = torch.rand(3, PIXELS[0] + 6, PIXELS[1] + 8, generator=torch.Generator().manual_seed(1))
    expected = [fftconvolve(scene[c].numpy(), kernel[c] / kernel[c].sum(), mode="valid") for c in range(3)]
    np.testing.assert_allclose(blur.forward(scene).numpy(), expected, atol=1e-5)


def test_a_point_at_a_node_becomes_the_function_of_that_node(varied):
    blur = LocalBlur(varied, PIXELS)
    # The middle node lies between four pixels, whose windows mix in little of the others at a corner node.
    scene = torch.zeros(3, PIXELS[0] + 6, PIXELS[1] + 8)
    scene[:, 3, 4] = 1
    # The image of a white scene, by which the camera divides, is that of all points together.
    white = LocalBlur(varied, PIXELS)
    white._white = torch.ones(3, 1, 1)
    frame, flat = blur.forward(scene), white.forward(torch.ones_like(scene))
    expected = varied.intensity[0] / varied.intensity[0].sum(axis=(-2, -1), keepdims=True)
    found = (frame * flat)[:, :4, :5].numpy()
    np.testing.assert_allclose(found, expected[:, 3:, 4:], atol=2e-3)


def test_a_part_of_the_frame_is_blurred_as_the_frame_is(varied):
    scene = torch.rand(3, PIXELS[0] + 6, PIXELS[1] + 8, generator=torch.Generator().manual_seed(2))
    whole = LocalBlur(varied, PIXELS).forward(scene)
    part = LocalBlur(varied, (20, 24), place=(30, 40))
    cut = scene[:, 30 : 30 + 20 + 6, 40 : 40 + 24 + 8]
    torch.testing.assert_close(part.forward(cut), whole[:, 30:50, 40:64], atol=1e-5, rtol=1e-4)


def test_a_flat_frame_that_is_mirrored_stays_flat(bank):
    blur = LocalBlur(bank, PIXELS)
    light = torch.full((3, *PIXELS), 0.4)
    torch.testing.assert_close(blur.forward(blur.extend(light)), light, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(blur.crop(blur.extend(light)), light)


def test_nodes_far_apart_are_blurred_in_cells(varied, monkeypatch):
    """Between nodes that are many functions apart the cells take fewer transforms, and may be divided."""
    monkeypatch.undo()
    wide = varied.camera.sensor.model_copy(update={"pixels": (320, 400)})
    bank = replace(varied, camera=varied.camera.model_copy(update={"sensor": wide}), position=5 * varied.position)
    blur = LocalBlur(bank, (320, 400))
    assert blur._weights.shape[2] == 4
    scene = torch.rand(3, 326, 408, generator=torch.Generator().manual_seed(3))
    part = LocalBlur(bank, (40, 50), place=(100, 130)).forward(scene[:, 100:146, 130:188])
    torch.testing.assert_close(blur.forward(scene)[:, 100:140, 130:180], part, atol=1e-5, rtol=1e-4)
