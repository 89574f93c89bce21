"""A phase profile given as a map of samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.phase.profile import Phase, Scalar

INTERPOLATIONS = ("cubic", "nearest")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Freeform(Phase):
    """A map of samples, its centre on the lens' centre: sample (i, j) lies at pitch · (i − (n−1)/2, j − (m−1)/2).

    ``cubic`` is cubic convolution (Keys, doi:10.1109/TASSP.1981.1163711): through every sample, with a continuous
    slope, exact for quadratic phases. It is for smooth maps that are not wrapped into 2π. ``nearest`` makes each
    sample a flat pixel, as wide as the pitch: for maps of meta-atoms. Its slope is zero: see ``flat_pixel``.

    Beyond the rim of its outermost pixels the map goes on with the value that it has there.

    Attributes:
        values: ``[y, x]`` phase in radians, at least 3 samples a side.
        pitch: distance between samples in metres.
        interpolation: ``cubic`` or ``nearest``; fixed, never traced.
    """

    values: np.ndarray | jax.Array
    pitch: Scalar
    interpolation: Literal["cubic", "nearest"] = field(default="cubic", metadata={"static": True})

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
        """The pitch in metres where the map is not interpolated."""
        return self.pitch if self.interpolation == "nearest" else None

    def at(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Phase in radians.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.

        Raises:
            InputError: the map is no picture of at least 3 samples a side.
        """
        values = jnp.asarray(self.values)
        if values.ndim != 2 or min(values.shape) < 3:
            raise InputError(
                f"Freeform: values have the shape {values.shape}, expected [y, x] with at least 3 samples a side."
            )
        row, column = (self._sample_number(*each) for each in zip((y, x), values.shape, strict=True))
        if self.interpolation == "nearest":
            return values[_pixel(row, values.shape[0]), _pixel(column, values.shape[1])]
        return _cubic(values, row, column)

    def _sample_number(self, position: jax.Array, length: int) -> jax.Array:
        number = jnp.asarray(position) / self.pitch + 0.5 * (length - 1)
        return jnp.clip(number, -0.5, length - 0.5)


def _pixel(number: jax.Array, length: int) -> jax.Array:
    return jnp.clip(jnp.floor(number + 0.5).astype(int), 0, length - 1)


def _cubic(values: jax.Array, row: jax.Array, column: jax.Array) -> jax.Array:
    """Cubic convolution at the sample numbers (row, column)."""
    beyond = _extrapolated(_extrapolated(values).T).T
    first_row, down = _cell(row, values.shape[0])
    first_column, right = _cell(column, values.shape[1])
    total = jnp.zeros(jnp.broadcast_shapes(row.shape, column.shape))
    for i, weight_y in enumerate(_keys_weights(down)):
        for j, weight_x in enumerate(_keys_weights(right)):
            total = total + weight_y * weight_x * beyond[first_row + i, first_column + j]
    return total


def _extrapolated(values: jax.Array) -> jax.Array:
    """One more row at each end, on the parabola through the last three."""
    before = 3 * values[0] - 3 * values[1] + values[2]
    after = 3 * values[-1] - 3 * values[-2] + values[-3]
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
