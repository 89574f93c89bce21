"""Lattices of sites: their size for a given lens, and the site nearest to a point."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from metalens.formats.camera.structure import row_pitch_of
from metalens.formats.meta_atoms.library import Lattice
from metalens.optics.phase.profile import Scalar


def lattice_size(lattice: Lattice, pitch: float, diameter: float) -> tuple[int, int]:
    """Rows and columns, both odd, of a lattice whose cells cover a disc around its centre.

    Args:
        lattice: of the sites.
        pitch: distance between neighbours in metres.
        diameter: of the disc in metres.

    Returns:
        (rows, columns).
    """
    # A hexagonal row is shifted by a quarter of the pitch either way.
    aside = 0.25 * pitch if lattice == "hexagonal" else 0.0
    reach = 0.5 * diameter + cell_reach(lattice, pitch)
    half_rows = math.ceil(reach / row_pitch_of(lattice, pitch))
    return 2 * half_rows + 1, 2 * math.ceil((reach + aside) / pitch) + 1


def cell_reach(lattice: Lattice, pitch: Scalar) -> Scalar:
    """Distance in metres from a site to the farthest corner of its cell.

    Args:
        lattice: of the sites.
        pitch: distance between neighbouring sites in metres.

    Returns:
        In metres.
    """
    return pitch / math.sqrt(3 if lattice == "hexagonal" else 2)


def reciprocal_pitch(lattice: Lattice, pitch: Scalar) -> Scalar:
    """Length in 1/m of the lattice's shortest reciprocal vector: 1/p, or 2/(p√3) on the hexagonal lattice.

    Light of a larger wavelength in the medium than its inverse has no diffraction orders of the lattice at normal
    incidence; a phase must not turn faster than half of it, in cycles per metre.

    Args:
        lattice: of the sites.
        pitch: distance between neighbouring sites in metres.

    Returns:
        In 1/m, without the factor 2π.
    """
    return 1 / (pitch * row_pitch_of(lattice, 1.0))


def site_position(
    lattice: Lattice, pitch: Scalar, size: tuple[int, int], row: jax.Array, column: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Position of sites, the inverse of :func:`nearest_site`.

    Args:
        lattice: of the sites.
        pitch: distance between neighbours in metres.
        size: rows and columns of the lattice.
        row: ``[...]`` of the sites.
        column: ``[...]`` of the sites; shapes broadcast.

    Returns:
        y and x in metres from the lattice's centre.
    """
    shift = jnp.where(row % 2 == 1, 0.25, -0.25) if lattice == "hexagonal" else 0.0
    y = (row - 0.5 * (size[0] - 1)) * (pitch * row_pitch_of(lattice, 1.0))
    return y, (column + shift - 0.5 * (size[1] - 1)) * pitch


def nearest_site(
    lattice: Lattice, pitch: Scalar, size: tuple[int, int], y: jax.Array, x: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The site whose cell holds a point; beyond the lattice's rim, one of its outermost sites.

    Args:
        lattice: of the sites.
        pitch: distance between neighbours in metres.
        size: rows and columns of the lattice.
        y: positions in metres from the lattice's centre.
        x: the same along x; shapes broadcast.

    Returns:
        Row and column, int32.
    """
    from_top = jnp.asarray(y) / (pitch * row_pitch_of(lattice, 1.0)) + 0.5 * (size[0] - 1)
    from_left = jnp.asarray(x) / pitch + 0.5 * (size[1] - 1)
    if lattice == "square":
        return _index(from_top, size[0]), _index(from_left, size[1])
    # The cell is a hexagon: the nearest site lies in one of the two rows about the point.
    above = jnp.clip(jnp.floor(from_top), 0, max(size[0] - 2, 0))
    rows = [above, jnp.minimum(above + 1, size[0] - 1)]
    columns, squared = [], []
    for row in rows:
        shift = jnp.where(row % 2 == 1, 0.25, -0.25)
        column = _index(from_left - shift, size[1])
        columns.append(column)
        squared.append(0.75 * jnp.square(from_top - row) + jnp.square(from_left - shift - column))
    lower = squared[1] < squared[0]
    return jnp.where(lower, rows[1], rows[0]).astype(jnp.int32), jnp.where(lower, columns[1], columns[0])


def _index(number: jax.Array, length: int) -> jax.Array:
    return jnp.clip(jnp.floor(number + 0.5), 0, length - 1).astype(jnp.int32)
