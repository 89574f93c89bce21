"""From the raw frame to the picture: black level, white balance, demosaicing, colour matrix, gamma."""

from __future__ import annotations

import numpy as np

from metalens.formats.camera.sensor import Development, Sensor
from metalens.formats.pictures.bayer import Demosaicing, bayer_channels, demosaic
from metalens.formats.pictures.encoding import encode_light
from metalens.formats.pictures.scene import to_8_bit
from metalens.synth.sensor.exposure import Exposure

LEAST_WHITE = 1e-3
"""Share of a white scene's light, below which a pixel is dark whatever the scene."""


def develop(
    sensor: Sensor,
    raw: np.ndarray,
    exposure: Exposure,
    *,
    demosaicing: Demosaicing = "malvar2004",
    white_scene: np.ndarray | None = None,
) -> np.ndarray:
    """Develop a raw frame to a picture.

    Args:
        sensor: the sensor; its ``development`` says what is done otherwise than by default.
        raw: ``[y, x]`` digital numbers.
        exposure: from :func:`exposure_for`; its ``white`` becomes white, unless there are gains of its own.
        demosaicing: ``malvar2004`` (10.1109/ICASSP.2004.1326587), ``bilinear`` or ``menon2007``
            (10.1109/TIP.2006.884928).
        white_scene: ``[y, x, 3]`` light that a white scene brings to these pixels, which is what becomes white then:
            the camera's flat field. A sensor with gains of its own does without.

    Returns:
        ``[y, x, 3]`` uint8 sRGB, or light^(1/gamma) if the sensor has a gamma.

    Raises:
        InputError: the method is unknown.
    """
    settings = sensor.development or Development()
    # Dark current lifts the frame as the black level does; its mean is known and subtracted with it.
    dark = sensor.black_level_dn + sensor.system_gain * sensor.dark_signal_e
    white = sensor.system_gain * _white(sensor, settings, exposure, (raw.shape[0], raw.shape[1]), white_scene)
    balanced = (raw.astype(np.float64) - dark) / white
    light = demosaic(balanced, sensor.bayer, demosaicing)
    return to_8_bit(encode_light(sensor, light))


def _white(
    sensor: Sensor, settings: Development, exposure: Exposure, shape: tuple[int, int], white_scene: np.ndarray | None
) -> np.ndarray:
    """Electrons ``[y, x]`` that each pixel of the mosaic shows as 1."""
    channel = bayer_channels(sensor, shape)
    if settings.white_balance is not None:
        return (exposure.white[1] / np.asarray(settings.white_balance))[channel]
    if white_scene is None:
        return np.asarray(exposure.white)[channel]
    seen = np.take_along_axis(white_scene, channel[..., None], axis=-1)[..., 0]
    return np.asarray(exposure.electrons)[channel] * np.maximum(seen, LEAST_WHITE)
