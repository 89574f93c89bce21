"""A simulated screen in front of a simulated camera: captures with known ground truth.

It shares only the Bayer pattern with the calibration, so that errors do not cancel: its distortion maps
from the ideal plane to the sensor, its coma is Seidel's, and the display's curve is sRGB's or a power.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter

from metalens.formats.camera.sensor import Sensor
from metalens.formats.pictures.scene import srgb_to_linear
from metalens.synth.sensor import Exposure, expose

_OVERSAMPLING = 3
_RINGS = ((0.35, 0.25), (0.75, 0.5), (0.95, 0.25))
"""Radii in the pupil and their shares of the light; the mean of the squared radii is 0.54, about a full disc's half."""


@dataclass(frozen=True)
class SimulatedRig:
    """Everything that lies between a displayed picture and the raw frame of it.

    Attributes:
        sensor: that takes the frames.
        display: rows, columns of the screen.
        corners: ``[4, (y, x)]`` where the display's corners (top left, top right, bottom right, bottom left) lie on the
            sensor without distortion, pixels.
        radial: k₁, k₂ of Brown's distortion, the radius in half diagonals of the sensor.
        blur: root-mean-square width of the blur at the axis and in the corner, pixels.
        coma: how far the centre of light of a point in the corner lies outside of its chief ray, pixels; it grows with
            the distance from the axis. The tail is three times as long.
        vignetting: share of the light that the corner lacks; it grows with the square of the distance.
        unevenness: share of its light that the screen lacks on its left edge.
        gamma: exponent of the display; ``None`` is the curve of sRGB.
        black: light of the black screen over that of the white one.
        colour: ``[3, 3]`` what the camera's red, green and blue see of the screen's.
        haze: share of the light that is spread all over.
        white_level: share of the full well that the white screen fills on the axis.
        moved: (y, x) pixels by which the camera was moved after all.
    """

    sensor: Sensor
    display: tuple[int, int]
    corners: np.ndarray
    radial: tuple[float, float] = (-0.04, 0.01)
    blur: tuple[float, float] = (1.2, 1.6)
    coma: float = 0.0
    vignetting: float = 0.35
    unevenness: float = 0.06
    gamma: float | None = 2.2
    black: float = 0.004
    colour: tuple[tuple[float, ...], ...] = ((0.9, 0.08, 0.02), (0.06, 0.88, 0.06), (0.01, 0.09, 0.9))
    haze: float = 0.03
    white_level: float = 0.8
    moved: tuple[float, float] = (0.0, 0.0)

    def display_of(self, position: np.ndarray) -> np.ndarray:
        """Ground truth: position ``[..., (y, x)]`` on the display whose chief ray meets a position on the sensor."""
        middle, scale = _middle(self.sensor.pixels)
        wanted = (np.asarray(position, dtype=np.float64) - np.array(self.moved) - middle) / scale
        ideal = wanted.copy()
        for _ in range(25):
            squared = (ideal**2).sum(axis=-1, keepdims=True)
            ideal = wanted / (1 + self.radial[0] * squared + self.radial[1] * squared**2)
        matrix = _homography(self.corners, self.display)
        plane = np.concatenate([ideal * scale + middle, np.ones((*ideal.shape[:-1], 1))], axis=-1) @ matrix.T
        return plane[..., :2] / plane[..., 2:]

    def light(self, picture: np.ndarray) -> np.ndarray:
        """Linear light ``[y, x, 3]`` of the screen in the camera's channels, white 1, of a uint8 picture."""
        value = picture / np.float32(255)
        shown = srgb_to_linear(picture) if self.gamma is None else value**self.gamma
        return (self.black + (1 - self.black) * shown) @ np.array(self.colour, dtype=np.float32).T

    def image(self, picture: np.ndarray) -> np.ndarray:
        """Light ``[y, x, 3]`` on the sensor without noise, 1 for white on the axis."""
        screen = self.light(picture).astype(np.float64)
        screen *= (1 - self.unevenness * np.linspace(1, 0, self.display[1]))[None, :, None]
        seen = self._with_coma(self._sampled(screen))
        middle, scale = _middle(self.sensor.pixels)
        squared = (((_grid(self.sensor.pixels) - middle) / scale) ** 2).sum(axis=-1)[..., None]
        sharp, soft = (gaussian_filter(seen, (width, width, 0), mode="nearest") for width in self.blur)
        seen = (1 - squared) * sharp + squared * soft
        seen = (1 - self.haze) * seen + self.haze * seen.mean(axis=(0, 1))
        return seen * (1 - self.vignetting * squared)

    def capture(self, picture: np.ndarray | None, generator: np.random.Generator, *, frames: int = 1) -> np.ndarray:
        """Capture raw frames of a displayed picture.

        Args:
            picture: ``[y, x, 3]`` uint8 sRGB in the display's pixels; ``None`` for dark frames, with the lens capped.
            generator: of the noise.
            frames: number of frames, at least 1.

        Returns:
            ``[frame, y, x]`` uint16 digital numbers.
        """
        light = np.zeros((*self.sensor.pixels, 3)) if picture is None else self.image(picture)
        white = self.white_level * self.sensor.full_well_e
        exposure = Exposure((white, white, white), (white, white, white))
        return np.stack([expose(self.sensor, light, exposure, generator) for _ in range(frames)])

    def after(self, y: float, x: float) -> SimulatedRig:
        """The same rig with the camera displaced.

        Args:
            y: displacement down, in pixels.
            x: displacement to the right, in pixels.

        Returns:
            A new rig.
        """
        return replace(self, moved=(y, x))

    @cached_property
    def _places(self) -> np.ndarray:
        """What the parts of the pixels see of the display, ``[(y, x), part of a row, part of a column]``."""
        rows, columns = self.sensor.pixels
        fine = (_OVERSAMPLING * rows, _OVERSAMPLING * columns)
        return np.moveaxis(self.display_of((_grid(fine) + 0.5) / _OVERSAMPLING - 0.5), -1, 0)

    def _sampled(self, screen: np.ndarray) -> np.ndarray:
        """The screen's light on parts of pixels, ``[y, x, 3]``; each value is the mean over a whole pixel about it."""
        planes = [map_coordinates(screen[..., channel], self._places, order=1, mode="constant") for channel in range(3)]
        return uniform_filter(np.stack(planes, axis=-1), (_OVERSAMPLING, _OVERSAMPLING, 1), mode="nearest")

    def _with_coma(self, fine: np.ndarray) -> np.ndarray:
        """Light on whole pixels, of points that are each spread outwards."""
        middle, scale = _middle(self.sensor.pixels)
        place = _grid(self.sensor.pixels)
        away = (place - middle) / scale
        seen = np.zeros((*self.sensor.pixels, 3))
        for (along, across), share in _coma_shifts(self.coma):
            source = place - along * away - across * away[..., ::-1] * np.array([-1, 1])
            at = np.moveaxis((source + 0.5) * _OVERSAMPLING - 0.5, -1, 0)
            for channel in range(3):
                seen[..., channel] += share * map_coordinates(fine[..., channel], at, order=1, mode="nearest")
        return seen


def simulated_rig(
    sensor: Sensor,
    generator: np.random.Generator,
    *,
    display: tuple[int, int] = (640, 640),
    jitter: float = 8.0,
    turn: float = 0.0,
) -> SimulatedRig:
    """A rig whose screen nearly fills the sensor; the positions of the corners are random.

    Args:
        sensor: of the camera.
        generator: of the draws.
        display: rows, columns of the screen.
        jitter: standard deviation of a corner's place along each axis, pixels of the sensor.
        turn: of the camera about its axis, radians.

    Returns:
        The rig, with the four corners of its screen in pixels of the sensor.
    """
    rows, columns = sensor.pixels
    corners = np.array([[0, 0], [0, columns], [rows, columns], [rows, 0]]) - np.array(sensor.pixels) / 2
    turned = corners @ np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    jittered = 1.02 * turned + np.array(sensor.pixels) / 2 + jitter * generator.standard_normal((4, 2))
    return SimulatedRig(sensor, display, jittered)


def _middle(pixels: tuple[int, int]) -> tuple[np.ndarray, float]:
    return (np.array(pixels) - 1) / 2, math.hypot(*pixels) / 2


def _grid(pixels: tuple[int, int]) -> np.ndarray:
    return np.stack(np.meshgrid(*(np.arange(count, dtype=np.float64) for count in pixels), indexing="ij"), axis=-1)


def _homography(corners: np.ndarray, display: tuple[int, int]) -> np.ndarray:
    """The matrix from the sensor to the display, by the display's four corners."""
    rows, columns = display
    there = np.array([[-0.5, -0.5], [-0.5, columns - 0.5], [rows - 0.5, columns - 0.5], [rows - 0.5, -0.5]])
    system, right = [], []
    for (y, x), (v, u) in zip(corners, there, strict=True):
        system += [[y, x, 1, 0, 0, 0, -v * y, -v * x], [0, 0, 0, y, x, 1, -u * y, -u * x]]
        right += [v, u]
    return np.append(np.linalg.solve(np.array(system), np.array(right)), 1.0).reshape(3, 3)


def _coma_shifts(coma: float) -> list[tuple[tuple[float, float], float]]:
    """Shifts (along the radius, across it) a half diagonal of distance, and shares: Seidel's circles.

    A ring of the pupil of radius ρ is imaged as a circle of radius ρ²C whose middle lies 2ρ²C outside of the chief ray.
    """
    if coma == 0:
        return [((0.0, 0.0), 1.0)]
    mean = sum(share * 2 * radius**2 for radius, share in _RINGS)
    turns = 2 * math.pi * (np.arange(10) + 0.5) / 10
    return [
        ((coma / mean * radius**2 * (2 + math.cos(turn)), coma / mean * radius**2 * math.sin(turn)), share / 10)
        for radius, share in _RINGS
        for turn in turns
    ]
