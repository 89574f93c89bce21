"""The loop of every training, on one weight: what it descends on, skips, keeps and goes on with."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from metalens.formats.files.errors import InputError
from metalens.restore.training.checkpoint import CHECKPOINT
from metalens.restore.training.distributed import DistributedProcesses
from metalens.restore.training.loop import Draw, LoopSettings, Trainee, TrainingLoop
from metalens.restore.training.optimisation import Budget, Optimisation

STEPS = 8


class Weight(Trainee):
    """A weight that should become each step's number; a second one takes no part."""

    stage = "weight"
    latest_share = 0.1
    memory = "take fewer."

    def __init__(self, fails_at=()):
        self.model = nn.ParameterDict({"used": nn.Parameter(torch.zeros(1)), "unused": nn.Parameter(torch.ones(1))})
        self.fails_at = fails_at
        self.positions = []
        self.steps = []

    def optimisation(self, budget):
        return Optimisation(dict(self.model.named_parameters()), learning_rate=0.1, budget=budget, warm_up=1)

    def draw(self, position):
        self.positions.append(position)
        return Draw("any", [(torch.tensor([float(position)]),), (torch.tensor([position + 2.0]),)])

    def losses(self, kind, wanted):
        del kind
        error = (self.model["used"] - wanted).square().sum()
        return {"loss": error * (float("nan") if self.positions[-1] in self.fails_at else 1), "wanted": wanted.sum()}

    def stepped(self, step):
        self.steps.append(step)


def loop_of(trainee, folder, steps=STEPS, **settings):
    workplace = DistributedProcesses("cpu", "fp32")
    return TrainingLoop(trainee, Budget(steps=steps), workplace, LoopSettings(folder / CHECKPOINT, **settings))


def run(trainee, folder, *, resume=False, report=lambda share, figures: None, **settings):
    loop = loop_of(trainee, folder, **settings)
    loop.run(resume=resume, report=report)
    return loop


def test_a_step_has_the_mean_gradient_of_its_batches_and_none_of_the_step_before(tmp_path):
    trainee = Weight()
    loop = loop_of(trainee, tmp_path)
    for position in range(3):
        before = trainee.model["used"].item()
        step = loop.step()
        # d/dw of the mean of (w - p)² and (w - p - 2)².
        assert step.gradient_norm == pytest.approx(abs(2 * (before - position - 1)), rel=1e-6)
        assert step.figures["wanted"] == position + 1
    assert trainee.model["unused"].grad is None
    assert trainee.model["unused"].item() == 1


def test_a_step_that_is_not_finite_changes_nothing_and_uses_its_crops(tmp_path):
    trainee = Weight(fails_at=(2, 3))
    loop = run(trainee, tmp_path)
    assert [step.position for step in trainee.steps] == [0, 1, 4, 5, 6, 7, 8, 9]
    assert [step.number for step in trainee.steps] == list(range(STEPS))
    assert loop.skipped.total == 2
    assert torch.isfinite(trainee.model["used"]).all()


@pytest.mark.parametrize(
    ("fails_at", "message"),
    [
        (range(3, 30), "11 training steps in a row gave NaN or infinity and were skipped"),
        (range(0, 90, 3), "17 of 50 training steps gave NaN or infinity and were skipped"),
    ],
)
def test_steps_that_are_not_finite_end_a_training_when_they_persist(tmp_path, fails_at, message):
    with pytest.raises(InputError, match=message):
        run(Weight(fails_at), tmp_path, steps=100)


@pytest.mark.parametrize("stopped_at", [1, 4, 7])
def test_a_stopped_training_goes_on_to_the_same_weights_figures_and_skips(tmp_path, stopped_at):
    def stop(share, figures):
        if share >= stopped_at / STEPS:
            raise KeyboardInterrupt

    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole, parts = Weight((2, 5)), Weight((2, 5))
    undisturbed = run(whole, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(Weight((2, 5)), tmp_path / "parts", report=stop)
    resumed = run(parts, tmp_path / "parts", resume=True)
    assert parts.steps[0].number == stopped_at
    assert torch.equal(parts.model["used"], whole.model["used"])
    assert resumed.smoothed == undisturbed.smoothed
    assert resumed.skipped == undisturbed.skipped


@pytest.mark.parametrize(
    ("extra", "total"),
    [({}, 0), ({"skipped": 3, "smoothed": {"loss": 1.0}, "seconds": 2.0}, 3)],
    ids=["prior", "method"],
)
def test_checkpoints_that_priors_and_methods_used_to_write_are_taken_up(tmp_path, extra, total):
    before = loop_of(Weight(), tmp_path)
    before.step()
    before.optimisation.save(tmp_path / CHECKPOINT, stage="weight", extra=extra)
    trainee = Weight()
    loop = run(trainee, tmp_path, resume=True)
    assert loop.skipped.total == total
    assert trainee.positions[0] == 1 + total


def test_a_checkpoint_with_garbled_counters_is_refused(tmp_path):
    loop_of(Weight(), tmp_path).optimisation.save(tmp_path / CHECKPOINT, stage="weight", extra={"skipped": {"all": 1}})
    with pytest.raises(InputError, match=r"checkpoint\.safetensors: lacks or garbles .*start anew in another folder"):
        run(Weight(), tmp_path, resume=True)


def test_a_training_that_has_more_steps_than_are_asked_for_is_refused(tmp_path):
    run(Weight(), tmp_path, steps=3)
    with pytest.raises(InputError, match=r"3 steps are done already, more than the 2 .*; ask for 3 to end there"):
        run(Weight(), tmp_path, steps=2, resume=True)


def test_time_is_counted_until_training_ends_and_not_while_a_checkpoint_lies(tmp_path):
    ended = run(Weight(), tmp_path).optimisation
    assert ended.seconds == ended.seconds > 0
    again = run(Weight(), tmp_path, resume=True).optimisation
    assert again.seconds == ended.seconds
