"""Banks of an ensemble of drawn lenses, for training a restorer that tolerates fabrication errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from metalens.formats.camera.camera import Camera, camera_of_json, camera_to_json
from metalens.formats.design.tolerance_spec import Errors
from metalens.formats.files.claim import claimed_folder
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import GREEN, grid_positions, read_psf_bank, write_psf_bank
from metalens.formats.psf.ensemble import (
    SETTINGS,
    EnsembleManifest,
    EnsembleMember,
    PsfEnsemble,
    file_sha256,
    read_psf_ensemble,
    write_ensemble_manifest,
)
from metalens.psf.bank import WANTED_SHARE, simulate_bank
from metalens.psf.camera_fields import view_of
from metalens.psf.field_symmetry import nodes_across
from metalens.psf.spectra.spectrum import spectral_quadrature
from metalens.psf.tolerance.draws import drawn_camera, drawn_numbers
from metalens.psf.window import choose_window
from metalens.runners.job import Progress
from metalens.runners.local import check_workers, workers_of

ROOM = 1.15
"""Factor on the window of the nominal lens, because lenses with errors spread their light wider."""

LARGEST_ENSEMBLE = 100_000

_PACKAGES = ("metalens", "numpy", "jax")


def simulate_ensemble(
    camera: Camera,
    errors: Errors,
    folder: str | os.PathLike[str],
    *,
    count: int,
    seed: int = 0,
    fields: tuple[int, int] = (7, 7),
    wavelengths_per_channel: int | None = None,
    window: int | None = None,
    workers: int = 1,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PsfEnsemble:
    """Simulate the banks of the first draws of a camera into a folder; all windows have one size.

    Args:
        camera: the camera.
        errors: of :func:`metalens.psf.tolerance.draws.applicable_errors`.
        folder: new or empty, or of an interrupted run.
        count: how many lenses.
        seed: of the draws: member i is draw i of a Monte Carlo with this seed.
        fields: rows and columns of nodes.
        wavelengths_per_channel: by default the camera's own.
        window: side in pixels, odd; by default that of the nominal lens with a margin.
        workers: processes.
        resume: continue an interrupted run with the same arguments.
        progress: called with the number of banks done and their total.

    Raises:
        InputError: a number is out of range, the folder holds something else, or a lens cannot be simulated.
    """
    check_workers(workers)
    check_count(count)
    target = Path(folder)
    side = window or _common_window(camera, fields, wavelengths_per_channel)
    settings = {"fields": fields, "wavelengths_per_channel": wavelengths_per_channel, "window": (side, side)}
    asked = {"lens_hash": camera.hash, "errors": errors.model_dump(), "count": count, "seed": seed, **settings}
    with claimed_folder(target, SETTINGS, asked, resume=resume):
        return _simulate_members(camera, errors, target, count, seed, settings, workers, progress)


def _simulate_members(
    camera: Camera,
    errors: Errors,
    target: Path,
    count: int,
    seed: int,
    settings: dict[str, Any],
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> PsfEnsemble:
    drawn = [drawn_camera(camera, drawn_numbers(errors, seed, index)) for index in range(count)]
    missing = [
        {"camera": camera_to_json(each), "path": str(target / _name(index)), **settings}
        for index, each in enumerate(drawn)
        if not _is_done(target / _name(index), each)
    ]
    with closing(workers_of(workers)) as runner:
        for done, _ in enumerate(runner.run(SIMULATE, missing), start=count - len(missing) + 1):
            if progress is not None:
                progress(done, count)
    members = [
        EnsembleMember(
            file=_name(index),
            sha256=file_sha256(target / _name(index)),
            lens_hash=each.hash,
            draw=index,
            errors=drawn_numbers(errors, seed, index),
        )
        for index, each in enumerate(drawn)
    ]
    versions = {package: version(package) for package in _PACKAGES}
    manifest = EnsembleManifest(
        camera_name=camera.name, lens_hash=camera.hash, seed=seed, members=tuple(members), versions=versions
    )
    write_ensemble_manifest(target, manifest)
    return read_psf_ensemble(target)


def check_count(count: int) -> None:
    """Check the size of an ensemble.

    Raises:
        InputError: it is below 1 or very large.
    """
    if not 1 <= count <= LARGEST_ENSEMBLE:
        raise InputError(f"tolerance: an ensemble of {count} was asked for, 1 to {LARGEST_ENSEMBLE} were expected.")


def _name(index: int) -> str:
    return f"{index:03d}.h5"


def _common_window(camera: Camera, fields: tuple[int, int], wavelengths_per_channel: int | None) -> int:
    pitch = camera.sensor.pixel_pitch_m
    sides = (pixels * pitch for pixels in camera.sensor.pixels)
    position = grid_positions(*(nodes_across(number, side) for number, side in zip(fields, sides, strict=True)))
    wavelength, weight = spectral_quadrature(camera.spectrum, wavelengths_per_channel)
    view = view_of(camera, position, float(weight[GREEN] @ wavelength))
    side = choose_window(view, wavelength, weight, pitch, share=WANTED_SHARE + 0.01)
    return int(0.5 * ROOM * side) * 2 + 1


def _is_done(path: Path, camera: Camera) -> bool:
    """Whether the bank of a drawn lens exists and is complete."""
    if not path.is_file():
        return False
    try:
        return read_psf_bank(path).camera.hash == camera.hash
    except InputError:
        return False


SIMULATE = "metalens.psf.tolerance.ensemble:simulate_member"
"""The job's name."""


def simulate_member(spec: Mapping[str, Any], progress: Progress) -> None:
    """Simulate and write the bank of one drawn lens; runs as a job in a worker process.

    Args:
        spec: ``camera`` as JSON, ``path`` of the bank, and arguments of :func:`metalens.simulate_bank`.
        progress: not used.
    """
    del progress
    settings: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in spec.items()}
    camera, path = camera_of_json(settings.pop("camera")), settings.pop("path")
    write_psf_bank(path, simulate_bank(camera, **settings))
