"""Flicker: the standard deviation of what changes between frames without the scene's doing."""

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.restore.metrics.flicker import flicker

GENERATOR = np.random.default_rng(0)
SCENE = GENERATOR.random((40, 50, 3))
DEVIATION = 0.02


def noisy(count=40):
    return [SCENE + DEVIATION * GENERATOR.standard_normal(SCENE.shape) for _ in range(count)]


def test_independent_noise_has_its_standard_deviation():
    # The median of a mean of about a hundred squares lies a percent below their mean.
    assert flicker(noisy()) == pytest.approx(DEVIATION, rel=0.02)


def test_a_scene_that_stands_still_or_grows_brighter_steadily_has_none():
    assert flicker([SCENE] * 4) == 0
    assert flicker([SCENE * (1 + 0.1 * number) for number in range(5)]) == pytest.approx(0, abs=1e-9)


def test_what_moves_over_less_than_half_of_the_frame_does_not_count():
    frames = [frame.copy() for frame in noisy()]
    for number, frame in enumerate(frames):
        frame[:18] = np.roll(SCENE, 3 * number, axis=1)[:18]
    assert flicker(frames) == pytest.approx(DEVIATION, rel=0.25)


def test_too_few_frames_and_unequal_ones_are_refused():
    with pytest.raises(InputError, match="2 frames, at least 3 are needed"):
        flicker([SCENE, SCENE])
    with pytest.raises(InputError, match="a frame of shape"):
        flicker([SCENE, SCENE[:20], SCENE])
