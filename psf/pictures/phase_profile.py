"""Phase over radius, and the local period of the structure."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from metalens.formats.drawing.style import ACCENT, COLUMN_WIDTH, FAINT, panels
from metalens.formats.psf.bank import PsfBank


def phase_figure(bank: PsfBank) -> Figure:
    """The phase along +x, and the local grating period 2π/|dφ/dr|."""
    figure, (profile, period) = panels(4.4, 2, 1, width=COLUMN_WIDTH, sharex=True)
    radius = 1e6 * bank.phase_radius
    profile.plot(radius, bank.phase, color=ACCENT)
    profile.set_ylabel("phase (rad)")
    with np.errstate(divide="ignore"):
        local = 2 * np.pi / np.abs(np.gradient(bank.phase, radius))
    period.semilogy(radius, local, color=ACCENT)
    period.set(xlabel="distance from the lens' centre along x (µm)", ylabel="local period (µm)", xlim=(0, radius[-1]))
    atoms = bank.camera.lens.meta_atoms
    if atoms is not None:
        pitch = 1e-3 * atoms.pitch_nm
        period.axhline(2 * pitch, color=FAINT, linewidth=1, linestyle="--")
        period.text(0.01 * radius[-1], 2 * pitch, "two meta-atoms", color=FAINT, fontsize=7, va="bottom")
    finite = local[np.isfinite(local)]
    # Where the phase is constant the period is infinite.
    period.set_ylim(0.7 * min(float(finite.min()), 2 * pitch if atoms else np.inf), 100 * float(np.median(finite)))
    return figure
