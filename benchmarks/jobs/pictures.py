"""Pictures: blur beside one convolution, a pair of a training set, one restoration, and another α of it."""

from __future__ import annotations

from functools import partial

import numpy as np
from blur import one_convolution
from measuring.job import Beside, Job, Task

import metalens
from metalens.formats.psf.bank import PsfBank
from metalens.restore.inference.restoration import Settings, decode, latents_of
from metalens.synth.blur import blur, shift_variant_blur
from metalens.synth.generate import photograph_scene, simulated_camera
from metalens.workflows.capture import simulate_capture

PHOTOGRAPH = "embedded:coffee"


def bank() -> PsfBank:
    return metalens.simulate_bank(metalens.read_camera("metacamera"), fields=(7, 7))


def scene_of(pixels: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).random((*pixels, 3), dtype=np.float32)


def blurred() -> Task:
    found = bank()
    operator, scene = shift_variant_blur(found), scene_of(found.camera.sensor.pixels)
    return lambda: np.asarray(blur(operator, scene))


def convolved() -> Task:
    """One function of each colour for the whole picture."""
    found = bank()
    return partial(
        one_convolution(found.intensity[0], found.camera.sensor.pixels), scene_of(found.camera.sensor.pixels)
    )


def captured() -> Task:
    """Scene to capture: blur, exposure, noise, development; the operator of the blur is there."""
    found = bank()
    camera, random = simulated_camera(found), np.random.default_rng(0)
    return partial(photograph_scene, camera, scene_of(found.camera.sensor.pixels), random)


def restored() -> Task:
    restorer, capture = metalens.load_restorer("metacamera"), simulate_capture(PHOTOGRAPH, bank())[1]
    return partial(metalens.restore, capture, restorer)


def another_alpha() -> Task:
    restorer, capture = metalens.load_restorer("metacamera"), simulate_capture(PHOTOGRAPH, bank())[1]
    latents = latents_of(restorer, capture, Settings())
    return partial(decode, restorer, latents, 1.0)


ONE = Beside("one convolution", convolved)

JOBS = {
    "blur of 400²": Job(blurred, ONE),
    "capture of 400²": Job(captured, ONE),
    "restore 400², one α": Job(restored),
    "another α of 400²": Job(another_alpha),
}
