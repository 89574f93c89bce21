"""Linear restorations of a capture that a network is given beside it: the joint Wiener filter at several noise scales.

A small noise scale gives sharp edges and grain, a large one neither; the network takes from each what it can use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from metalens.formats.camera.sensor_noise import noise_variance
from metalens.formats.pictures.encoding import decode_picture
from metalens.formats.pictures.photograph_statistics import photograph_statistics
from metalens.formats.psf.bank import PsfBank
from metalens.restore.deconvolution.captured_light import picture_of
from metalens.restore.deconvolution.joint_wiener import MEAN_LIGHT, JointFilters, precision_on
from metalens.restore.deconvolution.node_windows import NodeWindows

ESTIMATE_NOISE_SCALES = (1.0, 10.0)
"""Multiples of the sensor's noise, one for each estimate."""

ESTIMATE_CHANNELS = 3 * len(ESTIMATE_NOISE_SCALES)
"""Channels of all estimates together."""

LARGEST_KEPT = 2**29
"""Bytes of filters that are kept: those of a sensor of 12 megapixels would take 6 GB."""


class _Filters(dict[tuple[int, int], torch.Tensor]):
    """Filters of nodes, computed when they are asked for first, or each time."""

    def __init__(self, filter_of: Callable[[tuple[int, int]], torch.Tensor], keep: bool) -> None:
        super().__init__()
        self._filter_of, self._keep = filter_of, keep

    def __missing__(self, node: tuple[int, int]) -> torch.Tensor:
        found = self._filter_of(node)
        if self._keep:
            self[node] = found
        return found


class LinearEstimates:
    """Joint Wiener filters of a camera, computed once, or for each capture if they are too large to be kept.

    A part of the frame needs the filters of the nodes around it alone.

    Args:
        bank: point spread functions at nodes on a grid over the sensor.
        noise_scales: multiples of the sensor's noise, each above 0.
        device: of torch.

    Raises:
        InputError: the nodes are no grid, or a scale is not above 0.

    Attributes:
        bank: as given.
        nbytes: of the filters of all nodes, if they are kept; else 0.
    """

    def __init__(
        self,
        bank: PsfBank,
        noise_scales: Sequence[float] = ESTIMATE_NOISE_SCALES,
        device: torch.device | str = "cpu",
    ) -> None:
        self.bank = bank
        self._scales = tuple(noise_scales)
        self._windows = NodeWindows(bank, device)
        filter_of = JointFilters(self._windows, bank.camera.sensor, noise_scales)
        (height, width), nodes = self._windows.size, list(np.ndindex(self._windows.nodes))
        size = len(nodes) * len(noise_scales) * 9 * height * (width // 2 + 1) * np.dtype(np.complex64).itemsize
        self.nbytes = size if size <= LARGEST_KEPT else 0
        self._filters = _Filters(lambda node: filter_of(*node).to(device), keep=self.nbytes > 0)

    def as_arrays(self) -> dict[str, np.ndarray]:
        """What filters whole frames without this package, as :mod:`metalens.restore.inference.onnx_example` does.

        Raises:
            InputError: the bank has lateral colour, which is corrected before.
        """
        return self._windows.as_arrays() | {
            "precision": precision_on(photograph_statistics(), self._windows.size),
            "noise": np.stack([scale * noise_variance(self.bank.camera.sensor, MEAN_LIGHT) for scale in self._scales]),
        }

    def __call__(self, capture: np.ndarray, place: tuple[int, int] | None = None) -> np.ndarray:
        """Restore a capture.

        Args:
            capture: ``[y, x, 3]`` as the bank's camera writes it, uint8 or floats in 0..1, of the whole sensor unless
                ``place`` is given.
            place: (row, column) on the sensor of its first pixel, if it is a part of the frame.

        Returns:
            ``[y, x, 3 · scales]`` sRGB of the capture's type, the estimates in the order of the noise scales.

        Raises:
            InputError: the capture does not lie on the sensor.
        """
        light = decode_picture(self.bank.camera.sensor, capture)
        restored = self._windows.filtered(light, place or (0, 0), lambda *node: self._filters[node])
        return picture_of(restored.reshape(-1, *restored.shape[2:]).transpose(1, 2, 0), capture.dtype)
