"""The lens of a search is drawn however bad it is."""

import asyncio

import numpy as np

from metalens.formats.camera.camera import read_camera, write_camera


def test_a_lens_whose_light_leaves_the_window_is_drawn(studio, project):
    camera = read_camera("hyperbolic").with_(
        lens={"aperture_um": 60, "focal_length_um": 120, "defocus_um": 60},
        sensor={"pixels": (64, 64), "pixel_pitch_um": 1},
    )
    write_camera(project.part("designs") / "bad.toml", camera)
    request = {
        "do": "design",
        "spec": "metalens-app/specifications/bad.toml",
        "output": "metalens-app/designs/bad.toml",
    }
    found = asyncio.run(studio.simulating.ask(request))
    with np.load(project.folder / found["arrays"]) as arrays:
        functions, radius, phase = arrays["functions"], arrays["radius"], arrays["phase"]
    assert functions.shape == (2, 3, 33, 33)
    assert functions.sum(axis=(-1, -2)).min() < 0.9
    assert radius.shape == phase.shape
