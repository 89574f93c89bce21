"""
A lens by gradient descent
==========================

Contrast in the worst place of the field, raised step by step by gradients through the simulation, on a lens of 30 µm.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import metalens
from metalens.psf.design.pictures import history_figure

small = {"aperture_um": 30.0, "focal_length_um": 60.0}
spec = metalens.read_design("held").with_(
    name="small",
    camera={"lens": small, "sensor": {"pixels": (32, 32), "pixel_pitch_um": 1.2}},
    variables={"terms": 4},
    sampling={"fields_deg": (0.0, 8.0, 16.0)},
    search={"steps": 40},
)
with TemporaryDirectory() as folder:
    design = metalens.design(spec, Path(folder) / "lens.toml")
figure = history_figure(design)
