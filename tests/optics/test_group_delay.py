"""Achromatic lenses: group delay as a target of the choice, and what the height of meta-atoms allows."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.constants import c

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import AtomLibrary
from metalens.optics import Hyperbolic, Metalens, meta_atom_library
from metalens.optics.structure import AtomKind, StructureOptions, candidates_of, choose_structure, with_structure
from metalens.optics.structure.group_delay import frequency_factors, group_delay, middle_wavelength
from metalens.psf import simulate_psf

PITCH, RADIUS, FOCUS, GREEN = 300e-9, 15e-6, 45e-6, 532e-9
LENS = Metalens(2 * RADIUS, FOCUS, Hyperbolic(FOCUS, GREEN))
DESIGN = [480e-9, 532e-9, 590e-9]
DELAY = (np.hypot(RADIUS, FOCUS) - FOCUS) / c
"""By which the middle of an achromatic lens delays light more than its rim."""

KIND = AtomKind("round_pillar", 700e-9)


def delays(longest=1.1 * DELAY, levels=801):
    """Meta-atoms that delay light, all colours alike: t = exp(iωτ)."""
    wavelength = np.linspace(460e-9, 620e-9, 161)
    table = np.exp(2j * np.pi * c / wavelength * np.linspace(0, longest, levels)[:, None])
    return meta_atom_library(np.linspace(80e-9, 240e-9, levels), wavelength, table)


def chosen(dispersion, library=None, **keys):
    keys = {"pitch": PITCH, "wavelengths": DESIGN, "kind": KIND, "dispersion": dispersion} | keys
    return choose_structure(LENS, delays() if library is None else library, StructureOptions(**keys))


def efficiencies(structure):
    return np.array([float(each) for each in structure.provenance["design_efficiency"].split()])


def test_the_target_is_a_delay_for_all_colours():
    """Factors ω/ω₀ of the middle wavelength; without dispersion all wavelengths share one phase."""
    factors = frequency_factors(np.array(DESIGN), 1.0)
    np.testing.assert_allclose(factors, [532 / 480, 1, 532 / 590])
    np.testing.assert_array_equal(frequency_factors(np.array(DESIGN), 0.0), 1)
    assert middle_wavelength(np.array([590e-9, 532e-9, 480e-9])) == GREEN


def test_meta_atoms_that_delay_make_an_achromatic_lens():
    """Of meta-atoms with every delay, the one that is asked for is at hand."""
    assert efficiencies(chosen(1.0)).min() > 0.999


@pytest.mark.long
def test_an_achromatic_lens_focuses_all_colours_in_one_plane():
    """Peaks against those of an ideal lens for each colour; with one phase, the outer colours focus elsewhere."""

    def peaks(structure):
        lens = with_structure(LENS, delays(), structure)
        ideal = [replace(LENS, phase=Hyperbolic(FOCUS, each)) for each in DESIGN]
        at = {"window": (9, 9), "pixel_pitch": 0.4e-6, "engine": "rayleigh_sommerfeld"}
        found = [simulate_psf(lens, each, 0.0, **at).max() for each in DESIGN]
        best = [simulate_psf(one, each, 0.0, **at).max() for one, each in zip(ideal, DESIGN, strict=True)]
        return np.array(found) / np.array(best)

    # Flat cells lose light: at the rim and 480 nm sinc²(p sin θ/λ) = 0.88 is left, in the middle all.
    assert peaks(chosen(1.0)).min() > 0.93
    assert peaks(chosen(0.0, allow_gaps=True))[[0, 2]].max() < 0.7


@pytest.mark.long
def test_the_delay_that_is_asked_for_is_that_of_the_optical_paths():
    structure = chosen(1.0)
    assert float(structure.provenance["group_delay_asked_fs"]) == pytest.approx(1e15 * DELAY, rel=5e-3)
    assert float(structure.provenance["group_delay_of_meta_atoms_fs"]) == pytest.approx(1.1e15 * DELAY, rel=1e-3)
    bandwidth = 2 * np.pi * c * (1 / DESIGN[0] - 1 / DESIGN[-1])
    product = float(structure.provenance["delay_times_bandwidth"])
    assert product == pytest.approx(DELAY * bandwidth, rel=5e-3)
    assert "group_delay_asked_fs" not in chosen(0.0, allow_gaps=True).provenance


def test_a_delay_beyond_the_meta_atoms_is_refused_with_what_is_possible():
    with pytest.raises(InputError, match=r"or weigh one wavelength more, or ask for a smaller dispersion\.$"):
        chosen(10.0, known_library(100e-9), kind=None)


def known_library(height):
    """Delays of a material of index 2 in air, of a height that the bound knows."""
    wavelength = np.linspace(460e-9, 620e-9, 33)
    longest = height * (2 - 1) / c
    table = np.exp(2j * np.pi * c / wavelength * np.linspace(0, longest, 201)[:, None])
    return AtomLibrary(
        name="delays",
        shape="round_pillar",
        material="2",
        substrate="1.46",
        surrounding="1",
        lattice="square",
        light_from="substrate",
        pitch=PITCH,
        height=height,
        parameter_names=("diameter",),
        geometry=np.linspace(80e-9, 240e-9, 201)[:, None],
        wavelength=wavelength,
        angle=np.zeros(1),
        polarisations=("s",),
        transmission=table[None, None],
        material_index=np.full(33, 2.0 + 0j),
        substrate_index=np.full(33, 1.46 + 0j),
        surrounding_index=np.full(33, 1.0 + 0j),
    )


def test_the_bound_is_that_of_the_height_and_the_contrast_of_the_index():
    """ω₀ h (n − 1) / c; what a delay through the whole height takes is the bound times the bandwidth over ω₀."""
    height = 700e-9
    candidates = candidates_of(known_library(height), PITCH)
    found = group_delay(np.array([0.0, 10.0]), np.array(DESIGN), 1.0, candidates)
    assert found.bound == pytest.approx(2 * np.pi * height / GREEN)
    assert found.offered == pytest.approx(height / c, rel=1e-3)
    assert found.asked == pytest.approx(10.0 * GREEN / (2 * np.pi * c))
    assert found.possible
    assert not group_delay(np.array([0.0, 300.0]), np.array(DESIGN), 1.0, candidates).possible


def test_a_lens_beyond_what_meta_atoms_delay_is_refused_with_both_figures():
    """This lens asks for 8 fs; pillars 700 nm high with an index of 2 in air delay by 2.3 fs."""
    with pytest.raises(InputError, match=r"asks for group delays over 8\.\d fs, and the meta-atoms have 2\.3 fs"):
        chosen(1.0, known_library(700e-9), kind=None)


def test_what_no_structure_of_the_height_can_do_is_a_remark():
    structure = chosen(10.0, known_library(100e-9), kind=None, allow_gaps=True)
    assert "no meta-atoms of this height delay enough" in structure.provenance["remarks"]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"dispersion": 11.0}, "expected -10 to 10"),
        ({"dispersion": float("nan")}, "dispersion"),
        ({"dispersion": True}, "dispersion"),
        ({"dispersion": 1.0, "wavelengths": [GREEN]}, "two design wavelengths or more"),
        ({"dispersion": 1.0, "phases": [Hyperbolic(FOCUS, each) for each in DESIGN]}, "leave out one of them"),
    ],
)
def test_a_dispersion_that_makes_no_sense_is_refused(keys, told):
    with pytest.raises(InputError, match=told):
        chosen(**keys)
