"""Least squares in which factors and shifts of single images are eliminated: variable projection.

Each channel of each node has a factor of its own, with a closed form, and may have a shift of its own; neither is among
the numbers that are sought. They are taken out of the normal equations node by node (Golub and Pereyra,
doi:10.1137/0710036), so that these stay as small as the list of numbers, whatever the number of nodes is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

UNSEEN = 1e-8
"""Share of the strongest combination's effect below which a combination of the numbers is taken as without one."""


@dataclass(frozen=True)
class NormalEquations:
    """Normal equations of the free numbers, and the shifts that go with a step.

    Attributes:
        matrix: ``[free, free]``.
        right: ``[free]``.
        shift_rest: ``[node, 2]`` step of the shifts where no number moves.
        shift_per_step: ``[node, 2, free]`` what a step of the numbers takes away from it.
    """

    matrix: np.ndarray
    right: np.ndarray
    shift_rest: np.ndarray
    shift_per_step: np.ndarray


def closest_factors(image: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Least-squares factors between images and measured ones.

    Args:
        image: ``[node, channel, y, x]``.
        measured: the same shape.

    Returns:
        ``[node, channel, 1, 1]``.
    """
    return (image * measured).sum((-2, -1), keepdims=True) / np.square(image).sum((-2, -1), keepdims=True)


def normal_equations(
    measured: np.ndarray, image: np.ndarray, by_number: np.ndarray, by_shift: np.ndarray
) -> NormalEquations:
    """Project factors and shifts out of the residual and the derivatives, node by node.

    Args:
        measured: ``[node, channel, y, x]``.
        image: the model, of the same shape.
        by_number: ``[free, node, channel, y, x]``.
        by_shift: ``[2 or 0, node, channel, y, x]``.

    Returns:
        The matrix and right-hand side of a step, and what gives factors and shifts back.
    """
    factor = closest_factors(image, measured)
    rest = measured - factor * image
    columns = factor * np.concatenate([by_number, by_shift])
    columns -= closest_factors(image, columns) * image
    free, nodes = len(by_number), len(measured)
    flat = columns.reshape(len(columns), nodes, -1)
    # [node, column, column] and [node, column]: all that is needed of the samples.
    product = np.einsum("ins,jns->nij", flat, flat)
    right = np.einsum("ins,ns->ni", flat, rest.reshape(nodes, -1))
    shift_rest, shift_per_step = np.zeros((nodes, 2)), np.zeros((nodes, 2, free))
    matrix, wanted = product[:, :free, :free], right[:, :free]
    if len(by_shift):
        inner, mixed = product[:, free:, free:], product[:, free:, :free]
        shift_rest = np.linalg.solve(inner, right[:, free:, None])[..., 0]
        shift_per_step = np.linalg.solve(inner, mixed)
        matrix = matrix - np.einsum("nsi,nsj->nij", mixed, shift_per_step)
        wanted = wanted - np.einsum("nsi,ns->ni", mixed, shift_rest)
    return NormalEquations(matrix.sum(axis=0), wanted.sum(axis=0), shift_rest, shift_per_step)


def _scaled(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The matrix with ones on its diagonal, and the lengths of its columns; a column without effect stays zero."""
    length = np.sqrt(np.maximum(np.diag(matrix), 0))
    safe = np.where(length > 0, length, 1.0)
    return matrix / np.outer(safe, safe), safe


def damped_step(normal: NormalEquations, damping: float) -> tuple[np.ndarray, np.ndarray]:
    """A Levenberg–Marquardt step; combinations of parameters without effect stay.

    Args:
        normal: equations at the present parameters.
        damping: added to the scaled diagonal.

    Returns:
        the step of the free parameters ``[free]`` and of the shifts ``[node, 2]``.
    """
    matrix, length = _scaled(normal.matrix)
    value, vector = np.linalg.eigh(matrix)
    along = vector.T @ (normal.right / length)
    seen = value > UNSEEN * value.max()
    step = vector @ np.where(seen, along / (np.maximum(value, 0) + damping), 0.0) / length
    return step, normal.shift_rest - normal.shift_per_step @ step


def standard_errors(matrix: np.ndarray, variance: float) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors and correlations of the parameters.

    Args:
        matrix: ``[free, free]`` normal matrix.
        variance: of the residuals.

    Returns:
        ``[free]``, infinite where a parameter has no effect of its own, and ``[free, free]``.
    """
    matrix, length = _scaled(matrix)
    value, vector = np.linalg.eigh(matrix)
    seen = value > UNSEEN * value.max()
    covariance = (vector[:, seen] / value[seen]) @ vector[:, seen].T
    spread = np.sqrt(np.diag(covariance))
    unseen = (np.square(vector[:, ~seen]).sum(axis=1) > 1e-3) | (spread == 0)
    safe = np.where(unseen, 1.0, spread)
    correlation = np.where(np.eye(len(matrix), dtype=bool), 1.0, covariance / np.outer(safe, safe))
    correlation[unseen, :] = correlation[:, unseen] = 0.0
    np.fill_diagonal(correlation, 1.0)
    return np.where(unseen, np.inf, spread / length * np.sqrt(variance)), correlation
