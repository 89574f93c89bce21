"""Architectures: the lens behind a stop by ray tracing, the envelope, the order of candidates, the Pareto front."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.design.exploration import Architecture
from metalens.formats.design.exploration_run import Candidate, Figures
from metalens.formats.design.spec import DesignSpec, read_design
from metalens.formats.files.errors import InputError
from metalens.optics.from_lens_toml import metalens_of
from metalens.optics.source import PlaneWave
from metalens.psf.design.architecture import (
    MARGIN,
    Branch,
    branches_of,
    candidate_spec,
    corner_ray,
    half_diagonal_um,
    quantities_of,
)
from metalens.psf.design.architecture_sampling import GENERATION, Sampler, fronts, pareto_front, reflected
from metalens.psf.design.hybrid_architecture import focusing_phase, green_wavelength
from metalens.psf.design.whole_sensor import corner_deg
from metalens.psf.rays import chief_ray, direction_to, ray_landing, seen_cone

SPEC = read_design("explore-1mm3")
BASE = read_camera("metacamera")
QUADRATIC = {"family": "quadratic", "wavelength_nm": 530.0}


def explored(**changes: object) -> DesignSpec:
    return SPEC.with_(explore=changes)


def branch_called(name: str, spec: DesignSpec = SPEC) -> Branch:
    return next(each for each in branches_of(spec)[0] if each.choice == name)


def with_stop(air: float, glass: float, cover: float) -> Camera:
    lens = {"focal_length_um": 700.0, "aperture_um": 1500.0, "phase": QUADRATIC}
    lens |= {"stop": {"diameter_um": 120.0, "distance_um": air}}
    lens |= {"substrate": {"thickness_um": glass, "index": 1.5}} if glass else {}
    lens |= {"cover_glass": {"thickness_um": cover, "index": 1.7}} if cover else {}
    return BASE.with_(lens=lens)


SIMPLER = [pytest.param(*each, marks=pytest.mark.long) for each in ((0.0, 500.0, 0.0), (120.0, 250.0, 0.0))]


@pytest.mark.parametrize(("air", "glass", "cover"), [(300.0, 0.0, 0.0), (120.0, 250.0, 200.0), *SIMPLER])
def test_the_corners_chief_ray_is_the_traced_one(air: float, glass: float, cover: float) -> None:
    camera = with_stop(air, glass, cover)
    sine, height = corner_ray(camera, *(np.array([each]) for each in (700.0, air, glass)))[0]
    lens = metalens_of(camera)
    direction = direction_to(lens, 530e-9, 0.0, 1e-6 * half_diagonal_um(camera))
    # float32 rays: 2e-6 of the focal length is what the tracing holds to.
    assert sine == pytest.approx(direction[1], abs=1e-5)
    traced = chief_ray(lens, jnp.asarray(530e-9), jnp.asarray(direction))
    assert height == pytest.approx(1e6 * float(traced.lens_point[1]), abs=0.01)
    assert 1e6 * float(traced.landing[1]) == pytest.approx(half_diagonal_um(camera), abs=0.01)


def test_the_lens_behind_a_stop_takes_in_the_corners_beam_with_five_percent_to_spare() -> None:
    branch = branch_called("stop on glass")
    told = Architecture(choice=branch.choice, pupil_um=120.0, focal_length_um=700.0, substrate_um=400.0)
    camera = candidate_spec(branch, told, 0).camera.with_(lens={"phase": QUADRATIC})
    lens = metalens_of(camera)
    direction = direction_to(lens, 530e-9, 0.0, 1e-6 * half_diagonal_um(camera))
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    rim = 0.5 * 120e-6 * np.sin(angle), 0.5 * 120e-6 * np.cos(angle)
    for size, all_pass in ((1 / MARGIN + 1e-4, True), (1 / MARGIN - 1e-4, False)):
        smaller = dataclasses.replace(lens, aperture_diameter=size * lens.aperture_diameter)
        _, inside = ray_landing(smaller, PlaneWave(jnp.asarray(direction)), jnp.asarray(530e-9), *rim)
        assert bool(inside.all()) is all_pass


def test_without_air_and_glass_the_lens_is_its_own_stop() -> None:
    told = Architecture(choice="no stop", pupil_um=150.0, focal_length_um=800.0, start_wavelength_nm=532.0)
    spec = candidate_spec(branch_called("no stop"), told, 7)
    assert (spec.camera.lens.aperture_um, spec.camera.lens.stop, spec.camera.lens.substrate) == (150.0, None, None)
    assert spec.start.wavelengths_nm == (532.0,)
    assert spec.name == "explore-1mm3 007"
    assert spec.explore is None
    quantities = quantities_of(spec.camera, [told])
    assert quantities["field_deg"][0] == pytest.approx(np.degrees(np.arctan(half_diagonal_um(BASE) / 800)))


def test_the_fields_stay_at_their_places_on_the_sensor() -> None:
    told = Architecture(choice="no stop", pupil_um=150.0, focal_length_um=650.0)
    spec = candidate_spec(branch_called("no stop"), told, 0)
    expected = 900 * np.tan(np.radians(SPEC.sampling.fields_deg))
    np.testing.assert_allclose(650 * np.tan(np.radians(spec.sampling.fields_deg)), expected)


def test_a_choice_changes_camera_variables_and_ranges() -> None:
    choice = {"name": "narrow", "camera": {"sensor": {"read_noise_e": 1.0}}, "variables": {"terms": 4}}
    spec = explored(choices=[choice | {"range": {"pupil_um": 70.0}}])
    (branch,) = branches_of(spec)[0]
    assert branch.spec.camera.sensor.read_noise_e == 1.0
    assert branch.spec.variables.terms == 4  # type: ignore[union-attr]
    assert (branch.low[0], branch.high[0]) == (70.0, 70.0)


def test_what_is_not_free_is_the_cameras_own() -> None:
    spec = explored(range={"pupil_um": [60, 80], "focal_length_um": None, "start_wavelength_nm": None}, choices=[])
    for told in Sampler(spec).first:
        assert (told.focal_length_um, told.start_wavelength_nm, told.has_stop) == (900.0, None, False)


INDEX = 1.5168
CURVED = {"radius_of_curvature_um": 110.0, "thickness_um": 40.0, "clear_diameter_um": 80.0, "index": INDEX}
GLASS = {
    "front": [CURVED],
    "behind": [
        {"metasurface": True, "thickness_um": 40.0, "index": INDEX},
        {"radius_of_curvature_um": -110.0, "clear_diameter_um": 80.0},
    ],
}


def with_glass(surfaces: list[dict], **lens: object) -> Camera:
    sensor = {"pixels": (32, 32), "pixel_pitch_um": 1.2}
    return BASE.with_(lens={"aperture_um": 40.0, "surfaces": surfaces, **lens}, sensor=sensor)


@pytest.mark.parametrize("place", [pytest.param("front", marks=pytest.mark.long), "behind"])
def test_with_refractive_surfaces_the_corner_the_cone_and_the_length_are_those_of_the_glass(place: str) -> None:
    """The sensor is not where the rays were traced to: what is linear in its distance is carried there."""
    spec = explored(choices=[], range={"pupil_um": 40.0, "focal_length_um": [170.0, 240.0]})
    camera = with_glass(GLASS[place], focal_length_um=200.0)
    (branch,) = branches_of(spec.with_(camera=camera.model_dump(exclude_none=True)))[0]
    told = Architecture(pupil_um=40.0, focal_length_um=225.0)
    quantities = {name: value[0] for name, value in quantities_of(branch.spec.camera, [told]).items()}
    found = candidate_spec(branch, told, 0).camera
    assert found.lens.surfaces == camera.lens.surfaces
    assert quantities["field_deg"] == pytest.approx(corner_deg(found), abs=1e-3)
    assert quantities["track_length_um"] == (265.0 if place == "front" else 225.0)
    cone_um = 1e6 * float(seen_cone(metalens_of(found), green_wavelength(found)).focal_length)
    assert quantities["f_number"] == pytest.approx(cone_um / 40.0, rel=1e-4)
    assert np.isnan(quantities_of(camera, [told.model_copy(update={"focal_length_um": 39.0})])["field_deg"][0]) == (
        place == "behind"
    )


def test_the_phase_to_begin_with_adds_to_the_glass_what_it_lacks_of_the_focus() -> None:
    """A plano-hyperbolic lens focuses parallel light at f₀ behind the metasurface, which adds λ(1/f − 1/f₀)/2π r²/2."""
    plane = {"thickness_um": 60.0, "clear_diameter_um": 100.0, "index": INDEX}
    oval = {"radius_of_curvature_um": (1 - INDEX) * 300.0, "conic": -(INDEX**2)}
    surfaces = [plane, oval | {"thickness_um": 10.0, "clear_diameter_um": 100.0}]
    focused = focusing_phase(with_glass(surfaces, focal_length_um=290.0), 532e-9)
    np.testing.assert_allclose(focused["coefficients_rad"], 0, atol=0.02)
    nearer = focusing_phase(with_glass(surfaces, focal_length_um=200.0), 532e-9)
    expected = -np.pi * 20.0**2 / 0.532 * (1 / 200.0 - 1 / 290.0)
    assert nearer["coefficients_rad"][0] == pytest.approx(expected, rel=2e-3)


def test_glass_that_reflects_the_light_on_the_axis_is_refused() -> None:
    dense = {"metasurface": True, "thickness_um": 30.0, "index": 4.0}
    camera = with_glass([dense, {"radius_of_curvature_um": -21.0, "clear_diameter_um": 40.0}], focal_length_um=200.0)
    with pytest.raises(InputError, match=r"light on the axis does not come through lens.surfaces; use a smaller pupil"):
        focusing_phase(camera, 532e-9)


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        (
            {
                "choices": [
                    {"name": "glass", "camera": {"lens": {"surfaces": GLASS["front"]}}, "range": {"substrate_um": 9.0}}
                ],
                "envelope": {"period_um": 5.0},
            },
            ["choices.glass: camera.lens.surfaces: a metasurface with", "envelope.period_um is that of a lens without"],
        ),
        ({"range": {"pupil_um": [90, 80]}}, ["range.pupil_um begins at 90 and ends at 80"]),
        (
            {"envelope": {"f_number": [8, 4], "numerical_aperture": 0.4, "track_length_um": 300}},
            [
                "envelope.f_number begins at 8 and ends at 4",
                "envelope.numerical_aperture 0.4 is more than 0.0624",
                "envelope.track_length_um by 0.00%",
            ],
        ),
        ({"envelope": {"diameter_um": 50}}, ["none of 16384 within the ranges fit", "envelope.diameter_um by 0.00%"]),
        ({"envelope": {"period_um": 90.0}}, ["none of 16384 within the ranges fit", "envelope.period_um by 0.00%"]),
        (
            {"range": {"focal_length_um": 600}, "choices": [{"name": "far", "range": {"stop_distance_um": 5000}}]},
            ["a chief ray to the sensor's corner, at most 75° off axis by 0.00%"],
        ),
        (
            {"choices": [{"name": "a", "camera": {"lens": {"colour": 1}}}, {"name": "a"}]},
            ["two choices are called a", "choices.a: camera explore-1mm3, changed: unknown key lens.colour"],
        ),
        (
            {"candidates": 5, "range": {"pupil_um": 90, "focal_length_um": 700, "start_wavelength_nm": 530}}
            | {"choices": []},
            ["5 architectures are asked for, but 1 different one of 16384"],
        ),
    ],
)
def test_what_cannot_be_is_told_at_once(changes: dict, messages: list[str]) -> None:
    with pytest.raises(InputError) as told:
        Sampler(explored(**changes))
    assert [message for message in messages if message not in str(told.value)] == []


def test_candidates_lie_within_the_envelope_and_differ() -> None:
    sampler = Sampler(SPEC)
    assert len(set(sampler.first)) == len(sampler.first) == 16
    assert {each.choice for each in sampler.first} == {"no stop", "stop in air", "stop on glass", "multi-order"}
    for each in sampler.first:
        quantities = quantities_of(sampler.branches[each.choice].spec.camera, [each])
        assert quantities["track_length_um"][0] <= 1100
        assert quantities["diameter_um"][0] <= 800
    assert Sampler(explored(seed=1)).first != sampler.first == Sampler(SPEC).first


def test_a_smallest_period_of_the_phase_bounds_the_lens_or_deepens_its_relief() -> None:
    """A turn of the phase is a wavelength of path at λf/r from the centre, or a relief's several wavelengths."""
    kept = Sampler(explored(envelope={"period_um": 15.0}))
    assert {each.choice for each in kept.first} == {"multi-order"}
    for each in kept.first:
        camera = candidate_spec(kept.branches[each.choice], each, 0).camera.lens
        assert 3.7 * camera.focal_length_um / (0.5 * camera.aperture_um) >= 15.0


def test_a_front_begins_with_one_candidate_at_least() -> None:
    sampler = Sampler(explored(candidates=3, refine=0.95))
    assert list(sampler.batches()) == [range(1), range(1, 3)]


def measured(number: int, architecture: Architecture, restored: float) -> Candidate:
    figures = Figures(
        restored_db=restored,
        restored_centre_db=restored,
        restored_edge_db=restored,
        captured_db=20.0,
        tolerance_loss_db=0.1 + restored / 100,
        track_length_um=architecture.track_length_um,
        diameter_um=100.0,
        f_number=architecture.focal_length_um / architecture.pupil_um,
        field_deg=30.0,
        light=(architecture.pupil_um / architecture.focal_length_um) ** 2,
        loss=0.0,
        steps=1,
        lens_hash="0" * 64,
    )
    return Candidate(number=number, architecture=architecture, figures=figures, seconds=1.0)


def test_a_front_is_told_for_each_pair_of_figures() -> None:
    """Of three equal cameras, the second loses less by tolerances, and the third has the better edge."""
    plain = measured(0, Architecture(pupil_um=100.0, focal_length_um=900.0), 25.0)
    assert plain.figures is not None
    tolerant, even = (
        plain.model_copy(update={"figures": plain.figures.model_copy(update=change)})
        for change in ({"tolerance_loss_db": 0.1}, {"restored_edge_db": 26.0})
    )
    found = {name: each.tolist() for name, each in fronts([plain, tolerant, even]).items()}
    assert found == {
        "track": [True, True, True],
        "light": [True, True, True],
        "tolerance": [False, True, False],
        "edge": [False, False, True],
    }
    former = plain.model_copy(update={"figures": plain.figures.model_copy(update={"tolerance_loss_db": None})})
    assert set(fronts([former, even])) == {"track", "light", "edge"}


def test_generations_step_from_the_front_within_the_envelope() -> None:
    sampler = Sampler(SPEC)
    batches = list(sampler.batches())
    assert batches == [range(16), range(16, 24), range(24, 32)]
    assert {len(each) for each in batches[1:]} == {GENERATION}
    done = [measured(number, each, each.pupil_um / 10) for number, each in enumerate(sampler.first)]
    born = sampler.batch(batches[1], done)
    assert born == sampler.batch(batches[1], done)
    assert born != sampler.batch(batches[1], done[:8])
    kept = sampler._limits(born)
    assert all(bool(each.all()) for each in kept.values())
    front = np.logical_or.reduce(list(fronts(done).values()))
    parents = [each.architecture for each, on_it in zip(done, front, strict=True) if on_it]
    # Five standard deviations of a step, each a tenth of the range.
    assert all(min(abs(each.pupil_um - parent.pupil_um) for parent in parents) < 5 * 14 for each in born)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=20))
def test_the_front_is_what_no_other_point_dominates(points: list[tuple[int, int, int]]) -> None:
    def dominated(point: tuple[int, ...]) -> bool:
        return any(other != point and all(b >= a for a, b in zip(point, other, strict=True)) for other in points)

    assert pareto_front(np.array(points, dtype=float)).tolist() == [not dominated(point) for point in points]


def test_places_are_mirrored_at_the_ends_of_the_range() -> None:
    np.testing.assert_allclose(reflected(np.array([-0.2, 0.3, 1.2, 2.4, -1.3])), [0.2, 0.3, 0.8, 0.4, 0.7])
