"""Error of interpolation between a bank's field nodes: told, estimated from the nodes, and against far more of them.

    python benchmarks/field_nodes.py LENS…

Each LENS is a preset or a lens.toml. The true error is that of a natural scene's image, by functions at 24 × 24 places
of the sensor against those of 37 radii, or, of a lens without symmetry, of a grid three times as fine as 7 × 7. Told is
what metalens psf measures when it chooses the nodes; estimated is what a blur reports of any bank. Banks have three
wavelengths a channel and windows of equal size.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import PsfBank
from metalens.psf.bank import simulate_bank
from metalens.psf.interpolation.functions import field_functions
from metalens.psf.interpolation.natural_scenes import scene_error_power, scene_power
from metalens.psf.node_count import bank_node_error

WAVELENGTHS = 3
"""In each channel."""

PLACES = 24
"""Along each side of the sensor, evenly: errors grow in the corners, and a few random places miss their share."""


def true_error(bank: PsfBank, exact: PsfBank) -> float:
    """Root mean square error of a natural scene's image, of values in 0..1."""
    known = field_functions(exact, None)
    sides = bank.pixel_pitch * np.array(bank.camera.sensor.pixels)
    along = (np.arange(PLACES) + 0.5) / PLACES - 0.5
    position = np.stack([each.ravel() for each in np.meshgrid(along, along, indexing="ij")], axis=1) * sides
    found, scene = field_functions(bank, known.registered), scene_power(known.kernel)
    powers = []
    for part in np.array_split(position, PLACES):
        differences = found.at(part) - known.at(part)
        powers.append(scene_error_power(differences.reshape(-1, *known.kernel), scene))
    return float(np.sqrt(np.mean(powers)))


def main() -> None:
    """Print a table row for each lens and layout."""
    print("| lens | nodes | true, dB | told, dB | estimated, dB |\n| --- | --- | --- | --- | --- |")
    for name in sys.argv[1:]:
        camera = read_camera(name)
        layouts: list[dict[str, Any]] = [{}, {"fields": (7, 7)}, {"fields": (13, 13)}, {"radii": 10}]
        try:
            exact = simulate_bank(camera, radii=37, wavelengths_per_channel=WAVELENGTHS)
        except InputError:  # not rotationally symmetric
            exact = simulate_bank(camera, fields=(19, 19), wavelengths_per_channel=WAVELENGTHS)
            layouts = [{}, {"fields": (7, 7)}, {"fields": (10, 10)}]
        window = (exact.intensity.shape[-2], exact.intensity.shape[-1])
        for layout in layouts:
            bank = simulate_bank(camera, **layout, wavelengths_per_channel=WAVELENGTHS, window=window)
            true, estimated = (-20 * np.log10(error) for error in (true_error(bank, exact), bank_node_error(bank)))
            told = bank.provenance.get("node_error")
            said = "" if told is None else f"{-20 * np.log10(float(told)):.1f}"
            nodes = f"{len(bank.position)} radii" if bank.layout == "radial" else "{0} × {0}".format(len(bank.field_y))
            nodes += " by default" if not layout else ""
            print(f"| {camera.name} | {nodes} | {true:.1f} | {said} | {estimated:.1f} |", flush=True)


if __name__ == "__main__":
    main()
