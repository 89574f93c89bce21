"""A relief of several turns: at each of its harmonics it is the lens of that wavelength."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.design.spec import parse_design
from metalens.formats.files.errors import InputError
from metalens.optics import Kinoform, Metalens, Quadratic, Stop
from metalens.psf import simulate_psf
from metalens.psf.design import comparison
from metalens.psf.design.problem import problem_of
from metalens.psf.design.run import task_of
from metalens.psf.rays import chief_ray, direction_to
from metalens.psf.window import reachable_light
from tests.psf.design_examples import design_text

DEEP = 3.7e-6
FOCUS = 200e-6
ORDERS = (6, 7, 8)
RELIEF = Metalens(
    aperture_diameter=120e-6,
    focal_length=FOCUS,
    phase=Quadratic(FOCUS, DEEP),
    response=Kinoform(DEEP, ORDERS),
    stop=Stop(50e-6, 60e-6),
)
WINDOW = {"window": (24, 24), "pixel_pitch": 0.8e-6, "engine": "angular_spectrum"}


def lens_of(order: int) -> Metalens:
    """The lens that is made for a harmonic alone."""
    return replace(RELIEF, phase=Quadratic(FOCUS, DEEP / order), response=Kinoform(DEEP / order))


# Each is compiled anew.
@pytest.mark.parametrize("order", [ORDERS[0], *(pytest.param(order, marks=pytest.mark.long) for order in ORDERS[1:])])
def test_at_a_harmonic_it_is_the_lens_of_that_wavelength(order: int):
    """Behind a stop and off axis: chief ray, point spread function and light."""
    wavelength, field = DEEP / order, 0.2
    direction = jnp.asarray([0.0, np.sin(field)])
    np.testing.assert_allclose(
        chief_ray(RELIEF, jnp.asarray(wavelength), direction).landing,
        chief_ray(lens_of(order), jnp.asarray(wavelength), direction).landing,
        atol=1e-10,
    )
    found, expected = (simulate_psf(each, wavelength, field, **WINDOW) for each in (RELIEF, lens_of(order)))
    np.testing.assert_allclose(found, expected, atol=2e-3 * expected.max())


def test_all_harmonics_have_the_same_magnification():
    """Where the first order of one colour would have lateral colour behind a stop: f sin θ at each."""
    direction = jnp.asarray([0.0, 0.3])
    landed = [float(chief_ray(RELIEF, jnp.asarray(DEEP / order), direction).landing[1]) for order in ORDERS]
    assert np.ptp(landed) < 1e-9
    first = replace(RELIEF, phase=Quadratic(FOCUS, DEEP / 7), response=Kinoform(DEEP / 7))
    apart = [float(chief_ray(first, jnp.asarray(DEEP / order), direction).landing[1]) for order in ORDERS]
    assert np.ptp(apart) > 3e-6
    assert direction_to(RELIEF, DEEP / 6, 0.0, landed[0])[1] == pytest.approx(0.3, abs=1e-5)


def test_orders_that_interfere_over_less_than_a_turn_are_told():
    """0.3 turns over the stop: the three orders have 1.06 of the light, seven of them at most all."""
    lens = replace(RELIEF, stop=Stop(42e-6, 0.0))
    with pytest.raises(InputError, match=r"orders \[6, 7, 8\] together have 1\.0\d of the light"):
        simulate_psf(lens, 455e-9, 0.0, **WINDOW)
    more = replace(lens, response=Kinoform(DEEP, tuple(range(4, 11))))
    assert 0.9 < simulate_psf(more, 455e-9, 0.0, **WINDOW).sum() <= 1


SPEC = """
[camera.lens.response]
kind = "kinoform"
wavelength_nm = 3700.0
orders = [6, 7, 8]

[variables]
family = "even_polynomial"
terms = 4

[start]
families = ["hyperbolic", "log_asphere"]
wavelengths_nm = [528.5714]
steps = 2

[sampling]
fields_deg = [0.0, 10.0]
window_pixels = 31

[[objectives]]
kind = "restoration"

[search]
steps = 6
"""
HARMONICS = (3700 / 6, 3700 / 7, 3700 / 8)


def test_a_design_starts_from_the_phase_that_its_order_multiplies():
    """The start for λ is hyperbolic for mλ, so that the order m focuses λ."""
    task = task_of(parse_design(design_text(SPEC, wavelengths_nm=HARMONICS)))
    phase = task.lens(jnp.asarray(task.starts[0].numbers)).phase
    radius = jnp.asarray([2e-6, 6e-6, 9e-6])
    expected = -2 * np.pi / 3.7e-6 * (np.sqrt(np.asarray(radius) ** 2 + 60e-6**2) - 60e-6)
    np.testing.assert_allclose(phase.at(jnp.zeros(3), radius), expected, atol=2e-3)
    assert task.starts[0].name == "hyperbolic 529 nm"
    assert task.image_order == 8


def test_the_hyperbolic_lens_beside_a_design_is_for_its_orders(tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "CANDIDATES", 2)
    task = task_of(parse_design(design_text(SPEC, wavelengths_nm=HARMONICS)))
    camera, _ = comparison.best_hyperbolic(task, tmp_path / "lens.toml")
    assert camera.lens.phase.wavelength_nm == pytest.approx(3700, rel=1e-3)


@pytest.mark.parametrize("orders", ["[-3, -2]", "[0]"])
def test_a_design_whose_image_is_of_no_positive_order_is_refused(orders: str):
    text = design_text(SPEC, wavelengths_nm=HARMONICS).replace("orders = [6, 7, 8]", f"orders = {orders}")
    with pytest.raises(InputError, match=r"with the order -?\d; a design needs orders of 1 and more"):
        task_of(parse_design(text))


def test_rays_and_light_are_those_of_the_order_that_forms_the_image():
    """From which windows are chosen: all rays of a harmonic meet in the focus, and all of its light is there."""
    relief = problem_of(parse_design(design_text(SPEC, wavelengths_nm=HARMONICS)))
    for wavelength in relief.wavelength:
        landing, inside = relief.view.rays(0, float(wavelength), 8, 16)
        assert np.abs(landing).max() < 2e-8
        assert inside.all()
    np.testing.assert_allclose(reachable_light(relief.view, relief.wavelength), 1, atol=1e-4)
