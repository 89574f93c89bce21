"""Hat windows, waves and blocks, halos, the warp and the illumination, each by itself."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from metalens.formats.camera.camera import read_camera
from metalens.psf.interpolation.functions import field_functions
from metalens.psf.interpolation.linear_weights import linear_weights, scattered_weights
from metalens.synth.blur.block_convolution import block_blur, convolve_blocks, gather
from metalens.synth.blur.halo import HaloSplit, enlarge, shrink
from metalens.synth.blur.illumination import chief_rays
from metalens.synth.blur.low_rank_fit import LARGEST_GAIN, fit_waves
from metalens.synth.blur.warp import make_warp, moved

from .conftest import bank_of, gaussians


@settings(max_examples=50, deadline=None)
@example(nodes=[-5e-324, 5e-324], positions=[0.0])
@given(
    nodes=st.lists(st.floats(-1, 1), min_size=1, max_size=9, unique=True).map(sorted),
    positions=st.lists(st.floats(-2, 2), min_size=1, max_size=30),
)
def test_windows_sum_to_one_everywhere(nodes: list[float], positions: list[float]) -> None:
    weights = linear_weights(np.array(nodes), np.array(positions))
    assert weights.sum(axis=0) == pytest.approx(np.ones(len(positions)), abs=1e-12)
    assert weights.min() >= 0


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 12), seed=st.integers(0, 2**32), line=st.booleans())
def test_scattered_weights_sum_to_one_and_reproduce_linear_functions_inside(count: int, seed: int, line: bool) -> None:
    generator = np.random.default_rng(seed)
    nodes = generator.random((count, 2)) * 1e-3
    if line:
        nodes[:, 1] = 2 * nodes[:, 0]
    places = generator.uniform(-1e-3, 2e-3, (20, 2))
    weights = scattered_weights(nodes, places)
    assert weights.sum(axis=1) == pytest.approx(np.ones(20), abs=1e-9)
    assert weights.min() >= 0
    inside = generator.dirichlet(np.ones(count), 5) @ nodes
    assert scattered_weights(nodes, inside) @ nodes == pytest.approx(inside, abs=1e-9)


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize(("pixels", "block", "kernel"), [((20, 31), (10, 16), (5, 4)), ((9, 12), (3, 4), (8, 11))])
def test_blocks_convolve_each_wave_with_its_kernel(
    pixels: tuple[int, int], block: tuple[int, int], kernel: tuple[int, int], rounded: bool
) -> None:
    waves = ((0, 0), (1, 0), (-1, 0), (1, -2), (-1, 2))
    generator = np.random.default_rng(0)
    counts = [-(-length // side) for length, side in zip(pixels, block, strict=True)]
    half = generator.standard_normal((*counts, 3, 2, *kernel)) + 1j * generator.standard_normal(
        (*counts, 3, 2, *kernel)
    )
    kernels = np.stack(
        [half[:, :, 0].real, *(part for k in (1, 2) for part in (half[:, :, k], half[:, :, k].conj()))], 2
    )
    operator = block_blur(kernels, waves, block, pixels, rounded=rounded)
    scene = generator.standard_normal((2, *pixels)).astype(np.float32)
    size = (operator.transform.shape[-2], 2 * operator.transform.shape[-1] - 2)
    expected = np.zeros((2, pixels[0] + kernel[0] - 1, pixels[1] + kernel[1] - 1))
    for row, column in np.ndindex(*counts):
        top, left = row * block[0], column * block[1]
        part = scene[:, top : top + block[0], left : left + block[1]]
        y, x = np.mgrid[: part.shape[1], : part.shape[2]]
        for wave, (period_y, period_x) in enumerate(waves):
            phase = np.exp(2j * np.pi * (period_y * y / size[0] + period_x * x / size[1]))
            light = fftconvolve(part * phase, kernels[row, column, wave], axes=(1, 2)).real
            expected[:, top : top + light.shape[1], left : left + light.shape[2]] += light
    found = np.asarray(convolve_blocks(operator, jnp.asarray(scene)))
    assert found == pytest.approx(expected, abs=float(2e-4 + 6 * operator.rounding * 3**0.5))
    if rounded:
        error = np.sqrt(np.mean((found - expected) ** 2)) / np.sqrt(np.mean(scene**2))
        # The estimate is that of scenes with a mean square of 1/3.
        assert error == pytest.approx(operator.rounding * 3**0.5, rel=0.5)


def test_gathering_is_the_transpose_of_scattering() -> None:
    waves = ((0, 0), (1, 0), (-1, 0), (3, -2), (-3, 2))
    generator = np.random.default_rng(1)
    half = generator.standard_normal((2, 3, 3, 2, 5, 4)) + 1j * generator.standard_normal((2, 3, 3, 2, 5, 4))
    parts = [half[:, :, 0].real, *(part for k in (1, 2) for part in (half[:, :, k], half[:, :, k].conj()))]
    for rounded in (False, True):
        operator = block_blur(np.stack(parts, 2), waves, (6, 7), (11, 20), rounded=rounded)
        scene = generator.standard_normal((2, 11, 20)).astype(np.float32)
        image = generator.standard_normal((2, *operator.reached)).astype(np.float32)
        forward = np.vdot(np.asarray(convolve_blocks(operator, jnp.asarray(scene)), dtype=np.float64), image)
        backward = np.vdot(np.asarray(gather(operator, jnp.asarray(image)), dtype=np.float64), scene)
        assert backward == pytest.approx(forward, rel=1e-5)


def test_the_flux_of_blocks_is_the_light_that_each_point_scatters() -> None:
    generator = np.random.default_rng(2)
    half = generator.random((2, 2, 1, 1, 3, 3)) + 1j * generator.random((2, 2, 1, 1, 3, 3))
    kernels = np.concatenate([4 * half.real, half, half.conj()], axis=2)
    for rounded in (False, True):
        operator = block_blur(kernels, ((0, 0), (1, -1), (-1, 1)), (5, 6), (9, 12), rounded=rounded)
        flux = operator.flux()
        for place in ((0, 2, 3), (0, 7, 8), (0, 8, 11)):
            scene = np.zeros((1, 9, 12), dtype=np.float32)
            scene[place] = 1
            light = float(convolve_blocks(operator, jnp.asarray(scene)).sum())
            assert light == pytest.approx(flux[place], rel=1e-4)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_enlarging_is_the_transpose_of_shrinking_and_both_keep_the_light(scale: int) -> None:
    generator = np.random.default_rng(0)
    planes = generator.standard_normal((1, 3 * scale, 5 * scale)).astype(np.float32)
    samples = generator.standard_normal((1, 6, 8)).astype(np.float32)
    forward, backward = shrink(jnp.asarray(planes), scale), enlarge(jnp.asarray(samples), scale)
    assert float((forward * samples).sum()) == pytest.approx(float((planes * backward).sum()), abs=1e-3)
    assert float(forward.sum()) == pytest.approx(float(planes.sum()), abs=1e-3)


@pytest.mark.parametrize("side", [60, 61])
def test_core_and_halo_hold_the_whole_flux(side: int) -> None:
    functions = gaussians((1, 2), (side, side))[0]
    y, x = np.mgrid[:side, :side] - side // 2
    functions = functions + 0.5 * np.exp(-np.hypot(y, x) / 12)
    split = HaloSplit((side, side), (25, 25), 4)
    total = split.core_of(functions).sum(axis=(-2, -1)) + 16 * split.halo_of(functions).sum(axis=(-2, -1))
    assert total == pytest.approx(functions.sum(axis=(-2, -1)), rel=1e-5)


def test_a_warp_moves_each_colour_by_its_own_amount() -> None:
    displacement = np.zeros((2, 30, 40, 2))
    displacement[1] = (3.0, -2.0)
    scene = np.zeros((2, 30, 40), dtype=np.float32)
    scene[:, 12, 20] = 1
    found = np.asarray(moved(make_warp(displacement), jnp.asarray(scene)))
    assert found[0] == pytest.approx(scene[0], abs=1e-6)
    assert found[1, 15, 18] == pytest.approx(1, abs=1e-6)


def test_a_warp_keeps_the_light_of_a_smooth_scene_to_a_ten_thousandth() -> None:
    y, x = np.mgrid[:80, :90] - np.array([40, 45])[:, None, None]
    field = np.stack([0.02 * y + 1e-4 * y * x, -0.03 * x + 2e-4 * y**2], axis=-1)
    scene = np.exp(-0.5 * ((y + 6) ** 2 + (x - 4) ** 2) / 5**2)[None].astype(np.float32)
    found = np.asarray(moved(make_warp(field[None]), jnp.asarray(scene)))
    assert found.sum() == pytest.approx(scene.sum(), rel=1e-4)
    # The spot's middle moves by the field's mean over the spot, where y² has the mean 6² + 5².
    middle = [(found[0] * each).sum() / found.sum() for each in (y, x)]
    assert middle == pytest.approx([-6.1224, 3.8922], abs=0.002)


def test_registered_functions_have_their_centroids_in_the_middle_and_make_no_double_images() -> None:
    functions = np.zeros((2, 2, 3, 21, 21))
    y, x = np.mgrid[:21, :21] - 10
    for row, column in np.ndindex(2, 2):
        functions[row, column] = np.exp(-0.5 * ((y - 8 * row + 4) ** 2 + (x - 8 * column + 4) ** 2))
    bank = bank_of(functions / functions.sum(axis=(-2, -1), keepdims=True), (40, 40))
    found = field_functions(bank, None)
    assert found.registered
    middle = found.at(np.zeros((1, 2)))[0, 0]
    assert (y * middle).sum() == pytest.approx(0, abs=0.02)
    spread = (middle * (y**2 + x**2)).sum() / 2
    assert spread == pytest.approx(1, rel=0.05)
    assert found.displacement(bank.position)[:, 0] == pytest.approx(
        np.array([[-4, -4], [-4, 4], [4, -4], [4, 4]]), abs=0.02
    )


def test_light_falls_off_as_the_fourth_power_of_the_cosine_where_chief_rays_run_straight() -> None:
    camera = read_camera("metacamera")
    bank = replace(bank_of(gaussians((2, 2), (3, 3)), camera.sensor.pixels), camera=camera)
    y = x = np.linspace(-3.5e-4, 3.5e-4, 9)
    rays = chief_rays(bank)
    slope = (y[:, None] ** 2 + x**2) / camera.lens.focal_length_m**2
    assert rays.gain(y, x) == pytest.approx((1 + slope) ** -2, rel=1e-4)
    expected = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
    assert rays.rectilinear(y, x) == pytest.approx(expected, abs=1e-9)


@pytest.mark.long
def test_behind_a_stop_the_distortion_is_that_of_the_chief_rays() -> None:
    camera = read_camera("wide-field")
    bank = replace(bank_of(gaussians((2, 2), (3, 3)), camera.sensor.pixels), camera=camera)
    half = 0.5 * camera.sensor.pixels[1] * camera.sensor.pixel_pitch_m
    height = float(chief_rays(bank).rectilinear(np.zeros(1), np.array([half]))[0, 0, 1])
    assert height > 1.02 * half  # barrel distortion: what is seen at the edge lies further out


@pytest.mark.long
def test_kernels_of_waves_stay_near_the_size_of_the_functions_where_blocks_are_short() -> None:
    row, column = np.mgrid[:61, :61] - 30

    def functions_at(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        width = 3 + 0.1 * (rows[:, None] + columns)
        return np.exp(-0.5 * (row**2 + column**2) / width[..., None, None, None] ** 2)

    fit = fit_waves(functions_at, (32, 32), 1e-9, axis=(15.5, 15.5), largest=8)
    assert len(fit.waves) == 25
    assert max(fit.block) < 61 / 5
    # An exact inverse of waves that are so much alike makes kernels a hundred thousand times as large.
    assert np.abs(fit.kernels).max() <= LARGEST_GAIN
