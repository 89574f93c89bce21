"""Refractive surfaces behind a metasurface: foci, plates and colours in closed form, and what is refused."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.optics import (
    Annulus,
    Cauchy,
    EvenPolynomial,
    Hyperbolic,
    Kinoform,
    Metalens,
    PlaneWave,
    Plate,
    Stop,
    Surface,
)
from metalens.optics.built import Built
from metalens.optics.from_lens_toml import library_path, read_atom_library
from metalens.optics.refraction.dispersion import LINE_C, LINE_D, LINE_F, cauchy_of_abbe
from metalens.optics.refraction.rear_rays import exit_pupil
from metalens.optics.refraction.structure_light import structure_light
from metalens.optics.structure import StructureOptions, choose_structure, sites_of
from metalens.psf import psf_simulator, simulate_psf
from metalens.psf.conjugates import source_at
from metalens.psf.rays import chief_ray, direction_to, ray_landing, seen_cone

LIGHT = 532e-9
INDEX = 1.5168
AIR, GLASS = Cauchy(1.0), Cauchy(INDEX)
FLAT = EvenPolynomial(np.zeros(1), 50e-6)
WINDOW = {"window": (48, 48), "pixel_pitch": 0.5e-6, "integrate_pixels": True}
FOCUS, DIAMETER = 200e-6, 40e-6


def plane(thickness, medium, clear=400e-6):
    return Surface(0.0, 0.0, np.zeros(0), 1.0, clear, thickness, medium)


def curved(radius, thickness, medium, conic=0.0, clear=400e-6):
    return Surface(1 / radius, conic, np.zeros(0), 1.0, clear, thickness, medium)


def psf(lens, degrees=0.0, **options):
    return np.asarray(
        simulate_psf(lens, LIGHT, np.radians(degrees), **{**WINDOW, "engine": "angular_spectrum", **options})
    )


def plate_behind(thickness, **parts):
    lens = {"aperture_diameter": DIAMETER, "focal_length": FOCUS, "phase": Hyperbolic(FOCUS, LIGHT)} | parts
    return Metalens(**lens, rear_surfaces=(plane(thickness, GLASS), plane(0.0, AIR)))


def in_focus(thickness):
    """The distance of the sensor behind a plate."""
    return FOCUS + thickness * (1 - 1 / INDEX)


def as_cover_glass(lens):
    """The same lens, its plate as a cover glass that waves pass."""
    return replace(lens, rear_surfaces=(), cover_glass=Plate(lens.rear_surfaces[0].thickness, INDEX))


@pytest.mark.long
def test_a_conic_of_eccentricity_n_focuses_parallel_light_without_aberration():
    radius, thickness, height = (1 - INDEX) * FOCUS, 60e-6, 0.5 * DIAMETER
    lens = Metalens(
        DIAMETER, thickness + FOCUS, FLAT,
        rear_surfaces=(plane(thickness, GLASS), curved(radius, 0.0, AIR, conic=-(INDEX**2))),
    )  # fmt: skip
    sag = height**2 / radius / (1 + np.sqrt(1 - (1 - INDEX**2) * (height / radius) ** 2))
    distance = FOCUS - sag
    expected = psf(Metalens(DIAMETER, distance, Hyperbolic(distance, LIGHT)))
    found = psf(lens)
    np.testing.assert_allclose(found, expected, atol=2e-3 * expected.max())


@pytest.mark.long
def test_light_to_the_centre_of_a_sphere_passes_it_unbent():
    # The metasurface focuses in the glass; the sphere about the focus refracts no ray.
    thickness = 80e-6
    lens = Metalens(
        DIAMETER, FOCUS, Hyperbolic(FOCUS, LIGHT / INDEX),
        rear_surfaces=(plane(thickness, GLASS), curved(FOCUS - thickness, 0.0, AIR)),
    )  # fmt: skip
    expected = psf(Metalens(DIAMETER, FOCUS, Hyperbolic(FOCUS, LIGHT)))
    np.testing.assert_allclose(psf(lens), expected, atol=2e-3 * expected.max())


@pytest.mark.long
@pytest.mark.parametrize(
    ("thickness", "parts", "within"),
    [
        pytest.param(50e-6, {"focal_length": in_focus(50e-6)}, 0.003, id="own stop"),
        pytest.param(50e-6, {"aperture_diameter": 100e-6, "stop": Stop(30e-6, 40e-6)}, 0.003, id="stop in front"),
        pytest.param(150e-6, {"focal_length": in_focus(150e-6)}, 0.003, id="thick"),
        # The edge that the plate images with aberrations makes fringes of its own.
        pytest.param(150e-6, {}, 0.05, id="thick, 50 µm out of focus"),
        pytest.param(
            50e-6,
            {
                "focal_length": 150e-6,
                "phase": EvenPolynomial(np.array([-10.0]), 20e-6),
                "surfaces": (curved(180e-6, 20e-6, GLASS), plane(10e-6, AIR)),
            },
            0.015,
            id="surfaces in front",
        ),
    ],
)
def test_rays_through_a_plate_say_what_waves_through_a_cover_glass_do(thickness, parts, within):
    lens = plate_behind(thickness, **parts)
    expected, found = psf(as_cover_glass(lens), 8.0), psf(lens, 8.0)
    np.testing.assert_allclose(found, expected, atol=within * expected.max())
    assert found.sum() == pytest.approx(expected.sum(), rel=1e-3)


@pytest.mark.long
def test_zero_phase_in_front_of_a_singlet_is_the_singlet():
    radius, thickness, gap, diameter, focus = -150e-6, 40e-6, 10e-6, 60e-6, 290e-6
    glass = (plane(thickness, GLASS), curved(radius, 0.0, AIR))
    behind = Metalens(diameter, thickness + focus, FLAT, rear_surfaces=glass)
    edge, _ = ray_landing(
        replace(behind, focal_length=thickness + gap), PlaneWave(jnp.zeros(2)), jnp.asarray(LIGHT),
        jnp.zeros(1), jnp.asarray([0.5 * diameter]),
    )  # fmt: skip
    front = (glass[0], replace(glass[1], thickness=gap))
    in_front = Metalens(2 * float(edge[0, 1]), focus - gap, FLAT, surfaces=front)
    expected = psf(in_front)
    np.testing.assert_allclose(psf(behind), expected, atol=0.02 * expected.max())


@pytest.mark.long
@pytest.mark.parametrize("incidence", ["normal", "local"])
@pytest.mark.parametrize(("wavelength", "within"), [(LIGHT, 0.01), (620e-9, 0.05)])
def test_meta_atoms_in_front_of_a_plate_are_those_in_front_of_a_cover_glass(wavelength, within, incidence):
    library, diameter, thickness = read_atom_library(library_path("si3n4-on-sio2")), 60e-6, 50e-6
    drawn = Metalens(diameter, in_focus(thickness), Hyperbolic(FOCUS, LIGHT))
    atoms = choose_structure(drawn, library, StructureOptions(library.pitch, (LIGHT,)))
    parts = {"aperture_diameter": diameter, "focal_length": in_focus(thickness)}
    lens = plate_behind(thickness, structure=sites_of(atoms, library, incidence=incidence), **parts)
    request = {**WINDOW, "engine": "angular_spectrum"}
    found, expected = (
        np.asarray(simulate_psf(each, wavelength, 0.2, **request)) for each in (lens, as_cover_glass(lens))
    )
    np.testing.assert_allclose(found, expected, atol=within * expected.max())
    # The light of other orders, three hundredths at another colour, is left out.
    assert found.sum() == pytest.approx(expected.sum(), rel=0.04)
    if incidence == "local":
        with pytest.raises(InputError, match="as of near objects and behind other surfaces"):
            simulate_psf(lens, wavelength, 0.2, object_distance=1e-3, **request)


@dataclass(frozen=True)
class Weak(Built):
    """A structure that has 0.8 of the amplitude and errs by 0.3 rad at the rim; and by meta-atoms, at random."""

    phase: Hyperbolic

    rotationally_symmetric = False
    flat_pixel = 0.3e-6
    library = None

    def transmission(self, y, x, wavelength):  # noqa: ARG002
        turn = self.phase.at(y, x) + 0.3 * (y**2 + x**2) / (0.5 * DIAMETER) ** 2
        noise = 0.3 * jnp.sign(jnp.sin(1e9 * y) * jnp.sin(1e9 * x))
        return 0.8 * jnp.exp(1j * turn) * jnp.exp(1j * noise) / np.cos(0.3)

    def check(self, wavelength):
        """Every wavelength is known."""


def test_rays_carry_what_varies_slowly_over_a_structure():
    lens = plate_behind(50e-6)
    lens = replace(lens, structure=Weak(lens.phase))
    place = jnp.asarray([[0.0, 0.0], [0.0, 0.3 * DIAMETER], [-0.5 * DIAMETER, 0.0]])
    strength, path = structure_light(lens, jnp.asarray(LIGHT), place)
    np.testing.assert_allclose(strength, 0.8, rtol=0.05)
    np.testing.assert_allclose(2 * np.pi / LIGHT * path, [0.0, 0.3 * 0.36, 0.3], atol=0.05)


def test_an_achromat_has_the_paraxial_foci_of_three_colours():
    glass, radius, thickness = cauchy_of_abbe(INDEX, 64.17), 0.4e-3, 60e-6
    power = 60.0
    phase = EvenPolynomial(np.array([-np.pi * (50e-6) ** 2 * power / LINE_D]), 50e-6)
    rear = (plane(thickness, glass), curved(-radius, 0.0, AIR))
    for line in (LINE_F, LINE_D, LINE_C):
        index, own = float(glass.index(line)), power * line / LINE_D
        # After the metasurface a ray of the height 1 has the slope −φ, and n times it in the glass.
        height = 1 - own * thickness / index
        expected = height / (own + height * (index - 1) / radius)
        near, far = (
            float(
                ray_landing(
                    Metalens(DIAMETER, thickness + distance, phase, rear_surfaces=rear),
                    PlaneWave(jnp.zeros(2)), jnp.asarray(line), jnp.zeros(1), jnp.asarray([1e-6]),
                )[0][0, 1]
            )
            for distance in (0.3e-3, 1.2e-3)
        )  # fmt: skip
        assert 0.3e-3 + 0.9e-3 * near / (near - far) == pytest.approx(expected, rel=1e-3)


def test_the_cone_of_light_is_that_of_the_exit_pupil():
    """A plate brings the exit pupil nearer by t(1 − 1/n); a lens a focal length behind the stop makes it infinite."""
    pupil = exit_pupil(plate_behind(60e-6), LIGHT)
    assert pupil.distance == pytest.approx(FOCUS - 60e-6 * (1 - 1 / INDEX), rel=1e-4)
    assert pupil.cone == pytest.approx(pupil.distance, rel=1e-4)
    radius = -100e-6
    focus = radius / (1 - INDEX)
    telecentric = Metalens(DIAMETER, 2 * focus, FLAT, rear_surfaces=(plane(focus, AIR), plane(0.0, GLASS)))
    telecentric = replace(telecentric, rear_surfaces=(plane(focus * INDEX, GLASS), curved(radius, 0.0, AIR)))
    assert abs(exit_pupil(telecentric, LIGHT).distance) > 1e3 * focus
    assert seen_cone(telecentric, LIGHT).focal_length == pytest.approx(focus, rel=1e-3)


@pytest.mark.long
def test_a_telecentric_lens_has_the_airy_pattern_of_its_focal_length():
    radius, conic = (1 - INDEX) * FOCUS, -(INDEX**2)
    gap = INDEX * FOCUS
    lens = Metalens(DIAMETER, gap + FOCUS, FLAT, rear_surfaces=(plane(gap, GLASS), curved(radius, 0.0, AIR, conic)))
    sag = (0.5 * DIAMETER) ** 2 / radius / (1 + np.sqrt(1 - (1 + conic) * (0.5 * DIAMETER / radius) ** 2))
    expected, found = psf(Metalens(DIAMETER, FOCUS - sag, Hyperbolic(FOCUS - sag, LIGHT))), psf(lens)
    np.testing.assert_allclose(found, expected, atol=0.02 * expected.max())


@pytest.mark.long
def test_the_edge_of_a_surface_behind_takes_the_light_outside_it():
    distance, clear = 100e-6, 14e-6
    lens = Metalens(DIAMETER, FOCUS, Hyperbolic(FOCUS, LIGHT), rear_surfaces=(plane(distance, AIR), plane(0.0, AIR)))
    narrow = replace(lens, rear_surfaces=(lens.rear_surfaces[0], plane(0.0, AIR, clear)))
    beam = DIAMETER * (1 - distance / FOCUS)
    shadowed, lit = (psf(each, window=(96, 96)).sum() for each in (narrow, lens))
    assert shadowed / lit == pytest.approx((clear / beam) ** 2, rel=0.02)


@pytest.mark.long
def test_engines_agree_off_the_axis():
    lens = replace(plate_behind(50e-6), rear_surfaces=(plane(50e-6, GLASS), curved(-500e-6, 0.0, AIR)))
    found = [psf(lens, 6.0, engine=each) for each in ("angular_spectrum", "direction_cosine", "rayleigh_sommerfeld")]
    for each in found[:2]:
        np.testing.assert_allclose(each, found[2], atol=0.01 * found[2].max())


@pytest.mark.long
@pytest.mark.parametrize(("name", "step"), [("curvature", 0.03), ("coefficients", 3e-3)])
def test_the_peak_has_a_derivative_by_glass_and_by_phase(name, step):
    phase = EvenPolynomial(np.array([-30.0, 1.0]), 20e-6)
    lens = Metalens(DIAMETER, FOCUS, phase, rear_surfaces=(plane(40e-6, GLASS), curved(-500e-6, 0.0, AIR)))
    simulator = psf_simulator(lens, [LIGHT], [0.1], **WINDOW, engine="angular_spectrum")

    @jax.jit
    @jax.value_and_grad
    def peak(scale):
        if name == "coefficients":
            return simulator(replace(lens, phase=replace(phase, coefficients=phase.coefficients * scale))).max()
        first, last = lens.rear_surfaces
        return simulator(replace(lens, rear_surfaces=(first, replace(last, curvature=last.curvature * scale)))).max()

    lower, slope, upper = peak(1 - step)[0], peak(1.0)[1], peak(1 + step)[0]
    assert float(slope) == pytest.approx(float(upper - lower) / (2 * step), rel=0.01)


def test_chief_rays_land_where_they_are_asked_to():
    lens = replace(plate_behind(50e-6), rear_surfaces=(plane(50e-6, GLASS), curved(-300e-6, 0.0, AIR)))
    source = source_at(jnp.asarray(direction_to(lens, LIGHT, 15e-6, -25e-6)), None)
    landing = chief_ray(lens, jnp.asarray(LIGHT), source.direction).landing
    np.testing.assert_allclose(landing, (15e-6, -25e-6), rtol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rear_surfaces": (plane(10e-6, GLASS),)}, "and only the first is there"),
        ({"rear_surfaces": (plane(210e-6, GLASS), plane(0.0, AIR))}, "in front of the last surface"),
        ({"cover_glass": Plate(160e-6, INDEX)}, "the sensor or its cover glass lies 10 µm"),
        ({"response": Kinoform(LIGHT, (0, 1))}, "2 diffraction orders at once"),
        ({"structure": Weak(FLAT), "aperture": Annulus(5e-6)}, "behind another opening than a disc"),
        ({"phase": FLAT, "rear_surfaces": (plane(30e-6, AIR), curved(15e-6, 20e-6, GLASS), plane(0.0, AIR))},
         "misses surface 1 behind the metasurface"),
        ({"rear_surfaces": (plane(50e-6, GLASS), plane(0.0, AIR, 0.5e-6))}, "less than a hundredth of the light"),
        ({"phase": EvenPolynomial(np.array([0.0, 40.0]), 20e-6), "stop": Stop(30e-6, 40e-6)}, "cross each other"),
        ({"rear_surfaces": (plane(50e-6, GLASS), curved(-22e-6, 0.0, AIR))}, "totally reflected at surface 1 behind"),
        ({"rear_surfaces": (plane(2e-6, GLASS), curved(-40e-6, 0.0, AIR))}, "behind the metasurface before it"),
    ],
)  # fmt: skip
def test_light_that_rays_do_not_carry_is_refused_in_one_sentence(changes, message):
    with pytest.raises(InputError, match=message):
        psf(replace(plate_behind(50e-6), **changes))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sensor_tilt": (0.0, 0.1)}, "tilted sensors are not simulated"),
        ({"engine": "vectorial"}, "the vectorial engine computes plane waves"),
    ],
)
def test_what_is_not_simulated_with_them_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        psf(plate_behind(50e-6), **options)
