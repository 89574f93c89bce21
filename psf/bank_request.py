"""What is asked for when a bank is simulated: field points, window and wavelengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.files.arguments import require_number, require_whole, require_whole_pair
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import Layout, grid_positions
from metalens.formats.psf.bank_file import LARGEST_WINDOW
from metalens.optics.from_lens_toml import metalens_of
from metalens.psf.camera_fields import view_of
from metalens.psf.field_symmetry import nodes_across
from metalens.psf.spectra.spectrum import spectral_quadrature

COARSEST = (7, 7)
"""Rows and columns of nodes with which a bank of unknown size begins."""


@dataclass(frozen=True)
class BankRequest:
    """The arguments of :func:`metalens.simulate_bank`.

    Attributes:
        fields: (rows, columns) of nodes over the sensor; None is :data:`COARSEST`, which is refined as need be.
        radii: number of nodes along a radius, instead of a grid.
        window: (rows, columns) of each PSF in pixels; None chooses it by the energy.
        wavelengths_per_channel: quadrature nodes of each channel.
        wavelengths: in metres, instead of the quadrature nodes.
        spectral_tolerance: largest relative change of the PSFs with more wavelengths.
    """

    fields: tuple[int, int] | None = None
    radii: int | None = None
    window: tuple[int, int] | None = None
    wavelengths_per_channel: int | None = None
    wavelengths: Sequence[float] | None = None
    spectral_tolerance: float | None = None

    def check(self, camera: Camera) -> None:
        """Refuse what cannot be simulated, before the first PSF.

        Raises:
            InputError: as :func:`metalens.simulate_bank`.
        """
        fields, radii, window, tolerance = self.fields, self.radii, self.window, self.spectral_tolerance
        self._check_kinds()
        if fields is not None and (min(fields) < 1 or max(fields) > 129):
            raise InputError(
                f"psf: fields {fields[0]} × {fields[1]} must lie between 1 and 129 on each side; 7 × 7 is usual."
            )
        if radii is not None and not 1 <= radii <= 1000:
            raise InputError(f"psf: radii {radii} must lie between 1 and 1000; 10 is usual.")
        if window is not None and (window[0] != window[1] or window[0] % 2 == 0 or window[0] < 3):
            raise InputError(
                f"psf: window {window[0]} × {window[1]} must be square with an odd side of 3 pixels or more, so that "
                "the chief ray has a middle pixel; leave it out to have one chosen."
            )
        if self.wavelengths_per_channel is not None and not 1 <= self.wavelengths_per_channel <= 99:
            raise InputError(
                f"psf: wavelengths per channel {self.wavelengths_per_channel} must lie between 1 and 99; 9 is usual."
            )
        if sum(each is not None for each in (self.wavelengths_per_channel, self.wavelengths, tolerance)) > 1:
            raise InputError(
                "psf: the wavelengths are chosen by their number, by a list or by a tolerance; one of them was "
                "expected."
            )
        if tolerance is not None and not 1e-4 <= tolerance <= 1:
            raise InputError(f"psf: spectral tolerance {tolerance:g} must lie between 0.0001 and 1; 0.02 is usual.")
        wavelength, weight = self.quadrature(camera)
        if camera.lens.surfaces is not None:
            # Chief rays are traced through the glasses, and need their indices first.
            metalens_of(camera).check(wavelength)
        view = view_of(camera, np.zeros((1, 2)), float(weight[1] @ wavelength))
        if radii is not None and not view.rotationally_symmetric:
            raise InputError(
                f"psf: {camera.name} is not rotationally symmetric (phase, aperture, the sensor's tilt or a decentre), "
                "so that a radius does not tell its other fields; ask for a grid with fields."
            )

    def _check_kinds(self) -> None:
        if self.fields is not None:
            require_whole_pair(self.fields, "psf: fields")
        for value, name in ((self.radii, "radii"), (self.wavelengths_per_channel, "wavelengths per channel")):
            if value is not None:
                require_whole(value, f"psf: {name}")
        if self.window is not None:
            require_whole_pair(self.window, "psf: window", most=LARGEST_WINDOW)
        if self.spectral_tolerance is not None:
            require_number(self.spectral_tolerance, "psf: spectral tolerance")
        for each in () if self.wavelengths is None else self.wavelengths:
            require_number(each, "psf: wavelengths in metres")

    def quadrature(self, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Wavelengths ``[wavelength]`` in metres and weights ``[channel, wavelength]``, before any convergence."""
        return spectral_quadrature(camera.spectrum, self.wavelengths_per_channel, wavelengths=self.wavelengths)

    def tolerance(self, camera: Camera) -> float | None:
        """The spectral tolerance: the one given, or the camera's own if the wavelengths are not given."""
        explicit = self.wavelengths_per_channel is not None or self.wavelengths is not None
        return self.spectral_tolerance or (None if explicit else camera.spectrum.spectral_tolerance)

    def nodes(self, camera: Camera) -> tuple[Layout, np.ndarray]:
        """Layout and ``[node, (y, x)]`` positions in metres."""
        sides = [pixels * camera.sensor.pixel_pitch_m for pixels in camera.sensor.pixels]
        if self.radii is not None:
            along = np.linspace(0, 0.5 * math.hypot(*sides), self.radii)
            return "radial", np.stack([np.zeros(self.radii), along], axis=1)
        field_y, field_x = (
            nodes_across(count, side) for count, side in zip(self.fields or COARSEST, sides, strict=True)
        )
        return "grid", grid_positions(field_y, field_x)
