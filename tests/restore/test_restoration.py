"""Restoration: deterministic, any α from one step, and clear about what it cannot take."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from metalens.formats.errors import InputError
from metalens.formats.pairs import read_pairs
from metalens.formats.pictures import read_picture, write_picture
from metalens.restore.pseudo import degrade, make_pseudo_pairs
from metalens.restore.restoration import captures_of, check_alphas, pad_to_multiple, restore, restore_files
from metalens.restore.restorer import blend, load_restorer, save_adapter

PIXELS = (64, 80)


def capture(seed=0, pixels=PIXELS):
    return np.random.default_rng(seed).integers(0, 255, (*pixels, 3), dtype=np.uint8)


@pytest.fixture
def adapter(make_restorer, tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    save_adapter(folder, make_restorer(perturb=0.02))
    return folder


def test_the_same_capture_gives_the_same_picture(make_restorer):
    restorer = make_restorer(perturb=0.02)
    first, second = (restore(restorer, capture(), [0.5, 1])[0.5] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_alpha_is_a_line_through_the_two_paths():
    positive, neutral = torch.randn(1, 8, 4, 4), torch.randn(1, 8, 4, 4)
    torch.testing.assert_close(blend(positive, neutral, 0.0), neutral)
    torch.testing.assert_close(blend(positive, neutral, 1.0), positive)
    middle = (blend(positive, neutral, 0.5) + blend(positive, neutral, 1.05)) / 2
    torch.testing.assert_close(blend(positive, neutral, 0.775), middle)
    brushed = torch.zeros(1, 1, 4, 4)
    brushed[..., :2] = 1
    mixed = blend(positive, neutral, brushed)
    torch.testing.assert_close(mixed[..., :2], positive[..., :2])
    torch.testing.assert_close(mixed[..., 2:], neutral[..., 2:])


def test_a_list_of_alphas_gives_what_each_gives_alone(make_restorer):
    restorer = make_restorer(perturb=0.02)
    together = restore(restorer, capture(), [0, 1.05])
    np.testing.assert_array_equal(together[1.05], restore(restorer, capture(), [1.05])[1.05])
    assert (together[0].astype(int) - together[1.05]).any()


def test_an_adapter_saved_and_loaded_restores_alike(adapter):
    pictures = [restore(load_restorer(adapter), capture(), [0.75])[0.75] for _ in range(2)]
    np.testing.assert_array_equal(*pictures)


def test_the_small_model_starts_as_the_identity(make_restorer):
    # The linear start: averages of 2 × 2 pixels pass, so a picture of such averages comes back.
    smooth = np.repeat(np.repeat(capture(pixels=(32, 40)), 2, axis=0), 2, axis=1) // 2 + 60
    restored = restore(make_restorer(), smooth, [1])[1]
    assert np.abs(restored.astype(int) - smooth).mean() < 6


def test_padding_reflects_and_only_where_it_must():
    pictures = torch.rand(1, 3, 30, 32)
    padded = pad_to_multiple(pictures, 8)
    assert padded.shape == (1, 3, 32, 32)
    torch.testing.assert_close(padded[..., 30, :], pictures[..., 28, :])
    assert pad_to_multiple(padded, 8) is padded


@pytest.mark.parametrize("alphas", [[float("nan")], [3], [-2], [], [0.5, 0.5]])
def test_unusable_alphas_are_refused(alphas):
    with pytest.raises(InputError, match="--alpha"):
        check_alphas(alphas)


def test_files_are_restored_into_a_new_folder(make_restorer, tmp_path):
    for name in ("a", "b"):
        write_picture(tmp_path / f"{name}.png", capture())
    rows = restore_files(make_restorer(), captures_of([tmp_path]), [0, 0.75], tmp_path / "out")
    names = sorted(entry.name for entry in (tmp_path / "out").iterdir())
    assert names == ["a-alpha0.75.png", "a-alpha0.png", "b-alpha0.75.png", "b-alpha0.png"]
    assert len(rows) == 4
    assert read_picture(tmp_path / "out" / "a-alpha0.png").shape == (*PIXELS, 3)


def test_pairs_are_captures_too(make_restorer, pairs, tmp_path):
    found = captures_of([pairs.folder])
    assert [each.name for each in found][:2] == ["p0-0", "p1-0"]
    np.testing.assert_array_equal(found[0].read(), pairs[0][1])


def test_a_capture_of_another_size_stops_everything_before_anything_is_written(make_restorer, tmp_path):
    write_picture(tmp_path / "a.png", capture())
    write_picture(tmp_path / "b.png", capture(pixels=(64, 64)))
    with pytest.raises(InputError, match=r"b: a capture of 64 × 64 pixels .* takes 64 × 80"):
        restore_files(make_restorer(), captures_of([tmp_path]), [1], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_saturated_capture_is_refused_with_how_much(make_restorer):
    white = capture()
    white[:40] = 255
    with pytest.raises(InputError, match=r"6\d% of the capture is saturated"):
        restore(make_restorer(), white, [1])


def test_two_captures_of_one_name_are_refused(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        write_picture(tmp_path / folder / "a.png", capture())
    with pytest.raises(InputError, match="two captures are named a"):
        captures_of([tmp_path / "x", tmp_path / "y"])


def test_a_damaged_or_foreign_adapter_is_refused(adapter, tmp_path, prior_folder):
    with pytest.raises(InputError, match="is not an adapter"):
        load_restorer(tmp_path / "nowhere")
    description = json.loads((adapter / "adapter.json").read_text())
    for change, message in (
        ({"schema": "else"}, "found 'else' version 1, expected metalens.adapter"),
        ({"prior": {"name": str(prior_folder), "identity": "0" * 64}}, "was trained on prior"),
        ({"config": {"unet_rank": 4, "colour": 1}}, "lacks or garbles"),
    ):
        copy = tmp_path / "copy"
        shutil.copytree(adapter, copy)
        (copy / "adapter.json").write_text(json.dumps(description | change))
        with pytest.raises(InputError, match=message):
            load_restorer(copy)
        shutil.rmtree(copy)
    weights = adapter / "adapter.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(InputError, match="damaged or no safetensors file"):
        load_restorer(adapter)


def test_nan_in_an_adapter_is_refused(adapter):
    import safetensors.torch

    tensors = safetensors.torch.load_file(adapter / "adapter.safetensors")
    name = next(name for name in tensors if name.startswith("svda"))
    tensors[name] = torch.full_like(tensors[name], float("nan"))
    safetensors.torch.save_file(tensors, adapter / "adapter.safetensors")
    with pytest.raises(InputError, match="holds NaN or infinity"):
        load_restorer(adapter)


def test_pseudo_pairs_have_the_format_of_pairs_and_resume_to_the_same(make_restorer, tmp_path):
    photographs = []
    for name in ("a", "b"):
        photographs.append(tmp_path / f"{name}.png")
        write_picture(photographs[-1], capture(pixels=(100, 120)))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    photographs.append(tmp_path / "bad.png")
    restorer = make_restorer(perturb=0.02)
    manifest = make_pseudo_pairs(restorer, photographs, tmp_path / "pseudo", count=3, shard_size=2)
    assert [each.name for each in manifest.skipped] == ["bad.png"]
    made = read_pairs(tmp_path / "pseudo")
    assert made.manifest.kind == "pseudo"
    assert made.source_names() == ["a.png", "b.png", "a.png"]
    clean, degraded = made[1]
    np.testing.assert_array_equal(degraded, degrade(restorer, clean))
    shard = tmp_path / "pseudo" / "shard-00001.h5"
    before = shard.read_bytes()
    shard.unlink()
    make_pseudo_pairs(restorer, photographs, tmp_path / "pseudo", count=3, shard_size=2, resume=True)
    assert shard.read_bytes() == before


def test_pseudo_pairs_need_a_photograph_and_a_count(make_restorer, tmp_path):
    with pytest.raises(InputError, match="--count must be 1 or more"):
        make_pseudo_pairs(make_restorer(), [], tmp_path / "pseudo", count=0)
    with pytest.raises(InputError, match="no photograph can be used"):
        make_pseudo_pairs(make_restorer(), [tmp_path / "none.png"], tmp_path / "pseudo", count=1)
