"""Training crops: the side of the split that the manifest says, the degradation map of their place on the sensor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from metalens.formats.pairs.reader import (
    PairSample,
    PairsCamera,
    PairsManifest,
    PairsSource,
    open_pairs_writer,
    read_pairs,
)
from metalens.restore.conditioning.degradation_map import Region, resample
from metalens.restore.conditioning.lens_maps import LensMap
from metalens.restore.training import pairs as training_pairs
from metalens.restore.training.pairs import PairSource, TrainingPairs

from ..conftest import textured


@pytest.fixture
def fwhm_map() -> np.ndarray:
    return np.random.default_rng(0).random((3, 7, 7)).astype(np.float32)


def test_a_crop_has_the_blur_of_its_place_on_the_sensor(tmp_path, camera, fwhm_map):
    sensor, position, pixels = (100, 120), (16, 24), (64, 72)
    frame = textured(1, pixels=sensor)[0]
    part = frame[position[0] : position[0] + pixels[0], position[1] : position[1] + pixels[1]]
    manifest = PairsManifest(
        kind="simulated",
        count=1,
        shard_size=1,
        pixels=pixels,
        seed=0,
        cameras=(PairsCamera(name=camera.name, lens_hash=camera.hash, sensor=sensor),),
        sources=(PairsSource(name="p", sha256="a" * 64),),
    )
    with open_pairs_writer(tmp_path / "crops", manifest) as writer:
        writer.write(writer.missing[0], [PairSample(part, part, 0, 0, position=position)])
    data = TrainingPairs([PairSource(read_pairs(tmp_path / "crops"), [LensMap("", fwhm_map)])], quality_metric="piqe")
    random = np.random.default_rng(1)
    for _ in range(6):
        crop = data.draw(data.training, 16, random=random, multiple=4)
        wanted = (crop.clean * 255).round().byte().permute(1, 2, 0).numpy()
        places = [
            (top, left)
            for top in range(0, 49, 4)
            for left in range(0, 57, 4)
            if (part[top : top + 16, left : left + 16] == wanted).all()
        ]
        assert len(places) == 1
        top, left = places[0][0] + position[0], places[0][1] + position[1]
        region = Region(top / sensor[0], left / sensor[1], 16 / sensor[0], 16 / sensor[1])
        torch.testing.assert_close(crop.degradation_map[:3], resample(torch.from_numpy(fwhm_map), region))


def test_a_q_that_is_one_for_the_picture_gets_the_map_of_the_whole_frame(pairs, fwhm_map):
    data = TrainingPairs([PairSource(pairs, [LensMap("", fwhm_map)])], quality_metric="piqe", whole_maps=True)
    first, second = (data.draw([(0, 0)], 16, random=np.random.default_rng(seed), multiple=4) for seed in (0, 1))
    assert not torch.equal(first.captured, second.captured)
    torch.testing.assert_close(first.degradation_map[:3], torch.from_numpy(fwhm_map).float())
    torch.testing.assert_close(first.degradation_map, second.degradation_map)


def test_the_split_and_the_neutral_target_are_the_manifests(pairs, fwhm_map):
    data = TrainingPairs([PairSource(pairs, [LensMap("", fwhm_map)])], quality_metric="piqe")
    assert data.training == [(0, number) for number in range(8) if number % 4 != 3]
    assert data.validation == [(0, 3), (0, 7)]
    crop = data.draw([(0, 2)], 64, random=np.random.default_rng(0), multiple=80)
    expected = torch.from_numpy(pairs.sample(2).neutral[:, :64]).permute(2, 0, 1) / 255
    torch.testing.assert_close(crop.neutral, expected)


@pytest.mark.parametrize(("room", "reads"), [(2**30, 1), (0, 3)])
def test_pictures_are_kept_as_far_as_there_is_room(pairs, fwhm_map, monkeypatch, room, reads):
    read = []
    sample = type(pairs).sample
    monkeypatch.setattr(type(pairs), "sample", lambda self, index: read.append(index) or sample(self, index))
    data = TrainingPairs([PairSource(pairs, [LensMap("", fwhm_map)])], quality_metric="piqe", kept_bytes=room)
    drawn = [data.draw([(0, 1)], 32, random=np.random.default_rng(0), multiple=2) for _ in range(3)]
    assert read == [1] * reads
    torch.testing.assert_close(drawn[0].captured, drawn[2].captured)


@pytest.mark.parametrize(("room", "computed"), [(300, 1), (299, 2)])
def test_filters_of_several_lenses_are_kept_as_far_as_there_is_room(pairs, fwhm_map, bank, monkeypatch, room, computed):
    made = []

    class Filters:
        nbytes = 100

        def __init__(self, bank):
            self.bank = bank
            made.append(bank.camera.name)

        def __call__(self, capture, _):
            return np.zeros((*capture.shape[:2], 6), capture.dtype)

    monkeypatch.setattr(training_pairs, "LinearEstimates", Filters)
    monkeypatch.setattr(training_pairs, "_FILTERS", {})
    monkeypatch.setattr(training_pairs, "_KEPT_FILTER_BYTES", room)
    banks = [replace(bank, camera=bank.camera.with_(name=name)) for name in "abc"]
    sources = [PairSource(pairs, [LensMap(each.camera.name, fwhm_map, each)]) for each in banks]
    data = TrainingPairs(sources, quality_metric=None)
    for number in (0, 1, 2):
        for index in (0, 1):
            data.draw([(number, index)], 16, random=np.random.default_rng(0), multiple=4)
    for number in (2, 1, 0):
        data.draw([(number, 2)], 16, random=np.random.default_rng(0), multiple=4)
    # With room for two, those of the lens that was used longest ago went.
    assert made == [*"abc", *["a"] * (computed - 1)]


def test_quality_that_is_measured_first_is_not_measured_again(pairs, monkeypatch):
    data = TrainingPairs([PairSource(pairs, [LensMap("", np.zeros((3, 7, 7), np.float32))])], quality_metric="piqe")
    data.measure()
    monkeypatch.setattr(training_pairs, "quality_map", None)
    for of_clean in (False, True):
        drawn = data.draw(data.training, 32, random=np.random.default_rng(0), multiple=2, of_clean=of_clean)
        assert drawn.degradation_map[3].max() > 0


def test_a_restorer_that_is_not_told_of_the_quality_reads_nothing_there_and_learns_where_the_crop_lay(pairs):
    data = TrainingPairs([PairSource(pairs, [LensMap("", np.zeros((3, 7, 7), np.float32))])], quality_metric=None)
    example, region = data.draw_placed(data.training, 32, random=np.random.default_rng(1), multiple=8)
    assert not example.degradation_map.any()
    clean = next(pairs[index][0] for index in range(len(pairs)) if shows(pairs[index][0], example.clean, region))
    assert clean is not None


def shows(picture, crop, region):
    rows, columns = picture.shape[:2]
    top, left = round(region.top * rows), round(region.left * columns)
    part = picture[top : top + 32, left : left + 32].astype(np.float32) / 255
    return np.allclose(crop.permute(1, 2, 0).numpy(), part, atol=1e-6)


def test_crops_at_the_edge_are_drawn_as_often_as_asked(pairs):
    lens = LensMap("", np.zeros((3, 7, 7), np.float32))
    size = min(pairs.manifest.pixels) // 4

    def share(weight):
        data = TrainingPairs([PairSource(pairs, [lens])], quality_metric=None, edge_weight=weight)
        random = np.random.default_rng(0)
        regions = [data.draw_placed(data.training, size, random=random, multiple=1)[1] for _ in range(500)]
        centres = [(each.top + each.height / 2 - 0.5, each.left + each.width / 2 - 0.5) for each in regions]
        return np.mean([np.hypot(*centre) > np.sqrt(2) / 3 for centre in centres])

    once, thrice = share(1.0), share(3.0)
    # Of crops that lie evenly, a share s at the edge becomes 3 s / (3 s + 1 - s).
    assert thrice == pytest.approx(3 * once / (1 + 2 * once), abs=0.04)
