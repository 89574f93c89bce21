"""Picture of a verification: share in the wanted order over radius, with neighbours and without."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from metalens.formats.drawing.style import panels
from metalens.formats.meta_atoms.verification import Verification, VerifiedZone


def verification_figure(found: Verification) -> Figure:
    """A panel for each wavelength: supercells as points, the local periodic approximation as lines.

    The mean of s and p, over the radius of the zone; at negative radii the light comes from the other side.
    """
    wavelengths = sorted({zone.wavelength_nm for zone in found.zones})
    figure, axes = panels(2.8, 1, len(wavelengths), sharey=True, squeeze=False)
    for axis, wavelength in zip(axes[0], wavelengths, strict=True):
        for number, field in enumerate(sorted({zone.field_deg for zone in found.zones})):
            zones = [zone for zone in found.zones if (zone.wavelength_nm, zone.field_deg) == (wavelength, field)]
            radius, local, supercell = _along_x(zones)
            axis.plot(radius, local, "-", color=f"C{number}", alpha=0.5)
            axis.plot(radius, supercell, "o", color=f"C{number}", markersize=3, label=f"{field:.3g}°")
        axis.set(xlabel="radius (µm)", ylim=(0, 1.02))
        axis.set_title(f"{wavelength:.4g} nm", loc="center")
    axes[0][0].set_ylabel("share in the wanted order")
    axes[0][0].legend(title="supercells at")
    return figure


def _along_x(zones: list[VerifiedZone]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signed radii, ascending, and means over s and p of the rows in the plane of incidence of the zone's phase."""
    found: dict[float, list[VerifiedZone]] = {}
    for zone in zones:
        if abs(np.sin(np.radians(zone.azimuth_deg))) < 1e-6:
            signs = (1, -1) if zone.field_deg == 0 else (1 if zone.azimuth_deg < 90 else -1,)
            for sign in signs:
                found.setdefault(sign * zone.radius_um, []).append(zone)
    radius = np.array(sorted(found))
    means = [[np.mean([getattr(each, name) for each in found[at]]) for at in radius] for name in ("local", "supercell")]
    return radius, np.array(means[0]), np.array(means[1])
