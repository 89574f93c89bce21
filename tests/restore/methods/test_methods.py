"""Every method behind the one interface: it describes itself, is fitted, and restores; the same each time."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.restore.inference.capture import Capture
from metalens.restore.methods import METHODS, load_method
from metalens.restore.metrics.measures import psnr

# The large SwinIR is the small one with other numbers.
QUICK = [name for name in METHODS if name != "swinir"]
CHOOSING = ("wiener-whole", "wiener-tiled", "wiener-joint", "richardson-lucy")
LEARNING = [name for name in QUICK if name not in CHOOSING]


SLOW = ("dmdiff-global", "seesr-style")
"""The first is another form of Q; how the second learns and samples is in test_diffusion.py."""


@pytest.mark.parametrize("name", [pytest.param(each, marks=[pytest.mark.long] * (each in SLOW)) for each in QUICK])
def test_a_method_describes_itself_is_fitted_and_restores(name, training, pairs):
    method = load_method(name)
    fitted = method.fit(training())
    captured = pairs[0][1]
    restored = fitted.restore(Capture(captured), method.describe.variants)
    assert tuple(restored) == method.describe.variants
    for picture in restored.values():
        assert picture.shape == captured.shape
        assert picture.dtype == np.uint8
    assert method.describe.title
    assert method.describe.reference
    assert method.describe.differs
    assert (fitted.trainable > 0) == method.describe.learns == (name in LEARNING)
    assert fitted.parameters >= fitted.trainable


def test_a_method_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="--methods magic: no such method; expected some of wiener-whole, "):
        load_method("magic")


def quick_with(names, quick):
    """Of many methods one runs in ``make test``; the others show the same of theirs, each in seconds."""
    return [pytest.param(name, marks=[pytest.mark.long] * (name != quick)) for name in names]


@pytest.mark.parametrize("name", quick_with(LEARNING, "psf-aware"))
def test_a_method_trains_in_reduced_precision(name, training):
    fitted = load_method(name).fit(training(precision="bf16"))
    assert fitted.steps == 1
    losses = fitted.chosen["last_losses"]
    assert losses
    assert all(np.isfinite(value) for value in losses.values())


@pytest.mark.parametrize("name", quick_with(["psf-aware", "osediff", "dmdiff-local"], "psf-aware"))
def test_reduced_precision_restores_nearly_the_same_picture(name, training, pairs):
    capture, variants = Capture(pairs[0][1]), load_method(name).describe.variants[-1:]
    made = []
    for precision in ("fp32", "bf16"):
        folder = training().folder / precision
        folder.mkdir()
        fitted = load_method(name).fit(training(precision=precision, folder=folder))
        made.append(fitted.restore(capture, variants)[variants[0]])
    assert np.any(made[0] != made[1])
    assert psnr(*made) > 30


def test_a_method_without_its_package_is_named_with_it(monkeypatch):
    for module in [name for name in sys.modules if name.startswith("spandrel")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "spandrel", None)
    monkeypatch.delitem(sys.modules, "metalens.restore.methods.swinir", raising=False)
    with pytest.raises(InputError, match=r"run `pip install 'metalens\[bench\]'`, or leave the method out"):
        load_method("swinir")
