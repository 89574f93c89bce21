"""The optimiser: budgets, what is not finite, the moving average, and checkpoints that are read with care."""

from __future__ import annotations

import json
import struct

import pytest
import torch
from torch import nn

from metalens.formats.files.errors import InputError
from metalens.restore.training.optimisation import Budget, Optimisation

from ..conftest import step_on


def optimisation(size=2, **options):
    settings = {"learning_rate": 0.1, "budget": Budget(steps=30)} | options
    return Optimisation({"w": nn.Parameter(torch.ones(size))}, **settings)


def descend(optimised, steps=1):
    for _ in range(steps):
        step_on(optimised, (optimised.parameters["w"] * torch.rand(2)).square().sum())


def test_a_budget_counts_whichever_comes_first():
    assert Budget(steps=10, minutes=1).progress(5, 6) == 0.5
    assert Budget(steps=10, minutes=1).progress(1, 54) == 0.9
    with pytest.raises(InputError, match="training: needs --steps or --minutes"):
        Budget()
    with pytest.raises(InputError, match="training: minutes: expected a finite number, found nan"):
        Budget(minutes=float("nan"))


def test_the_rate_warms_up_and_falls_to_a_twentieth():
    optimised = optimisation(budget=Budget(steps=1000), warm_up=10)
    assert optimised.rate == pytest.approx(0.01)
    optimised.step_number = 9
    assert optimised.rate == pytest.approx(0.1, rel=1e-3)
    optimised.step_number = 1000
    assert optimised.rate == pytest.approx(0.005)


def test_parameters_may_have_a_rate_of_their_own():
    """Adam's first step is one learning rate long, whatever the gradient's size."""
    weights = {name: nn.Parameter(torch.zeros(1)) for name in ("lora.a", "svda.basis")}
    settings = {"learning_rate": 0.1, "budget": Budget(steps=1000), "warm_up": 0, "weight_decay": 0.0}
    optimised = Optimisation(weights, factors={"svda.": 10.0}, **settings)
    step_on(optimised, sum(weight.sum() for weight in weights.values()))
    assert weights["lora.a"].item() == pytest.approx(-0.1, rel=1e-5)
    assert weights["svda.basis"].item() == pytest.approx(-1.0, rel=1e-5)


def test_a_loss_that_is_not_finite_is_refused_and_changes_nothing():
    optimised = optimisation()
    with pytest.raises(FloatingPointError, match="step 0"):
        step_on(optimised, (optimised.parameters["w"] * float("inf")).sum())
    assert optimised.parameters["w"].tolist() == [1, 1]
    assert optimised.step_number == 0


def test_the_average_stands_in_for_the_parameters_and_gives_them_back():
    optimised = optimisation()
    descend(optimised, 4)
    trained, average = optimised.parameters["w"].clone(), optimised.average["w"].clone()
    assert not torch.equal(trained, average)
    with optimised.averaged():
        assert torch.equal(optimised.parameters["w"], average)
    assert torch.equal(optimised.parameters["w"], trained)
    optimised.use_average()
    assert torch.equal(optimised.parameters["w"], average)


def test_a_checkpoint_goes_on_to_the_same_bits_with_the_same_random_numbers(tmp_path):
    torch.manual_seed(1)
    whole = optimisation()
    descend(whole, 3)
    whole.save(tmp_path / "c.safetensors", stage="adapter", extra={"seen": 7})
    descend(whole, 5)
    torch.manual_seed(2)
    resumed = optimisation()
    assert resumed.load(tmp_path / "c.safetensors", stage="adapter") == {"seen": 7}
    assert resumed.step_number == 3
    descend(resumed, 5)
    assert torch.equal(resumed.parameters["w"], whole.parameters["w"])
    assert torch.equal(resumed.average["w"], whole.average["w"])


def test_a_checkpoint_of_another_model_or_stage_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    optimisation().save(path, stage="adapter")
    with pytest.raises(InputError, match=r"does not fit this model \(.*expected F32 \(3,\)"):
        optimisation(3).load(path, stage="adapter")
    with pytest.raises(InputError, match="is a checkpoint of 'adapter', expected 'denoiser'"):
        optimisation().load(path, stage="denoiser")
    more = Optimisation({"v": nn.Parameter(torch.ones(2))}, learning_rate=0.1, budget=Budget(steps=3))
    with pytest.raises(InputError, match=r"does not fit this model \(average"):
        more.load(path, stage="adapter")
    with pytest.raises(InputError, match="no such checkpoint"):
        optimisation().load(tmp_path / "none", stage="adapter")


def test_a_damaged_or_hostile_checkpoint_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    optimisation().save(path, stage="adapter")
    sound = path.read_bytes()
    for damaged in (b"garbage", sound[:-40], sound[:20], struct.pack("<Q", 2**62) + sound[8:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="not a readable checkpoint"):
            optimisation().load(path, stage="adapter")
    with path.open("wb") as file:
        file.write(sound)
        file.truncate(2**30)  # a file with a hole takes no room on the disk
    with pytest.raises(InputError, match="1073741824 bytes is no checkpoint of this training; at most"):
        optimisation().load(path, stage="adapter")


COUNTERS = {
    "schema": "metalens.checkpoint",
    "version": 2,
    "stage": "adapter",
    "step": 1,
    "seconds": 1.0,
    "extra": {},
}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"schema": "other", "version": 2}, "schema: expected 'metalens.checkpoint', found 'other'"),
        ({"schema": "metalens.checkpoint", "version": 2, "stage": "adapter"}, "step: is missing"),
        (COUNTERS | {"step": "1"}, "step: expected a whole number"),
        (COUNTERS | {"step": -1}, "step: expected 0 or more"),
        (COUNTERS | {"seconds": float("nan")}, "seconds: expected a finite number"),
        (COUNTERS | {"extra": []}, "extra: expected "),
        ([], "not a readable checkpoint"),
    ],
)
def test_counters_that_are_not_a_checkpoints_are_refused(tmp_path, state, message):
    import safetensors.torch

    tensors = {name: torch.ones(2) for name in ("parameter.w", "average.w")}
    safetensors.torch.save_file(tensors, tmp_path / "c", metadata={"state": json.dumps(state)})
    with pytest.raises(InputError, match=message):
        optimisation().load(tmp_path / "c", stage="adapter")
