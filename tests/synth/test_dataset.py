"""What a sample shows: crops by sharpness, places on the sensor, cameras of an ensemble."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import read_pairs, require_same_camera
from metalens.formats.pictures import resizing
from metalens.formats.pictures.resizing import stored_light
from metalens.formats.pictures.scene import Crop
from metalens.formats.psf.bank import PsfBank
from metalens.synth import PairsOptions, Photograph, generate_pairs
from metalens.synth.dataset import camera as dataset_camera
from metalens.synth.dataset.camera import photograph_crop, photograph_scene, simulated_camera
from metalens.synth.dataset.crops import View, choose_view, cut_scene, sharpness_of
from metalens.synth.dataset.settings import RUN, PairsSettings, camera_of, is_large, position_of

from .conftest import MakeBank


def half_sharp(rows: int = 256, columns: int = 320) -> np.ndarray:
    """Flat grey on the left, noise on the right."""
    picture = np.full((rows, columns, 3), 128, dtype=np.uint8)
    picture[:, columns // 2 :] = np.random.default_rng(0).integers(0, 256, (rows, columns // 2, 3))
    return picture


def test_crops_are_taken_where_the_photograph_is_sharp() -> None:
    sharpness = sharpness_of(stored_light(half_sharp()))
    chosen = {1: [], 6: []}  # type: ignore[var-annotated]
    for candidates, centres in chosen.items():
        for number in range(300):
            generator = np.random.default_rng([7, number])
            crop = choose_view(sharpness, (32, 32), PairsSettings(candidates=candidates), generator).crop
            if not crop.left < 160 < crop.left + crop.width:
                centres.append(crop.left >= 160)
    # One candidate is taken blindly: half of them, within four standard deviations. Six are weighed.
    assert abs(np.mean(chosen[1]) - 0.5) < 4 * 0.5 / np.sqrt(len(chosen[1]))
    assert np.mean(chosen[6]) > 0.9


def test_sharpness_is_measured_at_the_crops_own_scale() -> None:
    # A chequerboard of single pixels is sharp in its own pixels and grey when shrunk by 2.
    board = np.zeros((128, 128, 3), np.uint8)
    board[::2, ::2] = board[1::2, 1::2] = 255
    sharpness, whole = sharpness_of(stored_light(board)), Crop(0, 0, 128, 128)
    # The Laplacian of a ±1/2 chequerboard is ±4; the borders see one neighbour less.
    assert sharpness.of(whole, 1.0) == pytest.approx(4, rel=0.05)
    assert sharpness.of(whole, 2.0) < 1e-3


def test_the_sharpness_of_strips_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    photograph = stored_light(np.random.default_rng(0).integers(0, 256, (201, 157, 3), dtype=np.uint8))
    whole = sharpness_of(photograph)
    monkeypatch.setattr(resizing, "PART_PIXELS", 100)
    for found, expected in zip(sharpness_of(photograph).levels, whole.levels, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@settings(max_examples=200, deadline=None)
@given(
    shape=st.tuples(st.integers(3, 300), st.integers(3, 300)),
    pixels=st.tuples(st.integers(1, 80), st.integers(1, 80)),
    seed=st.integers(0, 2**32),
)
def test_what_a_sample_shows_lies_within_the_photograph(
    shape: tuple[int, int], pixels: tuple[int, int], seed: int
) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    view = choose_view(sharpness_of(stored_light(picture)), pixels, PairsSettings(), np.random.default_rng(seed))
    crop = view.crop
    assert crop.top >= 0
    assert crop.left >= 0
    assert crop.top + crop.height <= shape[0] + 1e-6
    assert crop.left + crop.width <= shape[1] + 1e-6
    assert cut_scene(stored_light(picture), view, pixels, margin=5).shape == (pixels[0] + 10, pixels[1] + 10, 3)


def test_turns_and_mirrors_are_those_of_numpy() -> None:
    picture = half_sharp(60, 80)
    crop = Crop(8, 10, 24, 40)
    plain = cut_scene(stored_light(picture), View(crop), (24, 40))
    turned = cut_scene(stored_light(picture), View(crop, turns=1), (40, 24))
    mirrored = cut_scene(stored_light(picture), View(crop, turns=2, mirrored=True), (24, 40))
    assert (turned == np.rot90(plain)).all()
    assert (mirrored == np.rot90(plain, 2)[:, ::-1]).all()


def test_the_surroundings_of_a_crop_are_the_photographs_own_and_then_its_mirror_image() -> None:
    picture = half_sharp(60, 80)
    plain = cut_scene(stored_light(picture), View(Crop(0, 20, 24, 40)), (24, 40))
    around = cut_scene(stored_light(picture), View(Crop(0, 20, 24, 40)), (24, 40), margin=6)
    np.testing.assert_allclose(around[6:-6, 6:-6], plain, atol=1e-6)
    np.testing.assert_allclose(around[:6], around[6:12][::-1], atol=1e-6)
    beside = cut_scene(stored_light(picture), View(Crop(0, 14, 24, 40)), (24, 40))
    np.testing.assert_allclose(around[6:-6, :40], beside, atol=1e-6)


def test_what_the_blur_leaves_below_zero_is_no_light(make_bank: MakeBank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_camera, "blur", lambda operator, scene: jnp.asarray(scene) - 5e-4)
    scene = np.zeros((32, 40, 3), dtype=np.float32)
    scene[:16] = 1
    camera = simulated_camera(make_bank())
    assert dataset_camera.light_on(camera, scene, (32, 40), (0, 0)).scene.min() == 0
    photograph_scene(camera, scene, np.random.default_rng(0))  # the sensor refuses light below zero


@pytest.mark.parametrize(
    "sensor", [pytest.param((60, 80), id="small"), pytest.param((110, 120), marks=pytest.mark.long, id="large")]
)
def test_a_crop_shows_what_the_whole_frame_shows_there(make_bank: MakeBank, sensor: tuple[int, int]) -> None:
    bank = make_bank(pixels=sensor, kernel=(9, 9))
    # A sensor without noise of its own, whose response to a place is always the same.
    quiet = {"full_well_e": 1e8, "bit_depth": 16, "read_noise_e": 0.0, "shot_noise": False, "prnu_percent": 1.0}
    camera_record = bank.camera.model_copy(update={"sensor": bank.camera.sensor.model_copy(update=quiet)})
    camera = simulated_camera(PsfBank(**{**vars(bank), "camera": camera_record}))
    pixels, position = (12, 14), (24, 30)
    margin = camera.margin(pixels)
    assert is_large(pixels, sensor, margin) == (sensor[0] > 100)
    y, x = np.mgrid[: sensor[0], : sensor[1]]
    scene = np.stack([0.5 + 0.4 * np.sin(y / 5) * np.cos(x / each) for each in (4, 6, 9)], axis=-1).astype(np.float32)
    whole, _ = photograph_crop(camera, scene, sensor, (0, 0), np.random.default_rng(0))
    rows = slice(position[0] - margin, position[0] + pixels[0] + margin)
    columns = slice(position[1] - margin, position[1] + pixels[1] + margin)
    part, error = photograph_crop(camera, scene[rows, columns], pixels, position, np.random.default_rng(0))
    expected = whole[position[0] : position[0] + pixels[0], position[1] : position[1] + pixels[1]]
    assert part.shape == (*pixels, 3)
    # Rounding on a small sensor; on a large one also the tolerances of two blurs.
    assert np.abs(part.astype(int) - expected).max() <= (3 if sensor[0] > 100 else 1)
    assert error < 5e-3


@settings(max_examples=100, deadline=None)
@given(
    number=st.integers(0, 10**9), seed=st.integers(0, 2**62), pixels=st.tuples(st.integers(1, 60), st.integers(1, 70))
)
def test_places_are_even_and_on_the_sensor(number: int, seed: int, pixels: tuple[int, int]) -> None:
    top, left = position_of(number, seed, pixels, (60, 70), 8)
    assert top % 2 == left % 2 == 0
    assert 0 <= top <= 60 - pixels[0]
    assert 0 <= left <= 70 - pixels[1]


def test_a_run_of_samples_has_one_place_on_a_large_sensor_and_each_its_own_on_a_small_one() -> None:
    large = [position_of(number, 3, (16, 16), (2000, 2000), 8) for number in range(4 * RUN)]
    assert [len(set(large[first : first + RUN])) for first in range(0, 4 * RUN, RUN)] == [1] * 4
    assert len(set(large)) == 4
    assert len({position_of(number, 3, (16, 16), (64, 64), 8) for number in range(RUN)}) > RUN // 2


def test_every_camera_of_an_ensemble_takes_its_turn() -> None:
    drawn = [camera_of(number, 5, 3) for number in range(200 * RUN)]
    counts = np.bincount(drawn[::RUN], minlength=3)
    # Three of 200 runs each, within four standard deviations of a binomial.
    assert np.abs(counts - 200 / 3).max() < 4 * np.sqrt(200 * 2 / 9)
    assert all(len(set(drawn[first : first + RUN])) == 1 for first in range(0, len(drawn), RUN))


def test_samples_are_told_with_all_that_made_them(
    photographs: list[Photograph], make_bank: MakeBank, tmp_path: Path
) -> None:
    banks = [make_bank(seed=0), make_bank(seed=1)]
    settings = PairsSettings(exposure=(0.25, 0.5), validation=0.3)
    options: dict = {"count": 40, "pixels": (16, 20), "settings": settings, "shard_size": 64}
    generate_pairs(photographs, banks, tmp_path / "pairs", PairsOptions(design_hash="d" * 64, **options))
    pairs = read_pairs(tmp_path / "pairs")
    samples = [pairs.sample(number) for number in range(40)]
    assert pairs.manifest.pixels == (16, 20)
    assert pairs.manifest.lens_hashes == ["d" * 64]
    assert len({camera.psf_hash for camera in pairs.manifest.cameras}) == 2
    assert [sample.camera for sample in samples] == [camera_of(number, 0, 2) for number in range(40)]
    assert len({sample.position for sample in samples}) > 10
    assert all(0.25 <= sample.exposure <= 0.5 for sample in samples)
    # 188 is sRGB of half the light of white; the bicubic filter of the scene overshoots at edges by a few percent.
    assert max(sample.clean.max() for sample in samples) <= 192
    assert {sample.turns for sample in samples} == {0, 1, 2, 3}
    assert {sample.mirrored for sample in samples} == {True, False}
    assert all(0 < sample.blur_error < 1e-2 for sample in samples)
    assert len(pairs.of_split("validation")) > 0
    assert len(pairs.of_split("train")) > 0
    with pytest.raises(InputError, match="give the bank that the pairs were made with"):
        require_same_camera(pairs, banks[0])


@pytest.mark.parametrize(
    "changes",
    [{"exposure": (0.0, 1.0)}, {"exposure": (0.9, 0.5)}, {"candidates": 0}, {"validation": 1.0}, {"demosaicing": "x"}],
)
def test_senseless_settings_are_refused_by_name(changes: dict) -> None:
    with pytest.raises(InputError, match=next(iter(changes))):
        PairsSettings(**changes)


def test_crops_that_do_not_fit_the_sensor_are_refused(
    photographs: list[Photograph], make_bank: MakeBank, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="--crop of 33 × 8 pixels does not fit"):
        generate_pairs(photographs, make_bank(), tmp_path / "pairs", PairsOptions(pixels=(33, 8)))
    with pytest.raises(InputError, match="--whole shows the whole sensor"):
        generate_pairs(
            photographs,
            make_bank(),
            tmp_path / "pairs",
            PairsOptions(pixels=(8, 8), settings=PairsSettings(cropping="centre")),
        )
    banks = [make_bank(), make_bank(pixels=(40, 40))]
    with pytest.raises(InputError, match="choose a --crop that fits all"):
        generate_pairs(photographs, banks, tmp_path / "pairs")
    assert not (tmp_path / "pairs").exists()
