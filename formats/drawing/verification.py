"""Picture of a verification: the wanted order with neighbours and without, over radius and field."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from metalens.formats.drawing.style import panels
from metalens.formats.meta_atoms.verification import Verification, VerifiedZone


def verification_figure(found: Verification) -> Figure:
    """A column for each wavelength: shares in the wanted order, its phase errors, and a map of the shares.

    Shares are supercells as points and the local periodic approximation as lines; the map has those of supercells over
    radius and field. All are means of s and p; at negative radii the light comes from the other side.

    Args:
        found: the verification.
    """
    wavelengths = sorted({zone.wavelength_nm for zone in found.zones})
    fields = sorted({zone.field_deg for zone in found.zones})
    figure, axes = panels(6.2, 3, len(wavelengths), sharex=True, sharey="row", squeeze=False, grid=None)
    for column, wavelength in enumerate(wavelengths):
        shares, errors, mapped = axes[:, column]
        zones = [zone for zone in found.zones if zone.wavelength_nm == wavelength]
        for number, field in enumerate(fields):
            radius, local, supercell, error = _along_x([zone for zone in zones if zone.field_deg == field])
            shares.plot(radius, supercell, "o", color=f"C{number}", markersize=3, label=f"{field:.3g}°")
            # No zone lies between the innermost ones of both sides.
            for side in (radius < 0, radius > 0):
                shares.plot(radius[side], local[side], "_-", color=f"C{number}", alpha=0.5)
                errors.plot(radius[side], error[side], "o-", color=f"C{number}", markersize=3, linewidth=0.6)
        shares.set(ylim=(0, 1.02))
        shares.set_title(f"{wavelength:.4g} nm", loc="center")
        errors.axhline(0, color="0.6", linewidth=0.6, zorder=0)
        drawn = _map(mapped, zones, fields)
        mapped.set(xlabel="radius (µm)")
    axes[0][0].set_ylabel("share in the wanted order")
    axes[0][0].legend(title="supercells at", loc="lower center", ncols=len(fields))
    axes[1][0].set_ylabel("phase error (rad)")
    axes[2][0].set_ylabel("field (°)")
    figure.colorbar(drawn, ax=axes[2], label="share with neighbours")
    return figure


def _map(axis: Axes, zones: list[VerifiedZone], fields: list[float]) -> ScalarMappable:
    """The share with neighbours, a rectangle for each zone and field; white where there is none."""
    rows = [_along_x([zone for zone in zones if zone.field_deg == field]) for field in fields]
    radius = np.unique(np.concatenate([each for each, *_ in rows]))
    share = np.full((len(fields), len(radius)), np.nan)
    for number, (places, _, supercell, _) in enumerate(rows):
        share[number, np.searchsorted(radius, places)] = supercell
    return axis.pcolormesh(_edges(radius), _edges(np.array(fields)), share, vmin=0, vmax=1, cmap="viridis")


def _edges(middles: np.ndarray) -> np.ndarray:
    """Borders of cells around ascending places: halfway between them."""
    step = np.diff(middles) if len(middles) > 1 else np.ones(1)
    halves = middles[: len(step)] + step / 2
    return np.concatenate([[middles[0] - step[0] / 2], halves[: len(middles) - 1], [middles[-1] + step[-1] / 2]])


def _along_x(zones: list[VerifiedZone]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows in the plane of incidence of the zone's phase: signed radii, ascending, and means over s and p.

    Returns:
        ``[zone]`` radii in micrometres, shares without neighbours and with them, and phase errors in radians.
    """
    found: dict[float, list[VerifiedZone]] = {}
    for zone in zones:
        if abs(np.sin(np.radians(zone.azimuth_deg))) < 1e-6:
            signs = (1, -1) if zone.field_deg == 0 else (1 if zone.azimuth_deg < 90 else -1,)
            for sign in signs:
                found.setdefault(sign * zone.radius_um, []).append(zone)
    radius = np.array(sorted(found))
    local = [np.mean([zone.local for zone in found[at]]) for at in radius]
    supercell = [np.mean([zone.supercell for zone in found[at]]) for at in radius]
    # A mean of phases that does not depend on where they are cut.
    error = [np.angle(np.mean([np.exp(1j * z.phase_error_rad) for z in found[at]])) for at in radius]
    return radius, np.array(local), np.array(supercell), np.array(error)
