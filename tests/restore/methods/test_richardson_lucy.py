"""Richardson–Lucy: its fixed point, and that it inverts the blur that it is told of."""

from __future__ import annotations

from itertools import islice

import numpy as np
import torch

from metalens.formats.pictures.encoding import encode_light
from metalens.formats.pictures.scene import linear_to_srgb, srgb_to_linear, to_8_bit
from metalens.restore.deconvolution.local_blur import LocalBlur
from metalens.restore.inference.capture import Capture
from metalens.restore.methods.richardson_lucy import (
    METHOD,
    MOST_ITERATIONS,
    best_count,
    iterations,
    richardson_lucy,
)
from metalens.restore.methods.tuning import tuning_pairs
from metalens.restore.metrics.measures import psnr


def test_a_scene_that_explains_the_capture_is_kept(bank):
    blur = LocalBlur(bank, (64, 80))
    flat = torch.full((3, 64, 80), 0.3)
    for light in islice(iterations(blur, flat), 3):
        torch.testing.assert_close(light, flat, atol=1e-4, rtol=1e-4)


def test_the_capture_is_explained_better_with_every_iteration(bank):
    blur = LocalBlur(bank, (64, 80))
    scene = torch.rand(3, 64, 80, generator=torch.Generator().manual_seed(0))
    captured = blur.forward(blur.extend(scene))
    errors = [
        float((blur.forward(blur.extend(light)) - captured).square().mean())
        for light in islice(iterations(blur, captured), 8)
    ]
    assert errors == sorted(errors, reverse=True)


def test_a_blurred_picture_is_sharpened_by_decibels(bank, textured_pictures):
    clean = textured_pictures[0]
    blur = LocalBlur(bank, clean.shape[:2])
    light = torch.from_numpy(srgb_to_linear(clean).transpose(2, 0, 1).copy())
    blurred = blur.forward(blur.extend(light)).numpy().transpose(1, 2, 0)
    captured = to_8_bit(linear_to_srgb(blurred))
    restored = richardson_lucy(Capture(captured), bank, 20)
    assert restored.dtype == np.uint8
    assert psnr(clean, restored) > psnr(clean, captured) + 3


def test_the_search_goes_on_while_the_curve_rises():
    def curve(peak):
        return (-abs(number - peak) for number in range(1, 10**9))

    assert [best_count(curve(peak)) for peak in (1, 7, 40, 123)] == [1, 7, 40, 123]
    assert best_count(curve(10**6)) == MOST_ITERATIONS


def test_the_search_passes_a_short_dip_and_reads_no_further_than_its_patience():
    read = []
    figures = [1.0, 2.0, 1.5, 3.0, *[0.0] * 100]
    assert best_count((read.append(value) or value for value in figures), patience=5) == 4
    assert len(read) == 9


def test_the_fit_finds_the_best_of_all_iterations(training):
    task = training()
    count = METHOD.fit(task).chosen["iterations"]
    tuned_on = tuning_pairs(task.pairs)

    def mean(iterations):
        restored = [(clean, richardson_lucy(capture, task.bank, iterations)) for clean, capture in tuned_on]
        return np.mean([psnr(clean, picture) for clean, picture in restored])

    assert mean(count) > max(mean(each) for each in (count - 1, count + 1) if each > 0)


def test_the_capture_is_read_as_its_camera_writes_it(own_colours):
    light = np.random.default_rng(0).uniform(0.3, 0.5, (1, 1, 3)).repeat(64, axis=0).repeat(80, axis=1)
    captured = to_8_bit(encode_light(own_colours.camera.sensor, light))
    restored = richardson_lucy(Capture(captured), own_colours, 3)
    np.testing.assert_allclose(restored, to_8_bit(linear_to_srgb(light)), atol=2)
