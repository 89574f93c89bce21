"""The display's light, and whether a capture moved or lost its sharpness."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import srgb_to_linear
from metalens.synth.alignment.checks import (
    Motion,
    find_motion,
    reference_sharpness,
    sharpness_of,
)
from metalens.synth.alignment.photometry import fit_display

VALUES = np.array([0, 32, 64, 96, 128, 160, 192, 224])
NAMES = [f"grey-{value}.npy" for value in VALUES]
COLOUR = np.array([[0.9, 0.08, 0.02], [0.06, 0.88, 0.06], [0.01, 0.09, 0.9]])
BLACK = 0.01


def light(curve: np.ndarray) -> np.ndarray:
    return BLACK + (1 - BLACK) * curve


def fit(levels: np.ndarray, primaries: np.ndarray | None = None):  # type: ignore[no-untyped-def]
    return fit_display(VALUES, levels, primaries, names=NAMES, white="white.npy")


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2, 2.8])
def test_a_power_with_black_is_recovered(gamma: float) -> None:
    found = fit(light(np.repeat((VALUES[:, None] / 255) ** gamma, 3, axis=1)))
    np.testing.assert_allclose(found.gamma, gamma, atol=0.01)
    np.testing.assert_allclose(found.black, BLACK, atol=1e-9)
    picture = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    np.testing.assert_allclose(found.light(picture), light((picture / 255) ** gamma), atol=1e-3)


def test_srgb_is_nearly_a_case_of_the_curve() -> None:
    found = fit(light(np.repeat(srgb_to_linear(VALUES[:, None] / 255), 3, axis=1)))
    np.testing.assert_allclose(found.gamma, 2.4, atol=0.1)
    np.testing.assert_allclose(found.offset, 0.055, atol=0.02)
    picture = np.arange(256, dtype=np.uint8)[None, :, None] * np.ones(3, dtype=np.uint8)
    # The straight piece near black is not the curve's.
    np.testing.assert_allclose(found.light(picture), light(srgb_to_linear(picture)), atol=1e-3)


def test_channels_that_see_several_primaries_are_unmixed() -> None:
    curve = np.stack([(VALUES / 255) ** gamma for gamma in (2.0, 2.2, 2.5)], axis=-1)
    found = fit(light(curve @ COLOUR.T), light(COLOUR.T))
    np.testing.assert_allclose(found.colour, COLOUR, atol=1e-9)
    np.testing.assert_allclose(found.gamma, [2.0, 2.2, 2.5], atol=0.01)
    red = np.array([[[255, 0, 0]]], dtype=np.uint8)
    np.testing.assert_allclose(found.light(red)[0, 0], light(COLOUR[:, 0]), atol=1e-6)


def test_white_is_one_and_the_order_of_the_levels_does_not_matter() -> None:
    levels = light(np.repeat((VALUES[:, None] / 255) ** 2.2, 3, axis=1))
    found = fit_display(VALUES[::-1], levels[::-1], None, names=NAMES[::-1], white="white.npy")
    np.testing.assert_array_equal(found.gamma, fit(levels).gamma)
    np.testing.assert_allclose(found.light(np.full((1, 1, 3), 255, dtype=np.uint8)), 1.0, atol=1e-6)


def test_levels_that_do_not_grow_name_both_files() -> None:
    levels = light(np.repeat((VALUES[:, None] / 255) ** 2.2, 3, axis=1))
    levels[[2, 4]] = levels[[4, 2]]
    with pytest.raises(InputError, match=r"grey-96.npy: .* of value 96 has less light than value 64 \(grey-64.npy\)"):
        fit(levels)
    levels = light(np.repeat((VALUES[:, None] / 255) ** 2.2, 3, axis=1))
    levels[-1] = 1.2
    with pytest.raises(InputError, match=r"white.npy: .* of white has less light than value 224"):
        fit(levels)


def test_a_display_that_changes_its_light_with_what_it_shows_is_refused() -> None:
    curve = (VALUES / 255) ** 2.2
    curve[3:] = curve[3:] ** 0.6
    with pytest.raises(InputError, match=r"grey-\d+.npy: .* % of white off any curve .* dynamic contrast"):
        fit(light(np.repeat(curve[:, None], 3, axis=1)))


def test_a_bright_black_is_a_bright_room() -> None:
    with pytest.raises(InputError, match=r"grey-0.npy: the black screen has 0.40 of the white one's light"):
        fit(0.4 + 0.6 * np.repeat((VALUES[:, None] / 255) ** 2.2, 3, axis=1))


def test_primaries_that_do_not_make_white_are_refused() -> None:
    levels = light(np.repeat((VALUES[:, None] / 255) ** 2.2, 3, axis=1))
    with pytest.raises(InputError, match=r"together have 0\.\d+ of the white one's .* light, 1 was expected"):
        fit(levels, light(0.7 * COLOUR.T))
    with pytest.raises(InputError, match="too much alike"):
        fit(levels, light(np.full((3, 3), 1 / 3) + 1e-4 * np.eye(3)))
    with pytest.raises(InputError, match="the red channel gets the most light from the green screen; check which file"):
        fit(levels, light(COLOUR.T[[1, 0, 2]]))


def texture(shape: tuple[int, int] = (150, 170), seed: int = 0) -> np.ndarray:
    """Something with the spectrum of photographs."""
    generator = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])) + 1 / 150
    picture = np.fft.irfft2(np.fft.rfft2(generator.standard_normal(shape)) / frequency, s=shape)
    return np.asarray(0.5 + 0.15 * picture / picture.std())


def moved(picture: np.ndarray, y: float, x: float, turn: float = 0.0) -> np.ndarray:
    rows, columns = np.indices(picture.shape).astype(float)
    away = rows - picture.shape[0] / 2, columns - picture.shape[1] / 2
    at = [rows - y - turn * away[1], columns - x + turn * away[0]]
    return np.asarray(map_coordinates(picture, at, order=3, mode="reflect"))


STILL = Motion(np.zeros((3, 2)), 0.0, 1.0)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.3, -0.2), (1.4, 2.2), (-11.3, 7.6)])
def test_a_shift_is_found_through_blur_gain_haze_and_noise(shift: tuple[float, float]) -> None:
    picture = texture()
    capture = 0.1 + 0.8 * gaussian_filter(moved(picture, *shift), 1.5)
    capture += 0.01 * np.random.default_rng(1).standard_normal(capture.shape)
    found = find_motion(picture, capture, 2.0)
    np.testing.assert_allclose(found.affine[0], shift, atol=0.05)
    assert found.error < 0.05
    assert found.likeness > 0.8
    assert found.against(STILL) == pytest.approx(np.hypot(*shift), abs=0.06)


def test_a_turn_counts_as_motion() -> None:
    picture = texture()
    found = find_motion(picture, moved(picture, 0, 0, turn=0.02), 2.0)
    # Root mean square of 0.02 times the distance from the middle, over a grid of 5 × 5 that has the corners.
    expected = 0.02 * np.sqrt(0.5 * (75**2 + 85**2))
    assert found.against(STILL) == pytest.approx(expected, rel=0.08)


def test_an_even_picture_cannot_tell() -> None:
    generator = np.random.default_rng(2)
    flat = np.full((100, 100), 0.5)
    found = find_motion(flat + 1e-9 * texture((100, 100)), flat + 0.01 * generator.standard_normal(flat.shape), 2.0)
    assert not found.error < 1
    assert find_motion(flat, flat, 2.0).error == np.inf


def test_another_picture_is_unlike() -> None:
    assert find_motion(texture(), texture(seed=9), 2.0).likeness < 0.4


def test_sharpness_is_the_contrast_that_is_left_and_does_not_depend_on_what_is_shown_or_on_noise() -> None:
    generator = np.random.default_rng(3)
    reference = reference_sharpness(texture(), gaussian_filter(texture(), 1.2))
    for blur, expected in ((1.2, 1.0), (0.8, None), (2.4, None)):
        capture = gaussian_filter(texture(seed=5), blur)
        clean, _ = sharpness_of(texture(seed=5), capture, reference)
        noisy, unsure = sharpness_of(
            texture(seed=5), capture + 0.02 * generator.standard_normal(capture.shape), reference
        )
        assert abs(noisy - clean) < 4 * unsure < 0.15
        if expected is not None:
            assert clean == pytest.approx(expected, abs=0.05)
        else:
            assert clean > 1.15 if blur < 1.2 else clean < 0.6
