"""MTF50 of slanted edges, as captured and after the joint Wiener filter, for lenses of one sensor.

python benchmarks/edge_sharpness.py metacamera metacamera-200um my-lens.toml
"""

from __future__ import annotations

import sys

import numpy as np

from metalens.formats.camera.camera import read_camera
from metalens.formats.pictures.resizing import scene_from_picture
from metalens.psf import simulate_bank
from metalens.restore.deconvolution.joint_wiener import wiener_joint
from metalens.restore.metrics.edge_chart import edge_chart
from metalens.restore.metrics.slanted_edge import resolution
from metalens.synth import photograph_scene, simulated_camera

NOISE_SCALE = 10.0


def main() -> None:
    """Photograph the chart with each lens."""
    print("| lens | picture | whole | centre | middle | edge |\n| --- | --- | --- | --- | --- | --- |")
    for source in sys.argv[1:]:
        camera = read_camera(source)
        bank = simulate_bank(camera)
        pixels = camera.sensor.pixels
        scene = scene_from_picture(edge_chart(pixels), pixels)
        captured = photograph_scene(simulated_camera(bank), scene, np.random.default_rng(1))
        for name, picture in (("captured", captured), ("restored", wiener_joint(captured, bank, NOISE_SCALE))):
            found = resolution(picture)
            row = " | ".join(f"{found.get(zone, float('nan')):.3f}" for zone in ("whole", "centre", "middle", "edge"))
            print(f"| {source} | {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
