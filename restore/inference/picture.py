"""Restoration of one picture: the function behind ``metalens.restore``."""

from __future__ import annotations

import os

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import to_8_bit
from metalens.formats.psf.bank_file import Bank, as_bank
from metalens.restore.adapter.adapter_file import load_restorer
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.inference.data_consistency import DataConsistency
from metalens.restore.inference.restoration import Settings, check_alphas, decode_values, latents_of, sound_capture
from metalens.restore.inference.restored_files import take_camera
from metalens.restore.machine import usable_device


def restore_picture(
    picture: np.ndarray,
    adapter: str | os.PathLike[str] | Restorer = "metacamera",
    alpha: float | np.ndarray = 0.75,
    *,
    prior: str | os.PathLike[str] | None = None,
    bank: Bank | None = None,
    place: tuple[int, int] | None = None,
    steps: int = 1,
    tile: int = 512,
    device: str = "cpu",
) -> np.ndarray:
    """Restore one photograph of a metalens camera by one-step diffusion (DMDiff, Eq. 6).

    The result is deterministic.

    Args:
        picture: ``[y, x, 3]`` sRGB, uint8 or floats in 0..1, a whole frame of the adapter's camera unless ``place`` is
            given.
        adapter: a folder that :func:`metalens.train` wrote, or the embedded ``metacamera``; or the result of
            :func:`metalens.load_restorer`, which is then not loaded again for every picture.
        alpha: −1 to 2: 0 is faithful, 1 detailed, above 1 extrapolates. A number, or a map ``[y, x]``.
        prior: the adapter's prior, if it has moved since training.
        bank: point spread functions of the picture's camera, or their ``psf.h5``. With a bank, data consistency is
            applied: closer to the scene, but slower; an adapter with a trained block applies that in any case.
        place: (row, column) on the sensor of the picture's first pixel, if it is a part of the frame.
        steps: 1 to 4 diffusion steps; adapters are trained for one.
        tile: largest side of a tile in pixels.
        device: of torch, such as ``cuda``; a restorer that is given stays on its own.

    Returns:
        ``[y, x, 3]`` sRGB of the size of ``picture``: uint8, or float32 in 0..1 for floats.

    Raises:
        InputError: the array is no colour picture, does not fit the sensor or is mostly saturated; α is out of
            range; the adapter, its prior or the bank cannot be used; or memory ends.

    References:
        DMDiff (ICCV 2025), arXiv 2506.22753.
        Data consistency: H. K. Aggarwal, M. P. Mani and M. Jacob, IEEE Trans. Med. Imaging 38, 394 (2019),
        doi:10.1109/TMI.2018.2865356.

    Example:
        >>> import numpy as np
        >>> part = np.full((64, 80, 3), 90, np.uint8)
        >>> restored = restore_picture(part, "metacamera", alpha=0.75, place=(100, 200))
        >>> restored.shape, restored.dtype
        ((64, 80, 3), dtype('uint8'))
    """
    _check_picture(picture)
    if not isinstance(alpha, np.ndarray):
        check_alphas([alpha])
    settings = Settings(steps=steps, tile=tile, place=place)
    restorer = adapter
    if not isinstance(restorer, Restorer):
        target = usable_device(device)
        restorer = load_restorer(restorer, prior=prior).to(target)
    functions = None if bank is None else as_bank(bank)
    if functions is not None:
        take_camera(restorer, functions)
    restored = decode_values(restorer, latents_of(restorer, picture, settings), alpha, tile=tile)
    if functions is not None and restorer.consistency is None:
        consistency = DataConsistency(functions, device=restorer.prior.device)
        restored = consistency(restored, sound_capture(restorer, picture, place), place)
    return to_8_bit(restored) if picture.dtype == np.uint8 else restored


def _check_picture(picture: np.ndarray) -> None:
    if not isinstance(picture, np.ndarray):
        raise InputError(f"restore: found {type(picture).__name__}, expected an array [y, x, 3] of uint8 sRGB.")
    floats = np.issubdtype(picture.dtype, np.floating)
    if (
        picture.ndim != 3
        or picture.shape[2] != 3
        or min(picture.shape) < 1
        or not (floats or picture.dtype == np.uint8)
    ):
        raise InputError(
            f"restore: found an array of shape {picture.shape} and {picture.dtype}, expected [y, x, 3] of uint8 sRGB, "
            "or of floats in 0..1; convert it first."
        )
    if floats and not (np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1):
        raise InputError("restore: found floats beyond 0..1, expected sRGB values in 0..1; scale or clip them first.")
