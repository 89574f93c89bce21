"""Eliminating factors and shifts gives what solving for all of them at once gives."""

import numpy as np
import pytest

from metalens.psf.captured.variable_projection import closest_factors, damped_step, normal_equations, standard_errors

NODES, FREE, SIDE = 4, 3, 6


@pytest.fixture
def parts() -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(0)
    shape = (NODES, 3, SIDE, SIDE)
    measured, image = random.normal(size=shape), random.normal(size=shape)
    return measured, image, random.normal(size=(FREE, *shape)), random.normal(size=(2, *shape))


def dense_columns(image: np.ndarray, by_number: np.ndarray, by_shift: np.ndarray) -> np.ndarray:
    """Columns ``[sample, unknown]`` of the numbers, of a factor for each image and of two shifts for each node."""
    columns = [column.ravel() for column in by_number]
    for node in range(NODES):
        for channel in range(3):
            alone = np.zeros_like(image)
            alone[node, channel] = image[node, channel]
            columns.append(alone.ravel())
        for column in by_shift:
            alone = np.zeros_like(image)
            alone[node] = column[node]
            columns.append(alone.ravel())
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("shifts", [0, 2])
def test_step_and_errors_are_those_of_the_dense_least_squares(parts, shifts):
    measured, image, by_number, by_shift = parts[0], parts[1], parts[2], parts[3][:shifts]
    factor = closest_factors(image, measured)
    columns = dense_columns(image, factor * by_number, factor * by_shift)
    rest = (measured - factor * image).ravel()
    dense = np.linalg.lstsq(columns, rest, rcond=None)[0]
    normal = normal_equations(measured, image, by_number, by_shift)
    step, shift = damped_step(normal, 0.0)
    np.testing.assert_allclose(step, dense[:FREE], rtol=1e-9)
    if shifts:
        found = dense[FREE:].reshape(NODES, 5)[:, 3:]
        np.testing.assert_allclose(shift, found, rtol=1e-9)
    covariance = np.linalg.inv(columns.T @ columns)[:FREE, :FREE]
    error, correlation = standard_errors(normal.matrix, 4.0)
    np.testing.assert_allclose(error, 2 * np.sqrt(np.diag(covariance)), rtol=1e-9)
    np.testing.assert_allclose(correlation, covariance / np.outer(error, error) * 4, rtol=1e-9)


def test_a_number_without_effect_stays_and_has_no_error_that_could_be_told(parts):
    measured, image, by_number, by_shift = parts
    by_number[1] = 0
    normal = normal_equations(measured, image, by_number, by_shift)
    step, _ = damped_step(normal, 1e-3)
    assert step[1] == 0
    assert np.isfinite(step).all()
    error, correlation = standard_errors(normal.matrix, 1.0)
    np.testing.assert_array_equal(np.isinf(error), [False, True, False])
    np.testing.assert_array_equal(correlation[1], [0, 1, 0])


def test_numbers_with_the_same_effect_are_both_undetermined(parts):
    measured, image, by_number, by_shift = parts
    by_number[2] = -3 * by_number[0]
    error, _ = standard_errors(normal_equations(measured, image, by_number, by_shift).matrix, 1.0)
    np.testing.assert_array_equal(np.isinf(error), [True, False, True])
