"""
A doublet for a wide field
==========================

One metasurface behind a stop has spherical aberration at f/0.9. A second one in the plane of the stop, on the other
side of the glass, takes it out for all angles. Rays find both phases, from where a search by gradients goes on.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import metalens
from metalens.optics import metalens_of

GEOMETRY = {
    "aperture_um": 200.0,
    "focal_length_um": 90.0,
    "stop": {"diameter_um": 100.0, "distance_um": 0.0},
    "substrate": {"thickness_um": 125.0, "index": 1.4525},
}
LIGHT = [{"name": name, "centre_nm": 850.0, "fwhm_nm": 0.0} for name in ("red", "green", "blue")]
FIELDS = (0.0, 10.0, 20.0, 28.0)

spec = metalens.read_design("held").with_(
    name="one metasurface",
    camera={
        "lens": GEOMETRY,
        "sensor": {"pixels": (72, 72), "pixel_pitch_um": 1.0},
        "spectrum": {"wavelengths_per_channel": 1, "channels": LIGHT},
    },
    variables={"terms": 6},
    start={"families": ("smallest_spots",), "steps": 0},
    sampling={"fields_deg": FIELDS, "window_pixels": 21},
    search={"steps": 1},
)
specs = [spec, spec.with_(name="two metasurfaces", variables={"stop_terms": 4})]

figure, axes = plt.subplots(2, len(FIELDS), figsize=(8, 4.4), layout="constrained")
for row, each in zip(axes, specs, strict=True):
    with TemporaryDirectory() as folder:
        lens = metalens_of(metalens.design(each, Path(folder) / "lens.toml").camera)
    # The peak of a pupil of radius R without aberration, on the axis and with paraxial rays: πR²/(λf)² of the light.
    ideal = np.pi * 50e-6**2 / (850e-9 * 90e-6) ** 2
    for place, degrees in zip(row, FIELDS, strict=True):
        psf = np.asarray(metalens.simulate_psf(lens, 850e-9, np.radians(degrees), window=(96, 96), pixel_pitch=0.15e-6))
        peak = psf.max() / (0.15e-6**2 * ideal)
        place.imshow(psf**0.5, cmap="inferno", extent=(-7.2, 7.2, -7.2, 7.2))
        place.set_title(f"{degrees:.0f}°, peak {peak:.2f}", fontsize=9)
    row[0].set_ylabel(f"{each.name} (µm)")
plt.show()
