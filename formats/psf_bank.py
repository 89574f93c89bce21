"""``psf.h5``: the point spread functions of a camera over its field and colour channels."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

import h5py
import numpy as np

from metalens.formats.atomic import atomic_file
from metalens.formats.camera import Camera, dump_camera, parse_camera
from metalens.formats.errors import InputError
from metalens.formats.hdf5 import open_guarded, read_array

SCHEMA = "metalens.psf"
VERSION = 1

_ARRAYS: dict[str, tuple[type[np.generic], tuple[int | None, ...]]] = {
    "intensity": (np.float32, (None, None, 3, None, None)),
    "field_y": (np.float64, (None,)),
    "field_x": (np.float64, (None,)),
    "wavelength": (np.float64, (None,)),
    "channel_weight": (np.float64, (3, None)),
    "full_width_half_maximum": (np.float64, (None, None, 3)),
    "rms_width": (np.float64, (None, None, 3)),
    "half_energy_radius": (np.float64, (None, None, 3)),
    "strehl_ratio": (np.float64, (None, None, None)),
    "phase_radius": (np.float64, (None,)),
    "phase": (np.float64, (None,)),
}


@dataclass(frozen=True)
class PsfBank:
    """Point spread functions on a rectangular grid of sensor positions, with their measures.

    Lengths are metres, angles radians; the origin is the optical axis, row 0 is at the top, y points down.

    Attributes:
        camera: the camera that was simulated.
        intensity: ``[field_y, field_x, channel, y, x]``, energy per sensor pixel of one point of the scene; the
            chief ray lands on sample ``(ny // 2, nx // 2)``; the sum over y, x is the share of the light through
            the aperture that reaches the window.
        field_y: ``[field_y]`` positions of the chief ray on the sensor, ascending (downwards).
        field_x: ``[field_x]`` positions of the chief ray on the sensor, ascending (rightwards).
        wavelength: ``[wavelength]`` that were simulated.
        channel_weight: ``[channel, wavelength]``, each row sums to 1.
        full_width_half_maximum: ``[field_y, field_x, channel]``, DMDiff Eq. 2: √(FWHM₁² + FWHM₂²) of a rotated
            Gaussian fit; a round spot reads √2 times its width along one axis.
        rms_width: ``[field_y, field_x, channel]``, √(σ₁² + σ₂²) of the intensity in the window.
        half_energy_radius: ``[field_y, field_x, channel]``, radius about the centroid that holds half of the
            window's energy.
        strehl_ratio: ``[field_y, field_x, wavelength]``, peak against the unaberrated lens of equal aperture.
        phase_radius: ``[sample]`` distances from the lens' centre.
        phase: ``[sample]`` phase of the lens there.
        provenance: the versions and settings that made the bank, as text.
    """

    camera: Camera
    intensity: np.ndarray
    field_y: np.ndarray
    field_x: np.ndarray
    wavelength: np.ndarray
    channel_weight: np.ndarray
    full_width_half_maximum: np.ndarray
    rms_width: np.ndarray
    half_energy_radius: np.ndarray
    strehl_ratio: np.ndarray
    phase_radius: np.ndarray
    phase: np.ndarray
    provenance: dict[str, str]

    def __post_init__(self) -> None:
        rows, columns, _, *window = self.intensity.shape
        wavelengths = len(self.wavelength)
        expected = {
            "field_y": (rows,),
            "field_x": (columns,),
            "channel_weight": (3, wavelengths),
            "full_width_half_maximum": (rows, columns, 3),
            "rms_width": (rows, columns, 3),
            "half_energy_radius": (rows, columns, 3),
            "strehl_ratio": (rows, columns, wavelengths),
            "phase": self.phase_radius.shape,
        }
        for name, shape in expected.items():
            found = getattr(self, name).shape
            if found != shape:
                raise InputError(f"psf bank: {name} has shape {found}, the other arrays ask for {shape}.")
        if min(rows, columns) < 1 or min(window) < 1:
            raise InputError("psf bank: holds no point spread function.")
        for name in ("field_y", "field_x"):
            if np.any(np.diff(getattr(self, name)) <= 0):
                raise InputError(f"psf bank: {name} must ascend.")
        if (self.intensity < 0).any():
            raise InputError("psf bank: intensity must not be negative.")
        if (self.intensity.sum(axis=(-2, -1)) <= 0).any():
            raise InputError("psf bank: a point spread function holds no light.")

    @property
    def pixel_pitch(self) -> float:
        """Sample spacing of the intensity in metres: the sensor's pixel pitch."""
        return self.camera.sensor.pixel_pitch_m


def write_psf_bank(path: str | os.PathLike[str], bank: PsfBank) -> None:
    """Write a bank as HDF5; the file appears whole or not at all.

    Raises:
        InputError: the folder does not exist or the disk refuses the write.
    """
    with atomic_file(path) as part, h5py.File(part, "w", libver=("earliest", "v110")) as file:
        file.attrs["schema"] = SCHEMA
        file.attrs["version"] = VERSION
        file.attrs["lens_toml"] = dump_camera(bank.camera)
        file.attrs["lens_hash"] = bank.camera.hash
        for key, value in bank.provenance.items():
            file.attrs[f"provenance_{key}"] = value
        for name, (dtype, _) in _ARRAYS.items():
            values = np.asarray(getattr(bank, name), dtype=dtype)
            compression = {"compression": "gzip", "shuffle": True} if values.ndim > 3 else {}
            file.create_dataset(name, data=values, **compression)


def read_psf_bank(path: str | os.PathLike[str]) -> PsfBank:
    """Read and check a bank.

    Raises:
        InputError: the file is missing, damaged, hostile, of another schema or version, or inconsistent.
    """
    with open_guarded(path, SCHEMA, VERSION) as file:
        camera = parse_camera(str(file.attrs["lens_toml"]), origin=f"{Path(path)}: its lens_toml")
        if camera.hash != file.attrs["lens_hash"]:
            raise InputError(f"{path}: its lens_toml and lens_hash disagree; the file was changed, make it again.")
        arrays = {name: read_array(file, name, dtype=dtype, shape=shape) for name, (dtype, shape) in _ARRAYS.items()}
        prefix = "provenance_"
        provenance = {
            key.removeprefix(prefix): str(value) for key, value in file.attrs.items() if key.startswith(prefix)
        }
    assert {"camera", "provenance", *arrays} == {field.name for field in fields(PsfBank)}
    try:
        return PsfBank(camera=camera, provenance=provenance, **arrays)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
