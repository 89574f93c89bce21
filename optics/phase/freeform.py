"""A phase profile given as a map of samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.flat_pixels import sampled_pixels
from metalens.optics.phase.profile import Phase, Scalar, turned
from metalens.optics.pytree import register_dataclass

INTERPOLATIONS = ("cubic", "nearest")


@register_dataclass
@dataclass(frozen=True)
class Freeform(Phase):
    """A map of samples, its centre on the lens' centre: sample (i, j) lies at pitch · (i − (n−1)/2, j − (m−1)/2).

    ``cubic`` is cubic convolution (Keys, doi:10.1109/TASSP.1981.1163711): through every sample, with a continuous
    slope, exact for quadratic phases. It is for smooth maps; of one that is ``wrapped`` into a turn it interpolates
    what the phasors turn by from sample to sample, which has to be less than half a turn. ``nearest`` makes each
    sample a flat pixel, as wide as the pitch: for maps of meta-atoms. Its slope is zero: see ``flat_pixel``.

    Outside the map, the value at its border continues.

    Attributes:
        values: ``[y, x]`` phase in radians, at least 3 samples a side.
        pitch: distance between samples in metres.
        interpolation: ``cubic`` or ``nearest``; static under tracing.
        wrapped: whether the phase is known modulo 2π only; static under tracing.
    """

    values: np.ndarray | jax.Array
    pitch: Scalar
    interpolation: Literal["cubic", "nearest"] = field(default="cubic", metadata={"static": True})
    wrapped: bool = field(default=False, metadata={"static": True})

    def __post_init__(self) -> None:
        if self.interpolation not in INTERPOLATIONS:
            raise InputError(
                f"Freeform: interpolation {self.interpolation!r} is not known; take one of {', '.join(INTERPOLATIONS)}."
            )

    @property
    def rotationally_symmetric(self) -> bool:
        """False."""
        return False

    @property
    def flat_pixel(self) -> Scalar | None:
        """The pitch in metres if the map is not interpolated."""
        return self.pitch if self.interpolation == "nearest" else None

    def at(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Phase in radians. See :class:`Phase`.

        Raises:
            InputError: the map is not two-dimensional with at least 3 samples a side.
        """
        values = jnp.asarray(self.values)
        if values.ndim != 2 or min(values.shape) < 3:
            raise InputError(
                f"Freeform: values have the shape {values.shape}, expected [y, x] with at least 3 samples a side."
            )
        row, column = (self._sample_number(*each) for each in zip((y, x), values.shape, strict=True))
        if self.interpolation == "nearest":
            return values[_pixel(row, values.shape[0]), _pixel(column, values.shape[1])]
        return _cubic(values, row, column, _turned if self.wrapped else jnp.subtract)

    def sampled_phasor(self, y: jax.Array, x: jax.Array, order: int, step: Scalar, samples: int = 2) -> jax.Array:
        """exp(imφ), ``[m, n]``, the borders of flat pixels smoothed. See :class:`Phase`."""
        if self.interpolation == "nearest":
            return sampled_pixels(turned(order * jnp.asarray(self.values)), self.pitch, y, x, step, samples)
        return super().sampled_phasor(y, x, order, step, samples)

    def _sample_number(self, position: jax.Array, length: int) -> jax.Array:
        number = jnp.asarray(position) / self.pitch + 0.5 * (length - 1)
        return jnp.clip(number, -0.5, length - 0.5)


def _pixel(number: jax.Array, length: int) -> jax.Array:
    return jnp.clip(jnp.floor(number + 0.5).astype(int), 0, length - 1)


_Difference = Callable[[jax.Array, jax.Array], jax.Array]
"""How far the first phase is from the second."""


def _turned(first: jax.Array, second: jax.Array) -> jax.Array:
    """The angle from the second phasor to the first, in −π..π."""
    difference = first - second
    return difference - 2 * np.pi * jax.lax.stop_gradient(jnp.round(difference / (2 * np.pi)))


def _cubic(values: jax.Array, row: jax.Array, column: jax.Array, difference: _Difference) -> jax.Array:
    """Cubic convolution at the sample numbers (row, column), of differences from the cell's first sample."""
    beyond = _extrapolated(_extrapolated(values, difference).T, difference).T
    first_row, down = _cell(row, values.shape[0])
    first_column, right = _cell(column, values.shape[1])
    base = jnp.zeros(()) if difference is jnp.subtract else beyond[first_row + 1, first_column + 1]
    total = jnp.zeros(jnp.broadcast_shapes(row.shape, column.shape))
    for i, weight_y in enumerate(_keys_weights(down)):
        for j, weight_x in enumerate(_keys_weights(right)):
            total = total + weight_y * weight_x * difference(beyond[first_row + i, first_column + j], base)
    return base + total


def _extrapolated(values: jax.Array, difference: _Difference) -> jax.Array:
    """One more row at each end, on the parabola through the last three."""
    before = values[0] + 2 * difference(values[0], values[1]) + difference(values[2], values[1])
    after = values[-1] + 2 * difference(values[-1], values[-2]) + difference(values[-3], values[-2])
    return jnp.concatenate([before[None], values, after[None]])


def _cell(number: jax.Array, length: int) -> tuple[jax.Array, jax.Array]:
    """Number of the cell between two samples, and the place in it: 0 to 1, and half as much again at the map's rim."""
    cell = jnp.clip(jnp.floor(jax.lax.stop_gradient(number)), 0, length - 2)
    return cell.astype(int), number - cell


def _keys_weights(place: jax.Array) -> tuple[jax.Array, ...]:
    """Weights of the four samples around the place between the middle two, with a = −1/2."""
    return (
        place * (-0.5 + place * (1 - 0.5 * place)),
        1 + place**2 * (-2.5 + 1.5 * place),
        place * (0.5 + place * (2 - 1.5 * place)),
        place**2 * (-0.5 + 0.5 * place),
    )
