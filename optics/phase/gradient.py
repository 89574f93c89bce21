"""Gradient of a phase profile: where it bends light, and how far."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from metalens.optics.phase.profile import Phase


def phase_gradient(phase: Phase, y: jax.Array, x: jax.Array) -> jax.Array:
    """Gradient of a phase.

    Args:
        phase: of a lens.
        y: ``[...]`` positions in metres from the lens' centre.
        x: the same along x; shapes broadcast.

    Returns:
        ``[..., (y, x)]`` in rad/m.
    """
    y, x = jnp.broadcast_arrays(jnp.asarray(y, dtype=float), jnp.asarray(x, dtype=float))
    total, back = jax.vjp(phase.at, y, x)
    return jnp.stack(back(jnp.ones_like(total)), axis=-1)


def phase_slope(phase: Phase, y: jax.Array, x: jax.Array) -> jax.Array:
    """Gradient of a phase in turns.

    Args:
        phase: of a lens.
        y: ``[...]`` positions in metres from the lens' centre.
        x: the same along x; shapes broadcast.

    Returns:
        ``[..., (y, x)]`` in turns per metre: direction cosines over the wavelength.
    """
    return phase_gradient(phase, y, x) / (2 * jnp.pi)
