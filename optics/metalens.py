"""The metalens: a phase profile behind a circular aperture, at a distance from the sensor."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from metalens.formats.camera import Camera, EvenPolynomialPhase, HyperbolicPhase
from metalens.optics.phase import EvenPolynomial, Hyperbolic, Phase, Quadratic, Scalar


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Metalens:
    """A flat circular lens that is its own aperture stop.

    Attributes:
        aperture_diameter: D in metres.
        focal_length: distance f from the lens to the sensor in metres.
        phase: what the meta-atoms add to the phase of a wave.
    """

    aperture_diameter: Scalar
    focal_length: Scalar
    phase: Phase

    @property
    def aperture_area(self) -> Scalar:
        """πD²/4 in m²."""
        return np.pi / 4 * self.aperture_diameter**2


def metalens_of(camera: Camera) -> Metalens:
    """The metalens that a ``lens.toml`` describes."""
    lens = camera.lens
    phase: Phase
    if isinstance(lens.phase, EvenPolynomialPhase):
        phase = EvenPolynomial(np.array(lens.phase.coefficients_rad), lens.phase.radius_um * 1e-6)
    else:
        profile = Hyperbolic if isinstance(lens.phase, HyperbolicPhase) else Quadratic
        phase = profile(lens.focal_length_m, lens.phase.wavelength_nm * 1e-9)
    return Metalens(lens.aperture_m, lens.focal_length_m, phase)
