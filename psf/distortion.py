"""Distortion of a camera.

A lens that is its own stop images the angle θ at f tan θ, as a pinhole does. Behind a stop it bends the chief ray: with
a quadratic phase the image lies near f sin θ, and straight lines of the scene are bent towards the rim (barrel). The
pictures of this package are given on the sensor, with the distortion in them;
:func:`metalens.formats.pictures.distortion.undistorted` takes it out.
"""

from __future__ import annotations

import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.distortion import Distortion
from metalens.psf.camera_fields import view_of
from metalens.psf.spectra.spectrum import spectral_quadrature

PLACES = np.concatenate([[0, 1 / 64], np.linspace(1 / 16, 1, 16)])
"""Between the axis and the sensor's corner, at which chief rays are followed; the second gives the magnification."""


def distortion_of(camera: Camera) -> Distortion:
    """Distortion of a rotationally symmetric camera.

    Args:
        camera: the camera.

    Raises:
        InputError: it is no camera, it is not rotationally symmetric, or no chief ray reaches a place of its sensor.
    """
    if not isinstance(camera, Camera):
        raise InputError(f"distortion: {type(camera).__name__}; a camera was expected, such as of read_camera.")
    sensor = camera.sensor
    radius = 0.5 * float(np.hypot(*sensor.pixels)) * sensor.pixel_pitch_m * PLACES
    wavelength, weight = spectral_quadrature(camera.spectrum)
    position = np.stack([np.zeros(len(radius)), radius], axis=1)
    view = view_of(camera, position, float(weight[1] @ wavelength))
    if not view.rotationally_symmetric:
        raise InputError(
            f"distortion {camera.name}: the camera is not rotationally symmetric about its sensor's centre, and a map "
            "of the radius does not describe it."
        )
    sine = view.direction[:, 1]
    tangent = sine / np.sqrt(1 - sine**2)
    return Distortion(radius, tangent * radius[1] / tangent[1], sensor.pixels, sensor.pixel_pitch_m)
