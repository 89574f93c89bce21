"""The colour sensor in the terms of EMVA 1288 (release 4.0), and the development of its raw frame.

    light → electrons → shot noise and dark current → full well → read noise → gain → black level → quantise → clip

One colour per pixel is exposed, by the Bayer pattern; the frame is developed by subtracting the black level,
balancing white, demosaicing, clipping and encoding sRGB. Each sample brings its own random numbers; they are
NumPy's, whose Poisson draws take a tenth of the time of JAX's on a processor.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np

from metalens.formats.errors import InputError
from metalens.formats.psf_bank import PsfBank
from metalens.formats.scene import linear_to_srgb, to_8_bit
from metalens.formats.sensor import Sensor

Demosaicing = Literal["malvar2004", "bilinear", "menon2007"]

MAXIMUM_ELECTRONS = 1e9
"""The brightest pixel that can be exposed."""

_DEMOSAICING_BORDER = 8  # even, and wider than any method reaches

_CHANNEL = {"R": 0, "G": 1, "B": 2}


@dataclass(frozen=True)
class Exposure:
    """How bright the camera makes a white scene.

    Attributes:
        electrons: ``[channel]`` electrons that a white pixel (linear light 1) brings if no light is lost.
        white: ``[channel]`` electrons that a white scene brings behind this lens.
    """

    electrons: tuple[float, float, float]
    white: tuple[float, float, float]


def exposure_for(sensor: Sensor, bank: PsfBank | None = None) -> Exposure:
    """Expose so that a white scene fills ``white_level`` of the full well in the brightest channel.

    Args:
        sensor: the sensor.
        bank: the lens, which sends some light past the windows of its point spread functions, more in one channel
            than in another; ``None`` for a lens that loses none.
    """
    arrives = np.ones(3) if bank is None else bank.intensity.sum(axis=(-2, -1), dtype=np.float64).mean(axis=0)
    electrons = sensor.white_level * sensor.full_well_e / float(arrives.max())
    red, green, blue = (float(electrons * share) for share in arrives)
    return Exposure((electrons, electrons, electrons), (red, green, blue))


def system_gain(sensor: Sensor) -> float:
    """System gain K in DN per electron: a full well reads as the largest number."""
    return (2**sensor.bit_depth - 1 - sensor.black_level_dn) / sensor.full_well_e


def bayer_channels(sensor: Sensor, shape: tuple[int, int]) -> np.ndarray:
    """Tell which colour channel each pixel sees.

    Args:
        sensor: its ``bayer`` names the first two pixels of the first row, then of the second.
        shape: rows, columns.

    Returns:
        ``[y, x]`` int32: 0 red, 1 green, 2 blue.
    """
    tile = np.array([_CHANNEL[letter] for letter in sensor.bayer], dtype=np.int32).reshape(2, 2)
    rows, columns = shape
    return np.tile(tile, (rows // 2 + 1, columns // 2 + 1))[:rows, :columns]


def expose(sensor: Sensor, light: np.ndarray, exposure: Exposure, generator: np.random.Generator) -> np.ndarray:
    """Take a raw frame.

    Args:
        sensor: the sensor.
        light: ``[y, x, 3]`` linear light on the pixels, 1 for a white scene; values below zero by less than the
            rounding of a convolution count as zero.
        exposure: from :func:`exposure_for`.
        generator: the random numbers of this sample alone.

    Returns:
        ``[y, x]`` uint16 digital numbers.

    Raises:
        InputError: the light is NaN, infinite, negative, of another shape, or too bright to be counted.
    """
    rate = _photoelectron_rate(sensor, np.asarray(light, dtype=np.float32), exposure)
    electrons = generator.poisson(rate + sensor.dark_current_e)
    held = np.minimum(electrons, sensor.full_well_e)
    signal = held + sensor.read_noise_e * generator.standard_normal(rate.shape)
    number = np.rint(system_gain(sensor) * signal + sensor.black_level_dn)
    return np.clip(number, 0, 2**sensor.bit_depth - 1).astype(np.uint16)


def _photoelectron_rate(sensor: Sensor, light: np.ndarray, exposure: Exposure) -> np.ndarray:
    """Mean electrons that the light brings to each pixel through its own colour filter, ``[y, x]`` float64."""
    if light.ndim != 3 or light.shape[2] != 3 or 0 in light.shape:
        raise InputError(f"sensor: found light of shape {light.shape}, expected [y, x, 3].")
    # Random-number generators answer a bad Poisson rate with −1, NaN or an error of their own: refused here.
    if not np.isfinite(light).all():
        raise InputError("sensor: the light holds NaN or infinity; check the scene and the psf bank.")
    if light.min() < -1e-4 * max(float(light.max()), 1.0):
        raise InputError(f"sensor: found light of {float(light.min()):.3g}, expected none below zero.")
    channels = bayer_channels(sensor, light.shape[:2])
    seen = np.take_along_axis(light, channels[..., None], axis=2)[..., 0]
    rate = np.maximum(seen, 0).astype(np.float64) * np.asarray(exposure.electrons)[channels]
    if rate.max() > MAXIMUM_ELECTRONS:
        raise InputError(
            f"sensor: {float(rate.max()):.3g} electrons in a pixel, at most {MAXIMUM_ELECTRONS:.0g}; "
            "check full_well_e and the scene."
        )
    return rate


def develop(
    sensor: Sensor, raw: np.ndarray, exposure: Exposure, *, demosaicing: Demosaicing = "malvar2004"
) -> np.ndarray:
    """Develop a raw frame to a picture.

    Args:
        sensor: the sensor.
        raw: ``[y, x]`` digital numbers.
        exposure: from :func:`exposure_for`; its ``white`` becomes white.
        demosaicing: ``malvar2004`` (10.1109/ICASSP.2004.1326587), ``bilinear`` or ``menon2007``
            (10.1109/TIP.2006.884928).

    Returns:
        ``[y, x, 3]`` uint8 sRGB.

    Raises:
        InputError: the method is unknown.
    """
    # Dark current lifts the frame as the black level does; its mean is known and subtracted with it.
    dark = sensor.black_level_dn + system_gain(sensor) * sensor.dark_current_e
    white = system_gain(sensor) * np.asarray(exposure.white)[bayer_channels(sensor, raw.shape)]
    balanced = (raw.astype(np.float64) - dark) / white
    return to_8_bit(linear_to_srgb(demosaic(balanced, sensor.bayer, demosaicing)))


def demosaic(mosaic: np.ndarray, bayer: str, method: Demosaicing = "malvar2004") -> np.ndarray:
    """Fill in the two colours that each pixel did not see.

    Args:
        mosaic: ``[y, x]`` linear values.
        bayer: the pattern, such as ``RGGB``.
        method: see :func:`develop`.

    Returns:
        ``[y, x, 3]`` float64.

    Raises:
        InputError: the method is unknown.
    """
    with warnings.catch_warnings():
        # colour-demosaicing 0.2.6 imports SciPy's convolve by its old name.
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*scipy.ndimage.*")
        import colour_demosaicing  # here, because it takes a second that no other stage should wait for

    methods = {
        "malvar2004": colour_demosaicing.demosaicing_CFA_Bayer_Malvar2004,
        "bilinear": colour_demosaicing.demosaicing_CFA_Bayer_bilinear,
        "menon2007": colour_demosaicing.demosaicing_CFA_Bayer_Menon2007,
    }
    if method not in methods:
        raise InputError(f"demosaicing {method!r}: expected one of {', '.join(methods)}.")
    # Mirrored about the border pixels, which keeps the pattern's phase; the library's own border repeats them,
    # which breaks it and leaves a dotted frame.
    border = _DEMOSAICING_BORDER
    continued = np.pad(mosaic, border, mode="reflect")
    return np.asarray(methods[method](continued, bayer))[border:-border, border:-border]
