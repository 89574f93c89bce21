"""
A photograph restored, with and without networks
================================================

The embedded adapter beside the linear filter over all colours, which knows the same point spread functions.
"""

import matplotlib.pyplot as plt
import numpy as np

import metalens
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.pictures.resizing import scene_from_picture
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.restore.deconvolution.joint_wiener import wiener_joint
from metalens.restore.metrics.measures import psnr
from metalens.synth import photograph_scene, simulated_camera
from metalens.synth.photograph_sources import photographs_of

camera = metalens.read_camera("metacamera")
bank = metalens.simulate_bank(camera, fields=(3, 3), wavelengths_per_channel=1)
scene = scene_from_picture(read_picture(photographs_of("embedded:held-out")[0].path), camera.sensor.pixels)
clean = to_8_bit(linear_to_srgb(scene))
captured = photograph_scene(simulated_camera(bank), scene, np.random.default_rng(0))
pictures = {
    "captured": captured,
    "joint Wiener filter": wiener_joint(captured, bank, noise_scale=10.0),
    "restored": metalens.restore(captured, "metacamera"),
}

figure, panels = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
for axes, (title, picture) in zip(panels, pictures.items(), strict=True):
    axes.imshow(picture[100:300, 100:300])
    axes.set_title(f"{title}, {psnr(clean, picture):.1f} dB")
    axes.axis("off")
plt.show()
