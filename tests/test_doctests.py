"""The examples in the docstrings are true.

``pytest --doctest-modules`` would import every module a second time under another name, because the package lies
in the repository's root; so the modules are walked by their real names.
"""

import doctest
import importlib
import pkgutil

import pytest

import metalens

WALKED = (module.name for module in pkgutil.walk_packages(metalens.__path__, "metalens."))
MODULES = ["metalens", *sorted(name for name in WALKED if name != "metalens.setup")]
"""``setup.py`` lies in the same folder and is no part of the package."""


def test_the_walk_reaches_every_stage():
    assert {
        "metalens.cli",
        "metalens.formats.camera.camera",
        "metalens.psf.bank",
        "metalens.restore.training.train",
    } <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0
