"""Gradients of a step, computed or replayed; the replay itself needs a device and is compared in benchmarks."""

from __future__ import annotations

import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.cuda_graphs import Gradients
from metalens.restore.training.distributed import DistributedProcesses
from metalens.restore.training.loss import PathLoss
from metalens.restore.training.optimisation import Budget
from metalens.restore.training.run import TrainingRun


def test_gradients_are_left_in_the_parameters_and_replace_those_of_before():
    weight = torch.nn.Parameter(torch.tensor([2.0]))

    def function(key, given):
        loss = (weight * given).sum() if key == "linear" else (weight**2 * given).sum()
        return {"loss": loss, "twice": 2 * loss}

    gradients = Gradients(function, [weight])
    for _ in range(2):
        values = gradients("linear", torch.tensor([3.0]))
        assert values == {"loss": torch.tensor(6.0), "twice": torch.tensor(12.0)}
        assert not values["loss"].requires_grad
        torch.testing.assert_close(weight.grad, torch.tensor([3.0]))
    gradients("square", torch.tensor([3.0]))
    torch.testing.assert_close(weight.grad, torch.tensor([12.0]))


def test_a_parameter_that_takes_no_part_has_no_gradient():
    used, unused = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    Gradients(lambda key: {"loss": used.sum()}, [used, unused])("any")
    assert unused.grad is None


@pytest.mark.parametrize("settings", [{}, {"accumulate": 2}, {"gradient_checkpointing": True}])
def test_training_with_graphs_on_a_processor_is_refused(make_restorer, tmp_path, settings):
    config = TrainConfig(cuda_graphs=True, perceptual="st-lpips", **settings)
    workplace = DistributedProcesses("cpu", "fp32")
    with pytest.raises(InputError, match="--cuda-graphs needs --device cuda and one process"):
        TrainingRun(
            make_restorer(),
            None,
            None,
            PathLoss(config),
            config=config,
            budget=Budget(steps=1),
            workplace=workplace,
            output=tmp_path,
        )
