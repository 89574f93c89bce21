"""HDF5 files of anyone: as many paths, nested groups and packed zeros as they like, they cost little to refuse."""

import time
import tracemalloc

import h5py
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.files.hdf5 import MOST_OBJECTS, open_guarded, read_array
from metalens.formats.meta_atoms.library import read_atom_library, write_atom_library
from metalens.formats.psf.bank_file import _declared_shapes, read_psf_bank, write_psf_bank

from ..meta_atoms.test_library import library
from ..psf.test_bank import make_bank


def written(path, schema="test"):
    file = h5py.File(path, "w")
    file.attrs["schema"], file.attrs["version"] = schema, 1
    return file


def test_hard_links_that_make_2_to_the_40_paths_are_refused_at_once(tmp_path):
    path = tmp_path / "links.h5"
    with written(path) as file:
        groups = [file.create_group("start")]
        for number in range(40):
            groups.append(file.create_group(f"g{number}"))
            groups[-2]["one"] = groups[-2]["other"] = groups[-1]
    begin = time.process_time()
    with pytest.raises(InputError, match="is there under a second name; refused"), open_guarded(path, "test", 1):
        pass
    assert time.process_time() - begin < 2


def test_deep_nests_are_read_and_endless_groups_refused(tmp_path):
    with written(tmp_path / "deep.h5") as file:
        group = file
        for _ in range(1500):
            group = group.create_group("g")
    with open_guarded(tmp_path / "deep.h5", "test", 1):
        pass
    with written(tmp_path / "many.h5") as file:
        for number in range(MOST_OBJECTS):
            file.create_group(f"g{number}")
    with (
        pytest.raises(InputError, match=f"holds more than {MOST_OBJECTS} groups and datasets; refused as hostile"),
        open_guarded(tmp_path / "many.h5", "test", 1),
    ):
        pass


def test_packed_zeros_are_refused_by_what_they_declare(tmp_path):
    path = tmp_path / "zeros.h5"
    with written(path) as file:
        file.create_dataset("values", shape=(10**9,), dtype="f4", chunks=(10**6,), compression="gzip", fillvalue=0)
    with (
        open_guarded(path, "test", 1) as file,
        pytest.raises(InputError, match="values declares 1000000000 numbers; at most 268435456 are read"),
    ):
        read_array(file, "values", dtype=np.float32, shape=(None,))


def test_a_bank_whose_window_is_none_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "psf.h5"
    with written(path, "metalens.psf") as file:
        file["position"] = np.zeros((1, 2))
        file.create_dataset("intensity", shape=(1, 3, 10**4, 10**4), dtype="f4", chunks=(1, 1, 10**3, 10**3))
        file["wavelength"], file["phase_radius"] = np.zeros(1), np.zeros(1)
    with h5py.File(path, "r+") as file, pytest.raises(InputError, match="at most 4096 pixels a side"):
        _declared_shapes(file)


def packed(file, name, shape):
    """A dataset of zeros in the place of another: any size in a few kilobytes."""
    del file[name]
    file.create_dataset(name, shape=shape, dtype="f8", chunks=True, compression="gzip", fillvalue=0)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("position", (10**7, 2)),
        ("wavelength", (10**7,)),
        ("channel_weight", (3, 10**7)),
        ("phase_radius", (10**7,)),
        ("phase", (10**7,)),
        ("subpixel_intensity", (7, 3, 4000, 4000)),
        ("by_channel/rms_width", (6, 10**7)),
        ("by_wavelength/centroid", (10**6, 20, 2)),
    ],
)
def test_an_array_of_a_bank_has_the_shape_that_its_nodes_and_window_ask_for(tmp_path, name, shape):
    path = tmp_path / "psf.h5"
    write_psf_bank(path, make_bank())
    with h5py.File(path, "r+") as file:
        packed(file, name, shape)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"psf\.h5.* shape"):
        read_psf_bank(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("name", ["geometry", "wavelength", "transmission", "transmittance", "orders"])
def test_a_table_of_a_library_has_the_shape_that_its_axes_ask_for(tmp_path, name):
    path = tmp_path / "library.h5"
    write_atom_library(path, library())
    with h5py.File(path, "r+") as file:
        packed(file, name, (*(30 for _ in file[name].shape[1:]), 10**6))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"library\.h5.* (shape|declares)"):
        read_atom_library(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_a_heap_of_strings_without_an_end_is_refused_before_the_library_meets_it(tmp_path):
    """In an entry of number 0 and size 0 libhdf5 loops for ever, where no signal of Python is looked at."""
    path = tmp_path / "heap.h5"
    with written(path) as file:
        file.attrs["text"] = "long enough for the heap"
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 32] = bytes(16)
    path.write_bytes(content)
    with pytest.raises(InputError, match="an entry of its strings has no size"), open_guarded(path, "test", 1):
        pass


def test_an_attribute_of_a_damaged_type_is_refused_before_the_library_meets_it(tmp_path):
    path = tmp_path / "type.h5"
    with written(path) as file:
        file.attrs["text"] = "long enough for the heap"
    content = bytearray(path.read_bytes())
    # Version 1, class 9: of variable length; in its bits, that it is text.
    kind = content.index(bytes.fromhex("19010100 10000000"), content.index(b"text"))
    content[kind + 1] = 0xFF
    path.write_bytes(content)
    with (
        pytest.raises(InputError, match="the attribute text of / is neither number nor text; refused"),
        open_guarded(path, "test", 1),
    ):
        pass


@pytest.mark.parametrize(
    ("stored", "dtype", "message"),
    [
        (np.longdouble(10) ** 4000 * np.ones(2), np.float64, "values holds NaN or infinity"),
        (np.array([1.0, np.nan]), np.int64, "holds numbers that are not whole or too large"),
        (np.array([1.0, 1.5]), np.int64, "holds numbers that are not whole or too large"),
        (np.array([1, 2**63], dtype=np.uint64), np.int64, "holds numbers that are not whole or too large"),
    ],
)
def test_a_number_that_its_kind_cannot_hold_is_refused(tmp_path, stored, dtype, message):
    path = tmp_path / "numbers.h5"
    with written(path) as file:
        file["values"] = stored
    with open_guarded(path, "test", 1) as file, pytest.raises(InputError, match=message):
        read_array(file, "values", dtype=dtype, shape=(None,))
