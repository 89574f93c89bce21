"""``library.h5``: what is written is read back; what is damaged, hostile or contradicts itself is refused."""

import dataclasses

import h5py
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import AtomLibrary, library_path, read_atom_library, write_atom_library
from metalens.formats.meta_atoms.shapes import Family
from metalens.optics.meta_atoms import library_named, scalar_library


def library(**changes) -> AtomLibrary:
    """Pillars of three diameters at two wavelengths, two angles and both polarisations."""
    numbers = np.arange(2 * 2 * 3 * 2).reshape(2, 2, 3, 2)
    content = {
        "name": "pillars",
        "shape": "round_pillar",
        "material": "main/Si3N4/Luke",
        "substrate": "main/SiO2/Malitson",
        "surrounding": "1",
        "lattice": "square",
        "light_from": "substrate",
        "pitch": 350e-9,
        "height": 705e-9,
        "parameter_names": ("diameter",),
        "geometry": np.array([[100e-9], [200e-9], [300e-9]]),
        "wavelength": np.array([450e-9, 550e-9]),
        "angle": np.radians([0.0, 20.0]),
        "polarisations": ("s", "p"),
        "transmission": 0.9 * np.exp(0.1j * numbers),
        "transmittance": np.full(numbers.shape, 0.85),
        "reflectance": np.full(numbers.shape, 0.15),
        "empty": np.full((2, 2, 2), 0.98j),
        "height_slope": 1e6 * (1j + 0.01 * numbers),
        "index_slope": 1j + 0.01 * numbers,
        "orders": np.full((3, 2), 81),
        "error": np.full((3, 2), 0.01),
        "material_index": np.array([2.05 + 0j, 2.04 + 0j]),
        "substrate_index": np.array([1.47 + 0j, 1.46 + 0j]),
        "surrounding_index": np.array([1.0 + 0j, 1.0 + 0j]),
        "provenance": {"made_by": "a test"},
    }
    return AtomLibrary(**(content | changes))


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "library.h5"
    write_atom_library(path, library())
    return path


def test_what_is_written_is_read_back(written):
    wanted, found = library(), read_atom_library(written)
    for field in dataclasses.fields(AtomLibrary):
        expected, value = getattr(wanted, field.name), getattr(found, field.name)
        if isinstance(expected, np.ndarray):
            # Tables are kept in single precision.
            np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-12)
        else:
            assert value == expected


def test_a_polygon_and_its_turn_are_read_back(tmp_path):
    family = Family("polygonal_pillar", 0.4, ((0.0, 0.0), (2.0, 0.0), (0.0, 1.0)))
    made = library(shape="polygonal_pillar", parameter_names=("size",), families=(family,))
    write_atom_library(tmp_path / "library.h5", made)
    assert read_atom_library(tmp_path / "library.h5").families == (family,)
    with h5py.File(tmp_path / "library.h5") as file:
        # A program that knows upright shapes alone must not take it.
        assert file.attrs["version"] == 2


def test_upright_shapes_are_files_of_the_first_version(tmp_path):
    lengths = {
        "parameter_names": ("length", "arm_width"),
        "geometry": np.array([[1e-7, 5e-8], [2e-7, 5e-8], [2e-7, 1e-7]]),
    }
    write_atom_library(tmp_path / "library.h5", library(shape="cross_pillar", **lengths))
    assert read_atom_library(tmp_path / "library.h5").families == ()
    with h5py.File(tmp_path / "library.h5") as file:
        assert file.attrs["version"] == 1


def _crossed(file):
    file["family_vertices"][...] = [[0, 0], [1, 1], [1, 0], [0, 1]]


def _miscounted(file):
    file["family_vertex_count"][...] = [3]


def _unknown_shape(file):
    file.attrs["family_shapes"] = "star_pillar"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_crossed, "crosses or touches itself"),
        (_miscounted, "family_vertex_count does not fit the 4 vertices"),
        (_unknown_shape, "shape is 'star_pillar'"),
    ],
)
def test_a_damaged_polygon_is_refused(tmp_path, edit, message):
    family = Family("polygonal_pillar", 0.0, ((0.0, 0.0), (2.0, 0.0), (2.0, 1.0), (0.0, 1.0)))
    path = tmp_path / "library.h5"
    write_atom_library(path, library(shape="polygonal_pillar", parameter_names=("size",), families=(family,)))
    with pytest.raises(InputError, match=message):
        read_atom_library(edited(path, edit))


def test_equal_libraries_make_equal_bytes(written, tmp_path):
    write_atom_library(tmp_path / "again.h5", library())
    assert (tmp_path / "again.h5").read_bytes() == written.read_bytes()


def test_what_is_unknown_stays_so(tmp_path):
    unknown = dict.fromkeys(("transmittance", "reflectance", "empty", "height_slope", "index_slope", "orders", "error"))
    write_atom_library(tmp_path / "library.h5", library(**unknown))
    found = read_atom_library(tmp_path / "library.h5")
    assert all(getattr(found, name) is None for name in unknown)


def test_a_lens_takes_one_incidence_of_it(written):
    found = scalar_library(read_atom_library(written), polarisation="p", angle=np.radians(20.0))
    np.testing.assert_allclose(found.transmission, library().transmission[1, 1], rtol=1e-6)
    np.testing.assert_allclose(found.height_slope, library().height_slope[1, 1], rtol=1e-6)
    np.testing.assert_allclose(found.empty, library().empty[1, 1], rtol=1e-6)
    np.testing.assert_allclose(found.geometry, [100e-9, 200e-9, 300e-9])


def test_a_file_is_a_library_by_its_path(written):
    np.testing.assert_allclose(library_named(written).transmission, library().transmission[0, 0], rtol=1e-6)


def test_the_published_fit_is_a_library_by_its_name():
    assert library_named("nano-optics-proxy").geometry[0] == pytest.approx(0.3)


def test_of_two_parameters_a_lens_varies_one():
    geometry = np.array([[100e-9, 100e-9], [100e-9, 200e-9], [200e-9, 100e-9], [200e-9, 200e-9]])
    tables = dict.fromkeys(("transmittance", "reflectance", "height_slope", "index_slope", "orders", "error"))
    rectangles = library(
        shape="rectangular_pillar",
        parameter_names=("width_x", "width_y"),
        geometry=geometry,
        transmission=np.exp(1j * np.arange(32.0).reshape(2, 2, 4, 2)),
        **tables,
    )
    chosen = scalar_library(rectangles, fixed={"width_x": 200e-9})
    np.testing.assert_allclose(chosen.geometry, [100e-9, 200e-9])
    np.testing.assert_allclose(chosen.transmission, rectangles.transmission[0, 0, 2:], rtol=1e-6)
    with pytest.raises(InputError, match="needs one free parameter of width_x, width_y; hold the others"):
        scalar_library(rectangles)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": "star"}, "shape is 'star', expected one of round_pillar"),
        ({"lattice": "kagome"}, "lattice is 'kagome'"),
        ({"pitch": np.nan}, "pitch nan m must lie between 1e-12 and 0.001 m"),
        ({"pitch": 1e300}, r"pitch 1e\+300 m must lie"),
        ({"height": 0.0}, "height 0 m must lie"),
        ({"geometry": np.array([[1e-7], [2e-7], [1e300]])}, "of inf nm does not fit the pitch"),
        ({"wavelength": np.array([550e-9, 1e300])}, r"wavelength ends with 1e\+300"),
        ({"geometry": np.array([[1e-10], [2e-10], [3e-10]])}, "lengths up to 0.3 nm, at least 2 nm were expected"),
        ({"pitch": 250e-9}, "of 300 nm does not fit the pitch of 250 nm; neighbours would touch"),
        ({"parameter_names": ("width",)}, r"do not fit a round_pillar, expected \['diameter'\]"),
        ({"geometry": np.array([[200e-9], [100e-9], [300e-9]])}, "must ascend, each meta-atom once"),
        ({"geometry": np.array([100e-9, 200e-9, 300e-9])}, "geometry has the shape"),
        ({"wavelength": np.array([550e-9, 450e-9])}, "wavelength must be finite numbers that ascend"),
        ({"angle": np.array([0.0, 2.0])}, "90° or more"),
        ({"polarisations": ("s", "s")}, "expected s, p or both, each once"),
        ({"transmission": np.ones((2, 2, 3, 3), dtype=complex)}, "transmission has the shape"),
        ({"transmission": np.full((2, 2, 3, 2), 1.2 + 0j)}, "normalise it to the incident power"),
        ({"error": np.full((3, 2), np.nan)}, "error holds NaN"),
    ],
)
def test_what_contradicts_itself_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        library(**changes)


@pytest.mark.parametrize(("polarisation", "angle"), [("s", 0.1), ("x", 0.0)])
def test_an_incidence_that_it_does_not_hold_is_refused(polarisation, angle):
    with pytest.raises(InputError, match=r"has no (angle 5\.72958°|polarisation 'x'), expected one of (0°, 20°|s, p)"):
        library().at_incidence(polarisation, angle)


def edited(path, edit):
    with h5py.File(path, "r+") as file:
        edit(file)
    return path


def _other_schema(file):
    file.attrs["schema"] = "metalens.psf"


def _later_version(file):
    file.attrs["version"] = 99


def _link_outside(file):
    del file["transmission"]
    file["transmission"] = h5py.ExternalLink("other.h5", "transmission")


def _huge(file):
    del file["transmission"]
    file.create_dataset("transmission", shape=(10**4, 10**4, 100, 2), dtype=np.float32, chunks=True)


def _no_transmission(file):
    del file["transmission"]


def _text_for_numbers(file):
    del file["wavelength"]
    file["wavelength"] = "450"


def _no_name(file):
    del file.attrs["name"]


def _not_finite(file):
    file["transmission"][0, 0, 0, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_other_schema, "found schema 'metalens.psf', expected 'metalens.atom_library'"),
        (_later_version, "version 99, this metalens reads version 1 and 2; a newer metalens wrote it"),
        (_link_outside, "is a link out of its place; refused"),
        (_huge, "refused as hostile"),
        (_no_transmission, "has no dataset 'transmission'"),
        (_text_for_numbers, "wavelength"),
        (_no_name, "damaged or not a metalens.atom_library file"),
        (_not_finite, "transmission holds NaN or infinity"),
    ],
)
def test_a_damaged_or_hostile_file_is_refused(written, edit, message):
    with pytest.raises(InputError, match=message):
        read_atom_library(edited(written, edit))


def test_a_truncated_file_is_refused(written):
    written.write_bytes(written.read_bytes()[:1500])
    with pytest.raises(InputError, match=r"library\.h5"):
        read_atom_library(written)


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(
        InputError, match=r"neither a file nor a library that comes with the package; give a library\.h5"
    ):
        library_path("gold-on-nothing")
    with pytest.raises(InputError, match="nano-optics-proxy"):
        library_named("gold-on-nothing")
