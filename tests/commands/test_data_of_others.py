"""Pairs of two folders of pictures, whose lens nobody knows: imported, trained on without a bank, restored, scored."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from metalens.cli import metalens
from metalens.formats.camera.unknown import unknown_camera
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.restore.adapter.adapter_file import load_restorer
from metalens.restore.metrics.measures import psnr

from ..restore.conftest import box_blur, textured, write_pairs

PIXELS = (64, 64)


def run(*words):
    result = CliRunner().invoke(metalens, [*map(str, words), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures in ``clean/`` and ``captured/``; in ``pairs/`` pairs of some of them, of a lens that is not known."""
    tmp_path = tmp_path_factory.mktemp("others")
    for number, picture in enumerate(textured(4, pixels=PIXELS)):
        for folder, each in (("clean", picture), ("captured", box_blur(picture))):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_picture(tmp_path / folder / f"{number}.png", each)
    (tmp_path / "names.txt").write_text("2.png\n0.png\n1.png\n")
    words = (tmp_path / "clean", tmp_path / "captured", "-o", tmp_path / "pairs", "--names", tmp_path / "names.txt")
    told = run("data", "import", *words, "--licence", "Apache-2.0")
    assert told == {
        "output": str(tmp_path / "pairs"), "count": 3, "pixels": [64, 64], "camera": "unknown", "validation": 1
    }  # fmt: skip
    return tmp_path


@pytest.fixture(scope="module")
def adapter(folder, prior_folder, tmp_path_factory):
    """An adapter that was trained without a bank."""
    tmp_path = tmp_path_factory.mktemp("trained")
    (tmp_path / "few.toml").write_text(
        '[training]\nbatch = 1\nvalidation_batches = 1\nvalidation_pictures = 1\njudge = "alex"\n'
    )
    run(
        *("train", folder / "pairs", "-o", tmp_path / "adapter", "--prior", prior_folder, "--steps", 1, "--crop", 32),
        *("--config", tmp_path / "few.toml", "--quality", "piqe", "--unet-rank", 2, "--encoder-rank", 2),
    )
    return tmp_path / "adapter"


def test_an_adapter_of_an_unknown_lens_restores_and_its_pictures_are_scored(folder, adapter, tmp_path):
    restorer = load_restorer(adapter)
    assert restorer.camera.hash == unknown_camera(PIXELS).hash
    assert not restorer.lens_map.any()
    assert not restorer.config.fwhm
    rows = run("restore", folder / "pairs", "-o", tmp_path / "restored", "--adapter", adapter, "--alpha", "0,1")[
        "restored"
    ]
    assert len(rows) == 6
    found = run("data", "score", folder / "pairs", tmp_path / "restored", "--metrics", "psnr,ssim")
    assert (found["pictures"], list(found["means"]), found["missing"]) == (3, ["captured", "0", "1"], {})
    numbers = (2, 0, 1)
    for version in ("captured", "0"):
        place = folder / "captured" if version == "captured" else tmp_path / "restored"
        suffix = "" if version == "captured" else "-alpha0"
        expected = np.mean(
            [
                psnr(read_picture(folder / "clean" / f"{n}.png"), read_picture(place / f"{n}{suffix}.png"))
                for n in numbers
            ]
        )
        assert found["means"][version]["psnr"] == pytest.approx(expected)


@pytest.mark.long
def test_pseudo_pairs_of_an_unknown_lens_are_mixed_in(folder, adapter, prior_folder, tmp_path):
    run("pseudo", folder / "clean", "-o", tmp_path / "pseudo", "--adapter", adapter, "--count", 2)
    words = ("--pseudo", tmp_path / "pseudo", "--prior", prior_folder, "--crop", 32, "--steps", 1, "--dry-run")
    plan = run("train", folder / "pairs", "-o", tmp_path / "second", *words)
    assert plan.pop("estimate")["seconds"] > 0
    assert plan == {"pairs": 3, "pseudo": 2, "camera": "unknown", "lenses": 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--metrics", "psnr,sharpness"), "no metric 'sharpness'; expected some of psnr, ssim"),
        (("--metrics", "ms_ssim"), "ms_ssim: pictures of 64 × 64 pixels are too small"),
        ((), "holds no 2-alpha0.75.png or other α of 2; restore it"),
    ],
)
def test_scores_that_cannot_be_had_are_told(folder, tmp_path, words, message):
    (tmp_path / "restored").mkdir()
    with pytest.raises(InputError, match=message):
        run("data", "score", folder / "pairs", tmp_path / "restored", *words)


def test_whatever_restore_writes_is_scored(folder, tmp_path):
    """Maps of the expected error lie beside the pictures and are none of them."""
    for name in ("0", "1", "2"):
        picture = read_picture(folder / "clean" / f"{name}.png")
        for label in ("alpha0.75", "alpha0.75-uncertainty", "map", "wiener-joint"):
            for place in ("all", label):
                (tmp_path / place).mkdir(exist_ok=True)
                write_picture(tmp_path / place / f"{name}-{label}.png", picture // 2)
    for place, versions in {
        "all": ["captured", "0.75", "map", "wiener-joint"],
        "map": ["captured", "map"],
        "wiener-joint": ["captured", "wiener-joint"],
    }.items():
        found = run("data", "score", folder / "pairs", tmp_path / place, "--metrics", "psnr")
        assert list(found["means"]) == versions


def test_a_folder_that_is_not_there_is_told(folder, tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder; give a folder that `metalens restore` wrote"):
        run("data", "score", folder / "pairs", tmp_path / "nowhere", "--metrics", "psnr")


def test_restored_pictures_that_do_not_fit_are_told(folder, tmp_path):
    (tmp_path / "restored").mkdir()
    for name in ("2-alpha0.png", "0-alpha1.png", "1-alpha0.png"):
        write_picture(tmp_path / "restored" / name, np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(InputError, match="0 is restored at other α than 2; restore all at the same"):
        run("data", "score", folder / "pairs", tmp_path / "restored", "--metrics", "psnr")
    write_picture(tmp_path / "restored" / "2-alpha0.png", np.zeros((64, 60, 3), np.uint8))
    with pytest.raises(InputError, match="2 at α = 0 has another size than the pair; restore it again"):
        run("data", "score", folder / "pairs", tmp_path / "restored", "--metrics", "psnr")


def test_pairs_of_a_known_lens_need_its_bank(camera, tmp_path):
    pairs = write_pairs(tmp_path / "known", camera, textured(2), sources=2)
    with pytest.raises(InputError, match=r"known: made for camera 'metacamera'; give .* with --psf"):
        run("train", pairs.folder, "-o", tmp_path / "a", "--steps", 1)
    assert not (tmp_path / "a").exists()


def test_what_is_told_of_the_lens_needs_its_bank(folder, prior_folder, tmp_path):
    with pytest.raises(InputError, match="conditioning by optics needs the point spread functions of the lens"):
        run(
            *("train", folder / "pairs", "-o", tmp_path / "a", "--prior", prior_folder, "--steps", 1),
            *("--conditioning", "optics"),
        )


def test_pairs_of_an_unknown_lens_go_with_no_bank(folder, camera, bank, tmp_path):
    write_psf_bank(tmp_path / "psf.h5", bank)
    with pytest.raises(InputError, match=r"their lens is unknown, the psf bank is of 'metacamera'; import them again"):
        run("train", folder / "pairs", "-o", tmp_path / "a", "--psf", tmp_path / "psf.h5", "--steps", 1)


def test_a_training_without_pairs_asks_for_them(tmp_path):
    result = CliRunner().invoke(metalens, ["train", "-o", str(tmp_path / "a"), "--steps", "2"])
    assert result.exit_code == 2
    assert "Missing argument 'PAIRS...'" in result.output


def test_options_of_lora_are_refused_where_all_weights_are_trained(tmp_path):
    words = ("--tuning", "full", "--unet-rank", "4", "--q", "global", "--steps", "1")
    result = CliRunner().invoke(metalens, ["train", "pairs", "-o", str(tmp_path / "a"), *words])
    assert result.exit_code == 2
    assert "--unet-rank, --q: of --tuning lora; leave out with --tuning full" in result.output


@pytest.mark.parametrize("words", [("--steps", "0"), ("pairs", "--psf-ensemble", "e", "--steps", "1")])
def test_what_needs_a_bank_asks_for_it(tmp_path, words):
    result = CliRunner().invoke(metalens, ["train", *words, "-o", str(tmp_path / "a")])
    assert result.exit_code == 2
    assert "give the psf.h5 of the adapter's camera with --psf" in result.output
