"""Densities of unit cells: mirror symmetry about the meta-atom's centre, and its area."""

import numpy as np
import pytest

from metalens.formats.meta_atoms.shapes import Family
from metalens.optics.rcwa.unit_cell import cell_density


@pytest.mark.parametrize("samples", [16, 33])
@pytest.mark.parametrize("shape", ["round_pillar", "square_hole", "annular_pillar", "rectangular_pillar"])
def test_a_cell_is_its_own_mirror_image_about_the_corner_of_its_first_sample(shape, samples):
    geometry = np.array([200e-9, 120e-9])
    density = cell_density(Family(shape), geometry, 350e-9, "square", samples)
    for axis in (0, 1):
        np.testing.assert_allclose(density, np.flip(density, axis), atol=1e-12)
    # From there no Fourier coefficient has a phase.
    half_a_sample = np.exp(-1j * np.pi * np.fft.fftfreq(samples))
    coefficients = np.fft.fft2(density) * half_a_sample[:, None] * half_a_sample
    assert np.abs(coefficients.imag).max() < 1e-9


@pytest.mark.parametrize("lattice", ["square", "hexagonal"])
def test_the_density_has_the_area_of_the_pillar(lattice):
    density = cell_density(Family("round_pillar"), np.array([200e-9]), 350e-9, lattice, 64)
    cell = 350e-9**2 * (1.0 if lattice == "square" else np.sqrt(0.75))
    assert density.mean() * cell == pytest.approx(np.pi * 100e-9**2, rel=2e-3)
