"""Rays through refractive surfaces, against closed forms: Snell's law, plates, Cartesian ovals, glasses."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.optics.refraction.dispersion import (
    LINE_C,
    LINE_D,
    LINE_F,
    Cauchy,
    Sellmeier,
    TabulatedIndex,
    cauchy_of_abbe,
)
from metalens.optics.refraction.surfaces import MISSES, OVERLAPS, REFLECTS, Surface, trace

LIGHT = 532e-9
INDEX = 1.5168
AIR, GLASS = Cauchy(1.0), Cauchy(INDEX)
PLANE = Surface(0.0, 0.0, np.zeros(0), 1.0, 1e-3, 0.3e-3, GLASS)


def surface(radius, thickness, medium, conic=0.0, **changes):
    return replace(PLANE, curvature=1 / radius, conic=conic, thickness=thickness, medium=medium, **changes)


def through(surfaces, place, direction=(0.0, 0.0)):
    with jax.enable_x64(True):
        return trace(surfaces, jnp.asarray(LIGHT), jnp.asarray(place, dtype=float), jnp.asarray(direction, dtype=float))


def test_a_plate_moves_a_ray_by_snells_law():
    sine, back = 0.3, replace(PLANE, thickness=0.2e-3, medium=AIR)
    ray = through((PLANE, back), (0.0, 10e-6), (0.0, sine))
    inside = sine / INDEX
    aside = 10e-6 + 0.3e-3 * inside / np.sqrt(1 - inside**2) + 0.2e-3 * sine / np.sqrt(1 - sine**2)
    assert float(ray.place[1]) == pytest.approx(aside, rel=1e-12)
    assert float(ray.direction[1]) == pytest.approx(sine, rel=1e-12)
    slanted = INDEX * 0.3e-3 * (1 / np.sqrt(1 - inside**2) - 1) + 0.2e-3 * (1 / np.sqrt(1 - sine**2) - 1)
    assert float(ray.path) == pytest.approx(slanted, rel=1e-12)


def test_a_ray_through_a_sphere_obeys_snells_law_about_its_normal():
    height, radius = 0.2e-3, 0.5e-3
    ray = through((surface(radius, 0.3e-3, GLASS),), (0.0, height))
    incidence = np.arcsin(height / radius)
    refracted = np.arcsin(height / radius / INDEX)
    assert float(ray.direction[1]) == pytest.approx(-INDEX * np.sin(incidence - refracted), rel=1e-9)


@pytest.mark.parametrize("height", [50e-6, 150e-6])
def test_a_plano_hyperbolic_lens_focuses_parallel_light_to_a_point(height):
    # A Cartesian oval: κ = −n² behind glass, with the focus R/(1 − n) behind the vertex.
    focal_length = 0.4e-3
    back = surface((1 - INDEX) * focal_length, focal_length, AIR, conic=-(INDEX**2))
    ray = through((PLANE, back), (height, 0.5 * height))
    np.testing.assert_allclose(ray.place, 0, atol=1e-14)
    assert abs(float(ray.path)) < 1e-14


def test_an_elliptic_surface_focuses_parallel_light_inside_its_glass():
    focal_length = 0.6e-3
    front = surface(focal_length * (INDEX - 1) / INDEX, focal_length, GLASS, conic=-1 / INDEX**2)
    ray = through((front,), (0.1e-3, -0.05e-3))
    np.testing.assert_allclose(ray.place, 0, atol=1e-14)
    assert abs(float(ray.path)) < 1e-14


def test_an_even_asphere_of_the_terms_of_a_paraboloid_is_one():
    height = np.linspace(0, 0.3e-3, 7)
    paraboloid = surface(1e-3, 0.0, AIR, conic=-1.0)
    terms = replace(PLANE, coefficients=np.array([0.5 * (0.2e-3) ** 2 / 1e-3]), radius=0.2e-3)
    with jax.enable_x64(True):
        squared = jnp.asarray(height**2)
        np.testing.assert_allclose(terms.sag(squared), paraboloid.sag(squared), rtol=1e-12)
        mixed = replace(paraboloid, conic=0.3, coefficients=np.array([1e-6, -2e-6]), radius=0.2e-3)
        slope = jax.vmap(jax.grad(mixed.sag))(squared)
        np.testing.assert_allclose(mixed.slope(squared), slope, rtol=1e-12)


@pytest.mark.parametrize(
    ("surfaces", "place", "direction", "fault"),
    [
        ((surface(0.2e-3, 0.3e-3, GLASS),), (0.0, 0.25e-3), (0.0, 0.0), MISSES),
        ((PLANE, surface(0.2e-3, 0.3e-3, AIR)), (0.0, 0.15e-3), (0.0, 0.0), REFLECTS + 4),
        ((surface(0.5e-3, 10e-6, GLASS), replace(PLANE, medium=AIR)), (0.0, 0.3e-3), (0.0, 0.0), OVERLAPS),
        ((surface(-0.5e-3, 10e-6, GLASS),), (0.0, 0.3e-3), (0.0, 0.0), 0),
    ],
)
def test_a_ray_that_does_not_come_through_tells_why_and_where(surfaces, place, direction, fault):
    assert int(through(surfaces, place, direction).fault) == fault


def test_derivatives_of_a_path_are_those_of_finite_differences():
    def path(numbers):
        front = surface(numbers[0], numbers[1], Cauchy(numbers[2]), conic=0.4)
        return trace(
            (front, replace(PLANE, medium=AIR)), LIGHT, jnp.array([0.1e-3, 0.05e-3]), jnp.array([0.1, 0.0])
        ).path

    with jax.enable_x64(True):
        at, step = np.array([0.6e-3, 0.2e-3, INDEX]), np.array([1e-9, 1e-9, 1e-6])
        exact = jax.grad(path)(jnp.asarray(at))
        for number in range(3):
            ends = [float(path(jnp.asarray(at + sign * step * (np.arange(3) == number)))) for sign in (1, -1)]
            assert float(exact[number]) == pytest.approx((ends[0] - ends[1]) / (2 * step[number]), rel=1e-5)


def test_an_abbe_number_is_that_of_the_three_lines():
    with jax.enable_x64(True):
        blue, yellow, red = (float(cauchy_of_abbe(1.5168, 64.17).index(line)) for line in (LINE_F, LINE_D, LINE_C))
    assert yellow == pytest.approx(1.5168)
    assert (yellow - 1) / (blue - red) == pytest.approx(64.17)


@pytest.mark.parametrize(
    ("strength", "resonance", "told"),
    # n² = 1 + 0.5/(1 − 0.3/0.53²) < 0 below the resonance at 548 nm; n = √(1 + 20/(1 − 0.01/0.53²)) = 4.66
    [(0.5, 0.3, "no refractive index of 1 or more at 530 nm"), (20.0, 0.01, "the refractive index 4.66 at 530 nm")],
)
def test_sellmeiers_formula_is_refused_where_it_gives_no_index_of_a_glass(strength, resonance, told):
    glass = Sellmeier(np.array([strength]), 1e-12 * np.array([resonance]))
    with pytest.raises(InputError, match=told):
        glass.check([530e-9])


def test_sellmeiers_formula_of_fused_silica():
    # Malitson, J. Opt. Soc. Am. 55, 1205 (1965): n = 1.45846 at 587.6 nm.
    silica = Sellmeier(
        np.array([0.6961663, 0.4079426, 0.8974794]), 1e-12 * np.array([0.0684043, 0.1162414, 9.896161]) ** 2
    )
    assert float(silica.index(LINE_D)) == pytest.approx(1.45846, abs=2e-5)
    with jax.enable_x64(True):
        table = np.linspace(0.4e-6, 0.7e-6, 4096)
        tabulated = TabulatedIndex(table, np.asarray(silica.index(jnp.asarray(table))))
        assert float(tabulated.index(LIGHT)) == pytest.approx(float(silica.index(LIGHT)), abs=1e-9)
    with pytest.raises(InputError, match="known from 400 to 700 nm, and 750 nm"):
        tabulated.check(750e-9)
