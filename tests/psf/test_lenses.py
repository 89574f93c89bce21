"""Every kind of lens, opening, response and light goes through the engines, and its numbers have derivatives."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.optics import (
    Annulus,
    Circle,
    Cubic,
    EvenPolynomial,
    Freeform,
    Hyperbolic,
    Kinoform,
    LogAsphere,
    MetaAtoms,
    Metalens,
    Plate,
    Polygon,
    Quadratic,
    Stop,
    Sum,
    Zernike,
    nano_optics_proxy,
    regular_polygon,
)
from metalens.psf import measures, psf_simulator, simulate_psf

FOCUS = 200e-6
RADIUS = 40e-6
HYPERBOLIC = Hyperbolic(FOCUS, 532e-9)
LENS = Metalens(2 * RADIUS, FOCUS, HYPERBOLIC)
WINDOW = {"window": (32, 32), "pixel_pitch": 0.6e-6}


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def smooth_map() -> np.ndarray:
    """Hyperbolic plus a little astigmatism, sampled."""
    position = 2e-6 * (np.arange(51) - 25)
    y, x = position[:, None], position[None, :]
    return np.asarray(HYPERBOLIC.at(y, x)) + 1.5 * (x**2 - y**2) / RADIUS**2


FAMILIES = {
    "hyperbolic": HYPERBOLIC,
    "quadratic": Quadratic(FOCUS, 532e-9),
    "even polynomial": EvenPolynomial(np.array([-47.0, 1.0]), RADIUS),
    "log-asphere": LogAsphere(0.97 * FOCUS, 1.03 * FOCUS, RADIUS, 532e-9),
    "cubic": HYPERBOLIC + Cubic(8.0, RADIUS),
    "Zernike": HYPERBOLIC + Zernike((3, 7, 12), np.array([0.4, -0.3, 0.2]), RADIUS),
    "freeform": Freeform(smooth_map(), 2e-6),
}


OF_ALL_FAMILIES = Sum(
    (
        HYPERBOLIC,
        # Weak: together they bend light little more than the first.
        Quadratic(30 * FOCUS, 532e-9),
        EvenPolynomial(np.array([-3.0, 1.0]), RADIUS),
        LogAsphere(29 * FOCUS, 31 * FOCUS, RADIUS, 532e-9),
        Cubic(8.0, RADIUS),
        Zernike((3, 7, 12), np.array([0.4, -0.3, 0.2]), RADIUS),
        Freeform(smooth_map() / 30, 2e-6),
    )
)


def require_agreement(lens, **within):
    """That engines differ from the exact one by less than is said, off the axis."""
    angle = (np.radians(8), 0.5)
    exact = simulate_psf(lens, 500e-9, angle, engine="rayleigh_sommerfeld", **WINDOW)
    for engine, difference in within.items():
        assert relative_difference(simulate_psf(lens, 500e-9, angle, engine=engine, **WINDOW), exact) < difference


# Each is compiled for both engines: a second or two.
ONE_BY_ONE = [pytest.param(phase, marks=pytest.mark.long, id=name) for name, phase in FAMILIES.items()]


@pytest.mark.parametrize("phase", [pytest.param(OF_ALL_FAMILIES, id="sum of all"), *ONE_BY_ONE])
def test_the_engines_agree_on_every_phase_family(phase):
    require_agreement(replace(LENS, phase=phase), angular_spectrum=2e-3, direction_cosine=1e-2)


@pytest.mark.parametrize(
    ("engine", "phase"),
    [
        pytest.param(
            "direction_cosine", HYPERBOLIC + Zernike((3, 7), np.array([0.4, -0.3]), RADIUS), marks=pytest.mark.long
        ),
        # tests/optics/test_phase_families.py has the gradients of each family by themselves.
        pytest.param("direction_cosine", OF_ALL_FAMILIES, marks=pytest.mark.long),
        ("angular_spectrum", FAMILIES["Zernike"]),
    ],
)
def test_gradients_agree_with_finite_differences(engine, phase):
    """Of a weighted sum of the light, along directions that move every number of one family, and of the lens."""
    lens = replace(LENS, phase=phase)
    random = np.random.default_rng(3)
    leaves, structure = jax.tree.flatten(lens)
    paths = [path for path, _ in jax.tree_util.tree_flatten_with_path(lens)[0]]
    # 0 for the lens' own numbers, 1 and more for those of each family.
    groups = [path[2].idx + 1 if path[0].name == "phase" else 0 for path in paths]
    with jax.enable_x64(True):
        steps = [np.asarray(leaf) * 1e-3 * random.uniform(0.5, 1, np.shape(leaf)) for leaf in leaves]
        simulator = psf_simulator(lens, [500e-9], [(0.1, 0.4)], window=(12, 12), pixel_pitch=0.8e-6, engine=engine)
        weight = jnp.asarray(random.uniform(0, 1, (12, 12)))

        def light(amounts):
            moved = [leaf + amounts[group] * step for leaf, step, group in zip(leaves, steps, groups, strict=True)]
            return (simulator(jax.tree.unflatten(structure, moved))[0, 0] * weight).sum()

        value = jax.jit(light)
        count, small = len(phase.terms) + 1, 1e-3
        # A slope takes twenty times as long as a value, to compile and to run: it is computed once.
        slope = np.asarray(jax.jit(jax.grad(light))(jnp.zeros(count)))
        upper, lower = (
            np.array([float(value(jnp.asarray(row))) for row in sign * small * np.eye(count)]) for sign in (1, -1)
        )
    np.testing.assert_allclose(slope, (upper - lower) / (2 * small), rtol=1e-3)


# A polygon, too.
HEXAGON = pytest.param(regular_polygon(6, 2 * RADIUS), marks=pytest.mark.long)


@pytest.mark.parametrize(
    "aperture",
    [
        Annulus(30e-6),
        HEXAGON,
        # A hexagon is a polygon, too.
        pytest.param(Polygon([(-3e-5, -3e-5), (3e-5, -2e-5), (0.0, 3e-5)]), marks=pytest.mark.long),
    ],
)
def test_the_engines_agree_on_every_opening(aperture):
    require_agreement(replace(LENS, aperture=aperture), angular_spectrum=5e-3, direction_cosine=2e-2)


@pytest.mark.long
def test_an_annulus_has_the_narrow_core_of_its_rim():
    """In the limit of a thin ring the pattern is J₀²: its first null lies at 0.383 λ/NA, a disc's at 0.610 λ/NA."""
    pitch = 0.1e-6
    nulls = []
    for aperture in (Circle(), Annulus(1.9 * RADIUS)):
        psf = simulate_psf(replace(LENS, aperture=aperture), 532e-9, 0.0, window=(41, 41), pixel_pitch=pitch)
        profile = psf[20, 20:]
        nulls.append(pitch * int(np.argmax(np.diff(profile) > 0)))
    aperture_angle = np.sin(np.arctan(RADIUS / FOCUS))
    assert nulls[0] == pytest.approx(0.610 * 532e-9 / aperture_angle, abs=pitch)
    assert nulls[1] == pytest.approx(0.383 * 532e-9 / (0.975 * aperture_angle), abs=pitch)


# test_a_stop_makes_a_quadratic_lens_sharp_over_the_field has the image behind a stop.
@pytest.mark.long
@pytest.mark.parametrize("degrees", [0, 15])
def test_a_stop_on_a_substrate_agrees_with_the_reference_engine(degrees):
    lens = Metalens(140e-6, FOCUS, Quadratic(FOCUS, 532e-9), stop=Stop(50e-6, 20e-6), substrate=Plate(100e-6, 1.46))
    angle = (np.radians(degrees), 0.5)
    exact = simulate_psf(lens, 532e-9, angle, engine="rayleigh_sommerfeld", **WINDOW)
    assert relative_difference(simulate_psf(lens, 532e-9, angle, **WINDOW), exact) < 3e-3


def test_a_stop_makes_a_quadratic_lens_sharp_over_the_field():
    """The wide-field metalens: its stop lets each field through another part of a phase that is the same but tilted."""
    window = {"window": (64, 64), "pixel_pitch": 0.6e-6}
    wide = Metalens(300e-6, FOCUS, Quadratic(FOCUS, 532e-9), stop=Stop(60e-6, 0.0), substrate=Plate(290e-6, 1.46))
    plain = Metalens(60e-6, FOCUS, HYPERBOLIC)
    widths = {
        name: [measures.rms_width(simulate_psf(lens, 532e-9, np.radians(a), **window), 0.6e-6) for a in (0, 25)]
        for name, lens in [("wide", wide), ("plain", plain)]
    }
    assert widths["wide"][1] < 1.5 * widths["wide"][0]
    assert widths["plain"][1] > 2 * widths["plain"][0]


def test_a_stop_that_touches_the_lens_is_the_lens_own_opening():
    opened = replace(LENS, aperture_diameter=3 * RADIUS, stop=Stop(2 * RADIUS, 0.0))
    angle = (np.radians(10), 1.0)
    plain = simulate_psf(LENS, 532e-9, angle, engine="angular_spectrum", **WINDOW)
    assert relative_difference(simulate_psf(opened, 532e-9, angle, **WINDOW), plain) < 1e-3


def test_a_cover_glass_moves_the_focus_back_by_its_optical_shortening():
    """A plate of thickness t and index n moves a paraxial focus by t(1 − 1/n)."""
    slow = Metalens(80e-6, 400e-6, Hyperbolic(400e-6, 532e-9))
    glass = Plate(150e-6, 1.5)
    peaks = [
        simulate_psf(
            replace(slow, cover_glass=glass), 532e-9, 0.0, window=(9, 9), pixel_pitch=1e-6, defocus=defocus
        ).max()
        for defocus in (0.0, 50e-6, 100e-6)
    ]
    assert peaks[1] > max(peaks[0], peaks[2])
    plain = simulate_psf(slow, 532e-9, 0.0, window=(9, 9), pixel_pitch=1e-6).max()
    assert peaks[1] == pytest.approx(plain, rel=0.05)


def test_a_cover_glass_of_index_one_is_air():
    angle = (np.radians(12), 0.3)
    plain = simulate_psf(LENS, 532e-9, angle, engine="angular_spectrum", **WINDOW)
    covered = simulate_psf(replace(LENS, cover_glass=Plate(80e-6, 1.0)), 532e-9, angle, **WINDOW)
    assert relative_difference(covered, plain) < 1e-4


@pytest.mark.parametrize("engine", ["direction_cosine", "angular_spectrum", "rayleigh_sommerfeld"])
def test_a_point_at_the_conjugate_distance_is_imaged_sharply(engine):
    """Thin lens: 1/z + 1/z′ = 1/f. With the source at 2f the sensor belongs at 2f."""
    focal = 200e-6
    slow = Metalens(80e-6, focal, Quadratic(focal, 532e-9))
    options = {"window": (15, 15), "pixel_pitch": 1e-6, "engine": engine, "object_distance": 2 * focal}
    sharp, before = (simulate_psf(slow, 532e-9, 0.0, defocus=defocus, **options) for defocus in (focal, 0.6 * focal))
    assert sharp.max() > 1.5 * before.max()
    assert sharp.argmax() == 7 * 15 + 7


@pytest.mark.parametrize("engine", ["direction_cosine", "angular_spectrum"])
def test_a_tilted_sensor_is_sampled_at_the_depth_of_its_chief_ray(engine):
    """Against a direct sum over the disc to the points of the tilted plane itself."""
    slopes = (np.tan(np.radians(3)), np.tan(np.radians(-2)))
    theta, phi = np.radians(12), 0.6
    found = simulate_psf(LENS, 532e-9, (theta, phi), engine=engine, sensor_tilt=slopes, **WINDOW)
    node, weight = np.polynomial.legendre.leggauss(120)
    radius = RADIUS * np.sqrt((node + 1) / 2)
    turn = 2 * np.pi * (np.arange(480) + 0.5) / 480
    pupil_y, pupil_x = np.outer(radius, np.sin(turn)).ravel(), np.outer(radius, np.cos(turn)).ravel()
    share = np.repeat(weight / 2, 480) / 480 * np.pi * RADIUS**2
    k = 2 * np.pi / 532e-9
    q, p = np.sin(theta) * np.sin(phi), np.sin(theta) * np.cos(phi)
    phase = np.asarray(HYPERBOLIC.at(pupil_y, pupil_x), dtype=float) + k * (q * pupil_y + p * pupil_x)
    chief = np.array([q, p]) / np.cos(theta)
    depth = FOCUS / (1 - chief @ np.array(slopes))
    pitch = WINDOW["pixel_pitch"]
    row, column = np.unravel_index(np.argsort(found.ravel())[::-1][:60], found.shape)
    away_y, away_x = pitch * (row - 16), pitch * (column - 16)
    exact = []
    for dy, dx in zip(away_y, away_x, strict=True):
        z = depth + slopes[0] * dy + slopes[1] * dx
        squared = (depth * chief[0] + dy - pupil_y) ** 2 + (depth * chief[1] + dx - pupil_x) ** 2 + z**2
        field = (share * z / (532e-9 * squared) * np.exp(1j * (phase + k * np.sqrt(squared)))).sum()
        exact.append(abs(field) ** 2 / (np.pi * RADIUS**2) * pitch**2)
    # The depth differs over the window by a micrometre: that much of the focus' depth is left out.
    assert relative_difference(found[row, column], np.array(exact)) < 2e-2


@pytest.mark.long
def test_a_kinoform_sends_its_efficiency_into_the_order():
    """sinc²(λ₀/λ − 1) of the light."""
    ideal = simulate_psf(LENS, 600e-9, 0.0, **WINDOW)
    blazed = simulate_psf(replace(LENS, response=Kinoform(532e-9)), 600e-9, 0.0, **WINDOW)
    np.testing.assert_allclose(blazed, np.sinc(532 / 600 - 1) ** 2 * ideal, rtol=1e-4, atol=1e-9)


def test_light_of_other_orders_is_a_haze_about_the_image():
    lens = replace(LENS, response=Kinoform(532e-9, (0, 1, 2)))
    wide = {"window": (81, 81), "pixel_pitch": 1e-6, "integrate_pixels": True}
    with_haze = simulate_psf(lens, 640e-9, 0.0, **wide)
    image = simulate_psf(replace(lens, response=Kinoform(532e-9)), 640e-9, 0.0, **wide)
    assert with_haze.sum() > image.sum() + 0.5 * np.sinc(532 / 640) ** 2
    ring = np.hypot(*np.meshgrid(np.arange(81) - 40, np.arange(81) - 40)) > 25
    assert with_haze[ring].sum() > 3 * image[ring].sum()


def test_meta_atoms_image_with_less_light_than_the_ideal_phase():
    atoms = MetaAtoms(nano_optics_proxy(), 532e-9, orders=(1,))
    ideal = simulate_psf(LENS, 532e-9, 0.0, **WINDOW)
    real = simulate_psf(replace(LENS, response=atoms), 532e-9, 0.0, **WINDOW)
    assert 0.5 * ideal.sum() < real.sum() < ideal.sum()
    with pytest.raises(InputError, match="lies outside the table"):
        simulate_psf(replace(LENS, response=atoms), 1.5e-6, 0.0, **WINDOW)


def map_of_pixels(change) -> Freeform:
    """The hyperbolic profile on meta-atoms 350 nm apart, wrapped into 2π and changed."""
    position = 0.35e-6 * (np.arange(243) - 121)
    wrapped = np.mod(np.asarray(HYPERBOLIC.at(position[:, None], position[None, :]), dtype=float), 2 * np.pi)
    return Freeform(change(wrapped), 0.35e-6, "nearest")


@pytest.mark.long
def test_a_map_of_flat_pixels_goes_to_the_grid_and_matches_its_smooth_phase():
    lens = replace(LENS, phase=map_of_pixels(lambda phase: phase))
    found = simulate_psf(lens, 532e-9, np.radians(5), **WINDOW)
    smooth = simulate_psf(LENS, 532e-9, np.radians(5), **WINDOW)
    assert relative_difference(found, smooth) < 0.05
    with pytest.raises(InputError, match="a phase of flat pixels"):
        simulate_psf(lens, 532e-9, np.radians(5), engine="direction_cosine", **WINDOW)


# tests/optics/test_fabrication.py and test_structure_choice.py have both forms of the efficiency.
@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "strehl"),
    [
        pytest.param(
            lambda phase: phase + np.random.default_rng(0).normal(0, 0.3, phase.shape),
            np.exp(-(0.3**2)),
            id="random errors of 0.3 rad: exp(-σ²) = 0.914",
        ),
        pytest.param(
            lambda phase: np.floor(phase * 8 / (2 * np.pi)) * (2 * np.pi / 8),
            np.sinc(1 / 8) ** 2,
            id="8 levels: sinc²(1/8) = 0.9496",
        ),
    ],
)
def test_fabrication_lowers_the_peak_as_the_closed_form_says(change, strehl):
    small = {"window": (5, 5), "pixel_pitch": 0.6e-6}
    perfect = simulate_psf(replace(LENS, phase=map_of_pixels(lambda phase: phase)), 532e-9, 0.0, **small).max()
    changed = simulate_psf(replace(LENS, phase=map_of_pixels(change)), 532e-9, 0.0, **small).max()
    assert changed / perfect == pytest.approx(strehl, abs=4e-3)


def test_many_lenses_at_once_equal_one_at_a_time():
    """A simulator takes lenses through vmap: here a sweep of the focal length that the phase is made for."""
    simulator = psf_simulator(LENS, [532e-9], [0.1], window=(12, 12), pixel_pitch=0.8e-6, engine="angular_spectrum")

    def of_focus(focus):
        return simulator(replace(LENS, phase=Hyperbolic(focus, 532e-9)))[0, 0]

    focuses = FOCUS * jnp.array([0.95, 1.0, 1.05])
    together = jax.vmap(of_focus)(focuses)
    for focus, found in zip(focuses, together, strict=True):
        np.testing.assert_allclose(found, of_focus(focus), rtol=1e-4, atol=1e-8)


def test_a_chief_ray_beyond_the_critical_angle_is_refused():
    """The lens bends it away from the axis until it cannot leave the substrate."""
    diverging = EvenPolynomial(np.array([300.0]), 100e-6)
    lens = Metalens(400e-6, FOCUS, diverging, stop=Stop(40e-6, 0.0), substrate=Plate(300e-6, 1.46))
    with pytest.raises(InputError, match=r"beyond the critical angle of 43\.2°"):
        simulate_psf(lens, 532e-9, np.radians(40), **WINDOW)


def test_a_chief_ray_that_misses_the_lens_is_refused():
    lens = replace(LENS, stop=Stop(20e-6, 200e-6))
    with pytest.raises(InputError, match="outside its opening of 80 µm"):
        simulate_psf(lens, 532e-9, np.radians(30), **WINDOW)
