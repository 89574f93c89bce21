"""Training: every path learns, only what should, and what is written is what was trained."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from metalens.restore.adapter.adapter_file import describe_adapter, load_restorer
from metalens.restore.adapter.lens_transfer import loss_settings
from metalens.restore.adapter.paths import PathShares, source_and_target
from metalens.restore.adapter.restorer import AdapterConfig
from metalens.restore.inference.restored_files import known_lenses
from metalens.restore.inference.uncertainty import calibration
from metalens.restore.prior.prior import PATHS
from metalens.restore.training.distributed import lower_precision
from metalens.restore.training.loss import PathLoss

from ..conftest import textured, write_pairs
from .short_training import config, run


def history_of(folder):
    return json.loads((folder / "training.json").read_text())["history"]


def exchanged(picture):
    """A camera that takes red for blue undoes itself: all paths learn one map, for which a few steps are enough."""
    return np.ascontiguousarray(picture[..., ::-1])


def test_training_lowers_every_loss_and_beats_the_captured_picture_on_held_out_ones(
    camera, tmp_path, bank, prior_folder
):
    pairs = write_pairs(tmp_path / "pairs", camera, textured(16), degrade=exchanged)
    settings = config(shares=PathShares(0.4, 0.3, 0.3), learning_rate=1e-2, clip=10.0)
    summary = run(pairs, tmp_path / "adapter", bank, prior_folder, 15, config=settings)
    for path in PATHS:
        before, after = summary["validation_before"][path], summary["validation_after"][path]
        for term in ("loss", "l2", "perceptual"):
            assert after[term] < before[term], (path, term)
    figures = summary["by_alpha"]
    assert figures["held_out"]
    for restored in figures["restored"].values():
        assert restored["psnr"] > figures["captured"]["psnr"] + 1


# The loss of each on several pairs falls, above.
@pytest.mark.long
@pytest.mark.parametrize("path", PATHS)
def test_each_path_overfits_one_pair(camera, tmp_path, bank, prior_folder, path):
    pair = write_pairs(tmp_path / "pair", camera, textured(1), sources=1, degrade=exchanged)
    shares = PathShares(**{each: float(each == path) for each in PATHS})
    settings = config(shares=shares, perceptual_weight=0.0, learning_rate=1e-2, batch=1)
    summary = run(pair, tmp_path / "adapter", bank, prior_folder, 15, config=settings)
    assert summary["validation_after"][path]["l2"] < 0.5 * summary["validation_before"][path]["l2"]
    assert {row["path"] for row in history_of(tmp_path / "adapter")} == {path}


@pytest.mark.parametrize("path", PATHS)
def test_every_parameter_that_should_train_has_a_gradient_and_nothing_else(make_restorer, path):
    restorer = make_restorer(perturb=0.02)
    loss = PathLoss(config())
    clean, neutral, captured = torch.rand(3, 1, 3, 32, 32).unbind()
    source, target = source_and_target(path, clean, neutral, captured)
    loss(restorer.forward(source, torch.rand(1, 4, 7, 7), [path]), target)["loss"].backward()
    trained = restorer.parameters()
    assert [name for name, each in trained.items() if each.grad is None or not each.grad.abs().max() > 0] == []
    whose = {id(parameter) for parameter in trained.values()}
    everything = [*restorer.prior.vae.parameters(), *restorer.prior.unet.parameters(), *loss.parameters()]
    others = [each for each in everything if id(each) not in whose]
    assert len(others) > 100
    assert not any(each.requires_grad or each.grad is not None for each in others)


def gradients(restorer, *, checkpointing=False, precision="fp32"):
    if checkpointing:
        restorer.prior.vae.enable_gradient_checkpointing()
        restorer.prior.unet.enable_gradient_checkpointing()
    if precision == "bf16":
        lower_precision([restorer.prior.vae, restorer.prior.unet])
    generator = torch.Generator().manual_seed(3)
    source, maps = torch.rand(1, 3, 32, 32, generator=generator), torch.rand(1, 4, 7, 7, generator=generator)
    with restorer.conditioned(maps, 1.0):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            predicted = restorer.forward(source, maps, ["positive"])
        (predicted.float() - 0.5).square().mean().backward()
    return {name: parameter.grad for name, parameter in restorer.parameters().items()}


def test_gradient_checkpointing_changes_no_gradient(make_restorer):
    plain = gradients(make_restorer(perturb=0.02))
    again = gradients(make_restorer(perturb=0.02), checkpointing=True)
    for name, gradient in plain.items():
        torch.testing.assert_close(again[name], gradient, msg=name)


def test_in_reduced_precision_what_is_trained_stays_in_single_precision(make_restorer):
    restorer = make_restorer(perturb=0.02)
    reduced, full = gradients(restorer, precision="bf16"), gradients(make_restorer(perturb=0.02))
    assert {parameter.dtype for parameter in restorer.parameters().values()} == {torch.float32}
    assert {gradient.dtype for gradient in reduced.values()} == {torch.float32}
    assert restorer.prior.unet.conv_out.base_layer.weight.dtype == torch.bfloat16
    together = [torch.cat([each[name].flatten() for name in full]) for each in (reduced, full)]
    # bfloat16 has 8 bits: the direction stays, the last digits do not.
    assert torch.nn.functional.cosine_similarity(*together, dim=0) > 0.98


@pytest.mark.long
def test_the_adapter_that_is_written_is_the_one_that_was_trained(pairs, tmp_path, bank, prior_folder, camera):
    settings = config(validate_every=2, precision="bf16", gradient_checkpointing=True, judge="vgg")
    summary = run(pairs, tmp_path / "adapter", bank, prior_folder, 3, config=settings, command="metalens train pairs/")
    names = sorted(entry.name for entry in (tmp_path / "adapter").iterdir())
    assert names == ["README.md", "adapter.json", "adapter.safetensors", "tensorboard", "training.json", "validation"]
    pictures = sorted(entry.name for entry in (tmp_path / "adapter" / "validation").iterdir())
    assert pictures == ["step-000002.png", "step-000003.png"]
    restorer = load_restorer(tmp_path / "adapter")
    assert restorer.camera == camera
    assert restorer.training["steps"] == summary["steps"] == 3
    history = history_of(tmp_path / "adapter")
    assert [row["step"] for row in history] == [0, 1, 2]
    assert {row["path"] for row in history} <= set(PATHS)
    card = (tmp_path / "adapter" / "README.md").read_text()
    captured = summary["by_alpha"]["captured"]
    for part in (
        "metalens train pairs/",
        f"| captured | {captured['psnr']:.2f} | {captured['perceptual']:.4f} |",
        "| restored, α = 0.75 |",
        "Photographs by licence: unknown (4)",
        "bf16, on cpu",
        "the shift-tolerant LPIPS (AlexNet form)",
        "validation/step-000003.png",
    ):
        assert part in card


@pytest.mark.long
def test_accumulated_batches_are_one_large_batch(pairs, tmp_path, bank, prior_folder):
    settings = {"validation_batches": 1, "weight_decay": 0.0}
    for name, batch, accumulate in (("whole", 4, 1), ("parts", 1, 4)):
        run(
            pairs,
            tmp_path / name,
            bank,
            prior_folder,
            2,
            config=config(batch=batch, accumulate=accumulate, **settings),
        )
    whole, parts = (history_of(tmp_path / name) for name in ("whole", "parts"))
    for one, other in zip(whole, parts, strict=True):
        assert other["path"] == one["path"]
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-3)
        assert other["gradient_norm"] == pytest.approx(one["gradient_norm"], rel=1e-2)


# A second way to the same: tests/commands/test_train.py has a round of pseudo-pairs that starts from an adapter.
@pytest.mark.long
def test_pseudo_pairs_and_an_initial_adapter_are_taken(pairs, tmp_path, bank, prior_folder):
    run(pairs, tmp_path / "first", bank, prior_folder, 2)
    summary = run(
        pairs,
        tmp_path / "second",
        bank,
        prior_folder,
        3,
        pseudo=[pairs],
        initial=str(tmp_path / "first"),
        config=config(pseudo_share=1.0),
    )
    assert summary["pseudo"][0]["count"] == len(pairs)
    assert all(row["pseudo"] == (row["path"] != "negative") for row in history_of(tmp_path / "second"))
    first = describe_adapter(tmp_path / "first")["training"]["validation_after"]
    for path in PATHS:
        # The adapter was rounded to half precision in between.
        assert summary["validation_before"][path]["loss"] == pytest.approx(first[path]["loss"], rel=0.02)


# All weights are tuned below, for one step.
@pytest.mark.long
@pytest.mark.parametrize("tuning", ["lora", pytest.param("full", marks=pytest.mark.long)])
def test_conditioning_by_optics_trains_all_that_it_adds(camera, tmp_path, bank, prior_folder, tuning):
    pairs = write_pairs(tmp_path / "pairs", camera, textured(4), sources=4)
    adapter = AdapterConfig(unet_rank=4, encoder_rank=4, conditioning="optics", tuning=tuning)
    settings = replace(config(neutral="fidelity", edge_weight=2.0, shares=PathShares(0.5, 0.3, 0.2)), adapter=adapter)
    summary = run(pairs, tmp_path / "adapter", bank, prior_folder, 3, config=settings)
    trained = load_restorer(tmp_path / "adapter").parameters()
    assert all(trained[f"optics.{network}.weight"].abs().max() > 0 for network in ("encoder", "unet"))
    assert set(summary["validation_after"]["neutral"]) == {"loss", "l2", "l1", "psnr"}
    assert np.isfinite(calibration(load_restorer(tmp_path / "adapter"))).all()
    resumed = run(pairs, tmp_path / "more", bank, prior_folder, 1, config=settings, initial=str(tmp_path / "adapter"))
    assert resumed["validation_before"]["positive"]["l2"] == pytest.approx(
        summary["validation_after"]["positive"]["l2"], rel=0.05
    )


def test_a_neutral_path_of_fidelity_has_the_absolute_error_in_display_values_and_in_light():
    loss = PathLoss(config(neutral="fidelity", l1_weight=3.0))
    target, predicted = torch.full((1, 3, 32, 32), 0.5), torch.full((1, 3, 32, 32), 0.6)
    light = [((value + 0.055) / 1.055) ** 2.4 for value in (0.5, 0.6)]
    found = loss(predicted, target, "neutral")
    assert float(found["loss"]) == pytest.approx(3 * (0.1 + light[1] - light[0]), rel=1e-5)
    assert "perceptual" in loss(predicted, target, "positive")
    assert "perceptual" in PathLoss(config())(predicted, target, "neutral")
    beyond = torch.full((1, 3, 32, 32), 1.2, requires_grad=True)
    loss(beyond, target, "neutral")["loss"].backward()
    assert (beyond.grad > 0).all()


@pytest.mark.parametrize(
    ("changes", "told", "untold"),
    [
        pytest.param(
            {},
            ["LoRA with W* = W + A·Q·B, rank 4", "no part of the loss"],
            ["Conditioned by optics", "of the neutral path", "discriminator", "told its path", "data consistency"],
            marks=pytest.mark.long,
        ),
        (
            {"conditioning": "optics", "tuning": "full", "path_embedding": True, "consistency": "trained"},
            [
                "A block of data consistency follows the decoder",
                "All weights of autoencoder and U-Net",
                "Conditioned by optics",
                "is told its path",
                "0.1 · a discriminator's judgement, of the neutral path 4 · L1",
            ],
            ["LoRA"],
        ),
    ],
)
def test_the_card_tells_what_was_trained(pairs, tmp_path, bank, prior_folder, changes, told, untold):
    adapter = AdapterConfig(unet_rank=4, encoder_rank=4, **changes)
    recipe = config(neutral="fidelity", adversarial_weight=0.1, crop=48) if changes else config(judge="vgg")
    settings = replace(recipe, adapter=adapter)
    run(pairs, tmp_path / "adapter", bank, prior_folder, 1, config=settings)
    card = (tmp_path / "adapter" / "README.md").read_text()
    assert [each for each in told if each not in card] == []
    assert [each for each in untold if each in card] == []


@pytest.mark.long
def test_only_the_trust_of_data_consistency_is_trained_if_that_is_asked(pairs, tmp_path, bank, prior_folder):
    adapter = AdapterConfig(unet_rank=4, encoder_rank=4, conditioning="optics", consistency="trained")
    shares = PathShares(positive=0.5, neutral=0.5, negative=0)
    settings = config(only="consistency", crop=48, neutral="fidelity", shares=shares)
    settings = replace(settings, adapter=adapter)
    run(pairs, tmp_path / "one", bank, prior_folder, 1, config=settings)
    # What the networks were trained on before counts on, though this run has pairs of one lens.
    file = tmp_path / "one" / "adapter.json"
    description = json.loads(file.read_text())
    description["training"]["pairs"][0]["lens_hashes"] = ["0" * 64]
    file.write_text(json.dumps(description))
    begun = replace(settings, l1_weight=1.0, perceptual_weight=0.0)
    summary = run(pairs, tmp_path / "on", bank, prior_folder, 2, config=begun, initial=str(tmp_path / "one"))
    assert summary["loss_before"]["l1_weight"] == settings.l1_weight
    before, trained = (load_restorer(tmp_path / name, prior=prior_folder) for name in ("one", "on"))
    after = trained.parameters()
    changed = {name.split(".")[0] for name, each in before.parameters().items() if not torch.equal(each, after[name])}
    assert changed == {"consistency"}
    assert known_lenses(trained) == {"0" * 64, bank.camera.hash}
    run(pairs, tmp_path / "further", bank, prior_folder, 1, config=begun, initial=str(tmp_path / "on"))
    assert loss_settings(str(tmp_path / "further")) == loss_settings(str(tmp_path / "one"))
