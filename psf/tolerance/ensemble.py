"""Banks of an ensemble of drawn lenses, for training a restorer that tolerates fabrication errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from metalens.formats.camera.camera import Camera, camera_of_json, camera_to_json
from metalens.formats.design.tolerance_run import ToleranceRun
from metalens.formats.files.arguments import require_whole
from metalens.formats.files.claim import claimed_folder
from metalens.formats.files.errors import InputError
from metalens.formats.files.linked_file import file_sha256
from metalens.formats.psf.bank import GREEN, grid_positions
from metalens.formats.psf.bank_file import read_psf_bank, write_psf_bank
from metalens.formats.psf.ensemble import (
    SETTINGS,
    EnsembleManifest,
    EnsembleMember,
    PsfEnsemble,
    read_psf_ensemble,
    write_ensemble_manifest,
)
from metalens.psf.bank import simulate_bank
from metalens.psf.bank_plan import WANTED_SHARE
from metalens.psf.camera_fields import view_of
from metalens.psf.field_symmetry import nodes_across
from metalens.psf.spectra.spectrum import spectral_quadrature
from metalens.psf.tolerance.draws import drawn_camera, drawn_numbers
from metalens.psf.tolerance.monte_carlo import applied_errors
from metalens.psf.window import choose_window
from metalens.runners.job import Progress
from metalens.runners.local import check_workers, workers_of

ROOM = 1.15
"""Factor on the window of the nominal lens, because lenses with errors spread their light wider."""

LARGEST_ENSEMBLE = 100_000

_PACKAGES = ("metalens", "numpy", "jax")


def simulate_ensemble(
    camera: Camera,
    run: ToleranceRun,
    folder: str | os.PathLike[str],
    *,
    count: int,
    workers: int = 1,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PsfEnsemble:
    """Simulate the banks of the first draws of a camera into a folder; all windows have one size.

    Args:
        camera: the camera.
        run: errors, seed, field points, wavelengths and window, of :func:`metalens.psf.tolerance.monte_carlo
            .tolerance_run_of`: member i is draw i of this Monte Carlo. Without a window, that of the nominal lens is
            taken, with a margin.
        folder: new or empty, or of an interrupted run.
        count: number of lenses.
        workers: processes.
        resume: continue an interrupted run with the same arguments.
        progress: called with the number of banks done and their total.

    Returns:
        The ensemble, its banks read when they are asked for.

    Raises:
        InputError: a number is out of range, the folder holds something else, or a lens cannot be simulated.
    """
    check_workers(workers)
    check_count(count)
    target = Path(folder)
    errors = applied_errors(run)
    drawn = [drawn_numbers(errors, run.seed, index) for index in range(count)]
    side = run.window or _common_window(camera, run.fields, run.wavelengths_per_channel)
    settings = {"fields": run.fields, "wavelengths_per_channel": run.wavelengths_per_channel, "window": (side, side)}
    asked = {"lens_hash": camera.hash, "errors": errors.model_dump(), "count": count, "seed": run.seed, **settings}
    with claimed_folder(target, SETTINGS, asked, resume=resume):
        cameras = [drawn_camera(camera, numbers) for numbers in drawn]
        _simulate_members(cameras, target, settings, workers, progress)
        members = [
            EnsembleMember(
                file=_name(index),
                sha256=file_sha256(target / _name(index)),
                lens_hash=each.hash,
                draw=index,
                errors=drawn[index],
            )
            for index, each in enumerate(cameras)
        ]
        versions = {package: version(package) for package in _PACKAGES}
        manifest = EnsembleManifest(
            camera_name=camera.name, lens_hash=camera.hash, seed=run.seed, members=tuple(members), versions=versions
        )
        write_ensemble_manifest(target, manifest)
        return read_psf_ensemble(target)


def _simulate_members(
    drawn: list[Camera],
    target: Path,
    settings: dict[str, Any],
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Write the banks that are missing."""
    missing = [
        {"camera": camera_to_json(each), "path": str(target / _name(index)), **settings}
        for index, each in enumerate(drawn)
        if not _is_done(target / _name(index), each)
    ]
    with closing(workers_of(workers)) as runner:
        for done, _ in enumerate(runner.run(SIMULATE, missing), start=len(drawn) - len(missing) + 1):
            if progress is not None:
                progress(done, len(drawn))


def check_count(count: int) -> None:
    """Check the size of an ensemble.

    Raises:
        InputError: it is below 1 or very large.
    """
    require_whole(count, "tolerance: lenses of the ensemble")
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
    side = choose_window(camera, view, wavelength, weight, share=WANTED_SHARE + 0.01)
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
