"""From phase to structure: lattices, the best meta-atom at each site, and what no structure can be made for."""

from dataclasses import dataclass, replace
from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.camera.structure import EMPTY, site_positions
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import AtomLibrary
from metalens.optics import (
    Circle,
    Cubic,
    EvenPolynomial,
    Hyperbolic,
    MetaAtoms,
    Metalens,
    Plate,
    Quadratic,
    meta_atom_library,
    nano_optics_proxy,
    regular_polygon,
)
from metalens.optics.pytree import register_dataclass
from metalens.optics.structure import (
    AtomKind,
    StructureOptions,
    best_candidate,
    candidates_of,
    choose_structure,
    radial_geometry_of,
)
from metalens.optics.structure import choice as choosing
from metalens.optics.structure.candidates import best_pistons
from metalens.optics.structure.lattice import cell_reach, lattice_size, nearest_site

GREEN = 532e-9
PITCH = 250e-9
BAND = np.array([400e-9, 800e-9])
KIND = AtomKind("round_pillar", 700e-9, "Si3N4", "SiO2")
LENS = Metalens(30e-6, 90e-6, Hyperbolic(90e-6, GREEN))


def turns_library(turns=1.0, levels=201, amplitude=1.0, empty=None):
    """Phase grows evenly with the width, by so many turns, the same at every wavelength."""
    phase = 2 * np.pi * turns * np.linspace(0, 1, levels)
    table = amplitude * np.exp(1j * phase)[:, None] * np.ones(2)
    return meta_atom_library(np.linspace(80e-9, 240e-9, levels), BAND, table, empty=empty)


def chosen(lens=LENS, library=None, **keys):
    keys = {"pitch": PITCH, "wavelengths": [GREEN], "kind": KIND} | keys
    return choose_structure(lens, turns_library() if library is None else library, StructureOptions(**keys))


@cache
def on_lattice(lattice="square"):
    return chosen(lattice=lattice)


# Always eight points: for another number the operations would be compiled anew.
@settings(deadline=None, max_examples=15)
@given(
    st.sampled_from(["square", "hexagonal"]),
    st.integers(1, 9),
    st.integers(1, 9),
    st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=8, max_size=8),
)
def test_the_nearest_site_is_the_nearest_of_all(lattice, rows, columns, points):
    y, x = (
        np.broadcast_to(each, (rows, columns))
        for each in site_positions(lattice, 1.0, (rows, columns), np.arange(rows))
    )
    # Inside the lattice's rim, beyond which any outermost site will do.
    at = np.array(points) * [0.5 * (rows - 1) * (y[1, 0] - y[0, 0] if rows > 1 else 0), max(0.5 * columns - 0.75, 0)]
    row, column = nearest_site(lattice, 1.0, (rows, columns), at[:, 0], at[:, 1])
    found = np.hypot(y[row, column] - at[:, 0], x[row, column] - at[:, 1])
    every = np.hypot(y - at[:, 0, None, None], x - at[:, 1, None, None]).min(axis=(1, 2))
    np.testing.assert_allclose(found, every, atol=1e-5)
    if rows > 1 and columns > 1:
        assert (found <= cell_reach(lattice, 1.0) + 1e-5).all()


@pytest.mark.parametrize(("lattice", "density"), [("square", 1.0), ("hexagonal", 2 / np.sqrt(3))])
def test_sites_are_as_dense_as_their_lattice(lattice, density):
    structure = on_lattice(lattice)
    y, x = structure.positions()
    inside = (np.hypot(*np.broadcast_arrays(y, x)) <= 15e-6) & (structure.site_index != EMPTY)
    # The sites of a disc are known to a part of those on its rim.
    assert inside.sum() * PITCH**2 / (np.pi * 15e-6**2) == pytest.approx(density, rel=5e-3)


@pytest.mark.parametrize("lattice", ["square", "hexagonal"])
def test_every_place_of_the_opening_has_a_meta_atom_and_none_stands_far_outside(lattice):
    structure = on_lattice(lattice)
    radius, angle = 15e-6 * np.sqrt(np.linspace(0, 1, 4000)), np.arange(4000) * 2.4
    row, column = nearest_site(
        lattice, PITCH, structure.site_index.shape, radius * np.sin(angle), radius * np.cos(angle)
    )
    assert (structure.site_index[row, column] != EMPTY).all()
    away = np.hypot(*np.broadcast_arrays(*structure.positions()))
    assert away[structure.site_index != EMPTY].max() <= 15e-6 + cell_reach(lattice, PITCH)
    assert structure.site_index.shape == lattice_size(lattice, PITCH, 30e-6)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 12), st.booleans(),
    st.sampled_from(["any", "on a line", "on a circle", "twice"]),
)  # fmt: skip
def test_the_choice_is_the_best_of_all_candidates(seed, wavelengths, atoms, shared, kind):
    random = np.random.default_rng(seed)
    offered = random.normal(size=(atoms, wavelengths)) + 1j * random.normal(size=(atoms, wavelengths))
    offered = {
        "any": offered,
        "on a line": offered.real.astype(complex),
        "on a circle": offered / np.abs(offered),
        "twice": np.concatenate([offered, offered]),
    }[kind]
    phase = random.uniform(-500, 500, size=(30, 1 if shared else wavelengths))
    weight, piston = random.dirichlet(np.ones(wavelengths)), random.uniform(0, 7, wavelengths)
    found = best_candidate(phase, offered, weight, piston)
    fit = np.real(np.exp(-1j * (phase[:, None] + piston)) * offered * weight).sum(axis=-1)
    np.testing.assert_allclose(fit[np.arange(30), found], fit.max(axis=1), atol=2e-4)


@settings(deadline=None, max_examples=4)
@given(st.integers(0, 2**32 - 1))
def test_pistons_are_as_good_as_any(seed):
    random = np.random.default_rng(seed)
    offered = np.exp(1j * random.uniform(0, 7, (12, 2)))
    phase, weight = random.uniform(0, 2 * np.pi, (400, 1)), np.array([0.6, 0.4])

    def worth(piston):
        best = best_candidate(phase, offered, weight, piston)
        return float(weight @ np.abs((offered[best] * np.exp(-1j * phase)).mean(axis=0)))

    tried = [worth(random.uniform(0, 2 * np.pi, 2)) for _ in range(60)]
    assert worth(best_pistons(phase, offered, weight)) >= max(tried) - 0.01


def test_of_one_wavelength_the_nearest_phase_is_taken_as_by_the_response_to_a_phase():
    """Both choose by the design wavelength alone; the response has no piston, so that the sites get its."""
    library = nano_optics_proxy()
    structure = choose_structure(
        LENS, "nano-optics-proxy", StructureOptions(pitch=350e-9, wavelengths=[511e-9], weigh_amplitude=False)
    )
    y, x = structure.positions(slice(60, 70))
    there = structure.site_index[60:70] != EMPTY
    phase = np.asarray(LENS.phase.at(jnp.asarray(y), jnp.asarray(x)))
    piston = float(structure.provenance["design_pistons_rad"])
    duty = structure.geometry[structure.site_index[60:70][there], 0] / 350e-9

    def error(geometry):
        turned = np.asarray(library.at(jnp.asarray(geometry), 511e-9)) * np.exp(-1j * (phase[there] + piston))
        return np.abs(np.angle(turned))

    by_response = np.asarray(MetaAtoms(library, 511e-9).chosen_geometry(jnp.asarray(phase[there] + piston)))
    # The table's 105 widths are 0.06 rad apart at the most.
    np.testing.assert_allclose(error(duty), error(by_response), atol=0.06)


def test_the_efficiency_told_is_that_of_the_response():
    response = MetaAtoms(nano_optics_proxy(), 511e-9)
    structure = choose_structure(
        replace(LENS, aperture_diameter=100e-6),
        "nano-optics-proxy",
        StructureOptions(pitch=350e-9, wavelengths=[511e-9]),
    )
    expected = float(jnp.abs(response.coefficients(jnp.asarray(511e-9))[0])) ** 2
    # The weights of phases in the gap are those of the lens' own phases, not even ones.
    assert float(structure.provenance["design_efficiency"]) == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize("levels", [2, 4, 8])
def test_levels_have_the_efficiency_of_a_staircase(levels):
    """L equal steps of a turn: sinc²(1/L); 0.9496 for eight."""
    offered = np.exp(2j * np.pi * np.arange(levels) / levels)[:, None]
    phase = 2 * np.pi * (np.arange(4096) + 0.5)[:, None] / 4096
    best = best_candidate(phase, offered, np.ones(1), np.zeros(1))
    efficiency = abs((offered[best] * np.exp(-1j * phase)).mean()) ** 2
    assert efficiency == pytest.approx(np.sinc(1 / levels) ** 2, rel=1e-5)


def test_several_wavelengths_are_weighed():
    wavelengths = [462e-9, 606e-9]

    def efficiency(weights):
        structure = choose_structure(
            LENS,
            "nano-optics-proxy",
            StructureOptions(pitch=350e-9, wavelengths=wavelengths, weights=weights, allow_gaps=True, step=10e-9),
        )
        return np.array([float(each) for each in structure.provenance["design_efficiency"].split()])

    even, red = efficiency([1, 1]), efficiency([0, 1])
    assert red[1] > even[1]
    assert np.sqrt(even).sum() >= np.sqrt(red).sum()


def test_a_phase_of_its_own_for_each_wavelength_is_met_where_the_library_can():
    """Meta-atoms of which each pair of phases exists reach two phases at once."""
    first, second = np.meshgrid(*[2 * np.pi * np.arange(16) / 16] * 2)
    table = np.exp(1j * np.stack([first.ravel(), second.ravel()], axis=1))
    library = meta_atom_library(np.linspace(80e-9, 240e-9, 256), np.array([500e-9, 600e-9]), table)
    phases = [Quadratic(90e-6, 500e-9), Quadratic(90e-6, 600e-9)]
    structure = chosen(library=library, wavelengths=[500e-9, 600e-9], phases=phases)
    found = [float(each) for each in structure.provenance["design_phase_error_rad"].split()]
    # Even errors of ±π/16.
    np.testing.assert_allclose(found, np.pi / 16 / np.sqrt(3), rtol=0.05)


def test_blocks_of_rows_equal_one_block(monkeypatch):
    whole = on_lattice()
    monkeypatch.setattr(choosing, "ROWS_SITES", 700)
    np.testing.assert_array_equal(chosen().site_index, whole.site_index)


def test_the_structure_of_a_symmetric_lens_is_symmetric_to_the_site():
    index = on_lattice().site_index
    for other in (index[::-1], index[:, ::-1], index.T):
        np.testing.assert_array_equal(index, other)


def test_a_step_gives_the_multiples_that_the_library_holds():
    found = candidates_of(turns_library(), PITCH, step=25e-9, kind=KIND).geometry[:, 0]
    np.testing.assert_allclose(found, [100e-9, 125e-9, 150e-9, 175e-9, 200e-9, 225e-9])
    structure = chosen(geometry=[120e-9, 100e-9, 120e-9, 200e-9], allow_gaps=True)
    np.testing.assert_allclose(structure.geometry[:, 0], [100e-9, 120e-9, 200e-9])
    assert structure.counts().min() > 0


def test_duty_cycles_become_widths():
    structure = choose_structure(
        LENS, "nano-optics-proxy", StructureOptions(pitch=350e-9, wavelengths=[511e-9], step=5e-9)
    )
    assert structure.geometry[0, 0] == pytest.approx(105e-9)
    assert structure.geometry[-1, 0] == pytest.approx(285e-9)
    assert structure.height == 705e-9
    assert structure.library_name == "nano-optics-proxy"


@register_dataclass
@dataclass(frozen=True)
class AnyOpening(Circle):
    """A circle that is not known to be one."""

    @property
    def rotationally_symmetric(self):
        return False


def test_a_quarter_of_the_sites_stands_for_all():
    """A round lens is chosen by its upper left quarter: site by site what all sites by themselves would be."""
    found = chosen().site_index
    np.testing.assert_array_equal(found, chosen(replace(LENS, aperture=AnyOpening())).site_index)
    np.testing.assert_array_equal(found, found.T)


def rectangles():
    side = np.array([(x, y) for x in (100e-9, 150e-9, 200e-9) for y in (100e-9, 150e-9, 200e-9)])
    table = np.exp(2j * np.pi * np.arange(9) / 9)[None, None, :, None] * np.ones(2)
    return AtomLibrary(
        name="rectangles",
        shape="rectangular_pillar",
        material="2",
        substrate="1.46",
        surrounding="1",
        lattice="square",
        light_from="substrate",
        pitch=PITCH,
        height=700e-9,
        parameter_names=("width_x", "width_y"),
        geometry=side,
        wavelength=BAND,
        angle=np.zeros(1),
        polarisations=("s",),
        transmission=table,
    )


def test_meta_atoms_of_two_parameters_are_chosen_from_the_table():
    structure = choose_structure(LENS, rectangles(), StructureOptions(pitch=PITCH, wavelengths=[GREEN]))
    assert structure.shape == "rectangular_pillar"
    assert structure.parameter_names == ("width_x", "width_y")
    assert float(structure.provenance["design_efficiency"]) == pytest.approx(np.sinc(1 / 9) ** 2, abs=5e-3)
    with pytest.raises(InputError, match="a step of widths needs a library of one parameter, this one has 2"):
        choose_structure(LENS, rectangles(), StructureOptions(pitch=PITCH, wavelengths=[GREEN], step=5e-9))


def test_a_library_of_half_a_turn_is_refused_unless_gaps_are_allowed():
    """Phases in the gap G get the nearest edge: the mean square of the error is G³/(24π)."""
    with pytest.raises(
        InputError, match=r"errs by 0\.[56]\d rad root mean square, .* at most 0\.5 rad was expected; take"
    ):
        chosen(library=turns_library(0.5))
    structure = chosen(library=turns_library(0.5), allow_gaps=True)
    error = float(structure.provenance["design_phase_error_rad"])
    # The lens has two turns and a half: the piston puts the half where it costs least.
    assert error == pytest.approx(np.sqrt(np.pi**3 / (24 * np.pi)), abs=0.08)
    assert "does not reach the wanted phase" in structure.provenance["remarks"]


def test_a_pitch_that_the_phase_outruns_is_refused():
    steep = Metalens(60e-6, 10e-6, Hyperbolic(10e-6, GREEN))
    with pytest.raises(InputError, match=r"turns by 0\.\d+ of a turn from site to site .* use a pitch under 280 nm"):
        chosen(steep, pitch=300e-9)


@pytest.mark.parametrize(("lattice", "limit"), [("square", 532), ("hexagonal", 614)])
def test_a_pitch_that_diffracts_into_air_is_refused(lattice, limit):
    flat = Metalens(30e-6, 90e-6, EvenPolynomial(np.array([-1.0]), 15e-6))
    with pytest.raises(InputError, match=rf"has diffraction orders in air at 532 nm; use a pitch under {limit} nm"):
        chosen(flat, pitch=650e-9, lattice=lattice)


def test_diffraction_into_the_substrate_is_remarked():
    """Sites 350 nm apart have orders in glass of index 1.46 up to 511 nm: those of neural nano-optics too."""
    glass = replace(LENS, substrate=Plate(500e-6, 1.46))
    structure = choose_structure(glass, "nano-optics-proxy", StructureOptions(pitch=350e-9, wavelengths=[462e-9]))
    assert "in a substrate of index 1.46 at wavelengths up to 511 nm" in structure.provenance["remarks"]
    assert "a pitch under 316 nm has none" in structure.provenance["remarks"]
    red = choose_structure(glass, "nano-optics-proxy", StructureOptions(pitch=350e-9, wavelengths=[606e-9]))
    assert "remarks" not in red.provenance


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"pitch": 30e-6}, "a pitch of 30000 nm does not fit a lens of 30 µm"),
        ({"wavelengths": []}, "1 to 64 design wavelengths were expected"),
        ({"weights": [1, 2]}, "for 1 wavelengths; as many numbers from 0 on"),
        ({"weights": [0]}, "not all 0, were expected"),
        ({"phases": [LENS.phase] * 2}, "2 phases for 1 wavelengths; give one for each"),
        ({"wavelengths": [900e-9]}, r"wavelength 900 nm lies outside the table, which goes from 400 to 800 nm"),
        ({"geometry": [300e-9]}, "geometry 3e-07 lies outside the table"),
        ({"geometry": [100e-9], "step": 5e-9}, "given by a list or by a step; one of them was expected"),
        ({"step": 1e-12}, "does not give 1 to 4096 meta-atoms; 5 nm is usual"),
        ({"kind": None}, "does not tell what its meta-atoms are; give kind"),
        ({"kind": AtomKind("annular_pillar", 1e-6)}, "has the parameters outer_diameter, inner_diameter"),
    ],
)
def test_what_does_not_fit_together_is_refused(keys, message):
    with pytest.raises(InputError, match=message):
        chosen(**keys)


def test_a_library_of_another_pitch_is_refused():
    with pytest.raises(InputError, match="was made for a pitch of 250 nm, and sites 200 nm apart were asked for"):
        choose_structure(LENS, rectangles(), StructureOptions(pitch=200e-9, wavelengths=[GREEN]))


def test_a_polygon_is_filled_to_its_edges():
    lens = replace(LENS, aperture=regular_polygon(6, 30e-6))
    count = (chosen(lens).site_index != EMPTY).sum() * PITCH**2
    area = 1.5 * np.sqrt(3) * 15e-6**2
    # Half of the sites in a strip as wide as two cells' reach are more than the area holds.
    assert area < count < area + 6 * 15e-6 * 2 * cell_reach("square", PITCH)


def test_a_radial_geometry_becomes_the_sites_nearest_to_it():
    library = turns_library()
    radial = radial_geometry_of(LENS, library, spacing=PITCH, wavelengths=[GREEN])
    built = replace(LENS, structure=radial)
    structure = chosen(built, step=5e-9)
    y, x = structure.positions()
    wanted = np.asarray(radial.geometry_at(jnp.asarray(y), jnp.asarray(x)))
    there = structure.site_index != EMPTY
    found = structure.geometry[structure.site_index[there], 0]
    assert np.abs(found - wanted[there]).max() <= 2.5e-9 * 1.01


def test_a_radial_geometry_is_for_a_symmetric_phase_and_a_spacing_that_fits():
    cubic = replace(LENS, phase=LENS.phase + Cubic(5.0, 15e-6))
    with pytest.raises(InputError, match="for a phase that is not rotationally symmetric"):
        radial_geometry_of(cubic, turns_library(), spacing=PITCH, wavelengths=[GREEN])
    with pytest.raises(InputError, match="a spacing of 20000 nm does not fit a radius of 15000 nm"):
        radial_geometry_of(LENS, turns_library(), spacing=20e-6, wavelengths=[GREEN])
