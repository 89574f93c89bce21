import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import read_pairs, require_same_camera
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.formats.pictures.resizing import scene_from_picture
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.formats.psf.bank import PsfBank
from metalens.synth import Execution, PairsOptions, PairsSettings, Photograph, generate_pairs
from metalens.synth.generate import check_resumption

from .conftest import MakeBank, bank_of


@pytest.fixture
def bank(make_bank: MakeBank) -> PsfBank:
    return make_bank()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_folder_holds_what_was_asked_for(photographs: list[Photograph], bank: PsfBank, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = generate_pairs(
        photographs,
        bank,
        tmp_path / "pairs",
        PairsOptions(count=6, shard_size=4, seed=9),
        execution=Execution(progress=lambda done, total: seen.append((done, total))),
    )
    assert (report.count, report.made, report.sources, report.skipped) == (6, 6, 3, ())
    assert seen == [(number, 6) for number in range(1, 7)]
    pairs = read_pairs(tmp_path / "pairs")
    pairs.verify()
    assert len(pairs) == 6
    assert pairs[0][0].shape == pairs[0][1].shape == (32, 40, 3)
    manifest = pairs.manifest
    # A twentieth of six pairs is none, one is the least.
    assert len(pairs.of_split("validation")) == 1
    assert pairs.source_names() == sorted(pairs.source_names())
    assert sorted(Counter(pairs.source_names()).values()) == [1, 2, 3]
    assert (manifest.kind, manifest.seed, manifest.lens_hashes) == ("simulated", 9, [bank.camera.hash])
    assert [(each.licence, each.credit) for each in manifest.sources] == [
        ("CC0", f"painter {number}") for number in range(3)
    ]
    assert not (pairs[0][0] == pairs[1][0]).all()


def test_test_set_shows_the_centre_of_each_photograph(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    generate_pairs(photographs, bank, tmp_path / "pairs", PairsOptions(settings=PairsSettings(cropping="centre")))
    for photograph, (clean, _) in zip(photographs, read_pairs(tmp_path / "pairs"), strict=True):
        expected = to_8_bit(linear_to_srgb(scene_from_picture(read_picture(photograph.path), (32, 40))))
        assert (clean == expected).all()


def test_perfect_lens_and_quiet_sensor_show_a_smooth_photograph_almost_as_it_is(
    photographs: list[Photograph], tmp_path: Path
) -> None:
    points = np.zeros((2, 2, 3, 9, 9))
    points[..., 4, 4] = 1.0
    plain = bank_of(points, (64, 64))
    quiet = plain.camera.sensor.model_copy(update={"full_well_e": 1e7, "bit_depth": 16, "read_noise_e": 0.0})
    camera = plain.camera.model_copy(update={"sensor": quiet})
    perfect = PsfBank(**{**vars(plain), "camera": camera})
    y, x = np.mgrid[:64, :64] / 63
    smooth = np.rint(50 + 200 * np.stack([y, x, 0.5 * (x + y)], axis=-1)).astype(np.uint8)
    write_picture(tmp_path / "smooth.png", smooth)
    scene = [Photograph("smooth", tmp_path / "smooth.png")]
    generate_pairs(scene, perfect, tmp_path / "pairs", PairsOptions(settings=PairsSettings(cropping="centre")))
    clean, degraded = read_pairs(tmp_path / "pairs")[0]
    assert np.abs(clean.astype(int) - degraded)[2:-2, 2:-2].max() <= 4


def test_interrupted_run_resumes_to_the_same_bytes(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    settings: dict = {"count": 7, "shard_size": 2, "seed": 3}
    generate_pairs(photographs, bank, tmp_path / "whole", PairsOptions(**settings))

    def stop_at(number: int) -> Callable[[int, int], None]:
        def progress(done: int, total: int) -> None:
            if done == number:
                raise KeyboardInterrupt

        return progress

    target = tmp_path / "stopped"
    for number in (1, 4, 7):
        with pytest.raises(KeyboardInterrupt):
            generate_pairs(
                photographs,
                bank,
                target,
                PairsOptions(**settings),
                resume=True,
                execution=Execution(progress=stop_at(number)),
            )
    report = generate_pairs(photographs, bank, target, PairsOptions(**settings), resume=True)
    assert 0 < report.made < 7
    assert contents(target) == contents(tmp_path / "whole")


def test_other_seed_gives_other_pictures(photographs: list[Photograph], bank: PsfBank, tmp_path: Path) -> None:
    for seed in (1, 2):
        generate_pairs(photographs, bank, tmp_path / str(seed), PairsOptions(seed=seed))
    one, two = (read_pairs(tmp_path / str(seed))[0] for seed in (1, 2))
    assert not (one[0] == two[0]).all()


def test_sample_does_not_depend_on_the_shard_it_lies_in(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    for size in (1, 5):
        generate_pairs(photographs, bank, tmp_path / str(size), PairsOptions(count=5, shard_size=size))
    for one, five in zip(read_pairs(tmp_path / "1"), read_pairs(tmp_path / "5"), strict=True):
        assert (one[0] == five[0]).all()
        assert (one[1] == five[1]).all()


def test_photograph_that_cannot_be_read_is_skipped_with_its_reason(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photographs[0].path.read_bytes()[:200])
    given = [Photograph("broken", broken), *photographs]
    report = generate_pairs(given, bank, tmp_path / "pairs")
    assert (report.count, report.sources) == (3, 3)
    (skipped,) = read_pairs(tmp_path / "pairs").manifest.skipped
    assert skipped.name == "broken"
    assert "damaged or cut short" in skipped.reason
    with pytest.raises(InputError, match="damaged or cut short"):
        generate_pairs(given, bank, tmp_path / "strict", execution=Execution(strict=True))
    assert not (tmp_path / "strict").exists()


def test_without_a_usable_photograph_nothing_is_made(bank: PsfBank, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of the 0 photographs"):
        generate_pairs([], bank, tmp_path / "pairs")
    missing = [Photograph("ghost", tmp_path / "ghost.png")]
    with pytest.raises(InputError, match=r"the photograph cannot be used: .*ghost\.png"):
        generate_pairs(missing, bank, tmp_path / "pairs")
    assert not (tmp_path / "pairs").exists()


@pytest.mark.parametrize("changes", [{"count": 0}, {"shard_size": 0}, {"seed": -1}])
def test_senseless_settings_are_refused(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path, changes: dict
) -> None:
    with pytest.raises(InputError, match="expected"):
        generate_pairs(photographs, bank, tmp_path / "pairs", PairsOptions(**changes))
    assert not (tmp_path / "pairs").exists()


def test_a_resumption_is_checked_against_all_settings_of_the_run(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    generate_pairs(photographs, bank, tmp_path / "pairs", PairsOptions(pixels=(16, 16)))
    check_resumption(photographs, [bank], tmp_path / "pairs", PairsOptions(pixels=(16, 16)))
    check_resumption(photographs, [bank], tmp_path / "none", PairsOptions(pixels=(16, 16)))
    for options, word in (
        (PairsOptions(pixels=(16, 16), seed=1), "seed was 0 and is now 1"),
        (PairsOptions(pixels=(16, 16), settings=PairsSettings(mirror=False)), "mirror"),
        (PairsOptions(pixels=(8, 16)), "pixels"),
    ):
        with pytest.raises(InputError, match=word):
            check_resumption(photographs, [bank], tmp_path / "pairs", options)


def test_resume_with_a_changed_photograph_is_refused(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    generate_pairs(photographs, bank, tmp_path / "pairs")
    write_picture(photographs[1].path, np.full((60, 90, 3), 7, np.uint8))
    with pytest.raises(
        InputError, match=r"picture-1.png is none of the photographs that it was begun with, or it was changed"
    ):
        generate_pairs(photographs, bank, tmp_path / "pairs", resume=True)


def test_pairs_know_their_camera(
    photographs: list[Photograph], bank: PsfBank, make_bank: MakeBank, tmp_path: Path
) -> None:
    generate_pairs(photographs, bank, tmp_path / "pairs")
    pairs = read_pairs(tmp_path / "pairs")
    require_same_camera(pairs, bank)
    with pytest.raises(InputError, match="give the bank that the pairs were made with"):
        require_same_camera(pairs, make_bank(pixels=(40, 40)))


def test_manifest_is_written_before_the_first_sample(
    photographs: list[Photograph], bank: PsfBank, tmp_path: Path
) -> None:
    def look(done: int, total: int) -> None:
        manifest = json.loads((tmp_path / "pairs/manifest.json").read_text())
        assert manifest["count"] == total

    generate_pairs(photographs, bank, tmp_path / "pairs", execution=Execution(progress=look))
