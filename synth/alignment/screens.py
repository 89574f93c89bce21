"""Pictures to display for a set of captured pairs, and the list of captures to make."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from metalens.formats.camera.camera import LENS_FILE, Camera, copy_camera
from metalens.formats.files.atomic import atomic_directory
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.formats.pictures.resizing import scene_from_picture
from metalens.formats.pictures.scene import centre_crop, linear_to_srgb, to_8_bit
from metalens.synth.alignment.target import DotTarget
from metalens.synth.photographs import Photograph

LEVELS = (0, 32, 64, 96, 128, 160, 192, 224)
"""Grey levels to display in addition to white."""

INDEX = "captures.toml"
DISPLAY = "display"


def write_screens(
    folder: Path,
    target: DotTarget,
    photographs: Sequence[Photograph],
    *,
    lens: Camera | str,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write pictures to display, in ``display/``, and a ``captures.toml`` that names a capture of each.

    Args:
        folder: to make.
        target: the grid of dots.
        photographs: that become pairs; cut and scaled to the display, whose pixels they then fill one by one.
        lens: the camera, or the name of a preset. A camera's ``lens.toml`` is written beside the list, with copies of
            the files that it names.
        progress: is told the photographs done and their number.

    Returns:
        How many pictures there are to display.

    Raises:
        InputError: a photograph cannot be read, or the folder is not empty.
    """
    if not photographs:
        raise InputError("screens: no photographs were given; name files or folders that hold some.")
    screens: dict[str, np.ndarray] = {"dots": target.picture(), "white": _plain(target, 255, 255, 255)}
    screens |= {f"grey-{value:03d}": _plain(target, value, value, value) for value in LEVELS}
    screens |= {
        "red": _plain(target, 255, 0, 0),
        "green": _plain(target, 0, 255, 0),
        "blue": _plain(target, 0, 0, 255),
    }
    with atomic_directory(folder) as part:
        (part / DISPLAY).mkdir()
        for name, picture in screens.items():
            write_picture(part / DISPLAY / f"{name}.png", picture)
        for number, photograph in enumerate(photographs, start=1):
            picture = _fitted(read_picture(photograph.path), target.pixels)
            write_picture(part / DISPLAY / f"photograph-{number:05d}.png", picture)
            if progress is not None:
                progress(number, len(photographs))
        if isinstance(lens, Camera):
            copy_camera(lens, part)
        name = lens if isinstance(lens, str) else LENS_FILE
        (part / INDEX).write_text(_index(target, photographs, name), encoding="utf-8")
    return len(screens) + len(photographs)


def _plain(target: DotTarget, *colour: int) -> np.ndarray:
    return np.broadcast_to(np.array(colour, dtype=np.uint8), (*target.pixels, 3)).copy()


def _fitted(picture: np.ndarray, pixels: tuple[int, int]) -> np.ndarray:
    """A photograph at the display's size; one that stands upright is turned, so that less of it is cut off."""
    if (picture.shape[0] > picture.shape[1]) != (pixels[0] > pixels[1]) and pixels[0] != pixels[1]:
        picture = np.rot90(picture)
    crop = centre_crop(picture.shape[:2], pixels[1] / pixels[0])
    return to_8_bit(linear_to_srgb(scene_from_picture(np.ascontiguousarray(picture), pixels, crop)))


def _index(target: DotTarget, photographs: Sequence[Photograph], lens: str) -> str:
    """A list of captures; what is in it is what ``metalens align`` will look for."""
    lines = [
        'schema = "metalens.alignment"',
        "version = 1",
        f"lens = {_quoted(lens)}",
        'colour = "bayer"  # or "rgb": three planes',
        'darks = ["capture/dark.npy"]  # the lens capped',
        'dots = "capture/dots.npy"',
        'white = "capture/white.npy"',
        *(f'{name} = "capture/{name}.npy"' for name in ("red", "green", "blue")),
        "",
        "[target]",
        f"pixels = [{target.pixels[0]}, {target.pixels[1]}]",
        f"spacing_px = {float(target.spacing)!r}",
        f"radius_px = {float(target.radius)!r}",
    ]
    for value in LEVELS:
        lines += ["", "[[levels]]", f"value = {value}", f'file = "capture/grey-{value:03d}.npy"']
    for number, photograph in enumerate(photographs, start=1):
        lines += [
            "",
            "[[captures]]",
            f'file = "capture/photograph-{number:05d}.npy"',
            f'picture = "{DISPLAY}/photograph-{number:05d}.png"',
            f"licence = {_quoted(photograph.licence[:500])}",
            f"credit = {_quoted(photograph.credit[:500])}",
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are among TOML's."""
    return json.dumps(text.replace("\x7f", ""), ensure_ascii=False)
