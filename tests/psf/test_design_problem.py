"""Specifications that contradict themselves are refused in a sentence, before any work."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.design.spec import DesignSpec, parse_design
from metalens.formats.files.errors import InputError
from metalens.optics import EvenPolynomial
from metalens.psf.design.problem import field_positions, problem_of
from metalens.psf.design.run import task_of

SPEC = """
schema = "metalens.design"
version = 1
name = "mine"

[camera]
base = "metacamera-200um"

[variables]
family = "even_polynomial"

[sampling]
fields_deg = [0.0, 10.0]
window_pixels = 33

[[objectives]]
kind = "mtf"
"""


def spec(*changes: tuple[str, str], more: str = "") -> DesignSpec:
    text = SPEC
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return parse_design(text + more)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("[0.0, 10.0]", "[0.0, 30.0]", "the field of 30° lies beyond the sensor, whose corner is at 28.81°"),
        ("window_pixels = 33", "window_pixels = 401", "window_pixels 401 is more than the 400 pixels"),
        ('kind = "mtf"', 'kind = "uniformity"\n[camera.lens]\naperture_um = 100.0', None),
        ('kind = "mtf"', 'kind = "efficiency"\nradius_um = 50.0', "reaches beyond the window, 28.88 µm to each side"),
        (
            'kind = "mtf"',
            'kind = "mtf"\n[camera.lens.meta_atoms]\npitch_nm = 460.0',
            "a lattice of pitch 460 nm diffracts light of",
        ),
        (
            'kind = "mtf"',
            'kind = "mtf"\n[camera.lens]\naperture_um = 2400.0',
            "a numerical aperture of 0.80 at 437 nm is above the limit λ/(2 pitch) = 0.62",
        ),
        ('kind = "mtf"', 'kind = "mtf"\n[fabrication]', "fabrication.errors has width_error_nm, but the response"),
        (
            'family = "even_polynomial"',
            'family = "even_polynomial"\nstop_terms = 4',
            "variables.stop_terms is the phase of a first metasurface in the plane of the stop, but the camera has",
        ),
        ('family = "even_polynomial"', 'family = "zernike"', "azimuths_deg has only 1 of its sides"),
        (
            'kind = "mtf"',
            'kind = "strehl"\n[camera.lens]\nfocal_length_um = 200.0\n[camera.sensor]\npixel_pitch_um = 1.0',
            None,
        ),
        (
            'kind = "mtf"',
            'kind = "strehl"\n[camera.sensor]\npixel_pitch_um = 10.0\npixels = [64, 64]',
            "the Strehl ratio needs 11 samples along a pixel of 10 µm",
        ),
    ],
)
def test_a_contradiction_is_named(before: str, after: str, message: str | None) -> None:
    asked = spec((before, after))
    if message is None:
        task_of(asked)
        return
    with pytest.raises(InputError) as error:
        task_of(asked)
    assert str(error.value).startswith("design mine: ")
    assert message in str(error.value)


def test_all_contradictions_of_a_specification_are_told_in_one_sentence() -> None:
    """Those that need the lens, too: the errors of meta-atoms, the sides of a lens without symmetry."""
    lens = "[camera.lens.meta_atoms]\npitch_nm = 460.0\n[fabrication]\n"
    with pytest.raises(InputError) as error:
        problem_of(
            spec(("[0.0, 10.0]", "[30.0]"), ('"even_polynomial"', '"freeform"'), ("mtf", "uniformity"), more=lens)
        )
    assert re.fullmatch(
        r"design mine: the field of 30° lies beyond .*; a lattice of pitch 460 nm .*; objectives\[0\] compares fields, "
        r".*; the lens need not become rotationally symmetric, .*; fabrication\.errors has width_error_nm, .*[^.]\.",
        str(error.value),
    )


def test_uniformity_needs_fields_to_compare() -> None:
    with pytest.raises(InputError, match=r"compares fields, but sampling.fields_deg has only one"):
        problem_of(spec(("[0.0, 10.0]", "[5.0]"), ('kind = "mtf"', 'kind = "uniformity"')))


def test_errors_that_a_lens_without_meta_atoms_has_are_allowed() -> None:
    errors = '[fabrication.errors.defocus_um]\ndistribution = "normal"\nsigma = 5.0\n'
    task = task_of(spec(more=f"[fabrication]\nsamples = 3\n{errors}"))
    assert task.draws is not None
    assert task.draws.assembly.defocus.shape == (3,)


def test_fields_lie_where_their_chief_rays_land_and_the_axis_stands_once() -> None:
    problem = problem_of(
        spec(("fields_deg = [0.0, 10.0]", "fields_deg = [0.0, 10.0]\nazimuths_deg = [0.0, 90.0, 180.0]"))
    )
    reach = 900e-6 * np.tan(np.radians(10))
    wanted = np.array([[0, 0], [0, reach], [reach, 0], [0, -reach]])
    assert np.allclose(problem.view.position, wanted, atol=1e-15)
    assert np.allclose(np.hypot(*problem.view.direction.T), np.sin(np.radians([0, 10, 10, 10])), atol=1e-6)
    assert np.allclose(problem.tangential[1:], wanted[1:] / reach)


def test_a_field_weighs_as_much_as_the_sensor_has_nearest_to_it() -> None:
    # All pixels of a square of side 2a within the radius t have the share π t²/(2a)².
    side, middle = 350e-6, 900e-6 * np.tan(np.radians(10)) / 2
    weight = problem_of(spec()).field_weight
    assert weight[0] == pytest.approx(np.pi * middle**2 / (2 * side) ** 2, rel=0.01)
    assert weight.sum() == pytest.approx(1)
    given = problem_of(spec(("window_pixels = 33", "window_pixels = 33\nweights = [1.0, 3.0]"))).field_weight
    assert given == pytest.approx([0.25, 0.75])


def test_positions_are_those_of_a_flat_sensor() -> None:
    position, outward = field_positions(spec().camera, (0.0, 20.0), (90.0,))
    assert position[1] == pytest.approx([900e-6 * np.tan(np.radians(20)), 0], abs=1e-15)
    assert outward[1] == pytest.approx([1, 0], abs=1e-12)


PRINTED = re.findall(
    r"(?m)^    schema = \"metalens\.design\"\n(?:(?:    .*)?\n)*",
    (Path(__file__).resolve().parents[2] / "docs" / "design.md").read_text(encoding="utf-8"),
)


@pytest.mark.parametrize("text", PRINTED)
def test_specifications_that_the_documents_print_can_be_run(text: str) -> None:
    assert task_of(parse_design(textwrap.dedent(text))).starts


def test_the_documents_print_a_specification() -> None:
    assert PRINTED


def test_a_base_at_another_aperture_is_planned_without_its_phase() -> None:
    """The polynomial of the base means nothing beyond its own radius, and the search replaces it."""
    lens = "[camera.lens]\naperture_um = 300.0\nfocal_length_um = 600.0\n"
    wide = problem_of(spec(("[variables]", lens + "\n[variables]")))
    assert wide.simulator(wide.view.lens).plan.grid.size[0] < 2000
    kept = problem_of(spec(("[sampling]", '[start]\nfamilies = ["camera"]\n\n[sampling]')))
    assert isinstance(kept.view.lens.phase, EvenPolynomial)
