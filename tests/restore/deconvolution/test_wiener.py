from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from scipy.signal import fftconvolve

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.encoding import encode_light
from metalens.formats.pictures.scene import linear_to_srgb, srgb_to_linear
from metalens.formats.psf.bank import PsfBank
from metalens.restore.deconvolution.wiener import tile_weights, tune_regulariser, wiener_tiled, wiener_whole
from metalens.restore.metrics.measures import psnr

PIXELS = (64, 80)


def gaussian(sigma: float, *, shift: tuple[int, int] = (0, 0), shape: tuple[int, int] = (21, 17)) -> np.ndarray:
    y, x = (np.arange(side) - side // 2 - move for side, move in zip(shape, shift, strict=True))
    values = np.exp(-0.5 * (y[:, None] ** 2 + x[None, :] ** 2) / sigma**2)
    return values / values.sum()


def bank_of(bank: PsfBank, intensity: np.ndarray) -> PsfBank:
    """The bank with other functions ``[3, 3, channel, y, x]``."""
    return replace(bank, intensity=intensity.reshape(-1, *intensity.shape[2:]).astype(np.float32))


def alike(bank: PsfBank, *channels: np.ndarray) -> PsfBank:
    return bank_of(bank, np.tile(np.stack(channels), (3, 3, 1, 1, 1)))


def capture(clean: np.ndarray, channels: tuple[np.ndarray, ...]) -> np.ndarray:
    """Blur by each channel's own function, in linear light, with the scene mirrored past its edge."""
    light = srgb_to_linear(clean)
    blurred = []
    for index, kernel in enumerate(channels):
        before = [(side - 1 - side // 2, side // 2) for side in kernel.shape]
        blurred.append(fftconvolve(np.pad(light[..., index], before, "symmetric"), kernel, mode="valid"))
    return linear_to_srgb(np.stack(blurred, axis=-1))


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return skimage.data.chelsea()[80:144, 120:200].astype(np.float32) / 255


def test_a_known_blur_without_noise_is_undone(bank: PsfBank, clean: np.ndarray) -> None:
    kernels = (gaussian(0.8), gaussian(1.0), gaussian(1.2))
    captured = capture(clean, kernels)
    restored = wiener_whole(captured, alike(bank, *kernels), 1e-6)
    assert psnr(clean, captured) < 33
    assert psnr(clean, restored) > 43
    # What is left is the border, where the frame is continued by a guess.
    assert psnr(clean[8:-8, 8:-8], restored[8:-8, 8:-8]) > 46


def test_a_cameras_own_matrix_and_curve_are_undone_with_the_blur(own_colours: PsfBank, clean: np.ndarray) -> None:
    kernels = (gaussian(0.8), gaussian(1.0), gaussian(1.2))
    muted = 0.4 + 0.3 * clean  # The matrix takes no colour beyond 0..1, where it would be clipped.
    captured = encode_light(own_colours.camera.sensor, srgb_to_linear(capture(muted, kernels)))
    restored = wiener_whole(captured, alike(own_colours, *kernels), 1e-6)
    assert psnr(muted[8:-8, 8:-8], captured[8:-8, 8:-8]) < 30
    assert psnr(muted[8:-8, 8:-8], restored[8:-8, 8:-8]) > 50


def test_a_displaced_function_is_put_back(bank: PsfBank, clean: np.ndarray) -> None:
    kernels = (gaussian(0.6, shift=(3, -2)),) * 3
    restored = wiener_whole(capture(clean, kernels), alike(bank, *kernels), 1e-6)
    inside = np.s_[8:-8, 8:-8]
    assert psnr(clean[inside], restored[inside]) > 45


@pytest.mark.parametrize("shape", [(21, 17), (20, 16), (1, 1)])
def test_a_point_as_function_changes_nothing(bank: PsfBank, clean: np.ndarray, shape: tuple[int, int]) -> None:
    point = np.zeros(shape)
    point[shape[0] // 2, shape[1] // 2] = 1
    for wiener in (wiener_whole, wiener_tiled):
        assert wiener(clean, alike(bank, point, point, point), 1e-9) == pytest.approx(clean, abs=1e-4)


@pytest.mark.parametrize("energy", [(1.0, 1.0, 1.0), (0.9, 0.5, 0.7)])
def test_a_flat_picture_keeps_its_brightness_whatever_the_regulariser(
    bank: PsfBank, energy: tuple[float, float, float]
) -> None:
    # The white balance of the camera has undone the channels' different losses.
    flat = np.broadcast_to(np.array([0.2, 0.5, 0.8], dtype=np.float32), (*PIXELS, 3))
    lossy = alike(bank, *(share * gaussian(2.0) for share in energy))
    for wiener in (wiener_whole, wiener_tiled):
        assert wiener(flat, lossy, 0.3) == pytest.approx(flat, abs=1e-4)


def test_tiled_with_one_function_everywhere_equals_whole(bank: PsfBank, clean: np.ndarray) -> None:
    constant = alike(bank, gaussian(0.8), gaussian(1.0), gaussian(1.5))
    whole = wiener_whole(clean, constant, 1e-2)
    assert wiener_tiled(clean, constant, 1e-2) == pytest.approx(whole, abs=2e-4)
    assert wiener_whole(clean, constant, 1e-2, psf="axis") == pytest.approx(whole, abs=1e-5)


def test_tiled_is_each_nodes_own_result_at_the_node(bank: PsfBank, clean: np.ndarray) -> None:
    random = np.random.default_rng(0)
    intensity = np.stack([gaussian(sigma) for sigma in random.uniform(0.6, 2, 27)]).reshape(3, 3, 3, 21, 17)
    varying = bank_of(bank, intensity)
    at_corner = wiener_whole(clean, bank_of(bank, np.tile(intensity[0, 2], (3, 3, 1, 1, 1))), 1e-2)
    # The outermost nodes lie half a pixel beyond the centres of the outermost pixels.
    assert wiener_tiled(clean, varying, 1e-2)[0, -1] == pytest.approx(at_corner[0, -1], abs=0.02)


def test_blending_weights_sum_to_one_and_peak_at_their_node() -> None:
    nodes = np.array([-30e-6, -5e-6, 20e-6])
    weights = tile_weights(nodes, 1e-6, 71)
    assert weights.sum(axis=0) == pytest.approx(np.ones(71), abs=1e-6)
    assert weights.min() >= 0
    assert (weights.argmax(axis=1) >= [0, 30, 55]).all()
    assert weights[:, 30] == pytest.approx([0, 1, 0], abs=1e-6)
    assert weights[:, -1] == pytest.approx([0, 0, 1])


def test_8_bit_pictures_come_back_as_8_bit(bank: PsfBank, clean: np.ndarray) -> None:
    captured = np.rint(255 * clean).astype(np.uint8)
    constant = alike(bank, *[gaussian(1.0)] * 3)
    found = wiener_tiled(captured, constant, 1e-2)
    assert found.dtype == np.uint8
    expected = wiener_tiled(captured / np.float32(255), constant, 1e-2)
    assert np.abs(found / 255 - expected).max() <= 0.5 / 255 + 1e-6


def test_whole_frame_takes_pictures_of_any_size(bank: PsfBank) -> None:
    picture = np.random.default_rng(0).random((37, 19, 3))
    assert wiener_whole(picture, bank, 0.1).shape == picture.shape


def test_more_noise_asks_for_more_regularisation(bank: PsfBank, clean: np.ndarray) -> None:
    kernels = (gaussian(1.5),) * 3
    blurred = capture(clean, kernels)
    random = np.random.default_rng(0)
    known = alike(bank, *kernels)
    chosen = []
    for noise in (0.002, 0.05):
        pairs = [(clean, np.clip(blurred + random.normal(0, noise, clean.shape), 0, 1))]
        best = tune_regulariser(pairs, known, tiled=False)
        captured = pairs[0][1]
        others = [psnr(clean, wiener_whole(captured, known, best * factor)) for factor in (0.05, 20)]
        assert psnr(clean, wiener_whole(captured, known, best)) > max(others)
        chosen.append(best)
    assert chosen[0] < chosen[1]


def test_tuning_without_pairs_is_refused(bank: PsfBank) -> None:
    with pytest.raises(InputError, match="at least one training pair"):
        tune_regulariser([], bank)


@pytest.mark.parametrize("value", [0, -1e-3, float("nan"), float("inf")])
def test_a_regulariser_that_is_not_above_zero_is_refused(bank: PsfBank, clean: np.ndarray, value: float) -> None:
    with pytest.raises(InputError, match="above 0"):
        wiener_whole(clean, bank, value)


def test_pictures_that_cannot_be_deconvolved_are_refused(bank: PsfBank, clean: np.ndarray) -> None:
    with pytest.raises(InputError, match="restore the whole frame"):
        wiener_tiled(clean[1:], bank, 1e-2)
    with pytest.raises(InputError, match="expected"):
        wiener_whole(clean[..., 0], bank, 1e-2)
    with pytest.raises(InputError, match="expected mean or axis"):
        wiener_whole(clean, bank, 1e-2, psf="edge")  # type: ignore[arg-type]


def test_a_place_beyond_the_sensor_is_told_in_rows_and_columns(bank: PsfBank) -> None:
    rows, columns = bank.camera.sensor.pixels
    size = f"{rows} × {columns}"
    said = f"of {size} pixels at row 1, column 0 does not lie on the bank's sensor of {size}; give"
    with pytest.raises(InputError, match=said):
        wiener_tiled(np.zeros((rows, columns, 3), np.uint8), bank, 0.01, place=(1, 0))
