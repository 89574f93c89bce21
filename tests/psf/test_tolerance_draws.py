"""Drawn lenses: their numbers depend on seed, number and name alone, and have the distributions that were asked for."""

import jax
import numpy as np
import pytest
from scipy.stats import kstest, truncnorm

from metalens.formats.camera.camera import Camera, dump_camera, parse_camera, read_camera
from metalens.formats.design.tolerance_spec import TYPICAL, Errors, Fixed, Normal, Uniform
from metalens.formats.files.errors import InputError
from metalens.optics.fabrication import Fabrication
from metalens.optics.from_lens_toml import metalens_of
from metalens.psf.tolerance.draws import (
    Draw,
    applicable_errors,
    draw_of,
    draw_samples,
    drawn_camera,
    drawn_numbers,
    geometry_unit,
    perturbed,
)

DRAWS = 3000


def proxy_camera(**lens: object) -> Camera:
    """A preset with the published fit of pillars as its response."""
    text = dump_camera(read_camera("nano-optics"))
    response = '\n[lens.response]\nkind = "nano_optics_proxy"\nwavelength_nm = 511.0\n'
    extra = "".join(f"{key} = {value}\n" for key, value in lens.items())
    return parse_camera(text.replace("[lens]\n", f"[lens]\n{extra}") + response)


def numbers_of(distribution) -> np.ndarray:
    errors = Errors(defocus_um=distribution)
    return np.array([drawn_numbers(errors, 5, index)["defocus_um"] for index in range(DRAWS)])


@pytest.mark.parametrize(
    "distribution",
    [
        Normal(distribution="normal", nominal=1.0, sigma=2.0),
        Normal(distribution="normal", nominal=-1.0, sigma=2.0, limit=1.5),
        Uniform(distribution="uniform", nominal=3.0, plus_minus=0.5),
    ],
)
def test_numbers_have_the_mean_and_the_standard_deviation_of_their_distribution(distribution):
    numbers, sigma = numbers_of(distribution), distribution.sigma_of_numbers
    # Four standard errors; that of a standard deviation is at most σ/√(2n) for these.
    assert numbers.mean() == pytest.approx(distribution.nominal, abs=4 * sigma / np.sqrt(DRAWS))
    assert numbers.std() == pytest.approx(sigma, abs=4 * sigma / np.sqrt(2 * DRAWS))
    assert np.abs(numbers - distribution.nominal).max() <= distribution.reach


def test_a_cut_normal_distribution_is_scipys():
    found = numbers_of(Normal(distribution="normal", sigma=2.0, limit=1.5))
    assert kstest(found, truncnorm(-0.75, 0.75, scale=2.0).cdf).pvalue > 0.01


def test_a_limit_far_below_sigma_leaves_a_uniform_distribution():
    cut = Normal(distribution="normal", sigma=1.0, limit=1e-4)
    assert cut.sigma_of_numbers == pytest.approx(1e-4 / np.sqrt(3), rel=1e-6)
    assert Normal(distribution="normal", sigma=1.0, limit=8.0).sigma_of_numbers == pytest.approx(1, rel=1e-10)


def test_fixed_numbers_are_the_same_in_every_lens():
    assert set(numbers_of(Fixed(distribution="fixed", nominal=2.5))) == {2.5}


def test_a_number_depends_on_nothing_but_seed_draw_and_name():
    everything = drawn_numbers(TYPICAL.errors, 3, 17)
    alone = drawn_numbers(Errors(tilt_x_deg=TYPICAL.errors.tilt_x_deg), 3, 17)
    assert alone["tilt_x_deg"] == everything["tilt_x_deg"]
    assert everything["tilt_y_deg"] != everything["tilt_x_deg"]
    assert drawn_numbers(TYPICAL.errors, 3, 18)["tilt_x_deg"] != everything["tilt_x_deg"]
    assert drawn_numbers(TYPICAL.errors, 4, 17)["tilt_x_deg"] != everything["tilt_x_deg"]


def test_errors_are_independent_of_each_other():
    drawn = [drawn_numbers(TYPICAL.errors, 0, index) for index in range(1000)]
    table = np.array(
        [[each[name] for name in ("width_error_nm", "defocus_um", "tilt_y_deg", "decentre_x_um")] for each in drawn]
    )
    correlation = np.corrcoef(table.T) - np.eye(4)
    assert np.abs(correlation).max() < 4 / np.sqrt(1000)


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (2**63, 0), (0, -1)])
def test_seeds_out_of_range_are_refused(seed, index):
    with pytest.raises(InputError, match="were expected from 0 to"):
        drawn_numbers(TYPICAL.errors, seed, index)


def test_a_drawn_camera_is_the_drawn_lens():
    camera = proxy_camera()
    lens = metalens_of(camera)
    kept, _ = applicable_errors(TYPICAL.errors, lens)
    numbers = drawn_numbers(kept, 1, 2)
    drawn = drawn_camera(camera, numbers)
    draw = draw_of(numbers, geometry_unit(camera, lens))
    expected, found = perturbed(lens, draw), metalens_of(drawn)
    for one, other in zip(jax.tree.leaves(expected), jax.tree.leaves(found), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert drawn.lens.defocus_m == pytest.approx(draw.assembly.defocus)
    assert np.tan(drawn.sensor.tilt) == pytest.approx([draw.assembly.tilt_y, draw.assembly.tilt_x])
    assert drawn.lens.decentre_m == pytest.approx((draw.assembly.decentre_y, draw.assembly.decentre_x))
    assert parse_camera(dump_camera(drawn)) == drawn


def test_a_draw_adds_to_what_the_camera_has():
    camera = proxy_camera(defocus_um=2.0, decentre_um="[1.0, -1.0]")
    drawn = drawn_camera(camera, {"defocus_um": 3.0, "decentre_x_um": 0.5, "width_spread_nm": 3.0})
    again = drawn_camera(drawn, {"width_spread_nm": 4.0, "missing_share": 0.1})
    assert again.lens.defocus_um == 5.0
    assert again.lens.decentre_um == (1.0, -0.5)
    assert again.lens.fabrication.width_spread_nm == pytest.approx(5.0)
    assert again.lens.fabrication.missing_share == pytest.approx(0.1)


def test_a_camera_without_a_draw_keeps_its_hash():
    camera = proxy_camera()
    assert drawn_camera(camera, {}).hash == camera.hash


def test_errors_that_a_lens_cannot_have_are_left_out_with_the_reason():
    kept, reasons = applicable_errors(TYPICAL.errors, metalens_of(read_camera("nano-optics")))
    assert "IdealPhase, without meta-atoms" in reasons["width_error_nm"]
    assert next(iter(kept.terms)) == "pitch_error_percent"
    kept, reasons = applicable_errors(TYPICAL.errors, metalens_of(proxy_camera()))
    assert list(reasons) == ["height_error_nm", "index_error"]
    assert "no height_slope" in reasons["height_error_nm"]


def test_samples_are_draws_side_by_side():
    camera = proxy_camera()
    samples = draw_samples(TYPICAL.errors, camera, metalens_of(camera), 0, 3)
    assert samples.fabrication.width_error.shape == (3,)
    assert samples.fabrication.height_error is None
    one = draw_of(drawn_numbers(TYPICAL.errors, 0, 1), 350e-9)
    assert float(samples.fabrication.width_error[1]) == pytest.approx(one.fabrication.width_error)
    # The published errors are duty cycles: 10.5 nm of 350 nm.
    assert TYPICAL.errors.width_error_nm.sigma / 350 == pytest.approx(0.03)
    assert float(samples.fabrication.width_spread[0]) == pytest.approx(0.015)


def test_an_empty_draw_changes_nothing():
    lens = metalens_of(read_camera("metacamera"))
    assert perturbed(lens, Draw()) == lens
    assert Draw().fabrication == Fabrication()
