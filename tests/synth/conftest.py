"""Small banks of made-up point spread functions, and photographs that need no download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank import PsfBank
from metalens.psf.external_bank import grid_bank_of_functions
from metalens.synth.photographs import Photograph

MakeBank = Callable[..., PsfBank]


def bank_of(intensity: np.ndarray, pixels: tuple[int, int]) -> PsfBank:
    """Put functions ``[row, column, channel, y, x]`` on nodes that span a sensor edge to edge."""
    preset = read_camera("metacamera")
    camera = preset.model_copy(update={"sensor": preset.sensor.model_copy(update={"pixels": pixels})})
    return grid_bank_of_functions(camera, intensity, {"engine": "made up"})


def gaussians(nodes: tuple[int, int], kernel: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Lopsided Gaussians, of another width and skew at each node and channel; each sums to 1."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[: kernel[0], : kernel[1]] - np.array(kernel)[:, None, None] // 2
    functions = np.zeros((*nodes, 3, *kernel))
    for place in np.ndindex(*nodes, 3):
        sigma_y, sigma_x, shift_y, shift_x = generator.uniform([0.8, 0.8, -2, -2], [2.2, 2.2, 2, 2])
        functions[place] = np.exp(-0.5 * ((y / sigma_y) ** 2 + (x / sigma_x) ** 2))
        functions[place] += 0.3 * np.exp(-0.5 * ((y - shift_y) ** 2 + (x - shift_x) ** 2))
    return functions / functions.sum(axis=(-2, -1), keepdims=True)


@pytest.fixture
def make_bank() -> MakeBank:
    def make(
        pixels: tuple[int, int] = (32, 40),
        nodes: tuple[int, int] = (3, 4),
        kernel: tuple[int, int] = (9, 11),
        seed: int = 0,
    ) -> PsfBank:
        return bank_of(gaussians(nodes, kernel, seed), pixels)

    return make


@pytest.fixture
def photographs(tmp_path: Path) -> list[Photograph]:
    """Three small pictures of smooth colour with edges."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    found = []
    for number in range(3):
        generator = np.random.default_rng(number)
        y, x = np.mgrid[:60, :90]
        waves = [np.sin(y / generator.uniform(3, 12)) * np.cos(x / generator.uniform(3, 12)) for _ in range(3)]
        picture = np.rint(127.5 * (1 + np.stack(waves, axis=-1))).astype(np.uint8)
        picture[20:40, 30:60] = generator.integers(0, 255, 3)
        path = folder / f"picture-{number}.png"
        write_picture(path, picture)
        found.append(Photograph(path.stem, path, "CC0", f"painter {number}"))
    return found
