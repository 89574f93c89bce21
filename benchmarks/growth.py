"""How cost grows: processor time over aperture, window, fields, megapixels and pairs, with fitted exponents.

    python benchmarks/growth.py --plot docs/images/growth.png --json growth.json
    python benchmarks/growth.py --only aperture window

Every point is a process of its own, warm; the median of the turns counts. An exponent is the slope of a straight line
through the logarithms. Processor time counts, because other programs change it little. What more workers bring is
measured by ``benchmarks/synth.py workers``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measuring import machine
from measuring.job import Job, Task, measured

PITCH, GREEN = 0.5e-6, 532e-9


class Sweep(NamedTuple):
    """One quantity that grows.

    Attributes:
        label: of the axis.
        values: of the quantity.
        job: value → what is measured.
    """

    label: str
    values: tuple[float, ...]
    job: Callable[[float], Job]


def functions(aperture_mm: float = 0.5, window: int = 128, fields: int = 1) -> Task:
    """A hyperbolic lens at f/2, green light; one field at 10°, several from 0 to 20°."""
    from metalens.optics import Hyperbolic, Metalens
    from metalens.psf import psf_simulator

    length = 2e-3 * aperture_mm
    lens = Metalens(1e-3 * aperture_mm, length, Hyperbolic(length, GREEN))
    angles = np.radians([10.0] if fields == 1 else np.linspace(0, 20, fields)).tolist()
    return partial(psf_simulator(lens, [GREEN], angles, window=(window, window), pixel_pitch=PITCH), lens)


def blurred(megapixels: float) -> Task:
    """The shift-variant blur of a square scene by 5 × 5 functions of the metacamera, spread over its sensor."""
    from metalens.formats.camera.camera import read_camera
    from metalens.psf import simulate_bank
    from metalens.psf.external_bank import grid_bank_of_functions
    from metalens.synth.blur import blur, shift_variant_blur

    side = round(1e3 * megapixels**0.5)
    camera = read_camera("metacamera")
    functions = simulate_bank(camera, fields=(5, 5), wavelengths_per_channel=1, window=(31, 31)).intensity
    larger = camera.with_(sensor={"pixels": (side, side)})
    bank = grid_bank_of_functions(
        larger, functions.reshape(5, 5, *functions.shape[1:]), {"source": "spread metacamera"}
    )
    operator, scene = shift_variant_blur(bank), np.random.default_rng(0).random((side, side, 3), dtype=np.float32)
    return lambda: blur(operator, scene)


def pairs(count: int) -> Task:
    """Pairs of 128 × 128 pixels in one process; each call into a new folder."""
    import metalens

    folder = Path(tempfile.mkdtemp())
    bank = metalens.simulate_bank(metalens.read_camera("metacamera"), fields=(3, 3), window=(51, 51))
    metalens.write_bank(folder / "psf.h5", bank)
    numbers = iter(range(10**6))

    def run() -> None:
        output = folder / f"pairs-{next(numbers)}"
        metalens.generate_pairs("embedded:train", folder / "psf.h5", output, count=count, pixels=(128, 128))

    return run


SWEEPS = {
    "aperture": Sweep("aperture, mm (f/2)", (0.1, 0.2, 0.5, 1.0, 2.0, 4.0), lambda v: Job(partial(functions, v))),
    "window": Sweep(
        "window, samples a side", (32, 64, 128, 256, 512), lambda v: Job(partial(functions, window=int(v)))
    ),
    "fields": Sweep("fields in a batch", (1, 3, 10, 30), lambda v: Job(partial(functions, fields=int(v)))),
    "megapixels": Sweep("megapixels blurred", (0.0625, 0.25, 1.0, 4.0), lambda v: Job(partial(blurred, v))),
    "pairs": Sweep("pairs of 128 × 128", (16, 64, 256), lambda v: Job(partial(pairs, int(v)))),
}


def exponent(values: list[float], found: list[float]) -> float:
    """Slope of the straight line through the logarithms.

    Args:
        values: of what grows.
        found: of what was measured.
    """
    return float(np.polyfit(np.log(values), np.log(found), 1)[0])


def point(name: str, value: float, rounds: int) -> dict[str, Any]:
    """Measure one point in a process of its own; its last line is the answer."""
    command = [sys.executable, __file__, "--one", json.dumps([name, value]), "--rounds", str(rounds)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(run.stdout.splitlines()[-1]))


def plot(found: dict[str, dict[str, Any]], path: Path) -> None:
    """A picture for each sweep, with the fitted line."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    rows = -(-len(found) // 3)
    figure, axes = plt.subplots(rows, 3, figsize=(9, 2.7 * rows), layout="constrained", squeeze=False)
    for axis, (name, each) in zip(axes.flat, found.items(), strict=False):
        values, figures = each["values"], each["figures"]
        slope = each["exponent"]
        middle = np.exp(np.mean(np.log(figures)) - slope * np.mean(np.log(values)))
        axis.loglog(values, figures, "o", color="tab:blue")
        axis.loglog(values, middle * np.array(values) ** slope, color="tab:blue", linewidth=0.8)
        axis.set_title(f"exponent {slope:.2f}", fontsize=9)
        axis.set_xlabel(SWEEPS[name].label)
        axis.set_ylabel("processor ms")
        axis.set_xticks(values, [f"{value:g}" for value in values], minor=False)
        axis.xaxis.minorticks_off()
        axis.grid(alpha=0.3, which="both", linewidth=0.5)
    for axis in list(axes.flat)[len(found) :]:
        axis.remove()
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(SWEEPS), default=list(SWEEPS))
    parser.add_argument("--rounds", type=int, default=3, help="turns of which the medians count")
    parser.add_argument("--plot", type=Path, help="draw the sweeps into this picture")
    parser.add_argument("--json", type=Path, help="write the figures into this file; sweeps that it has are kept")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, value = json.loads(options.one)
        print(json.dumps(measured(SWEEPS[name].job(value), options.rounds)))
        return
    known = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    print(f"{machine()}; medians of {options.rounds} turns; {time.strftime('%Y-%m-%d')}\n", flush=True)
    found: dict[str, dict[str, Any]] = dict(known)
    for name in options.only:
        sweep = SWEEPS[name]
        print(f"| {sweep.label} | processor ms | MB |\n| --- | --- | --- |")
        rows = []
        for value in sweep.values:
            rows.append(point(name, value, options.rounds))
            print(f"| {value:g} | {1e3 * rows[-1]['processor_s']:.3g} | {rows[-1]['memory_mb']:.0f} |", flush=True)
        figures = [1e3 * float(row["processor_s"]) for row in rows]
        found[name] = {"values": sweep.values, "figures": figures, "exponent": exponent(list(sweep.values), figures)}
        print(f"\nexponent {found[name]['exponent']:.2f}\n", flush=True)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        plot({name: found[name] for name in SWEEPS if name in found}, options.plot)


if __name__ == "__main__":
    main()
