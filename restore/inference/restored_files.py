"""Restore files: captures or kept latents in, pictures out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from metalens.formats.files.atomic import atomic_directory
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import Pairs, is_pairs_folder, pair_names, read_pairs
from metalens.formats.pictures.pictures import list_pictures, read_picture, write_picture
from metalens.formats.psf.bank import PsfBank
from metalens.restore.adapter.lens_transfer import use_for_lens
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.inference.capture import Capture
from metalens.restore.inference.data_consistency import DataConsistency
from metalens.restore.inference.latents_file import SUFFIX, load_latents, save_latents
from metalens.restore.inference.restoration import (
    ONE_STEP,
    Latents,
    Settings,
    check_alphas,
    check_capture,
    decode,
    latents_of,
    restored_name,
    sound_capture,
    uncertainty_name,
)
from metalens.restore.inference.uncertainty import as_grey, calibration, expected_error

Report = Callable[[float, int], None]
"""Progress callback: captures done (with fractions), captures in all."""


@dataclass(frozen=True)
class CaptureFile:
    """A picture to restore: its name, how to read it as ``[y, x, 3]`` uint8 when its turn comes, and where it lay.

    ``place`` is (row, column) on the sensor if it is a part of the frame; ``lens_hashes`` are those of the cameras that
    it may be of, if that is known.
    """

    name: str
    read: Callable[[], np.ndarray]
    place: tuple[int, int] | None = None
    lens_hashes: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeptLatents:
    """Latents kept by an earlier restoration."""

    name: str
    path: Path


def captures_of(sources: Sequence[str | os.PathLike[str]]) -> list[CaptureFile | KeptLatents]:
    """Captures in files, folders of pictures, and folders of pairs (whose degraded pictures are taken); kept latents.

    Raises:
        InputError: a source does not exist, there is no picture, or two captures have the same name.
    """
    found: list[CaptureFile | KeptLatents] = []
    for source in sources:
        latents = _latents_in(Path(source))
        if is_pairs_folder(source):
            found += _pairs(read_pairs(source))
        elif latents:
            found += [KeptLatents(path.name.removesuffix(SUFFIX), path) for path in latents]
        else:
            found += [CaptureFile(path.stem, partial(read_picture, path)) for path in list_pictures([source])]
    names = [capture.name for capture in found]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two captures are named {twice}; restore them into two folders.")
    return found


def _latents_in(source: Path) -> list[Path]:
    if source.is_dir():
        return sorted(source.glob(f"*{SUFFIX}"))
    return [source] if source.name.endswith(SUFFIX) else []


def _pairs(pairs: Pairs) -> list[CaptureFile]:
    manifest = pairs.manifest
    whole = all(camera.sensor == manifest.pixels for camera in manifest.cameras)
    places = None if whole else [(int(row), int(column)) for row, column in pairs.numbers("position")]
    return [
        CaptureFile(
            name,
            partial(_degraded, pairs, index),
            place=None if places is None else places[index],
            lens_hashes=tuple(manifest.lens_hashes),
        )
        for index, name in enumerate(pair_names(pairs))
    ]


def _degraded(pairs: Pairs, index: int) -> np.ndarray:
    return pairs[index][1]


def known_lenses(restorer: Restorer) -> set[str]:
    """Hashes of the cameras on which an adapter was trained."""
    known = {restorer.camera.hash}
    for pairs in restorer.training.get("pairs", []):
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
    """

    alphas: Sequence[float]
    settings: Settings = ONE_STEP
    alpha_map: np.ndarray | None = None
    any_lens: bool = False
    consistency: DataConsistency | None = None
    uncertainty: PsfBank | None = None


def restore_files(
    restorer: Restorer,
    captures: Sequence[CaptureFile | KeptLatents],
    output: Path,
    options: RestoreOptions,
    *,
    latents: Path | None = None,
    report: Report = lambda done, total: None,
) -> list[dict[str, Any]]:
    """Restore captures into a new folder: ``NAME-alpha0.75.png`` for each α, ``NAME-map.png`` with a map of α.

    All captures are checked before the first is restored; the folder is written atomically.

    Args:
        restorer: prior and adapter.
        captures: result of :func:`captures_of`.
        output: the new folder.
        options: α and the settings of the restoration.
        latents: a new folder for the latents of every capture.
        report: progress callback.

    Returns:
        One row per restored picture: ``capture``, ``alpha``, ``restored``; with uncertainty also the map's file and the
        mean ``expected_error`` in display values.

    Raises:
        InputError: a capture, kept latents or the map cannot be used, or the disk refuses the write.
    """
    alphas, settings, consistency = check_alphas(options.alphas), options.settings, options.consistency
    check_files(restorer, captures, options, latents=latents)
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        folder = stack.enter_context(atomic_directory(output))
        kept = None if latents is None else stack.enter_context(atomic_directory(latents))
        for done, capture in enumerate(captures):
            report(done, len(captures))
            found = _latents(restorer, capture, settings, kept, partial(_tell_part, report, done, len(captures)))
            for name, label, alpha in _pictures(capture.name, alphas, options.alpha_map):
                picture = decode(restorer, found, alpha, tile=settings.tile)
                if consistency is not None and isinstance(capture, CaptureFile):
                    place = _settings_of(capture, settings).place
                    picture = consistency(picture, sound_capture(restorer, capture.read(), place), place)
                write_picture(folder / name, picture)
                rows.append({"capture": capture.name, "alpha": label, "restored": str(output / name)})
                if options.uncertainty is not None and isinstance(capture, CaptureFile):
                    seen = Capture(capture.read(), _settings_of(capture, settings).place)
                    error = expected_error(restorer, found, seen, picture, options.uncertainty, tile=settings.tile)
                    beside = uncertainty_name(name)
                    write_picture(folder / beside, as_grey(error))
                    rows[-1] |= {"uncertainty": str(output / beside), "expected_error": round(float(error.mean()), 5)}
        report(len(captures), len(captures))
    return rows


def check_files(
    restorer: Restorer,
    captures: Sequence[CaptureFile | KeptLatents],
    options: RestoreOptions,
    *,
    latents: Path | None = None,
) -> list[tuple[int, int]]:
    """Check captures, as :func:`restore_files` does before the first is restored.

    Args:
        restorer: prior and adapter.
        captures: result of :func:`captures_of`.
        options: of the restoration.
        latents: folder for the latents, if they are kept.

    Returns:
        Rows and columns of each capture.

    Raises:
        InputError: as :func:`restore_files`.
    """
    if latents is not None and any(isinstance(capture, KeptLatents) for capture in captures):
        raise InputError("--latents: the captures are latents already; leave the option out.")
    if options.consistency is not None and any(isinstance(capture, KeptLatents) for capture in captures):
        raise InputError("--consistent: kept latents do not hold what the camera saw; give the captures.")
    if options.uncertainty is not None:
        if any(isinstance(capture, KeptLatents) for capture in captures):
            raise InputError("--uncertainty: kept latents do not hold what the camera saw; give the captures.")
        calibration(restorer)
    return [_check(restorer, capture, options) for capture in captures]


def _pictures(
    capture: str, alphas: Sequence[float], alpha_map: np.ndarray | None
) -> list[tuple[str, str, float | np.ndarray]]:
    if alpha_map is not None:
        return [(f"{capture}-map.png", "map", alpha_map)]
    return [(restored_name(capture, alpha), f"{alpha:g}", alpha) for alpha in alphas]


def _latents(
    restorer: Restorer,
    capture: CaptureFile | KeptLatents,
    settings: Settings,
    kept: Path | None,
    tell: Callable[..., None],
) -> Latents:
    if isinstance(capture, KeptLatents):
        return load_latents(capture.path, restorer)
    picture = capture.read()
    own = _settings_of(capture, settings)
    found = latents_of(restorer, picture, own, tell)
    if kept is not None:
        save_latents(kept / f"{capture.name}{SUFFIX}", found, restorer=restorer, capture=picture, settings=own)
    return found


def _tell_part(report: Report, done: int, total: int, tiles: int, all_tiles: int) -> None:
    report(done + tiles / (all_tiles + 1), total)


def _settings_of(capture: CaptureFile, settings: Settings) -> Settings:
    return settings if capture.place is None else replace(settings, place=capture.place)


def _check(restorer: Restorer, capture: CaptureFile | KeptLatents, options: RestoreOptions) -> tuple[int, int]:
    alpha_map = options.alpha_map
    if isinstance(capture, KeptLatents):
        pixels = load_latents(capture.path, restorer).pixels
    else:
        _require_known(set(capture.lens_hashes), capture.name, restorer, options.any_lens)
        picture = capture.read()
        pixels = picture.shape[0], picture.shape[1]
        try:
            check_capture(restorer, picture, _settings_of(capture, options.settings).place)
        except InputError as error:
            raise InputError(f"{capture.name}: {error}") from error
    if alpha_map is not None and alpha_map.shape != pixels:
        raise InputError(
            f"--alpha-map: {alpha_map.shape[0]} × {alpha_map.shape[1]} pixels, {capture.name} has {pixels[0]} × "
            f"{pixels[1]} (rows × columns); draw it at that size."
        )
    return pixels


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
