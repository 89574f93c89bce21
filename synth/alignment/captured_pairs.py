"""Captures of displayed pictures become pairs: checked, registered by the rig's calibration, written shard by shard."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from metalens.formats.captures.screen_captures import AlignmentSet, ScreenCapture
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.manifest import PairsCamera, PairsManifest, PairsSource, Shard, SkippedSource
from metalens.formats.pairs.photograph_split import VALIDATION_SHARE, look_of, split_photographs
from metalens.formats.pairs.shard import PairSample
from metalens.formats.pairs.thumbnail import thumbnail_of
from metalens.formats.pairs.writer import open_pairs_writer
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.synth.alignment.calibration import GREEN, RigCalibration, motion_scale
from metalens.synth.alignment.checks import band, find_motion, sharpness_of

LEAST_LIKENESS = 0.4
"""Least correlation of a registered capture with its picture; below it the capture shows another picture."""

LEAST_DETAIL = 0.002
"""Least standard deviation of a picture in the registration band, as a share of white; below it detail is missing."""

BRIGHTNESS = (0.7, 1.4)
"""Accepted range of measured over expected light; outside it the exposure or the screen has changed."""

_UNSURE = 0.15
_PACKAGES = ("metalens", "numpy", "scipy", "h5py", "pillow")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CaptureFigures:
    """Measurements of one capture.

    Attributes:
        file: of the capture.
        picture: what it shows.
        moved_px: root-mean-square displacement from the calibration over the region, in pixels.
        sharpness: contrast, relative to the calibration's dots.
        brightness: measured over expected light.
        photometric_rms: low-frequency difference from the clean picture with the same vignetting, as a share of white.
    """

    file: str
    picture: str
    moved_px: float
    sharpness: float
    brightness: float
    photometric_rms: float


@dataclass(frozen=True)
class UsableCapture:
    """A capture that passed all checks, with the hash and the content of its picture."""

    capture: ScreenCapture
    figures: CaptureFigures
    sha256: str
    look: str
    thumbnail: str


@dataclass(frozen=True)
class AlignmentReport:
    """Result of :func:`align_captures`.

    Attributes:
        usable: captures that became pairs, in order.
        skipped: rejected captures, and why.
        made: pairs that this run wrote.
    """

    usable: tuple[UsableCapture, ...]
    skipped: tuple[SkippedSource, ...]
    made: int


def align_captures(
    captures: AlignmentSet,
    rig: RigCalibration,
    output: str | os.PathLike[str] | None,
    *,
    shard_size: int = 64,
    strict: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> AlignmentReport:
    """Check all captures, and write those that pass as a folder of pairs.

    Args:
        captures: the list of captures.
        rig: from :func:`metalens.synth.alignment.calibration.calibrate_rig`.
        output: the folder to make; ``None`` only checks.
        shard_size: pairs per file.
        strict: raise for a capture that cannot be used, instead of skipping it.
        resume: continue an interrupted run with the same arguments.
        progress: called with steps done and steps in total; each capture takes two steps, checking and writing.

    Returns:
        The captures that passed, and those that were skipped, each with its reason.

    Raises:
        InputError: no capture can be used, or the folder cannot be written.
    """
    steps = len(captures.captures) * (1 if output is None else 2)
    usable, skipped = [], []
    for number, capture in enumerate(captures.captures, start=1):
        try:
            usable.append(_checked(captures, rig, capture))
        except InputError as error:
            if strict:
                raise
            skipped.append(SkippedSource(name=capture.file, reason=str(error)))
        if progress is not None:
            progress(number, steps)
    if not usable:
        none = f"none of the {len(skipped)} captures can be used; the first"
        raise InputError(f"{none if len(skipped) > 1 else 'the capture cannot be used'}: {skipped[0].reason}")
    if output is None:
        return AlignmentReport(tuple(usable), tuple(skipped), 0)
    manifest = _manifest(captures, rig, usable, skipped, shard_size)
    done = steps - len(usable)
    with open_pairs_writer(output, manifest, resume=resume) as writer:
        made = sum(shard.count for shard in writer.missing)
        for shard in writer.missing:
            writer.write(shard, _samples(captures, rig, usable, shard))
            done += shard.count
            if progress is not None:
                progress(done, steps)
    if progress is not None:
        progress(steps, steps)
    return AlignmentReport(tuple(usable), tuple(skipped), made)


def check_capture(captures: AlignmentSet, rig: RigCalibration, capture: ScreenCapture) -> CaptureFigures:
    """Measure how well a capture agrees with the calibration.

    Args:
        captures: the list that holds it.
        rig: the calibration.
        capture: the capture.

    Returns:
        Displacement, sharpness, brightness and photometric difference.

    Raises:
        InputError: the capture is saturated, moved, blurred, of another brightness, or of another picture; or the
            displayed picture has another size than the display or too little detail to be registered.
    """
    place, picture = captures.path(capture.file), displayed_picture(captures, rig, capture)
    light = rig.capture(capture.file)
    expected = rig.clean(picture) * rig.flat[rig.part]
    brightness = float(light.sum() / expected.sum())
    if not BRIGHTNESS[0] <= brightness <= BRIGHTNESS[1]:
        raise InputError(
            f"{place}: has {brightness:.2f} of the light that {capture.picture} makes by the calibration, "
            f"{BRIGHTNESS[0]:g} to {BRIGHTNESS[1]:g} is allowed; keep exposure and screen as they were, and check that "
            "it shows this picture."
        )
    still, seen = expected[..., GREEN], light[..., GREEN]
    motion = find_motion(still, seen, motion_scale(rig.sharpness))
    sharpness, unsure = sharpness_of(still, seen, rig.sharpness)
    detailed = float(band(still, motion_scale(rig.sharpness)).std()) > LEAST_DETAIL
    if detailed and motion.likeness < LEAST_LIKENESS:
        raise InputError(
            f"{place}: does not show {capture.picture}: after registration they correlate by {motion.likeness:.2f}, "
            f"at least {LEAST_LIKENESS:g} was expected; check which picture was displayed."
        )
    if not (detailed and motion.error <= max(captures.moved_px / 2, 0.05)):
        raise InputError(
            f"{place}: {capture.picture} has too little detail to tell whether the rig moved (to "
            f"{motion.error:.2g} px); display a picture with more."
        )
    moved = motion.against(rig.motion)
    if moved > captures.moved_px:
        raise InputError(
            f"{place}: moved by {moved:.2f} px against the calibration, at most {captures.moved_px:g} px are allowed; "
            "fix camera and screen, and capture the dots again."
        )
    if not unsure <= _UNSURE:
        raise InputError(
            f"{place}: {capture.picture} has too little fine detail to tell how sharp the capture is (to "
            f"{100 * unsure:.0f} %); display a picture with more."
        )
    if sharpness < captures.least_sharpness:
        raise InputError(
            f"{place}: unsharp: it has {sharpness:.2f} of the contrast that the dots had, at least "
            f"{captures.least_sharpness:g} is needed; focus as for the dots, and let nothing shake."
        )
    # Compared at low frequencies only, which the blur of the lens does not change.
    width = 4 * motion_scale(rig.sharpness)
    coarse = gaussian_filter(light - expected, (width, width, 0), mode="nearest")
    return CaptureFigures(
        capture.file, capture.picture, moved, sharpness, brightness, float(np.sqrt((coarse**2).mean()))
    )


def displayed_picture(captures: AlignmentSet, rig: RigCalibration, capture: ScreenCapture) -> np.ndarray:
    """Read the displayed picture of a capture.

    Args:
        captures: the list that holds it.
        rig: the calibration.
        capture: the capture.

    Returns:
        ``[y, x, 3]`` uint8 sRGB, in the display's pixels.

    Raises:
        InputError: it cannot be read, or has another size than the display.
    """
    picture = read_picture(captures.path(capture.picture))
    if picture.shape[:2] != rig.target.pixels:
        raise InputError(
            f"{captures.path(capture.picture)}: {picture.shape[0]} × {picture.shape[1]} pixels, the display has "
            f"{rig.target.pixels[0]} × {rig.target.pixels[1]}; give the pictures as they were displayed, full screen "
            "and unscaled (`metalens align screens` makes such)."
        )
    return picture


def make_pair(captures: AlignmentSet, rig: RigCalibration, capture: ScreenCapture) -> tuple[np.ndarray, np.ndarray]:
    """Make the pair of one capture.

    Args:
        captures: the list that holds it; its ``vignetting`` decides where the vignetting goes.
        rig: the calibration.
        capture: the capture.

    Returns:
        Clean and captured picture of the region, ``[y, x, 3]`` uint8 sRGB each.

    Raises:
        InputError: a file cannot be read, or the capture is saturated.
    """
    clean, light = rig.clean(displayed_picture(captures, rig, capture)), rig.capture(capture.file)
    if captures.vignetting == "clean":
        clean = clean * rig.flat[rig.part]
    elif captures.vignetting == "removed":
        light = light / np.maximum(rig.flat[rig.part], 0.02)
    return to_8_bit(linear_to_srgb(clean)), to_8_bit(linear_to_srgb(light))


def _checked(captures: AlignmentSet, rig: RigCalibration, capture: ScreenCapture) -> UsableCapture:
    figures = check_capture(captures, rig, capture)
    path = captures.path(capture.picture)
    sha256, picture = hashlib.sha256(path.read_bytes()).hexdigest(), read_picture(path)
    return UsableCapture(capture, figures, sha256, look_of(picture), thumbnail_of(picture))


def _manifest(
    captures: AlignmentSet,
    rig: RigCalibration,
    usable: list[UsableCapture],
    skipped: list[SkippedSource],
    shard_size: int,
) -> PairsManifest:
    sides = split_photographs([each.sha256 for each in usable], [each.look for each in usable], VALIDATION_SHARE)
    camera = captures.camera()
    config: dict[str, Any] = {
        "alignment": captures.model_dump(mode="json", exclude={"captures"}),
        "calibration": rig.figures(),
        "captures": [asdict(each.figures) for each in usable],
    }
    return PairsManifest(
        kind="captured",
        count=len(usable),
        shard_size=shard_size,
        pixels=(rig.region[2], rig.region[3]),
        seed=0,
        cameras=(PairsCamera(name=camera.name, lens_hash=camera.hash, sensor=camera.sensor.pixels),),
        config=config,
        sources=tuple(
            PairsSource(
                name=each.capture.picture,
                licence=each.capture.licence,
                credit=each.capture.credit,
                sha256=each.sha256,
                look=each.look,
                thumbnail=each.thumbnail,
                split=side,
            )
            for each, side in zip(usable, sides, strict=True)
        ),
        skipped=tuple(skipped),
        versions={package: version(package) for package in _PACKAGES},
    )


def _samples(
    captures: AlignmentSet, rig: RigCalibration, usable: list[UsableCapture], shard: Shard
) -> Iterator[PairSample]:
    for number in range(shard.first, shard.first + shard.count):
        clean, degraded = make_pair(captures, rig, usable[number].capture)
        rows, columns = rig.target.pixels
        yield PairSample(
            clean,
            degraded,
            source=number,
            seed=number,
            position=(rig.region[0], rig.region[1]),
            crop=(0.0, 0.0, float(rows), float(columns)),
        )
