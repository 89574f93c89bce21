"""Averaged adapters: the weights of the average, and what is refused in one sentence."""

from __future__ import annotations

import functools

import pytest
import torch
from average_adapters import main

from metalens.restore.adapter.adapter_file import load_restorer, save_adapter
from metalens.restore.inference.restored_files import known_lenses

from ..conftest import textured, write_pairs
from .test_optics_conditioning import optics_restorer, perturbed


@pytest.fixture(scope="module")
def saved(make_restorer, tmp_path_factory):
    """Save an adapter of these settings, once: its folder."""

    @functools.cache
    def save(*, camera=None, trained_on=(), **settings):
        folder = tmp_path_factory.mktemp("adapter")
        restorer = make_restorer(perturb=0.05, **settings)
        restorer.camera = camera or restorer.camera
        restorer.training = {"pairs": [{"folder": each, "lens_hashes": [each]} for each in trained_on]}
        save_adapter(folder, restorer)
        return str(folder)

    return save


def test_each_weight_is_the_weighted_mean_and_the_embedding_is_that_of_the_detailed(saved, pairs, tmp_path):
    detailed = saved(seed=1, path_embedding=True, trained_on=("first", "both"))
    faithful = saved(seed=2, trained_on=("both", "second"))
    main([detailed, faithful, "--share", "0.25", "--pairs", str(tmp_path / "pairs"), "-o", str(tmp_path / "averaged")])
    found = load_restorer(tmp_path / "averaged")
    first, second = load_restorer(detailed).parameters(), load_restorer(faithful).parameters()
    assert set(found.parameters()) == set(first)
    for name, weight in found.parameters().items():
        expected = first[name].lerp(second.get(name, first[name]), 0.25)
        # Saved in half precision.
        torch.testing.assert_close(weight, expected, atol=1e-3, rtol=1e-3)
    assert found.training["averaged"] == {"with": faithful, "share": 0.25}
    assert known_lenses(found) == {found.camera.hash, "first", "both", "second"}


@pytest.mark.long
def test_the_block_of_data_consistency_is_that_of_the_detailed(bank, prior_folder, pairs, tmp_path):
    for name, more in (("detailed", {"consistency": "trained"}), ("faithful", {})):
        (tmp_path / name).mkdir()
        save_adapter(tmp_path / name, perturbed(optics_restorer(bank, prior_folder, **more), by=0.01))
    folders = [str(tmp_path / name) for name in ("detailed", "faithful")]
    main([*folders, "--share", "0.5", "--pairs", str(tmp_path / "pairs"), "-o", str(tmp_path / "averaged")])
    block, before = (load_restorer(tmp_path / name).consistency for name in ("averaged", "detailed"))
    assert torch.equal(block.deviation, before.deviation)
    with pytest.raises(SystemExit, match="are of different settings"):
        main([*folders[::-1], "--share", "0.5", "--pairs", str(tmp_path / "pairs"), "-o", str(tmp_path / "other")])


@pytest.mark.parametrize(
    ("other", "options", "told"),
    [
        ({}, {"--share": "1.5"}, "--share must be from 0 to 1, found 1.5."),
        ({"unet_rank": 8}, {}, "are of different settings"),
        ({"camera": "another"}, {}, "are of different cameras, 'metacamera' ("),
        ({}, {"--pairs": "nowhere"}, "nowhere"),
        ({}, {"-o": "."}, "the output folder is not empty"),
        (None, {}, "nothing: is not an adapter (no adapter.json)"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_nothing_is_written(
    saved, pairs, camera, tmp_path, monkeypatch, other, options, told
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    if other == {"camera": "another"}:
        other = {"camera": camera.with_(name="another")}
    faithful = "nothing" if other is None else saved(seed=2, **other)
    words = {"--share": "0.5", "--pairs": str(tmp_path / "pairs"), "-o": "averaged"} | options
    with pytest.raises(SystemExit) as stopped:
        main([saved(), faithful, *(word for pair in words.items() for word in pair)])
    assert str(stopped.value.code).startswith("average_adapters: ")
    assert told in str(stopped.value.code)
    assert not (tmp_path / "averaged").exists()


def test_pairs_without_any_for_validation_are_refused(saved, camera, tmp_path):
    write_pairs(tmp_path / "pairs", camera, textured(2), sources=1)
    with pytest.raises(SystemExit, match="keeps no pair for validation"):
        main(
            [
                saved(),
                saved(seed=2),
                "--share",
                "0.5",
                "--pairs",
                str(tmp_path / "pairs"),
                "-o",
                str(tmp_path / "new"),
            ]
        )
