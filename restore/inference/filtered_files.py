"""Restoration of files by the joint Wiener filter: the linear control of a restorer, without networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from metalens.formats.files.atomic import atomic_directory
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank import PsfBank
from metalens.restore.deconvolution.joint_wiener import wiener_joint
from metalens.restore.inference.restored_files import CaptureFile, KeptLatents

METHOD = "wiener-joint"


def filter_files(
    bank: PsfBank,
    captures: Sequence[CaptureFile | KeptLatents],
    output: Path,
    noise_scale: float,
    *,
    place: tuple[int, int] | None = None,
    any_lens: bool = False,
    report: Callable[[float, int], None] = lambda done, total: None,
) -> list[dict[str, str]]:
    """Restore captures into a new folder: ``NAME-wiener-joint.png``; the folder is written atomically.

    Args:
        bank: point spread functions of the captures' camera.
        captures: result of :func:`metalens.restore.inference.restored_files.captures_of`.
        output: the new folder.
        noise_scale: multiple of the sensor's noise, above 0; see :func:`wiener_joint`.
        place: (row, column) on the sensor of the captures' first pixel, if they are parts of the frame. Pairs know
            theirs.
        any_lens: accept pairs of other cameras than the bank's.
        report: progress callback: captures done, captures in all.

    Returns:
        One row per written file: ``capture``, ``restored``.

    Raises:
        InputError: a capture is not of the bank's sensor or lens, or holds latents; or the disk refuses the write.
    """
    rows = []
    with atomic_directory(output) as folder:
        for done, capture in enumerate(check_filtered(bank, captures, any_lens=any_lens)):
            report(done, len(captures))
            try:
                restored = wiener_joint(capture.read(), bank, noise_scale, place=capture.place or place)
            except InputError as error:
                raise InputError(f"{capture.name}: {error}") from error
            name = f"{capture.name}-{METHOD}.png"
            write_picture(folder / name, restored)
            rows.append({"capture": capture.name, "restored": str(output / name)})
        report(len(captures), len(captures))
    return rows


def check_filtered(
    bank: PsfBank, captures: Sequence[CaptureFile | KeptLatents], *, any_lens: bool = False
) -> list[CaptureFile]:
    """Check captures, as :func:`filter_files` does before the first is filtered.

    Args:
        bank: point spread functions of the captures' camera.
        captures: result of :func:`metalens.restore.inference.restored_files.captures_of`.
        any_lens: accept pairs of other cameras than the bank's.

    Returns:
        The captures, none of which is kept latents.

    Raises:
        InputError: a capture holds latents, or is of another lens.
    """
    files = []
    for capture in captures:
        if isinstance(capture, KeptLatents):
            raise InputError(f"{capture.name}: kept latents do not hold what the camera saw; give the captures.")
        if capture.lens_hashes and bank.camera.hash not in capture.lens_hashes and not any_lens:
            raise InputError(
                f"{capture.name}: taken with another lens ({capture.lens_hashes[0][:12]}…) than that of --psf "
                f"({bank.camera.name}, {bank.camera.hash[:12]}…); give the captures' psf.h5, or --any-lens to "
                "use this one all the same."
            )
        files.append(capture)
    return files
