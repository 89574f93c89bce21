"""The lens of a search is drawn however bad it is."""

import asyncio

import numpy as np

from metalens.formats.camera.camera import read_camera, write_camera
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.psf.external_bank import bank_of_functions


def test_field_angles_are_those_in_front_of_the_glass(studio, project):
    """A surface of the power φ at the distance t in glass divides the sine behind the metasurface by 1 − tφ/n."""
    curved = {"radius_of_curvature_um": 110.0, "thickness_um": 40.0, "clear_diameter_um": 80.0, "index": 1.5}
    camera = read_camera("hyperbolic").with_(
        lens={"aperture_um": 40, "focal_length_um": 180, "surfaces": [curved]},
        sensor={"pixels": (32, 32), "pixel_pitch_um": 1},
    )
    position = 1e-6 * np.array([[0.0, 0.0], [6.0, 8.0]])
    bank = bank_of_functions(camera, np.ones((2, 3, 9, 9)), position, layout="scattered", provenance={})
    write_psf_bank(project.folder / "psf.h5", bank)
    found = asyncio.run(studio.simulating.ask({"do": "draw", "bank": "psf.h5"}))
    behind = np.sin(np.arctan(10.0 / 180.0))
    expected = np.degrees(np.arcsin(behind * (1 - 40.0 * 0.5 / 110.0 / 1.5)))
    np.testing.assert_allclose(found["field_deg"], [0, expected], rtol=2e-3, atol=1e-3)


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
