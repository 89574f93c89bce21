"""Restoration of files by the joint Wiener filter: the linear control of a restorer, without networks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.distortion import Distortion, undistorted
from metalens.formats.pictures.metadata import NO_METADATA, read_metadata
from metalens.formats.pictures.picture_output import PNG_OF_8_BITS, PictureForm, write_values
from metalens.formats.psf.bank import PsfBank
from metalens.restore.deconvolution.joint_wiener import wiener_joint
from metalens.restore.inference.capture_files import CaptureFile, KeptLatents
from metalens.restore.inference.capture_run import AnyCapture, CapturesDone, CaptureWork, Report, run_over_captures

METHOD = "wiener-joint"


@dataclass(frozen=True)
class FilterOptions:
    """How files are filtered.

    Attributes:
        noise_scale: multiple of the sensor's noise, above 0; see :func:`wiener_joint`.
        place: (row, column) on the sensor of the captures' first pixel, if they are parts of the frame. Pairs know
            theirs.
        any_lens: accept pairs of other cameras than the bank's.
        form: container and bits of the pictures.
        distortion: of the camera, to be taken out of the pictures; None leaves them as the sensor sees them.
    """

    noise_scale: float
    place: tuple[int, int] | None = None
    any_lens: bool = False
    form: PictureForm = PNG_OF_8_BITS
    distortion: Distortion | None = None


def filter_files(
    bank: PsfBank,
    captures: Sequence[AnyCapture],
    output: Path,
    options: FilterOptions,
    *,
    resume: bool = False,
    report: Report = lambda done, total: None,
) -> CapturesDone:
    """Restore captures into a new folder: ``NAME-wiener-joint.png``. One that cannot be used stops no other.

    Args:
        bank: point spread functions of the captures' camera.
        captures: result of :func:`metalens.restore.inference.capture_files.captures_of`.
        output: the new folder.
        options: the filter's setting, and the form of the pictures.
        resume: whether the folder may be that of an interrupted run, of which only what is missing is done.
        report: progress callback: captures done, captures in all.

    Returns:
        Rows ``capture``, ``restored``.

    Raises:
        InputError: no capture is of the bank's sensor and lens, or the disk refuses the write.
    """
    work = _Work(bank, output, options)
    note = {
        "schema": "metalens.restoration",
        "version": 1,
        "method": METHOD,
        "functions": hashlib.sha256(np.ascontiguousarray(bank.intensity).tobytes()).hexdigest(),
        "camera": bank.camera.hash,
        "noise_scale": options.noise_scale,
        "place": options.place,
        "form": asdict(options.form),
        "undistorted": options.distortion is not None,
    }
    done = CaptureWork(work.check, work.files, work.prepare, work.write)
    return run_over_captures(captures, done, [output], note, resume=resume, report=report)


def check_filtered(bank: PsfBank, captures: Sequence[AnyCapture], *, any_lens: bool = False) -> list[CaptureFile]:
    """Check captures, as :func:`filter_files` does before the first is filtered.

    Args:
        bank: point spread functions of the captures' camera.
        captures: result of :func:`metalens.restore.inference.capture_files.captures_of`.
        any_lens: accept pairs of other cameras than the bank's.

    Returns:
        The captures, none of which is kept latents.

    Raises:
        InputError: a capture holds latents, or is of another lens.
    """
    work = _Work(bank, Path(), FilterOptions(1.0, any_lens=any_lens))
    for capture in captures:
        work.check(capture)
    return [capture for capture in captures if isinstance(capture, CaptureFile)]


@dataclass(frozen=True)
class _Work:
    """See :class:`CaptureWork`."""

    bank: PsfBank
    output: Path
    options: FilterOptions

    def check(self, capture: AnyCapture) -> None:
        """Refuse what the filter cannot restore."""
        if isinstance(capture, KeptLatents):
            raise InputError(f"{capture.name}: kept latents do not hold what the camera saw; give the captures.")
        camera = self.bank.camera
        if capture.lens_hashes and camera.hash not in capture.lens_hashes and not self.options.any_lens:
            raise InputError(
                f"{capture.name}: taken with another lens ({capture.lens_hashes[0][:12]}…) than that of --psf "
                f"({camera.name}, {camera.hash[:12]}…); give the captures' psf.h5, or --any-lens to use this one all "
                "the same."
            )

    def files(self, capture: AnyCapture) -> list[Path]:
        """Its only file."""
        return [self.output / f"{capture.name}-{METHOD}{self.options.form.suffix}"]

    def prepare(self, capture: AnyCapture, tell: Callable[[float], None]) -> np.ndarray:
        """The filtered picture as floats."""
        del tell
        assert isinstance(capture, CaptureFile)
        picture = capture.read(self.bank.camera.sensor)
        try:
            place, scale = capture.place or self.options.place, self.options.noise_scale
            values = wiener_joint(picture, self.bank, scale, place=place, dtype=np.dtype(np.float32))
            return values if self.options.distortion is None else undistorted(values, self.options.distortion, place)
        except InputError as error:
            raise InputError(f"{capture.name}: {error}") from error

    def write(self, capture: AnyCapture, values: np.ndarray) -> list[dict[str, Any]]:
        """Write the restored picture."""
        (path,) = self.files(capture)
        origin = capture.path if isinstance(capture, CaptureFile) else None
        metadata = NO_METADATA if origin is None else read_metadata(origin)
        write_values(path, values, self.options.form, metadata)
        row: dict[str, Any] = {"capture": capture.name, "restored": str(path)}
        return [row if metadata.carried else row | {"metadata": "left out"}]
