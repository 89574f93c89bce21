"""The model that is fitted: what moves with what, and its derivatives, for a lens with stop, substrate and glass."""

import numpy as np
import pytest

from metalens.formats.camera.camera import Camera, read_camera
from metalens.psf.captured.fit_model import NUMBERS, LensModel, lens_model

PLACE, OTHER = np.array([20e-6, -30e-6]), np.array([23e-6, -28e-6])


@pytest.fixture(scope="module")
def model() -> LensModel:
    """At two places of a lens whose chief rays are bent on their way: no closed form has their directions."""
    content = read_camera("hyperbolic").model_dump(exclude_none=True)
    content["lens"].update(
        aperture_um=80.0,
        focal_length_um=150.0,
        stop={"diameter_um": 40.0, "distance_um": 30.0},
        cover_glass={"thickness_um": 60.0, "index": 1.5},
    )
    content["sensor"].update(pixels=(96, 96), pixel_pitch_um=1.0)
    content["spectrum"]["wavelengths_per_channel"] = 1
    return lens_model(Camera.model_validate(content), np.stack([PLACE, OTHER]), (21, 21))


def values(**numbers: float) -> np.ndarray:
    return np.array([numbers.get(name, 0.0) for name in NUMBERS])


def images(model: LensModel, shift: np.ndarray | None = None, **numbers: float) -> np.ndarray:
    return model.images(values(**numbers), np.zeros((2, 2)) if shift is None else shift)


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.long
def test_a_decentred_lens_shows_at_a_place_what_it_would_show_at_another_one(model):
    decentre_y, decentre_x = PLACE - OTHER
    moved = images(model, decentre_y=decentre_y, decentre_x=decentre_x)
    assert difference(moved[0], images(model)[1]) < 1e-3
    assert difference(images(model)[0], images(model)[1]) > 0.02


def test_a_tilted_sensor_is_a_defocus_at_each_place(model):
    """By the place where the chief ray lands: what the depth does to its direction is in both."""
    tilted = images(model, tilt_y=0.05, tilt_x=-0.1)[0]
    assert difference(tilted, images(model, defocus=0.05 * PLACE[0] - 0.1 * PLACE[1])[0]) < 0.02
    assert difference(tilted, images(model)[0]) > 0.1


def test_a_shift_of_a_whole_pixel_moves_the_samples(model):
    moved = images(model, np.array([[1e-6, 0], [0, -2e-6]]))
    plain = images(model)
    assert difference(moved[0, :, :-1], plain[0, :, 1:]) < 2e-3
    assert difference(moved[1, :, :, 2:], plain[1, :, :, :-2]) < 2e-3


@pytest.mark.parametrize(
    ("name", "step"),
    [("defocus", 0.2e-6), ("tilt_y", 0.01), ("tilt_x", 0.01), ("decentre_y", 0.2e-6), ("decentre_x", 0.2e-6)],
)
def test_derivatives_are_those_of_finite_differences(model, name, step):
    """Differences over a step that is long enough for single precision are right to their second order."""
    number = NUMBERS.index(name)
    at = values(defocus=2e-6, tilt_y=0.03)
    image, by_number, by_shift = model.columns(at, np.zeros((2, 2)), (0, 1, 2, 3, 4))
    away = step * (np.arange(len(NUMBERS)) == number)
    shift = np.zeros((2, 2))
    finite = (model.images(at + away, shift) - model.images(at - away, shift)) / (2 * step)
    assert difference(by_number[number], finite) < 0.02
    np.testing.assert_allclose(image, model.images(at, shift), rtol=1e-4, atol=1e-6)
    assert by_shift.shape == (2, *image.shape)
