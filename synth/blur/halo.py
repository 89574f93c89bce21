"""A function as a sharp core and a halo: the core on the sensor's pixels, the halo on a grid 2, 4 or 8 times coarser.

The halo of a metalens reaches a hundred pixels and more, but it is smooth. On the coarse grid it costs little:

    image = core ∗ scene + U (halo ∗ (D scene))

D averages the scene by a cubic B-spline of the coarse grid, U is D's transpose. The halo's samples are the
least-squares fit outside the core. The residual of the fit inside the core is added to the core, so that only the
residual outside is lost, and the flux is conserved exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from metalens.psf.interpolation.natural_scenes import scene_error_power, scene_power

CORE_SIDES = (17, 25, 33, 41, 49, 65, 81, 97, 129)
"""Candidate sides of the core, in pixels."""

SCALES = (2, 4, 8)
"""Pixels to a sample of the halo's grid."""

LEAST_RESPONSE = 0.1
"""Share of the strongest: patterns of the halo's samples that show less are left out. They would be large and
alternate, and where functions change from place to place they do not cancel.
"""

USUAL_BLOCK = 64
"""Pixels along a block's side, for what a choice costs."""


def spline(distance: np.ndarray) -> np.ndarray:
    """The cubic B-spline of knots one apart."""
    away = np.abs(distance)
    near = 2 / 3 - away**2 + away**3 / 2
    far = np.clip(2 - away, 0, None) ** 3 / 6
    return np.where(away < 1, near, far)


@dataclass(frozen=True)
class HaloSplit:
    """How functions of one size are split.

    Attributes:
        kernel: rows, columns of the functions.
        core: rows, columns of the core; the whole function where there is no halo.
        scale: pixels to a sample of the halo; 1 where there is none.
    """

    kernel: tuple[int, int]
    core: tuple[int, int]
    scale: int

    @cached_property
    def halo_kernel(self) -> tuple[int, int]:
        """Rows, columns of the halo's samples, both odd."""
        return (self._axes[0][0].shape[0], self._axes[1][0].shape[0])

    @cached_property
    def _axes(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Matrices of y and x: ``[sample, pixel]`` of the fit, ``[pixel, sample]`` of what the samples stand for."""
        axes = []
        for length in self.kernel:
            half = -(-(length // 2) // self.scale)
            stands_for = np.mean([_response(length, half, self.scale, phase) for phase in range(self.scale)], axis=0)
            axes.append((np.linalg.pinv(stands_for, rcond=LEAST_RESPONSE), stands_for))
        return axes

    @cached_property
    def _inside(self) -> np.ndarray:
        """Window ``[y, x]`` of the core: 1 in the middle, 0 from its edge on."""
        along = []
        for length, core in zip(self.kernel, self.core, strict=True):
            half = core // 2
            away = np.abs(np.arange(length) - length // 2)
            ramp = max(4, half // 2)
            along.append(np.sin(0.5 * np.pi * np.clip((half + 1 - away) / ramp, 0, 1)) ** 2)
        return np.asarray(along[0][:, None] * along[1])

    @property
    def _cut(self) -> tuple[slice, slice]:
        first = [length // 2 - core // 2 for length, core in zip(self.kernel, self.core, strict=True)]
        return (slice(first[0], first[0] + self.core[0]), slice(first[1], first[1] + self.core[1]))

    def halo_of(self, functions: np.ndarray) -> np.ndarray:
        """Samples ``[..., y, x]`` float32 of the halos of functions ``[..., y, x]``."""
        (fit_y, _), (fit_x, _) = self._axes
        return np.asarray(fit_y @ (functions * (1 - self._inside)) @ fit_x.T, dtype=np.float32)

    def core_of(self, functions: np.ndarray) -> np.ndarray:
        """Cores ``[..., y, x]`` float32: the functions less their halos, and the flux that the window would lose."""
        if self.scale == 1:
            return functions.astype(np.float32)
        (_, stands_y), (_, stands_x) = self._axes
        smooth = stands_y @ self.halo_of(functions).astype(np.float64) @ stands_x.T
        rest = functions - smooth
        core = rest[(..., *self._cut)]
        # Each sample of the halo spreads scale² of its value, also beyond the functions' window.
        halo = self.scale**2 * self.halo_of(functions).sum(axis=(-2, -1), dtype=np.float64)
        lost = functions.sum(axis=(-2, -1)) - halo - core.sum(axis=(-2, -1))
        window = self._inside[self._cut]
        return np.asarray(core + lost[..., None, None] * window / window.sum(), dtype=np.float32)

    def left_out(self, functions: np.ndarray) -> np.ndarray:
        """What core and halo do not hold of functions ``[..., y, x]``, the mean over the grid's phases."""
        (_, stands_y), (_, stands_x) = self._axes
        rest = functions - stands_y @ self.halo_of(functions).astype(np.float64) @ stands_x.T
        rest[(..., *self._cut)] -= self.core_of(functions)
        return np.asarray(rest, dtype=np.float32)

    def error(self, functions: np.ndarray) -> float:
        """Root mean square error of a blurred natural scene of values in 0..1, functions ``[function, y, x]``."""
        if self.scale == 1:
            return 0.0
        halo = self.halo_of(functions).astype(np.float64)
        whole = np.zeros_like(functions, dtype=np.float64)
        whole[(..., *self._cut)] = self.core_of(functions)
        powers = []
        for phase in (0, self.scale // 2):
            stands_y, stands_x = (
                _response(length, count // 2, self.scale, phase)
                for length, count in zip(self.kernel, self.halo_kernel, strict=True)
            )
            rest = functions - whole - stands_y @ halo @ stands_x.T
            powers.append(scene_error_power(rest, scene_power(self.kernel)))
        return float(np.sqrt(np.mean(powers)))


def _response(length: int, half: int, scale: int, phase: int) -> np.ndarray:
    """What a source ``phase`` pixels after a sample sends to pixels through each halo sample, ``[pixel, sample]``."""
    pixel = np.arange(length) - length // 2 + phase
    sample = np.arange(-half, half + 1)
    total = np.zeros((length, len(sample)))
    for nearest in range(-2, 4):
        share = spline(np.array((scale * nearest - phase) / scale))
        if share > 0:
            total += share * spline((pixel[:, None] - scale * (nearest + sample)) / scale)
    return total


def choose_split(functions: np.ndarray, tolerance: float) -> HaloSplit:
    """Choose the cheapest split into core and halo within a tolerance.

    Args:
        functions: ``[function, y, x]``.
        tolerance: root mean square error of a blurred natural scene of values in 0..1.

    Returns:
        The split; without a halo if none meets the tolerance at a lower cost.
    """
    kernel = (functions.shape[-2], functions.shape[-1])
    whole = HaloSplit(kernel, kernel, 1)
    candidates = [
        HaloSplit(kernel, (min(side, kernel[0]), min(side, kernel[1])), scale)
        for side in CORE_SIDES
        if side < max(kernel) and min(kernel) > 1
        for scale in SCALES
        if scale * 8 <= max(kernel)
    ]
    for split in sorted(candidates, key=_cost):
        if _cost(split) < _cost(whole) and split.error(functions) <= tolerance:
            return split
    return whole


def _cost(split: HaloSplit) -> float:
    """Samples of the transforms to a pixel of the scene; averaging and spreading the halo count as a half."""

    def overhead(sides: Sequence[float]) -> float:
        return float(np.prod([1 + side / USUAL_BLOCK for side in sides]))

    if split.scale == 1:
        return overhead(split.core)
    coarse = [length / split.scale for length in split.kernel]
    return overhead(split.core) + 0.5 + overhead(coarse) / split.scale**2


def shrink(planes: jax.Array, scale: int) -> jax.Array:
    """Average ``[channel, y, x]`` by the spline at every ``scale``-th pixel.

    Args:
        planes: its sides are multiples of ``scale``.
        scale: see :class:`HaloSplit`.

    Returns:
        ``[channel, y / scale + 3, x / scale + 3]``; the first sample lies ``scale`` pixels before the first pixel.
    """
    return _shrink(_shrink(planes, scale, 1), scale, 2)


def enlarge(samples: jax.Array, scale: int) -> jax.Array:
    """Interpolate samples of the halo grid to pixels: the transpose of :func:`shrink`.

    Args:
        samples: ``[channel, y / scale + 3, x / scale + 3]``.
        scale: pixels per sample.

    Returns:
        ``[channel, y, x]``.
    """
    return _enlarge(_enlarge(samples, scale, 1), scale, 2)


def enlarged(samples: np.ndarray, scale: int) -> np.ndarray:
    """:func:`enlarge` in float64, for results that are computed once.

    Args:
        samples: ``[channel, y / scale + 3, x / scale + 3]``.
        scale: pixels per sample.

    Returns:
        ``[channel, y, x]`` float64.
    """
    by_y, by_x = (spline_matrix(length, scale) for length in samples.shape[-2:])
    return np.asarray(by_y @ samples @ by_x.T)


def spline_matrix(samples: int, scale: int) -> np.ndarray:
    """Matrix of :func:`enlarge` along one axis; its transpose is that of :func:`shrink`.

    Args:
        samples: number of samples of the halo grid.
        scale: pixels per sample.

    Returns:
        ``[pixel, sample]``.
    """
    pixel = np.arange((samples - 3) * scale) / scale
    return spline(pixel[:, None] + 1 - np.arange(samples))


# Sums of slices times numbers, which become one loop over the samples; as products with a matrix of so few columns they
# take four times as long.


def _taps(scale: int) -> list[list[float]]:
    """``[pixel][sample]`` of the spline between a pixel and the samples before it to the second after it."""
    pixel, sample = np.arange(scale)[:, None] / scale, np.arange(-1, 3)
    taps: list[list[float]] = spline(pixel - sample).tolist()
    return taps


def _shrink(planes: jax.Array, scale: int, axis: int) -> jax.Array:
    count = planes.shape[axis] // scale
    groups = planes.reshape(*planes.shape[:axis], count, scale, *planes.shape[axis + 1 :])
    padded = jnp.pad(groups, [(3, 3) if each == axis else (0, 0) for each in range(groups.ndim)])
    total = jnp.zeros(())
    for pixel, taps in enumerate(_taps(scale)):
        one = jnp.take(padded, pixel, axis=axis + 1)
        for tap, share in enumerate(taps):
            total = total + share * jax.lax.slice_in_dim(one, 3 - tap, 6 - tap + count, axis=axis)
    return total


def _enlarge(samples: jax.Array, scale: int, axis: int) -> jax.Array:
    count = samples.shape[axis] - 3
    parts = []
    for taps in _taps(scale):
        each = [share * jax.lax.slice_in_dim(samples, tap, tap + count, axis=axis) for tap, share in enumerate(taps)]
        parts.append(each[0] + each[1] + each[2] + each[3])
    shape = (*samples.shape[:axis], count * scale, *samples.shape[axis + 1 :])
    return jnp.stack(parts, axis=axis + 1).reshape(shape)
