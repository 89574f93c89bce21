"""How many field nodes a bank needs: PSNR of blurred images against those of many radii.

    python benchmarks/field_nodes.py LENS…

Each LENS is a preset or a lens.toml, rotationally symmetric. The scene is noise of a natural spectrum in 0..1; banks
have three wavelengths a channel and windows of equal size. 37 radii stand for the exact functions; what all banks
have in common, such as rotation on sub-pixels, is not seen.
"""

from __future__ import annotations

import sys

import numpy as np

from metalens.formats.camera.camera import read_camera
from metalens.formats.psf.bank import PsfBank
from metalens.psf.bank import simulate_bank
from metalens.synth.blur import BlurSettings, blur, shift_variant_blur

MANY_RADII = 37
TOLERANCE = 3e-4
"""Of the blur itself, 70 dB, so that the nodes' error is seen."""


def natural_noise(pixels: tuple[int, int]) -> np.ndarray:
    """Grey noise ``[y, x, 3]`` in 0..1 whose amplitudes fall as 1/frequency."""
    frequency = np.hypot(np.fft.fftfreq(pixels[0])[:, None], np.fft.fftfreq(pixels[1]))
    frequency[0, 0] = 1
    noise = np.random.default_rng(0).normal(size=pixels)
    scene = np.fft.ifft2(np.fft.fft2(noise) / frequency).real
    scene = (scene - scene.min()) / np.ptp(scene)
    return np.repeat(scene[..., None], 3, axis=2).astype(np.float32)


def image_of(bank: PsfBank, scene: np.ndarray) -> tuple[np.ndarray, float]:
    """The blurred scene, and the change of leaving out every second node."""
    operator = shift_variant_blur(bank, BlurSettings(tolerance=TOLERANCE))
    return np.asarray(blur(operator, scene)), operator.report.node_change


def main() -> None:
    """Print a table row for each lens and layout."""
    print("| lens | nodes | PSNR, dB | change of every second node |\n| --- | --- | --- | --- |")
    for name in sys.argv[1:]:
        camera = read_camera(name)
        exact = simulate_bank(camera, radii=MANY_RADII, wavelengths_per_channel=3)
        window = (exact.intensity.shape[-2], exact.intensity.shape[-1])
        scene = natural_noise(camera.sensor.pixels)
        expected, _ = image_of(exact, scene)
        grid = simulate_bank(camera, wavelengths_per_channel=3, window=window)
        banks = {"7 × 7": grid}
        for radii in (10, 17):
            banks[f"{radii} radii"] = simulate_bank(camera, radii=radii, wavelengths_per_channel=3, window=window)
        for nodes, bank in banks.items():
            found, change = image_of(bank, scene)
            error = np.mean(np.square(found - expected))
            print(f"| {camera.name} | {nodes} | {-10 * np.log10(error):.1f} | {change:.1e} |", flush=True)


if __name__ == "__main__":
    main()
