"""
Meta-atoms with the right delay
===============================

One phase for all colours focuses 1550 nm nearer to the lens than 1350 nm. Silicon pillars that are chosen for phase and
group delay bring both foci closer to each other, at the price of some light.
"""

import matplotlib.pyplot as plt
import numpy as np

import metalens
from metalens.formats.meta_atoms.library import library_path, read_atom_library
from metalens.optics import Hyperbolic
from metalens.optics.structure import AtomKind, StructureOptions, choose_structure, with_structure
from metalens.psf import psf_simulator

FOCUS, DESIGN = 140e-6, 1450e-9
library = read_atom_library(library_path("a-si-on-sio2"))
lens = metalens.Metalens(80e-6, FOCUS, Hyperbolic(FOCUS, DESIGN))
colours = np.array([1350e-9, 1550e-9])
defocus = 1e-6 * np.arange(-14, 16, 2)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for each, dispersion in zip(axes, (0.0, 1.0), strict=True):
    options = StructureOptions(
        pitch=library.pitch, wavelengths=1e-9 * np.arange(1350, 1551, 50), kind=AtomKind(library.shape, library.height),
        dispersion=dispersion,
    )  # fmt: skip
    structure = choose_structure(lens, library, options)
    built = with_structure(lens, library, structure)
    peaks = []
    for away in defocus:
        simulator = psf_simulator(built, colours, [0.0], window=(9, 9), pixel_pitch=0.5e-6, defocus=away)
        peaks.append(np.asarray(simulator(built))[0].max(axis=(-2, -1)))
    peaks = np.array(peaks)
    apart = 1e6 * abs(np.subtract(*defocus[peaks.argmax(axis=0)]))
    told = structure.provenance["design_efficiency"].split()
    print(f"dispersion {dispersion:g}: foci {apart:.0f} µm apart, efficiency {min(told)} to {max(told)}")
    for colour, values in zip(colours, peaks.T, strict=True):
        each.plot(1e6 * defocus, values / peaks.max(), "o-", label=f"{1e9 * colour:.0f} nm")
    each.set(title=f"dispersion {dispersion:g}: foci {apart:.0f} µm apart", xlabel="sensor behind the focus (µm)")
axes[0].set_ylabel("peak, relative")
axes[0].legend()
plt.show()
