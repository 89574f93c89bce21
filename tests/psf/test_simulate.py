"""Point spread functions against closed forms, published figures, an independent sum, and each other."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.files.errors import InputError, InputWarning
from metalens.optics import EvenPolynomial, Hyperbolic, Metalens, Plate, Quadratic, Stop
from metalens.optics.phase.stretched import Stretched
from metalens.psf import measures, psf_simulator, simulate_psf

WAVELENGTH = 511e-9
REFERENCE_LENS = Metalens(0.5e-3, 1e-3, Hyperbolic(1e-3, WAVELENGTH))
SMALL_LENS = Metalens(0.1e-3, 0.25e-3, Hyperbolic(0.25e-3, WAVELENGTH))
DISC_LENS, DISC_PITCH = Metalens(60e-6, 150e-6, Quadratic(150e-6, 532e-9)), 0.5e-6
ENGINES = ["direction_cosine", "angular_spectrum", "rayleigh_sommerfeld"]


def further(*values: tuple) -> list:
    """Parameters whose neighbours show the same in less time."""
    return [pytest.param(*each, marks=pytest.mark.long) for each in values]


def strehl_ratio(psf: np.ndarray, pitch: float, lens: Metalens, wavelength: float = WAVELENGTH) -> float:
    return float(measures.strehl_ratio(psf.max() / pitch**2, wavelength, lens.focal_length, lens.aperture_area))


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def disc_quadrature(lens: Metalens, wavelength: float, theta: float, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Energy density at points about the chief ray by Gauss–Legendre nodes in r² and equal angles, in float64.

    It shares nothing with the engines: no grid, no edge, no approximation of the distance.
    """
    node, weight = np.polynomial.legendre.leggauss(96)
    area = np.pi * (lens.aperture_diameter / 2) ** 2
    radius = lens.aperture_diameter / 2 * np.sqrt((node + 1) / 2)
    angle = 2 * np.pi * (np.arange(384) + 0.5) / 384
    pupil_y = np.outer(radius, np.sin(angle)).ravel()
    pupil_x = np.outer(radius, np.cos(angle)).ravel()
    share = np.repeat(weight / 2, len(angle)) / len(angle)
    wavenumber = 2 * np.pi / wavelength
    phase = np.asarray(lens.phase.at(pupil_y, pupil_x), dtype=float)
    incoming = np.exp(1j * (phase + wavenumber * np.sin(theta) * pupil_x)) * share * area
    landing = lens.focal_length * np.tan(theta)
    found = np.empty((len(y), len(x)))
    for row, here_y in enumerate(y):
        for column, here_x in enumerate(landing + x):
            squared = (here_y - pupil_y) ** 2 + (here_x - pupil_x) ** 2 + lens.focal_length**2
            distance = np.sqrt(squared)
            kernel = lens.focal_length / (wavelength * squared) * (1 + 1j / (wavenumber * distance))
            found[row, column] = abs((incoming * kernel * np.exp(1j * wavenumber * distance)).sum()) ** 2 / area
    return found


@cache
def exact_energy(theta: float) -> np.ndarray:
    """Energy per sample of the small disc's quadratic lens by :func:`disc_quadrature`, once for all engines."""
    offset = DISC_PITCH * (np.arange(25) - 12)
    return disc_quadrature(DISC_LENS, WAVELENGTH, theta, offset, offset) * DISC_PITCH**2


@pytest.mark.parametrize("engine", ENGINES)
def test_on_axis_peak_of_a_hyperbolic_lens_is_the_closed_form(engine):
    """[(f²/a²) ln(1 + a²/f²)]², where 1 is the paraxial peak A²/(λf)²."""
    aperture = SMALL_LENS.aperture_diameter / 2 / SMALL_LENS.focal_length
    exact = (np.log(1 + aperture**2) / aperture**2) ** 2
    psf = simulate_psf(SMALL_LENS, WAVELENGTH, 0.0, window=(33, 33), pixel_pitch=0.25e-6, engine=engine)
    assert strehl_ratio(psf, 0.25e-6, SMALL_LENS) == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize(
    ("degrees", "peak", "width"),
    [(0, 0.9409, 1.43), (20, 0.0370, 3.79), *further((5, 0.3640, 1.81), (10, 0.1548, 2.31), (15, 0.0812, 2.84))],
)
def test_peak_and_width_of_the_reference_lens_fall_off_over_the_field(degrees, peak, width):
    """Independent figures for D = 0.5 mm, f = 1 mm at 511 nm; the peaks depend on where the samples lie."""
    psf = simulate_psf(
        REFERENCE_LENS,
        WAVELENGTH,
        np.radians(degrees),
        window=(129, 129),
        pixel_pitch=0.4e-6,
        engine="angular_spectrum",
    )
    assert strehl_ratio(psf, 0.4e-6, REFERENCE_LENS) == pytest.approx(peak, rel=0.02)
    assert 1e6 * measures.full_width_half_maximum(psf, 0.4e-6) == pytest.approx(width, rel=0.015)


@pytest.mark.parametrize(("degrees", "share"), [(20, 0.956), *further((0, 0.9974), (10, 0.9972))])
def test_energy_within_160_micrometres(degrees, share):
    psf = simulate_psf(
        REFERENCE_LENS,
        WAVELENGTH,
        np.radians(degrees),
        window=(200, 200),
        pixel_pitch=0.8e-6,
        engine="angular_spectrum",
    )
    assert psf.sum() == pytest.approx(share, abs=2e-3)


def test_energy_inside_the_first_airy_null():
    pitch = 0.125e-6
    psf = simulate_psf(REFERENCE_LENS, WAVELENGTH, 0.0, window=(33, 33), pixel_pitch=pitch)
    null = 0.61 * WAVELENGTH / 0.2425
    assert null == pytest.approx(1.285e-6, abs=1e-9)
    assert measures.encircled_energy(psf, pitch, null, integrated=False) == pytest.approx(0.8276, abs=3e-3)


@pytest.mark.parametrize(
    ("engine", "tolerance"),
    [("direction_cosine", 1e-2), ("angular_spectrum", 2e-3), ("rayleigh_sommerfeld", 1e-5)],
)
@pytest.mark.parametrize("degrees", [20, *further((0,))])
def test_the_engines_agree_with_an_independent_sum_over_the_disc(engine, tolerance, degrees):
    theta = np.radians(degrees)
    psf = simulate_psf(DISC_LENS, WAVELENGTH, theta, window=(25, 25), pixel_pitch=DISC_PITCH, engine=engine)
    assert relative_difference(psf, exact_energy(theta)) < tolerance


@pytest.mark.parametrize(("degrees", "integrate_pixels"), [(25, False), *further((0, True))])
def test_the_engines_agree_with_each_other(degrees, integrate_pixels):
    psfs = [
        simulate_psf(
            SMALL_LENS,
            480e-9,
            (np.radians(degrees), np.radians(30)),
            window=(48, 55),
            pixel_pitch=0.8e-6,
            engine=engine,
            integrate_pixels=integrate_pixels,
        )
        for engine in ENGINES
    ]
    assert relative_difference(psfs[0], psfs[2]) < 2e-2
    assert relative_difference(psfs[1], psfs[2]) < 2e-3


@pytest.mark.parametrize("engine", ENGINES)
def test_a_point_off_axis_is_seen_where_the_conventions_say(engine):
    """A lens of shorter focus than its distance throws the marginal rays across: the coma's tail turns inwards.

    The chief ray lands on the middle sample whatever the window; a wider window shows the axis on its other side.
    """
    theta, phi = np.radians(12), np.radians(90)
    psf = simulate_psf(SMALL_LENS, WAVELENGTH, (theta, phi), window=(65, 65), pixel_pitch=0.5e-6, engine=engine)
    y, x = measures.centroid(psf, 0.5e-6)
    # Coma of a hyperbolic lens spreads away from the axis: downwards (+y) for φ = 90°, and not sideways.
    assert y > 0.5e-6
    assert abs(x) < 0.05e-6


@settings(max_examples=12, deadline=None)
@given(
    theta=st.floats(0, 25),
    quarter=st.integers(0, 3),
)
def test_a_quarter_turn_of_the_field_is_a_quarter_turn_of_the_image(theta, quarter):
    options = {"window": (33, 33), "pixel_pitch": 0.6e-6, "engine": "angular_spectrum"}
    right = simulate_psf(SMALL_LENS, WAVELENGTH, np.radians(theta), **options)
    turned = simulate_psf(SMALL_LENS, WAVELENGTH, (np.radians(theta), quarter * np.pi / 2), **options)
    # φ turns from right to down, which is clockwise on an array whose row 0 is at the top.
    assert relative_difference(turned, np.rot90(right, -quarter)) < 2e-3


def test_best_focus_of_a_diffractive_lens_moves_as_one_over_the_wavelength():
    """f(λ) = f₀λ₀/λ: at 638.75 nm = 1.25 · 511 nm the reference phase focuses at 0.8 f₀."""
    phase = Quadratic(2e-3, WAVELENGTH)
    wavelength = 1.25 * WAVELENGTH
    distances = 2e-3 * np.linspace(0.77, 0.83, 13)
    peaks = [
        simulate_psf(
            Metalens(300e-6, distance, phase),
            wavelength,
            0.0,
            window=(9, 9),
            pixel_pitch=1e-6,
            engine="rayleigh_sommerfeld",
        ).max()
        for distance in distances
    ]
    assert distances[int(np.argmax(peaks))] == pytest.approx(0.8 * 2e-3, rel=0.01)


@pytest.mark.parametrize("sigma", [0.05, *further((0.02,))])
def test_defocus_lowers_the_peak_as_the_strehl_ratio_says(sigma):
    """Defocus of σ waves rms: S = sinc²(√12 σ), with sinc x = sin(πx)/(πx); σ = 0.05 gives 0.90512."""
    focal_length, diameter = 2e-3, 0.1e-3
    defocus = 2 * np.pi * np.sqrt(12) * sigma
    perfect = -np.pi * (diameter / 2) ** 2 / (WAVELENGTH * focal_length)
    peaks = []
    for extra in (0.0, defocus):
        lens = Metalens(diameter, focal_length, EvenPolynomial(np.array([perfect + extra]), diameter / 2))
        peaks.append(simulate_psf(lens, WAVELENGTH, 0.0, window=(5, 5), pixel_pitch=2e-6).max())
    assert peaks[1] / peaks[0] == pytest.approx(np.sinc(np.sqrt(12) * sigma) ** 2, abs=2e-3)
    assert np.sinc(np.sqrt(12) * 0.05) ** 2 == pytest.approx(0.90512, abs=1e-5)


@pytest.mark.parametrize("engine", ["angular_spectrum", "rayleigh_sommerfeld"])
def test_all_light_through_the_aperture_arrives(engine):
    psf = simulate_psf(
        SMALL_LENS,
        WAVELENGTH,
        np.radians(5),
        window=(151, 151),
        pixel_pitch=1e-6,
        engine=engine,
        integrate_pixels=True,
    )
    assert psf.sum() == pytest.approx(1.0, abs=6e-3)
    assert psf.sum() < 1.0 + 1e-3


def test_pixels_integrate_what_fine_samples_sum_to():
    options = {"engine": "rayleigh_sommerfeld"}
    fine = simulate_psf(
        SMALL_LENS, WAVELENGTH, np.radians(8), window=(15 * 21, 15 * 21), pixel_pitch=1.75e-6 / 15, **options
    )
    summed = fine.reshape(21, 15, 21, 15).sum(axis=(1, 3))
    for engine in ENGINES:
        psf = simulate_psf(
            SMALL_LENS,
            WAVELENGTH,
            np.radians(8),
            window=(21, 21),
            pixel_pitch=1.75e-6,
            engine=engine,
            integrate_pixels=True,
        )
        assert relative_difference(psf, summed) < (2e-2 if engine == "direction_cosine" else 2e-3)


# test_batches.py has it of the others, too.
@pytest.mark.parametrize(
    "engine", [pytest.param(each, marks=[pytest.mark.long] * (each != "rayleigh_sommerfeld")) for each in ENGINES]
)
def test_a_batch_equals_its_members(engine):
    wavelengths, angles = [450e-9, 620e-9], [0.0, (0.1, 1.0)]
    options = {"window": (33, 32), "pixel_pitch": 0.6e-6, "engine": engine}
    batch = psf_simulator(SMALL_LENS, wavelengths, angles, **options)
    together = np.asarray(batch(SMALL_LENS))
    assert together.shape == (2, 2, 33, 32)
    for field, angle in enumerate(angles):
        for column, wavelength in enumerate(wavelengths):
            plan = replace(batch.plan, levels=(batch.plan.levels[field][column : column + 1],))
            one = {"wavelength": batch.wavelength[column, None], "direction": batch.direction[field, None]}
            alone = np.asarray(replace(batch, plan=plan, **one)(SMALL_LENS)[0, 0])
            assert relative_difference(together[field, column], alone) < 1e-5
            # The sampling may be that of another member, if it is hardly finer; alone, each is within the engines' 1 %.
            single = simulate_psf(SMALL_LENS, wavelength, angle, **options)
            assert relative_difference(together[field, column], single) < 1e-2


REQUEST = {"window": (9, 9), "pixel_pitch": 0.5e-6}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"field_angle": np.radians(76)}, "θ up to 75°"),
        ({"field_angle": float("nan")}, "θ up to 75°"),
        ({"field_angle": (0.1, float("inf"))}, "finite φ"),
        ({"wavelength": 550.0}, "2e-7 to 2e-5 was expected, in metres"),
        ({"wavelength": float("nan")}, "2e-7 to 2e-5 was expected, in metres"),
        ({"pixel_pitch": 5e-6}, "set integrate_pixels=True"),
        ({"pixel_pitch": -1e-6}, "pixel_pitch"),
        ({"pixel_pitch": float("nan")}, "pixel_pitch"),
        ({"window": (0, 9)}, "at least 1 × 1"),
        ({"engine": "ray_optics"}, "no engine 'ray_optics'"),
        ({"object_distance": -1.0}, "object_distance"),
        ({"defocus": -1e-3}, "focal_length + defocus"),
        ({"sensor_tilt": (1.0, 0.0)}, "slopes up to tan 20°"),
        ({"lens": replace(SMALL_LENS, cover_glass=Plate(0.3e-3, 1.5))}, "does not fit between the lens and"),
        (
            {"lens": replace(SMALL_LENS, substrate=Plate(1e-4, 1.46)), "object_distance": 1e-3},
            "leave the substrate out",
        ),
        (
            {"lens": replace(SMALL_LENS, cover_glass=Plate(1e-5, 1.5)), "engine": "rayleigh_sommerfeld"},
            "not behind a cover glass",
        ),
        (
            {"lens": replace(SMALL_LENS, cover_glass=Plate(1e-5, 1.5)), "engine": "direction_cosine"},
            "cannot simulate a cover glass",
        ),
        ({"lens": replace(SMALL_LENS, stop=Stop(2e-5, 0.0)), "engine": "fresnel"}, "lens that is its own stop"),
        ({"least_share": 0.99}, "ask for a larger window"),
        ({"lens": Metalens(float("nan"), 1e-3, SMALL_LENS.phase)}, "aperture_diameter"),
        ({"lens": Metalens(1e-4, -1e-3, SMALL_LENS.phase)}, "focal_length"),
        ({"lens": Metalens(1e-4, 1e-3, EvenPolynomial(np.array([np.nan]), 1e-4))}, "phase is not finite"),
        (
            {"lens": Metalens(1e-4, 1e-3, EvenPolynomial(np.array([-1e6]), 5e-5)), "engine": "direction_cosine"},
            "gentler phase",
        ),
        ({"window": (20001, 20001), "engine": "angular_spectrum"}, "use a smaller window"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_with_the_reason(changes, message):
    request = {"lens": SMALL_LENS, "wavelength": WAVELENGTH, "field_angle": 0.0, **REQUEST, **changes}
    with pytest.raises(InputError, match=re.escape(message)):
        simulate_psf(request.pop("lens"), request.pop("wavelength"), request.pop("field_angle"), **request)


def test_a_window_with_hardly_any_light_is_a_warning():
    with pytest.warns(InputWarning, match=r"psf: a window of 9 × 9 samples of 0\.5 µm holds 0\.0.% of the light"):
        simulate_psf(SMALL_LENS, WAVELENGTH, 1.3, **REQUEST)


@pytest.mark.parametrize("wavelength", [532.0, -532e-9, 0.0])
def test_a_design_wavelength_in_another_unit_or_of_another_sign_is_refused(wavelength):
    """532 m in the place of 532 nm: the lens would be a flat plate, and its image a shadow."""
    wrong = Hyperbolic(1e-4, wavelength)
    for phase in (wrong, Quadratic(1e-4, 532e-9) + wrong, Stretched(wrong, 1.01)):
        lens = Metalens(2e-5, 1e-4, phase)
        with pytest.raises(InputError, match=r"design wavelength .* m of a Hyperbolic phase is out of range; 2e-7 to"):
            simulate_psf(lens, 532e-9, 0.0, window=(9, 9), pixel_pitch=1e-6)
