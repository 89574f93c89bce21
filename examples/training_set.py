"""
A training set
==============

Pairs of crops of photographs and of what the camera makes of them, each with its place on the sensor.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import metalens
from metalens.formats.drawing.contact_sheet import draw_contact_sheet

bank = metalens.simulate_bank(metalens.read_camera("metacamera"), fields=(3, 3), wavelengths_per_channel=1)
with TemporaryDirectory() as folder:
    place = Path(folder) / "pairs"
    report = metalens.generate_pairs("embedded:train", bank, place, count=4, pixels=(128, 128), seed=0)
    pairs = metalens.read_pairs(place)
    figure = draw_contact_sheet(pairs, count=4)
    pairs.close()
print(f"{report.count} pairs of {report.sources} photographs")
