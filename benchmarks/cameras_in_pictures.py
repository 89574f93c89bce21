"""One photograph through several cameras: scene, capture, joint Wiener filter, restored by the embedded adapter.

``python benchmarks/cameras_in_pictures.py OUT.jpg [--photograph FILE] [--cameras metacamera-200um metacamera …]``. The
photograph is a held-out embedded one unless another file is given. Point spread functions are those of ``metalens psf
CAMERA``. Below each picture stands its PSNR in dB, and a part of the picture is enlarged.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from measuring import machine

import metalens
from metalens.formats.drawing.style import panels, save_figure

CAMERAS = ("metacamera-200um", "metacamera", "multi-order", "wide-field-multi-order")
TITLES = ("scene", "captured", "joint Wiener filter", "restored, α = 0.75")
PART = 96
"""Side of the part that is enlarged, in pixels."""


def through(camera: str, photograph: str) -> tuple[list[np.ndarray], list[float]]:
    """The four pictures, and the PSNR of the last three."""
    bank = metalens.simulate_bank(metalens.read_camera(camera))
    scene, captured = metalens.simulate_capture(photograph, bank)
    pictures = [captured, metalens.wiener_joint(captured, bank), metalens.restore(captured, bank=bank)]
    return [scene, *pictures], [metalens.psnr(scene, each) for each in pictures]


def figure_of(found: dict[str, tuple[list[np.ndarray], list[float]]], place: tuple[int, int]) -> Figure:
    figure, axes = panels(1.95 * len(found), len(found), len(TITLES), grid=None, squeeze=False)
    y, x = place
    for row, (camera, (pictures, decibels)) in zip(axes, found.items(), strict=True):
        for each, picture, title, value in zip(row, pictures, TITLES, [None, *decibels], strict=True):
            each.imshow(picture, interpolation="nearest")
            each.set(xticks=[], yticks=[], title=title if camera == next(iter(found)) else "")
            inset = each.inset_axes((0.5, 0.0, 0.5, 0.5))
            inset.imshow(picture[y : y + PART, x : x + PART], interpolation="nearest")
            inset.set(xticks=[], yticks=[])
            each.set_xlabel("" if value is None else f"{value:.2f} dB")
        row[0].set_ylabel(camera)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="PNG or JPEG to write")
    parser.add_argument("--photograph", default="embedded:coffee")
    parser.add_argument("--cameras", nargs="+", default=list(CAMERAS))
    parser.add_argument("--place", type=int, nargs=2, default=(20, 20), help="row and column of the enlarged part")
    chosen = parser.parse_args()
    print(machine())
    found = {}
    for camera in chosen.cameras:
        found[camera] = through(camera, chosen.photograph)
        print(f"| {camera} | " + " | ".join(f"{value:.2f}" for value in found[camera][1]) + " |", flush=True)
    draw = partial(figure_of, found, tuple(chosen.place))
    save_figure(chosen.output.parent, chosen.output.stem, draw, {chosen.output.suffix[1:]: 150})


if __name__ == "__main__":
    main()
