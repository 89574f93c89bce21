"""The focus of flat lenses of high numerical aperture: vectorial engine, closed forms, scalar engine, published widths.

``python benchmarks/vectorial_focus.py [--picture FILE]``. First the largest difference of the squared field between the
engine and the integrals of Richards and Wolf, over the peak, for linear and for circular light. Then widths at half
maximum of the squared field for circular light at NA 0.8, beside those that Khorasaninejad et al. measured behind
their lenses of titanium dioxide (Science 352, 1190, 2016: 280, 375 and 450 nm). These lenses measure 240 µm; the
simulated ones 30 µm, as the field of a lens in focus depends on NA and wavelength alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from measuring import machine
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

from metalens.formats.drawing.style import LIGHT_COLOURS, panels, save_figure
from metalens.optics import Hyperbolic, Metalens, PlaneWave
from metalens.optics.richards_wolf import Apodisation, focal_components
from metalens.psf import psf_simulator, simulate_psf
from metalens.psf.engines.vectorial import focal_field

DIAMETER = 30e-6
PUBLISHED = {405e-9: 280e-9, 532e-9: 375e-9, 660e-9: 450e-9}
"""Width at half maximum in metres, by the wavelength."""


def lens_of(aperture: float, wavelength: float) -> Metalens:
    focal_length = 0.5 * DIAMETER * np.sqrt(1 - aperture**2) / aperture
    return Metalens(DIAMETER, focal_length, Hyperbolic(focal_length, wavelength))


def engine_field(aperture: float, wavelength: float, pixels: int, pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Squared components ``[(x, y, z), row, column]`` for light polarised along x, and places of a side in metres."""
    lens = lens_of(aperture, wavelength)
    request = {"window": (pixels, pixels), "pixel_pitch": pitch, "engine": "vectorial"}
    simulator = psf_simulator(lens, [wavelength], [0.0], **request)
    grid, window = simulator.plan.grid, simulator.window
    light = PlaneWave(jnp.zeros(2))
    found = focal_field(lens, light, jnp.asarray(wavelength), None, "p", window, grid).electric
    places = grid.pitch(window) * (np.arange(grid.window[1]) - grid.origin((pixels, pixels))[1])
    return np.abs(np.asarray(found)) ** 2, places


def circular(squared: np.ndarray) -> np.ndarray:
    """The squared field ``[row, column]`` of circular light: the mean of both linear polarisations."""
    total = squared.sum(axis=0)
    return np.asarray(0.5 * (total + total.T))


def width_of_row(row: np.ndarray, places: np.ndarray) -> float:
    """Full width at half maximum in metres of a row through the focus, by a cubic between its samples."""
    spline = CubicSpline(places, row / row.max() - 0.5)
    return float(brentq(spline, 0, 0.9 * 532e-9) - brentq(spline, -0.9 * 532e-9, 0))


def width_of_integrals(aperture: float, apodisation: Apodisation) -> float:
    """Full width at half maximum for circular light, in wavelengths."""

    def above(away: float) -> float:
        places = np.array([0.0, away])
        along, across = (
            (np.abs(focal_components(y, x, aperture=aperture, wavelength=1.0, apodisation=apodisation)) ** 2).sum(0)
            for y, x in ((0 * places, places), (places, 0 * places))
        )
        total = along + across
        return float(total[1] / total[0] - 0.5)

    return 2 * float(brentq(above, 0.05, 1.0))


def differences() -> None:
    print("| NA | linear: largest difference / peak | circular |\n| --- | --- | --- |")
    for aperture in (0.5, 0.7, 0.8, 0.9):
        squared, places = engine_field(aperture, 532e-9, 33, 50e-9)
        place = {"y": places[:, None], "x": places[None, :]}
        expected = focal_components(**place, aperture=aperture, wavelength=532e-9, apodisation="flat")
        exact = np.abs(expected) ** 2
        linear = np.abs(squared / squared.sum(axis=0).max() - exact).max()
        rounded = circular(squared)
        print(f"| {aperture} | {linear:.4f} | {np.abs(rounded / rounded.max() - circular(exact)).max():.4f} |")


def widths() -> None:
    print("\n| nm | measured | aplanatic | flat | vectorial engine | scalar engine | 0.5145 λ/NA |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    aplanatic, flat = (width_of_integrals(0.8, kind) for kind in ("aplanatic", "flat"))
    for wavelength, measured in PUBLISHED.items():
        squared, places = engine_field(0.8, wavelength, 33, wavelength / 12)
        vectorial = width_of_row(circular(squared)[len(places) // 2], places)
        lens, pitch = lens_of(0.8, wavelength), wavelength / 12
        request = {"window": (33, 33), "pixel_pitch": pitch, "integrate_pixels": False}
        scalar = np.asarray(simulate_psf(lens, wavelength, 0.0, engine="angular_spectrum", **request))
        row = width_of_row(scalar[16], pitch * (np.arange(33) - 16))
        told = (measured, aplanatic * wavelength, flat * wavelength, vectorial, row, 0.5145 * wavelength / 0.8)
        print(f"| {1e9 * wavelength:.0f} | " + " | ".join(f"{1e9 * value:.0f}" for value in told) + " |")


def components_figure() -> Figure:
    squared, places = engine_field(0.9, 532e-9, 41, 40e-9)
    shown = {"|E$_x$|²": squared[0], "|E$_y$|²": squared[1], "|E$_z$|²": squared[2], "sum": squared.sum(axis=0)}
    figure, axes = panels(2.1, 1, len(shown), grid=None, sharey=True)
    extent = 1e6 * np.array([places[0], places[-1], places[-1], places[0]])
    for each, (name, values) in zip(axes, shown.items(), strict=True):
        picture = each.imshow(values / squared.sum(axis=0).max(), extent=extent, cmap=LIGHT_COLOURS)
        figure.colorbar(picture, ax=each, shrink=0.8)
        each.set(title=name, xlabel="x, µm")
    axes[0].set_ylabel("y, µm")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, help="PNG of the components at NA 0.9 for light polarised along x")
    chosen = parser.parse_args()
    print(machine())
    differences()
    widths()
    if chosen.picture:
        save_figure(chosen.picture.parent, chosen.picture.stem, components_figure, {"png": 150})


if __name__ == "__main__":
    main()
