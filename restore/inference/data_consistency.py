"""Data consistency: the most probable scene, given the capture and the restored picture.

    x = argmin  Σ ((y − H x) / σ_y)² + Σ ((x − x̂) / σ_x)²

in linear light: y the capture, H the camera's blur (:mod:`metalens.restore.deconvolution.local_blur`), x̂ the restored
picture. It is a Wiener filter whose mean is x̂, and the block of data consistency that MoDL puts behind its network
(Aggarwal, Mani & Jacob 2019, 10.1109/TMI.2018.2865356), solved by conjugate gradients as there. The two errors are:

- σ_y is the sensor's noise (:mod:`metalens.formats.camera.sensor_noise`) and the quantisation of 8 bits. A clipped
pixel has no weight.
- σ_x is the restorer's error: constant in display values, so it is smaller in linear light where the picture is dark.

Detail that the blur erased stays as the restorer predicted it, since H does not transmit it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import srgb_to_linear
from metalens.formats.psf.bank import PsfBank
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.deconvolution.captured_light import picture_of
from metalens.restore.deconvolution.local_blur import LocalBlur
from metalens.restore.deconvolution.most_probable import ITERATIONS, RESTORER_ERROR, measured, most_probable, slope
from metalens.restore.inference.tiling import Tile, Tiling, tiled, tiling_of

_LEAST_SIDE = 1536
_LEAST_KERNELS = 6
"""Larger pictures are computed in parts; the side of a part is at least this many point spread functions."""

_LEAST_OVERLAP = 128
_LEAST_KERNELS_OF_OVERLAP = 1.5
"""Pixels, and point spread functions, by which parts overlap."""


def trained_consistency(
    restorer: Restorer, decoded: Tensor, capture: np.ndarray, place: tuple[int, int] | None = None
) -> Tensor:
    """Apply the trained block of an adapter to a decoded picture, in parts if it is large.

    Args:
        restorer: an adapter with a block (:mod:`metalens.restore.adapter.consistency_block`).
        decoded: ``[3, y, x]``, nominally in 0..1.
        capture: its capture ``[y, x, 3]``, uint8 or floats in 0..1.
        place: (row, column) on the sensor of the first pixel, if it is a part of the frame.

    Returns:
        ``[3, y, x]``, nominally in 0..1.

    Raises:
        InputError: the adapter has no block, or lacks its camera's functions.
    """
    if restorer.bank is None:
        raise InputError("data consistency: the adapter lacks its camera's point spread functions.")
    top, left = place or (0, 0)

    def part(tile: Tile) -> Tensor:
        seen = capture[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
        return restorer.consistent(tile.of(decoded, 1), seen, (top + tile.top, left + tile.left))

    return tiled(part, _parts(restorer.bank, (decoded.shape[-2], decoded.shape[-1])), 1)


def _parts(bank: PsfBank, pixels: tuple[int, int]) -> Tiling:
    """The parts in which a picture is computed."""
    kernel = max(bank.intensity.shape[-2:])
    overlap = max(_LEAST_OVERLAP, round(_LEAST_KERNELS_OF_OVERLAP * kernel))
    return tiling_of(pixels, 1, max(_LEAST_SIDE, _LEAST_KERNELS * kernel), overlap)


class DataConsistency:
    """Makes restored pictures consistent with their captures.

    Args:
        bank: the camera's point spread functions, on a grid.
        restorer_error: standard deviation of the restorer's error in display values of 0..1, above 0. A small value
            keeps the restored picture, a large one follows the capture.
        iterations: iterations of conjugate gradients, at least 1.
        device: of torch.

    Raises:
        InputError: the bank is no grid, or ``restorer_error`` or ``iterations`` is out of range.
    """

    def __init__(
        self,
        bank: PsfBank,
        *,
        restorer_error: float = RESTORER_ERROR,
        iterations: int = ITERATIONS,
        device: torch.device | str = "cpu",
    ) -> None:
        if not (np.isfinite(restorer_error) and restorer_error > 0):
            raise InputError(f"data consistency: an error of {restorer_error}, expected a number above 0.")
        if iterations < 1:
            raise InputError(f"data consistency: {iterations} iterations, expected 1 or more.")
        bank.as_grid(bank.intensity)
        self.bank = bank
        self.restorer_error = restorer_error
        self.iterations = iterations
        self.device = torch.device(device)

    @torch.no_grad()
    def __call__(self, restored: np.ndarray, capture: np.ndarray, place: tuple[int, int] | None = None) -> np.ndarray:
        """Compute the most probable scene for a restored picture and its capture.

        Args:
            restored: ``[y, x, 3]`` sRGB, uint8 or floats in 0..1.
            capture: the capture, of the same shape, as the bank's camera encodes it, uint8 or floats in 0..1.
            place: (row, column) on the sensor of the first pixel, if it is a part of the frame.

        Returns:
            ``[y, x, 3]`` sRGB of the restored picture's type.

        Raises:
            InputError: the shapes differ, the pictures do not lie on the bank's sensor, or its colour matrix cannot be
                undone.
        """
        sensor, pixels = self.bank.camera.sensor.pixels, (capture.shape[0], capture.shape[1])
        if restored.shape != capture.shape:
            raise InputError(f"data consistency: a restored picture of {restored.shape}, its capture {capture.shape}.")
        top, left = place or (0, 0)
        inside = min(top, left) >= 0 and top + pixels[0] <= sensor[0] and left + pixels[1] <= sensor[1]
        if not inside or (place is None and pixels != sensor):
            raise InputError(
                f"data consistency: a picture of {pixels[0]} × {pixels[1]} pixels at row {top}, column {left}, and the "
                f"bank's sensor has {sensor[0]} × {sensor[1]}; give the psf.h5 of the captures' camera."
            )
        seen, expected = (
            torch.from_numpy(np.ascontiguousarray(each.transpose(2, 0, 1))) for each in (capture, restored)
        )

        def part(tile: Tile) -> Tensor:
            blur = LocalBlur(
                self.bank, (tile.height, tile.width), (top + tile.top, left + tile.left), device=self.device
            )
            return self._solve(blur, tile.of(seen, 1), tile.of(expected, 1)).cpu()

        light = tiled(part, _parts(self.bank, pixels), 1)
        return picture_of(light.numpy().transpose(1, 2, 0), restored.dtype)

    def _solve(self, blur: LocalBlur, capture: Tensor, restored: Tensor) -> Tensor:
        """Linear light ``[3, y, x]`` of the most probable scene; the scene beyond the picture is unknown as well."""
        light, weight = measured(self.bank.camera.sensor, capture.permute(1, 2, 0).numpy(), self.device)
        mean = blur.extend(torch.from_numpy(srgb_to_linear(restored.numpy())).to(self.device))
        deviation = self.restorer_error * slope(mean)

        def scaled(step: Tensor) -> Tensor:
            return deviation * step

        found = most_probable(
            blur, light, weight, mean, deviation=scaled, transposed=scaled, iterations=self.iterations
        )
        return blur.crop(found)
