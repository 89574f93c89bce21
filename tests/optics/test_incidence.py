"""Angle and polarisation at each place of a lens: closed forms, ray tracing, and the library's own tables."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.structure import Structure
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import library_path, read_atom_library
from metalens.optics import Hyperbolic, MetaAtoms, Metalens, PlaneWave, Plate, PointSource, Stop, library_named
from metalens.optics.fabrication import Fabrication, fabricated
from metalens.optics.incidence import local_incidence
from metalens.optics.meta_atoms.library import at_incidence
from metalens.optics.meta_atoms.named import takes_angles
from metalens.optics.meta_atoms.oblique import between_angles
from metalens.optics.polarised import image_share, polarised_lenses
from metalens.optics.structure import RadialGeometry, sites_of
from metalens.psf.rays import layers_in_front, walk

NAME, LIGHT = "si3n4-on-sio2", 540e-9


@pytest.fixture(scope="module")
def tables():
    return read_atom_library(library_path(NAME))


@pytest.fixture(scope="module")
def library():
    return library_named(NAME, incidence="local")


def lens_of(library, **parts):
    phase = Hyperbolic(focal_length=60e-6, wavelength=LIGHT)
    response = MetaAtoms(library, LIGHT)
    return Metalens(aperture_diameter=30e-6, focal_length=60e-6, phase=phase, response=response, **parts)


def wave(degrees, azimuth=0.0):
    sine, turn = np.sin(np.radians(degrees)), np.radians(azimuth)
    return PlaneWave(jnp.asarray([sine * np.sin(turn), sine * np.cos(turn)]))


PLACES = (jnp.asarray([0.0, 5e-6, -9e-6]), jnp.asarray([3e-6, -12e-6, 7e-6]))


@jax.jit
def through(lens):
    """Transmission at those places."""
    return lens.transmission(*PLACES, LIGHT)


@jax.jit
def polarised_through(lens, source):
    """The same of each field of a polarised lens."""
    return [seen.transmission(*PLACES, LIGHT) for _, seen in polarised_lenses(lens, source)]


seen_at = jax.jit(at_incidence, static_argnums=1)


def test_a_near_point_shines_along_the_gradient_of_its_path(library):
    source = PointSource(jnp.asarray([0.1, 0.2]), 80e-6)
    along = local_incidence(lens_of(library), source, "yy").direction(*PLACES)
    expected = jax.vmap(jax.grad(lambda at: source.path(at[0], at[1])))(jnp.stack(PLACES, axis=1))
    np.testing.assert_allclose(jnp.stack(along, axis=1), expected, atol=1e-5)


def test_behind_stop_and_glass_rays_keep_their_direction_cosines(library):
    lens = lens_of(library, stop=Stop(20e-6, 15e-6), substrate=Plate(60e-6, 1.46))
    source = PointSource(jnp.asarray([0.15, -0.2]), 90e-6)
    incidence = local_incidence(lens, source, "yy")
    along = jnp.stack(incidence.direction(*PLACES), axis=-1)
    # The ray traced back to the stop comes from the source.
    y, x = jnp.moveaxis(jnp.stack(PLACES, axis=-1) - walk(layers_in_front(lens), along), -1, 0)
    at_stop = local_incidence(replace(lens, stop=None), source, "yy").direction(y, x)
    np.testing.assert_allclose(jnp.stack(at_stop, axis=-1), along, atol=2e-6)


def test_the_powers_of_all_elements_are_the_mean_of_s_and_p(library):
    s, p = jnp.asarray([0.9, 0.3j, -0.5]), jnp.asarray([0.8j, 0.7, 0.1 + 0.2j])
    source = PointSource(jnp.asarray([0.1, 0.2]), 80e-6)
    power = [
        weight * jnp.abs(local_incidence(lens_of(library), source, name).element_of(s, p, *PLACES)) ** 2
        for weight, name in ((0.5, "yy"), (0.5, "xx"), (1.0, "xy"))
    ]
    np.testing.assert_allclose(sum(power), 0.5 * (jnp.abs(s) ** 2 + jnp.abs(p) ** 2), rtol=1e-5)


def test_along_x_the_elements_are_p_and_s(library):
    # The plane of incidence is x–z: the electric field of p lies along x, that of s along y.
    source = PointSource(jnp.asarray([0.0, 0.2]), 80e-6)
    y, x = jnp.zeros(1), jnp.asarray([4e-6])
    found = {
        name: complex(local_incidence(lens_of(library), source, name).element_of(0.5 + 0j, 0.9 + 0j, y, x)[0])
        for name in ("yy", "xx", "xy")
    }
    assert found == pytest.approx({"yy": 0.5, "xx": 0.9, "xy": 0.0}, abs=1e-6)


def test_at_the_librarys_angles_its_values_stand(library, tables):
    for place, angle in enumerate(tables.angle):
        for number, name in enumerate("sp"):
            seen = seen_at(library, number, jnp.sin(angle) ** 2)
            expected = tables.transmission[tables.polarisations.index(name), place]
            np.testing.assert_allclose(seen.transmission, expected, atol=2e-5)
            np.testing.assert_allclose(seen.empty, tables.empty[tables.polarisations.index(name), place], atol=2e-5)


def test_a_phase_linear_in_the_squared_sine_is_interpolated_exactly():
    nodes = jnp.asarray([0.0, 0.1, 0.3])
    values = 0.8 * jnp.exp(1j * 3.0 * nodes)[:, None]
    at = jnp.asarray([0.0, 0.05, 0.2, 0.3])
    np.testing.assert_allclose(between_angles(nodes, values, at), 0.8 * np.exp(3j * np.asarray(at)), atol=1e-6)


@pytest.mark.parametrize("degrees", [pytest.param(0.0, marks=pytest.mark.long), 20.0])
def test_a_grating_of_five_pillars_has_the_efficiency_that_the_library_implies(tables, degrees):
    atoms = np.array([[100e-9], [160e-9], [200e-9], [235e-9], [280e-9]])
    rows = np.tile(np.arange(5, dtype=np.uint16), (15, 6))
    kind = {name: getattr(tables, name) for name in ("shape", "material", "substrate", "pitch", "height")}
    structure = Structure(
        lattice="square", site_index=rows, geometry=atoms, parameter_names=("diameter",), library_name=NAME, **kind
    )
    lens = lens_of(library_named(NAME), structure=sites_of(structure, tables, incidence="local"))
    x = (np.arange(30) - 14.5) * tables.pitch
    angle = int(np.argmin(np.abs(np.degrees(tables.angle) - degrees)))
    of_atom = [int(np.argmin(np.abs(tables.geometry[:, 0] - each[0]))) for each in atoms]
    wavelength = int(np.argmin(np.abs(tables.wavelength - LIGHT)))
    turn = np.exp(-2j * np.pi * np.arange(5) / 5)
    for (weight, seen), name in zip(polarised_lenses(lens, wave(degrees)), "sp", strict=True):
        found = np.asarray(seen.transmission(jnp.zeros(30), jnp.asarray(x), tables.wavelength[wavelength]))
        first = np.mean(found * np.exp(-2j * np.pi * np.arange(30) / 5))
        t = tables.transmission[tables.polarisations.index(name), angle, of_atom, wavelength]
        assert weight == 0.5
        assert abs(first) ** 2 == pytest.approx(abs(np.mean(t * turn)) ** 2, abs=2e-5)


def test_one_order_has_the_mean_power_of_both_polarisations(library):
    lens, light = lens_of(library), jnp.asarray([LIGHT, 460e-9])
    seen = [
        replace(lens.response, incident=at_incidence(library, each, jnp.sin(jnp.radians(17.0)) ** 2)) for each in (0, 1)
    ]
    expected = np.mean([np.abs(each.coefficients(light)) ** 2 for each in seen], axis=0)[:, 0]
    ((weight, alone),) = polarised_lenses(lens, wave(17.0, 30.0))
    np.testing.assert_allclose(weight * np.abs(alone.response.coefficients(light)[:, 0]) ** 2, expected, rtol=1e-5)
    np.testing.assert_allclose(image_share(lens, wave(17.0, 30.0), light), expected, rtol=1e-5)


def test_meta_atoms_are_chosen_at_normal_incidence(library):
    response = lens_of(library).response
    oblique = replace(response, incident=at_incidence(library, 1, jnp.asarray(0.2)))
    phase = jnp.linspace(0, 6, 7)
    assert (response.chosen_geometry(phase) == oblique.chosen_geometry(phase)).all()


# Of what is built, no orders are computed.
@pytest.mark.parametrize(
    ("orders", "built"),
    [
        ((1,), True),
        *(pytest.param(*each, marks=pytest.mark.long) for each in (((1,), False), ((0, 1), False), ((0, 1), True))),
    ],
)
def test_light_of_a_far_point_is_that_of_a_plane_wave(library, orders, built):
    lens = lens_of(library)
    lens = replace(lens, response=MetaAtoms(library, LIGHT, orders))
    if built:
        lens = replace(lens, structure=RadialGeometry(np.linspace(110e-9, 290e-9, 60), 350e-9, library))
    direction = jnp.asarray([0.0, 0.3])
    near = polarised_through(lens, PointSource(direction, 1.0))
    # Along x, yy is s, xx is p, and xy is nothing.
    far = [through(_single(lens, seen_at(library, each, jnp.asarray(0.09)))) for each in (0, 1)]
    for found, expected in zip(near, [*far, jnp.zeros(3)], strict=True):
        # Of orders, sin² is tabulated at 17 values: the tolerance is that of the interpolation.
        np.testing.assert_allclose(found, expected, atol=2e-3)


def _single(lens, seen):
    if lens.structure is not None:
        return replace(lens, structure=replace(lens.structure, library=seen))
    return replace(lens, response=replace(lens.response, incident=seen))


@pytest.mark.long
def test_errors_of_fabrication_act_at_each_angle(library):
    geometry = np.linspace(120e-9, 280e-9, 60)
    lens = replace(lens_of(library), structure=RadialGeometry(geometry, 350e-9, library))
    errors = Fabrication(width_spread=4e-9, height_error=5e-9, missing_share=0.05)
    make = jax.jit(fabricated)
    made = make(lens, errors)
    for number, found in enumerate(polarised_through(made, wave(20.0))):
        alone = seen_at(library, number, jnp.sin(jnp.radians(20.0)) ** 2)
        expected = make(replace(lens, structure=replace(lens.structure, library=alone)), errors)
        np.testing.assert_allclose(found, through(expected), atol=1e-4)


def test_the_share_in_the_image_is_differentiable_in_the_direction(library):
    lens = lens_of(library)

    def share(sine):
        return image_share(lens, PlaneWave(jnp.stack([0.0, sine])), jnp.asarray([LIGHT]))[0]

    step = 1e-2
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(share)))(0.25 + step * jnp.asarray([-1.0, 0.0, 1.0]))
    assert float(slopes[1]) == pytest.approx(float(values[2] - values[0]) / (2 * step), rel=0.02)


def test_a_lens_without_angles_is_itself(library):
    lens = lens_of(library_named(NAME))
    assert polarised_lenses(lens, wave(20.0)) == ((1.0, lens),)


def test_what_local_incidence_needs_is_said(tables):
    alone = tables.at_incidence("s")
    assert not takes_angles(alone, None)
    with pytest.raises(InputError, match="holds 0° alone, normal incidence and at least one other angle"):
        takes_angles(alone, "local")
    fields = {name: getattr(tables, name) for name in tables.__dataclass_fields__}
    only_s = {
        name: fields[name][:1]
        for name in ("transmission", "transmittance", "reflectance", "height_slope", "index_slope", "empty")
    }
    with pytest.raises(InputError, match="holds the polarisation s alone, s and p were expected"):
        takes_angles(type(tables)(**{**fields, **only_s, "polarisations": ("s",)}), "local")
    with pytest.raises(InputError, match="fit at normal incidence alone"):
        library_named("nano-optics-proxy", incidence="local")
