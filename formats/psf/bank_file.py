"""``psf.h5``: a camera's point spread functions as a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from metalens.formats.camera.camera import dump_camera, parse_camera
from metalens.formats.files.errors import InputError
from metalens.formats.files.hdf5 import open_guarded, provenance_of, read_array, written_file
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.figures import PsfFigures, figure_shapes

SCHEMA = "metalens.psf"
VERSION = 2

ARRAYS: dict[str, tuple[type[np.generic], tuple[int | None, ...]]] = {
    "position": (np.float64, (None, 2)),
    "intensity": (np.float32, (None, 3, None, None)),
    "wavelength": (np.float64, (None,)),
    "channel_weight": (np.float64, (3, None)),
    "phase_radius": (np.float64, (None,)),
    "phase": (np.float64, (None,)),
}

SUBPIXEL_ARRAYS: dict[str, tuple[type[np.generic], tuple[int | None, ...]]] = {
    "subpixel_intensity": (np.float32, (None, 3, None, None)),
    "simulated_position": (np.float64, (None, 2)),
}

LARGEST_WINDOW = 4096
"""Pixels a side; the three functions of one node take 0.2 GB at this size."""

MOST_NODES = 129 * 129
"""What ``metalens psf`` simulates at most."""

MOST_WAVELENGTHS = 1000
MOST_RADII = 2**20
MOST_SUBPIXELS = 64
"""Along the side of a pixel."""

Bank = PsfBank | str | os.PathLike[str]
"""A camera's point spread functions, or the path of its ``psf.h5``."""


def as_bank(bank: Bank) -> PsfBank:
    """The point spread functions, read if need be.

    Raises:
        InputError: as :func:`read_psf_bank`, or it is neither a bank nor a path.
    """
    if not isinstance(bank, PsfBank | str | os.PathLike):
        raise InputError(f"psf: {type(bank).__name__}; a bank or the path of a psf.h5 was expected.")
    return bank if isinstance(bank, PsfBank) else read_psf_bank(bank)


def write_psf_bank(path: str | os.PathLike[str], bank: PsfBank) -> None:
    """Write a bank as HDF5; the file appears whole or not at all.

    Args:
        path: the file, which is replaced if it is there.
        bank: the point spread functions.

    Raises:
        InputError: the folder does not exist or the disk refuses the write.

    Example: see :func:`read_psf_bank`.
    """
    with written_file(path, SCHEMA, VERSION, bank.provenance) as file:
        file.attrs["lens_toml"] = dump_camera(bank.camera)
        file.attrs["lens_hash"] = bank.camera.hash
        file.attrs["layout"] = bank.layout
        for name, (dtype, _) in (ARRAYS | SUBPIXEL_ARRAYS).items():
            if getattr(bank, name) is not None:
                _write_array(file, name, np.asarray(getattr(bank, name), dtype=dtype))
        for group in ("by_channel", "by_wavelength"):
            if getattr(bank, group) is not None:
                for name, values in getattr(bank, group).arrays().items():
                    _write_array(file, f"{group}/{name}", np.asarray(values, dtype=np.float64))


def _write_array(file: h5py.File, name: str, values: np.ndarray) -> None:
    compression = {"compression": "gzip", "shuffle": True} if values.ndim > 3 else {}
    file.create_dataset(name, data=values, **compression)


def read_psf_bank(path: str | os.PathLike[str]) -> PsfBank:
    """Read and check a bank.

    Args:
        path: a ``psf.h5``.

    Returns:
        The point spread functions, ``[node, channel, y, x]`` energy per pixel, with their camera and figures.

    Raises:
        InputError: the file is missing, damaged, hostile, of another schema or version, or inconsistent.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import metalens
        >>> camera = metalens.read_camera("hyperbolic").with_(
        ...     lens={"aperture_um": 40, "focal_length_um": 100}, sensor={"pixels": (16, 16), "pixel_pitch_um": 1}
        ... )
        >>> bank = metalens.simulate_bank(camera, fields=(2, 2), wavelengths_per_channel=1, window=(25, 25))
        >>> with TemporaryDirectory() as folder:
        ...     metalens.write_bank(f"{folder}/psf.h5", bank)
        ...     again = metalens.read_bank(f"{folder}/psf.h5")
        >>> again.camera == camera, again.intensity.shape
        (True, (4, 3, 25, 25))
    """
    with open_guarded(path, SCHEMA, VERSION, remedy="run `metalens psf` again") as file:
        camera = parse_camera(str(file.attrs["lens_toml"]), origin=f"{Path(path)}: its lens_toml")
        if camera.hash != file.attrs["lens_hash"]:
            raise InputError(f"{path}: its lens_toml and lens_hash disagree; the file was changed, make it again.")
        shapes = _declared_shapes(file)
        content: dict[str, Any] = {
            name: read_array(file, name, dtype=(ARRAYS | SUBPIXEL_ARRAYS)[name][0], shape=shape)
            for name, shape in shapes.items()
        }
        nodes, wavelengths = shapes["position"][0], shapes["wavelength"][0]
        content["by_channel"] = _read_figures(file, "by_channel", (nodes, 3), strehl=False)
        if "by_wavelength" in file:
            content["by_wavelength"] = _read_figures(file, "by_wavelength", (nodes, wavelengths), strehl=True)
        content["provenance"] = provenance_of(file)
        content["layout"] = str(file.attrs["layout"])
    try:
        return PsfBank(camera=camera, **content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _declared_shapes(file: h5py.File) -> dict[str, tuple[int, ...]]:
    """The shape of every array, from the nodes, wavelengths and window that the file declares, before any is read."""
    nodes = _declared(file, "position", MOST_NODES)
    wavelengths = _declared(file, "wavelength", MOST_WAVELENGTHS)
    radii = _declared(file, "phase_radius", MOST_RADII)
    window = _declared_window(file, "intensity", nodes, LARGEST_WINDOW)
    shapes: dict[str, tuple[int, ...]] = {
        "position": (nodes, 2),
        "intensity": (nodes, 3, *window),
        "wavelength": (wavelengths,),
        "channel_weight": (3, wavelengths),
        "phase_radius": (radii,),
        "phase": (radii,),
    }
    if any(name in file for name in SUBPIXEL_ARRAYS):
        simulated = _declared(file, "simulated_position", MOST_NODES)
        largest = MOST_SUBPIXELS * LARGEST_WINDOW
        shapes["simulated_position"] = (simulated, 2)
        shapes["subpixel_intensity"] = (
            simulated,
            3,
            *_declared_window(file, "subpixel_intensity", simulated, largest),
        )
    return shapes


def _declared(file: h5py.File, name: str, most: int) -> int:
    """The length of an array's first axis."""
    if name not in file:
        raise InputError(f"{file.filename}: has no dataset {name!r}; make the file again with metalens.")
    shape: tuple[int, ...] = getattr(file.get(name), "shape", ()) or (0,)
    if shape[0] > most:
        raise InputError(f"{file.filename}: {name} has shape {shape}, at most {most} entries are read; make it again.")
    return shape[0]


def _declared_window(file: h5py.File, name: str, nodes: int, largest: int) -> tuple[int, int]:
    """The last two axes of an array of functions."""
    shape: tuple[int, ...] = getattr(file.get(name), "shape", ())
    if len(shape) != 4 or shape[0] != nodes or max(shape[2:]) > largest:
        raise InputError(
            f"{file.filename}: {name} has shape {shape}, expected [{nodes}, 3, y, x] with at most {largest} "
            "pixels a side; make the file again."
        )
    return shape[2], shape[3]


def _read_figures(file: h5py.File, group: str, leading: tuple[int | None, ...], *, strehl: bool) -> PsfFigures:
    arrays = {
        name: read_array(file, f"{group}/{name}", dtype=np.float64, shape=shape)
        for name, shape in figure_shapes(leading, strehl=strehl).items()
    }
    try:
        return PsfFigures(**arrays)
    except InputError as error:
        raise InputError(f"{file.filename}: {group}: {error}") from error
