"""A training of a few steps on small crops."""

from __future__ import annotations

from metalens.restore.adapter.restorer import AdapterConfig
from metalens.restore.training.optimisation import Budget
from metalens.restore.training.train import TrainConfig, TrainingData, TrainingTask, train

from ..conftest import fresh_prior


def config(**changes):
    base = {"batch": 2, "crop": 32, "checkpoint_every": 3, "learning_rate": 2e-3, "ema_decay": 0.8, "warm_up": 3}
    few = {"validation_batches": 1, "validation_pictures": 1, "judge": "alex"}
    return TrainConfig(adapter=AdapterConfig(unet_rank=4, encoder_rank=4), **(base | few | changes))


def run(pairs, output, bank, prior_folder, steps, *, pseudo=(), **options):
    return train(
        TrainingTask(
            TrainingData([pairs], bank, pseudo=pseudo, quality_metric="piqe"),
            fresh_prior(prior_folder),
            options.pop("config", config()),
            options.pop("initial", None),
        ),
        output,
        budget=Budget(steps=steps),
        **options,
    )
