"""The number of a crop decides what it shows: processes, batches and resuming change nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import PairsCamera
from metalens.restore.adapter.paths import PathShares
from metalens.restore.conditioning.degradation_map import fwhm_map
from metalens.restore.conditioning.lens_maps import LensMap, LensMaps
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.pairs import PairSource, TrainingPairs
from metalens.restore.training.sampler import TrainingStream

from ..conftest import textured, write_pairs

FWHM = np.full((3, 7, 7), 0.5, dtype=np.float32)


def stream(pairs, *, processes=1, pseudo=None, **changes):
    config = TrainConfig(**({"batch": 2, "crop": 32, "shares": PathShares(1.0, 0.0, 0.0)} | changes))
    sets = [
        None if each is None else TrainingPairs([PairSource(each, [LensMap("", FWHM)])], quality_metric="piqe")
        for each in (pairs, pseudo)
    ]
    crops = config.batch * config.accumulate * processes
    return TrainingStream(sets[0], sets[1], config, multiple=2, crops_a_step=crops)


def pictures(batches, count):
    return torch.cat([batch.captured for batch in islice(batches, count)])


def test_two_processes_share_the_crops_of_one(pairs):
    alone = pictures(stream(pairs, batch=4).batches(0), 2)
    shared = stream(pairs, processes=2)
    first, second = (pictures(shared.batches(0, process=each, processes=2), 2).split(2) for each in (0, 1))
    assert torch.equal(torch.cat([first[0], second[0], first[1], second[1]]), alone)


def test_accumulated_batches_are_the_crops_of_one(pairs):
    parts = stream(pairs, batch=1, accumulate=4)
    assert torch.equal(pictures(parts.batches(0), 8), pictures(stream(pairs, batch=4).batches(0), 2))


def test_a_stream_that_begins_later_goes_on_where_it_would_have_been(pairs):
    whole = pictures(stream(pairs).batches(0), 4)
    assert torch.equal(pictures(stream(pairs).batches(2), 2), whole[4:])
    assert not torch.equal(pictures(stream(pairs, seed=1).batches(0), 4), whole)


def test_pseudo_pairs_get_extra_noise_as_often_as_asked_and_never_teach_the_negative_path(pairs):
    chances = {"pseudo": pairs, "pseudo_share": 1.0, "pseudo_noise": 50.0}
    clean = pictures(stream(pairs, pseudo_noise_probability=0.0, **chances).batches(0), 8)
    noisy = pictures(stream(pairs, pseudo_noise_probability=0.5, **chances).batches(0), 8)
    changed = [not torch.equal(one, other) for one, other in zip(clean, noisy, strict=True)]
    assert 2 < sum(changed) < 14
    assert (noisy - clean).abs().max() < 6 * 50 / 255
    mixed = stream(pairs, shares=PathShares(0.5, 0.0, 0.5), **chances)
    turns = [mixed.turn(step) for step in range(40)]
    assert {(turn.path, turn.pseudo) for turn in turns} == {("positive", True), ("negative", False)}


def test_the_map_is_of_the_picture_that_goes_in(pairs):
    both = [next(stream(pairs, shares=PathShares(float(p), 0.0, float(n))).batches(0)) for p, n in ((1, 0), (0, 1))]
    assert torch.equal(both[0].clean, both[1].clean)
    assert torch.equal(both[0].degradation_map[:, :3], both[1].degradation_map[:, :3])
    assert not torch.equal(both[0].degradation_map[:, 3], both[1].degradation_map[:, 3])


@pytest.fixture
def lenses(camera, bank):
    """A design, two lenses drawn from it, and another lens; banks of all but the second draw."""
    cameras = [camera.model_copy(update={"name": name}) for name in ("design", "first", "second", "other")]
    banks = []
    for number, each in enumerate(cameras):
        widths = np.full_like(bank.by_channel.full_width_half_maximum, (number + 1) * 4e-6)
        banks.append(replace(bank, camera=each, by_channel=replace(bank.by_channel, full_width_half_maximum=widths)))
    return banks


def camera_of(bank, design=None):
    camera, hash_ = bank.camera, design.camera.hash if design else ""
    return PairsCamera(name=camera.name, lens_hash=camera.hash, design_hash=hash_, sensor=camera.sensor.pixels)


def test_each_sample_has_the_map_of_the_lens_that_it_was_made_with(tmp_path, camera, lenses):
    design, first, second, other = lenses
    cameras = [camera_of(first, design), camera_of(second, design), camera_of(other)]
    pairs = write_pairs(tmp_path / "pairs", camera, textured(6), sources=1, cameras=cameras)
    maps = LensMaps([design, first, other])
    found = maps.of(pairs)
    # The second draw has no bank of its own: it takes that of its design.
    assert [lens.name for lens in found] == ["first", "design", "other"]
    assert [maps.is_its_own(each) for each in cameras] == [True, False, True]
    data = TrainingPairs([PairSource(pairs, found)], quality_metric="piqe")
    for number, bank in enumerate((first, design, other, first, design, other)):
        example = data.draw([(0, number)], 32, random=np.random.default_rng(number), multiple=4)
        # These lenses are equally wide everywhere.
        assert example.degradation_map[:3].numpy() == pytest.approx(fwhm_map(bank)[0, 0, 0])


def test_pairs_of_a_lens_that_is_not_known_are_refused(tmp_path, camera, lenses):
    design, first, _, other = lenses
    pairs = write_pairs(tmp_path / "pairs", camera, textured(1), sources=1, cameras=[camera_of(other)])
    told = r"made for camera 'other'.*the psf bank is of 'design'.*'first'.*--psf-ensemble"
    with pytest.raises(InputError, match=told):
        LensMaps([design, first]).of(pairs)
