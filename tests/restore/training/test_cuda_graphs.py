"""Recorded gradients need a GPU, where benchmarks compare them; without one they are refused."""

from __future__ import annotations

import pytest

from metalens.formats.files.errors import InputError
from metalens.restore.training.adapter_training import AdapterTraining
from metalens.restore.training.checkpoint import CHECKPOINT
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.distributed import DistributedProcesses
from metalens.restore.training.loop import LoopSettings, TrainingLoop
from metalens.restore.training.loss import PathLoss
from metalens.restore.training.optimisation import Budget


@pytest.mark.parametrize("settings", [{}, {"accumulate": 2}, {"gradient_checkpointing": True}])
def test_training_with_graphs_on_a_processor_is_refused(make_restorer, tmp_path, settings):
    config = TrainConfig(cuda_graphs=True, perceptual="st-lpips", **settings)
    workplace = DistributedProcesses("cpu", "fp32")
    trainee = AdapterTraining(
        make_restorer(), None, None, PathLoss(config), config=config, workplace=workplace, output=tmp_path
    )
    settings = LoopSettings(tmp_path / CHECKPOINT, cuda_graphs=True)
    with pytest.raises(InputError, match="--cuda-graphs needs --device cuda and one process"):
        TrainingLoop(trainee, Budget(steps=1), workplace, settings)
