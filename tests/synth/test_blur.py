"""The blur against the exact scatter: every pixel of the scene with its own function, one by one."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import Layout, PsfBank
from metalens.psf.bank import simulate_bank
from metalens.psf.external_bank import bank_of_functions
from metalens.psf.interpolation.functions import field_functions
from metalens.synth.blur import BlurSettings, blur, blur_adjoint, shift_variant_blur
from metalens.synth.blur.image_frame import Frame
from metalens.synth.blur.operator import blur_of_functions

from .conftest import MakeBank, bank_of, gaussians

PITCH = 1e-6

CLOSE = BlurSettings(tolerance=1e-4, registered=False)


@dataclass(frozen=True)
class SmoothFunctions:
    """Made-up functions that vary smoothly: a Gaussian that grows and leans with the field, and a wide halo."""

    kernel: tuple[int, int]
    channels: int
    length: float
    registered: bool = False

    def at(self, position: np.ndarray) -> np.ndarray:
        return np.stack([self._at(*place) for place in position / self.length])

    def on_grid(self, y: np.ndarray, x: np.ndarray, reduce: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        places = np.stack([each.ravel() for each in np.meshgrid(y, x, indexing="ij")], axis=1)
        images = reduce(self.at(places))
        return images.reshape(len(y), len(x), *images.shape[1:])

    def share(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.broadcast_to((0.9 - 0.1 * y / self.length)[:, None, None], (len(y), len(x), self.channels))

    def displacement(self, position: np.ndarray) -> np.ndarray:
        return np.zeros((len(position), self.channels, 2))

    def _at(self, y: float, x: float) -> np.ndarray:
        row, column = (np.arange(side) - side // 2 for side in self.kernel)
        row = row[:, None]
        images = []
        for channel in range(self.channels):
            width = 0.9 + 0.4 * (y**2 + x**2) + 0.2 * channel
            core = np.exp(
                -0.5 * ((row - 0.4 * y) ** 2 + (column - 0.4 * x) ** 2 + 0.6 * y * row * column / 3) / width**2
            )
            halo = np.exp(-0.5 * (row**2 + column**2) / (max(self.kernel) / 6 + 1) ** 2) * (1 + 0.3 * x)
            images.append(core / core.sum() * (0.8 - 0.1 * y) + 0.1 * halo / halo.sum())
        return np.stack(images).astype(np.float32)


def frame_on(pixels: tuple[int, int], kernel: tuple[int, int], surround: int = 0) -> Frame:
    return Frame(pixels, (0, 0), surround, kernel, pixels, PITCH)


def scatter_exactly(functions: object, frame: Frame, scene: np.ndarray) -> np.ndarray:
    """Let every point of the continued scene spread its light by its own function."""
    kernel_y, kernel_x = frame.kernel
    before_y, before_x = kernel_y - 1 - kernel_y // 2, kernel_x - 1 - kernel_x // 2
    margins = [(before_y - frame.surround, kernel_y // 2 - frame.surround)]
    margins.append((before_x - frame.surround, kernel_x // 2 - frame.surround))
    continued = np.pad(scene.astype(np.float64), (*margins, (0, 0)), "symmetric")
    rows, columns = continued.shape[:2]
    y, x = frame.core_places(np.arange(rows), frame.kernel, 0), frame.core_places(np.arange(columns), frame.kernel, 1)
    image = np.zeros((rows + kernel_y - 1, columns + kernel_x - 1, scene.shape[2]))
    for row in range(rows):
        own = functions.at(np.stack([np.full(columns, y[row]), x], axis=1))  # type: ignore[attr-defined]
        for column in range(columns):
            part = image[row : row + kernel_y, column : column + kernel_x]
            part += np.moveaxis(own[column], 0, -1) * continued[row, column]
    return image[kernel_y - 1 : kernel_y - 1 + frame.pixels[0], kernel_x - 1 : kernel_x - 1 + frame.pixels[1]]


def decibels(found: np.ndarray, exact: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((np.asarray(found, dtype=np.float64) - exact) ** 2) + 1e-30))


def scene_of(pixels: tuple[int, int], channels: int, seed: int = 1) -> np.ndarray:
    """Edges, stripes of the finest kind, and noise, in 0..1."""
    scene = np.random.default_rng(seed).random((*pixels, channels)) * 0.3
    scene[pixels[0] // 4 : pixels[0] // 2, pixels[1] // 4 : pixels[1] // 2] += 0.7
    scene[::2, -pixels[1] // 4 :] += 0.5
    return scene.clip(0, 1).astype(np.float32)


def check_with_the_exact_scatter(pixels: tuple[int, int], kernel: tuple[int, int], channels: int) -> None:
    functions = SmoothFunctions(kernel, channels, 0.5 * PITCH * max(*pixels, 16))
    frame, scene = frame_on(pixels, kernel), scene_of(pixels, channels)
    operator = blur_of_functions(functions, frame, BlurSettings(tolerance=2e-4))
    assert decibels(blur(operator, scene), scatter_exactly(functions, frame, scene)) > 60


@pytest.mark.parametrize(
    ("pixels", "kernel", "channels"),
    [
        ((12, 6), (3, 1), 1),  # waves that met the functions at the sampled places alone: 54.8 dB
        ((31, 24), (8, 15), 3),
    ],
)
def test_blur_is_the_exact_scatter_of_every_point(
    pixels: tuple[int, int], kernel: tuple[int, int], channels: int
) -> None:
    check_with_the_exact_scatter(pixels, kernel, channels)


# Each size is compiled anew.
@pytest.mark.long
@settings(max_examples=12, deadline=None)
@given(
    pixels=st.tuples(st.integers(6, 40), st.integers(6, 40)),
    kernel=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    channels=st.integers(1, 4),
)
def test_blur_is_the_exact_scatter_of_every_point_whatever_the_sizes(
    pixels: tuple[int, int], kernel: tuple[int, int], channels: int
) -> None:
    check_with_the_exact_scatter(pixels, kernel, channels)


@pytest.mark.long
def test_cores_with_halos_on_a_coarser_grid_are_the_exact_scatter() -> None:
    pixels, kernel = (56, 64), (81, 81)
    functions = SmoothFunctions(kernel, 1, 32 * PITCH)
    frame, scene = frame_on(pixels, kernel), scene_of(pixels, 1)
    operator = blur_of_functions(functions, frame, BlurSettings(tolerance=4e-4))
    assert operator.report.halo_scale > 1
    assert decibels(blur(operator, scene), scatter_exactly(functions, frame, scene)) > 60


def test_a_tighter_tolerance_is_met_and_reported() -> None:
    pixels, kernel = (40, 40), (15, 15)
    functions = SmoothFunctions(kernel, 1, 20 * PITCH)
    frame, scene = frame_on(pixels, kernel), scene_of(pixels, 1)
    exact = scatter_exactly(functions, frame, scene)
    for tolerance in (1e-3, 1e-4):
        operator = blur_of_functions(functions, frame, BlurSettings(tolerance=tolerance))
        assert operator.report.change <= tolerance
        # The scene's stripes hold more of the finest detail than the natural scenes of the estimate.
        assert decibels(blur(operator, scene), exact) > -20 * np.log10(3 * tolerance)


@pytest.mark.parametrize("kernel", [pytest.param((9, 11), marks=pytest.mark.long), (8, 6)])
def test_between_the_nodes_of_a_grid_functions_are_interpolated_linearly(
    make_bank: MakeBank, kernel: tuple[int, int]
) -> None:
    bank = make_bank(pixels=(20, 26), nodes=(3, 4), kernel=kernel)
    operator = shift_variant_blur(bank, BlurSettings(tolerance=1e-4, registered=False))
    scene = scene_of((20, 26), 3)
    exact = scatter_exactly(field_functions(bank, registered=False), operator.frame, scene)
    assert decibels(blur(operator, scene), exact) > 55


def test_blur_by_one_function_is_a_plain_convolution() -> None:
    one = gaussians((1, 1), (9, 11))
    bank = bank_of(np.tile(one, (3, 4, 1, 1, 1)), (32, 40))
    scene = np.random.default_rng(1).random((32, 40, 3)).astype(np.float32)
    found = np.asarray(blur(shift_variant_blur(bank), scene))
    continued = np.pad(scene, ((4, 4), (5, 5), (0, 0)), "symmetric")
    for channel in range(3):
        expected = fftconvolve(continued[..., channel], one[0, 0, channel], mode="valid")
        assert found[..., channel] == pytest.approx(expected, abs=2e-6)


def test_bank_of_one_node_blurs_everywhere_alike() -> None:
    one = gaussians((1, 1), (9, 11))
    scene = np.random.default_rng(1).random((32, 40, 3)).astype(np.float32)
    alone = shift_variant_blur(bank_of(one, (32, 40)))
    assert alone.report.waves == 1
    tiled = blur(shift_variant_blur(bank_of(np.tile(one, (3, 4, 1, 1, 1)), (32, 40))), scene)
    assert np.asarray(blur(alone, scene)) == pytest.approx(np.asarray(tiled), abs=2e-6)


@pytest.mark.parametrize("side", [pytest.param(15, marks=pytest.mark.long), 81])
def test_light_of_a_point_inside_is_kept(side: int) -> None:
    pixels = (132, 140)  # so that no halo of the point, which a coarser grid carries farther, leaves the frame
    functions = SmoothFunctions((side, side), 2, 100 * PITCH)
    # The flux is exact whatever the tolerance.
    operator = blur_of_functions(functions, frame_on(pixels, (side, side)), BlurSettings(tolerance=0.01))
    scene = np.zeros((*pixels, 2), dtype=np.float32)
    scene[64, 72] = (1.0, 2.0)
    place = (np.array([[64, 72]]) - (np.array(pixels) - 1) / 2) * PITCH
    expected = functions.at(place)[0].sum(axis=(-2, -1)) * (1.0, 2.0)
    assert np.asarray(blur(operator, scene)).sum(axis=(0, 1)) == pytest.approx(expected, rel=1e-4)


def test_share_of_light_that_the_window_misses_is_lost() -> None:
    functions = gaussians((1, 1), (9, 9)) * np.array([0.9, 0.8, 0.7])[:, None, None]
    image = blur(shift_variant_blur(bank_of(functions, (32, 32))), jnp.ones((32, 32, 3)))
    assert np.asarray(image).mean(axis=(0, 1)) == pytest.approx([0.9, 0.8, 0.7], rel=1e-4)


@pytest.mark.parametrize("layout", ["grid", "scattered"])
def test_a_white_scene_is_exact_where_hat_windows_bend(make_bank: MakeBank, layout: Layout) -> None:
    bank = make_bank(pixels=(24, 28), nodes=(3, 3), kernel=(7, 6))
    if layout == "scattered":
        # One node aside, so that triangles bend, too.
        aside = bank.position + 3e-6 * (np.arange(9) == 4)[:, None]
        bank = bank_of_functions(bank.camera, bank.intensity, aside, layout=layout, provenance={})
    operator, white = shift_variant_blur(bank, BlurSettings(registered=False)), np.ones((24, 28, 3), np.float32)
    exact = scatter_exactly(field_functions(bank, registered=False), operator.frame, white)
    assert np.abs(np.asarray(blur(operator, white)) - exact).max() < 1.5e-3


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
    image = np.asarray(blur(shift_variant_blur(bank_of(functions, (33, 33))), scene))
    assert image[10, 12] == pytest.approx([0.5] * 3, abs=1e-6)
    assert image[12, 15] == pytest.approx([0.5] * 3, abs=1e-6)
    assert image[8, 9] == pytest.approx([0.0] * 3, abs=1e-6)


def test_channels_do_not_mix(make_bank: MakeBank) -> None:
    scene = np.zeros((32, 40, 3), dtype=np.float32)
    scene[..., 1] = 1.0
    image = np.asarray(blur(shift_variant_blur(make_bank()), scene))
    assert np.abs(image[..., [0, 2]]).max() < 1e-7
    assert image[..., 1].min() > 0.5


@pytest.mark.parametrize(
    ("kernel", "choice"),
    [
        ((9, 11), BlurSettings()),
        pytest.param((8, 6), BlurSettings(registered=True, natural_vignetting=True), marks=pytest.mark.long),
        # Its parts are transposed one by one in test_blur_parts.py.
        pytest.param((71, 71), BlurSettings(distortion=True), marks=pytest.mark.long),
    ],
)
def test_adjoint_passes_the_dot_product_test(
    make_bank: MakeBank, kernel: tuple[int, int], choice: BlurSettings
) -> None:
    operator = shift_variant_blur(make_bank(kernel=kernel), choice, surround=3)
    generator = np.random.default_rng(2)
    scene = generator.standard_normal((38, 46, 3)).astype(np.float32)
    image = generator.standard_normal((32, 40, 3)).astype(np.float32)
    forward = np.asarray(blur(operator, scene), dtype=np.float64)
    backward = np.asarray(blur_adjoint(operator, image), dtype=np.float64)
    scale = np.linalg.norm(forward) * np.linalg.norm(image)
    assert abs((forward * image).sum() - (scene * backward).sum()) < 1e-6 * scale


def test_blur_is_linear(make_bank: MakeBank) -> None:
    operator = shift_variant_blur(make_bank())
    one, two = np.random.default_rng(3).random((2, 32, 40, 3)).astype(np.float32)
    together = blur(operator, 2 * one - two)
    apart = 2 * blur(operator, one) - blur(operator, two)
    assert np.asarray(together) == pytest.approx(np.asarray(apart), abs=5e-6)


def test_a_crop_with_its_surround_shows_what_the_whole_frame_shows_there() -> None:
    bank = bank_of(gaussians((2, 2), (9, 9)), (64, 64))
    scene = scene_of((64, 64), 3)
    whole = np.asarray(blur(shift_variant_blur(bank, CLOSE), scene))
    crop = shift_variant_blur(bank, CLOSE, pixels=(24, 20), origin=(14, 30), surround=6)
    found = np.asarray(blur(crop, scene[14 - 6 : 14 + 24 + 6, 30 - 6 : 30 + 20 + 6]))
    assert found == pytest.approx(whole[14:38, 30:50], abs=1e-3)


def test_an_image_may_be_larger_than_the_sensor() -> None:
    bank = bank_of(np.tile(gaussians((1, 1), (9, 9)), (2, 2, 1, 1, 1)), (32, 32))
    operator = shift_variant_blur(bank, pixels=(50, 60), origin=(-9, -14))
    image = np.asarray(blur(operator, np.ones((50, 60, 3), dtype=np.float32)))
    assert image == pytest.approx(np.ones((50, 60, 3)), abs=1e-5)


def test_scattered_nodes_on_a_grid_blur_as_the_grid_does_at_the_nodes(make_bank: MakeBank) -> None:
    bank = make_bank(nodes=(2, 2))
    scattered = replace(bank, layout="scattered")
    places = np.array([[-16.0, -20.0], [16.0, 20.0], [-16.0, 20.0]]) * bank.pixel_pitch
    one, two = (field_functions(each, registered=False).at(places) for each in (bank, scattered))
    assert two == pytest.approx(one, abs=1e-6)
    operator, scene = shift_variant_blur(scattered, CLOSE), scene_of((32, 40), 3)
    exact = scatter_exactly(field_functions(scattered, registered=False), operator.frame, scene)
    assert decibels(blur(operator, scene), exact) > 55


@pytest.fixture(scope="module")
def small_metacamera() -> PsfBank:
    """The preset at a coarser pixel, so that its functions are small; along a radius."""
    camera = read_camera("metacamera")
    sensor = camera.sensor.model_copy(update={"pixels": (50, 50), "pixel_pitch_um": 7.0})
    return simulate_bank(camera.model_copy(update={"sensor": sensor}), radii=9, wavelengths_per_channel=1)


@pytest.mark.long
def test_a_radius_of_a_symmetric_lens_tells_its_functions_everywhere(small_metacamera: PsfBank) -> None:
    grid = simulate_bank(
        small_metacamera.camera,
        fields=(3, 3),
        wavelengths_per_channel=1,
        window=small_metacamera.intensity.shape[-2:],
    )
    # The corners are as far from the axis as the last node of the radius, at another azimuth each.
    known = [0, 2, 4, 6, 8]
    functions = field_functions(small_metacamera, registered=False)
    found, expected = functions.at(grid.position[known]), grid.intensity[known]
    error = np.linalg.norm(found - expected, axis=(-2, -1)) / np.linalg.norm(expected, axis=(-2, -1))
    assert error.max() < 0.03
    own = field_functions(grid, registered=False).at(grid.position[known])
    error = np.linalg.norm(own - expected, axis=(-2, -1)) / np.linalg.norm(expected, axis=(-2, -1))
    assert error.max() < 0.03


def test_blur_of_a_radius_has_the_symmetry_of_the_lens(small_metacamera: PsfBank) -> None:
    operator = shift_variant_blur(small_metacamera)
    scene = scene_of((50, 50), 3)
    image = np.asarray(blur(operator, scene))
    mirrored = np.asarray(blur(operator, scene[:, ::-1]))[:, ::-1]
    turned = np.asarray(blur(operator, scene.swapaxes(0, 1))).swapaxes(0, 1)
    # Within the tolerance of the two blurs, which cut their blocks at other places.
    assert decibels(mirrored, image) > 60
    assert decibels(turned, image) > 60


def test_radial_functions_of_a_measured_bank_need_no_sub_pixels(small_metacamera: PsfBank) -> None:
    measured = bank_of_functions(
        small_metacamera.camera, small_metacamera.intensity, small_metacamera.position, layout="radial", provenance={}
    )
    places = np.array([[0.0, 0.0], [1e-4, 2e-4]])
    one, two = (field_functions(bank, registered=False).at(places) for bank in (small_metacamera, measured))
    assert two.sum(axis=(-2, -1)) == pytest.approx(one.sum(axis=(-2, -1)), rel=1e-5)


def test_scene_of_another_shape_is_refused(make_bank: MakeBank) -> None:
    operator = shift_variant_blur(make_bank())
    with pytest.raises(InputError, match=r"shape \(32, 41, 3\), expected \(32, 40, 3\)"):
        blur(operator, jnp.zeros((32, 41, 3)))
    with pytest.raises(InputError, match="expected"):
        blur_adjoint(operator, jnp.zeros((32, 40)))


def test_nodes_closer_than_a_pixel_are_refused() -> None:
    with pytest.raises(InputError, match="closer than a pixel"):
        shift_variant_blur(bank_of(gaussians((19, 2), (3, 3)), (16, 16)))


def test_settings_that_make_no_sense_are_refused(make_bank: MakeBank) -> None:
    with pytest.raises(InputError, match=r"blur: tolerance: expected 1e-06 or more"):
        BlurSettings(tolerance=0)
    with pytest.raises(InputError, match="0 × 4 pixels with a surround of 0"):
        shift_variant_blur(make_bank(), pixels=(0, 4))


def test_what_was_chosen_is_told_in_a_form_for_metadata(make_bank: MakeBank) -> None:
    told = shift_variant_blur(make_bank()).report.as_dict()
    assert told["tolerance"] == 1e-3
    assert isinstance(told["blocks"], list)
    assert told["node_error"] > 0
