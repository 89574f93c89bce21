"""Restore files: captures or kept latents in, pictures out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from metalens.formats.camera.unknown import is_unknown
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.distortion import Distortion, undistorted
from metalens.formats.pictures.metadata import NO_METADATA, read_metadata
from metalens.formats.pictures.picture_output import PNG_OF_8_BITS, PictureForm, write_values
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.formats.psf.bank import PsfBank
from metalens.restore.adapter.lens_transfer import use_for_lens
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.inference.capture import Capture
from metalens.restore.inference.capture_check import check_capture
from metalens.restore.inference.capture_files import CaptureFile, KeptLatents
from metalens.restore.inference.capture_run import (
    AnyCapture,
    CapturesDone,
    CaptureWork,
    Report,
    run_over_captures,
)
from metalens.restore.inference.data_consistency import DataConsistency
from metalens.restore.inference.frame_sequence import Steadying, frames_in_order, sequence_flicker
from metalens.restore.inference.latents_file import SUFFIX, load_latents, save_latents
from metalens.restore.inference.restoration import (
    ONE_STEP,
    Latents,
    Settings,
    check_alphas,
    decode_values,
    latents_of,
    sound_capture,
)
from metalens.restore.inference.restored_names import restored_name, uncertainty_name
from metalens.restore.inference.uncertainty import as_grey, calibration, expected_error


def known_lenses(restorer: Restorer) -> set[str]:
    """Hashes of the cameras on which an adapter was trained."""
    known = {restorer.camera.hash}
    for pairs in (*restorer.training.get("pairs", []), *restorer.training.get("pairs_before", [])):
        known |= {*pairs.get("lens_hashes", []), *([pairs["lens_hash"]] if "lens_hash" in pairs else [])}
    return known


def take_camera(restorer: Restorer, bank: PsfBank, *, any_lens: bool = False) -> None:
    """Switch a restorer, in place, to the camera of a bank: its sensor and its lens map.

    Args:
        restorer: prior and adapter.
        bank: point spread functions of the camera.
        any_lens: whether to allow a camera on which the adapter was not trained.

    Raises:
        InputError: the adapter was not trained for that camera, and ``any_lens`` does not allow it.
    """
    _require_known({bank.camera.hash}, bank.camera.name, restorer, any_lens)
    use_for_lens(restorer, bank)


def _require_known(hashes: set[str], name: str, restorer: Restorer, any_lens: bool) -> None:
    unknown = sorted(hashes - known_lenses(restorer))
    if unknown and not any_lens:
        raise InputError(
            f"{name}: taken with another lens ({unknown[0][:12]}…) than the adapter was trained for "
            f"({restorer.camera.name}, {restorer.camera.hash[:12]}…); train an adapter for it with metalens train "
            "--init, or give its psf.h5 with --psf and --any-lens to use this one all the same."
        )


@dataclass(frozen=True)
class RestoreOptions:
    """How files are restored.

    Attributes:
        alphas: one picture for each; ignored with a map.
        settings: steps, tiles, place.
        alpha_map: α at every pixel, ``[y, x]`` of the photographs' size.
        any_lens: accept captures of lenses on which the adapter was not trained.
        consistency: data consistency to apply, if given; not for kept latents, which lack the capture.
        uncertainty: the camera's point spread functions, to write a map of the expected error beside each picture:
            ``NAME-alpha0.75-uncertainty.png``, black for no error, white for 32/255 and more.
        form: container and bits of the pictures.
        sequence: whether the captures are frames of a sequence, whose flicker is measured.
        steady: share by which each frame of a sequence is drawn towards the one before it.
        distortion: of the camera, to be taken out of pictures and maps; None leaves them as the sensor sees them.
    """

    alphas: Sequence[float]
    settings: Settings = ONE_STEP
    alpha_map: np.ndarray | None = None
    any_lens: bool = False
    consistency: DataConsistency | None = None
    uncertainty: PsfBank | None = None
    form: PictureForm = PNG_OF_8_BITS
    sequence: bool = False
    steady: float = 0.0
    distortion: Distortion | None = None


def restore_files(
    restorer: Restorer,
    captures: Sequence[AnyCapture],
    output: Path,
    options: RestoreOptions,
    *,
    latents: Path | None = None,
    resume: bool = False,
    report: Report = lambda done, total: None,
) -> CapturesDone:
    """Restore captures into a new folder: ``NAME-alpha0.75.png`` for each α, ``NAME-map.png`` with a map of α.

    All captures are checked before the first is restored. One that cannot be used stops no other. Values are floats
    from the capture to the file.

    Args:
        restorer: prior and adapter.
        captures: result of :func:`metalens.restore.inference.capture_files.captures_of`.
        output: the new folder.
        options: α, the settings of the restoration, and the form of the pictures.
        latents: a new folder for the latents of every capture.
        resume: whether the folders may be those of an interrupted run, of which only what is missing is done.
        report: progress callback.

    Returns:
        Rows ``capture``, ``alpha``, ``restored``; with uncertainty also the map's file and the mean ``expected_error``
        in display values; ``metadata`` is ``left out`` where the capture's is damaged.

    Raises:
        InputError: no capture can be used, the options do not fit them, or the disk refuses the write.
    """
    check_alphas(options.alphas)
    _check_options(restorer, captures, options, latents)
    frames = frames_in_order(captures) if options.sequence or options.steady else []
    steadying = Steadying(restorer, frames, options.steady, output) if options.steady else None
    work = _Work(restorer, output, options, latents, steadying)
    done = run_over_captures(
        frames or captures,
        CaptureWork(work.check, work.files, work.prepare, work.write),
        [output] if latents is None else [output, latents],
        _settings_note(restorer, options),
        resume=resume,
        report=report,
    )
    if steadying is not None:
        steadying.finish()
    if frames:
        restored = [frame for frame in frames if all(path.is_file() for path in work.files(frame))]
        files = {label: [output / name for name in names] for label, names in work.by_label(restored).items()}
        done.flicker = sequence_flicker(restorer, restored, files)
    return done


def check_files(
    restorer: Restorer,
    captures: Sequence[AnyCapture],
    options: RestoreOptions,
    *,
    latents: Path | None = None,
) -> list[tuple[int, int]]:
    """Check captures, as :func:`restore_files` does before the first is restored.

    Args:
        restorer: prior and adapter.
        captures: result of :func:`metalens.restore.inference.capture_files.captures_of`.
        options: of the restoration.
        latents: folder for the latents, if they are kept.

    Returns:
        Rows and columns of each capture.

    Raises:
        InputError: a capture cannot be used, or the options do not fit them.
    """
    _check_options(restorer, captures, options, latents)
    work = _Work(restorer, Path(), options, latents)
    return [work.check(capture) for capture in captures]


def _check_options(
    restorer: Restorer, captures: Sequence[AnyCapture], options: RestoreOptions, latents: Path | None
) -> None:
    if any(isinstance(capture, KeptLatents) for capture in captures):
        if latents is not None:
            raise InputError("--latents: the captures are latents already; leave the option out.")
        for wanted, option in ((options.consistency, "--consistent"), (options.uncertainty, "--uncertainty")):
            if wanted is not None:
                raise InputError(f"{option}: kept latents do not hold what the camera saw; give the captures.")
    if options.uncertainty is not None:
        calibration(restorer)


def _settings_note(restorer: Restorer, options: RestoreOptions) -> dict[str, Any]:
    """The settings on which every picture of a run depends, as JSON."""
    return {
        "schema": "metalens.restoration",
        "version": 1,
        "adapter": restorer.identity,
        "prior": restorer.prior.identity,
        "precision": str(restorer.prior.vae.dtype).removeprefix("torch."),
        "camera": restorer.camera.hash,
        "alpha": list(check_alphas(options.alphas)) if options.alpha_map is None else _digest(options.alpha_map),
        "settings": asdict(options.settings),
        "consistency": None if options.consistency is None else _digest(options.consistency.bank.intensity),
        "uncertainty": None if options.uncertainty is None else _digest(options.uncertainty.intensity),
        "form": asdict(options.form),
        "steady": options.steady,
        "undistorted": options.distortion is not None,
    }


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


@dataclass(frozen=True)
class _Work:
    """Restoration of one capture after another; see :class:`CaptureWork`."""

    restorer: Restorer
    output: Path
    options: RestoreOptions
    latents: Path | None
    steadying: Steadying | None = None

    def check(self, capture: AnyCapture) -> tuple[int, int]:
        """Refuse a capture that cannot be restored; rows and columns of one that can."""
        alpha_map = self.options.alpha_map
        if isinstance(capture, KeptLatents):
            kept = load_latents(capture.path, self.restorer)
            pixels = kept.pixels
            if (
                self.options.distortion is not None
                and kept.place is None
                and pixels != self.restorer.camera.sensor.pixels
            ):
                raise InputError(
                    f"{capture.name}: the kept latents of a part of the frame do not hold its place, which --undistort "
                    "needs; give the captures."
                )
        else:
            _require_known(set(capture.lens_hashes), capture.name, self.restorer, self.options.any_lens)
            self._require_own(capture)
            picture = self._read(capture)
            pixels = picture.shape[0], picture.shape[1]
            try:
                check_capture(self.restorer, picture, self._settings(capture).place)
            except InputError as error:
                raise InputError(f"{capture.name}: {error}") from error
        if alpha_map is not None and alpha_map.shape != pixels:
            raise InputError(
                f"--alpha-map: {alpha_map.shape[0]} × {alpha_map.shape[1]} pixels, {capture.name} has {pixels[0]} × "
                f"{pixels[1]} (rows × columns); draw it at that size."
            )
        return pixels

    def _require_own(self, capture: CaptureFile) -> None:
        """Refuse a capture that is known to be of another camera than the one that is undone."""
        camera, hashes = self.restorer.camera, capture.lens_hashes
        if not hashes or camera.hash in hashes or is_unknown(camera) or self.options.any_lens:
            return
        raise InputError(
            f"{capture.name}: taken with another lens ({min(hashes)[:12]}…) than that of the restoration "
            f"({camera.name}, {camera.hash[:12]}…); give its own psf.h5 with --psf, or --any-lens to restore it as if "
            "it were from this one."
        )

    def files(self, capture: AnyCapture) -> list[Path]:
        """All files that are made of a capture."""
        names = [name for name, _, _ in self._pictures(capture)]
        found = [self.output / name for name in names]
        if self.options.uncertainty is not None:
            found += [self.output / uncertainty_name(name) for name in names]
        return found if self.latents is None else [*found, self._latents_path(self.latents, capture)]

    def prepare(self, capture: AnyCapture, tell: Callable[[float], None]) -> tuple[Latents, np.ndarray | None]:
        """Latents of a capture, and the capture itself."""
        if isinstance(capture, KeptLatents):
            return load_latents(capture.path, self.restorer), None
        picture = self._read(capture)
        settings = self._settings(capture)
        found = latents_of(self.restorer, picture, settings, lambda done, total: tell(done / (total + 1)))
        return found, picture

    def write(self, capture: AnyCapture, prepared: tuple[Latents, np.ndarray | None]) -> list[dict[str, Any]]:
        """Decode for each α, and write the pictures."""
        found, picture = prepared
        steady = {}
        if self.steadying is not None and isinstance(capture, CaptureFile) and picture is not None:
            found, was_steadied = self.steadying(capture, picture, found)
            prepared, steady = (found, picture), {"steadied": was_steadied}
        if self.latents is not None and isinstance(capture, CaptureFile) and picture is not None:
            place = self._latents_path(self.latents, capture)
            settings = self._settings(capture)
            save_latents(place, found, restorer=self.restorer, capture=picture, settings=settings)
        path = capture.path if isinstance(capture, CaptureFile) else None
        metadata = NO_METADATA if path is None else read_metadata(path)
        rows = []
        for name, label, alpha in self._pictures(capture):
            values = self._values(capture, found, picture, alpha)
            write_values(self.output / name, self._straight(values, found.place), self.options.form, metadata)
            row: dict[str, Any] = {"capture": capture.name, "alpha": label, "restored": str(self.output / name)}
            row |= steady | ({} if metadata.carried else {"metadata": "left out"})
            rows.append(row | self._write_uncertainty(name, capture, prepared, values))
        if self.steadying is not None and isinstance(capture, CaptureFile):
            self.steadying.written(capture)
        return rows

    def by_label(self, captures: Sequence[AnyCapture]) -> dict[str, list[str]]:
        """α of a picture → names of the files of captures."""
        found: dict[str, list[str]] = {}
        for capture in captures:
            for name, label, _ in self._pictures(capture):
                found.setdefault(label, []).append(name)
        return found

    def _values(
        self, capture: AnyCapture, found: Latents, picture: np.ndarray | None, alpha: float | np.ndarray
    ) -> np.ndarray:
        """The restored picture ``[y, x, 3]`` float32."""
        values = decode_values(self.restorer, found, alpha, tile=self.options.settings.tile)
        own = self.restorer.consistency is not None
        if own or self.options.consistency is None or picture is None or not isinstance(capture, CaptureFile):
            return values
        place = self._settings(capture).place
        return self.options.consistency(values, sound_capture(self.restorer, picture, place), place)

    def _write_uncertainty(
        self, name: str, capture: AnyCapture, prepared: tuple[Latents, np.ndarray | None], values: np.ndarray
    ) -> dict[str, Any]:
        found, picture = prepared
        bank = self.options.uncertainty
        if bank is None or picture is None or not isinstance(capture, CaptureFile):
            return {}
        seen = Capture(picture, self._settings(capture).place)
        error = expected_error(self.restorer, found, seen, values, bank, tile=self.options.settings.tile)
        beside = self.output / uncertainty_name(name)
        write_picture(beside, as_grey(self._straight(error, found.place)))
        return {"uncertainty": str(beside), "expected_error": round(float(error.mean()), 5)}

    def _straight(self, picture: np.ndarray, place: tuple[int, int] | None) -> np.ndarray:
        distortion = self.options.distortion
        return picture if distortion is None else undistorted(picture, distortion, place)

    def _pictures(self, capture: AnyCapture) -> list[tuple[str, str, float | np.ndarray]]:
        """Name, label and α of each picture."""
        suffix, alpha_map = self.options.form.suffix, self.options.alpha_map
        if alpha_map is not None:
            return [(f"{capture.name}-map{suffix}", "map", alpha_map)]
        alphas = check_alphas(self.options.alphas)
        return [(restored_name(capture.name, alpha, suffix), f"{alpha:g}", alpha) for alpha in alphas]

    def _latents_path(self, folder: Path, capture: AnyCapture) -> Path:
        return folder / f"{capture.name}{SUFFIX}"

    def _read(self, capture: CaptureFile) -> np.ndarray:
        return capture.read(self.restorer.camera.sensor)

    def _settings(self, capture: CaptureFile) -> Settings:
        settings = self.options.settings
        return settings if capture.place is None else replace(settings, place=capture.place)


def read_alpha_map(path: Path) -> np.ndarray:
    """Read a grey picture as α: black is 0 (faithful), white 1 (detailed).

    Returns:
        ``[y, x]`` float32 in 0..1.

    Raises:
        InputError: it is no picture, or a coloured one.
    """
    picture = read_picture(path)
    if int((picture.max(axis=-1) - picture.min(axis=-1)).max()) > 0:
        raise InputError(f"{path}: holds colours, a map of α is grey, black for 0 and white for 1.")
    return picture[..., 0].astype(np.float32) / 255
