"""What ``metalens restore --steady`` does to a sequence: flicker of a scene that stands still, error of one that moves.

    python benchmarks/steadying.py

A held-out embedded photograph is captured by the metacamera in consecutive shots, each with its own noise: at rest, and
panned by one and by four pixels a frame. Printed are the flicker in 1/255 of captures and of frames restored at
α = 0.75, and the mean PSNR of all frames but the first, which nothing steadies.
"""

from __future__ import annotations

import argparse

import numpy as np

from metalens.formats.pictures.pictures import read_picture
from metalens.formats.pictures.resizing import scene_from_picture
from metalens.formats.pictures.scene import display_values, linear_to_srgb
from metalens.restore.adapter.adapter_file import load_restorer
from metalens.restore.inference.restoration import Settings, decode_values, latents_of
from metalens.restore.inference.steadying import SteadyFrame, steadied
from metalens.restore.metrics.flicker import flicker
from metalens.restore.metrics.measures import psnr
from metalens.synth import photograph_scene, simulated_camera
from metalens.synth.photograph_sources import photographs_of

SPEEDS = (0, 1, 4)
"""Pixels a frame."""


def main() -> None:
    """Print a row for each speed and share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--shares", default="0,0.5,0.7")
    parser.add_argument("--part", type=int, default=400, help="side of the middle of the frame that is restored")
    given = parser.parse_args()
    restorer = load_restorer("metacamera")
    bank, sensor = restorer.bank, restorer.camera.sensor
    assert bank is not None
    camera = simulated_camera(bank)
    scene = scene_from_picture(read_picture(photographs_of("embedded:held-out")[0].path), sensor.pixels)
    first = (sensor.pixels[0] - given.part) // 2
    middle = (slice(first, first + given.part), slice(first, first + given.part))
    print("px a frame  share  flicker captured  restored  PSNR dB")
    for speed in SPEEDS:
        scenes = [np.roll(scene, speed * number, axis=1) for number in range(given.frames)]
        shots = [photograph_scene(camera, each, np.random.default_rng(seed)) for seed, each in enumerate(scenes)]
        shots, scenes = ([each[middle] for each in found] for found in (shots, scenes))
        latents = [latents_of(restorer, shot, Settings(place=(first, first))) for shot in shots]
        before = flicker(map(display_values, shots))
        for share in map(float, given.shares.split(",")):
            restored, previous = [], None
            for shot, found in zip(shots, latents, strict=True):
                if previous is not None:
                    found = steadied(shot, found, previous, share, sensor, restorer.prior.latent_stride)
                previous = SteadyFrame(shot, found)
                restored.append(decode_values(restorer, found, 0.75))
            errors = [psnr(linear_to_srgb(clean), made) for clean, made in zip(scenes[1:], restored[1:], strict=True)]
            print(
                f"{speed:10d}  {share:5.2f}  {255 * before:16.2f}  {255 * flicker(restored):8.2f}  "
                f"{np.mean(errors):7.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
