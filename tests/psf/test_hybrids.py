"""Refractive surfaces in front of a metalens: foci, aberrations and colours in closed form, and what is refused."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera, write_camera
from metalens.formats.design.spec import read_design
from metalens.formats.files.errors import InputError
from metalens.optics import (
    Cauchy,
    EvenPolynomial,
    Hyperbolic,
    Metalens,
    PlaneWave,
    Plate,
    PointSource,
    Stop,
    Surface,
    cauchy_of_abbe,
    metalens_of,
)
from metalens.optics.incidence import local_incidence
from metalens.optics.refraction.check import checked_behind_surfaces
from metalens.optics.refraction.dispersion import LINE_C, LINE_D, LINE_F
from metalens.optics.refraction.refracted_light import behind_surfaces
from metalens.psf import psf_simulator, simulate_psf
from metalens.psf.camera_fields import view_of
from metalens.psf.conjugates import source_at
from metalens.psf.rays import direction_to, ray_landing
from metalens.workflows.design import design

LIGHT = 532e-9
INDEX = 1.5168
AIR, GLASS = Cauchy(1.0), Cauchy(INDEX)
FLAT = EvenPolynomial(np.zeros(1), 50e-6)
WINDOW = {"window": (48, 48), "pixel_pitch": 0.5e-6, "integrate_pixels": True}
GRID = {**WINDOW, "engine": "angular_spectrum"}
FOCUS = 300e-6
DIAMETER = 40e-6


def plane(thickness, medium, clear=200e-6):
    return Surface(0.0, 0.0, np.zeros(0), 1.0, clear, thickness, medium)


def curved(radius, thickness, medium, conic=0.0, clear=200e-6):
    return Surface(1 / radius, conic, np.zeros(0), 1.0, clear, thickness, medium)


def oval(gap=10e-6):
    """A plano-hyperbolic lens that focuses parallel light to a point, without aberration."""
    return plane(60e-6, GLASS), curved((1 - INDEX) * FOCUS, gap, AIR, conic=-(INDEX**2))


def behind(*surfaces, distance=FOCUS - 10e-6, diameter=DIAMETER, phase=FLAT, **parts):
    return Metalens(diameter, distance, phase, surfaces=surfaces, **parts)


def psf(lens, degrees=0.0, **options):
    return np.asarray(simulate_psf(lens, LIGHT, np.radians(degrees), **{**GRID, **options}))


def focus(lens, wavelength, height=1e-6):
    """Where a ray near the axis meets it behind the lens, in metres."""
    flat, light, _ = checked_behind_surfaces(lens, PlaneWave(jnp.zeros(2)), wavelength)
    landing, _ = ray_landing(flat, light, jnp.asarray(wavelength), jnp.zeros(1), jnp.asarray([height]))
    return float(lens.focal_length) / (1 - float(landing[0, 1]) / height)


def test_an_aplanatic_surface_has_the_airy_pattern_of_a_lens_without_aberration():
    found = psf(behind(*oval()))
    perfect = psf(Metalens(DIAMETER, FOCUS - 10e-6, Hyperbolic(FOCUS - 10e-6, LIGHT)))
    assert found.max() / perfect.max() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(found, perfect, atol=1e-3 * perfect.max())
    assert found.sum() <= 1


@pytest.mark.long
def test_both_engines_agree_off_the_axis_and_behind_a_stop():
    stop = Stop(DIAMETER, 15e-6)
    lens = behind(*oval(), distance=FOCUS - 25e-6, diameter=50e-6, stop=stop)
    spectrum, convolved = (psf(lens, 8.0, engine=name) for name in ("angular_spectrum", "rayleigh_sommerfeld"))
    np.testing.assert_allclose(spectrum, convolved, atol=0.01 * convolved.max())


@pytest.mark.long
def test_rays_to_a_plane_say_what_waves_to_it_do():
    # The same glass behind one surface, as a part of the ray-traced front or as a substrate that waves pass.
    radius, near, far = 200e-6, 20e-6, 60e-6
    inside = INDEX * radius / (INDEX - 1)
    distance, narrower = (inside - far) / INDEX, (inside - far) / (inside - near)
    rays = behind(curved(radius, far, GLASS), distance=distance, diameter=DIAMETER * narrower)
    waves = behind(
        curved(radius, near, GLASS), distance=distance, diameter=80e-6,
        stop=Stop(DIAMETER, 0.0), substrate=Plate(far - near, INDEX),
    )  # fmt: skip
    expected, found = psf(waves), psf(rays)
    np.testing.assert_allclose(found, expected, atol=0.03 * expected.max())


FRONT = {"radius_of_curvature_um": 110.0, "thickness_um": 40.0, "clear_diameter_um": 80.0, "index": INDEX}
BEHIND = {"radius_of_curvature_um": -110.0, "clear_diameter_um": 80.0}


@pytest.mark.long
@pytest.mark.parametrize(
    ("surfaces", "distance"),
    [
        pytest.param([FRONT], 180.0, id="front"),
        pytest.param([{"metasurface": True, "thickness_um": 40.0, "index": INDEX}, BEHIND], 240.0, id="behind"),
    ],
)
def test_a_design_of_a_hybrid_starts_from_the_cameras_phase_and_improves_it(tmp_path, surfaces, distance):
    phase = {"family": "even_polynomial", "radius_um": 30.0, "coefficients_rad": [-1.0, 0.0]}
    lens = {"aperture_um": 60.0, "focal_length_um": distance, "phase": phase, "surfaces": surfaces}
    spec = read_design("held").with_(
        name="hybrid",
        camera={"lens": lens, "sensor": {"pixels": (32, 32), "pixel_pitch_um": 1.2}},
        variables={"terms": 2},
        start={"families": ("camera",), "wavelengths_nm": ()},
        sampling={"fields_deg": (0.0, 3.0)},
        search={"steps": 10},
    )
    found = design(spec, tmp_path / "lens.toml")
    history = np.asarray(found.state.history)
    assert history[-1, 1] < history[0, 1]
    assert found.camera.lens.surfaces == spec.camera.lens.surfaces


@pytest.mark.long
def test_direction_cosines_agree_with_the_reference_in_shadow_and_in_colour():
    front = curved(150e-6, 60e-6, cauchy_of_abbe(INDEX, 40.0), clear=36e-6)
    lens = behind(front, distance=200e-6)
    request = {**WINDOW, "window": (65, 65), "integrate_pixels": False}
    simulators = [
        psf_simulator(lens, [480e-9, 640e-9], [0.0, 0.12], engine=name, **request)
        for name in ("direction_cosine", "rayleigh_sommerfeld")
    ]
    found, expected = (np.asarray(each(lens)) for each in simulators)
    peak = expected.max(axis=(-2, -1), keepdims=True)
    np.testing.assert_allclose(found / peak, expected / peak, atol=0.02)


def test_a_plane_parallel_plate_moves_the_focus_by_its_closed_form():
    thickness = 80e-6
    with_plate = focus(behind(*oval(0.0), plane(thickness, GLASS), plane(0.0, AIR)), LIGHT)
    assert with_plate + thickness == pytest.approx(FOCUS + thickness * (1 - 1 / INDEX), rel=1e-4)


@pytest.mark.long
def test_a_plate_in_front_of_the_lens_acts_as_a_cover_glass_behind_it():
    thickness = 80e-6
    with_plate = FOCUS - thickness / INDEX
    lens = behind(*oval(0.0), distance=with_plate)
    as_cover = replace(lens, focal_length=with_plate + thickness, cover_glass=Plate(thickness, INDEX))
    as_surfaces = replace(lens, surfaces=(*oval(0.0), plane(thickness, GLASS), plane(0.0, AIR)))
    # The same cone of rays is narrower behind the plate than in front of it.
    as_surfaces = replace(as_surfaces, aperture_diameter=DIAMETER * with_plate / FOCUS)
    expected, found = psf(as_cover), psf(as_surfaces)
    np.testing.assert_allclose(found, expected, atol=0.01 * expected.max())


@pytest.mark.long
def test_a_near_point_through_a_plate_has_the_path_of_snells_law():
    thickness, distance = 100e-6, 300e-6
    lens = behind(plane(thickness, GLASS), plane(0.0, AIR))
    _, light = behind_surfaces(lens, PointSource(jnp.zeros(2), distance), jnp.asarray(LIGHT))
    sine = np.linspace(0, 0.04, 5)
    inside = sine / INDEX
    cosine, cosine_inside = np.sqrt(1 - sine**2), np.sqrt(1 - inside**2)
    place = distance * sine / cosine + thickness * inside / cosine_inside
    path = distance * (1 / cosine - 1) + INDEX * thickness * (1 / cosine_inside - 1)
    np.testing.assert_allclose(light.path(jnp.zeros(5), jnp.asarray(place)), path, atol=1e-4 * LIGHT)


def test_a_plano_convex_lens_has_its_focal_length_and_seidels_spherical_aberration():
    radius, thickness = 300e-6, 30e-6
    lens = behind(curved(radius, thickness, GLASS), diameter=100e-6, distance=500e-6)
    assert focus(lens, LIGHT) == pytest.approx(radius / (INDEX - 1) - thickness / INDEX, rel=1e-3)
    _, light, _ = checked_behind_surfaces(lens, PlaneWave(jnp.zeros(2)), LIGHT)
    place, inside = 40e-6, INDEX * radius / (INDEX - 1)
    reach = inside - thickness
    sphere = -INDEX * (np.hypot(reach, place) - reach)
    height = place * inside / reach
    seidel = height**4 * (INDEX - 1) / (INDEX**2 * radius**3)
    found = float(light.path(jnp.zeros(()), jnp.asarray(place))) - sphere
    assert found == pytest.approx(-seidel / 8, rel=0.05)


def test_an_achromat_of_glass_and_metasurface_has_one_focus_for_two_colours():
    # Abbe numbers: 64.17 of the glass, λ_d/(λ_F − λ_C) = −3.45 of a phase that is the same at every wavelength.
    abbe, diffractive, length = 64.17, LINE_D / (LINE_F - LINE_C), 2e-3
    assert diffractive == pytest.approx(-3.45, abs=5e-3)
    glass = cauchy_of_abbe(INDEX, abbe)
    refractive_power = abbe / (abbe - diffractive) / length
    front = curved((INDEX - 1) / refractive_power, 10e-6, glass)
    phase_power = -diffractive / (abbe - diffractive) / length
    phase = EvenPolynomial(np.array([-np.pi * (50e-6) ** 2 * phase_power / LINE_D]), 50e-6)
    hybrid, bare = behind(front, phase=phase, distance=length), Metalens(DIAMETER, length, Hyperbolic(length, LINE_D))
    blue, yellow, red = (focus(hybrid, line) for line in (LINE_F, LINE_D, LINE_C))
    assert yellow == pytest.approx(length, rel=0.01)
    assert abs(blue - red) < 1e-3 * length
    shift = focus(bare, LINE_F) - focus(bare, LINE_C)
    assert shift == pytest.approx(length * LINE_D * (1 / LINE_F - 1 / LINE_C), rel=1e-3)
    assert abs(blue - yellow) < 0.02 * shift


@pytest.mark.long
def test_the_edge_of_a_surface_casts_a_shadow_of_the_area_that_is_left():
    # Behind air the shadow is displaced; two discs of the radius a, their centres s apart, overlap in a lens shape.
    radius, aside = 0.5 * DIAMETER, 60e-6 * np.tan(np.radians(12))
    lens = behind(plane(60e-6, AIR, DIAMETER), phase=Hyperbolic(FOCUS, LIGHT), distance=FOCUS)
    half = np.arccos(aside / (2 * radius))
    lune = 2 * radius**2 * half - 0.5 * aside * np.sqrt(4 * radius**2 - aside**2)
    open_lens = replace(lens, surfaces=(plane(60e-6, AIR),))
    shadowed, lit = (psf(each, 12.0, window=(96, 96)).sum() for each in (lens, open_lens))
    assert shadowed / lit == pytest.approx(lune / (np.pi * radius**2), rel=0.02)


@pytest.mark.long
@pytest.mark.parametrize("name", ["curvature", "thickness"])
def test_the_peak_has_a_derivative_by_a_surface(name):
    front = curved(200e-6, 40e-6, GLASS)
    lens = behind(front, distance=370e-6)
    simulator = psf_simulator(lens, [LIGHT], [0.1], **GRID)

    @jax.jit
    @jax.value_and_grad
    def peak(scale):
        return simulator(replace(lens, surfaces=(replace(front, **{name: getattr(front, name) * scale}),))).max()

    step = 0.02
    lower, slope, upper = peak(1 - step)[0], peak(1.0)[1], peak(1 + step)[0]
    assert float(slope) == pytest.approx(float(upper - lower) / (2 * step), rel=0.05)


@pytest.mark.long
@pytest.mark.parametrize("distance", [None, 2e-3])
def test_chief_rays_land_where_they_are_asked_to_from_far_and_near(distance):
    lens = behind(*oval(), distance=FOCUS - 10e-6)
    y, x = 20e-6, -35e-6
    sine = direction_to(lens, LIGHT, y, x, distance)
    source = source_at(jnp.asarray(sine), distance)
    flat, light = behind_surfaces(lens, source, jnp.asarray(LIGHT))
    slope = np.asarray(light.direction) / np.sqrt(1 - np.sum(np.square(light.direction)))
    np.testing.assert_allclose(slope * float(flat.focal_length), (y, x), rtol=1e-4)


def test_meta_atoms_see_the_directions_of_the_rays():
    flat, light, _ = checked_behind_surfaces(behind(*oval()), PlaneWave(jnp.zeros(2)), LIGHT)
    _, along_x = local_incidence(flat, light, "yy").direction(jnp.zeros(1), jnp.asarray([15e-6]))
    assert float(along_x[0]) == pytest.approx(-15 / np.hypot(15, 290), rel=1e-4)


@pytest.mark.long
def test_a_bank_of_a_camera_knows_its_surfaces(tmp_path):
    path = tmp_path / "lens.toml"
    surfaces = [
        {"thickness_um": 60, "clear_diameter_um": 200, "index": INDEX, "abbe_number": 64.2},
        {"radius_of_curvature_um": -155, "conic": -2.3, "thickness_um": 10, "clear_diameter_um": 200},
    ]
    phase = {"family": "even_polynomial", "radius_um": 20.0, "coefficients_rad": [0.0]}
    table = {"aperture_um": 40, "focal_length_um": 290, "phase": phase, "surfaces": surfaces}
    camera = read_camera("hyperbolic").with_(lens=table, sensor={"pixels": (64, 64), "pixel_pitch_um": 1.0})
    write_camera(path, camera)
    read = read_camera(path)
    assert read == camera
    assert len(metalens_of(read).surfaces) == 2
    view = view_of(read, np.array([[0.0, 0.0], [10e-6, 30e-6]]), LIGHT)
    landing, inside = view.rays(1, LIGHT, 4, 8)
    assert inside.all()
    assert np.abs(landing).max() < 3e-6
    # The whole system's focal length is that of the oval, longer than the distance to the sensor.
    assert np.hypot(10, 30) / 300 == pytest.approx(float(np.tan(np.arcsin(np.hypot(*view.direction[1])))), rel=0.01)


@pytest.mark.parametrize(
    ("lens", "degrees", "message"),
    [
        (behind(curved(30e-6, 40e-6, GLASS), diameter=100e-6), 0.0, "misses surface 1, which has no point there"),
        (behind(plane(60e-6, GLASS), curved(40e-6, 30e-6, AIR), diameter=90e-6), 0.0, "totally reflected at surface 2"),
        (behind(plane(60e-6, GLASS), curved(-50e-6, 25e-6, AIR), diameter=30e-6), 0.0, "no ray meets a part"),
        (behind(curved(60e-6, 5e-6, GLASS), diameter=60e-6), 0.0, "behind surface 1 before it: they overlap"),
        (behind(curved(100e-6, 240e-6, GLASS), diameter=10e-6), 0.0, "rays cross each other in front of the stop"),
    ],
)  # fmt: skip
def test_light_that_makes_no_wavefront_is_refused_in_one_sentence(lens, degrees, message):
    with pytest.raises(InputError, match=message) as refused:
        psf(lens, degrees)
    assert str(refused.value).startswith("lens.surfaces: at a field angle of 0.0° and 532 nm")


@pytest.mark.parametrize("engine", ["vectorial", "fresnel"])
def test_engines_of_plane_waves_refuse_them(engine):
    with pytest.raises(InputError, match="refractive surfaces"):
        psf(behind(*oval()), engine=engine)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"sensor_tilt": (0.0, 0.1)}, "tilted sensors are not simulated behind refractive surfaces"),
        ({"substrate": Plate(10e-6, INDEX)}, {}, "give its glass and thickness to the last surface"),
        (
            {"surfaces": (plane(-1e-6, GLASS),)},
            {},
            "surface 1 has a clear_diameter of 0.0002 m and a thickness of -1e-06",
        ),
        ({"surfaces": (plane(0.0, GLASS, clear=float("nan")),)}, {}, "surface 1 has a clear_diameter of nan m"),
    ],
)
def test_what_is_not_simulated_with_surfaces_is_refused(changes, options, message):
    with pytest.raises(InputError, match=message):
        psf(replace(behind(*oval()), **changes), **options)


def test_the_polynomial_of_a_wavefront_tells_its_error():
    assert 0 < checked_behind_surfaces(behind(*oval()), PlaneWave(jnp.array([0.0, 0.1])), LIGHT).error < 1e-4
    assert checked_behind_surfaces(behind(), PlaneWave(jnp.zeros(2)), LIGHT).error == 0
