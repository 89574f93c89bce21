"""Whether a lens can be simulated on the whole sensor, also beyond the fields for which it is designed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.files.errors import InputError
from metalens.optics.metalens import Metalens
from metalens.psf.camera_fields import view_of, with_chief_rays
from metalens.psf.design.problem import Problem
from metalens.psf.spectra.spectrum import spectral_quadrature

MARGIN = 1e-3
"""By which the corners that are checked lie farther from the axis: the lens.toml rounds the numbers of the search."""


def corner_deg(camera: Camera) -> float:
    """Field angle of the chief ray to the sensor's corner, in degrees, in the middle of the green channel.

    Args:
        camera: the camera.

    Raises:
        InputError: no chief ray reaches it.
    """
    wavelength, weight = spectral_quadrature(camera.spectrum)
    return math.degrees(view_of(camera, _corners(camera)[:1], float(weight[1] @ wavelength)).field_angle[0])


def fault_on_sensor(problem: Problem, lens: Metalens) -> str | None:
    """Why a lens of a search cannot be simulated, at its fields or in the sensor's corners; None if it can.

    Chief rays have to reach the corners, and the sampling has to be planned.

    Args:
        problem: the specification; its own wavelengths are those of the check.
        lens: the lens.

    Returns:
        One sentence, or None.
    """
    camera, wavelength = problem.camera, problem.wavelength
    position = (1 + MARGIN) * _corners(camera) - np.array(camera.lens.decentre_m)
    view = replace(problem.view, lens=lens, position=position)
    if view.rotationally_symmetric:
        view = replace(view, position=position[:1])
    try:
        problem.simulator(lens)
        view = with_chief_rays(view, float(problem.channel_weight[1] @ wavelength))
        view.simulator(wavelength, window=(3, 3), pixel_pitch=camera.sensor.pixel_pitch_m, engine="auto")
    except InputError as error:
        return str(error)
    return None


def _corners(camera: Camera) -> np.ndarray:
    """``[corner, (y, x)]`` on the sensor in metres from its centre."""
    y, x = (0.5 * count * camera.sensor.pixel_pitch_m for count in camera.sensor.pixels)
    return np.array([(y, x), (y, -x), (-y, x), (-y, -x)])
