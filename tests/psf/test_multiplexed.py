"""Two lenses in one for two polarisations: ideal ones, rectangles of a library, and what is refused."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.design.spec import parse_design
from metalens.formats.files.errors import InputError
from metalens.optics import Hyperbolic, metalens_of
from metalens.optics.layout.chosen import choice_for, structure_of_camera
from metalens.optics.structure import jones_sites
from metalens.psf import psf_simulator, simulate_psf
from metalens.psf.design.problem import problem_of
from tests.optics.rectangle_examples import FINS, LIGHT, camera_in, fins, half_wave_plates, independent
from tests.psf.design_examples import design_text

WINDOW = {"window": (48, 48), "pixel_pitch": 0.2e-6, "integrate_pixels": True}

ASIDE = """
[lens.multiplexed]
polarisations = "{polarisations}"
light = "{light}"

[lens.multiplexed.phase]
family = "sum"
terms = [
  {{ family = "hyperbolic", wavelength_nm = 532.0 }},
  {{ family = "zernike", radius_um = 3.0, indices = [2], coefficients_rad = [2.8] }},
]
"""
"""The second focus lies beside the first: a Zernike tilt along x."""

EQUAL = """
[lens.multiplexed]
polarisations = "{polarisations}"
light = "{light}"
phase = {{ family = "hyperbolic", wavelength_nm = 532.0 }}
"""

RECTANGLES = '\n[lens.response]\nkind = "library"\nlibrary = "rectangles.h5"\nwavelength_nm = 532.0\n'

PAIRS = {"linear": ("x", "y"), "circular": ("left", "right")}


def psf(folder, made, text, **told):
    camera = camera_in(folder, made, text.format(**told))
    return np.asarray(simulate_psf(metalens_of(camera), LIGHT, 0.0, **WINDOW))


def centroid(image):
    return float((image.sum(axis=0) * (np.arange(48) - 24)).sum() / image.sum()) * 0.2e-6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ideal")


def test_equal_targets_are_the_plain_lens(folder):
    plain = psf(folder, made := independent(), "")
    for light in ("x", "y", "unpolarised"):
        found = psf(folder, made, EQUAL, polarisations="linear", light=light)
        np.testing.assert_allclose(found, plain, atol=1e-5 * plain.max())


@pytest.mark.parametrize("polarisations", ["linear", "circular"])
def test_each_polarisation_has_a_focus_of_its_own_and_unpolarised_light_both(folder, polarisations):
    first, second = (
        psf(folder, independent(), ASIDE, polarisations=polarisations, light=light) for light in PAIRS[polarisations]
    )
    both = psf(folder, independent(), ASIDE, polarisations=polarisations, light="unpolarised")
    assert abs(centroid(first)) < 0.1e-6
    assert abs(centroid(second)) > 1e-6
    np.testing.assert_allclose(both, 0.5 * (first + second), atol=2e-3 * both.max())


@pytest.mark.long
@pytest.mark.parametrize(
    ("polarisations", "made", "share"),
    # Eight steps of phase send sinc²(1/8) into the first order.
    [
        pytest.param("linear", independent(), np.sinc(1 / 8) ** 2, id="linear"),
        pytest.param("circular", half_wave_plates(64), 1.0, id="circular"),
    ],
)
def test_rectangles_of_a_library_do_what_the_phases_say(tmp_path, polarisations, made, share):
    for light in (PAIRS[polarisations][1], "unpolarised"):
        ideal = psf(tmp_path, made, ASIDE, polarisations=polarisations, light=light)
        built = psf(tmp_path, made, RECTANGLES + ASIDE, polarisations=polarisations, light=light)
        peak = built.max() / ideal.max()
        # Flat cells of 300 nm: sinc² of a twentieth to a tenth of a turn from site to site, mean 0.97.
        assert 0.90 * share < peak < 1.005 * share, light
        np.testing.assert_allclose(built / built.max(), ideal / ideal.max(), atol=0.05)


def test_the_elements_are_those_of_the_turned_jones_matrices(tmp_path):
    camera = camera_in(tmp_path, fins(), FINS)
    structure, known = structure_of_camera(camera, choice_for(camera)), fins()
    alpha = structure.rotation
    turn = np.moveaxis(np.array([[np.cos(alpha), -np.sin(alpha)], [np.sin(alpha), np.cos(alpha)]]), -1, 0)
    jones = turn @ np.diag([0.9, -0.9]) @ np.swapaxes(turn, 1, 2)
    left, right = np.array([1, 1j]) / np.sqrt(2), np.array([1, -1j]) / np.sqrt(2)
    x, y = np.eye(2)
    wanted = {
        "left": [(right, left), (left, left)], "right": [(left, right), (right, right)],
        "x": [(x, x), (y, x)], "y": [(y, y), (x, y)],
    }  # fmt: skip
    for light, pairs in wanted.items():
        made = jones_sites(structure, known, light, "linear")
        for (behind, before), element in zip(pairs, made.elements, strict=True):
            found = element.library.at(jnp.asarray(made.geometry), jnp.asarray(LIGHT))
            expected = np.einsum("i,nij,j->n", behind.conj(), jones, before)
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_no_light_is_lost_or_made_between_polarisations(tmp_path):
    camera = camera_in(tmp_path, fins(), FINS)
    structure = structure_of_camera(camera, choice_for(camera))
    for light, basis in [("unpolarised", "linear"), ("unpolarised", "circular"), ("x", "linear"), ("left", "linear")]:
        made = jones_sites(structure, fins(), light, basis)
        power = sum(
            np.abs(each.library.at(jnp.asarray(made.geometry), jnp.asarray(LIGHT))) ** 2 for each in made.elements
        )
        np.testing.assert_allclose(power, 0.81, rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (EQUAL.format(polarisations="linear", light="left"), "'left' is none of the linear polarisations"),
        (FINS + EQUAL.format(polarisations="linear", light="x"), 'multiplexed needs a response of the kind "ideal"'),
        (EQUAL.format(polarisations="linear", light="x").replace("hyperbolic", "freeform"), "multiplexed"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        camera_in(tmp_path, independent(), text)


def test_errors_of_widths_are_refused(tmp_path):
    text = RECTANGLES + EQUAL.format(polarisations="linear", light="x") + "\n[lens.fabrication]\nwidth_error_nm = 5.0\n"
    with pytest.raises(InputError, match="of meta-atoms that act on polarisation are not known"):
        metalens_of(camera_in(tmp_path, independent(), text))


def test_a_library_that_does_not_reach_both_phases_is_refused(tmp_path):
    text = RECTANGLES + ASIDE.format(polarisations="linear", light="x")
    with pytest.raises(InputError, match="does not reach both phases"):
        metalens_of(camera_in(tmp_path, fins(), text))


@pytest.mark.parametrize("engine", ["vectorial", "direction_cosine"])
def test_engines_of_one_phase_refuse_two(folder, engine):
    camera = camera_in(folder, independent(), ASIDE.format(polarisations="linear", light="unpolarised"))
    with pytest.raises(InputError, match=r"for a lens that acts on polarisation|a phase for each of two polarisations"):
        simulate_psf(metalens_of(camera), LIGHT, 0.0, **{**WINDOW, "engine": engine})


def test_unpolarised_light_has_a_derivative_by_the_second_phase(folder):
    camera = camera_in(folder, independent(), EQUAL.format(polarisations="linear", light="unpolarised"))
    lens = metalens_of(camera)
    simulator = psf_simulator(lens, [LIGHT], [0.0], **WINDOW)

    @jax.jit
    @jax.value_and_grad
    def peak(length):
        return simulator(replace(lens, second_phase=Hyperbolic(focal_length=length, wavelength=LIGHT))).max()

    step = 0.05e-6
    lower, slope, upper = peak(9e-6 - step)[0], peak(9e-6)[1], peak(9e-6 + step)[0]
    assert float(slope) == pytest.approx(float(upper - lower) / (2 * step), rel=0.02)


TWO = """
[camera.lens.multiplexed]
polarisations = "circular"
light = "{light}"
phase = {{ family = "quadratic", wavelength_nm = 550.0 }}
"""

DESIGN = """
[variables]
family = "even_polynomial"
[sampling]
fields_deg = [0.0]
window_pixels = 9
[[objectives]]
kind = "strehl"
"""


@pytest.mark.parametrize(
    ("light", "more", "message"),
    [
        ("right", "", r'variables are those of \[lens.phase\], which light "right" does not see'),
        ("left", '[camera.lens.response]\nkind = "ideal"\n', "phases of ideal meta-atoms are designed"),
        ("unpolarised", "", None),
    ],
)
def test_designs_vary_the_first_phase_of_ideal_meta_atoms(light, more, message):
    text = design_text(DESIGN + TWO.format(light=light) + more, wavelengths_nm=(540.0, 550.0, 560.0))
    if message is None:
        assert problem_of(parse_design(text)).view.lens.second_phase is not None
        return
    with pytest.raises(InputError, match=message):
        problem_of(parse_design(text))
