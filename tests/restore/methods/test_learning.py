"""The loop that all learning methods share: it learns, it resumes to the same weights, it refuses what is unfit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import to_8_bit
from metalens.restore.inference.capture import Capture
from metalens.restore.methods.learning import Learner, fit_learner
from metalens.restore.methods.nano_optics import NanoOpticsLearner
from metalens.restore.methods.psf_aware import PsfAwareLearner
from metalens.restore.methods.swinir import SwinIRLearner
from metalens.restore.metrics.measures import psnr
from metalens.restore.training.checkpoint import CHECKPOINT
from metalens.restore.training.optimisation import Budget


class Brightness(Learner):
    """One number that is added."""

    learning_rate = 0.05

    def __init__(self):
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(1))
        self.judge = nn.Linear(1, 1)
        self.fails_from = None

    def losses(self, crops, random):
        del random
        value = (crops.captured + self.offset - crops.clean).square().mean()
        self.calls = getattr(self, "calls", 0) + 1
        if self.fails_from is not None and self.calls > self.fails_from:
            value = value * float("nan")
        return {"loss": value + 0 * self.judge.weight.sum()}

    def restored(self, captured, region, variant):
        del region, variant
        return captured + self.offset


LEARNERS = {
    "nano-optics": lambda training: NanoOpticsLearner(training.bank, torch.device("cpu"), (6, 6, 6), 0.0),
    "NAFNet": lambda training: PsfAwareLearner(training.bank, training.crop, width=8),
    "SwinIR": lambda training: SwinIRLearner(12, (2,), 2),
}


def quick(learner):
    """A learner at a rate for a short training."""
    learner.learning_rate = 5e-3
    return learner


# The loop is the same for all.
@pytest.mark.parametrize(
    "name", ["nano-optics", *(pytest.param(name, marks=pytest.mark.long) for name in ("NAFNet", "SwinIR"))]
)
def test_a_learner_that_is_trained_restores_better_than_the_capture_is(name, training, pairs):
    settings = training(budget=Budget(steps=60), batch=2)
    fitted = fit_learner(settings, lambda device: quick(LEARNERS[name](settings)))
    gains = []
    for clean, captured in (pairs[0], pairs[3]):
        restored = fitted.restore(Capture(captured), ("",))[""]
        gains.append(psnr(clean, restored) - psnr(clean, captured))
    assert min(gains) > 0.5
    assert fitted.steps == 60


def test_a_training_that_is_interrupted_goes_on_to_the_same_weights(training):
    def settings(report=lambda share, figures: None, **more):
        return training(budget=Budget(steps=6), report=report, **more)

    def weights(fitted_with):
        made = []
        fit_learner(fitted_with, lambda device: made.append(PsfAwareLearner(fitted_with.bank, 32, width=4)) or made[0])
        return {name: value.clone() for name, value in made[0].state_dict().items()}

    undisturbed = weights(settings())
    (settings().folder / CHECKPOINT).unlink()
    shares = []

    def stop(share, figures):
        shares.append(share)
        if len(shares) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights(settings(stop))
    resumed = weights(settings(lambda share, figures: shares.append(share), resume=True))
    assert len(shares) == 6
    for name, value in undisturbed.items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0)


def test_a_training_whose_budget_is_used_is_not_trained_again(training):
    settings = training(budget=Budget(steps=2))
    first = fit_learner(settings, lambda device: Brightness())
    calls = []
    again = training(budget=Budget(steps=2), resume=True, report=lambda share, figures: calls.append(share))
    second = fit_learner(again, lambda device: Brightness())
    assert calls == []
    assert (second.steps, second.seconds) == (first.steps, first.seconds)


def test_the_same_seed_gives_the_same_pictures_and_another_one_others(training, pairs, tmp_path):
    def picture(seed):
        folder = tmp_path / f"seed-{seed}-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        settings = training(budget=Budget(steps=2), seed=seed, folder=folder)
        fitted = fit_learner(settings, lambda device: SwinIRLearner(12, (2,), 2))
        return fitted.restore(Capture(pairs[0][1]), ("",))[""]

    first = picture(1)
    np.testing.assert_array_equal(picture(1), first)
    assert (picture(2) != first).any()


def test_what_only_training_needs_is_not_counted(training):
    class WithAid(Brightness):
        aids = ("judge",)

    counted = fit_learner(training(), lambda device: Brightness())
    without = fit_learner(training(), lambda device: WithAid())
    assert counted.parameters == counted.trainable == 3
    assert without.parameters == without.trainable == 1


def test_crops_that_do_not_fit_are_refused(training):
    with pytest.raises(InputError, match="pairs of 64 pixels are smaller than the crop of 96; lower --crop, or make"):
        fit_learner(training(crop=96), lambda device: Brightness())
    with pytest.raises(InputError, match="--crop 36: is no multiple of 8, which this method needs"):
        fit_learner(training(crop=36), lambda device: Brightness())


def test_losses_that_stay_infinite_end_the_training_with_a_sentence(training):
    def broken(device):
        learner = Brightness()
        learner.fails_from = 2
        return learner

    with pytest.raises(InputError, match="11 training steps in a row gave NaN or infinity"):
        fit_learner(training(budget=Budget(steps=50)), broken)


def test_a_picture_of_any_size_comes_back_in_its_size(training):
    fitted = fit_learner(training(), lambda device: Brightness())
    picture = to_8_bit(np.random.default_rng(0).random((37, 51, 3)))
    assert fitted.restore(Capture(picture, (3, 5)), ("",))[""].shape == (37, 51, 3)
