"""Which cheap measure of a camera predicts its restored photographs: rank correlation over cameras that differ.

    python benchmarks/predicting_photographs.py photos/ runs/ [lens.toml ...]
    python benchmarks/predicting_photographs.py photos/ runs/ --only metacamera my-lens.toml

For each camera: its bank, captures of the photographs, and the mean PSNR that the joint Wiener filter restores.
Beside it stand the measures that a design could follow, each from the bank alone. All cameras of the comparison have
the metacamera's sensor and white level, so that a smaller aperture is exposed longer. ``--only`` leaves them out.
Banks and captures that lie in the folder are kept.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import spearmanr

from metalens.formats.camera.camera import Camera, read_camera, write_camera
from metalens.formats.camera.sensor_noise import noise_variance
from metalens.formats.pairs.reader import read_pairs
from metalens.formats.pictures.photograph_statistics import photograph_statistics
from metalens.formats.pictures.scene import linear_to_srgb
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.psf.restoration_error import image_errors, joint_errors
from metalens.restore.deconvolution.joint_wiener import wiener_joint
from metalens.restore.deconvolution.wiener import balanced_functions, tile_weights
from metalens.restore.metrics.measures import ZONES, psnr, psnr_by_zone

NOISE_SCALE = 10.0
"""Of the joint filter that restores the photographs."""

GREYS = (0.03, 0.1, 0.3, 0.7)
GREY = 0.2


def textbook(aperture: float, focal: float = 900.0, nanometres: float = 532.0) -> Camera:
    """A hyperbolic lens, lengths in micrometres."""
    phase = {"family": "hyperbolic", "wavelength_nm": nanometres}
    return read_camera("metacamera").with_(lens={"aperture_um": aperture, "focal_length_um": focal, "phase": phase})


def stopped(diameter: float, length: float = 600.0) -> Camera:
    """A quadratic lens behind a stop on glass; focal length and glass have one length, in micrometres."""
    phase = {"family": "quadratic", "wavelength_nm": 532.0}
    return read_camera("metacamera").with_(
        lens={
            "aperture_um": 2 * length,
            "focal_length_um": length,
            "phase": phase,
            "stop": {"diameter_um": diameter, "distance_um": 0.0},
            "substrate": {"thickness_um": length, "index": 1.4607},
        }
    )


def cameras() -> dict[str, Camera]:
    """Cameras that differ, by name."""
    return {
        "metacamera": read_camera("metacamera"),
        "metacamera-200um": read_camera("metacamera-200um"),
        "metacamera-200um, 150 µm": read_camera("metacamera-200um").with_(lens={"aperture_um": 150.0}),
        **{f"hyperbolic, {side} µm": textbook(side) for side in (60, 75, 100, 150, 200)},
        "hyperbolic, 150 µm for 500 nm": textbook(150, nanometres=500.0),
        "hyperbolic, 120 µm, f = 700 µm": textbook(120, 700.0),
        "stop of 150 µm": stopped(150),
        "stop of 100 µm": stopped(100),
    }


def srgb_of(light: float) -> float:
    """Encoded value of linear light."""
    return float(linear_to_srgb(np.float64(light)))


def metalens(*arguments: object) -> None:
    """Run a command line's command."""
    subprocess.run([sys.executable, "-m", "metalens.cli", *map(str, arguments)], check=True)


def measures(bank: PsfBank) -> dict[str, float]:
    """Expected PSNR in dB of linear light by each measure, the fields weighted by their share of the sensor."""
    axes = zip((bank.field_y, bank.field_x), bank.camera.sensor.pixels, strict=True)
    share_y, share_x = (tile_weights(nodes, bank.pixel_pitch, count).sum(axis=1) for nodes, count in axes)
    share = np.outer(share_y, share_x).ravel() / (share_y.sum() * share_x.sum())
    # All cameras are symmetric: nodes at one distance from the axis have the same function, turned.
    distance = np.linalg.norm(bank.position, axis=1).round(9)
    _, first, which = np.unique(distance, return_index=True, return_inverse=True)
    share = np.bincount(which, weights=share)
    functions = jnp.asarray(balanced_functions(bank)[first])
    sensor, statistics = bank.camera.sensor, photograph_statistics()
    noise = jnp.asarray(noise_variance(sensor, GREY))

    def joint(scale: float, grey: float = GREY) -> jax.Array:
        return joint_errors(functions, jnp.asarray(scale * noise_variance(sensor, grey)), statistics)

    def displayed(scale: float) -> jax.Array:
        """Error of the encoded picture: that of the light times the squared slope of the curve, over several greys."""
        slopes = [(srgb_of(grey + 1e-3) - srgb_of(grey - 1e-3)) / 2e-3 for grey in GREYS]
        return sum(slope**2 * joint(scale, grey) for slope, grey in zip(slopes, GREYS, strict=True)) / len(GREYS)

    found = {
        "captured": image_errors(functions, noise)[0],
        "separate, noise × 1": joint_errors(functions, noise, statistics.separate()),
        "separate, noise × 10": joint_errors(functions, 10 * noise, statistics.separate()),
        "joint, noise × 1": joint(1.0),
        "joint, noise × 10": joint(10.0),
        "joint, noise × 30": joint(30.0),
        "display, noise × 10": displayed(10.0),
    }
    errors = {name: np.asarray(values).mean(axis=-1) for name, values in found.items()}
    return {name: float(-10 * np.log10(share @ values)) for name, values in errors.items()}


class Photographed(NamedTuple):
    """What a camera is worth.

    Attributes:
        measures: expected PSNR in dB by each measure.
        captured: mean PSNR of its captures.
        restored: mean PSNR of the restored photographs.
        zones: the same, zone by zone.
    """

    measures: dict[str, float]
    captured: float
    restored: float
    zones: dict[str, float]


def photographed(folder: Path, photographs: str, name: str, camera: Camera) -> Photographed:
    """Simulate a camera, photograph with it, restore by the joint filter.

    Args:
        folder: keeps bank and captures.
        photographs: their folder.
        name: of the camera within the folder.
        camera: the camera.
    """
    lens, psf, pairs = folder / f"{name}.toml", folder / f"{name}.h5", folder / f"{name} pairs"
    if not psf.is_file():
        write_camera(lens, camera)
        metalens("psf", lens, "-o", psf)
    if not pairs.is_dir():
        metalens("synth", photographs, "--whole", "-o", pairs, "--psf", psf, "--seed", 1)
    bank, opened = read_psf_bank(psf), read_pairs(pairs)
    shots = [opened[number] for number in range(len(opened))]
    restored = [(clean, wiener_joint(shot, bank, NOISE_SCALE)) for clean, shot in shots]
    by_zone = [psnr_by_zone(*pair) for pair in restored]
    return Photographed(
        measures(bank),
        captured=float(np.mean([psnr(*shot) for shot in shots])),
        restored=float(np.mean([psnr(*pair) for pair in restored])),
        zones={zone: float(np.mean([each[zone] for each in by_zone])) for zone in ZONES},
    )


def main() -> None:
    """Measure, photograph, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs")
    parser.add_argument("folder", type=Path)
    parser.add_argument("lenses", nargs="*")
    parser.add_argument("--only", action="store_true", help="leave out the cameras of the comparison")
    asked = parser.parse_intermixed_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    all_cameras = {} if asked.only else cameras()
    all_cameras |= {Path(lens).stem: read_camera(lens) for lens in asked.lenses}
    rows = {name: photographed(asked.folder, asked.photographs, name, each) for name, each in all_cameras.items()}
    names = list(next(iter(rows.values())).measures)
    print(f"| camera | captured, dB | restored, dB | {' / '.join(ZONES)} |", " | ".join(names), "|")
    print("| --- | --- | --- | --- |", " | ".join(["---"] * len(names)), "|")
    for camera, row in sorted(rows.items(), key=lambda each: -each[1].restored):
        zones = " / ".join(f"{row.zones[zone]:.1f}" for zone in ZONES)
        told = " | ".join(f"{row.measures[each]:.2f}" for each in names)
        print(f"| {camera} | {row.captured:.2f} | {row.restored:.2f} | {zones} | {told} |")
    if len(rows) > 2:
        restored = [row.restored for row in rows.values()]
        order = {each: spearmanr([row.measures[each] for row in rows.values()], restored).statistic for each in names}
        print("| rank correlation | | | |", " | ".join(f"{value:.2f}" for value in order.values()), "|")


if __name__ == "__main__":
    main()
