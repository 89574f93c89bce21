"""Pairs in PyTorch's data loaders: everything once, whatever reads it, and few files open."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch.utils.data import DataLoader

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import Pairs
from metalens.restore.training.pairs_dataset import PairsDataset, ShardShuffle

from ..conftest import textured, write_pairs


@pytest.fixture
def many(tmp_path, camera) -> Pairs:
    return write_pairs(tmp_path / "many", camera, textured(24), sources=4)


def test_a_sample_is_what_the_pairs_hold(many):
    dataset = PairsDataset(many, None)
    item, sample = dataset[5], many.sample(5)
    for name in ("clean", "degraded", "neutral"):
        expected = torch.from_numpy(getattr(sample, name)).permute(2, 0, 1) / 255
        torch.testing.assert_close(item[name], expected)
    assert item["region"].tolist() == [0, 0, 1, 1]
    assert (int(item["source"]), int(item["camera"])) == (sample.source, 0)


def test_the_sides_of_the_split_share_no_photograph_and_miss_no_sample(many):
    sides = {split: PairsDataset(many.folder, split) for split in ("train", "validation")}
    sources = {split: {int(item["source"]) for item in side} for split, side in sides.items()}
    assert sources["train"].isdisjoint(sources["validation"])
    numbers = sorted([*sides["train"].numbers, *sides["validation"].numbers])
    assert numbers == list(range(24))


def test_a_shuffled_epoch_has_every_sample_once_and_opens_every_shard_once(many, monkeypatch):
    dataset = PairsDataset(many, None, open_shards=2)
    order = list(ShardShuffle(dataset, seed=3))
    assert sorted(order) == list(range(24))
    assert order != sorted(order)
    opened = []
    from metalens.formats.pairs import reader as module

    original = module.open_shard
    monkeypatch.setattr(module, "open_shard", lambda *given: opened.append(given[2].index) or original(*given))
    for number in order:
        dataset[number]
        assert len(dataset.pairs._open) <= 2
    assert sorted(opened) == list(range(8))
    dataset.pairs.close()


def test_the_order_depends_on_seed_and_epoch_alone(many):
    dataset = PairsDataset(many)
    one, same, other = ShardShuffle(dataset, seed=1), ShardShuffle(dataset, seed=1), ShardShuffle(dataset, seed=2)
    first = list(one)
    assert first == list(one) == list(same) != list(other)
    one.set_epoch(1)
    assert list(one) != first
    assert len(one) == len(first)


@pytest.mark.long
def test_workers_of_a_data_loader_open_the_shards_themselves(many):
    dataset = PairsDataset(many, None)
    loader = DataLoader(
        dataset,
        batch_size=6,
        sampler=ShardShuffle(dataset),
        num_workers=1,
        multiprocessing_context="spawn",
    )
    batches = list(loader)
    assert sum(len(batch["clean"]) for batch in batches) == 24
    expected = torch.cat([torch.from_numpy(many[n][0]).permute(2, 0, 1)[None] for n in ShardShuffle(dataset)]) / 255
    torch.testing.assert_close(torch.cat([batch["clean"] for batch in batches]), expected)


def test_a_dataset_travels_without_its_open_files(many):
    dataset = PairsDataset(many, None)
    dataset[0]
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 (our own object)
    assert copy.pairs._open == {}
    torch.testing.assert_close(copy[3]["clean"], dataset[3]["clean"])


def test_a_side_without_samples_is_refused(tmp_path, camera):
    pairs = write_pairs(tmp_path / "one", camera, textured(2), sources=1)
    with pytest.raises(InputError, match="has no pairs of the side 'validation'"):
        PairsDataset(pairs, "validation")
