"""A camera whose red image is smaller than its green one: blur, adjoint, restoration and a white scene."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metalens.formats.camera.camera import preset_names, read_camera
from metalens.formats.pictures.scene import linear_to_srgb, srgb_to_linear
from metalens.formats.psf.bank import PsfBank, grid_positions
from metalens.formats.psf.lateral_colour import displacement, has_lateral_colour, white_level
from metalens.psf.bank import simulate_bank
from metalens.psf.external_bank import bank_of_functions
from metalens.psf.field_symmetry import nodes_across
from metalens.restore.deconvolution.joint_wiener import wiener_joint
from metalens.restore.deconvolution.lateral_warp import LateralWarp
from metalens.restore.deconvolution.local_blur import LocalBlur
from metalens.restore.deconvolution.wiener import wiener_tiled
from metalens.synth.blur import BlurSettings, blur, blur_adjoint, shift_variant_blur
from metalens.synth.dataset.camera import photograph_scene, simulated_camera
from metalens.synth.sensor import exposure_for

SIDE = 96
KERNEL = 31
SLOPES = (-0.1, 0.0, 0.05)
"""Of the centroids of red, green and blue over the field: red lies 7 pixels inside the green corner."""


def function_at(place: np.ndarray) -> np.ndarray:
    """Gaussians ``[channel, y, x]`` that grow and move with the field, at a place (y, x) in pixels from the middle."""
    y, x = np.mgrid[:KERNEL, :KERNEL] - KERNEL // 2
    width = 1.5 + 0.5 * float(place @ place) / (SIDE / 2) ** 2
    images = [np.exp(-0.5 * ((y - c * place[0]) ** 2 + (x - c * place[1]) ** 2) / width**2) for c in SLOPES]
    return np.stack([each / (2 * np.pi * width**2) for each in images])


def bank_on(layout: str, nodes: int) -> PsfBank:
    preset = read_camera("metacamera")
    camera = preset.model_copy(update={"sensor": preset.sensor.model_copy(update={"pixels": (SIDE, SIDE)})})
    pitch = camera.sensor.pixel_pitch_m
    if layout == "radial":
        position = np.stack([np.zeros(nodes), np.linspace(0, SIDE / np.sqrt(2) * pitch, nodes)], axis=1)
    else:
        along = nodes_across(nodes, SIDE * pitch)
        position = grid_positions(along, along)
    functions = np.stack([function_at(place / pitch) for place in position])
    return bank_of_functions(camera, functions, position, layout=layout, provenance={"engine": "made up"})  # type: ignore[arg-type]


def scatter_exactly(scene: np.ndarray) -> np.ndarray:
    """The image of a scene ``[y, x, channel]`` and its mirror image around it, each point by its own function."""
    margin, half = 32, KERNEL // 2
    continued = np.pad(scene.astype(np.float64), ((margin, margin), (margin, margin), (0, 0)), "symmetric")
    image = np.zeros((SIDE + 2 * margin + 2 * half, SIDE + 2 * margin + 2 * half, 3))
    for row, column in np.ndindex(*continued.shape[:2]):
        place = np.array([row, column]) - margin - (SIDE - 1) / 2
        part = np.moveaxis(function_at(place), 0, -1) * continued[row, column]
        image[row : row + KERNEL, column : column + KERNEL] += part
    inner = slice(margin + half, margin + half + SIDE)
    return image[inner, inner]


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """Squares and noise with the spectrum of a photograph, in 0..1."""
    random = np.random.default_rng(0).standard_normal((3, SIDE, SIDE))
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE))
    noise = np.fft.ifft2(np.fft.fft2(random) / (frequency + 1 / SIDE)).real
    found = 0.4 + 0.12 * noise / noise.std()
    found[:, 20:50, 30:60] += 0.3
    return np.moveaxis(found.clip(0, 1), 0, -1).astype(np.float32)


@pytest.fixture(scope="module")
def exact(scene: np.ndarray) -> np.ndarray:
    return scatter_exactly(scene)


def decibels(found: np.ndarray, expected: np.ndarray, edge: int = 0) -> float:
    inner = slice(edge, SIDE - edge)
    return float(-10 * np.log10(np.mean((np.asarray(found, dtype=np.float64) - expected)[inner, inner] ** 2)))


def test_blur_is_the_exact_scatter_with_few_nodes(scene: np.ndarray, exact: np.ndarray) -> None:
    """At the frame's edge the scene's mirror image, from beyond the nodes, decides."""
    bank = bank_on("radial", 7)
    assert has_lateral_colour(bank)
    operator = shift_variant_blur(bank, BlurSettings(tolerance=5e-4))
    assert operator.report.registered
    assert decibels(blur(operator, scene), exact, edge=8) > 60


def test_the_adjoint_of_a_moved_blur_is_its_transpose(scene: np.ndarray) -> None:
    operator = shift_variant_blur(bank_on("radial", 7))
    other = np.random.default_rng(1).random(scene.shape).astype(np.float32)
    there = float(np.vdot(np.asarray(blur(operator, scene), dtype=np.float64), other))
    assert float(np.vdot(scene, np.asarray(blur_adjoint(operator, other), dtype=np.float64))) == pytest.approx(
        there, rel=1e-5
    )


@pytest.mark.long
def test_the_restorers_blur_is_the_exact_scatter_of_a_scene_divided_by_that_of_a_white_one(
    scene: np.ndarray, exact: np.ndarray
) -> None:
    operator = LocalBlur(bank_on("grid", 9), (SIDE, SIDE))
    found = operator.forward(operator.extend(torch.from_numpy(scene).permute(2, 0, 1))).permute(1, 2, 0).numpy()
    white = np.prod(1 + np.array(SLOPES)[:, None] * np.ones(2), axis=1)
    assert decibels(found, exact * white, edge=16) > 60


def test_the_restorers_adjoint_is_the_transpose() -> None:
    operator = LocalBlur(bank_on("grid", 5), (40, 48), place=(20, 30))
    generator = torch.Generator().manual_seed(0)
    light = torch.rand(3, 40 + KERNEL - 1, 48 + KERNEL - 1, generator=generator)
    frame = torch.rand(3, 40, 48, generator=generator)
    there = float((operator.forward(light) * frame).sum())
    assert float((light * operator.adjoint(frame)).sum()) == pytest.approx(there, rel=1e-5)


def test_colours_are_moved_to_where_the_lens_shows_them_and_back() -> None:
    warp = LateralWarp(bank_on("grid", 5), (SIDE, SIDE), (0, 0), "cpu")
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    light = torch.from_numpy(np.stack([1 + np.sin(x / 9) * np.cos(y / 7)] * 3).astype(np.float32))
    moved = warp.forward(light).numpy()
    for channel, slope in enumerate(SLOPES):
        # A scene point s is shown at (1 + slope) s, as much brighter as its image is smaller.
        expected = (1 + np.sin(x / (1 + slope) / 9) * np.cos(y / (1 + slope) / 7)) / (1 + slope) ** 2
        assert np.abs(moved[channel] - expected)[8:-8, 8:-8].max() < 2e-3
    even = torch.from_numpy(moved * (1 + np.array(SLOPES)[:, None, None]) ** 2).float()
    assert torch.abs(warp.back(even) - light)[:, 10:-10, 10:-10].max() < 4e-3


def test_displacements_are_the_centroids_between_the_nodes_and_beyond() -> None:
    pitch = read_camera("metacamera").sensor.pixel_pitch_m
    found = displacement(bank_on("grid", 5), np.array([0.0, 30 * pitch]), np.array([20 * pitch, 60 * pitch]))
    assert found[0] == pytest.approx(-0.1 * np.array([[[0, 20], [0, 60]], [[30, 20], [30, 60]]]), abs=0.05)
    assert np.abs(found[1]).max() < 1e-6


def test_a_smaller_image_of_a_white_scene_is_brighter() -> None:
    for layout in ("radial", "grid"):
        assert white_level(bank_on(layout, 7)) == pytest.approx((1 + np.array(SLOPES)) ** -2, rel=3e-3)


def test_a_white_scene_develops_to_white_and_stays_it() -> None:
    """It came back with R 1.235 and B 0.907 of green."""
    bank = bank_on("radial", 7)
    camera = simulated_camera(bank)
    white = camera.white_scene((SIDE, SIDE), (0, 0), 0)
    exposure = exposure_for(bank.camera.sensor, bank)
    expected = np.array(exposure.white) / exposure.electrons
    assert white[40:56, 40:56].mean(axis=(0, 1)) == pytest.approx(expected, rel=5e-3)
    developed = srgb_to_linear(photograph_scene(camera, np.full((SIDE, SIDE, 3), 0.5), np.random.default_rng(0)))
    assert developed[16:-16, 16:-16].mean(axis=(0, 1)) == pytest.approx(np.full(3, 0.5), rel=5e-3)
    grid = bank_on("grid", 7)
    grey = linear_to_srgb(np.full((SIDE, SIDE, 3), 0.5, dtype=np.float32))
    for restored in (wiener_tiled(grey, grid, 1e-2), wiener_joint(grey, grid)):
        assert restored[8:-8, 8:-8] == pytest.approx(grey[8:-8, 8:-8], abs=2e-3)
    operator = LocalBlur(grid, (SIDE, SIDE))
    flat = torch.full((3, SIDE, SIDE), 0.5)
    torch.testing.assert_close(operator.forward(operator.extend(flat)), flat, atol=1e-5, rtol=1e-5)


# Three to ten seconds each; a made-up lens of much lateral colour is above.
@pytest.mark.long
@pytest.mark.parametrize("preset", preset_names())
def test_a_uniform_scene_of_each_preset_develops_to_equal_channels(preset: str) -> None:
    camera = read_camera(preset)
    pixels = (96, 96)
    camera = camera.model_copy(update={"sensor": camera.sensor.model_copy(update={"pixels": pixels})})
    bank = simulate_bank(camera, fields=(3, 3), wavelengths_per_channel=1)
    found = photograph_scene(simulated_camera(bank), np.full((*pixels, 3), 0.5), np.random.default_rng(0))
    middle = srgb_to_linear(found)[24:-24, 24:-24].mean(axis=(0, 1))
    assert middle == pytest.approx(np.full(3, middle[1]), rel=5e-3)
    assert middle == pytest.approx(np.full(3, 0.5), rel=5e-3)
