from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from metalens.formats.errors import InputError
from metalens.formats.psf_bank import PsfBank
from metalens.synth.blur import blur, blur_adjoint, hat_weights, shift_variant_blur

from .conftest import MakeBank, bank_of, gaussians


def scatter_exactly(bank: PsfBank, scene: np.ndarray) -> np.ndarray:
    """Let every point of the continued scene spread its light by its own interpolated function, one by one."""
    rows, columns, _ = scene.shape
    kernel_y, kernel_x = bank.intensity.shape[-2:]
    centre_y, centre_x = kernel_y // 2, kernel_x // 2
    before_y, before_x = kernel_y - 1 - centre_y, kernel_x - 1 - centre_x
    continued = np.pad(scene.astype(np.float64), ((before_y, centre_y), (before_x, centre_x), (0, 0)), "symmetric")
    image = np.zeros((rows + 4 * kernel_y, columns + 4 * kernel_x, 3))
    pitch, functions = bank.pixel_pitch, bank.as_grid(bank.intensity)
    for place_y in range(continued.shape[0]):
        for place_x in range(continued.shape[1]):
            y, x = place_y - before_y, place_x - before_x
            at_y = min(max(y - (rows - 1) / 2, -rows / 2), rows / 2) * pitch
            at_x = min(max(x - (columns - 1) / 2, -columns / 2), columns / 2) * pitch
            weight_y = hat_weights(bank.field_y, np.array([at_y]))[:, 0]
            weight_x = hat_weights(bank.field_x, np.array([at_x]))[:, 0]
            psf = np.einsum("i,j,ijcyx->yxc", weight_y, weight_x, functions)
            top, left = y - centre_y + 2 * kernel_y, x - centre_x + 2 * kernel_x
            image[top : top + kernel_y, left : left + kernel_x] += psf * continued[place_y, place_x]
    return image[2 * kernel_y : 2 * kernel_y + rows, 2 * kernel_x : 2 * kernel_x + columns]


@pytest.mark.parametrize("kernel", [(9, 11), (8, 6), (1, 1), (41, 45)])
def test_blur_is_the_exact_scatter_of_every_point(make_bank: MakeBank, kernel: tuple[int, int]) -> None:
    bank = make_bank(pixels=(20, 26), nodes=(3, 4), kernel=kernel)
    scene = np.random.default_rng(1).random((20, 26, 3)).astype(np.float32)
    found = np.asarray(blur(shift_variant_blur(bank), jnp.asarray(scene)))
    error = np.abs(found - scatter_exactly(bank, scene)).max()
    assert error < 2e-6


def test_blur_by_one_function_is_a_plain_convolution() -> None:
    one = gaussians((1, 1), (9, 11))
    bank = bank_of(np.tile(one, (3, 4, 1, 1, 1)), (32, 40))
    scene = np.random.default_rng(1).random((32, 40, 3)).astype(np.float32)
    found = np.asarray(blur(shift_variant_blur(bank), jnp.asarray(scene)))
    continued = np.pad(scene, ((4, 4), (5, 5), (0, 0)), "symmetric")
    for channel in range(3):
        expected = fftconvolve(continued[..., channel], one[0, 0, channel], mode="valid")
        assert found[..., channel] == pytest.approx(expected, abs=2e-6)


def test_bank_of_one_node_blurs_everywhere_alike() -> None:
    one = gaussians((1, 1), (9, 11))
    scene = jnp.asarray(np.random.default_rng(1).random((32, 40, 3)).astype(np.float32))
    alone = blur(shift_variant_blur(bank_of(one, (32, 40))), scene)
    tiled = blur(shift_variant_blur(bank_of(np.tile(one, (3, 4, 1, 1, 1)), (32, 40))), scene)
    assert np.asarray(alone) == pytest.approx(np.asarray(tiled), abs=2e-6)


@settings(max_examples=50, deadline=None)
@given(
    nodes=st.lists(st.floats(-1, 1), min_size=1, max_size=9, unique=True).map(sorted),
    positions=st.lists(st.floats(-2, 2), min_size=1, max_size=30),
)
def test_windows_sum_to_one_everywhere(nodes: list[float], positions: list[float]) -> None:
    weights = hat_weights(np.array(nodes), np.array(positions))
    assert weights.sum(axis=0) == pytest.approx(np.ones(len(positions)), abs=1e-12)
    assert weights.min() >= 0


def test_light_of_a_point_inside_is_kept(make_bank: MakeBank) -> None:
    operator = shift_variant_blur(make_bank())
    scene = np.zeros((32, 40, 3), dtype=np.float32)
    scene[15, 21] = (1.0, 2.0, 3.0)
    image = np.asarray(blur(operator, jnp.asarray(scene)))
    assert image.sum(axis=(0, 1)) == pytest.approx([1.0, 2.0, 3.0], rel=1e-4)


def test_share_of_light_that_the_window_misses_is_lost() -> None:
    functions = gaussians((3, 3), (9, 9)) * np.array([0.9, 0.8, 0.7])[:, None, None]
    image = blur(shift_variant_blur(bank_of(functions, (32, 32))), jnp.ones((32, 32, 3)))
    assert np.asarray(image).mean(axis=(0, 1)) == pytest.approx([0.9, 0.8, 0.7], rel=0.02)


def test_flat_scene_stays_flat_up_to_the_border() -> None:
    one = np.tile(gaussians((1, 1), (9, 9)), (3, 3, 1, 1, 1))
    image = np.asarray(blur(shift_variant_blur(bank_of(one, (32, 32))), jnp.ones((32, 32, 3))))
    assert image == pytest.approx(np.ones((32, 32, 3)), abs=1e-5)


def test_a_point_shows_its_function_as_it_is_stored_not_mirrored() -> None:
    functions = np.zeros((3, 3, 3, 9, 9))
    functions[..., 4, 4] = 0.5
    functions[..., 4 + 2, 4 + 3] = 0.5  # a ghost below and to the right
    scene = np.zeros((33, 33, 3), dtype=np.float32)
    scene[10, 12] = 1.0
    image = np.asarray(blur(shift_variant_blur(bank_of(functions, (33, 33))), jnp.asarray(scene)))
    assert image[10, 12] == pytest.approx([0.5] * 3, abs=1e-6)
    assert image[12, 15] == pytest.approx([0.5] * 3, abs=1e-6)
    assert image[8, 9] == pytest.approx([0.0] * 3, abs=1e-6)


def test_the_corner_of_the_sensor_shows_the_function_of_its_own_corner() -> None:
    functions = np.zeros((2, 2, 3, 9, 9))
    functions[..., 4, 4] = 1.0
    functions[0, 1] = 0.0
    functions[0, 1, :, 4 + 1, 4 - 2] = 1.0  # top right: down and to the left
    scene = np.zeros((40, 40, 3), dtype=np.float32)
    scene[6, 33] = scene[33, 6] = 1.0
    image = np.asarray(blur(shift_variant_blur(bank_of(functions, (40, 40))), jnp.asarray(scene)))
    assert image[7, 31, 1] > 0.6
    assert image[33, 6, 1] > 0.95


def test_channels_do_not_mix(make_bank: MakeBank) -> None:
    scene = np.zeros((32, 40, 3), dtype=np.float32)
    scene[..., 1] = 1.0
    image = np.asarray(blur(shift_variant_blur(make_bank()), jnp.asarray(scene)))
    assert np.abs(image[..., [0, 2]]).max() < 1e-7
    assert image[..., 1].min() > 0.5


@pytest.mark.parametrize("kernel", [(9, 11), (8, 6)])
def test_adjoint_passes_the_dot_product_test(make_bank: MakeBank, kernel: tuple[int, int]) -> None:
    operator = shift_variant_blur(make_bank(kernel=kernel))
    generator = np.random.default_rng(2)
    scene, image = generator.standard_normal((2, 32, 40, 3)).astype(np.float32)
    forward = np.asarray(blur(operator, jnp.asarray(scene)), dtype=np.float64)
    backward = np.asarray(blur_adjoint(operator, jnp.asarray(image)), dtype=np.float64)
    scale = np.linalg.norm(forward) * np.linalg.norm(image)
    assert abs((forward * image).sum() - (scene * backward).sum()) < 1e-6 * scale


def test_blur_is_linear(make_bank: MakeBank) -> None:
    operator = shift_variant_blur(make_bank())
    one, two = np.random.default_rng(3).random((2, 32, 40, 3)).astype(np.float32)
    together = blur(operator, jnp.asarray(2 * one - two))
    apart = 2 * blur(operator, jnp.asarray(one)) - blur(operator, jnp.asarray(two))
    assert np.asarray(together) == pytest.approx(np.asarray(apart), abs=5e-6)


def test_scene_of_another_shape_is_refused(make_bank: MakeBank) -> None:
    operator = shift_variant_blur(make_bank())
    with pytest.raises(InputError, match=r"shape \(32, 41, 3\), expected \(32, 40, 3\)"):
        blur(operator, jnp.zeros((32, 41, 3)))
    with pytest.raises(InputError, match="expected"):
        blur_adjoint(operator, jnp.zeros((32, 40)))


def test_nodes_closer_than_a_pixel_are_refused() -> None:
    with pytest.raises(InputError, match="closer than a pixel"):
        shift_variant_blur(bank_of(gaussians((19, 2), (3, 3)), (16, 16)))


def test_nodes_that_are_no_grid_are_refused(make_bank: MakeBank) -> None:
    with pytest.raises(InputError, match=r"nodes are scattered.*metalens psf --fields"):
        shift_variant_blur(replace(make_bank(), layout="scattered"))
