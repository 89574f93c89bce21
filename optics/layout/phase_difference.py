"""How far the phase of an imported lens is from that of the lens that it is said to be like."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.design_wavelength import design_wavelength
from metalens.optics.from_lens_toml import metalens_of
from metalens.optics.phase.from_lens_toml import phase_of
from metalens.optics.polarised import polarised_lenses
from metalens.optics.source import PlaneWave
from metalens.optics.structure.fit import fit_of, fit_of_products, opening_points

ANOTHER_LENS = 1.0
"""Radians, root mean square, above which two lenses are taken for different ones: a lens whose phase is unrelated has
π/√3 = 1.81, meta-atoms of half the phase range 0.5."""

POINTS = 2**14


@dataclass(frozen=True)
class PhaseDifference:
    """Difference of phase over the aperture.

    Attributes:
        rms: root mean square after a constant phase, in radians; of two polarisations that of both.
        wavelength: at which it is, in metres.
    """

    rms: float
    wavelength: float


def phase_difference(made: Camera, like: Camera) -> PhaseDifference:
    """Compare an imported lens with the lens that it is said to be like, over the aperture of the imported one.

    Args:
        made: the imported camera, with the files that it names: a structure, or a phase.
        like: the camera that focal length, sensor and spectrum were taken from.

    Returns:
        Root mean square of the difference in radians, without a constant phase, and its wavelength.

    Raises:
        InputError: ``like`` has no design wavelength, or one outside the library.
    """
    wavelength = design_wavelength(like)
    lens = replace(metalens_of(made), neighbours=None, surfaces=())
    if lens.structure is None:
        y, x = (jnp.asarray(each) for each in opening_points(lens, POINTS))
        phase = np.asarray(phase_of(made.lens.phase, made.lens).at(y, x), dtype=float)
        wanted = np.asarray(phase_of(like.lens.phase, like.lens).at(y, x), dtype=float)
        error = fit_of_products(np.exp(1j * (phase - wanted))[:, None]).phase_error
        return PhaseDifference(float(error[0]), wavelength)
    seen = polarised_lenses(lens, PlaneWave(jnp.zeros(2)))
    squared = sum(weight * fit_of(each, np.array([wavelength]), POINTS).phase_error[0] ** 2 for weight, each in seen)
    return PhaseDifference(float(np.sqrt(squared / sum(weight for weight, _ in seen))), wavelength)
