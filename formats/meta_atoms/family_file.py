"""Families of meta-atoms in an HDF5 file: in ``library.h5`` and ``structure.h5``."""

from __future__ import annotations

import h5py
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.hdf5 import read_array
from metalens.formats.meta_atoms.families import MOST_FAMILIES, AtomTable
from metalens.formats.meta_atoms.shapes import MOST_VERTICES, Family

_SHAPES, _ROTATION, _COUNT, _VERTICES = "family_shapes", "family_rotation", "family_vertex_count", "family_vertices"
_FAMILY = "family"


def write_families(file: h5py.File, table: AtomTable) -> None:
    """Write families into a file, and which each meta-atom is of.

    Args:
        file: open for writing.
        table: of meta-atoms, with families.
    """
    families = table.families
    polygons = [np.array(family.vertices or (), dtype=np.float64).reshape(-1, 2) for family in families]
    file.attrs[_SHAPES] = ",".join(family.shape for family in families)
    file.create_dataset(_ROTATION, data=np.array([family.rotation for family in families]), track_times=False)
    file.create_dataset(_COUNT, data=np.array([len(each) for each in polygons]), track_times=False)
    file.create_dataset(_VERTICES, data=np.concatenate(polygons), track_times=False)
    if table.family is not None:
        file.create_dataset(_FAMILY, data=table.family.astype(np.uint8), track_times=False)


def read_families(file: h5py.File, atoms: int) -> tuple[tuple[Family, ...], np.ndarray | None]:
    """Read them back.

    Args:
        file: open, guarded.
        atoms: how many meta-atoms there are.

    Returns:
        The families, and ``[atom]`` the number of each one's; None of one family.

    Raises:
        InputError: they are missing or contradict themselves.
    """
    shapes = str(file.attrs[_SHAPES]).split(",")
    if len(shapes) > MOST_FAMILIES:
        raise InputError(f"{file.filename}: holds {len(shapes)} families; at most {MOST_FAMILIES} are read.")
    rotation = read_array(file, _ROTATION, dtype=np.float64, shape=(len(shapes),))
    count = read_array(file, _COUNT, dtype=np.int64, shape=(len(shapes),))
    vertices = read_array(file, _VERTICES, dtype=np.float64, shape=(None, 2), most=2 * MOST_FAMILIES * MOST_VERTICES)
    if (count < 0).any() or count.sum() != len(vertices):
        raise InputError(f"{file.filename}: {_COUNT} does not fit the {len(vertices)} vertices; make the file again.")
    parts = np.split(vertices, np.cumsum(count)[:-1])
    try:
        families = tuple(
            Family(shape, float(angle), tuple((float(x), float(y)) for x, y in part) or None)  # type: ignore[arg-type]
            for shape, angle, part in zip(shapes, rotation, parts, strict=True)
        )
    except InputError as error:
        raise InputError(f"{file.filename}: {error}.") from error
    if len(families) == 1:
        return families, None
    return families, read_array(file, _FAMILY, dtype=np.int64, shape=(atoms,))
