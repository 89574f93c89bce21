"""``metalens train`` and ``pseudo``: options, several lenses, rounds, and what is refused in one sentence."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from metalens.cli import metalens
from metalens.commands.train import train
from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import (
    PairSample,
    PairsCamera,
    PairsManifest,
    PairsSource,
    open_pairs_writer,
    read_pairs,
)
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.psf.external_bank import grid_bank_of_functions
from metalens.restore.adapter.adapter_file import load_restorer
from metalens.restore.training.config import TrainConfig
from metalens.workflows.estimate import folder_bytes

PIXELS = (64, 64)
TINY = ("--batch", 1, "--crop", 32, "--unet-rank", 2, "--encoder-rank", 2, "--quality", "piqe")


@pytest.fixture(scope="module")
def given(prior_folder, tmp_path_factory):
    """A tiny prior, and a recipe that validates on little."""
    recipe = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    recipe.write_text('[training]\nvalidation_batches = 1\nvalidation_pictures = 1\njudge = "alex"\n')
    return ("--prior", prior_folder, "--config", recipe)


@pytest.fixture(scope="module")
def lenses(tmp_path_factory):
    """Banks of three cameras, each twice as wide as the one before: name → path and camera."""
    preset = read_camera("metacamera")
    folder = tmp_path_factory.mktemp("lenses")
    found = {}
    for number, name in enumerate(("first", "second", "unseen")):
        sensor = preset.sensor.model_copy(update={"pixels": PIXELS})
        camera = preset.model_copy(update={"name": name, "sensor": sensor})
        intensity = np.zeros((2, 2, 3, 5, 5), dtype=np.float32)
        intensity[..., 1:4, 1:4] = 1 / 9
        bank = grid_bank_of_functions(camera, intensity, {"engine": "made up"})
        widths = np.full((4, 3), 2.0 ** (number + 1) * 1e-6)
        bank = replace(bank, by_channel=replace(bank.by_channel, full_width_half_maximum=widths))
        write_psf_bank(folder / f"{name}.h5", bank)
        found[name] = (folder / f"{name}.h5", camera)
    return found


@pytest.fixture
def pairs_of(tmp_path, lenses):
    """Makes pairs of a lens: three photographs, the last of which validates."""

    def make(name):
        camera = lenses[name][1]
        random = np.random.default_rng(len(name))
        pictures = np.kron(random.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8), np.ones((1, 4, 4, 1), np.uint8))
        manifest = PairsManifest(
            kind="simulated",
            count=3,
            shard_size=3,
            pixels=PIXELS,
            seed=0,
            cameras=(PairsCamera(name=name, lens_hash=camera.hash, sensor=PIXELS),),
            sources=tuple(
                PairsSource(
                    name=f"p{i}",
                    sha256=f"{i}" * 64,
                    licence="CC0" if i else "",
                    split="validation" if i == 2 else "train",
                )
                for i in range(3)
            ),
        )
        with open_pairs_writer(tmp_path / name, manifest) as writer:
            samples = [PairSample(each, each // 2, number, number) for number, each in enumerate(pictures)]
            writer.write(writer.missing[0], samples)
        return tmp_path / name

    return make


def run(*words):
    return CliRunner().invoke(metalens, [str(word) for word in words])


def trained(*words):
    result = run("train", *words, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


@pytest.mark.long
def test_the_block_of_the_adapter_that_a_training_starts_from_is_left_out_or_kept_and_told(
    pairs_of, lenses, given, tmp_path
):
    given = (pairs_of("first"), "--psf", lenses["first"][0], *given, "--steps", 1, *TINY)
    block = ("--consistency", "trained", "--crop", 48)
    trained(*given, "-o", tmp_path / "block", "--conditioning", "optics", *block)
    begun = ("--init", tmp_path / "block")
    told = run("train", *given, *begun, "-o", tmp_path / "plain")
    assert told.exit_code == 0, (told.output, told.exception)
    assert "its block of data consistency is left out; --consistency trained keeps it" in told.stderr
    trained(*given, *begun, "-o", tmp_path / "kept", *block)
    for name, consistency in (("plain", "none"), ("kept", "trained")):
        assert load_restorer(tmp_path / name).config.consistency == consistency
        card = (tmp_path / name / "README.md").read_text(encoding="utf-8")
        assert ("was left out" in card) == (consistency == "none")


@pytest.mark.long
def test_one_adapter_is_trained_on_two_lenses_and_then_used_on_a_third(pairs_of, lenses, given, tmp_path):
    banks = [word for name in ("first", "second") for word in ("--psf", lenses[name][0])]
    sets = [pairs_of(name) for name in ("first", "second")]
    line = (*sets, "-o", tmp_path / "both", *banks, *given, "--steps", 1, *TINY)
    expected = trained(*line, "--dry-run")["estimate"]
    summary = trained(*line)
    # The checkpoint, which holds each parameter four times in single precision, does not stay.
    assert expected["disk_bytes"] - expected["kept_bytes"] == 16 * summary["trainable_parameters"]
    assert 0.5 < expected["kept_bytes"] / folder_bytes(tmp_path / "both") < 2
    assert [lens["name"] for each in summary["pairs"] for lens in each["lenses"]] == ["first", "second"]
    card = (tmp_path / "both" / "README.md").read_text()
    assert "trained on 2 lenses" in card
    assert "Photographs by licence: CC0 (2), unknown (1)." in card
    third = ("train", "-o", tmp_path / "third", "--psf", lenses["unseen"][0])
    result = run(*third, "--init", tmp_path / "both", *given[:2], "--steps", 0, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    before, after = load_restorer(tmp_path / "both"), load_restorer(tmp_path / "third")
    assert after.camera == lenses["unseen"][1]
    assert (after.lens_map > before.lens_map).all()
    for name, parameter in before.parameters().items():
        assert torch.equal(after.parameters()[name], parameter)
    assert "not trained on it" in (tmp_path / "third" / "README.md").read_text()
    assert run(*third, "--steps", 0).exit_code == 2


def test_a_round_of_pseudo_pairs(pairs_of, lenses, given, tmp_path):
    bank, pairs = lenses["first"][0], pairs_of("first")
    negative = tmp_path / "negative"
    trained(pairs, "-o", negative, "--psf", bank, *given, "--steps", 1, "--paths", "0,0,1", *TINY)
    write_picture(tmp_path / "photo.png", np.random.default_rng(0).integers(0, 256, (70, 70, 3), dtype=np.uint8))
    made = run("pseudo", tmp_path / "photo.png", "-o", tmp_path / "pseudo", "--adapter", negative, "--count", 2)
    assert made.exit_code == 0, (made.output, made.exception)
    mixed = ("--pseudo", tmp_path / "pseudo", "--pseudo-share", 1, "--pseudo-noise", 4)
    start = ("--init", negative, "--psf", bank, *given)
    summary = trained(pairs, "-o", tmp_path / "adapter", *start, *mixed, "--steps", 2, *TINY[:4], "--paths", "1,0,0")
    assert summary["pseudo"][0]["kind"] == "pseudo"
    history = json.loads((tmp_path / "adapter" / "training.json").read_text())["history"]
    assert [row["pseudo"] for row in history] == [True, True]
    # Sizes that were not given are those of the adapter that it began with.
    assert summary["config"]["adapter"]["unet_rank"] == 2
    other = ("--adapter", negative, "--psf", lenses["unseen"][0], "--count", 1)
    assert run("pseudo", tmp_path / "photo.png", "-o", tmp_path / "other", *other).exit_code == 0
    assert read_pairs(tmp_path / "other").manifest.camera_names == "unseen"


def test_pairs_of_a_lens_without_a_bank_are_refused(pairs_of, lenses, tmp_path):
    sets = [pairs_of(name) for name in ("first", "unseen")]
    banks = [word for name in ("first", "second") for word in ("--psf", lenses[name][0])]
    for words in (banks[:2], banks):
        result = run("train", *sets, "-o", tmp_path / "a", *words, "--steps", 1, "--crop", 32, "--dry-run")
        assert isinstance(result.exception, InputError)
        assert "made for camera 'unseen'" in str(result.exception)
    plan = json.loads(
        run("train", sets[0], "-o", tmp_path / "a", *banks, "--steps", 1, "--crop", 32, "--dry-run", "--json").stdout
    )
    assert plan.pop("estimate")["seconds"] > 0
    assert plan == {"pairs": 3, "pseudo": 0, "camera": "first", "lenses": 1}
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("shares", ["0.5,0.5", "a,b,c", "1"])
def test_shares_that_are_not_three_numbers_are_wrong_use(lenses, tmp_path, shares):
    result = run("train", tmp_path, "-o", tmp_path / "a", "--psf", lenses["first"][0], "--paths", shares)
    assert result.exit_code == 2
    assert "is not three numbers such as 0.7,0.2,0.1" in result.output


def test_the_help_tells_the_defaults_of_the_recipe():
    config = TrainConfig()
    flat = {**config.__dict__, **config.adapter.__dict__, "ema": config.ema_decay, "q": config.adapter.form}
    shares = config.shares
    flat["paths"] = f"{shares.positive:g},{shares.neutral:g},{shares.negative:g}"
    for parameter in train.params:
        if parameter.name in flat and "[default:" in (parameter.help or ""):
            told = parameter.help.rpartition("[default: ")[2].rstrip("]")
            value = flat[parameter.name]
            assert told == (f"{value:g}" if isinstance(value, float) else str(value)), parameter.name


def test_training_on_keeps_what_the_paths_were_trained_for(tmp_path):
    from metalens.restore.adapter.adapter_file import adapter_folder
    from metalens.workflows.training import read_recipe

    faithful = tmp_path / "faithful"
    faithful.mkdir()
    description = json.loads((adapter_folder("metacamera-200um") / "adapter.json").read_text())
    published = read_recipe(None, "metacamera-200um")
    assert published.neutral == "smooth"
    description["training"]["config"] |= {"neutral": "fidelity", "perceptual": "efficientnet", "perceptual_weight": 1.5}
    (faithful / "adapter.json").write_text(json.dumps(description))
    on = read_recipe(None, str(faithful))
    assert (on.neutral, on.perceptual, on.perceptual_weight) == ("fidelity", "efficientnet", 1.5)
    # The discriminator of the paths judges no data consistency, unless that is said.
    alone = {"only": "consistency"}
    assert read_recipe(None, "metacamera").adversarial_weight == 0.5
    assert read_recipe({"training": alone}, "metacamera").adversarial_weight == 0
    assert read_recipe({"training": alone | {"adversarial_weight": 0.2}}, "metacamera").adversarial_weight == 0.2
    # A run that trained one part alone, with a loss of its own, is no guide for the paths.
    kept = {key: description["training"]["config"][key] for key in ("neutral", "perceptual", "perceptual_weight")}
    config = description["training"]["config"] | {"only": "consistency", "perceptual_weight": 0.0}
    later = description | {"training": description["training"] | {"config": config, "loss_before": kept}}
    (faithful / "adapter.json").write_text(json.dumps(later))
    assert read_recipe(None, str(faithful)) == on
    # What is said counts, and the weights go with their metric.
    other = read_recipe({"training": {"perceptual": "st-lpips", "neutral": "smooth"}}, str(faithful))
    assert (other.neutral, other.perceptual_weight) == ("smooth", published.perceptual_weight)
