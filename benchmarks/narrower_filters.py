"""What narrower filters, or a light with lines of its own, buy: expected and photographed, for the same lens.

    python benchmarks/narrower_filters.py photos/ runs/ metacamera [my-lens.toml ...]

Each camera takes the photographs with each spectrum; all are exposed until white fills the sensor's white level, so
that a narrow filter is exposed for longer. Banks and captures that lie in the folder are kept.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from predicting_photographs import photographed

from metalens.formats.camera.camera import read_camera

BANDS = {"red": (620.0, 30.0), "green": (530.0, 35.0), "blue": (455.0, 20.0)}
"""Centre and width in nm of the filters of ``metacamera``."""

LEDS = {"red": (625.0, 18.0), "green": (525.0, 33.0), "blue": (465.0, 22.0)}
"""Typical of InGaN and AlInGaP diodes, as their data sheets have them."""


def bands(widths: dict[str, tuple[float, float]], factor: float = 1.0) -> dict[str, Any]:
    """Table ``[spectrum]`` of Gaussian bands: widths times a factor."""
    channels = [
        {"name": name, "centre_nm": centre, "fwhm_nm": factor * width} for name, (centre, width) in widths.items()
    ]
    return {"wavelengths_per_channel": 9, "channels": channels}


def table(source: str) -> dict[str, Any]:
    """Table ``[spectrum]`` of a source before the sensor's own dyes; broad bands need more wavelengths."""
    return {"wavelengths_per_channel": 25, "source": source, "sensor": "generic_rgb", "range_nm": (420.0, 690.0)}


SPECTRA = {
    "filters of the metacamera": bands(BANDS),
    "filters half as wide": bands(BANDS, 0.5),
    "filters a quarter as wide": bands(BANDS, 0.25),
    "red, green and blue LED": bands(LEDS),
    "display, no filter": table("display"),
    "daylight, no filter": table("D65"),
}


def main() -> None:
    """Photograph with each spectrum."""
    photographs, folder, *lenses = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    print("| lens | spectrum | captured, dB | restored, dB | joint, noise × 30 |\n| --- | --- | --- | --- | --- |")
    for lens in lenses:
        camera = read_camera(lens)
        for name, spectrum in SPECTRA.items():
            changed = camera.with_(spectrum=spectrum)
            found = photographed(Path(folder), photographs, f"{camera.name}, {name}", changed)
            row = f"{found.captured:.2f} | {found.restored:.2f} | {found.measures['joint, noise × 30']:.2f}"
            print(f"| {camera.name} | {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
