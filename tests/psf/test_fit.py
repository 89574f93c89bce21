"""Fits of a lens recover what simulated, noisy captures of it were made with, and say what these cannot tell."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from metalens.cli import metalens
from metalens.commands.psf_fit import fit_text, fitted_numbers
from metalens.formats.camera.camera import Camera, dump_camera, read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import PsfBank
from metalens.optics import metalens_of
from metalens.psf.camera_fields import view_of
from metalens.psf.captured.fit import LensFit, fit_lens, fitted_camera
from metalens.psf.conjugates import Conjugates
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.external_bank import bank_of_functions
from metalens.psf.simulator import simulator_of_directions
from metalens.psf.spectra.spectrum import spectral_quadrature

from .test_tolerance_of_surfaces import behind, hybrid

POSITION = 1e-6 * np.array([[-36.0, -36.0], [-30.0, 30.0], [0.0, 0.0], [30.0, -30.0], [36.0, 24.0]])
PROXY = {"kind": "nano_optics_proxy", "wavelength_nm": 532.0, "orders": [-1, 0, 1, 2]}


def small_camera(response: dict | None = None, pixel_pitch_um: float = 1.0) -> Camera:
    """D = 40 µm, f = 100 µm, three laser lines."""
    content = read_camera("hyperbolic").model_dump(exclude_none=True)
    content["lens"].update(aperture_um=40.0, focal_length_um=100.0)
    if response is not None:
        content["lens"]["response"] = response
    content["sensor"].update(pixels=(160, 160), pixel_pitch_um=pixel_pitch_um)
    content["spectrum"]["wavelengths_per_channel"] = 1
    return Camera.model_validate(content)


def images(
    camera: Camera,
    side: int,
    position: np.ndarray = POSITION,
    *,
    centre: np.ndarray | None = None,
    defocus: float = 0.0,
    slope: tuple[float, float] = (0.0, 0.0),
    decentre: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """``[node, channel, y, x]`` of a lens that is its own stop, with chief rays by geometry, not by the model's solver.

    ``centre`` is where the windows lie, by default about the positions.
    """
    wavelength, weight = spectral_quadrature(camera.spectrum)
    place = position - np.array(decentre)
    depth = camera.lens.focal_length_m + defocus + place @ np.array(slope)
    ray = np.concatenate([place, depth[:, None]], axis=1)
    simulator = simulator_of_directions(
        metalens_of(camera),
        wavelength,
        (ray / np.linalg.norm(ray, axis=1, keepdims=True))[:, :2],
        ImageWindow((side, side), camera.sensor.pixel_pitch_m, integrate_pixels=True),
        centres=(position if centre is None else centre) - np.array(decentre),
        engine="angular_spectrum",
        conjugates=Conjugates(defocus=defocus, sensor_tilt=slope),
    )
    light = np.einsum("cw,nwyx->ncyx", weight, np.asarray(simulator(metalens_of(camera)), dtype=float))
    return light / light.sum(axis=(-2, -1), keepdims=True)


def bank_of(camera: Camera, intensity: np.ndarray, position: np.ndarray = POSITION, **provenance: str) -> PsfBank:
    return bank_of_functions(camera, intensity, position, layout="scattered", provenance=provenance)


def run(*arguments: object) -> dict:
    result = CliRunner().invoke(metalens, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


TRUE_DEFOCUS, TRUE_TILT_DEG, TRUE_DECENTRE = 6e-6, (1.5, -0.8), (2e-6, -1e-6)


@pytest.fixture(scope="module")
def measured_and_fitted(write_captures, tmp_path_factory) -> dict:
    """Captures of a lens that is out of place, 12 bits with noise and jitter; imported and fitted by the commands.

    The mean of six jitters is 0.1 µm off, and with it each position of the index. Pixels of 0.6 µm resolve the light,
    whose finest detail is λ / 2 NA / 2 = 0.58 µm at 455 nm: frames that do not resolve it cannot be laid on each other
    that exactly.
    """
    folder: Path = tmp_path_factory.mktemp("fit")
    camera = small_camera(pixel_pitch_um=0.6)
    (folder / "lens.toml").write_text(dump_camera(camera))
    repeats = 6
    jitter = 0.3e-6 * np.random.default_rng(3).normal(size=(len(POSITION), repeats, 2))
    each = np.repeat(POSITION, repeats, axis=0)
    light = images(
        camera,
        55,
        each,
        centre=each - jitter.reshape(-1, 2),
        defocus=TRUE_DEFOCUS,
        slope=tuple(np.tan(np.radians(TRUE_TILT_DEG))),
        decentre=TRUE_DECENTRE,
    )
    # A fraction of full scale at the brightest sample of each pinhole.
    light = light.reshape(len(POSITION), repeats, 3, 55, 55)
    light = 2500 * light / light.max(axis=(1, 2, 3, 4), keepdims=True)
    write_captures(folder / "captures", 1e6 * POSITION, light)
    found = {"folder": folder}
    for name, words in {
        "measured": ("measured", folder / "captures", "-o", folder / "psf.h5", "--window", 45),
        "fitted": ("fit", folder / "psf.h5", "-o", folder / "fitted.toml"),
    }.items():
        found[name] = run("psf", *words, "--lens", folder / "lens.toml", "--json")
    return found


@pytest.mark.long
def test_defocus_tilt_and_decentre_are_recovered_from_noisy_captures(measured_and_fitted):
    assert measured_and_fitted["measured"]["captures"] == 30
    assert measured_and_fitted["measured"]["layout"] == "scattered"
    value = {name: number["value"] for name, number in measured_and_fitted["fitted"]["fitted"].items()}
    assert value["defocus_um"] == pytest.approx(6.0, abs=0.2)
    assert value["tilt_y_deg"] == pytest.approx(1.5, abs=0.15)
    assert value["tilt_x_deg"] == pytest.approx(-0.8, abs=0.15)
    assert value["decentre_y_um"] == pytest.approx(2.0, abs=0.15)
    assert value["decentre_x_um"] == pytest.approx(-1.0, abs=0.15)


def test_the_fit_explains_what_the_lens_as_meant_does_not(measured_and_fitted):
    assert measured_and_fitted["fitted"]["residual_before"] > 0.2
    assert measured_and_fitted["fitted"]["residual"] < 0.06
    assert measured_and_fitted["fitted"]["undetermined"] == []


def test_the_fitted_lens_is_a_lens_toml_with_the_numbers_in_their_keys(measured_and_fitted):
    camera = read_camera(measured_and_fitted["folder"] / "fitted.toml")
    fitted = measured_and_fitted["fitted"]["fitted"]
    assert camera.lens.defocus_um == pytest.approx(fitted["defocus_um"]["value"], abs=1e-3)
    assert camera.sensor.tilt_deg == pytest.approx(
        (fitted["tilt_y_deg"]["value"], fitted["tilt_x_deg"]["value"]), abs=1e-4
    )
    assert camera.hash == measured_and_fitted["fitted"]["lens_hash"]


def test_the_answer_for_people_says_what_cannot_be_told():
    fit = LensFit(
        names=("defocus", "tilt_y", "tilt_x"),
        value=np.array([1.5e-6, np.tan(np.radians(2.0)), 0.0]),
        standard_error=np.array([1e-8, 1e-4, np.inf]),
        correlation=np.array([[1, -0.97, 0], [-0.97, 1, 0], [0, 0, 1.0]]),
        residual=0.03,
        residual_before=0.4,
        shift=None,
        nodes=3,
    )
    text = "\n".join(fit_text(Path("fitted.toml"), fit, fitted_numbers(fit)))
    assert text.splitlines() == [
        "fitted.toml: 3.0% of the PSFs is left unexplained on 3 nodes, 40.0% before the fit",
        "  defocus_um = 1.5 ± 0.01",
        "  tilt_y_deg = 2 ± 0.0057",
        "  tilt_x_deg = 0",
        "  defocus and tilt_y are hard to tell apart here: their correlation is -0.970",
        "  these PSFs do not tell tilt_x: it is as it was; add positions across the field",
    ]


@pytest.mark.long
def test_an_error_of_all_widths_is_recovered_by_the_light_of_the_other_orders():
    truth, nominal = small_camera({**PROXY, "duty_error": 0.03}), small_camera(PROXY)
    intensity = images(truth, 33, POSITION[1:3], defocus=3e-6)
    noise = 1e-3 * intensity.max() * np.random.default_rng(0).normal(size=intensity.shape)
    # Only where there is light enough: the bank holds nothing negative, and cutting would add light.
    noisy = np.where(intensity > 5 * np.abs(noise), intensity + noise, intensity)
    fit = fit_lens(bank_of(nominal, noisy, POSITION[1:3]), nominal, parameters=["defocus", "width_error"])
    assert fit.names == ("defocus", "width_error")
    assert fit.value[0] == pytest.approx(3e-6, abs=0.1e-6)
    assert fit.value[1] == pytest.approx(0.03, rel=0.1)
    assert fitted_camera(nominal, fit).lens.response.duty_error == pytest.approx(fit.value[1], abs=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("nominal", [pytest.param(hybrid(), id="front"), pytest.param(behind(), id="behind")])
def test_a_lens_with_refractive_surfaces_that_is_out_of_place_is_found_there(nominal):
    """Chief rays of the captures are followed from the axis; the place of each window is free, as in a measurement."""
    true, position = (4e-6, 2e-6, -1.5e-6), 0.4 * POSITION[[0, 2, 4]]
    moved = nominal.with_(lens={"defocus_um": 1e6 * true[0], "decentre_um": tuple(1e6 * each for each in true[1:])})
    wavelength, weight = spectral_quadrature(nominal.spectrum)
    view = view_of(moved, position, float(weight[1] @ wavelength))
    simulator = view.simulator(wavelength, window=(15, 15), pixel_pitch=1e-6, engine="direction_cosine")
    light = np.einsum("cw,nwyx->ncyx", weight, np.asarray(simulator(view.lens), dtype=float))
    light *= 1 + 0.01 * np.random.default_rng(1).normal(size=light.shape)
    light /= light.sum(axis=(-2, -1), keepdims=True)
    fit = fit_lens(bank_of(nominal, light, position), nominal, free_shift=True)
    assert fit.names == ("defocus", "decentre_y", "decentre_x")
    np.testing.assert_allclose(fit.value, true, atol=0.3e-6)
    assert fit.residual < 0.02 < 5 * fit.residual < fit.residual_before


def test_a_width_error_of_an_ideal_phase_is_refused():
    camera = small_camera()
    bank = bank_of(camera, np.ones((5, 3, 9, 9)))
    with pytest.raises(InputError, match=r"width_error is an error of the meta-atoms' widths, .* IdealPhase"):
        fit_lens(bank, camera, parameters=["width_error"])


@pytest.mark.parametrize(
    ("parameters", "said"),
    [(["focus"], "no parameter 'focus'; defocus, tilt"), ([], "name one or more"), (["tilt", "tilt"], "each once")],
)
def test_parameters_that_cannot_be_fitted_are_refused(parameters, said):
    camera = small_camera()
    with pytest.raises(InputError, match=said):
        fit_lens(bank_of(camera, np.ones((5, 3, 9, 9))), camera, parameters=parameters)


def test_a_lens_of_another_pixel_pitch_is_refused():
    with pytest.raises(InputError, match=r"the bank's pixels are 1 µm, those of hyperbolic .* µm"):
        fit_lens(bank_of(small_camera(), np.ones((5, 3, 9, 9))), read_camera("hyperbolic"))
