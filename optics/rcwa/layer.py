"""The Fourier matrices of a patterned layer, by fmmax."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from fmmax import basis, fft, fmm, fmm_matrices, vector

from metalens.formats.meta_atoms.library import lattice_vectors

FORMULATION = fmm.Formulation.JONES_DIRECT_FOURIER
"""The formulation of fmmax that converges fastest for round pillars (docs/adr/0011-rcwa-by-fmmax.md)."""


@dataclass(frozen=True)
class FourierLayer:
    """A patterned layer in the Fourier basis.

    Attributes:
        coefficients: ``[order, 2]`` integer coefficients of the reciprocal lattice vectors; the first is (0, 0).
        wave_vectors: ``[order, (x, y)]`` of the reciprocal lattice, in 1/m.
        inverse_z_permittivity: ``[order, order]`` inverse of the convolution with ε.
        transverse_permittivity: ``[2 order, 2 order]`` ε for (−E_y, E_x), with Li's rules along the tangents
            (Liu & Fan, doi:10.1016/j.cpc.2012.04.026, eq. 51).
    """

    coefficients: np.ndarray
    wave_vectors: np.ndarray
    inverse_z_permittivity: np.ndarray
    transverse_permittivity: np.ndarray


def expansion_of(vectors: np.ndarray, orders: int) -> basis.Expansion:
    """The Fourier orders of a lattice within a circle, closed under both mirror symmetries.

    Args:
        vectors: ``[2, 2]`` of the lattice in metres.
        orders: approximate number.

    Returns:
        About ``orders`` orders, as integers along the reciprocal lattice.
    """
    u, v = vectors / np.linalg.norm(vectors[0])
    return basis.generate_expansion(basis.LatticeVectors(jnp.asarray(u), jnp.asarray(v)), orders)


def fourier_layer(
    density: np.ndarray, inside: complex, outside: complex, vectors: np.ndarray, orders: int
) -> FourierLayer:
    """The matrices of a layer of two materials.

    Args:
        density: ``[u, v]`` along the lattice vectors, the share of the first material in each sample of the cell.
        inside: permittivity of the first material.
        outside: permittivity of the second one.
        vectors: ``[2, (x, y)]`` of the lattice, in metres.
        orders: about how many Fourier orders.

    Returns:
        The matrices in double precision, for :func:`metalens.optics.rcwa.solve.scatter_plane_wave`.
    """
    with jax.enable_x64(True):
        expansion = expansion_of(vectors, orders)
        permittivity = outside + (inside - outside) * np.asarray(density, dtype=complex)
        scaled = jnp.asarray(vectors / np.linalg.norm(vectors[0]))
        found = _matrices(jnp.asarray(permittivity), jnp.asarray(density), scaled, expansion=expansion)
        inverse_z_permittivity, transverse_permittivity = (np.asarray(each) for each in found)
    coefficients = np.asarray(expansion.basis_coefficients)
    reciprocal = 2 * np.pi * np.linalg.inv(vectors).T
    return FourierLayer(coefficients, coefficients @ reciprocal, inverse_z_permittivity, transverse_permittivity)


@partial(jax.jit, static_argnames="expansion")
def _matrices(
    permittivity: jax.Array, density: jax.Array, vectors: jax.Array, *, expansion: basis.Expansion
) -> tuple[jax.Array, jax.Array]:
    lattice = basis.LatticeVectors(vectors[0], vectors[1])
    # The tangents follow the outline alone, not the materials.
    tangent = vector.VECTOR_FIELD_SCHEMES[FORMULATION.value](density, expansion, lattice)
    transverse = fmm_matrices.transverse_permittivity_vector(permittivity, *tangent, expansion)
    return jnp.linalg.inv(fft.fourier_convolution_matrix(permittivity, expansion)), transverse


CELL_ORDERS = 45
"""Fourier orders in which the tangents of one meta-atom's outline are smooth."""


def row_layer(cells: np.ndarray, inside: complex, outside: complex, pitch: float, orders: int) -> FourierLayer:
    """The matrices of a supercell: a row of different meta-atoms along x on a square lattice.

    The tangents of each outline are those of its own cell, where fmmax computes them; far from the outlines, where
    cells meet, the permittivity is uniform and they do not matter.

    Args:
        cells: ``[meta-atom, u, v]`` densities of :func:`metalens.optics.rcwa.unit_cell.cell_density`.
        inside: permittivity of the meta-atoms.
        outside: permittivity between them.
        pitch: of the sites in metres.
        orders: about how many Fourier orders, of the whole supercell.

    Returns:
        The layer; the centre of the first meta-atom lies at the origin.
    """
    count = len(cells)
    with jax.enable_x64(True):
        cell = expansion_of(lattice_vectors("square"), CELL_ORDERS)
        tangent = [_tangents(jnp.asarray(each), expansion=cell) for each in cells]
        density, tangent_x, tangent_y = (
            joined_cells(np.stack([np.asarray(each) for each in parts]))
            for parts in (cells, [each[0] for each in tangent], [each[1] for each in tangent])
        )
        vectors = pitch * np.array([[float(count), 0.0], [0.0, 1.0]])
        expansion = expansion_of(vectors, orders)
        permittivity = jnp.asarray(outside + (inside - outside) * density.astype(complex))
        found = _row_matrices(permittivity, jnp.asarray(tangent_x), jnp.asarray(tangent_y), expansion=expansion)
        inverse_z_permittivity, transverse_permittivity = (np.asarray(each) for each in found)
    coefficients = np.asarray(expansion.basis_coefficients)
    wave_vectors = coefficients @ (2 * np.pi * np.linalg.inv(vectors).T)
    return FourierLayer(coefficients, wave_vectors, inverse_z_permittivity, transverse_permittivity)


def joined_cells(cells: np.ndarray) -> np.ndarray:
    """A row of cells, each with the centre of its meta-atom at its corner, as one.

    Args:
        cells: ``[meta-atom, u, v]``.

    Returns:
        ``[u, v]``, the centre of the first meta-atom at the corner.
    """
    samples = cells.shape[1]
    whole = np.concatenate(list(np.roll(cells, samples // 2, axis=1)), axis=0)
    return np.roll(whole, -(samples // 2), axis=0)


@partial(jax.jit, static_argnames="expansion")
def _tangents(density: jax.Array, *, expansion: basis.Expansion) -> tuple[jax.Array, jax.Array]:
    lattice = basis.LatticeVectors(jnp.asarray([1.0, 0.0]), jnp.asarray([0.0, 1.0]))
    found: tuple[jax.Array, jax.Array] = vector.VECTOR_FIELD_SCHEMES[FORMULATION.value](density, expansion, lattice)
    return found


@partial(jax.jit, static_argnames="expansion")
def _row_matrices(
    permittivity: jax.Array, tangent_x: jax.Array, tangent_y: jax.Array, *, expansion: basis.Expansion
) -> tuple[jax.Array, jax.Array]:
    transverse = fmm_matrices.transverse_permittivity_vector(permittivity, tangent_x, tangent_y, expansion)
    return jnp.linalg.inv(fft.fourier_convolution_matrix(permittivity, expansion)), transverse
