"""The metalens as a record: made in two lines, from a file, and what it says of itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import Camera, dump_camera, parse_camera, read_camera
from metalens.formats.files.errors import InputError
from metalens.optics import (
    Annulus,
    Circle,
    Cubic,
    EvenPolynomial,
    Freeform,
    Hyperbolic,
    IdealPhase,
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
    metalens_of,
)

BASE = read_camera("hyperbolic")


def lens_with(**changes: object) -> Metalens:
    return metalens_of(Camera.model_validate(BASE.model_dump() | {"lens": BASE.lens.model_dump() | changes}))


def test_a_lens_is_made_in_two_lines():
    phase = Hyperbolic(focal_length=1e-3, wavelength=532e-9)
    lens = Metalens(aperture_diameter=0.5e-3, focal_length=1e-3, phase=phase)
    assert isinstance(lens.aperture, Circle)
    assert isinstance(lens.response, IdealPhase)
    assert (lens.stop, lens.substrate, lens.cover_glass) == (None, None, None)
    assert lens.rotationally_symmetric
    assert lens.aperture_area == pytest.approx(np.pi * 0.25e-3**2)


def test_a_lens_is_a_pytree_with_all_its_parts():
    lens = Metalens(
        1e-3,
        1e-3,
        Hyperbolic(1e-3, 532e-9) + Zernike((4,), jnp.ones(1), 0.5e-3),
        Annulus(0.2e-3),
        Kinoform(532e-9, (0, 1)),
        Stop(0.3e-3, 0.5e-3),
        Plate(0.5e-3, 1.46),
        Plate(0.3e-3, 1.52),
    )
    leaves, structure = jax.tree.flatten(lens)
    assert len(leaves) == 2 + 2 + 2 + 1 + 1 + 2 + 2 + 2
    again = jax.tree.unflatten(structure, leaves)
    assert again.response.orders == (0, 1)
    assert isinstance(again.phase, Sum)
    gradient = jax.grad(lambda lens: lens.aperture_area)(lens)
    assert float(gradient.stop.diameter) == pytest.approx(np.pi * 0.15e-3)


def test_the_stop_limits_the_light_where_there_is_one():
    phase = Quadratic(1e-3, 532e-9)
    open_lens = Metalens(1e-3, 1e-3, phase, Annulus(0.5e-3))
    assert open_lens.aperture_area == pytest.approx(np.pi * (0.5e-3**2 - 0.25e-3**2))
    assert Metalens(1e-3, 1e-3, phase, stop=Stop(0.2e-3, 0.5e-3)).aperture_area == pytest.approx(np.pi * 0.1e-3**2)


@pytest.mark.parametrize(
    ("changes", "symmetric"),
    [
        ({}, True),
        ({"aperture": Annulus(0.1e-3)}, True),
        ({"aperture": Polygon(np.array([(0, 1), (1, 0), (-1, -1)]) * 1e-4)}, False),
        ({"stop": Stop(0.2e-3, 0.0, Polygon(np.array([(0, 1), (1, 0), (-1, -1)]) * 1e-4))}, False),
        ({"phase": Hyperbolic(1e-3, 532e-9) + Cubic(1.0, 1e-3)}, False),
        ({"phase": Zernike((4, 12), np.ones(2), 1e-3)}, True),
        ({"phase": Zernike((4, 7), np.ones(2), 1e-3)}, False),
    ],
)
def test_a_lens_is_symmetric_if_all_that_the_light_meets_is(changes, symmetric):
    lens = Metalens(**({"aperture_diameter": 1e-3, "focal_length": 1e-3, "phase": Quadratic(1e-3, 5e-7)} | changes))
    assert lens.rotationally_symmetric == symmetric


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"family": "quadratic", "wavelength_nm": 532}, Quadratic(1e-3, 532e-9)),
        (
            {"family": "even_polynomial", "coefficients_rad": [-300, 20], "radius_um": 250},
            EvenPolynomial(np.array([-300, 20]), 250e-6),
        ),
        (
            {
                "family": "log_asphere",
                "wavelength_nm": 532,
                "centre_focus_um": 950,
                "rim_focus_um": 1050,
                "radius_um": 250,
            },
            LogAsphere(950e-6, 1050e-6, 250e-6, 532e-9),
        ),
        ({"family": "cubic", "strength_rad": 60, "radius_um": 250}, Cubic(60, 250e-6)),
        (
            {"family": "zernike", "indices": [5, 7], "coefficients_rad": [1.5, -2], "radius_um": 250},
            Zernike((5, 7), np.array([1.5, -2]), 250e-6),
        ),
        (
            {
                "family": "sum",
                "terms": [
                    {"family": "hyperbolic", "wavelength_nm": 532},
                    {"family": "cubic", "strength_rad": 60, "radius_um": 250},
                ],
            },
            Hyperbolic(1e-3, 532e-9) + Cubic(60, 250e-6),
        ),
    ],
)
def test_every_family_of_a_file_is_the_one_in_metres(table, expected):
    phase = lens_with(phase=table).phase
    assert jax.tree.structure(phase) == jax.tree.structure(expected)
    y, x = jnp.asarray([0.0, 1e-4, -5e-5]), jnp.asarray([0.0, 3e-5, 2e-4])
    np.testing.assert_allclose(phase.at(y, x), expected.at(y, x), rtol=1e-5)


def test_every_part_of_a_file_is_the_one_in_metres():
    lens = lens_with(
        aperture={"shape": "polygon", "vertices_um": [[-200, 0], [100, 150], [100, -150]]},
        stop={"diameter_um": 200, "distance_um": 300, "aperture": {"shape": "annulus", "inner_diameter_um": 50}},
        substrate={"thickness_um": 500, "index": 1.46},
        cover_glass={"thickness_um": 300, "index": 1.52},
        response={"kind": "kinoform", "wavelength_nm": 532, "orders": [0, 1]},
    )
    assert lens.aperture.vertices[1] == pytest.approx([100e-6, 150e-6])
    assert lens.stop.diameter == pytest.approx(200e-6)
    assert lens.stop.distance == pytest.approx(300e-6)
    assert lens.stop.aperture.inner_diameter == pytest.approx(50e-6)
    assert (lens.substrate.thickness, lens.substrate.index) == pytest.approx((500e-6, 1.46))
    assert (lens.cover_glass.thickness, lens.cover_glass.index) == pytest.approx((300e-6, 1.52))
    assert lens.response.wavelength == pytest.approx(532e-9)
    assert lens.response.orders == (0, 1)
    assert isinstance(lens_with(response={"kind": "ideal"}).response, IdealPhase)


def test_a_file_with_the_proxy_has_its_meta_atoms():
    table = {"kind": "nano_optics_proxy", "wavelength_nm": 511, "duty_error": 0.03}
    response = lens_with(response=table).response
    assert isinstance(response, MetaAtoms)
    assert response.design_wavelength == pytest.approx(511e-9)
    assert response.width_error == pytest.approx(0.03)
    with pytest.raises(InputError, match="wavelength 1000 nm lies outside the table, which goes from 400 to 700 nm"):
        response.check(1000e-9)


def camera_with_a_map(folder, samples, pitch_um):
    np.save(folder / "map.npy", samples)
    phase = {"family": "freeform", "file": "map.npy", "pitch_um": pitch_um}
    camera = Camera.model_validate(BASE.model_dump() | {"lens": BASE.lens.model_dump() | {"phase": phase}})
    (folder / "lens.toml").write_text(dump_camera(camera), encoding="utf-8")
    return read_camera(folder / "lens.toml")


def test_a_map_in_a_file_becomes_the_phase(tmp_path):
    samples = np.random.default_rng(0).normal(size=(51, 51))
    phase = metalens_of(camera_with_a_map(tmp_path, samples, 10)).phase
    assert isinstance(phase, Freeform)
    assert float(phase.at(jnp.asarray(-250e-6), jnp.asarray(240e-6))) == pytest.approx(samples[0, 49], abs=1e-3)


def test_a_map_that_is_smaller_than_the_lens_is_refused(tmp_path):
    camera = camera_with_a_map(tmp_path, np.zeros((51, 49)), 10)
    message = r"51 × 49 samples of 10 µm cover 510 × 490 µm, less than aperture_um 500; use a larger map or pitch_um"
    with pytest.raises(InputError, match=message):
        metalens_of(camera)


def test_without_its_file_a_freeform_lens_says_what_to_do(tmp_path):
    camera = parse_camera(dump_camera(camera_with_a_map(tmp_path, np.zeros((51, 51)), 10)))
    with pytest.raises(InputError, match=r"put its lens\.toml beside it and read that"):
        metalens_of(camera)


def test_the_wide_field_preset_has_a_lens_that_takes_every_field_through_its_stop():
    """The marginal ray of a corner, at image height f sin θ, meets the lens inside its aperture."""
    camera = read_camera("wide-field")
    lens = metalens_of(camera)
    corner = 0.5 * np.hypot(*camera.sensor.pixels) * camera.sensor.pixel_pitch_m
    sine = corner / lens.focal_length / lens.substrate.index
    height = lens.substrate.thickness * sine / np.sqrt(1 - sine**2) + 0.5 * lens.stop.diameter
    assert 0.95 * 0.5 * lens.aperture_diameter < height < 0.5 * lens.aperture_diameter
