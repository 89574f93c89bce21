"""
A photograph through a metalens
===============================

Each point of the scene is spread by the function of its place; then come the sensor's mosaic, noise and steps.
"""

import matplotlib.pyplot as plt
import numpy as np

import metalens
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.pictures.resizing import scene_from_picture
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.synth import photograph_scene, simulated_camera
from metalens.synth.photograph_sources import photographs_of

camera = metalens.read_camera("metacamera")
bank = metalens.simulate_bank(camera, fields=(3, 3), wavelengths_per_channel=1)
photograph = photographs_of("embedded:held-out")[0]
scene = scene_from_picture(read_picture(photograph.path), camera.sensor.pixels)
captured = photograph_scene(simulated_camera(bank), scene, np.random.default_rng(0))

figure, panels = plt.subplots(1, 2, figsize=(8, 4.2), layout="constrained")
pictures = {"scene": to_8_bit(linear_to_srgb(scene)), "captured": captured}
for axes, (title, picture) in zip(panels, pictures.items(), strict=True):
    axes.imshow(picture)
    axes.set_title(title)
    axes.axis("off")
figure.supxlabel(f"{photograph.name}: {photograph.credit} ({photograph.licence})", fontsize=7)
plt.show()
