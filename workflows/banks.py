"""The psf.h5 of a source: a file, an address on the hub, or a camera, whose functions are simulated once and kept."""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from metalens import __version__
from metalens.formats.camera.camera import Camera, preset_names, read_camera
from metalens.formats.files.cache_folder import cache_folder
from metalens.formats.files.claim import held
from metalens.formats.files.errors import InputError, Notice
from metalens.formats.files.input_file import is_file
from metalens.formats.hub.kept import local_psf
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import Bank, write_psf_bank

BankSource = Bank | Camera
"""A camera's point spread functions, their ``psf.h5``, or the camera itself, whose functions are simulated and kept."""

STAND_IN = "stand-in"
"""In the provenance of functions that are not simulated yet."""


def bank_file(
    source: str | os.PathLike[str] | Camera, progress: Callable[[int, int], None] = lambda done, total: None
) -> Path:
    """The psf.h5 of a source; of a camera it is simulated with the defaults, if it is not in the cache folder yet.

    Args:
        source: a psf.h5; ``hf:user/name[@revision]``; the name of a preset; a ``lens.toml``; or a camera in memory.
        progress: called with fields simulated and their total.

    Returns:
        Path of the file. That it is a psf.h5 is left to its reader.

    Raises:
        InputError: the camera cannot be read or simulated, or the hub has no such file.
    """
    if isinstance(source, Camera):
        camera = source
    elif is_camera(source):
        camera = read_camera(source)
    else:
        return local_psf(source)
    path = kept_bank(camera)
    if path.is_file():
        return path
    from metalens.psf.bank import simulate_bank

    warnings.warn(
        Notice(f"{camera.name}: its point spread functions are simulated now and kept as {path}."), stacklevel=2
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with held(path.with_suffix(".lock"), path):
        write_psf_bank(path, simulate_bank(camera, progress=progress))
    warnings.warn(
        Notice(
            f"{camera.name}: simulated in {time.monotonic() - begun:.0f} s; `metalens psf` does it with other settings."
        ),
        stacklevel=2,
    )
    return path


def bank_of(source: BankSource) -> Bank:
    """A bank as :func:`bank_file` finds it; one in memory is returned unchanged.

    Raises:
        InputError: as :func:`bank_file`, or the source is of another type.
    """
    if not isinstance(source, PsfBank | Camera | str | os.PathLike):
        raise InputError(
            f"psf: {type(source).__name__}; a bank, the path of a psf.h5, or a camera, its lens.toml or preset was "
            "expected."
        )
    return source if isinstance(source, PsfBank) else bank_file(source)


def banks_of(sources: BankSource | Sequence[BankSource]) -> list[Bank]:
    """One bank or several, each by :func:`bank_of`."""
    if isinstance(sources, Sequence) and not isinstance(sources, str):
        return [bank_of(each) for each in sources]
    return [bank_of(sources)]


def is_camera(source: str | os.PathLike[str]) -> bool:
    """Whether a source names a camera and not its functions: a preset, unless a file has its name, or a .toml."""
    name = os.fspath(source)
    return name.endswith(".toml") or (name in preset_names() and not is_file(name))


def kept_bank(camera: Camera) -> Path:
    """Where the functions of a camera are kept, by the hash of the camera and the version of the package."""
    digest = hashlib.sha256(f"{camera.hash} {__version__}".encode()).hexdigest()
    return cache_folder() / "banks" / f"{digest[:32]}.h5"


def planned_bank(source: str | os.PathLike[str]) -> Bank:
    """The psf.h5 of a source for a dry run; a stand-in where a camera's functions are not kept yet.

    Args:
        source: as that of :func:`bank_file`.

    Returns:
        A path, or Gaussians at the nodes and in the window that are planned, wider away from the axis.

    Raises:
        InputError: as :func:`bank_file`; a camera that cannot be simulated is refused, and told by a notice otherwise.
    """
    if not is_camera(source):
        return local_psf(source)
    camera = read_camera(source)
    path = kept_bank(camera)
    if path.is_file():
        return path
    from metalens.psf.bank_plan import plan_bank
    from metalens.psf.bank_request import BankRequest
    from metalens.psf.external_bank import bank_of_functions

    plan = plan_bank(camera, BankRequest())
    warnings.warn(
        Notice(f"{camera.name}: its point spread functions would be simulated first and kept as {path}."), stacklevel=2
    )
    # A blur costs what the window and the change from node to node ask for, not what the functions look like.
    away = np.hypot(*plan.position.T) / max(float(np.hypot(*plan.position.T).max()), camera.sensor.pixel_pitch_m)
    place = (np.arange(plan.side) - plan.side // 2) / plan.side
    lines = np.exp(-0.5 * np.square(place / (0.06 * (1 + away[:, None]))))
    lines /= lines.sum(axis=1, keepdims=True)
    functions = np.repeat((lines[:, None, :, None] * lines[:, None, None, :]), len(camera.spectrum.channels), axis=1)
    told = {STAND_IN: "Gaussians"}
    return bank_of_functions(camera, functions, plan.position, layout=plan.layout, provenance=told)
