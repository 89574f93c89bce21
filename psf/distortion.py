"""Distortion of a camera, and the picture without it.

A lens that is its own stop images the angle θ at f tan θ, as a pinhole does. Behind a stop it bends the chief ray: with
a quadratic phase the image lies near f sin θ, and straight lines of the scene are bent towards the rim (barrel). The
pictures of this package are given on the sensor, with the distortion in them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.ndimage

from metalens.formats.camera.camera import Camera
from metalens.formats.files.errors import InputError
from metalens.psf.camera_fields import view_of
from metalens.psf.spectra.spectrum import spectral_quadrature

RADII = 65
"""Places between the axis and the sensor's corner at which chief rays are followed."""


class Distortion(NamedTuple):
    """Where chief rays land, for the mean wavelength of the green channel.

    Attributes:
        radius: ``[place]`` ascending from 0, distance from the sensor's centre in metres.
        rectilinear: ``[place]`` where a pinhole camera of the same magnification in the centre images that light, in
            metres.
    """

    radius: np.ndarray
    rectilinear: np.ndarray

    @property
    def at_corner(self) -> float:
        """(r − r₀)/r₀ in the corner, r₀ the rectilinear place; negative is barrel distortion."""
        return float(self.radius[-1] / self.rectilinear[-1] - 1)


def distortion_of(camera: Camera) -> Distortion:
    """Distortion of a rotationally symmetric camera.

    Raises:
        InputError: the camera is not rotationally symmetric, or no chief ray reaches a place of its sensor.
    """
    sensor = camera.sensor
    corner = 0.5 * float(np.hypot(*sensor.pixels)) * sensor.pixel_pitch_m
    radius = corner * np.linspace(0, 1, RADII)
    wavelength, weight = spectral_quadrature(camera.spectrum)
    position = np.stack([np.zeros(RADII), radius], axis=1)
    view = view_of(camera, position, float(weight[1] @ wavelength))
    if not view.rotationally_symmetric:
        raise InputError(
            f"distortion {camera.name}: the camera is not rotationally symmetric, about its sensor's centre; the map "
            "of a radius does not describe it."
        )
    sine = view.direction[:, 1]
    tangent = sine / np.sqrt(1 - sine**2)
    return Distortion(radius, tangent * radius[1] / tangent[1])


def undistorted(picture: np.ndarray, camera: Camera) -> np.ndarray:
    """A picture of the whole sensor as a pinhole camera of the same magnification in the centre would show it.

    Args:
        picture: ``[y, x]`` or ``[y, x, channel]`` on the camera's sensor, restored or captured, of any number type.
        camera: rotationally symmetric.

    Returns:
        The same shape and type, interpolated linearly; 0 where the camera sees nothing.

    Raises:
        InputError: the picture is not of the camera's sensor, or the camera is not rotationally symmetric.
    """
    pixels = camera.sensor.pixels
    if picture.ndim not in (2, 3) or picture.shape[:2] != tuple(pixels):
        raise InputError(
            f"distortion {camera.name}: a picture of the shape {picture.shape}, expected {pixels[0]} × {pixels[1]} "
            "pixels (rows × columns), those of the sensor."
        )
    found = distortion_of(camera)
    y, x = (camera.sensor.pixel_pitch_m * (np.arange(count) - (count - 1) / 2) for count in pixels)
    wanted = np.hypot(y[:, None], x)
    taken = np.interp(wanted, found.rectilinear, found.radius)
    factor = np.divide(taken, wanted, out=np.ones_like(wanted), where=wanted > 0)
    factor[wanted > found.rectilinear[-1]] = np.inf
    place = [
        axis * factor / camera.sensor.pixel_pitch_m + (count - 1) / 2
        for axis, count in zip((y[:, None], x[None, :]), pixels, strict=True)
    ]
    place = [np.where(np.isfinite(each), each, -1e6) for each in place]
    layers = picture[..., None] if picture.ndim == 2 else picture
    moved = np.stack(
        [
            scipy.ndimage.map_coordinates(layer.astype(float), place, order=1, mode="grid-constant", cval=0.0)
            for layer in np.moveaxis(layers, -1, 0)
        ],
        axis=-1,
    )
    if np.issubdtype(picture.dtype, np.integer):
        moved = np.round(moved)
    return moved.reshape(picture.shape).astype(picture.dtype)
