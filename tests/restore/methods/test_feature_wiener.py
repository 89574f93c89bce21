"""Deconvolution of features: functions keep light and place when they are resized, and known blurs are inverted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from metalens.formats.camera.camera import read_camera
from metalens.psf.external_bank import grid_bank_of_functions
from metalens.restore.conditioning.degradation_map import Region
from metalens.restore.methods.feature_wiener import PsfField, deconvolve, middle_of, resized


@pytest.mark.parametrize("side", [5, 6, 75])
@pytest.mark.parametrize("factor", [1, 2, 4])
def test_a_resized_function_keeps_its_light_and_its_centre(side, factor):
    function = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(side))
    coarse = resized(function, factor)
    torch.testing.assert_close(coarse.sum(dim=(-2, -1)), function.sum(dim=(-2, -1)))
    for axis in (-2, -1):
        fine_place = torch.arange(side).float() - side // 2
        coarse_place = (torch.arange(coarse.shape[axis]).float() - middle_of(side, factor)) * factor
        line, coarse_line = (each.sum(dim=-1 if axis == -2 else -2) for each in (function, coarse))
        torch.testing.assert_close(coarse_line @ coarse_place, line @ fine_place, atol=1e-3, rtol=1e-4)


def test_features_that_were_blurred_are_restored_each_by_the_function_of_its_colour():
    generator = torch.Generator().manual_seed(0)
    sharp = torch.rand(2, 6, 32, 40, generator=generator)
    functions = torch.zeros(2, 3, 5, 5)
    functions[:, 0, 2, 2] = 1  # red as it is
    functions[:, 1, 2, 1:4] = torch.tensor([0.2, 0.6, 0.2])
    functions[:, 2, 2, 4] = 1  # blue two samples to the right
    kernels = functions[0].flip(-1, -2).repeat_interleave(2, 0)[:, None]
    blurred = F.conv2d(F.pad(sharp, (2, 2, 2, 2), mode="reflect"), kernels, groups=6)
    restored = deconvolve(blurred, functions, (2, 2), torch.tensor(1e-6))
    # Away from the border, beyond which a moved picture has something else than its mirror image.
    torch.testing.assert_close(restored[..., 6:-6, 6:-6], sharp[..., 6:-6, 6:-6], atol=2e-2, rtol=0)


def test_the_function_of_a_place_is_the_one_of_the_nearest_node_there_and_a_mixture_between(bank):
    field = PsfField(bank, torch.device("cpu"))
    varied = torch.arange(9.0).reshape(3, 3, 1, 1, 1).expand(3, 3, 3, 5, 5)
    field.functions = varied
    corner = field.at([Region(0, 0, 1 / 64, 1 / 80)], (1, 1))
    torch.testing.assert_close(corner, torch.zeros(1, 3, 5, 5), atol=0.1, rtol=0)
    whole = field.at([Region()], (64, 80))
    assert float(whole.mean()) == pytest.approx(4.0, abs=0.1)
    rows, columns = field.hats(Region(), (64, 80))
    np.testing.assert_allclose(rows.sum(dim=0), 1, atol=1e-6)
    np.testing.assert_allclose(columns.sum(dim=0), 1, atol=1e-6)


SLOPES = (-0.1, 0.0, 0.05)
"""Of the centroids of red, green and blue over the field."""


def coloured_bank(nodes: int, side: int = 96, kernel: int = 31):
    """Round spots of 1.5 pixels, whose red lies 5 pixels inside the green at the edge."""
    camera = read_camera("metacamera").with_(sensor={"pixels": (side, side)})
    y, x = np.mgrid[:kernel, :kernel] - kernel // 2
    along = np.linspace(-side / 2, side / 2, nodes)
    spots = [
        [[np.exp(-0.5 * ((y - c * row) ** 2 + (x - c * column) ** 2) / 1.5**2) for c in SLOPES] for column in along]
        for row in along
    ]
    return grid_bank_of_functions(camera, np.array(spots) / (2 * np.pi * 1.5**2), {"engine": "made up"})


def test_lateral_colour_is_taken_out_before_functions_are_interpolated():
    """Half-way between nodes 24 pixels apart the shifted spots would be two, and twice as wide."""
    field = PsfField(coloured_bank(5), torch.device("cpu"))
    place = Region(12 / 96, 36 / 96, 1 / 96, 1 / 96)  # red wanders by 2.4 pixels from node to node
    found = field.at([place], (1, 1))[0].numpy()
    y, x = np.mgrid[:31, :31] - 15
    expected = np.exp(-0.5 * (y**2 + x**2) / 1.5**2) / (2 * np.pi * 1.5**2)
    for image in found:
        assert np.linalg.norm(image - expected) < 0.01 * np.linalg.norm(expected)


@pytest.mark.parametrize(("top", "left", "side"), [(0, 0, 96), (40, 16, 48)])
def test_the_colours_of_a_picture_are_taken_from_where_the_lens_shows_them(top, left, side):
    """The point at s of a smooth scene is seen at (1 + c) s."""

    def scene(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return 0.5 + 0.3 * np.sin(y / 9) * np.cos(x / 11)

    y, x = np.mgrid[:side, :side] + np.array([top, left])[:, None, None] - 47.5
    picture = torch.tensor(np.stack([scene(y / (1 + c), x / (1 + c)) for c in SLOPES]), dtype=torch.float32)
    region = Region(top / 96, left / 96, side / 96, side / 96)
    found = PsfField(coloured_bank(5), torch.device("cpu")).registered(picture[None], [region])[0]
    inner = slice(8, -8)
    torch.testing.assert_close(
        found[:, inner, inner], torch.tensor(scene(y, x)).float().expand(3, -1, -1)[:, inner, inner], atol=2e-3, rtol=0
    )


def test_without_lateral_colour_a_picture_stays_as_it_is(bank):
    picture = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(0))
    assert PsfField(bank, torch.device("cpu")).registered(picture, [Region()]) is picture
