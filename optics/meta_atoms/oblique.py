"""Tables of a library over polarisation and angle of incidence, and their interpolation between angles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.pytree import register_dataclass

POLARISATIONS = ("s", "p")
"""Order of the first axis of every table: electric field across the plane of incidence, and in it."""

BEYOND = 1e-4
"""Excess of sin² of the last angle, by which light may lie beyond it: rounding to float32."""


@register_dataclass
@dataclass(frozen=True)
class ObliqueTables:
    """Complex transmission of periodic arrays against polarisation and angle, geometry and wavelength.

    Attributes:
        squared_sine: ``[angle]`` sin² of the angle in air, ascending from 0.
        transmission: ``[(s, p), angle, geometry, wavelength]``.
        empty: ``[(s, p), angle, wavelength]`` of a site without a meta-atom; None if unknown.
        height_slope: ``[(s, p), angle, geometry, wavelength]`` ∂ ln t/∂h in 1/m; None if unknown.
        index_slope: ``[(s, p), angle, geometry, wavelength]`` ∂ ln t/∂n; None if unknown.
    """

    squared_sine: np.ndarray | jax.Array
    transmission: np.ndarray | jax.Array
    empty: np.ndarray | jax.Array | None = None
    height_slope: np.ndarray | jax.Array | None = None
    index_slope: np.ndarray | jax.Array | None = None

    def each(self, change: Callable[[jax.Array], jax.Array], name: str) -> jax.Array | None:
        """A table with a function applied to each incidence.

        Args:
            change: from ``[geometry, wavelength]`` or ``[wavelength]`` to another array.
            name: of the table.

        Returns:
            ``[(s, p), angle, ...]``; None where the table is None.
        """
        table = getattr(self, name)
        return None if table is None else jax.vmap(jax.vmap(change))(jnp.asarray(table))


def between_angles(nodes: jax.Array, values: jax.Array, squared_sine: jax.Array) -> jax.Array:
    """Complex values between the angles of a library.

    Both mirror images of an array transmit alike at ±θ, so that t is a function of sin² θ; amplitude and phase are
    linear in it between neighbouring angles, the phase on the shorter way around. Beyond the last angle its
    values are used: :func:`check_angles` comes first.

    Args:
        nodes: ``[angle]`` sin² θ, ascending.
        values: ``[angle, ...]`` complex.
        squared_sine: ``[...]`` sin² θ; it broadcasts with the values' other axes.

    Returns:
        ``[...]`` complex.
    """
    number = jnp.interp(squared_sine, nodes, jnp.arange(len(nodes), dtype=float))
    cell = jnp.clip(jnp.floor(jax.lax.stop_gradient(number)), 0, len(nodes) - 2).astype(int)
    place = number - cell
    if jnp.ndim(cell) == 0:
        first, second = values[cell], values[cell + 1]
    else:
        shape = jnp.broadcast_shapes(jnp.shape(cell), values.shape[1:])
        spread = jnp.broadcast_to(values, (len(nodes), *shape))
        first, second = (
            jnp.take_along_axis(spread, jnp.broadcast_to(cell + step, shape)[None], axis=0)[0] for step in (0, 1)
        )
    amplitude = (1 - place) * _size(first) + place * _size(second)
    product = second * jnp.conj(first)
    # The angle of zero has no derivative.
    turn = place * jnp.angle(jnp.where(product == 0, 1.0, product))
    unit = first / jnp.where(first == 0, 1.0, _size(first))
    return unit * jax.lax.complex(amplitude * jnp.cos(turn), amplitude * jnp.sin(turn))


def _size(values: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.square(jnp.real(values)) + jnp.square(jnp.imag(values)) + 1e-30)


def check_angles(tables: ObliqueTables, squared_sine: float, where: str) -> None:
    """Refuse light that comes at a larger angle than the library's; for concrete numbers, outside jit.

    Args:
        tables: of the lens' library.
        squared_sine: the largest sin² of the angle of incidence in air.
        where: such as "psf: light of the field at 20.0°", which begins the message.

    Raises:
        InputError: with both angles.
    """
    largest = float(np.asarray(tables.squared_sine)[-1])
    if squared_sine > largest + BEYOND:
        found, held = (np.degrees(np.arcsin(np.sqrt(min(1.0, each)))) for each in (squared_sine, largest))
        raise InputError(
            f"{where} falls on the meta-atoms at up to {found:.1f}°, and their library goes from 0 to {held:.3g}°; use "
            "smaller field angles or a farther object, build a library with a larger angle_deg, or set incidence = "
            '"normal" in [lens] to neglect the angle.'
        )
