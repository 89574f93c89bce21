"""Guarded reading of phase maps: a freeform phase as CSV, NPY or HDF5."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.hdf5 import open_guarded, read_array
from metalens.formats.files.input_file import input_file
from metalens.formats.files.npy_file import read_npy
from metalens.formats.files.text_file import numbers_of, text_lines

SCHEMA = "metalens.phase_map"
VERSION = 1

SMALLEST_SIDE = 3
LARGEST_SIDE = 16_384
LARGEST_FILE = 2**32
"""Bytes: 16384² numbers of 16 bytes."""


def read_phase_map(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a phase map.

    Args:
        path: ``.csv`` (a line a row, numbers between commas, ``#`` begins a remark), ``.npy``, or ``.h5``/``.hdf5``
            with the dataset ``phase`` and the root attributes ``schema = "metalens.phase_map"`` and ``version = 1``.

    Returns:
        ``[y, x]`` float64 phase in radians.

    Raises:
        InputError: the file is missing, of another kind, too large, or holds no finite map of at least 3 samples a
            side.
    """
    target = existing_map(path)
    readers = {".csv": _read_csv, ".npy": _read_npy, ".h5": _read_hdf5, ".hdf5": _read_hdf5}
    reader = readers.get(target.suffix.lower())
    if reader is None:
        raise InputError(f"{target}: a phase map ends in {', '.join(readers)}; save it as one of these.")
    return reader(target)


def existing_map(path: str | os.PathLike[str]) -> Path:
    """The path of a phase map.

    Raises:
        InputError: there is no such file, or it is too large.
    """
    missing = "no such file; a phase map lies beside its lens.toml, at the name in the key file."
    return input_file(path, "phase map", largest=LARGEST_FILE, missing=missing)


def _read_csv(path: Path) -> np.ndarray:
    try:
        values = numbers_of(text_lines(path, "phase map", largest=LARGEST_FILE))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"{path}: not a table of numbers between commas ({error}); write one row of the map a line."
        ) from error
    return _checked(path, values)


def _read_npy(path: Path) -> np.ndarray:
    values = read_npy(path)
    return _checked(path, values)


def _read_hdf5(path: Path) -> np.ndarray:
    with open_guarded(path, SCHEMA, VERSION) as file:
        dataset = file.get("phase")
        # The shape is looked at first: reading converts the whole of it.
        if dataset is not None:
            _check_shape(path, getattr(dataset, "shape", ()))
        return _checked(path, read_array(file, "phase", dtype=np.float64, shape=(None, None)))


def _check_shape(path: Path, shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or min(shape) < SMALLEST_SIDE or max(shape) > LARGEST_SIDE:
        raise InputError(
            f"{path}: the map has the shape {tuple(shape)}, expected [y, x] with {SMALLEST_SIDE} to {LARGEST_SIDE} "
            "samples a side."
        )


def _checked(path: Path, values: np.ndarray) -> np.ndarray:
    _check_shape(path, values.shape)
    if values.dtype.kind not in "iuf":
        raise InputError(f"{path}: holds {values.dtype}, real numbers in radians were expected.")
    values = np.array(values, dtype=np.float64)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise InputError(
            f"{path}: sample [{row}, {column}] is not finite; give every sample a value, "
            "also those outside the aperture."
        )
    return values
