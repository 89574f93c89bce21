"""Electrons of a white scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalens.formats.camera.sensor import Sensor
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.lateral_colour import white_level


@dataclass(frozen=True)
class Exposure:
    """Exposure of a camera, given by its electrons for a white scene.

    Attributes:
        electrons: ``[channel]`` electrons that a white pixel (linear light 1) brings if no light is lost.
        white: ``[channel]`` electrons that a white scene brings behind this lens, about the mean over its sensor.
    """

    electrons: tuple[float, float, float]
    white: tuple[float, float, float]


def exposure_for(sensor: Sensor, bank: PsfBank | None = None) -> Exposure:
    """Expose for a white scene: by its photons if the sensor names them, else to fill ``white_level`` of the well.

    In the second case the brightest channel fills it, and the quantum efficiencies say how the others compare.

    Args:
        sensor: the sensor.
        bank: the lens, which sends some light past the windows of its point spread functions, and gathers it into
            a smaller image, more in one channel than in another; ``None`` for a lens that does neither.

    Returns:
        Electrons of a white scene in each channel (red, green, blue), without the lens and behind it.
    """
    arrives = np.ones(3) if bank is None else white_level(bank)
    efficiency = np.ones(3) if sensor.quantum_efficiency is None else np.array(sensor.quantum_efficiency)
    if sensor.white_photons is not None:
        electrons = sensor.white_photons * efficiency
    else:
        electrons = sensor.white_level * sensor.saturation_e / float((arrives * efficiency).max()) * efficiency
    red, green, blue = (float(each) for each in electrons)
    white_red, white_green, white_blue = (float(each) for each in electrons * arrives)
    return Exposure((red, green, blue), (white_red, white_green, white_blue))
