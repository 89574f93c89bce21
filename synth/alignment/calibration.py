"""One calibration of a fixed rig: where each pixel looks on the display, and what light the display makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from metalens.formats.captures.screen_captures import AlignmentSet
from metalens.formats.files.errors import InputError
from metalens.synth.alignment.checks import Motion, Sharpness, find_motion, reference_sharpness
from metalens.synth.alignment.dots import find_dots, recentre
from metalens.synth.alignment.frames import FrameReader, Region, frame_reader
from metalens.synth.alignment.labelling import label_dots
from metalens.synth.alignment.mapping import SensorToDisplay
from metalens.synth.alignment.model_choice import ChosenMapping, choose_mapping
from metalens.synth.alignment.photometry import DisplayLight, fit_display
from metalens.synth.alignment.target import DotTarget
from metalens.synth.alignment.warp import clean_on_sensor, covered, largest_rectangle

GREEN = 1
"""The channel whose dots make the map: a Bayer pattern has most of its pixels there."""

LARGEST_RESIDUAL = 1.0
"""Mean distance of the dots from the map, pixels; more is no calibration."""

_SMALLEST_REGION = 32


@dataclass(frozen=True)
class RigCalibration:
    """Calibration of a rig: geometry, light of the display, flat field, sharpness.

    Attributes:
        reader: converts raw files to linear light.
        target: what was displayed.
        dots: ``[dot, (y, x)]`` centres of the dots on the sensor, in pixels.
        labels: ``[dot, (row, column)]`` of them.
        geometry: the map and its residuals.
        lateral: ``[dot, (y, x), 2]`` displacement of red and of blue from green, in pixels (lateral colour).
        mirrored: whether the image of the display is mirrored.
        display: the display's light.
        flat: ``[y, x, 3]`` the white screen on the whole sensor, 1 at the brightest of the region.
        peak: ``[3]`` brightest light of the white screen; captures are divided by it.
        region: part of the sensor in the pairs.
        motion: displacement of the dots' capture from its own map, caused by asymmetric blur.
        sharpness: of the dots' capture.
    """

    reader: FrameReader
    target: DotTarget
    dots: np.ndarray
    labels: np.ndarray
    geometry: ChosenMapping
    lateral: np.ndarray
    mirrored: bool
    display: DisplayLight
    flat: np.ndarray
    peak: np.ndarray
    region: Region
    motion: Motion
    sharpness: Sharpness

    @property
    def mapping(self) -> SensorToDisplay:
        """From the sensor to the display."""
        return self.geometry.mapping

    @property
    def part(self) -> tuple[slice, slice]:
        """The region, as slices of a frame."""
        top, left, rows, columns = self.region
        return slice(top, top + rows), slice(left, left + columns)

    def capture(self, name: str) -> np.ndarray:
        """Light ``[y, x, 3]`` of a file in the region, the white screen's brightest being 1.

        Raises:
            InputError: it cannot be read, or is saturated.
        """
        return self.reader.light(name, self.region)[self.part] / self.peak

    def clean(self, picture: np.ndarray) -> np.ndarray:
        """Light ``[y, x, 3]`` that the region would see of a displayed picture without vignetting and blur."""
        return clean_on_sensor(
            self.mapping, self.display.light(picture), self.region, outside=self.display.light(_BLACK)[0, 0]
        )

    def figures(self) -> dict[str, Any]:
        """Figures of the calibration for a report, in pixels, degrees and shares of white."""
        away = np.linalg.norm(self.geometry.residual, axis=1)
        lateral = np.linalg.norm(self.lateral, axis=1)
        return {
            "dots": len(self.dots),
            "dots_of_target": len(self.target.labels()),
            "strays": int((~self.geometry.kept).sum()),
            "residual_px": {"mean": float(away.mean()), "max": float(away.max())},
            "model": self.mapping.model.name,
            "foreseen_rms_px": self.geometry.foreseen,
            "lateral_colour_px": {
                name: {"mean": float(each.mean()), "max": float(each.max())}
                for name, each in zip(("red", "blue"), lateral.T, strict=True)
            },
            "mirrored": self.mirrored,
            "display_px_per_px": float(np.sqrt(np.abs(np.linalg.det(self.mapping.slope(self.dots))).mean())),
            "region": list(self.region),
            "display": {
                "gamma": self.display.gamma.tolist(),
                "offset": self.display.offset.tolist(),
                "black": self.display.black.tolist(),
                "colour": self.display.colour.tolist(),
                "residual_rms": np.sqrt((self.display.residual**2).mean(axis=0)).tolist(),
                "residual_max": float(np.abs(self.display.residual).max()),
            },
            "flat_least": float(self.flat[self.part].min()),
            "edges_beside_centres_px": float(np.linalg.norm(self.motion.affine[0])),
            "band_scale_px": self.sharpness.scale,
            "band_transfer": {
                "least": float(self.sharpness.transfer.min()),
                "most": float(self.sharpness.transfer.max()),
            },
        }


_BLACK = np.zeros((1, 1, 3), dtype=np.uint8)


def calibrate_rig(captures: AlignmentSet) -> RigCalibration:
    """Calibrate a rig from its captures of dots, of white, grey and coloured screens, and without light.

    Raises:
        InputError: a capture cannot be used; the sentence names it.
    """
    reader = frame_reader(captures)
    _check_region(captures.region, reader.sensor.pixels)
    table = captures.target
    target = DotTarget(table.pixels, table.spacing_px, table.radius_px)
    flat = _smooth(reader.light(captures.white))
    seen = reader.light(captures.dots)
    name = str(captures.path(captures.dots))
    even = seen / np.maximum(flat, 0.02 * flat.max(axis=(0, 1)))
    found = find_dots(even[..., GREEN], name=name)
    labelled = label_dots(found, target, name=name)
    sensor = found.position[labelled.index]
    geometry = choose_mapping(sensor, target.positions(labelled.label), shape=reader.sensor.pixels, name=name)
    mean = float(np.linalg.norm(geometry.residual, axis=1).mean())
    if mean > LARGEST_RESIDUAL:
        raise InputError(
            f"{name}: the dots lie {mean:.2f} px in the mean off the best map, at most {LARGEST_RESIDUAL:g} px can be "
            "used; display the target unscaled on a flat screen, and let nothing move during the exposure."
        )
    beside = np.stack([recentre(even[..., channel], found) - found.position for channel in (0, 2)], axis=-1)
    used = labelled.index[geometry.kept]
    dots, labels = sensor[geometry.kept], labelled.label[geometry.kept]
    region = _region(captures, reader, geometry.mapping, target, labels)
    part = slice(region[0], region[0] + region[2]), slice(region[1], region[1] + region[3])
    peak = np.percentile(flat[part], 99.5, axis=(0, 1))
    bare = RigCalibration(
        reader=reader,
        target=target,
        dots=dots,
        labels=labels,
        geometry=geometry,
        lateral=beside[used],
        mirrored=labelled.mirrored,
        display=_display(captures, reader, flat, part),
        flat=flat / peak,
        peak=peak,
        region=region,
        motion=Motion(np.zeros((3, 2)), 0.0, 1.0),
        sharpness=Sharpness(1.0, np.ones(1)),
    )
    clean = (bare.clean(target.picture()) * bare.flat[part])[..., GREEN]
    capture = seen[(*part, GREEN)] / peak[GREEN]
    sharpness = reference_sharpness(clean, capture)
    motion = find_motion(clean, capture, motion_scale(sharpness), near=True)
    return replace(bare, motion=motion, sharpness=sharpness)


def motion_scale(sharpness: Sharpness) -> float:
    """Scale of the band in which captures are registered, in pixels; coarser than the band of the sharpness."""
    return max(2.0, 1.5 * sharpness.scale)


def _smooth(white: np.ndarray) -> np.ndarray:
    """The white screen without its noise."""
    return gaussian_filter(white, (3.0, 3.0, 0.0), mode="nearest")


def _check_region(region: Region | None, pixels: tuple[int, int]) -> None:
    if region is not None and (region[0] + region[2] > pixels[0] or region[1] + region[3] > pixels[1]):
        raise InputError(
            f"region {list(region)} reaches beyond the sensor's {pixels[0]} × {pixels[1]} pixels; shrink it."
        )


def _region(
    captures: AlignmentSet, reader: FrameReader, mapping: SensorToDisplay, target: DotTarget, labels: np.ndarray
) -> Region:
    """Region of the pairs: as requested, or the largest rectangle that the dots cover."""
    rows, columns = reader.sensor.pixels
    step = max(1, min(rows, columns) // 100)
    y, x = np.arange(0, rows, step), np.arange(0, columns, step)
    position = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).astype(np.float64)
    known = covered(mapping, target.positions(labels), target.spacing, target.pixels, position)
    asked = captures.region
    name = captures.path(captures.dots)
    if asked is not None:
        top, left, height, width = asked
        inside = ((y >= top) & (y < top + height))[:, None] & ((x >= left) & (x < left + width))
        if not known[inside].all():
            share = 100 * float(1 - known[inside].mean())
            raise InputError(
                f"region {list(asked)}: {share:.2g} % of it lies outside of the dots of {name}; leave region out to "
                "get the largest that they cover."
            )
        return asked
    first, start, tall, wide = largest_rectangle(known)
    # A cell stands for the pixel at its corner; the last one's other pixels are not known.
    region = (first * step, start * step, max((tall - 1) * step, 0), max((wide - 1) * step, 0))
    if min(region[2:]) < _SMALLEST_REGION:
        raise InputError(
            f"{name}: its dots cover {region[2]} × {region[3]} pixels of the sensor, {_SMALLEST_REGION} a side are "
            "needed; fill the frame with the screen."
        )
    return region


def _display(captures: AlignmentSet, reader: FrameReader, flat: np.ndarray, part: tuple[slice, slice]) -> DisplayLight:
    """The display's light, each screen's being that of the region over that of the white screen."""
    white = flat[part].sum(axis=(0, 1))

    def share(name: str) -> np.ndarray:
        return np.asarray(reader.light(name)[part].sum(axis=(0, 1)) / white)

    levels = [level for level in captures.levels if level.value < 255]
    return fit_display(
        np.array([level.value for level in levels]),
        np.array([share(level.file) for level in levels]),
        None if captures.primaries is None else np.array([share(name) for name in captures.primaries]),
        names=[str(captures.path(level.file)) for level in levels],
        white=str(captures.path(captures.white)),
    )
