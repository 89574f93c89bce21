"""Two metasurfaces, one in the stop: sums of phases, thin lenses, both engines, derivatives, and what is refused."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera, write_camera
from metalens.formats.files.errors import InputError
from metalens.optics import EvenPolynomial, Hyperbolic, Metalens, PlaneWave, Plate, Stop, Sum, metalens_of
from metalens.psf import psf_simulator, simulate_psf
from metalens.psf.rays import ray_landing

LIGHT = 850e-9
WINDOW = {"window": (48, 48), "pixel_pitch": 0.5e-6, "integrate_pixels": True}
CORRECTOR = EvenPolynomial(np.array([4.0, -6.0, 2.0]), 10e-6)


def lens_of(corrector=CORRECTOR, gap=5e-6, glass=30e-6):
    stop = Stop(20e-6, gap, phase=corrector)
    substrate = None if glass is None else Plate(glass, 1.45)
    return Metalens(40e-6, 35e-6, Hyperbolic(35e-6, LIGHT), stop=stop, substrate=substrate)


def psf(lens, degrees=15.0, **options):
    return np.asarray(simulate_psf(lens, LIGHT, np.radians(degrees), **{**WIDE, **options}))


WIDE = {**WINDOW, "engine": "angular_spectrum"}


def test_a_surface_without_phase_is_a_plain_stop():
    flat = EvenPolynomial(np.zeros(2), 10e-6)
    plain, found = psf(lens_of(None)), psf(lens_of(flat))
    np.testing.assert_allclose(found, plain, atol=1e-5 * plain.max())


def test_in_contact_the_phases_add():
    doublet = lens_of(gap=0.0, glass=None)
    single = replace(doublet, stop=replace(doublet.stop, phase=None), phase=Sum((doublet.phase, CORRECTOR)))
    found, expected = psf(doublet), psf(single)
    np.testing.assert_allclose(found, expected, atol=2e-3 * expected.max())


# A second engine; Gaussian optics and the stop without phase are tested with the first.
@pytest.mark.long
@pytest.mark.parametrize("degrees", [0.0, 15.0])
def test_both_engines_agree_through_glass(degrees):
    spectrum, convolved = (psf(lens_of(), degrees, engine=name) for name in ("angular_spectrum", "rayleigh_sommerfeld"))
    np.testing.assert_allclose(spectrum, convolved, atol=0.01 * convolved.max())
    assert spectrum.sum() <= 1


def test_two_thin_lenses_focus_where_gaussian_optics_says():
    first, second, gap = 300e-6, 200e-6, 100e-6
    radius = 20e-6
    corrector = EvenPolynomial(np.array([-np.pi * radius**2 / (LIGHT * first)]), radius)
    back = second * (first - gap) / (first + second - gap)
    lens = Metalens(
        80e-6, back, EvenPolynomial(np.array([-np.pi * radius**2 / (LIGHT * second)]), radius),
        stop=Stop(40e-6, gap, phase=corrector),
    )  # fmt: skip
    landing, _ = ray_landing(lens, PlaneWave(jnp.zeros(2)), jnp.asarray(LIGHT), jnp.asarray([2e-6]), jnp.zeros(1))
    assert abs(float(landing[0, 0])) < 2e-9


@pytest.mark.long
def test_the_peak_has_a_derivative_by_the_surface_in_the_stop():
    simulator = psf_simulator(lens_of(), [LIGHT], [0.1], **WIDE)

    @jax.jit
    @jax.value_and_grad
    def peak(strength):
        phase = EvenPolynomial(jnp.asarray([4.0, -6.0, 2.0]) * strength, 10e-6)
        return simulator(lens_of(phase)).max()

    step = 0.01
    lower, slope, upper = peak(1 - step)[0], peak(1.0)[1], peak(1 + step)[0]
    assert float(slope) == pytest.approx(float(upper - lower) / (2 * step), rel=0.03)


def test_a_lens_toml_holds_it(tmp_path):
    path = tmp_path / "lens.toml"
    phase = {"family": "even_polynomial", "radius_um": 20.0, "coefficients_rad": [4.0, -6.0]}
    stop = {"diameter_um": 40.0, "distance_um": 0.0, "phase": phase}
    table = {"aperture_um": 80, "focal_length_um": 70, "stop": stop, "substrate": {"thickness_um": 60, "index": 1.45}}
    write_camera(path, read_camera("hyperbolic").with_(lens=table, sensor={"pixels": (16, 16), "pixel_pitch_um": 1.0}))
    lens = metalens_of(read_camera(path))
    assert lens.stop.phase.at(0.0, jnp.asarray(20e-6)) == pytest.approx(-2.0)
    path.write_text(path.read_text().replace('family = "even_polynomial"', 'family = "hyperbolic"'))
    with pytest.raises(InputError, match=r"lens\.stop\.phase"):
        read_camera(path)


def test_engines_of_one_direction_refuse_it():
    with pytest.raises(InputError, match="not behind a metasurface in the stop"):
        psf(lens_of(), engine="vectorial")


def test_a_corrector_that_bends_light_beyond_the_horizon_is_refused():
    # At its rim it adds 2·400/10 rad a µm, more than the 2π/0.85 of a grazing wave.
    steep = EvenPolynomial(np.array([400.0]), 10e-6)
    with pytest.raises(InputError, match="bends light of 850 nm beyond the angles at which it travels to the lens"):
        psf(lens_of(steep))


def test_a_stop_whose_light_cannot_be_sampled_is_refused():
    """At a kilometre from the axis a polynomial of 20 µm is infinite in single precision."""
    wide = replace(lens_of(None), stop=Stop(1e3, 5e-6), phase=EvenPolynomial(np.ones(8), 20e-6))
    with pytest.raises(InputError, match=r"an opening of 1e\+09 µm, 35 µm in front of the sensor, cannot be sampled"):
        psf(wide)
