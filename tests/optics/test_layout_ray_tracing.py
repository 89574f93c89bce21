"""Radial phases for ray tracers: the polynomial is the phase, and its sign is that of the other program."""

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.files.text_file import text_lines
from metalens.optics import Cubic, EvenPolynomial, Hyperbolic, LogAsphere, Quadratic, Zernike
from metalens.optics.layout.ray_tracing import (
    binary_2,
    is_radial_phase,
    radial_phase_table,
    read_radial_phase,
    write_radial_phase,
)

WAVELENGTH, FOCUS, DIAMETER = 532e-9, 1e-3, 0.5e-3


def test_an_even_polynomial_keeps_its_coefficients():
    phase = EvenPolynomial(np.array([-349.4864, -3.24192, -0.001]), 250e-6)
    found = radial_phase_table(phase, DIAMETER)
    assert found.coefficients.tolist() == [-349.4864, -3.24192, -0.001]
    assert found.radius == 250e-6
    assert found.largest_error < 1e-9


def test_a_quadratic_phase_is_one_term_in_closed_form():
    found = radial_phase_table(Quadratic(FOCUS, WAVELENGTH), DIAMETER)
    assert found.coefficients.tolist() == pytest.approx([-np.pi * (DIAMETER / 2) ** 2 / (WAVELENGTH * FOCUS)])


@pytest.mark.parametrize(
    "phase",
    [
        Hyperbolic(FOCUS, WAVELENGTH),
        Hyperbolic(0.3e-3, WAVELENGTH),
        LogAsphere(1e-3, 1.2e-3, 250e-6, WAVELENGTH),
        Quadratic(FOCUS, WAVELENGTH) + EvenPolynomial(np.array([0.0, 3.0]), 200e-6),
        # Defocus and spherical aberration, whose value at the centre is left out.
        Zernike((4, 12), np.array([30.0, 4.0]), 250e-6),
    ],
    ids=["hyperbolic", "steep", "log-asphere", "sum", "zernike"],
)
def test_the_polynomial_is_as_near_as_it_says(phase):
    found = radial_phase_table(phase, DIAMETER, tolerance=1e-3)
    r = np.linspace(0, DIAMETER / 2, 317)
    wanted = np.asarray(phase.at(np.zeros_like(r), r), dtype=float)
    # float32 of some thousand radians.
    difference = binary_2(found.coefficients, found.radius, r) - (wanted - wanted[0])
    assert np.abs(difference).max() < 1e-3 + 3e-7 * np.abs(wanted).max()
    assert found.largest_error <= 1e-3


def test_rays_of_a_binary_2_surface_meet_in_the_focus():
    """n₂ sin θ₂ − n₁ sin θ₁ = (λ/2π) dφ/dr, as OpticStudio bends rays: from r > 0 towards the axis, to f."""
    found = radial_phase_table(Hyperbolic(FOCUS, WAVELENGTH), DIAMETER, tolerance=1e-4)
    r = np.linspace(10e-6, 240e-6, 24)
    step = 1e-8
    slope = binary_2(found.coefficients, found.radius, r + step) - binary_2(found.coefficients, found.radius, r - step)
    sine = WAVELENGTH / (2 * np.pi) * slope / (2 * step)
    assert (sine < 0).all()
    # A thousandth of a radian over tens of micrometres tilts rays by parts in 10⁶.
    assert -r / np.tan(np.arcsin(sine)) == pytest.approx(np.full(24, FOCUS), rel=1e-4)


def test_all_paths_through_a_binary_2_surface_are_equally_long():
    """It adds λφ/2π to the optical path: with the way to the focus that is the same for all rays (Fermat)."""
    found = radial_phase_table(Hyperbolic(FOCUS, WAVELENGTH), DIAMETER, tolerance=1e-3)
    r = np.linspace(0, DIAMETER / 2, 100)
    path = WAVELENGTH * binary_2(found.coefficients, found.radius, r) / (2 * np.pi) + np.hypot(r, FOCUS)
    assert np.ptp(path) < 1e-3 * WAVELENGTH


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "lens.txt"
    wanted = radial_phase_table(Hyperbolic(FOCUS, WAVELENGTH), DIAMETER)
    write_radial_phase(path, wanted)
    text = path.read_text(encoding="ascii")
    assert is_radial_phase(next(text_lines(path, "radial phase", largest=2**20)))
    assert "SURFACE BINARY_2\nDIFFRACTION_ORDER 1\nSEMI_DIAMETER_MM 0.25\nNORMALISATION_RADIUS_MM 0.25\n" in text
    found = read_radial_phase(path)
    assert found.coefficients.tolist() == wanted.coefficients.tolist()
    assert found.radius == pytest.approx(wanted.radius)
    assert found.semi_diameter == pytest.approx(wanted.semi_diameter)


def test_a_bare_table_is_fitted(tmp_path):
    path = tmp_path / "phase.csv"
    r = np.linspace(0, 100, 60)
    lines = [f"{each},{7 - 80 * (each / 100) ** 2 + 3 * (each / 100) ** 6}" for each in r]
    path.write_text("r_um, phase_rad\n" + "\n".join(lines), encoding="utf-8")
    found = read_radial_phase(path, tolerance=1e-6)
    assert found.coefficients.tolist() == pytest.approx([-80, 0, 3], abs=1e-6)
    assert found.radius == pytest.approx(100e-6)


def test_a_phase_without_symmetry_or_beyond_any_polynomial_is_refused():
    with pytest.raises(InputError, match="is not rotationally symmetric"):
        radial_phase_table(Quadratic(FOCUS, WAVELENGTH) + Cubic(10.0, 250e-6), DIAMETER)
    with pytest.raises(InputError, match=r"20 terms .* differ from it by .* --zemax-tolerance-rad"):
        radial_phase_table(Hyperbolic(20e-6, WAVELENGTH), DIAMETER)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("r_mm,phase_rad\n0,0\n1,1\n", "three samples or more was expected"),
        ("r_mm,phase_rad\n0,0\n1,a\n2,2\n", "could not convert"),
        ("r_mm,phase_rad\n0,0\n1,nan\n2,2\n", "two finite columns"),
        ("r_mm,phase_rad\n0,0\n2,1\n1,2\n", "an ascending radius"),
        ("TERMS 1\nNORMALISATION_RADIUS_MM 1\nr_mm,phase_rad\n0,0\n1,1\n2,2\n", "it lacks 'A1'"),
        ("TERMS 99\nr_mm,phase_rad\n0,0\n1,1\n2,2\n", "99 terms; 1 to 32 were expected"),
        ("SURFACE BINARY_1\nTERMS 1\nr_mm,phase_rad\n0,0\n1,1\n2,2\n", "a Binary 2 surface in the diffraction order 1"),
        ("TERMS 1\nA1 9\nNORMALISATION_RADIUS_MM 1\nr_mm,phase_rad\n0,0\n1,1\n2,4\n", "differ by 16 rad"),
        ("r_mm,phase_rad\n" + "".join(f"{k},{(k * 2.7) % 6}\n" for k in range(50)), "wrapped into 2π"),
    ],
)
def test_what_is_no_radial_phase_is_refused(tmp_path, text, message):
    path = tmp_path / "phase.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_radial_phase(path)
