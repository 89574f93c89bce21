"""Phase maps from files: three formats that say the same, and a sentence for what is no map."""

import h5py
import numpy as np
import pytest

from metalens.formats.camera.phase_map import read_phase_map
from metalens.formats.files.errors import InputError
from metalens.formats.files.linked_file import file_sha256

MAP = np.random.default_rng(0).normal(size=(5, 7))
BROKEN = MAP.copy()
BROKEN[3, 0] = np.inf


def write_hdf5(path, values=MAP, schema="metalens.phase_map", name="phase"):
    with h5py.File(path, "w") as file:
        file.attrs["schema"], file.attrs["version"] = schema, 1
        file[name] = values


def test_the_formats_agree(tmp_path):
    np.save(tmp_path / "map.npy", MAP)
    np.savetxt(tmp_path / "map.csv", MAP, delimiter=",", fmt="%.17g", header="radians, row 0 at the top")
    write_hdf5(tmp_path / "map.h5")
    for name in ("map.npy", "map.csv", "map.h5"):
        found = read_phase_map(tmp_path / name)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, MAP)


def test_whole_numbers_and_single_precision_are_numbers_too(tmp_path):
    np.save(tmp_path / "map.npy", np.arange(12).reshape(3, 4))
    assert read_phase_map(tmp_path / "map.npy")[2, 3] == 11
    np.save(tmp_path / "map.npy", MAP.astype(np.float32))
    np.testing.assert_allclose(read_phase_map(tmp_path / "map.npy"), MAP, rtol=1e-6)


def test_the_digest_is_that_of_the_bytes(tmp_path):
    (tmp_path / "map.csv").write_bytes(b"abc")
    assert file_sha256(tmp_path / "map.csv") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"shape \(0, 0\), expected \[y, x\] with 3 to 16384 samples a side"),
        ("1,2\n3,4\n", r"shape \(2, 2\), expected"),
        ("1,2,3\n1,2\n1,2,3\n", "not a table of numbers between commas"),
        ("1,2,3\n1,x,3\n1,2,3\n", "not a table of numbers between commas"),
        ("1,2,3\n1,nan,3\n1,2,3\n", r"sample \[1, 1\] is not finite; give every sample a value"),
        ("\xff", "not a table of numbers between commas"),
    ],
)
def test_what_is_no_csv_map_is_refused(tmp_path, text, message):
    (tmp_path / "map.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        read_phase_map(tmp_path / "map.csv")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (MAP[0], r"shape \(7,\), expected"),
        (MAP + 1j, "holds complex128, real numbers in radians were expected"),
        (MAP > 0, "holds bool, real numbers"),
        (BROKEN, r"sample \[3, 0\] is not finite"),
    ],
)
def test_what_is_no_map_is_refused_in_npy(tmp_path, values, message):
    np.save(tmp_path / "map.npy", values)
    with pytest.raises(InputError, match=message):
        read_phase_map(tmp_path / "map.npy")


def test_pickled_objects_are_not_loaded(tmp_path):
    np.save(tmp_path / "map.npy", np.array([[object()] * 3] * 3), allow_pickle=True)
    with pytest.raises(InputError, match="not an array in NPY format"):
        read_phase_map(tmp_path / "map.npy")


def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path):
    path = tmp_path / "map.npy"
    np.save(path, np.zeros((100, 100)))
    path.write_bytes(path.read_bytes().replace(b"(100, 100)", b"(9999,999)")[:200])
    with pytest.raises(InputError, match="not an array in NPY format"):
        read_phase_map(path)
    path.write_bytes(b"no header")
    with pytest.raises(InputError, match="not an array in NPY format"):
        read_phase_map(path)


def test_an_hdf5_map_says_what_it_is(tmp_path):
    path = tmp_path / "map.h5"
    write_hdf5(path, schema="metalens.psf")
    with pytest.raises(InputError, match=r"found schema 'metalens.psf', expected 'metalens.phase_map'"):
        read_phase_map(path)
    write_hdf5(path, name="phi")
    with pytest.raises(InputError, match="has no dataset 'phase'"):
        read_phase_map(path)
    write_hdf5(path, MAP[:2])
    with pytest.raises(InputError, match=r"shape \(2, 7\), expected"):
        read_phase_map(path)


def test_what_is_not_there_or_of_another_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no such file; a phase map lies beside its lens\.toml"):
        read_phase_map(tmp_path / "map.csv")
    (tmp_path / "map.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"a phase map ends in \.csv, \.npy, \.h5, \.hdf5; save it as one of these"):
        read_phase_map(tmp_path / "map.png")
