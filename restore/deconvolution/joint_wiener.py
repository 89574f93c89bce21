"""The Wiener filter over all colours together: a sharp channel restores the detail that a blurred one lost.

    G(ν) = P Hᴴ (H P Hᴴ + N)⁻¹ = (P⁻¹ + Hᴴ N⁻¹ H)⁻¹ Hᴴ N⁻¹

with P(ν) the cross-spectral density of photographs' colours, H(ν) the diagonal of the channels' transfer functions and
N that of their noise: the linear filter with the smallest expected squared error (Galatsanos and Chin, Digital
restoration of multichannel images, IEEE Trans. ASSP 37, 1989). All in linear light. The second form is used, since its
matrix is symmetric: P is real, N and H are diagonal. At frequency 0, P⁻¹ = 0: there is no prior for the mean
brightness, which is divided by H alone.

One filter for each node of the bank, in the window where the node has weight
(:mod:`metalens.restore.deconvolution.node_windows`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from metalens.formats.camera.sensor import Sensor
from metalens.formats.camera.sensor_noise import noise_variance
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.photograph_statistics import PhotographStatistics, photograph_statistics
from metalens.formats.pictures.scene import to_8_bit
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import Bank, as_bank
from metalens.restore.deconvolution.captured_light import light_of, picture_of, place_on_sensor
from metalens.restore.deconvolution.node_windows import NodeWindows
from metalens.restore.deconvolution.unseen_colour import fill_unseen
from metalens.restore.deconvolution.wiener import best_setting

NOISE_SCALES = tuple(float(value) for value in np.logspace(-1, 2, 7))
"""Multiples of the sensor's noise that are searched. More than 1 stands for what no noise model holds: the mosaic, 8
bits, change of the functions between the nodes."""

MEAN_LIGHT = 0.2
"""Mean of photographs, in shares of white: the light whose shot noise the filter expects."""


def wiener_joint(
    picture: np.ndarray,
    bank: Bank,
    noise_scale: float = 1.0,
    *,
    place: tuple[int, int] | None = None,
    statistics: PhotographStatistics | None = None,
    dtype: np.dtype | None = None,
) -> np.ndarray:
    """Deconvolve a picture with field-dependent functions, all channels jointly.

    Of a camera with lateral colour, the rim's colours that fall outside the frame are predicted from the others
    (:mod:`metalens.restore.deconvolution.unseen_colour`).

    Args:
        picture: ``[y, x, 3]`` as the bank's camera writes it, uint8 or float in 0..1, of the whole sensor unless
            ``place`` is given.
        bank: point spread functions at nodes on a grid over the sensor, or their ``psf.h5``.
        noise_scale: multiple of the sensor's noise, above 0.
        place: (row, column) on the sensor of the picture's first pixel, if it is a part of the frame.
        statistics: spectral statistics of photographs; by default the included ones.
        dtype: of the result, uint8 or a float; by default that of the picture.

    Returns:
        The picture's shape, sRGB.

    Raises:
        InputError: the picture is none, or neither the sensor's whole frame nor a part of it, the nodes are no grid,
            or the scale is not above 0.

    References:
        N. P. Galatsanos and R. T. Chin, IEEE Trans. Acoust. Speech Signal Process. 37, 415 (1989).

    Example:
        >>> import metalens
        >>> camera = metalens.read_camera("hyperbolic").with_(
        ...     lens={"aperture_um": 40, "focal_length_um": 100}, sensor={"pixels": (16, 16), "pixel_pitch_um": 1}
        ... )
        >>> bank = metalens.simulate_bank(camera, fields=(2, 2), wavelengths_per_channel=1, window=(25, 25))
        >>> restored = metalens.wiener_joint(np.full((16, 16, 3), 90, np.uint8), bank, 10.0)
        >>> restored.shape, restored.dtype
        ((16, 16, 3), dtype('uint8'))
    """
    bank = as_bank(bank)
    place = place_on_sensor(bank, np.shape(picture)[:2], place)
    windows = NodeWindows(bank)
    filter_of = JointFilters(windows, bank.camera.sensor, [noise_scale], statistics)
    restored = windows.filtered(light_of(picture, bank.camera.sensor, place), place, filter_of)
    values = fill_unseen(picture_of(restored[0].transpose(1, 2, 0), np.dtype(np.float32)), bank, place)
    wanted = np.asarray(picture).dtype if dtype is None else np.dtype(dtype)
    return to_8_bit(values) if wanted == np.uint8 else values.astype(wanted)


class JointFilters:
    """The joint Wiener filters of a bank's nodes.

    Args:
        windows: of the bank's nodes.
        sensor: of the bank's camera.
        noise_scales: multiples of the sensor's noise, each above 0.
        statistics: spectral statistics of photographs; by default the included ones.

    Raises:
        InputError: a scale is not above 0.
    """

    def __init__(
        self,
        windows: NodeWindows,
        sensor: Sensor,
        noise_scales: Sequence[float],
        statistics: PhotographStatistics | None = None,
    ) -> None:
        if not all(np.isfinite(scale) and scale > 0 for scale in noise_scales):
            raise InputError(
                f"wiener-joint: noise_scale {', '.join(map(str, noise_scales))}, expected numbers above 0."
            )
        self._windows = windows
        self._noise = [scale * noise_variance(sensor, MEAN_LIGHT) for scale in noise_scales]
        precision = precision_on(statistics or photograph_statistics(), windows.size)
        self._precision = np.ascontiguousarray(precision.swapaxes(-2, -1))

    def __call__(self, row: int, column: int) -> torch.Tensor:
        """The filters of one node.

        Args:
            row: of the node in the grid.
            column: of the node in the grid.

        Returns:
            ``[scale, restored, captured, column // 2 + 1, row]`` complex64.
        """
        transfer = self._windows.transfer(row, column)
        filters = np.empty((len(self._noise), 3, *transfer.shape), np.complex64)
        for each, noise in zip(filters, self._noise, strict=True):
            joint_filter(transfer, self._precision, noise, out=each)
        return torch.from_numpy(filters)


def precision_on(statistics: PhotographStatistics, size: tuple[int, int]) -> np.ndarray:
    """Precision matrix P⁻¹ of photographs' colours on the frequencies of a real Fourier transform.

    Args:
        statistics: power spectral density of photographs.
        size: (rows, columns) of the periodic frame.

    Returns:
        ``[channel, channel, row, column // 2 + 1]``, 0 at frequency 0.
    """
    row, column = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    return np.moveaxis(statistics.precision(np.hypot(row, column)), (-2, -1), (0, 1))


def joint_filter(
    transfer: np.ndarray, precision: np.ndarray, noise: np.ndarray, out: np.ndarray | None = None
) -> np.ndarray:
    """The filter G(ν) of one node.

    Args:
        transfer: ``[channel, row, column]`` H of each channel.
        precision: ``[channel, channel, row, column]`` P⁻¹ at the same frequencies.
        noise: ``[channel]`` variance per pixel, in shares of white squared.
        out: an array to write the filter to.

    Returns:
        ``[restored, captured, row, column]`` complex64.
    """
    weighted = transfer.conj() / noise[:, None, None].astype(np.float32)  # Hᴴ N⁻¹
    power = (np.square(transfer.real, dtype=float) + np.square(transfer.imag, dtype=float)) / noise[:, None, None]
    a, b, c = (precision[each, each] + power[each] for each in range(3))
    d, e, f = precision[0, 1], precision[0, 2], precision[1, 2]
    # Invert a stack of symmetric 3 × 3 matrices by cofactors, which is vectorised.
    upper = {
        (0, 0): b * c - f * f,
        (0, 1): e * f - c * d,
        (0, 2): d * f - b * e,
        (1, 1): a * c - e * e,
        (1, 2): d * e - a * f,
        (2, 2): a * b - d * d,
    }
    scale = 1 / (a * upper[0, 0] + d * upper[0, 1] + e * upper[0, 2])
    gain = np.empty((3, *transfer.shape), np.complex64) if out is None else out
    for (row, column), cofactor in upper.items():
        inverse = (cofactor * scale).astype(np.float32)
        np.multiply(inverse, weighted[column], out=gain[row, column])
        np.multiply(inverse, weighted[row], out=gain[column, row])
    return gain


def tune_noise_scale(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    bank: PsfBank,
    *,
    candidates: Sequence[float] = NOISE_SCALES,
    places: Sequence[tuple[int, int]] | None = None,
) -> float:
    """Choose the noise scale with the highest mean PSNR on training pairs; do not use held-out pairs.

    Args:
        pairs: clean and captured pictures ``[y, x, 3]``; a handful is enough.
        bank: see :func:`wiener_joint`.
        candidates: values to try.
        places: (row, column) on the sensor of each capture's first pixel, where they are parts of the frame.

    Returns:
        The best of the candidates.

    Raises:
        InputError: there are no pairs or no candidates.
    """

    def restore(captured: np.ndarray, candidate: float, place: tuple[int, int] | None) -> np.ndarray:
        return wiener_joint(captured, bank, candidate, place=place)

    return best_setting(pairs, restore, candidates, places, method="wiener-joint")
