"""What the engines keep for the gradient: the field in the window, which is small.

Everything before it is linear in the field behind the lens: its transforms need not be computed again, and transfer
functions and phasors cost less than the memory that they would fill. Of small grids everything is kept.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

FIELD = "field in the window"
"""Name of the values that are kept."""

LARGEST_KEPT = 200e6
"""Bytes of a batch's grids up to which all is kept, and nothing computed again."""

BYTES_A_SAMPLE = 48
"""Memory for the gradient of a sample of a function's grid: transfer function, spectrum and field, all complex."""

KEEP_FIELD = jax.checkpoint_policies.save_only_these_names(FIELD)
"""Policy of ``jax.checkpoint``."""


def kept_intensity(field: jax.Array) -> jax.Array:
    """Squared modulus of a field that is kept.

    Args:
        field: complex, of any shape.
    """
    real, imaginary = (checkpoint_name(part(field), FIELD) for part in (jnp.real, jnp.imag))
    return jnp.square(real) + jnp.square(imaginary)


def keeps_all(functions: int, samples: int) -> bool:
    """Whether a batch is small enough to keep everything.

    Args:
        functions: in the batch.
        samples: of the grid of each.

    Returns:
        False where the fields are computed again for the gradient.
    """
    return BYTES_A_SAMPLE * functions * samples <= LARGEST_KEPT
