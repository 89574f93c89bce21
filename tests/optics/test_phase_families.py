"""Every phase family: its closed form in float64, its gradients against finite differences, and what it is used for."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.optics import (
    Cubic,
    EvenPolynomial,
    Freeform,
    Hyperbolic,
    LogAsphere,
    Phase,
    Quadratic,
    Sum,
    Zernike,
)

RADIUS = 30e-6
WAVELENGTH = 532e-9
WAVENUMBER = 2 * np.pi / WAVELENGTH
MAP_SIDE = 9


def log_asphere(y, x, start, end, rim, wavelength):
    """The integral of its definition by Gauss–Legendre quadrature in r²."""
    node, weight = np.polynomial.legendre.leggauss(40)
    y, x = np.asarray(y), np.asarray(x)
    squared = (y**2 + x**2)[..., None] * 0.5 * (1 + node)
    axial = start + (end - start) * squared / rim**2
    return -np.pi / wavelength * 0.5 * (y**2 + x**2) * (weight / np.sqrt(squared + axial**2)).sum(-1)


def named_zernike(y, x, coefficients, radius):
    """Piston, tilt in y, defocus, astigmatism, coma in x and trefoil, as textbooks write them."""
    rho, theta = np.hypot(y, x) / radius, np.arctan2(y, x)
    terms = [
        np.ones_like(rho),
        2 * rho * np.sin(theta),
        np.sqrt(3) * (2 * rho**2 - 1),
        np.sqrt(6) * rho**2 * np.cos(2 * theta),
        np.sqrt(8) * (3 * rho**3 - 2 * rho) * np.cos(theta),
        np.sqrt(8) * rho**3 * np.sin(3 * theta),
    ]
    return np.tensordot(coefficients, terms, 1)


def keys_convolution(y, x, values, pitch):
    """Cubic convolution as the paper defines it: a sum over all samples with the kernel of its eq. 15."""

    def kernel(s):
        s = np.abs(s)
        near, far = 1.5 * s**3 - 2.5 * s**2 + 1, -0.5 * s**3 + 2.5 * s**2 - 4 * s + 2
        return np.where(s < 1, near, np.where(s < 2, far, 0))

    row, column = (np.asarray(each) / pitch + 0.5 * (MAP_SIDE - 1) for each in (y, x))
    weight_y = kernel(row[..., None] - np.arange(MAP_SIDE))
    weight_x = kernel(column[..., None] - np.arange(MAP_SIDE))
    return np.einsum("...i,...j,ij", weight_y, weight_x, values)


@dataclasses.dataclass
class Case:
    phase: Phase
    closed_form: Callable[..., np.ndarray]
    parameters: dict[str, object]

    def of(self, y: np.ndarray, x: np.ndarray, **changes: object) -> np.ndarray:
        return self.closed_form(y, x, **(self.parameters | changes))


def case(family: type, closed_form: Callable[..., np.ndarray], parameters: dict, **static: object) -> Case:
    return Case(family(*static.values(), *parameters.values()), closed_form, parameters)


MAP = np.cumsum(np.cumsum(np.random.default_rng(0).normal(size=(MAP_SIDE, MAP_SIDE)), 0), 1)
CASES = {
    "hyperbolic": case(
        Hyperbolic,
        lambda y, x, f, w: -2 * np.pi / w * (np.sqrt(y**2 + x**2 + f**2) - f),
        {"f": 150e-6, "w": WAVELENGTH},
    ),
    "quadratic": case(Quadratic, lambda y, x, f, w: -np.pi / (w * f) * (y**2 + x**2), {"f": 150e-6, "w": WAVELENGTH}),
    "even_polynomial": case(
        EvenPolynomial,
        lambda y, x, a, r: sum(a[i] * ((y**2 + x**2) / r**2) ** (i + 1) for i in range(3)),
        {"a": np.array([-30.0, 4.0, 1.5]), "r": RADIUS},
    ),
    "log_asphere": case(
        LogAsphere,
        lambda y, x, s, t, r, w: log_asphere(y, x, s, t, r, w),
        {"s": 140e-6, "t": 170e-6, "r": RADIUS, "w": WAVELENGTH},
    ),
    "log_asphere_towards_the_lens": case(
        LogAsphere,
        lambda y, x, s, t, r, w: log_asphere(y, x, s, t, r, w),
        {"s": 170e-6, "t": 120e-6, "r": RADIUS, "w": WAVELENGTH},
    ),
    "log_asphere_of_one_focus": case(
        LogAsphere,
        lambda y, x, s, t, r, w: log_asphere(y, x, s, t, r, w),
        {"s": 150e-6, "t": 150e-6, "r": RADIUS, "w": WAVELENGTH},
    ),
    "cubic": case(Cubic, lambda y, x, a, r: a * (x**3 + y**3) / r**3, {"a": 20.0, "r": RADIUS}),
    "zernike": Case(
        Zernike((0, 1, 4, 5, 8, 6), np.array([0.5, -2.0, 3.0, 1.0, -1.5, 0.7]), RADIUS),
        lambda y, x, a, r: named_zernike(y, x, a, r),
        {"a": np.array([0.5, -2.0, 3.0, 1.0, -1.5, 0.7]), "r": RADIUS},
    ),
    "freeform": case(
        Freeform, lambda y, x, v, p: keys_convolution(y, x, v, p), {"v": MAP, "p": 2.4 * RADIUS / (MAP_SIDE - 1)}
    ),
}

evaluate = jax.jit(lambda phase, y, x: phase.at(y, x))
everywhere = pytest.mark.parametrize("name", CASES)
GENERATOR = np.random.default_rng(1)
# Within half the radius: the map's outermost cells are extrapolated, which the paper leaves open.
Y, X = GENERATOR.uniform(-0.6 * RADIUS, 0.6 * RADIUS, size=(2, 40))


@everywhere
def test_a_family_is_its_closed_form(name):
    expected = CASES[name].of(Y, X)
    found = evaluate(CASES[name].phase, jnp.asarray(Y), jnp.asarray(X))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


@everywhere
def test_gradients_in_position_agree_with_finite_differences(name):
    """In float64; the largest slope sets the scale. Steps are a millionth of the radius."""
    problem, step = CASES[name], 1e-6 * RADIUS
    total = jax.jit(jax.grad(lambda y, x: problem.phase.at(y, x).sum(), argnums=(0, 1)))
    found = np.stack(total(jnp.asarray(Y), jnp.asarray(X)))
    expected = np.stack(
        [
            problem.of(Y + step, X) - problem.of(Y - step, X),
            problem.of(Y, X + step) - problem.of(Y, X - step),
        ]
    ) / (2 * step)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@everywhere
def test_gradients_in_each_parameter_agree_with_finite_differences(name):
    problem = CASES[name]
    weight = np.cos(np.arange(Y.size))
    leaves, structure = jax.tree.flatten(problem.phase)

    def merit(leaves):
        phase = jax.tree.unflatten(structure, leaves)
        return jnp.sum(weight * phase.at(jnp.asarray(Y), jnp.asarray(X)))

    found = jax.jit(jax.grad(merit))([jnp.asarray(leaf, dtype=jnp.float32) for leaf in leaves])
    assert len(found) == len(problem.parameters)
    for (parameter, value), gradient in zip(problem.parameters.items(), found, strict=True):
        value = np.asarray(value, dtype=float)
        expected = np.empty(value.size)
        for index in range(value.size):
            step = 1e-6 * (abs(value.flat[index]) + 1e-3 * np.abs(value).max())
            change = np.zeros(value.size)
            change[index] = step
            changes = [value + sign * change.reshape(value.shape) for sign in (1, -1)]
            ahead, behind = (weight @ problem.of(Y, X, **{parameter: each}) for each in changes)
            expected[index] = (ahead - behind) / (2 * step)
        np.testing.assert_allclose(
            np.ravel(gradient), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max(), err_msg=parameter
        )


@everywhere
def test_value_and_gradient_are_finite_at_the_centre(name):
    zero = jnp.zeros(())
    value, slope = jax.jit(jax.value_and_grad(CASES[name].phase.at, argnums=(0, 1)))(zero, zero)
    assert np.isfinite([value, *slope]).all()


@everywhere
def test_a_family_is_a_pytree_that_jit_and_vmap_take(name):
    phase = CASES[name].phase
    y, x = jnp.asarray(Y), jnp.asarray(X)
    pair = jax.tree.map(lambda leaf: jnp.stack([jnp.asarray(leaf, dtype=jnp.float32)] * 2), phase)
    both = jax.jit(jax.vmap(lambda phase: phase.at(y, x)))(pair)
    one = evaluate(phase, y, x)
    np.testing.assert_allclose(both, [one, one], rtol=1e-4, atol=1e-4 * np.ptp(one))


@everywhere
def test_a_symmetric_family_looks_the_same_all_round(name):
    phase = CASES[name].phase
    angle = np.linspace(0, 2 * np.pi, 7)
    around = np.asarray(evaluate(phase, jnp.asarray(20e-6 * np.sin(angle)), jnp.asarray(20e-6 * np.cos(angle))))
    assert phase.rotationally_symmetric == (np.ptp(around) < 1e-4 * np.abs(around).max())


def test_each_ring_of_a_log_asphere_focuses_where_it_should():
    """The ray through the radius r crosses the axis at s₁ + (s₂ − s₁) r²/R²: equal areas, equal steps."""
    phase = LogAsphere(140e-6, 170e-6, RADIUS, WAVELENGTH)
    radius = jnp.linspace(3e-6, RADIUS, 10)
    slope = jax.jit(jax.vmap(jax.grad(lambda x: phase.at(jnp.zeros(()), x))))(radius)
    sine = -np.asarray(slope, dtype=float) / WAVENUMBER
    crossing = radius * np.sqrt(1 - sine**2) / sine
    np.testing.assert_allclose(crossing, 140e-6 + 30e-6 * (radius / RADIUS) ** 2, rtol=1e-4)


def test_a_log_asphere_of_one_focus_is_hyperbolic():
    squared = jnp.linspace(0, RADIUS**2, 50)
    one = LogAsphere(150e-6, 150e-6, RADIUS, WAVELENGTH).of_squared_radius(squared)
    np.testing.assert_allclose(one, Hyperbolic(150e-6, WAVELENGTH).of_squared_radius(squared), rtol=1e-5)


def test_a_log_asphere_goes_over_into_hyperbolic_without_a_step():
    """Between the logarithm and its series, from both sides."""
    difference = np.concatenate([-np.geomspace(1e-5, 1e-12, 60), [0], np.geomspace(1e-12, 1e-5, 60)])

    def rim(end):
        return LogAsphere(150e-6, end, RADIUS, WAVELENGTH).of_squared_radius(jnp.asarray(RADIUS**2))

    found = jax.jit(jax.vmap(rim))(jnp.asarray(150e-6 + difference))
    exact = [log_asphere(0.0, RADIUS, 150e-6, 150e-6 + each, RADIUS, WAVELENGTH) for each in difference]
    np.testing.assert_allclose(found, exact, rtol=2e-6)


def test_the_sum_of_families_is_the_sum_of_their_phases():
    first, second, third = Hyperbolic(150e-6, WAVELENGTH), Cubic(5.0, RADIUS), Zernike((4,), np.ones(1), RADIUS)
    total = first + second + third
    assert isinstance(total, Sum)
    assert total.terms == (first, second, third)
    y, x = jnp.asarray(Y), jnp.asarray(X)
    np.testing.assert_allclose(total.at(y, x), first.at(y, x) + second.at(y, x) + third.at(y, x), rtol=1e-6)


def test_a_sum_is_symmetric_if_all_its_terms_are():
    symmetric = Hyperbolic(150e-6, WAVELENGTH) + Zernike((4, 12), np.ones(2), RADIUS)
    assert symmetric.rotationally_symmetric
    assert not (symmetric + Cubic(1.0, RADIUS)).rotationally_symmetric


def test_the_gradient_reaches_every_term_of_a_sum():
    total = Hyperbolic(150e-6, WAVELENGTH) + Cubic(5.0, RADIUS)
    gradient = jax.grad(lambda phase: phase.at(jnp.asarray(1e-5), jnp.asarray(2e-5)))(total)
    assert float(gradient.terms[1].strength) == pytest.approx((1e-5**3 + 2e-5**3) / RADIUS**3, rel=1e-5)
    assert float(gradient.terms[0].focal_length) > 0


def test_a_phase_and_a_number_do_not_add_up():
    with pytest.raises(TypeError):
        Cubic(1.0, RADIUS) + 1.0
