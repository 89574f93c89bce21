"""A complete set of captures from a simulated rig, in the folder layout of a real one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.pictures.pictures import read_picture
from metalens.synth.alignment.screens import DISPLAY, write_screens
from metalens.synth.alignment.simulated_rig import SimulatedRig
from metalens.synth.alignment.target import DotTarget
from metalens.synth.photographs import Photograph


def rehearse(
    folder: Path,
    rig: SimulatedRig,
    camera: Camera,
    target: DotTarget,
    photographs: Sequence[Photograph],
    generator: np.random.Generator,
    *,
    frames: int = 2,
) -> None:
    """Simulate all captures of a rig and write pictures, raw frames, ``lens.toml`` and ``captures.toml``.

    Args:
        folder: to make.
        rig: screen and camera.
        camera: that the rig's sensor belongs to.
        target: the dots.
        photographs: that become pairs.
        generator: of the noise.
        frames: of each capture.

    Raises:
        InputError: the folder is not empty, or a photograph cannot be read.
    """
    write_screens(folder, target, photographs, lens=camera)
    (folder / "capture").mkdir()
    np.save(folder / "capture" / "dark.npy", rig.capture(None, generator, frames=frames))
    for path in sorted((folder / DISPLAY).iterdir()):
        np.save(folder / "capture" / f"{path.stem}.npy", rig.capture(read_picture(path), generator, frames=frames))
