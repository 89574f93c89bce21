"""Meta-atom libraries: their table, and the diffraction orders of a lens that is built from one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.optics import Kinoform, MetaAtoms, check_range, meta_atom_library, nano_optics_proxy

DESIGN = 532e-9
WIDTHS = np.linspace(100e-9, 300e-9, 201)
BAND = np.linspace(450e-9, 650e-9, 101)
at = jax.jit(lambda library, geometry, wavelength: library.at(geometry, wavelength))
transmission = jax.jit(lambda response, phase, wavelength: response.transmission(phase, wavelength))
periodic = jax.jit(lambda response, phase, wavelength: response.periodic_transmission(phase, wavelength))
coefficients = jax.jit(lambda response, wavelength: response.coefficients(wavelength))


def relief(loss: float = 0.0):
    """A library that is a kinoform: the phase grows with the width over just one turn at the design wavelength."""
    turn = 2 * np.pi * (WIDTHS[:, None] - WIDTHS[0]) / np.ptp(WIDTHS)
    return meta_atom_library(WIDTHS, BAND, (1 - loss) * np.exp(1j * turn * DESIGN / BAND))


def test_the_table_is_met_and_amplitude_and_phase_run_straight_between():
    library = relief(0.1)
    np.testing.assert_allclose(at(library, WIDTHS[::20, None], BAND[::10]), library.transmission[::20, ::10], atol=1e-4)
    between = at(library, 0.5 * (WIDTHS[50] + WIDTHS[51]), BAND[30])
    step = np.angle(library.transmission[51, 30] / library.transmission[50, 30])
    assert abs(complex(between)) == pytest.approx(0.9, rel=1e-5)
    assert np.angle(complex(between) / library.transmission[50, 30]) == pytest.approx(step / 2, abs=1e-4)


def test_outside_the_table_its_rim_holds():
    library = relief()
    assert complex(at(library, 1.0, 1.0)) == pytest.approx(complex(library.transmission[-1, -1]), abs=1e-4)


def test_a_lens_of_a_relief_is_a_kinoform():
    """Both choose the relief by the wrapped phase; 512 phases blur the orders by less than 10⁻³."""
    orders = (-1, 0, 1, 2)
    wavelengths = jnp.asarray([470e-9, DESIGN, 620e-9])
    found = coefficients(MetaAtoms(relief(), DESIGN, orders), wavelengths)
    np.testing.assert_allclose(found, Kinoform(DESIGN, orders).coefficients(wavelengths), atol=3e-3)


def test_with_all_orders_the_transmission_is_the_periodic_one():
    response = MetaAtoms(relief(), DESIGN, tuple(range(-25, 26)))
    phase = jnp.linspace(1, 2 * np.pi - 1, 60)
    wavelength = jnp.asarray(600e-9)
    np.testing.assert_allclose(
        transmission(response, phase + 6 * np.pi, wavelength),
        periodic(response, phase, wavelength),
        atol=0.03,
    )


def test_the_wanted_phase_is_met_at_the_design_wavelength():
    response = MetaAtoms(relief(), DESIGN)
    phase = jnp.linspace(-7.0, 7.0, 50)
    error = np.angle(periodic(response, phase, DESIGN) * np.exp(-1j * phase))
    # Half of the step between the 1024 geometries that are tried, and the table's own steps.
    assert np.abs(error).max() < 2 * np.pi / 1024


def test_the_shape_of_the_coefficients_follows_the_wavelengths():
    response = MetaAtoms(relief(), DESIGN, (0, 1))
    assert coefficients(response, jnp.asarray(DESIGN)).shape == (2,)
    assert coefficients(response, jnp.full((2, 3), DESIGN)).shape == (2, 3, 2)
    assert not response.achromatic


def test_loss_is_kept():
    share = jnp.sum(jnp.abs(coefficients(MetaAtoms(relief(0.2), DESIGN, tuple(range(-60, 61))), 500e-9)) ** 2)
    assert float(share) == pytest.approx(0.64, rel=0.01)


def test_wider_pillars_delay_more():
    """A global error δ of a relief of one turn over W turns the phase by 2πδ/W, but for those beyond the table."""
    error = 10e-9
    exact = coefficients(MetaAtoms(relief(), DESIGN), DESIGN)
    wider = coefficients(MetaAtoms(relief(), DESIGN, width_error=error), DESIGN)
    turn = 2 * np.pi * error / np.ptp(WIDTHS)
    assert float(jnp.angle(wider / exact)[0]) == pytest.approx(turn, rel=0.05)


def test_the_gradient_in_the_width_error_agrees_with_finite_differences():
    library, wavelength = nano_optics_proxy(), jnp.asarray(480e-9)

    def efficiency(error):
        return jnp.abs(coefficients(MetaAtoms(library, DESIGN, (1,), error), wavelength)[0]) ** 2

    efficiency = jax.jit(efficiency)
    # A step as wide as the table's, over which the slope is an average; so is the slope of 512 phases at a point.
    step, at = 0.005, 0.02
    expected = (efficiency(at + step) - efficiency(at - step)) / (2 * step)
    assert float(jax.jit(jax.grad(efficiency))(at)) == pytest.approx(float(expected), rel=0.02)


def test_the_gradient_in_the_library_is_finite():
    library = relief(0.1)
    gradient = jax.grad(lambda table: jnp.abs(coefficients(MetaAtoms(table, DESIGN), 600e-9)[0]) ** 2, allow_int=True)(
        library
    )
    assert np.isfinite(gradient.transmission).all()
    assert np.abs(gradient.transmission).max() > 0


@pytest.mark.parametrize(("nanometres", "turns"), [(452, 0.95), (462, 0.93), (511, 0.86), (606, 0.71)])
def test_the_proxy_covers_the_published_ranges_of_phase(nanometres, turns):
    duty = np.linspace(0.3, 0.82, 200)
    phase = np.unwrap(np.angle(at(nano_optics_proxy(), jnp.asarray(duty), jnp.asarray(nanometres * 1e-9))))
    assert np.ptp(phase) / (2 * np.pi) == pytest.approx(turns, abs=0.006)
    assert (np.diff(phase) > 0).all()


def test_the_proxy_is_its_formula():
    duty, nanometres = 0.517, 533.7
    turns = 6.051 - 0.02033 * nanometres + 2.26 * duty + 1.371e-5 * nanometres**2
    turns += -0.002947 * nanometres * duty + 0.797 * duty**2
    found = complex(at(nano_optics_proxy(), jnp.asarray(duty), jnp.asarray(nanometres * 1e-9)))
    assert abs(found) == pytest.approx(1, abs=1e-4)
    assert abs(np.angle(found * np.exp(-2j * np.pi * turns))) < 2e-3


def test_a_lens_of_the_proxy_is_less_efficient_far_from_its_design_wavelength():
    response = MetaAtoms(nano_optics_proxy(), 511e-9)
    blue, green, red = np.abs(coefficients(response, jnp.asarray([440e-9, 511e-9, 650e-9]))[:, 0]) ** 2
    assert 0.97 < green < 1
    assert blue < green
    assert red < green


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"wavelength": [500e-9, 700e-9]}, r"wavelength 700 nm lies outside the table, which goes from 450 to 650 nm"),
        ({"wavelength": np.nan}, "wavelength nan nm lies outside"),
        ({"geometry": 90e-9}, r"geometry 9e-08 lies outside the table, which goes from 1e-07 to 3e-07; stay inside"),
    ],
)
def test_what_lies_outside_the_table_is_named_with_its_range(wanted, message):
    check_range(relief(), wavelength=BAND, geometry=WIDTHS)
    check_range(relief(), wavelength=jnp.asarray(BAND, dtype=jnp.float32))
    with pytest.raises(InputError, match=message):
        check_range(relief(), **wanted)


def test_a_response_checks_its_wavelengths_and_its_error():
    MetaAtoms(relief(), DESIGN).check([460e-9, 640e-9])
    with pytest.raises(InputError, match="wavelength 440 nm lies outside"):
        MetaAtoms(relief(), DESIGN).check([440e-9])
    with pytest.raises(InputError, match="wavelength 1064 nm lies outside"):
        MetaAtoms(relief(), 1064e-9).check([500e-9])
    with pytest.raises(InputError, match=r"width_error 0\.05 is more than half of the library's range"):
        MetaAtoms(relief(), DESIGN, width_error=0.05).check([500e-9])


@pytest.mark.parametrize(
    ("geometry", "wavelength", "transmission", "message"),
    [
        ([2.0, 1.0], [4e-7, 5e-7], np.ones((2, 2)), "geometry must be two or more finite numbers that ascend"),
        ([1.0, 2.0], [4e-7], np.ones((2, 1)), "wavelength must be two or more finite numbers that ascend"),
        ([1.0, 2.0], [4e-7, np.nan], np.ones((2, 2)), "wavelength must be two or more finite numbers"),
        ([0.0, 2.0], [4e-7, 5e-7], np.ones((2, 2)), "geometry begins with 0, positive numbers were expected"),
        ([1.0, 2.0], [4e-7, 5e-7], np.ones((3, 2)), r"shape \(3, 2\), expected \[geometry, wavelength\] \(2, 2\)"),
        ([1.0, 2.0], [4e-7, 5e-7], 2 * np.ones((2, 2)), "amplitudes from 2 to 2, expected more than 0 and at most 1"),
        ([1.0, 2.0], [4e-7, 5e-7], np.full((2, 2), np.nan), "transmission holds NaN or infinity"),
    ],
)
def test_what_is_no_library_is_refused(geometry, wavelength, transmission, message):
    with pytest.raises(InputError, match=message):
        meta_atom_library(np.array(geometry), np.array(wavelength), transmission)
