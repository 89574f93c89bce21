"""Guarded reading of HDF5 files that may come from anywhere, and writing them whole or not at all.

An HDF5 file can point outside itself (external and soft links, external storage, virtual datasets), can hold
references that are followed on reading, and can declare sizes far beyond what it stores. None of that belongs
in a file of this project, so it is refused before a single value is read.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file
from metalens.formats.files.schema_version import version_advice

MAXIMUM_BYTES = 64 * 2**30
"""The largest total size of decoded datasets that a file may declare."""

MOST_VALUES = 2**28
"""Numbers of one dataset, unless its kind of file allows another number: a map of 16384 a side."""

MOST_OBJECTS = 10_000

_PROVENANCE = "provenance_"


@contextmanager
def written_file(
    path: str | os.PathLike[str], schema: str, version: int, provenance: Mapping[str, str]
) -> Iterator[h5py.File]:
    """Open a new file, which appears whole when the block has ended, or not at all; equal content makes equal bytes.

    Args:
        path: where.
        schema: what :func:`open_guarded` will expect.
        version: likewise.
        provenance: what made it, as text by name.

    Returns:
        A context manager that gives the open file, with schema, version and provenance as attributes.

    Raises:
        InputError: the folder does not exist or the disk refuses the write.
    """
    with atomic_file(path) as part:
        # Built in memory: HDF5 cannot close a file that a full disk has cut short, and brings the process down. The
        # name only has to be unique among those that are open.
        with h5py.File(
            f"{part}-{id(part)}", "w", driver="core", backing_store=False, libver=("earliest", "v110")
        ) as file:
            file.attrs["schema"] = schema
            file.attrs["version"] = version
            for key, value in sorted(provenance.items()):
                file.attrs[_PROVENANCE + key] = value
            yield file
            file.flush()
            image = file.id.get_file_image()
        part.write_bytes(image)


def provenance_of(file: h5py.File) -> dict[str, str]:
    """What made an open file, as :func:`written_file` took it."""
    named = {key: str(value) for key, value in file.attrs.items() if key.startswith(_PROVENANCE)}
    return {key.removeprefix(_PROVENANCE): value for key, value in named.items()}


@contextmanager
def open_guarded(
    path: str | os.PathLike[str],
    schema: str,
    version: int | tuple[int, ...],
    *,
    remedy: str = "make the file again, or use the metalens version that wrote it",
) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading after checking that it is what it says and holds nothing hostile.

    Args:
        path: the file.
        schema: the root attribute ``schema`` that is expected, such as ``"metalens.psf"``.
        version: the root attribute ``version`` that is expected, or those that are.
        remedy: what to do about a file of an earlier version.

    Returns:
        A context manager that gives the open file.

    Raises:
        InputError: the file is missing, unreadable, of another schema or version, or holds links, external
            storage, virtual datasets, references or sizes that do not fit what it stores.
    """
    missing = f"no such file; give the path of a {schema} file."
    target = input_file(path, f"{schema} file", largest=MAXIMUM_BYTES, missing=missing)
    _check_heaps(target)
    try:
        file = h5py.File(target, "r", locking=False)
    except OSError as error:
        raise InputError(
            f"{target}: not a readable HDF5 file ({str(error).splitlines()[0]}); make it again with metalens."
        ) from error
    with file:
        try:
            _check_attributes(file["/"], target)
            _check_identity(file, target, schema, version, remedy)
            _check_contents(file, target)
            yield file
        except InputError:
            raise
        except (OSError, RuntimeError, LookupError, TypeError, ValueError, MemoryError) as error:
            # Whatever h5py raises on a damaged file; a name that is no UTF-8 is a ValueError.
            raise InputError(
                f"{target}: damaged or not a {schema} file ({error}); make it again with metalens."
            ) from error


def _check_heaps(target: Path) -> None:
    """Refuse heaps of strings in which libhdf5 would never come to an end.

    A global heap ("GCOL": version, three reserved bytes, its size) is a row of objects (number and count of two bytes
    each, four reserved bytes, size). The library goes from one to the next by their sizes, and stays for ever where the
    object number 0, the free space, has a size of nothing.

    Args:
        target: the file.

    Raises:
        InputError: there is such a heap.
    """
    length = target.stat().st_size
    if length == 0:
        return
    with target.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(b"GCOL")
        while start >= 0:
            size = int.from_bytes(content[start + 8 : start + 16], "little")
            if content[start + 4 : start + 5] == b"\x01" and size <= length - start:
                _check_heap(content[start : start + size], target)
            start = content.find(b"GCOL", start + 4)


def _check_heap(heap: bytes, target: Path) -> None:
    place = 16
    while place + 16 <= len(heap):
        number = int.from_bytes(heap[place : place + 2], "little")
        size = int.from_bytes(heap[place + 8 : place + 16], "little")
        # Free space counts its own header; objects do not, and end on eight bytes.
        step = size if number == 0 else 16 + -(-size // 8) * 8
        if step == 0:
            raise InputError(f"{target}: damaged: an entry of its strings has no size; make it again with metalens.")
        place += step


def _check_identity(file: h5py.File, target: Path, schema: str, version: int | tuple[int, ...], remedy: str) -> None:
    found = file.attrs.get("schema")
    if not isinstance(found, str) or found != schema:
        raise InputError(
            f"{target}: found schema {found!r}, expected {schema!r}; give a file that the matching command wrote."
        )
    found_version, known = file.attrs.get("version"), version if isinstance(version, tuple) else (version,)
    if not isinstance(found_version, int | np.integer) or found_version not in known:
        read = " and ".join(map(str, known))
        raise InputError(
            f"{target}: found {schema} version {found_version}, this metalens reads version {read}; "
            f"{version_advice(found_version, known, remedy)}."
        )


def _check_contents(file: h5py.File, target: Path) -> None:
    """Look at every object once; hard links could make 2⁴⁰ paths to a few of them, or a circle."""
    total, seen, groups = 0, {_address(file)}, [file["/"]]
    while groups:
        group = groups.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise InputError(f"{target}: {group.name.rstrip('/')}/{name} is a link out of its place; refused.")
            item = group[name]
            if _address(item) in seen:
                raise InputError(f"{target}: {item.name} is there under a second name; refused.")
            seen.add(_address(item))
            _check_attributes(item, target)
            if len(seen) > MOST_OBJECTS:
                raise InputError(f"{target}: holds more than {MOST_OBJECTS} groups and datasets; refused as hostile.")
            if isinstance(item, h5py.Group):
                groups.append(item)
                continue
            if not isinstance(item, h5py.Dataset):
                raise InputError(f"{target}: {item.name} is neither a group nor a dataset; refused.")
            _check_dataset(item, target)
            total += item.size * item.dtype.itemsize
            if total > MAXIMUM_BYTES:
                raise InputError(f"{target}: declares {total} bytes of data; refused as hostile.")


def _check_attributes(item: h5py.Group | h5py.Dataset, target: Path) -> None:
    """Refuse attributes other than numbers and text before one is read: sequences of a damaged type crash libhdf5."""
    for name in item.attrs:
        kind = item.attrs.get_id(name).get_type().get_class()
        if kind not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM):
            raise InputError(f"{target}: the attribute {name} of {item.name} is neither number nor text; refused.")


def _address(item: h5py.Group | h5py.Dataset) -> int:
    return int(h5py.h5o.get_info(item.id).addr)


def _check_dataset(dataset: h5py.Dataset, target: Path) -> None:
    if dataset.external or dataset.is_virtual:
        raise InputError(f"{target}: {dataset.name} keeps its data outside the file; refused.")
    refers = h5py.check_ref_dtype(dataset.dtype) is not None or dataset.dtype.hasobject
    if refers and h5py.check_string_dtype(dataset.dtype) is None:
        raise InputError(f"{target}: {dataset.name} holds references or objects; refused.")


def read_array(
    file: h5py.File,
    name: str,
    *,
    dtype: type[np.generic],
    shape: tuple[int | None, ...],
    finite: bool = True,
    most: int = MOST_VALUES,
) -> np.ndarray:
    """Read one dataset and check its shape and values.

    Args:
        file: an open guarded file.
        name: the dataset.
        dtype: what to convert it to.
        shape: the expected shape; ``None`` allows any length on that axis.
        finite: refuse NaN and infinity.
        most: numbers that it may hold. A few packed kilobytes can declare gigabytes of zeros: what counts is what this
            kind of file may hold, not how well it is packed.

    Returns:
        The dataset as an array of ``dtype``, of the expected shape.

    Raises:
        InputError: the dataset is missing, of another shape, or not finite.
    """
    if name not in file:
        raise InputError(f"{file.filename}: has no dataset {name!r}; make the file again with metalens.")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset) or not matches(dataset.shape, shape):
        raise InputError(
            f"{file.filename}: {name} has shape {getattr(dataset, 'shape', None)}, "
            f"expected {tuple('any' if length is None else length for length in shape)}."
        )
    if dataset.size > most:
        raise InputError(f"{file.filename}: {name} declares {dataset.size} numbers; at most {most} are read.")
    if dataset.dtype.kind not in "biuf":
        raise InputError(f"{file.filename}: {name} holds {dataset.dtype}, numbers were expected.")
    stored = np.asarray(dataset[()])
    with np.errstate(over="ignore", invalid="ignore"):
        array = stored.astype(dtype, copy=False)
    if np.issubdtype(dtype, np.integer) and not np.array_equal(array, stored):
        raise InputError(f"{file.filename}: {name} holds numbers that are not whole or too large; make it again.")
    if finite and not np.isfinite(array).all():
        raise InputError(f"{file.filename}: {name} holds NaN or infinity; make the file again.")
    return array


def matches(found: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    """Whether a shape fits a pattern.

    Args:
        found: the shape.
        expected: the pattern; ``None`` stands for any length.

    Returns:
        True if it fits.
    """
    return len(found) == len(expected) and all(
        wanted is None or length == wanted for length, wanted in zip(found, expected, strict=True)
    )
