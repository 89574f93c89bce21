"""Statistics of photographs' colours: measured from scenes, read with suspicion."""

from __future__ import annotations

import json

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.photograph_statistics import (
    PhotographStatistics,
    measured_statistics,
    parse_photograph_statistics,
    photograph_statistics,
)

COVARIANCE = np.array([[1.2, 1.0, 0.7], [1.0, 1.0, 0.8], [0.7, 0.8, 0.8]])


def test_scenes_of_a_known_density_give_it_back():
    random = np.random.default_rng(0)
    mixing = np.linalg.cholesky(COVARIANCE)
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128))
    amplitude = np.divide(1.0, frequency, out=np.zeros_like(frequency), where=frequency > 0)
    scenes = []
    for _ in range(24):
        colours = np.fft.fft2(random.standard_normal((128, 128, 3)) @ mixing.T, axes=(0, 1))
        scenes.append(np.fft.ifft2(colours * amplitude[..., None], axes=(0, 1)).real)
    found = measured_statistics(scenes, bands=4)
    # The coarsest band is blurred by the window.
    np.testing.assert_allclose(found.covariance[1:], np.broadcast_to(COVARIANCE, (3, 3, 3)), rtol=0.06)


def test_the_precision_is_the_inverse_of_the_density():
    statistics = PhotographStatistics(np.array([0.01, 0.1]), np.stack([COVARIANCE, 0.5 * COVARIANCE]))
    precision = statistics.precision(np.array([0.0, 0.005, 0.1, 0.4]))
    assert not precision[0].any()
    np.testing.assert_allclose(precision[1] @ (COVARIANCE / 0.005**2), np.eye(3), atol=1e-9)
    np.testing.assert_allclose(precision[2] @ (0.5 * COVARIANCE / 0.1**2), np.eye(3), atol=1e-9)
    np.testing.assert_allclose(precision[3] @ (0.5 * COVARIANCE / 0.4**2), np.eye(3), atol=1e-9)


def test_colours_of_the_shipped_photographs_vary_together_the_more_the_finer_the_detail():
    covariance = photograph_statistics().covariance
    deviation = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    red_blue = covariance[:, 0, 2] / (deviation[:, 0] * deviation[:, 2])
    assert np.all(np.diff(red_blue) > 0)
    assert 0.65 < red_blue[0] < 0.8
    assert red_blue[-1] > 0.9


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"covariance": [[[1, 2, 0], [2, 1, 0], [0, 0, 1]]]}, r"x\.json: .* not positive definite"),
        ({"covariance": [[[-1, 0, 0], [0, -1, 0], [0, 0, -1]]]}, "not positive definite"),
        ({"covariance": [[[1, 1, 1], [1, 1, 1], [1, 1, 1 + 1e-15]]]}, "not positive definite"),
        ({"covariance": [[[1, 5, 0], [0.1, 1, 0], [0, 0, 1]]]}, "not symmetric"),
        ({"covariance": [[[1, 0, 0], [0, 1, 0]]]}, "covariance"),
        ({"frequency_cycles_per_pixel": [0.1, 0.2]}, "a 3 × 3 matrix for each"),
        ({"version": 2}, r"x\.json: .*version.*; a newer metalens wrote it and is needed to read it: update metalens"),
        ({"version": True}, r"version: .* a whole number, .*; make it with scripts/photograph_statistics\.py"),
        ({"schema": "metalens.psf"}, "schema"),
        ({"more": 1}, "more"),
    ],
)
def test_what_is_no_statistics_is_one_sentence(change, said):
    content = {
        "schema": "metalens.photograph_statistics",
        "version": 1,
        "source": "a test",
        "frequency_cycles_per_pixel": [0.1],
        "covariance": [np.eye(3).tolist()],
    }
    with pytest.raises(InputError, match=said):
        parse_photograph_statistics(json.dumps({**content, **change}), "x.json")


@pytest.mark.parametrize("colour", [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1.0, 0.5, 0.3)])
def test_scenes_of_one_colour_are_refused(colour):
    scene = np.random.default_rng(0).random((64, 64, 1)) * np.array(colour)
    with pytest.raises(InputError, match="not positive definite"):
        measured_statistics([scene])


def test_scenes_that_are_too_small_are_refused():
    with pytest.raises(InputError, match="64 × 64"):
        measured_statistics([np.zeros((32, 100, 3))])
