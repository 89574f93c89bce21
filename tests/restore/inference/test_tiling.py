"""Tiles: a partition of unity, statistics of the whole, and no seam against the untiled result."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from metalens.formats.files.errors import InputError
from metalens.restore.conditioning.degradation_map import Region
from metalens.restore.inference.restoration import Settings, decode, degradation_map, latents_of
from metalens.restore.inference.tiled_group_norm import SharedStatistics
from metalens.restore.inference.tiled_networks import TiledNetworks
from metalens.restore.inference.tiling import Tile, tiled, tiling_of
from metalens.restore.metrics.picture_tensors import as_tensor

PIXELS = (64, 80)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(4, 20), st.sampled_from([1, 3]))
def test_the_tiles_of_any_frame_cover_it_with_weights_that_sum_to_one(rows, columns, side, samples):
    tiling = tiling_of((rows * 8, columns * 8), 8, side * 8)
    total = tiled(lambda tile: torch.ones(1, tile.height * samples, tile.width * samples), tiling, samples)
    torch.testing.assert_close(total, torch.ones(1, rows * samples, columns * samples))
    assert max(tiling.height, tiling.width) <= side
    for tops, length in ((tiling.tops, tiling.height), (tiling.lefts, tiling.width)):
        assert all(a + length - b >= length // 5 for a, b in pairwise(tops))


def test_values_that_do_not_depend_on_their_tile_are_put_together_exactly():
    whole = torch.rand(2, 3, 40, 48, dtype=torch.float64)
    tiling = tiling_of((40, 48), 4, 20)
    assert len(tiling) > 4
    torch.testing.assert_close(tiled(lambda tile: tile.of(whole, 4), tiling, 4), whole, atol=1e-6, rtol=0)


def test_a_tile_counts_nothing_at_its_edge_inside_the_frame_and_in_full_at_the_frames_own():
    tiling = tiling_of((64, 64), 4, 32)
    first = tiling.tiles()[0]
    down, _ = tiling.share(first, 4)
    assert down[0] == 1
    assert down[-1] == 0
    overlap = (first.height - tiling.tops[1]) * 4
    assert (down[-overlap // 4 :] == 0).all()


def test_the_smallest_tile_has_four_cells():
    with pytest.raises(InputError, match="--tile 24: this prior needs tiles of 32 pixels or more"):
        tiling_of((80, 80), 8, 24)


def test_shared_statistics_of_a_picture_in_parts_are_those_of_the_whole():
    layer = nn.GroupNorm(2, 4)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    whole = torch.randn(2, 4, 6, 8) + torch.tensor([1.0, 5.0])[:, None, None, None]
    expected = layer(whole)
    # Two paths, each in two halves: [path, half].
    halves = torch.stack([whole[..., :4], whole[..., 4:]], dim=1).flatten(0, 1)
    statistics = SharedStatistics(nn.Sequential(layer))
    for path in (0, 1):
        with statistics.collecting():
            together = layer(halves[2 * path : 2 * path + 2])
        torch.testing.assert_close(torch.cat([together[0], together[1]], dim=-1), expected[path])
    with statistics.applied():
        torch.testing.assert_close(layer(whole[..., 4:]), expected[..., 4:])
        torch.testing.assert_close(layer(whole[..., 4:].flatten(2)), expected[..., 4:].flatten(2))
    torch.testing.assert_close(layer(whole), expected)


@pytest.fixture(scope="module")
def photograph():
    y, x = np.mgrid[: PIXELS[0], : PIXELS[1]]
    waves = 0.5 + 0.25 * np.sin(x / 5)[..., None] * np.cos(y / 7)[..., None] + 0.2 * ((x // 9 + y // 11) % 2)[..., None]
    return (255 * np.clip(waves * [1, 0.9, 0.8], 0, 1)).astype(np.uint8)


def test_tiles_leave_no_seam(make_restorer, photograph):
    restorer = make_restorer(perturb=0.02)
    whole, cut = (
        decode(restorer, latents_of(restorer, photograph, Settings(tile=tile)), 0.75, tile=tile).astype(float)
        for tile in (512, 40)
    )
    difference = cut - whole
    tiling = tiling_of(PIXELS, restorer.prior.size_multiple, 40)
    assert len(tiling) == 6
    # Below what 8 bits show, and no steeper where tiles begin and end than elsewhere.
    assert np.sqrt(np.square(difference).mean()) < 1.5
    steps = np.abs(np.diff(difference, axis=1)).mean(axis=(0, 2))
    cell = restorer.prior.size_multiple
    borders = {place * cell - 1 for left in tiling.lefts for place in (left, left + tiling.width)} & set(range(79))
    at_borders = np.mean([steps[place] for place in borders])
    assert at_borders < 1.5 * steps.mean() + 0.1


def test_local_q_follows_tiles_to_their_place(make_restorer, photograph):
    restorer = make_restorer(perturb=0.05)
    with torch.no_grad():
        for parameter in restorer.attention.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    picture, maps = as_tensor(photograph)[None], degradation_map(restorer, photograph, None)

    def encoded(tile):
        with torch.no_grad():
            return TiledNetworks(restorer, maps, frame=PIXELS, padded=PIXELS, tile=tile).encode(picture)

    whole, cut = encoded(512), encoded(40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tile, "region", lambda tile, cell, frame: Region())
        misplaced = encoded(40)
    assert (cut - whole).square().mean() < 0.2 * (misplaced - whole).square().mean()


def test_tiled_restoration_repeats_to_the_bit(make_restorer, photograph):
    restorer = make_restorer(perturb=0.02)
    first, second = (latents_of(restorer, photograph, Settings(tile=40)) for _ in range(2))
    assert torch.equal(first.positive, second.positive)
    assert torch.equal(first.neutral, second.neutral)
