"""Errors of refractive surfaces in front of a metalens: what a draw shows, and which errors such a lens can have."""

import numpy as np
import pytest

from metalens.formats.camera.camera import Camera, parse_camera
from metalens.formats.design.tolerance_spec import TYPICAL, Errors, parse_tolerance_spec
from metalens.formats.files.errors import InputError
from metalens.optics import metalens_of
from metalens.psf.camera_fields import view_of
from metalens.psf.tolerance.draws import applicable_errors, draw_of, drawn_camera, perturbed
from metalens.psf.tolerance.evaluation import evaluation_of
from metalens.psf.tolerance.monte_carlo import tolerance_run_of

from .test_tolerance_evaluation import SMALL

GLASS = "thickness_um = 40.0, clear_diameter_um = 60.0, radius_of_curvature_um = 150.0, index = 1.5, abbe_number = 60.0"
PLANE = "thickness_um = 10.0, clear_diameter_um = 60.0"
HYBRID = SMALL.replace(
    'phase = { family = "hyperbolic", wavelength_nm = 530.0 }',
    'phase = { family = "even_polynomial", radius_um = 20.0, coefficients_rad = [-14.0, 0.0] }\n'
    "surfaces = [{ GLASS }, { PLANE }]",
)
NUMBERS = {
    "pitch_error_percent": 1.0,
    "defocus_um": 4.0,
    "decentre_y_um": 2.0,
    "decentre_x_um": -3.0,
    "surface_radius_percent": 3.0,
    "surface_distance_um": 2.0,
    "glass_index_error": 0.01,
}


def hybrid(glass: str = GLASS) -> Camera:
    return parse_camera(HYBRID.replace("GLASS", glass).replace("PLANE", PLANE))


def behind(glass: str = "index = 1.5, abbe_number = 60.0") -> Camera:
    """The same lens with its glass behind the metasurface."""
    turned = "clear_diameter_um = 60.0, radius_of_curvature_um = -150.0"
    text = HYBRID.replace("GLASS", f"metasurface = true, thickness_um = 40.0, {glass}")
    return parse_camera(text.replace("PLANE", turned))


@pytest.fixture(scope="module")
def camera() -> Camera:
    return hybrid()


def errors_of(*names: str) -> Errors:
    return Errors(**{name: {"distribution": "normal", "sigma": 1.0} for name in names})


@pytest.mark.parametrize(
    ("camera", "within"),
    [
        pytest.param(hybrid(), 1e-3, id="front", marks=pytest.mark.long),
        # Of glass behind, the file has an exit pupil of its own, and the draw keeps that of the lens as drawn.
        pytest.param(behind(), 5e-3, id="behind", marks=pytest.mark.long),
    ],
)
def test_a_draw_shows_what_its_lens_toml_shows(camera, within):
    """Whose chief rays are followed anew from the axis, and whose glasses come from the file."""
    evaluation = evaluation_of(camera, fields=(1, 2), window=15)
    simulator, view = evaluation.simulator, view_of(drawn_camera(camera, NUMBERS), evaluation.position, 530e-9)
    window = simulator.window
    again = view.simulator(simulator.wavelength, window=window.shape, pixel_pitch=window.pixel_pitch, engine="auto")
    expected = np.einsum("cw,fwyx->fcyx", evaluation.channel_weight, again(view.lens))
    found, efficiency, _ = evaluation.images(draw_of(NUMBERS))
    assert np.linalg.norm(found - expected) < within * np.linalg.norm(expected)
    # Zeros, as an error that is left out is another function to compile.
    unchanged = evaluation.images(draw_of(dict.fromkeys(NUMBERS, 0.0)))[0]
    assert np.linalg.norm(found - unchanged) > 0.1 * np.linalg.norm(unchanged)
    np.testing.assert_allclose(efficiency, 1)


def test_the_file_of_a_draw_has_its_radii_distances_and_indices(camera):
    curved, plane = drawn_camera(camera, NUMBERS).lens.surfaces
    assert curved.radius_of_curvature_um == pytest.approx(154.5)
    assert (curved.thickness_um, plane.thickness_um) == pytest.approx((42.0, 12.0))
    assert (curved.index, plane.index) == (pytest.approx(1.51), None)
    assert plane.radius_of_curvature_um is None
    mark, last = drawn_camera(behind(), NUMBERS).lens.surfaces
    assert (mark.thickness_um, mark.index, last.thickness_um) == (pytest.approx(42.0), pytest.approx(1.51), None)
    assert last.radius_of_curvature_um == pytest.approx(-154.5)


def test_an_error_of_the_index_is_the_same_at_all_wavelengths_and_air_has_none(camera):
    lens = perturbed(metalens_of(camera), draw_of({"glass_index_error": 0.01}))
    of_file = metalens_of(drawn_camera(camera, {"glass_index_error": 0.01}))
    light = np.array([460e-9, 610e-9])
    nominal = [np.asarray(each.medium.index(light)) for each in metalens_of(camera).surfaces]
    for found in (lens, of_file):
        glass, air = (np.asarray(each.medium.index(light)) for each in found.surfaces)
        np.testing.assert_allclose(glass - nominal[0], 0.01, rtol=1e-4)
        np.testing.assert_array_equal(air, 1)


@pytest.mark.parametrize(
    ("glass", "name", "reason"),
    [
        (GLASS, "tilt_y_deg", "tilted sensors are not simulated behind refractive surfaces"),
        (GLASS, "width_error_nm", "without meta-atoms"),
        (
            GLASS.replace("index = 1.5, abbe_number = 60.0", "sellmeier_b = [1.0], sellmeier_c_um2 = [0.01]"),
            "glass_index_error",
            "a glass of sellmeier_b or material has no error of its index",
        ),
    ],
)
def test_an_error_that_such_a_lens_cannot_have_is_told_with_the_reason(glass, name, reason):
    kept, reasons = applicable_errors(errors_of(name, "defocus_um"), metalens_of(hybrid(glass)))
    assert list(kept.terms) == ["defocus_um"]
    assert reason in reasons[name]


def test_typical_errors_of_such_a_lens_are_those_of_all_lenses_but_the_tilt(camera):
    run = tolerance_run_of(camera, TYPICAL, explicit=False, draws=1)
    assert {"tilt_y_deg", "tilt_x_deg"} <= set(run.not_applied)
    assert "defocus_um" not in run.not_applied


def test_a_lens_without_surfaces_has_no_errors_of_them(camera):
    plain = camera.with_(lens={"surfaces": None})
    spec = parse_tolerance_spec(
        'schema = "metalens.tolerance"\nversion = 1\n[errors]\n'
        'surface_distance_um = { distribution = "normal", sigma = 1.0 }\n'
    )
    message = "cannot have surface_distance_um: the lens has no refractive surfaces; leave it out of the spec."
    with pytest.raises(InputError, match=message):
        tolerance_run_of(plain, spec, explicit=True, draws=1)


def test_a_radius_changes_by_less_than_half():
    with pytest.raises(ValueError, match="surface_radius_percent goes from -60 to 60"):
        Errors(surface_radius_percent={"distribution": "uniform", "plus_minus": 60.0})
