"""Designs of two metasurfaces: numbers to lenses and back, and starts by rays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.design.spec import DesignSpec, parse_design
from metalens.optics import EvenPolynomial, Hyperbolic, Metalens, metalens_of
from metalens.psf.design.doublet_variables import DoubletVariables
from metalens.psf.design.problem import Problem, problem_of
from metalens.psf.design.run import design_lens, task_of, variables_of
from metalens.psf.design.variables import LensVariables

from .design_examples import design_text

LIGHT = 850e-9

# The doublet of Arbabi et al. (Nature Communications 7, 13682, 2016), 40 times smaller: f/0.9 behind 25 µm of silica.
GEOMETRY = """aperture_um = 40.0
focal_length_um = 17.9

[camera.lens.stop]
diameter_um = 20.0
distance_um = 0.0

[camera.lens.substrate]
thickness_um = 25.0
index = 1.4525
"""
TABLES = """
[variables]
family = "even_polynomial"
terms = 6
stop_terms = 4

[start]
families = ["smallest_spots", "quadratic"]
steps = 0

[sampling]
fields_deg = [0.0, 14.0, 27.0]
window_pixels = 9

[[objectives]]
kind = "mtf"
frequencies = [0.5]

[search]
steps = 3
"""


def spec(**changes: object) -> DesignSpec:
    text = design_text(TABLES, lens=GEOMETRY, pixels=17, wavelengths_nm=(850.0, 850.0, 850.0))
    return parse_design(text).with_(**changes)


def spots(problem: Problem, lens: Metalens) -> np.ndarray:
    """``[field]`` root mean square radii in metres."""
    view = replace(problem.view, lens=lens)
    found = []
    for field in range(len(view.position)):
        away, inside = view.rays(field, LIGHT, 8, 16)
        about = away[inside] - away[inside].mean(axis=0)
        found.append(np.sqrt(np.square(about).sum(axis=1).mean()))
    return np.array(found)


def start_named(name: str, asked: DesignSpec) -> tuple[Problem, LensVariables, np.ndarray]:
    task = task_of(asked)
    numbers = next(each.numbers for each in task.starts if each.name.startswith(name))
    return task.problem, task.variables, numbers


def test_two_phases_of_a_file_are_those_of_the_numbers(tmp_path: Path) -> None:
    problem = problem_of(spec())
    variables = variables_of(problem)
    assert isinstance(variables, DoubletVariables)
    numbers = np.linspace(-30.0, 20.0, variables.count)
    drawn = variables.lens(problem.view.lens, jnp.asarray(numbers))
    np.testing.assert_allclose(variables.closest(drawn), numbers, atol=1e-3)
    camera = problem.camera
    lens = camera.lens.model_copy(update=variables.tables(numbers, tmp_path / "lens.toml"))
    found = metalens_of(camera.model_copy(update={"lens": lens}))
    radius = jnp.linspace(0, 10e-6, 9)
    for mine, wanted in ((found.phase, drawn.phase), (found.stop.phase, drawn.stop.phase)):
        np.testing.assert_allclose(mine.at(0 * radius, radius), wanted.at(0 * radius, radius), atol=0.02)


def test_textbook_starts_focus_by_the_lens_alone_and_the_camera_keeps_both() -> None:
    corrector = {"family": "even_polynomial", "coefficients_rad": [3.0, -2.0], "radius_um": 10.0}
    own = {"family": "quadratic", "wavelength_nm": 850.0}
    asked = spec(
        camera={"lens": {"phase": own, "stop": {"phase": corrector}}}, start={"families": ["quadratic", "camera"]}
    )
    task = task_of(asked)
    textbook, camera = (variables_phase(task.variables, task.problem, each.numbers) for each in task.starts)
    radius = jnp.linspace(0, 10e-6, 9)
    assert not np.asarray(textbook.at(0 * radius, radius)).any()
    wanted = EvenPolynomial(np.array([3.0, -2.0]), 10e-6).at(0 * radius, radius)
    np.testing.assert_allclose(camera.at(0 * radius, radius), wanted, atol=1e-3)


def variables_phase(variables: LensVariables, problem: Problem, numbers: np.ndarray) -> EvenPolynomial:
    return variables.lens(problem.view.lens, jnp.asarray(numbers)).stop.phase


def test_channels_of_one_colour_have_one_start() -> None:
    assert [each.name for each in task_of(spec()).starts] == ["smallest spots of rays", "quadratic 850 nm"]


def test_a_start_by_rays_that_cannot_begin_is_left_out_and_the_others_stay() -> None:
    """Behind 25 µm more of glass the textbook lens folds its image over; a weaker lens does not."""
    weak = {"family": "quadratic", "wavelength_nm": 1400.0}
    lens = {"aperture_um": 120.0, "phase": weak, "substrate": {"thickness_um": 50.0}}
    task = task_of(spec(camera={"lens": lens}, start={"families": ["smallest_spots", "camera"]}))
    assert task.left_out == ("smallest spots of rays",)
    assert [each.name for each in task.starts] == ["the camera's own phase"]


def test_on_the_axis_the_smallest_spot_is_that_of_the_hyperbolic_lens() -> None:
    alone = design_text(TABLES.replace("stop_terms = 4\n", ""), pixels=17, wavelengths_nm=(532.0, 532.0, 532.0))
    asked = parse_design(alone).with_(sampling={"fields_deg": [0.0]}, start={"families": ["smallest_spots"]})
    problem, variables, numbers = start_named("smallest spots", asked)
    radius = jnp.linspace(0, 10e-6, 33)
    lens = variables.lens(problem.view.lens, jnp.asarray(numbers))
    error = lens.phase.at(0 * radius, radius) - Hyperbolic(60e-6, 532e-9).at(0 * radius, radius)
    assert np.ptp(np.asarray(error)) < 0.02


def test_by_rays_two_surfaces_are_five_times_as_sharp_as_one() -> None:
    problem, variables, numbers = start_named("smallest spots", spec())
    doublet = spots(problem, variables.lens(problem.view.lens, jnp.asarray(numbers)))
    only = {"variables": {"family": "even_polynomial", "terms": 6}}
    text = design_text(TABLES.replace("stop_terms = 4\n", ""), lens=GEOMETRY, pixels=17, wavelengths_nm=(850.0,) * 3)
    problem, variables, numbers = start_named("smallest spots", parse_design(text).with_(**only))
    single = spots(problem, variables.lens(problem.view.lens, jnp.asarray(numbers)))
    assert (doublet < 0.2 * single).all()
    assert (single < 1e-6).all()


@pytest.mark.long
def test_a_designed_doublet_is_written_and_sharper_than_one_surface(tmp_path: Path) -> None:
    found = design_lens(spec(), tmp_path / "lens.toml")
    camera = read_camera(tmp_path / "lens.toml")
    assert camera.lens.stop.phase.family == "even_polynomial"
    assert found.loss <= found.state.trial_loss.min() < found.state.trial_loss[1]
