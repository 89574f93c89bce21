"""Errors that a lens is made with: each by itself, against closed forms and against explicit random sites."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.optics import (
    Annulus,
    Hyperbolic,
    MetaAtomLibrary,
    MetaAtoms,
    Metalens,
    meta_atom_library,
    nano_optics_proxy,
)
from metalens.optics.fabrication import Fabrication, errors_of_atoms, fabricated, library_of
from metalens.optics.meta_atoms.library import width_unit
from metalens.optics.structure import RadialGeometry, Sites

WAVELENGTH = 532e-9
WIDTHS = np.linspace(100e-9, 300e-9, 401)


def relief(*, slopes: bool = False, empty: complex | None = None) -> MetaAtomLibrary:
    """A lossless library whose phase is linear in the width, two turns over the table at every wavelength."""
    turns = 2 * (WIDTHS - WIDTHS[0]) / np.ptp(WIDTHS)
    table = np.exp(2j * np.pi * turns)[:, None] * np.ones(2)
    library = meta_atom_library(WIDTHS, np.array([500e-9, 600e-9]), table)
    if slopes:
        # φ = k (n − 1) h for a wave in the pillar alone.
        wavenumber = 2 * np.pi / WAVELENGTH
        library = replace(
            library,
            height_slope=np.full(table.shape, 1j * wavenumber * 1.02),
            index_slope=np.full(table.shape, 1j * wavenumber * 705e-9),
        )
    return library if empty is None else replace(library, empty=np.full(2, empty))


def lens_of(library: MetaAtomLibrary, **errors: float) -> Metalens:
    return Metalens(50e-6, 100e-6, Hyperbolic(100e-6, WAVELENGTH), response=MetaAtoms(library, WAVELENGTH, **errors))


@jax.jit
def amplitude(lens: Metalens) -> jax.Array:
    return lens.response.coefficients(jnp.asarray(WAVELENGTH))[0]


def test_a_random_phase_takes_the_peak_down_by_exp_minus_sigma_squared():
    """PHYSICS: a random phase of σ = 0.3 rad leaves exp(−0.09) = 0.914 of the peak; the rest is scattered."""
    slope = 4 * np.pi / np.ptp(WIDTHS)
    # Away from the table's ends, which hold the error back.
    middle = replace(relief(), geometry=WIDTHS)
    response = MetaAtoms(middle, WAVELENGTH, width_spread=0.3 / slope)
    mean, energy = jax.jit(response.moments)(jnp.asarray([180e-9, 200e-9, 220e-9]), jnp.asarray(WAVELENGTH))
    np.testing.assert_allclose(np.abs(mean) ** 2, np.exp(-0.09), rtol=3e-4)
    np.testing.assert_allclose(energy, 1, rtol=1e-5)


def test_missing_meta_atoms_take_their_share_of_the_amplitude():
    whole = amplitude(lens_of(relief()))
    missing = amplitude(lens_of(relief(empty=0.9 + 0.2j), missing_share=0.1))
    assert complex(missing / whole) == pytest.approx(0.9, abs=1e-5)


def test_what_an_empty_site_lets_through_does_not_matter_to_the_orders_of_the_image():
    known = amplitude(lens_of(relief(empty=-0.95j), missing_share=0.2))
    unknown = amplitude(lens_of(relief(), missing_share=0.2))
    assert complex(known) == pytest.approx(complex(unknown), abs=1e-5)


def test_light_is_either_in_the_orders_or_scattered():
    """Of lossless meta-atoms with lossless empty sites, E|t|² = 1."""
    orders = tuple(range(-40, 41))
    response = MetaAtoms(relief(empty=1.0), WAVELENGTH, orders, width_spread=6e-9, missing_share=0.05)
    kept = np.sum(np.abs(jax.jit(response.coefficients)(jnp.asarray(WAVELENGTH))) ** 2)
    scattered = float(jax.jit(response.diffuse_share)(jnp.asarray(WAVELENGTH)))
    assert kept + scattered == pytest.approx(1, abs=2e-3)
    assert 0.1 < scattered < 0.3


def test_a_lens_without_errors_of_its_meta_atoms_scatters_nothing():
    assert float(MetaAtoms(relief(), WAVELENGTH).diffuse_share(jnp.asarray(WAVELENGTH))) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("error", "turn"),
    [
        ({"height_error": 20e-9}, 2 * np.pi / WAVELENGTH * 1.02 * 20e-9),
        ({"index_error": 0.01}, 2 * np.pi / WAVELENGTH * 705e-9 * 0.01),
    ],
)
def test_height_and_index_act_by_the_librarys_slopes(error, turn):
    changed = amplitude(lens_of(relief(slopes=True), **error)) / amplitude(lens_of(relief(slopes=True)))
    assert np.angle(complex(changed)) == pytest.approx(turn, rel=1e-3)
    assert abs(complex(changed)) == pytest.approx(1, abs=1e-5)


def test_slopes_are_read_between_the_samples_of_the_table():
    library = relief(slopes=True)
    ramp = library.height_slope * np.linspace(1, 2, len(WIDTHS))[:, None]
    response = MetaAtoms(replace(library, height_slope=ramp), WAVELENGTH, height_error=1e-8)
    plain = MetaAtoms(library, WAVELENGTH)
    place = jnp.asarray([149.75e-9, 200.2e-9])
    ratio = jax.jit(lambda at: response._with_errors(at, WAVELENGTH) / plain._with_errors(at, WAVELENGTH))(place)
    factor = 1 + (place - WIDTHS[0]) / np.ptp(WIDTHS)
    np.testing.assert_allclose(np.angle(ratio), 1e-8 * 2 * np.pi / WAVELENGTH * 1.02 * factor, rtol=1e-3)


def test_errors_add_to_those_that_a_lens_has():
    lens = lens_of(relief(), width_error=2e-9, width_spread=3e-9, missing_share=0.1)
    made = fabricated(lens, Fabrication(width_error=1e-9, width_spread=4e-9, missing_share=0.5)).response
    assert made.width_error == pytest.approx(3e-9)
    assert made.width_spread == pytest.approx(5e-9)
    assert made.missing_share == pytest.approx(0.55)


def test_a_pitch_error_enlarges_the_whole_lens():
    lens = Metalens(50e-6, 100e-6, Hyperbolic(100e-6, WAVELENGTH), aperture=Annulus(10e-6))
    made = fabricated(lens, Fabrication(pitch_error=0.01))
    assert made.aperture_diameter == pytest.approx(50.5e-6)
    assert made.aperture.inner_diameter == pytest.approx(10.1e-6)
    assert made.rotationally_symmetric
    y, x = jnp.asarray([3e-6, 12e-6]), jnp.asarray([-20e-6, 1e-6])
    np.testing.assert_allclose(made.phase.at(1.01 * y, 1.01 * x), lens.phase.at(y, x), rtol=1e-5)


def test_gradients_go_through_every_error():
    lens = lens_of(relief(slopes=True, empty=1.0))

    @jax.jit
    @jax.value_and_grad
    def efficiency(errors):
        return jnp.abs(amplitude(fabricated(lens, errors))) ** 2

    errors = Fabrication(5e-9, 8e-9, 4e-9, 0.01, 0.05, 0.001)
    value, slope = efficiency(errors)
    assert all(np.isfinite(value) for value in jax.tree.leaves(slope))
    assert float(slope.missing_share) == pytest.approx(-2 * float(value) / 0.95, rel=1e-4)
    step = 1e-9
    lower, upper = (efficiency(replace(errors, width_spread=8e-9 + sign * step))[0] for sign in (-1, 1))
    assert float(slope.width_spread) == pytest.approx(float(upper - lower) / (2 * step), rel=0.02)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ({"width_spread": -1e-9}, "width_spread -1e-09 was expected between 0 and a quarter"),
        ({"missing_share": 1.0}, "missing_share 1 was expected from 0 to less than 1"),
        ({"height_error": 1e-9}, "height_error is given, but this library has no slopes"),
        ({"index_error": 0.01}, "index_error is given, but this library has no slopes"),
        ({"missing_share": 0.1, "orders": (0, 1)}, "missing_share changes the zeroth order"),
    ],
)
def test_errors_that_cannot_be_are_refused(errors, message):
    with pytest.raises(InputError, match=message):
        MetaAtoms(relief(), WAVELENGTH, **errors).check([WAVELENGTH])


def test_an_ideal_lens_has_no_errors_of_meta_atoms():
    lens = Metalens(50e-6, 100e-6, Hyperbolic(100e-6, WAVELENGTH))
    with pytest.raises(
        InputError, match="width_error needs a lens of meta-atoms, and the response of this one is Ideal"
    ):
        fabricated(lens, Fabrication(width_error=1e-9))


def test_a_duty_cycle_is_told_from_a_width():
    assert width_unit(relief(), None) == 1
    assert width_unit(nano_optics_proxy(), 350e-9) == 350e-9
    with pytest.raises(InputError, match="needs the pitch of the meta-atoms"):
        width_unit(nano_optics_proxy(), None)


def built(structure) -> Metalens:
    return replace(lens_of(relief()), structure=structure)


@pytest.mark.parametrize("kind", ["sites", "radial"])
def test_a_structure_has_the_errors_of_its_meta_atoms(kind):
    library, widths = relief(slopes=True, empty=0.5j), np.array([150e-9, 200e-9, 250e-9])
    if kind == "sites":
        structure = Sites(np.array([[0, 1, 2]] * 3, dtype=np.uint16), widths, library, 350e-9)
        y, x = jnp.zeros(3), 350e-9 * jnp.arange(-1.0, 2.0)
    else:
        structure = RadialGeometry(widths, 350e-9, library)
        y, x = jnp.zeros(3), 350e-9 * jnp.arange(3.0)
    errors = Fabrication(4e-9, 5e-9, 6e-9, 0.01, 0.1, 0.02)
    made = jax.jit(fabricated)(built(structure), errors)
    expected = jax.jit(errors_of_atoms(library, errors).moments)(jnp.asarray(widths), jnp.asarray(WAVELENGTH))[0]
    found = jax.jit(made.transmission)(1.02 * y, 1.02 * x, jnp.asarray(WAVELENGTH))
    # The table is read between its samples once more, and a twentieth of a turn lies between two widths.
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert made.aperture_diameter == pytest.approx(1.02 * 50e-6)
    assert library_of(made) is made.structure.library
