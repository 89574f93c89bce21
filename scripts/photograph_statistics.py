"""Measure the colours' cross-spectral density of photographs, as the package ships it.

    python scripts/photograph_statistics.py embedded:train photos/ -o formats/pictures/photograph_statistics.json

Each photograph is brought to a sensor of 400 × 400 pixels first, as :func:`metalens.synth.photograph_scene` does it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from metalens.formats.pictures.photograph_statistics import SCHEMA, measured_statistics
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.pictures.resizing import scene_from_picture
from metalens.synth.photograph_sources import photographs_of

PIXELS = (400, 400)


def main() -> None:
    """Read photographs, write the statistics."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", nargs="+", help="files, folders, embedded:train")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    photographs = photographs_of(arguments.photographs, as_light=False)
    scenes = [scene_from_picture(read_picture(each.path), PIXELS) for each in photographs]
    statistics = measured_statistics(scenes)
    content = {
        "schema": SCHEMA,
        "version": 1,
        "source": f"{len(scenes)} photographs: {', '.join(arguments.photographs)}; scripts/photograph_statistics.py",
        "frequency_cycles_per_pixel": [round(value, 5) for value in statistics.frequency.tolist()],
        "covariance": [
            [[float(f"{cell:.5g}") for cell in row] for row in each] for each in statistics.covariance.tolist()
        ],
    }
    arguments.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
