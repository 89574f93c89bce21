"""Captures of a pinhole, made up: functions become raw frames with noise, darks and an index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

BLACK, FULL_SCALE = 64.0, 4095
ELECTRONS_PER_NUMBER = 4.0
READ_NOISE = 1.5


def raw_frames(light: np.ndarray, dark: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """12-bit frames ``[..., y, x]`` uint16 of light in digital numbers, with shot and read noise."""
    electrons = random.poisson(light * ELECTRONS_PER_NUMBER) / ELECTRONS_PER_NUMBER
    numbers = np.rint(electrons + dark + random.normal(scale=READ_NOISE, size=light.shape))
    return np.clip(numbers, 0, FULL_SCALE).astype(np.uint16)


def _write_captures(
    folder: Path,
    position_um: np.ndarray,
    light: np.ndarray,
    *,
    keys: str = 'area = "window"\n',
    darks: bool = True,
    seed: int = 0,
) -> Path:
    """A folder with an index, one stack of RGB frames for each position, and sixteen darks.

    Args:
        folder: to be made.
        position_um: ``[position, (y, x)]``.
        light: ``[position, frame, channel, y, x]`` in digital numbers.
        keys: further lines of the index.
        darks: whether there are darks; without, the dark level is even.
        seed: of the noise.
    """
    random = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    dark = BLACK + (random.uniform(-4, 4, size=light.shape[-2:]) if darks else 0.0)
    text = f'schema = "metalens.captures"\nversion = 1\ncolour = "rgb"\nfull_scale_dn = {FULL_SCALE}\n'
    text += f"black_level_dn = {BLACK}\n{keys}"
    if darks:
        unlit = raw_frames(np.zeros((16, 3, *light.shape[-2:])), dark, random)
        np.save(folder / "dark.npy", np.moveaxis(unlit, 1, -1))
        text += 'darks = ["dark.npy"]\n'
    for number, ((y, x), frames) in enumerate(zip(position_um, light, strict=True)):
        np.save(folder / f"pinhole_{number}.npy", np.moveaxis(raw_frames(frames, dark, random), 1, -1))
        text += f'\n[[captures]]\nfile = "pinhole_{number}.npy"\ny_um = {y}\nx_um = {x}\n'
    (folder / "captures.toml").write_text(text)
    return folder


@pytest.fixture(scope="session")
def write_captures() -> Callable[..., Path]:
    """Folder, ``[position, (y, x)]`` in micrometres and light ``[position, frame, channel, y, x]`` to captures."""
    return _write_captures
