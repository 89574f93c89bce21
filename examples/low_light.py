"""
The same scene in less light
============================

A white scene fills 85 %, 10 % and 2 % of the pixels' full well: the noise grows, the blur stays. A camera is changed
by the keys of its ``lens.toml``.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import metalens
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.pictures.resizing import scene_from_picture
from metalens.synth import photograph_scene, simulated_camera
from metalens.synth.photograph_sources import photographs_of

camera = metalens.read_camera("metacamera").with_(sensor={"pixels": (200, 200)})
bank = metalens.simulate_bank(camera, fields=(3, 3), wavelengths_per_channel=1)
scene = scene_from_picture(read_picture(photographs_of("embedded:held-out")[0].path), camera.sensor.pixels)
figure, panels = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
for axes, level in zip(panels, (0.85, 0.1, 0.02), strict=True):
    darker = replace(bank, camera=camera.with_(sensor={"white_level": level}))
    axes.imshow(photograph_scene(simulated_camera(darker), scene, np.random.default_rng(0)))
    axes.set_title(f"{level:.0%} of the full well")
    axes.axis("off")
plt.show()
