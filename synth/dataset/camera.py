"""A camera that photographs scenes: blur, exposure, development; a whole frame, or a crop at a place of the sensor."""

from __future__ import annotations

from dataclasses import dataclass, fields

import jax.numpy as jnp
import numpy as np

from metalens.formats.psf_bank import PsfBank
from metalens.synth.blur import ShiftVariantBlur, blur, shift_variant_blur
from metalens.synth.sensor import Demosaicing, Exposure, develop, expose, exposure_for
from metalens.synth.sensor.fixed_pattern import CameraFixedPattern, fixed_pattern

EDGE = 8
"""Pixels beyond a crop that are exposed and developed with it, so that demosaicing sees its neighbours; even."""


@dataclass(frozen=True)
class SimulatedCamera:
    """A camera made ready to photograph scenes: its blur, its exposure and its way of developing a raw frame."""

    bank: PsfBank
    operator: ShiftVariantBlur
    exposure: Exposure
    demosaicing: Demosaicing = "malvar2004"

    @property
    def pixels(self) -> tuple[int, int]:
        """Rows, columns of the sensor."""
        return self.bank.camera.sensor.pixels

    def margin(self, pixels: tuple[int, int]) -> int:
        """How far beyond a crop its scene has to reach: light from there falls on it. None beyond a whole frame."""
        if pixels == self.pixels:
            return 0
        return EDGE + max(self.bank.intensity.shape[-2:]) // 2


def simulated_camera(bank: PsfBank, *, demosaicing: Demosaicing = "malvar2004") -> SimulatedCamera:
    """Make a camera ready to photograph scenes.

    Raises:
        InputError: the bank's nodes are no grid, or two of them are closer than a pixel.
    """
    exposure = exposure_for(bank.camera.sensor, bank)
    return SimulatedCamera(bank, shift_variant_blur(bank), exposure, demosaicing)


def photograph_scene(camera: SimulatedCamera, scene: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Photograph a scene: blur, expose, develop.

    Args:
        camera: from :func:`simulated_camera`.
        scene: ``[y, x, 3]`` linear light on the sensor's pixels.
        generator: the random numbers of this sample alone.

    Returns:
        ``[y, x, 3]`` uint8 sRGB.
    """
    return photograph_crop(camera, scene, scene.shape[:2], (0, 0), generator)


def photograph_crop(
    camera: SimulatedCamera,
    scene: np.ndarray,
    pixels: tuple[int, int],
    position: tuple[int, int],
    generator: np.random.Generator,
) -> np.ndarray:
    """Photograph a scene on a part of the sensor.

    Args:
        camera: from :func:`simulated_camera`.
        scene: ``[y, x, 3]`` linear light: the crop with :meth:`SimulatedCamera.margin` pixels on each side.
        pixels: rows, columns of the crop.
        position: first row and column of the crop on the sensor, both even, so that it begins as the Bayer pattern
            does.
        generator: the random numbers of this sample alone.

    Returns:
        ``[y, x, 3]`` uint8 sRGB of the crop, without margins.
    """
    sensor = camera.bank.camera.sensor
    rows, columns = pixels
    margin, edge = (scene.shape[0] - rows) // 2, 0 if pixels == camera.pixels else EDGE
    top, left = max(position[0] - edge, 0), max(position[1] - edge, 0)
    bottom = min(position[0] + rows + edge, camera.pixels[0])
    right = min(position[1] + columns + edge, camera.pixels[1])
    light = _light(camera, scene, (position[0] - margin, position[1] - margin), (top, left, bottom, right))
    pattern = _cut_pattern(fixed_pattern(sensor, camera.pixels), slice(top, bottom), slice(left, right))
    frame_rows = (top, camera.pixels[0])
    raw = expose(sensor, light, camera.exposure, generator, pattern, frame_rows=frame_rows)
    picture = develop(sensor, raw, camera.exposure, demosaicing=camera.demosaicing)
    first_row, first_column = position[0] - top, position[1] - left
    return np.ascontiguousarray(picture[first_row : first_row + rows, first_column : first_column + columns])


def _light(
    camera: SimulatedCamera, scene: np.ndarray, origin: tuple[int, int], region: tuple[int, int, int, int]
) -> np.ndarray:
    """Light on a region of the sensor, from a scene whose first pixel lies at ``origin`` of the sensor."""
    top, left, bottom, right = region
    pads, cuts = [], []
    for first, length, whole in zip(origin, scene.shape[:2], camera.pixels, strict=True):
        pads.append((max(first, 0), max(whole - first - length, 0)))
        cuts.append(slice(max(-first, 0), max(-first, 0) + whole))
    frame = np.pad(scene, (*pads, (0, 0)), mode="symmetric")[cuts[0], cuts[1]]
    return np.asarray(blur(camera.operator, jnp.asarray(frame)))[top:bottom, left:right]


def _cut_pattern(pattern: CameraFixedPattern, rows: slice, columns: slice) -> CameraFixedPattern:
    parts = {each.name: getattr(pattern, each.name) for each in fields(pattern)}
    return CameraFixedPattern(**{name: None if part is None else part[rows, columns] for name, part in parts.items()})
