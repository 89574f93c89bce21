"""Point spread functions with the correction by neighbours: power, blur, veil, energy."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.optics import Hyperbolic, MetaAtoms, Metalens, PlaneWave, Stop, library_named
from metalens.optics.neighbours import Neighbours
from metalens.optics.structure import RadialGeometry
from metalens.psf import psf_simulator, simulate_psf
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.engines.veil import corrected_share, veil_intensity

LIGHT = 540e-9
WIDE = {"window": (64, 64), "pixel_pitch": 0.5e-6, "integrate_pixels": True}


def neighbours(gain=0.5, phase=0.0, undeflected=0.0, *, veil=True):
    """The same correction at every slope, field and azimuth."""
    shape = (1, 2, 2, 3, 2)
    stray = np.zeros((1, 2, 3, 2, 7))
    stray[..., 3] = undeflected
    return Neighbours(
        slope=np.array([0.0, 1e7]), sine=np.array([0.0, 0.5]), wavelength=np.array([LIGHT]),
        amplitude=np.full(shape, np.sqrt(gain)), phase=np.full(shape, phase), stray=stray, veil=veil,
    )  # fmt: skip


def lens_of(correction=None, *, incidence="local", built=False, **parts):
    library = library_named("si3n4-on-sio2", incidence=incidence)
    phase = Hyperbolic(focal_length=30e-6, wavelength=LIGHT)
    lens = Metalens(aperture_diameter=12e-6, focal_length=30e-6, phase=phase, response=MetaAtoms(library, LIGHT))
    if built:
        geometry = lens.response.chosen_geometry(phase.at(0.0, jnp.arange(20) * 350e-9))
        lens = replace(lens, structure=RadialGeometry(geometry, 350e-9, library))
    return replace(lens, neighbours=correction, **parts)


def psf(lens, degrees=0.0, **options):
    return np.asarray(simulate_psf(lens, LIGHT, np.radians(degrees), **{**WIDE, **options}))


@pytest.mark.parametrize(("built", "degrees"), [(False, 0.0), pytest.param(True, 15.0, marks=pytest.mark.long)])
def test_a_correction_that_is_the_same_everywhere_scales_the_function(built, degrees):
    plain = psf(lens_of(built=built), degrees, engine="angular_spectrum")
    corrected = psf(lens_of(neighbours(0.5, 0.7), built=built), degrees)
    np.testing.assert_allclose(corrected, 0.5 * plain, atol=1e-4 * plain.max())


# A second engine; the angular spectrum has the closed forms above and below.
@pytest.mark.long
def test_the_reference_engine_agrees():
    lens = lens_of(neighbours(0.6, 0.2, 0.1))
    found = [psf(lens, 15.0, engine=each, window=(24, 24)) for each in ("angular_spectrum", "rayleigh_sommerfeld")]
    np.testing.assert_allclose(found[0], found[1], atol=2e-3 * found[1].max())


def test_a_phase_error_that_grows_with_the_slope_moves_the_focus():
    sharp = neighbours(1.0)
    phase = np.broadcast_to(np.array([0.0, 60.0]), sharp.phase.shape)
    plain, bent = psf(lens_of(sharp)), psf(lens_of(replace(sharp, phase=phase)))
    assert bent.max() < 0.9 * plain.max()
    assert bent.sum() == pytest.approx(plain.sum(), rel=0.02)


def veil_of(lens, side, sine=0.0, centre=None):
    window, source = ImageWindow((side, side), 0.5e-6, True), PlaneWave(jnp.asarray([0.0, sine]))
    return np.asarray(veil_intensity(lens, source, jnp.asarray([LIGHT]), centre, window))[0]


def test_undeflected_light_is_the_opening_itself():
    lens = lens_of(neighbours(0.5, 0.0, 0.2))
    found = veil_of(lens, 64)
    assert found.sum() == pytest.approx(0.2, rel=3e-3)
    y, x = np.mgrid[-32:32, -32:32] * 0.5e-6
    away = np.hypot(y, x)
    assert found[away < 2.5e-6] == pytest.approx(0.2 * 0.25e-12 / (np.pi * 36e-12), rel=2e-3)
    assert found[away > 8e-6] == pytest.approx(0.0, abs=1e-6)


def test_a_diverging_order_is_spread_over_four_times_the_area():
    correction = neighbours(0.5)
    stray = np.zeros(correction.stray.shape)
    stray[..., 2] = 0.2
    lens = lens_of(replace(correction, stray=stray))
    found = veil_of(lens, 128)
    assert found.sum() == pytest.approx(0.2, rel=3e-3)
    assert found[64, 64] == pytest.approx(0.2 * 0.25e-12 / (4 * np.pi * 36e-12), rel=1e-3)


def test_the_veil_lies_around_the_chief_ray_and_behind_a_stop_where_the_light_goes():
    lens = lens_of(neighbours(0.5, 0.0, 0.2), stop=Stop(6e-6, 10e-6))
    found = veil_of(lens, 128, sine=0.2, centre=jnp.zeros(2))
    # Undeflected, the light goes straight on from the stop to the sensor, 40 µm away.
    expected = 40e-6 * 0.2 / np.sqrt(1 - 0.04)
    assert (found.sum(axis=0) @ ((np.arange(128) - 64) * 0.5e-6)) / found.sum() == pytest.approx(expected, abs=2e-8)
    assert found.sum() == pytest.approx(0.2, rel=5e-3)


def test_the_veil_can_be_left_out_and_the_energy_stays_below_one():
    veiled, bare = (psf(lens_of(neighbours(0.9, 0.0, 0.1, veil=each))) for each in (True, False))
    assert 0.08 < (veiled - bare).sum() < 0.1003
    assert veiled.sum() <= 1


def test_the_share_of_the_image_is_that_of_the_zones():
    lens = lens_of(neighbours(0.4))
    found = corrected_share(lens, PlaneWave(jnp.zeros(2)), jnp.asarray([LIGHT]))
    assert float(found[0]) == pytest.approx(0.4, rel=1e-4)


def test_what_supercells_do_not_know_is_refused():
    lens = lens_of(neighbours())
    with pytest.raises(InputError, match="supercells are computed in plane waves"):
        psf(lens, object_distance=1e-3)
    with pytest.raises(InputError, match=r"a field at 35° lies beyond the verification, which goes to 30°"):
        psf(replace(lens, response=MetaAtoms(library_named("si3n4-on-sio2"), LIGHT)), 35.0)
    with pytest.raises(InputError, match="550 nm lies outside the wavelengths of the verification"):
        simulate_psf(lens, 550e-9, 0.0, **WIDE)


# A second path of the slope that test_lenses.py and test_doublets.py compare with finite differences.
@pytest.mark.long
def test_the_peak_has_a_derivative_by_the_focal_length():
    correction = neighbours(0.5)
    amplitude = np.broadcast_to(np.array([1.0, 0.2]), correction.amplitude.shape)
    # At normal incidence there is one lens to compile, and not one for each polarisation.
    # A smaller opening is computed in half the time.
    lens = lens_of(replace(correction, amplitude=amplitude), incidence="normal", aperture_diameter=8e-6)
    simulator = psf_simulator(lens, [LIGHT], [0.0], window=(16, 16), pixel_pitch=0.5e-6)

    @jax.jit
    @jax.value_and_grad
    def peak(length):
        return simulator(replace(lens, phase=Hyperbolic(focal_length=length, wavelength=LIGHT))).max()

    step = 0.1e-6
    lower, slope, upper = peak(31e-6 - step)[0], peak(31e-6)[1], peak(31e-6 + step)[0]
    assert float(slope) == pytest.approx(float(upper - lower) / (2 * step), rel=0.02)
