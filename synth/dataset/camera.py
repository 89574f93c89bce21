"""A camera that photographs scenes: blur, exposure, development; a whole frame, or a crop at a place of the sensor."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from metalens.formats.psf.bank import PsfBank
from metalens.synth.blur import ShiftVariantBlur, blur, blur_in_parts, shift_variant_blur
from metalens.synth.blur.parts import LARGEST_WHOLE
from metalens.synth.dataset.settings import is_large
from metalens.synth.sensor import Demosaicing, Exposure, develop, expose, exposure_for
from metalens.synth.sensor.fixed_pattern import CameraFixedPattern, fixed_pattern

EDGE = 8
"""Pixels beyond a crop that are exposed and developed with it, so that demosaicing has neighbours; even."""


_Frame = tuple[tuple[int, int], tuple[int, int], int]


class _ReadyBlur(NamedTuple):
    operator: ShiftVariantBlur
    white_scene: np.ndarray


class Light(NamedTuple):
    """Light on a part of the sensor, before exposure.

    Attributes:
        scene: ``[y, x, 3]`` light of the scene, as a share of a white scene without vignetting.
        white: ``[y, x, 3]`` light of a white scene on the same pixels.
        error: relative error of the blur, from its :class:`~metalens.synth.blur.operator.BlurReport`.
    """

    scene: np.ndarray
    white: np.ndarray
    error: float


@dataclass(frozen=True)
class SimulatedCamera:
    """A camera prepared to photograph scenes: its blur, exposure and raw development.

    Attributes:
        bank: its point spread functions.
        exposure: for a white scene; see :func:`metalens.synth.sensor.exposure_for`.
        demosaicing: see :func:`metalens.synth.sensor.develop`.

    White balance and flat field come from a white scene, simulated with the camera's own blur.
    """

    bank: PsfBank
    exposure: Exposure
    demosaicing: Demosaicing = "malvar2004"
    _ready: dict[_Frame, _ReadyBlur] = field(default_factory=dict, compare=False, repr=False)

    @property
    def operator(self) -> ShiftVariantBlur:
        """The blur of the whole sensor."""
        return self.blur_of(self.pixels, (0, 0), 0)

    def blur_of(self, pixels: tuple[int, int], origin: tuple[int, int], surround: int) -> ShiftVariantBlur:
        """The blur operator of a part of the sensor; only the last one is cached.

        Args:
            pixels: rows, columns of the part, in pixels.
            origin: its first row and column on the sensor.
            surround: pixels of scene on each side of the part.

        Returns:
            The operator; see :func:`metalens.synth.blur.shift_variant_blur`.

        Raises:
            InputError: two field positions of the bank are closer than a pixel.
        """
        return self._ready_for((pixels, origin, surround)).operator

    def white_scene(self, pixels: tuple[int, int], origin: tuple[int, int], surround: int) -> np.ndarray:
        """Light of a white scene on a part of the sensor.

        Args:
            pixels: rows, columns of the part, in pixels.
            origin: its first row and column on the sensor.
            surround: pixels of scene on each side of the part.

        Returns:
            ``[y, x, 3]`` float32.

        Raises:
            InputError: two field positions of the bank are closer than a pixel.
        """
        return self._ready_for((pixels, origin, surround)).white_scene

    def _ready_for(self, frame: _Frame) -> _ReadyBlur:
        if frame not in self._ready:
            self._ready.clear()
            operator = shift_variant_blur(self.bank, pixels=frame[0], origin=frame[1], surround=frame[2])
            white = np.asarray(blur(operator, np.ones((*operator.frame.scene_pixels, 3), dtype=np.float32)))
            self._ready[frame] = _ReadyBlur(operator, white)
        return self._ready[frame]

    @property
    def pixels(self) -> tuple[int, int]:
        """Rows, columns of the sensor."""
        return self.bank.camera.sensor.pixels

    def margin(self, pixels: tuple[int, int]) -> int:
        """Pixels of scene that a crop needs on each side, because their light falls on it; 0 for a whole frame."""
        if pixels == self.pixels:
            return 0
        return EDGE + max(self.bank.intensity.shape[-2:]) // 2


def simulated_camera(bank: PsfBank, *, demosaicing: Demosaicing = "malvar2004") -> SimulatedCamera:
    """Prepare a camera for photographing scenes.

    Args:
        bank: its point spread functions.
        demosaicing: method of :func:`metalens.synth.sensor.develop`.

    Returns:
        The camera, exposed for a white scene.

    Raises:
        InputError: two field positions of the bank are closer than a pixel.
    """
    return SimulatedCamera(bank, exposure_for(bank.camera.sensor, bank), demosaicing)


def photograph_scene(camera: SimulatedCamera, scene: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Photograph a scene: blur, expose, develop.

    Args:
        camera: from :func:`simulated_camera`.
        scene: ``[y, x, 3]`` linear light on the sensor's pixels.
        generator: the random numbers of this sample alone.

    Returns:
        ``[y, x, 3]`` uint8 sRGB.
    """
    return photograph_crop(camera, scene, scene.shape[:2], (0, 0), generator)[0]


def photograph_crop(
    camera: SimulatedCamera,
    scene: np.ndarray,
    pixels: tuple[int, int],
    position: tuple[int, int],
    generator: np.random.Generator,
) -> tuple[np.ndarray, float]:
    """Photograph a scene on a part of the sensor.

    Args:
        camera: from :func:`simulated_camera`.
        scene: ``[y, x, 3]`` linear light: the crop with :meth:`SimulatedCamera.margin` pixels on each side.
        pixels: rows, columns of the crop.
        position: first row and column of the crop on the sensor; both even, so that the crop starts with the first
            colour of the Bayer pattern.
        generator: the random numbers of this sample alone.

    Returns:
        ``[y, x, 3]`` uint8 sRGB of the crop without margins, and the estimated relative error of the blur.
    """
    sensor = camera.bank.camera.sensor
    rows, columns = pixels
    edge = 0 if pixels == camera.pixels else EDGE
    top, left = max(position[0] - edge, 0), max(position[1] - edge, 0)
    bottom = min(position[0] + rows + edge, camera.pixels[0])
    right = min(position[1] + columns + edge, camera.pixels[1])
    light = light_on(camera, scene, pixels, position)
    pattern = _cut_pattern(fixed_pattern(sensor, camera.pixels), slice(top, bottom), slice(left, right))
    frame_rows = (top, camera.pixels[0])
    raw = expose(sensor, light.scene, camera.exposure, generator, pattern, frame_rows=frame_rows)
    picture = develop(sensor, raw, camera.exposure, demosaicing=camera.demosaicing, white_scene=light.white)
    first_row, first_column = position[0] - top, position[1] - left
    inner = picture[first_row : first_row + rows, first_column : first_column + columns]
    return np.ascontiguousarray(inner), light.error


def light_on(camera: SimulatedCamera, scene: np.ndarray, pixels: tuple[int, int], position: tuple[int, int]) -> Light:
    """Light on a crop and on :data:`EDGE` pixels around it, within the sensor.

    A whole frame of more than :data:`metalens.synth.blur.parts.LARGEST_WHOLE` pixels is blurred in parts. For a crop of
    a large sensor a blur operator is built for this position only. A small one is blurred whole with one cached
    operator, which is faster; the scene around the crop is then continued by its mirror image.

    Args:
        camera: from :func:`simulated_camera`.
        scene: ``[y, x, 3]`` linear light: the crop with its margin on each side.
        pixels: rows, columns of the crop.
        position: first row and column of the crop on the sensor, both even.

    Returns:
        The light, not negative.
    """
    if pixels == camera.pixels and pixels[0] * pixels[1] > LARGEST_WHOLE:
        white = np.broadcast_to(np.float32(1), scene.shape)
        (light, white), change = blur_in_parts(camera.bank, [scene, white])
        return Light(np.maximum(light, 0), white, change)
    margin = (scene.shape[0] - pixels[0]) // 2
    edge = 0 if pixels == camera.pixels else EDGE
    top, left = max(position[0] - edge, 0), max(position[1] - edge, 0)
    size = [min(at + side + edge, whole) for at, side, whole in zip(position, pixels, camera.pixels, strict=True)]
    if edge and is_large(pixels, camera.pixels, margin):
        around = (pixels[0] + 2 * edge, pixels[1] + 2 * edge)
        frame, scenery = (around, (position[0] - edge, position[1] - edge), margin - edge), scene
    else:
        frame, scenery = (camera.pixels, (0, 0), 0), _over_the_sensor(camera, scene, position, margin)
    operator, first = camera.blur_of(*frame), frame[1]
    inner = slice(top - first[0], size[0] - first[0]), slice(left - first[1], size[1] - first[1])
    # The blur is exact only within its tolerance: beside bright edges it can be slightly negative, light cannot.
    light = np.maximum(np.asarray(blur(operator, jnp.asarray(scenery))), 0)
    return Light(light[inner], camera.white_scene(*frame)[inner], operator.report.change)


def _over_the_sensor(camera: SimulatedCamera, scene: np.ndarray, position: tuple[int, int], margin: int) -> np.ndarray:
    """A scene around a crop continued by its mirror image over the whole sensor, and cut at its borders."""
    pads, cuts = [], []
    for at, length, whole in zip(position, scene.shape[:2], camera.pixels, strict=True):
        first = at - margin
        pads.append((max(first, 0), max(whole - first - length, 0)))
        cuts.append(slice(max(-first, 0), max(-first, 0) + whole))
    return np.pad(scene, (*pads, (0, 0)), mode="symmetric")[cuts[0], cuts[1]]


def _cut_pattern(pattern: CameraFixedPattern, rows: slice, columns: slice) -> CameraFixedPattern:
    parts = {each.name: getattr(pattern, each.name) for each in fields(pattern)}
    return CameraFixedPattern(**{name: None if part is None else part[rows, columns] for name, part in parts.items()})
