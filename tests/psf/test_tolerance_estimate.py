"""The estimate from one error at a time: exact for parabolas, and near the Monte Carlo's answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from metalens.formats.camera.camera import read_camera
from metalens.formats.design.spec import parse_design, read_design
from metalens.formats.design.tolerance_spec import Errors, Fixed, Normal
from metalens.psf.design import tolerance_estimate
from metalens.psf.design.problem import Problem, problem_of
from metalens.psf.design.tolerance_estimate import restored_of, tolerance_loss_db
from metalens.psf.tolerance.draws import Assembly, Draw, stacked

from .design_examples import design_text

SPEC = design_text(
    """
[variables]
family = "even_polynomial"
terms = 2

[start]
families = ["camera"]

[sampling]
fields_deg = [0.0, 10.0]
window_pixels = 31

[[objectives]]
kind = "restoration"

[fabrication.errors]
pitch_error_percent = { distribution = "normal", nominal = 0.2, sigma = 0.1 }
defocus_um = { distribution = "normal", sigma = 4.0 }
tilt_x_deg = { distribution = "normal", sigma = 2.0 }
decentre_x_um = { distribution = "normal", sigma = 2.0 }
""",
    lens="""aperture_um = 20.0
focal_length_um = 60.0
phase = { family = "hyperbolic", wavelength_nm = 530.0 }""",
    wavelengths_nm=(600.0, 530.0, 460.0),
)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return problem_of(parse_design(SPEC))


def test_it_is_exact_for_a_parabola_of_the_errors(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    """With tilts' slopes left out: f = 30 + 0.5 z − 0.02 z² + 2 p + 3 t − 0.1 t², of defocus, pitch and tilt."""

    def parabola(_: Problem, draws: Draw) -> np.ndarray:
        z, p = 1e6 * np.asarray(draws.assembly.defocus), 100 * np.asarray(draws.fabrication.pitch_error)
        t = np.degrees(np.arctan(np.asarray(draws.assembly.tilt_x)))
        return np.asarray(30 + 0.5 * z - 0.02 * z**2 + 2 * p + 3 * t - 0.1 * t**2)

    monkeypatch.setattr(tolerance_estimate, "restored_of", parabola)
    z, p, t = np.random.default_rng(5).normal([[0.0], [0.2], [0.0]], [[4.0], [0.1], [2.0]], (3, 1_000_000))
    copies = 0.5 * z - 0.02 * z**2 + 2 * p - 0.1 * t**2
    assert tolerance_loss_db(problem, problem.camera) == pytest.approx(-np.quantile(copies, 0.05), rel=0.02)


def test_a_lens_at_its_best_focus_loses_by_the_square_alone(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    """f = 30 − 0.02 z²: one copy in twenty is more than 1.96 standard deviations away, on either side."""

    def best_focus(_: Problem, draws: Draw) -> np.ndarray:
        return np.asarray(30 - 0.02 * (1e6 * np.asarray(draws.assembly.defocus)) ** 2)

    monkeypatch.setattr(tolerance_estimate, "restored_of", best_focus)
    assert tolerance_loss_db(problem, problem.camera) == pytest.approx(0.02 * (1.96 * 4.0) ** 2, rel=0.02)


def with_errors(problem: Problem, errors: Errors) -> Problem:
    table = problem.spec.fabrication
    assert table is not None
    return problem_of(problem.spec.model_copy(update={"fabrication": table.model_copy(update={"errors": errors})}))


@pytest.mark.long
def test_it_is_near_to_what_drawn_lenses_lose(problem: Problem) -> None:
    errors = Errors(defocus_um=Normal(distribution="normal", sigma=1.0))
    one = with_errors(problem, errors)
    # The middles of 40 equally likely parts tell the quantile as well as a thousand random draws.
    defocus = 1e-6 * norm.ppf((np.arange(40) + 0.5) / 40)
    drawn = restored_of(one, stacked([Draw(assembly=Assembly(defocus=each)) for each in defocus]))
    as_designed = restored_of(one, stacked([Draw()]))[0]
    loss = as_designed - np.quantile(drawn, 0.05)
    assert loss > 0.01
    assert tolerance_loss_db(one, one.camera) == pytest.approx(loss, rel=0.3)


def test_a_lens_that_can_have_none_of_the_errors_loses_nothing(problem: Problem) -> None:
    errors = Errors(decentre_x_um=Normal(distribution="normal", sigma=1.0))
    assert tolerance_loss_db(with_errors(problem, errors), problem.camera) == 0.0


def test_an_error_that_all_copies_have_is_lost_by_all(problem: Problem) -> None:
    one = with_errors(problem, Errors(defocus_um=Fixed(distribution="fixed", nominal=3.0)))
    drawn, moved = restored_of(one, stacked([Draw(), Draw(assembly=Assembly(defocus=3e-6))]))
    assert tolerance_loss_db(one, one.camera) == pytest.approx(drawn - moved, abs=1e-5)


@pytest.mark.long
def test_several_orders_behind_a_stop_have_an_estimate() -> None:
    """Compiled with the lens as a constant, its light was not a number."""
    spec = read_design("multi-order").with_(sampling={"fields_deg": [0.0], "wavelengths_per_channel": 1})
    assert 0.0 < tolerance_loss_db(problem_of(spec), read_camera("multi-order")) < 1.0
