"""One photograph taken by a camera: the function behind ``metalens.simulate_capture``."""

from __future__ import annotations

import os

import numpy as np

from metalens.formats.files.arguments import require_whole
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.pictures.resizing import scene_from_picture
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.formats.psf.bank_file import as_bank
from metalens.synth.generate import photograph_scene, simulated_camera
from metalens.synth.photograph_sources import photographs_of
from metalens.workflows.banks import BankSource, bank_of


def simulate_capture(
    photograph: np.ndarray | str | os.PathLike[str], bank: BankSource, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Photograph a scene with a camera: blur by its point spread functions, expose, add noise, develop.

    Many captures, with crops and exposures of their own, are made by :func:`metalens.generate_pairs`.

    Args:
        photograph: the scene, ``[y, x, 3]`` uint8 sRGB, the file of a picture, or ``embedded:NAME`` of one that comes
            with the package. Its largest part with the sensor's aspect is resized to the sensor.
        bank: the camera's point spread functions, their ``psf.h5``, or the camera, its ``lens.toml`` or preset: its
            functions are then simulated once and kept.
        seed: of the noise, 0 or more.

    Returns:
        The scene as an ideal lens would image it, and as this camera does: both ``[y, x, 3]`` uint8 sRGB on the
        sensor's pixels.

    Raises:
        InputError: the picture or the bank cannot be read or used, or the seed is no whole number from 0 on.

    References:
        Noise of the sensor: EMVA Standard 1288, release 4.0 (2021).
        Demosaicing: H. S. Malvar, L. He and R. Cutler, ICASSP (2004), doi:10.1109/ICASSP.2004.1326587, unless the
        sensor names another one. The blur is that of :mod:`metalens.synth.blur`.

    Example:
        >>> import numpy as np
        >>> import metalens
        >>> camera = metalens.read_camera("hyperbolic").with_(
        ...     lens={"aperture_um": 40, "focal_length_um": 100}, sensor={"pixels": (16, 16), "pixel_pitch_um": 1}
        ... )
        >>> bank = metalens.simulate_bank(camera, fields=(1, 1), wavelengths_per_channel=1, window=(25, 25))
        >>> clean, captured = metalens.simulate_capture(np.full((40, 60, 3), 90, np.uint8), bank)
        >>> clean.shape, captured.shape, captured.dtype
        ((16, 16, 3), (16, 16, 3), dtype('uint8'))
    """
    require_whole(seed, "capture: seed", most=2**63 - 1)
    if seed < 0:
        raise InputError(f"capture: seed {seed}: a whole number from 0 on was expected.")
    known = as_bank(bank_of(bank))
    picture = photograph if isinstance(photograph, np.ndarray) else _read(photograph)
    scene = scene_from_picture(picture, known.camera.sensor.pixels)
    captured = photograph_scene(simulated_camera(known), scene, np.random.default_rng(seed))
    return to_8_bit(linear_to_srgb(scene)), captured


def _read(photograph: str | os.PathLike[str]) -> np.ndarray:
    if not isinstance(photograph, str | os.PathLike):
        raise InputError(
            f"capture: a photograph of type {type(photograph).__name__}; an array of uint8 or the path of a picture "
            "was expected."
        )
    if not os.fspath(photograph).startswith("embedded:"):
        return read_picture(photograph)
    found = photographs_of(os.fspath(photograph))
    if len(found) != 1:
        names = ", ".join(each.name for each in found)
        raise InputError(f"capture: {photograph}: one photograph was expected; give embedded:NAME with one of {names}.")
    return read_picture(found[0].path)
