"""Restoration: deterministic, any α from one step, and clear about what it cannot take."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from metalens.formats.camera.unknown import unknown_camera
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import read_pairs
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.restore.adapter.restorer import blend
from metalens.restore.inference.capture_files import captures_of
from metalens.restore.inference.pseudo import degrade, make_pseudo_pairs, plan_pseudo_pairs
from metalens.restore.inference.restoration import (
    Settings,
    check_alphas,
    decode,
    latents_of,
    restore,
    sound_capture,
)
from metalens.restore.inference.restored_files import (
    RestoreOptions,
    check_files,
    read_alpha_map,
    restore_files,
    take_camera,
)
from metalens.restore.metrics.picture_tensors import pad_to_multiple

PIXELS = (64, 80)


def capture(seed=0, pixels=PIXELS):
    return np.random.default_rng(seed).integers(0, 255, (*pixels, 3), dtype=np.uint8)


def test_the_same_capture_gives_the_same_picture(make_restorer):
    restorer = make_restorer(perturb=0.02)
    first, second = (restore(restorer, capture(), [0.5, 1])[0.5] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_hot_pixels_are_filled_before_where_the_sensor_is_known(make_restorer):
    restorer = make_restorer(perturb=0.02)
    sound = np.full((*PIXELS, 3), 100, np.uint8)
    broken = sound.copy()
    broken[20, 21, 1] = 255  # a green one of RGGB
    assert np.array_equal(sound_capture(restorer, broken, None), sound)
    np.testing.assert_array_equal(restore(restorer, broken, [1])[1], restore(restorer, sound, [1])[1])
    restorer.camera = unknown_camera(PIXELS)
    assert sound_capture(restorer, broken, None) is broken


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
    rows = restore_files(make_restorer(), captures_of([tmp_path]), tmp_path / "out", RestoreOptions([0, 0.75])).rows
    names = sorted(entry.name for entry in (tmp_path / "out").iterdir())
    assert names == ["a-alpha0.75.png", "a-alpha0.png", "b-alpha0.75.png", "b-alpha0.png", "restoration.json"]
    assert len(rows) == 4
    assert read_picture(tmp_path / "out" / "a-alpha0.png").shape == (*PIXELS, 3)


def test_pairs_are_captures_too(pairs, camera):
    found = captures_of([pairs.folder])
    assert [each.name for each in found][:2] == ["p0-0", "p1-0"]
    np.testing.assert_array_equal(found[0].read(camera.sensor), pairs[0][1])


def test_a_capture_of_another_size_stops_no_other_and_alone_leaves_nothing(make_restorer, tmp_path):
    write_picture(tmp_path / "a.png", capture())
    write_picture(tmp_path / "b.png", capture(pixels=(64, 64)))
    done = restore_files(make_restorer(), captures_of([tmp_path]), tmp_path / "out", RestoreOptions([1]))
    assert [row["capture"] for row in done.rows] == ["a"]
    assert [each["capture"] for each in done.failed] == ["b"]
    assert re.search("b: a capture of 64 × 64 pixels .* takes 64 × 80", done.failed[0]["reason"])
    with pytest.raises(InputError, match=r"b: a capture of 64 × 64 pixels .* takes 64 × 80"):
        restore_files(make_restorer(), captures_of([tmp_path / "b.png"]), tmp_path / "more", RestoreOptions([1]))
    assert not (tmp_path / "more").exists()


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


@pytest.mark.parametrize("steps", [1, 4])
def test_more_steps_are_taken_without_noise(make_restorer, steps):
    restorer = make_restorer(perturb=0.02)
    first, second = (latents_of(restorer, capture(), Settings(steps=steps)).positive for _ in range(2))
    torch.testing.assert_close(first, second, atol=0, rtol=0)
    one = latents_of(restorer, capture()).positive
    assert (first - one).abs().max() > 1e-3 if steps > 1 else torch.equal(first, one)


def test_a_map_of_alpha_brushes_detail_into_a_region(make_restorer):
    restorer = make_restorer(perturb=0.05)
    latents = latents_of(restorer, capture())
    faithful, detailed = (decode(restorer, latents, alpha).astype(int) for alpha in (0, 1))
    np.testing.assert_array_equal(decode(restorer, latents, np.zeros(PIXELS)), faithful)
    brush = np.zeros(PIXELS)
    brush[:, 60:] = 1
    brushed = decode(restorer, latents, brush).astype(int)
    assert np.abs(brushed - faithful)[:, :40].mean() < 0.2 * np.abs(detailed - faithful)[:, :40].mean()
    assert np.abs(brushed - detailed)[:, 70:].mean() < 0.2 * np.abs(detailed - faithful)[:, 70:].mean()


def test_a_map_of_alpha_that_does_not_fit_is_refused(make_restorer, tmp_path):
    restorer = make_restorer()
    latents = latents_of(restorer, capture())
    with pytest.raises(InputError, match="α map of 64 × 64 pixels, the photograph has 64 × 80"):
        decode(restorer, latents, np.zeros((64, 64)))
    with pytest.raises(InputError, match="found values beyond -1 to 2"):
        decode(restorer, latents, np.full(PIXELS, np.nan))
    write_picture(tmp_path / "coloured.png", capture())
    with pytest.raises(InputError, match="holds colours, a map of α is grey"):
        read_alpha_map(tmp_path / "coloured.png")


def test_a_part_of_the_frame_is_restored_at_its_place(make_restorer, camera):
    large = camera.model_copy(update={"sensor": camera.sensor.model_copy(update={"pixels": (128, 160)})})
    restorer = make_restorer(perturb=0.1)
    restorer.camera = large
    with pytest.raises(InputError, match=r"takes 128 × 160.* give the whole frame .* or its place with --place"):
        restore(restorer, capture(), [1])
    corners = [restore(restorer, capture(), [1], Settings(place=place))[1] for place in ((0, 0), (64, 80))]
    assert (corners[0] != corners[1]).any()
    with pytest.raises(InputError, match="at row 65, column 0 does not lie on the sensor"):
        restore(restorer, capture(), [1], Settings(place=(65, 0)))


def test_pairs_of_one_of_the_adapters_lenses_are_not_restored_as_from_another(
    make_restorer, pairs, bank, camera, tmp_path
):
    from dataclasses import replace

    other = replace(bank, camera=camera.model_copy(update={"name": "another"}))
    restorer = make_restorer()
    restorer.training = {"pairs": [{"lens_hashes": [camera.hash, other.camera.hash]}]}
    take_camera(restorer, other)
    with pytest.raises(InputError, match=r"p0-0: taken with another lens .* than that of the restoration \(another"):
        restore_files(restorer, captures_of([pairs.folder]), tmp_path / "out", RestoreOptions([1]))
    assert not (tmp_path / "out").exists()
    check_files(restorer, captures_of([pairs.folder]), RestoreOptions([1], any_lens=True))
    take_camera(restorer, bank)
    check_files(restorer, captures_of([pairs.folder]), RestoreOptions([1]))


def test_captures_of_another_lens_are_refused_unless_they_are_allowed(make_restorer, pairs, bank, camera, tmp_path):
    from dataclasses import replace

    other = replace(bank, camera=camera.model_copy(update={"name": "another"}))
    restorer = make_restorer()
    with pytest.raises(InputError, match=r"another: taken with another lens .* --any-lens"):
        take_camera(restorer, other)
    take_camera(restorer, other, any_lens=True)
    assert restorer.camera.name == "another"
    with pytest.raises(InputError, match="p0-0: taken with another lens"):
        restore_files(restorer, captures_of([pairs.folder]), tmp_path / "out", RestoreOptions([1]))
    restorer.training = {"pairs": [{"lens_hashes": [camera.hash]}]}
    take_camera(restorer, bank)
    assert restorer.camera == camera


def test_weights_that_overflow_are_named(make_restorer):
    restorer = make_restorer()
    with torch.no_grad():
        restorer.prior.unet.conv_out.base_layer.bias.fill_(float("inf"))
    with pytest.raises(InputError, match="the networks gave NaN or infinity"):
        restore(restorer, capture(), [1])


def test_the_end_of_memory_says_what_to_lower(make_restorer, monkeypatch):
    restorer = make_restorer()

    def refuse(*arguments):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(type(restorer.prior), "encode", refuse)
    with pytest.raises(InputError, match="out of memory with tiles of up to 512 pixels; lower --tile"):
        restore(restorer, capture(), [1])


def test_half_precision_networks_keep_float32_latents(make_restorer):
    restorer = make_restorer(perturb=0.02)
    exact, identity = latents_of(restorer, capture()), restorer.identity
    rounded = latents_of(restorer.to("cpu", torch.bfloat16), capture())
    assert rounded.positive.dtype == torch.float32
    assert restorer.identity == identity
    assert (rounded.positive - exact.positive).std() < 0.05 * exact.positive.std()


def test_pseudo_pairs_have_the_format_of_pairs_and_resume_to_the_same(make_restorer, tmp_path):
    photographs = []
    for name, turned in (("a", 1), ("b", -1)):
        photographs.append(tmp_path / f"{name}.png")
        write_picture(photographs[-1], np.ascontiguousarray(capture(pixels=(100, 120))[::turned, ::turned]))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    photographs.append(tmp_path / "bad.png")
    restorer = make_restorer(perturb=0.02)
    plan = plan_pseudo_pairs(restorer, photographs, count=3, shard_size=2)
    make_pseudo_pairs(restorer, plan, tmp_path / "pseudo")
    assert [each.name for each in plan.manifest.skipped] == ["bad.png"]
    made = read_pairs(tmp_path / "pseudo")
    assert made.manifest.kind == "pseudo"
    # One of the two validates: one pair is the least.
    (validates,) = [source.name for source in plan.manifest.sources if source.split == "validation"]
    assert sorted(made.source_names()) == made.source_names()
    assert made.source_names().count(validates) == 1
    clean, degraded = made[1]
    np.testing.assert_array_equal(degraded, degrade(restorer, clean))
    shard = tmp_path / "pseudo" / "shard-00001.h5"
    before = shard.read_bytes()
    shard.unlink()
    make_pseudo_pairs(restorer, plan, tmp_path / "pseudo", resume=True)
    assert shard.read_bytes() == before


def test_pseudo_pairs_need_a_photograph_and_a_count(make_restorer, tmp_path):
    with pytest.raises(InputError, match="--count must be 1 or more"):
        plan_pseudo_pairs(make_restorer(), [], count=0)
    with pytest.raises(InputError, match="no photograph can be used"):
        plan_pseudo_pairs(make_restorer(), [tmp_path / "none.png"], count=1)
