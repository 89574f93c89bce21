"""structure.h5: sites and meta-atoms come back as they were written, and what is no structure is refused."""

import contextlib
import dataclasses
import hashlib

import h5py
import numpy as np
import pytest

from metalens.formats.camera.structure import EMPTY, LARGEST_SIDE, Structure, read_structure, write_structure
from metalens.formats.files.errors import InputError

NANO = 1e-9


def structure(**changes):
    generator = np.random.default_rng(0)
    index = generator.integers(0, 5, (7, 9)).astype(np.uint16)
    index[0, :3] = EMPTY
    record = Structure(
        lattice="square",
        pitch=350 * NANO,
        site_index=index,
        geometry=np.linspace(100, 300, 5)[:, None] * NANO,
        parameter_names=("diameter",),
        shape="round_pillar",
        height=705 * NANO,
        material="Si3N4",
        substrate="SiO2",
        library_name="si3n4-on-sio2",
        library_sha256="0" * 64,
        name="a lens of 2 µm",
        provenance={"metalens": "0.1.0"},
    )
    return dataclasses.replace(record, **changes)


def written(tmp_path, **changes):
    path = tmp_path / "structure.h5"
    write_structure(path, structure(**changes))
    return path


def changed(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def replaced(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return change


@pytest.mark.parametrize("lattice", ["square", "hexagonal"])
def test_a_structure_comes_back_as_it_was_written(tmp_path, lattice):
    made = structure(lattice=lattice)
    found = read_structure(written(tmp_path, lattice=lattice))
    for entry in dataclasses.fields(Structure):
        np.testing.assert_array_equal(getattr(found, entry.name), getattr(made, entry.name))
    assert found.site_index.dtype == np.uint16
    assert found.geometry.dtype == np.float64
    assert isinstance(found.parameter_names, tuple)


def test_equal_structures_make_equal_files(tmp_path):
    digests = []
    for name in ("a.h5", "b.h5"):
        write_structure(tmp_path / name, structure())
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert digests[0] == digests[1]


def test_sites_of_a_square_lattice_lie_around_the_centre():
    y, x = structure().positions()
    assert y.shape == (7, 1)
    assert x.shape == (7, 9)
    assert abs(y.mean()) < 1e-20
    assert abs(x.mean()) < 1e-20
    np.testing.assert_allclose(np.diff(y[:, 0]), 350 * NANO)
    np.testing.assert_allclose(np.diff(x, axis=1), 350 * NANO)


def test_each_site_of_a_hexagonal_lattice_has_six_neighbours_at_the_pitch():
    y, x = (np.broadcast_to(each, (7, 9)) for each in structure(lattice="hexagonal").positions())
    distance = np.sort(np.hypot(y - y[3, 4], x - x[3, 4]).ravel())
    np.testing.assert_allclose(distance[1:7], 350 * NANO)
    assert distance[7] > 1.7 * 350 * NANO
    # An even and an odd row together have their mean on the axis.
    assert abs(x[:2].mean()) < 1e-20
    np.testing.assert_allclose(x[1] - x[0], 175 * NANO)


@pytest.mark.parametrize("lattice", ["square", "hexagonal"])
def test_positions_of_some_rows_are_those_of_all(lattice):
    made = structure(lattice=lattice)
    for some, whole in zip(made.positions(slice(2, 6, 3)), made.positions(), strict=True):
        np.testing.assert_array_equal(some, whole[2:6:3])


def test_counts_leave_out_empty_sites():
    made = structure()
    counts = made.counts()
    assert counts.sum() == 7 * 9 - 3
    assert counts[2] == (made.site_index == 2).sum()


def test_a_structure_of_empty_sites_alone_can_be_kept(tmp_path):
    path = written(tmp_path, site_index=np.full((300, 300), EMPTY, dtype=np.uint16))
    assert read_structure(path).counts().sum() == 0


def test_a_shape_of_two_lengths_has_two_parameters(tmp_path):
    sides = np.array([[100.0, 200.0], [150.0, 300.0]]) * NANO
    index = np.array([[0, 1], [1, EMPTY]], dtype=np.uint16)
    names = ("width_x", "width_y")
    path = written(tmp_path, shape="rectangular_pillar", geometry=sides, parameter_names=names, site_index=index)
    found = read_structure(path)
    assert found.parameter_names == names
    np.testing.assert_array_equal(found.geometry, sides)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lattice": "cubic"}, "lattice 'cubic' is not known; one of square, hexagonal was expected"),
        ({"shape": "cone"}, "shape 'cone' is not known; one of round_pillar, "),
        ({"pitch": np.nan}, r"pitch nan m is out of range; 1e-9 to 1e-3 m was expected"),
        ({"height": 705.0}, r"height 705 m is out of range"),
        ({"name": "two\nlines"}, "name must be one line of at most 255 characters"),
        ({"site_index": np.zeros((3, 3), dtype=int)}, "site_index holds int64, uint16 was expected"),
        ({"site_index": np.zeros(3, dtype=np.uint16)}, r"site_index has the shape \(3,\), expected \[row, column\]"),
        ({"site_index": np.zeros((0, 3), dtype=np.uint16)}, r"shape \(0, 3\), expected"),
        (
            {"geometry": np.zeros((0, 1))},
            r"geometry has the shape \(0, 1\), expected \[atom, diameter\] with 1 to 65535",
        ),
        ({"geometry": np.full((5, 2), 1e-7)}, r"shape \(5, 2\), expected \[atom, diameter\]"),
        (
            {"geometry": np.full((5, 1), -1e-7)},
            "lengths above 0 and up to the pitch of 350 nm, found float64 from -100",
        ),
        ({"geometry": np.full((5, 1), 250.0)}, "found float64 from 2.5e.11 to 2.5e.11 nm; give metres"),
        ({"geometry": np.full((5, 1), np.nan)}, "must hold float64 lengths"),
        ({"parameter_names": ("width", "height")}, r"do not fit a round_pillar, \['diameter'\] was"),
        (
            {"site_index": np.array([[0, 1], [5, EMPTY]], dtype=np.uint16)},
            r"site \[1, 0\] asks for meta-atom 5 of 5; correct its index, or add the meta-atom",
        ),
    ],
)
def test_what_is_no_structure_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        structure(**changes)


def test_an_index_beyond_the_table_is_found_in_later_blocks_too():
    index = np.zeros((2000, 3), dtype=np.uint16)
    index[1999, 2] = 7
    with pytest.raises(InputError, match=r"site \[1999, 2\] asks for meta-atom 7 of 5"):
        structure(site_index=index)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced("site_index", np.full((3, 3), 9, np.uint16)), r"site \[0, 0\] asks for meta-atom 9 of 5"),
        # Converted to 16 bits, 65536 would be meta-atom 0.
        (replaced("site_index", np.full((3, 3), 65536)), "site_index holds int64, uint16 was expected"),
        (replaced("site_index", np.zeros((3, 3, 3), np.uint16)), r"site_index has the shape \(3, 3, 3\)"),
        (replaced("geometry", np.full((5, 1), np.nan)), "geometry holds NaN or infinity"),
        (replaced("geometry", np.zeros(5)), r"geometry has shape \(5,\)"),
        (lambda file: file.__delitem__("site_index"), "has no dataset 'site_index'"),
        (lambda file: file.attrs.__setitem__("schema", "metalens.psf"), "expected 'metalens.structure'"),
        (lambda file: file.attrs.__setitem__("version", 9), "this metalens reads version 1 and 2 and 3"),
        (lambda file: file.attrs.__setitem__("lattice", 4), "lattice is 4, a text was expected"),
        (lambda file: file.attrs.__setitem__("pitch", np.inf), "pitch inf m is out of range"),
        (lambda file: file.attrs.__setitem__("pitch", "wide"), "damaged or not a metalens.structure file"),
        (lambda file: file.attrs.__delitem__("shape"), "damaged or not a metalens.structure file"),
        (lambda file: file.__setitem__("link", h5py.ExternalLink("other.h5", "/")), "is a link out of its place"),
        (lambda file: file.create_dataset("all", (10**6, 10**6), np.uint8, chunks=(1000, 1000)), "refused as hostile"),
    ],
)
def test_a_changed_file_is_refused_with_its_name(tmp_path, change, message):
    path = changed(written(tmp_path), change)
    with pytest.raises(InputError, match=message) as caught:
        read_structure(path)
    assert str(caught.value).startswith(str(path))


def test_a_lattice_too_large_is_refused_before_it_is_read(tmp_path):
    def enlarge(file):
        del file["site_index"]
        file.create_dataset("site_index", (LARGEST_SIDE + 1, 10), np.uint16, chunks=(1024, 10), compression="gzip")

    with pytest.raises(InputError, match=r"expected \[row, column\] with 1 to 32768 sites a side"):
        read_structure(changed(written(tmp_path), enlarge))


@pytest.mark.parametrize("place", [0, 200, 900, 2000, 4000])
def test_a_damaged_file_is_an_error_in_a_sentence_or_no_damage(tmp_path, place):
    path = written(tmp_path)
    content = bytearray(path.read_bytes())
    content[place : place + 16] = bytes(range(240, 256))
    path.write_bytes(content)
    # Nothing but an InputError may come out; where the bytes were padding, the file is as good as before.
    with contextlib.suppress(InputError):
        assert read_structure(path).counts().sum() <= 63


def test_what_is_cut_short_or_missing_is_refused(tmp_path):
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"not a readable HDF5 file"):
        read_structure(path)
    with pytest.raises(InputError, match=r"no such file; give the path of a metalens\.structure file"):
        read_structure(tmp_path / "none.h5")


def test_nothing_is_left_behind_where_a_structure_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match="its folder"):
        write_structure(tmp_path / "none" / "structure.h5", structure())
    assert list(tmp_path.iterdir()) == []
