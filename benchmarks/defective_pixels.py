"""How well hot and dead pixels are found and filled: ``python benchmarks/defective_pixels.py``.

Eight embedded photographs, blurred by Gaussians, through the sensors of the metacamera and of the preset ov6946, the
second with defective pixels. Against the capture of the same sensor, with the same noise, without them.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from metalens.formats.camera.camera import read_camera
from metalens.formats.camera.sensor import Sensor
from metalens.formats.camera.sensor_preset import read_sensor_preset
from metalens.formats.pictures.defective_pixels import defective_pixels, fill_defective
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.pictures.resizing import scene_from_picture
from metalens.restore.metrics.measures import psnr
from metalens.synth.photograph_sources import photographs_of
from metalens.synth.sensor import develop, expose, exposure_for, fixed_pattern

WIDTHS = (1.0, 1.5, 2.0, 3.0)
"""Full widths at half maximum of the blur in pixels."""

DEFECTS = ("hot_pixel_share", "hot_pixel_e", "dead_pixel_share")


def capture(sensor: Sensor, light: np.ndarray) -> np.ndarray:
    """A capture ``[y, x, 3]``; the same random numbers for every sensor."""
    exposure = exposure_for(sensor)
    return develop(sensor, expose(sensor, light, exposure, np.random.default_rng(0)), exposure)


def main() -> None:
    """Print a row for each width."""
    table = read_sensor_preset("ov6946")
    plain, broken = read_camera("metacamera").sensor, Sensor.model_validate({**table, "pixels": tuple(table["pixels"])})
    sound = broken.model_copy(update=dict.fromkeys(DEFECTS))
    pattern = fixed_pattern(broken, broken.pixels)
    assert pattern.hot_e is not None
    assert pattern.dead is not None
    defective = (pattern.hot_e > 0) | pattern.dead
    sources = [*photographs_of(("embedded:held-out",)), *photographs_of(("embedded:train",))][:8]
    scenes = [scene_from_picture(read_picture(each.path), broken.pixels) for each in sources]
    print("width  mistakes plain  mistakes ov6946  found  of     captured dB  filled dB")
    for width in WIDTHS:
        deviation = width / 2.355
        rows = []
        for scene in scenes:
            light = gaussian_filter(scene, (deviation, deviation, 0))
            seen, reference = capture(broken, light), capture(sound, light)
            found = defective_pixels(broken, seen)
            mistakes = int(defective_pixels(plain, capture(plain, light)).sum()), int((found & ~defective).sum())
            decibels = psnr(reference, seen), psnr(reference, fill_defective(broken, seen))
            rows.append((*mistakes, int((found & defective).sum()), *decibels))
        plain_mistakes, mistakes, hits, before, after = np.mean(rows, axis=0)
        print(
            f"{width:5.1f}  {plain_mistakes:14.1f}  {mistakes:15.1f}  {hits:5.1f}  {defective.sum():2d}  "
            f"{before:11.1f}  {after:9.1f}"
        )


if __name__ == "__main__":
    main()
