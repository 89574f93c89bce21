"""Shift-variant blur: every point of the scene spreads its own light over the sensor.

The image is a sum over the scene's points of each one's own point spread function (scatter). Between the nodes of
the bank the function is interpolated bilinearly, which is the same as cutting the scene by overlapping hat windows
*before* convolving each part with its node's function (Nagy and O'Leary 1998, 10.1137/S106482759528507X):

    image = Σₙ Kₙ ∗ (wₙ · scene),    Σₙ wₙ = 1 everywhere

Each part is small, so its convolution is one local FFT. Light that the functions carry past their window is lost;
the sum of a function is the share that arrives.

The lens sees more of the world than the sensor covers: the scene is continued past the edge by its mirror image,
as far as the functions reach, with the functions of the nearest point of the edge, and its light scatters in. A
black surround would darken the borders of every training image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from scipy.fft import next_fast_len

from metalens.formats.errors import InputError
from metalens.formats.psf_bank import PsfBank


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["transform", "window_y", "window_x", "start_y", "start_x"],
    meta_fields=["pixels", "kernel"],
)
@dataclass(frozen=True)
class ShiftVariantBlur:
    """A bank of point spread functions, made ready to blur scenes of one sensor.

    Attributes:
        transform: ``[node_y, node_x, channel, frequency_y, frequency_x]`` complex64, the functions' transforms.
        window_y: ``[node_y, y]`` hat window of each row of nodes, within its patch.
        window_x: ``[node_x, x]`` hat window of each column of nodes, within its patch.
        start_y: ``[node_y]`` first row of each patch in the continued scene.
        start_x: ``[node_x]`` first column of each patch in the continued scene.
        pixels: rows, columns of the sensor.
        kernel: rows, columns of the point spread functions.
    """

    transform: jax.Array
    window_y: jax.Array
    window_x: jax.Array
    start_y: jax.Array
    start_x: jax.Array
    pixels: tuple[int, int]
    kernel: tuple[int, int]


def shift_variant_blur(bank: PsfBank) -> ShiftVariantBlur:
    """Make a bank ready to blur scenes of its camera's sensor.

    Args:
        bank: point spread functions at nodes on a grid that spans the sensor; a bank of one node blurs everywhere
            alike.

    Raises:
        InputError: the nodes are no grid, or two of them are closer than a pixel.
    """
    pixels = bank.camera.sensor.pixels
    kernel = (bank.intensity.shape[-2], bank.intensity.shape[-1])
    window_y, start_y = _hat_windows(bank.field_y, bank.pixel_pitch, pixels[0], kernel[0])
    window_x, start_x = _hat_windows(bank.field_x, bank.pixel_pitch, pixels[1], kernel[1])
    size = (
        next_fast_len(window_y.shape[1] + kernel[0] - 1, real=True),
        next_fast_len(window_x.shape[1] + kernel[1] - 1, real=True),
    )
    transform = np.stack([np.fft.rfft2(row, size).astype(np.complex64) for row in bank.as_grid(bank.intensity)])
    return ShiftVariantBlur(
        transform=jnp.asarray(transform),
        window_y=jnp.asarray(window_y),
        window_x=jnp.asarray(window_x),
        start_y=jnp.asarray(start_y),
        start_x=jnp.asarray(start_x),
        pixels=pixels,
        kernel=kernel,
    )


def blur(operator: ShiftVariantBlur, scene: jax.Array) -> jax.Array:
    """Blur a scene.

    Args:
        operator: from :func:`shift_variant_blur`.
        scene: ``[y, x, 3]`` linear light on the sensor's pixels.

    Returns:
        ``[y, x, 3]`` float32 linear light; rounding can leave values a little below zero.

    Raises:
        InputError: the scene has another shape than the sensor.
    """
    _check_shape(operator, scene)
    return _blur(operator, jnp.asarray(scene, dtype=jnp.float32))


def blur_adjoint(operator: ShiftVariantBlur, image: jax.Array) -> jax.Array:
    """Apply the exact adjoint of :func:`blur`: ⟨blur(a), b⟩ = ⟨a, blur_adjoint(b)⟩.

    Args:
        operator: from :func:`shift_variant_blur`.
        image: ``[y, x, 3]`` on the sensor's pixels.

    Returns:
        ``[y, x, 3]`` float32.

    Raises:
        InputError: the image has another shape than the sensor.
    """
    _check_shape(operator, image)
    return _blur_adjoint(operator, jnp.asarray(image, dtype=jnp.float32))


@jax.jit
def _blur(operator: ShiftVariantBlur, scene: jax.Array) -> jax.Array:
    rows, columns = operator.pixels
    kernel_y, kernel_x = operator.kernel
    before_y, before_x = kernel_y - 1 - kernel_y // 2, kernel_x - 1 - kernel_x // 2
    margins = ((0, 0), (before_y, kernel_y // 2), (before_x, kernel_x // 2))
    continued = jnp.pad(jnp.moveaxis(scene, -1, 0), margins, mode="symmetric")
    # The canvas begins half a kernel before the continued scene, so that a patch is pasted where it was cut.
    canvas = jnp.zeros((3, continued.shape[1] + kernel_y - 1, continued.shape[2] + kernel_x - 1), dtype=jnp.float32)

    def one_row(canvas: jax.Array, node: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        transform, window_y, start_y = node
        part = _convolve_row(operator, continued, transform, window_y, start_y)
        return _paste(canvas, part, start_y, jnp.int32(0)), None

    canvas, _ = jax.lax.scan(one_row, canvas, (operator.transform, operator.window_y, operator.start_y))
    inner = canvas[:, kernel_y - 1 : kernel_y - 1 + rows, kernel_x - 1 : kernel_x - 1 + columns]
    return jnp.moveaxis(inner, 0, -1)


def _convolve_row(
    operator: ShiftVariantBlur,
    continued: jax.Array,
    transform: jax.Array,
    window_y: jax.Array,
    start_y: jax.Array,
) -> jax.Array:
    """Convolve the patches of one row of nodes; returns ``[channel, y, x]`` over the canvas' full width."""
    kernel_y, kernel_x = operator.kernel
    height, width = window_y.shape[0], operator.window_x.shape[1]
    size = (height + kernel_y - 1, width + kernel_x - 1)
    strip = jax.lax.dynamic_slice_in_dim(continued, start_y, height, axis=1) * window_y[:, None]
    fast = tuple(next_fast_len(length, real=True) for length in size)

    def one_node(canvas: jax.Array, node: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        transform, window_x, start_x = node
        patch = jax.lax.dynamic_slice_in_dim(strip, start_x, width, axis=2) * window_x
        part = jnp.fft.irfft2(jnp.fft.rfft2(patch, fast) * transform, fast)
        return _paste(canvas, part[:, : size[0], : size[1]], jnp.int32(0), start_x), None

    canvas = jnp.zeros((3, size[0], continued.shape[2] + kernel_x - 1), dtype=jnp.float32)
    return jax.lax.scan(one_node, canvas, (transform, operator.window_x, operator.start_x))[0]


def _paste(canvas: jax.Array, part: jax.Array, row: jax.Array, column: jax.Array) -> jax.Array:
    """Add ``part`` to ``canvas`` with its first sample at ``row``, ``column``."""
    place = (jnp.int32(0), row, column)
    below = jax.lax.dynamic_slice(canvas, place, part.shape)
    return jax.lax.dynamic_update_slice(canvas, below + part, place)


@jax.jit
def _blur_adjoint(operator: ShiftVariantBlur, image: jax.Array) -> jax.Array:
    transpose = jax.linear_transpose(lambda scene: _blur(operator, scene), image)
    (scene,) = transpose(image)
    return scene


def hat_weights(nodes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Weights of piecewise-linear interpolation, held constant beyond the outermost nodes.

    Args:
        nodes: ``[node]`` ascending.
        positions: ``[position]`` in the same unit.

    Returns:
        ``[node, position]`` float64 in 0..1; each position's weights sum to 1.
    """
    return np.stack([np.interp(positions, nodes, row) for row in np.eye(len(nodes))])


def _hat_windows(field: np.ndarray, pitch: float, length: int, kernel: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut each node's hat out of the continued scene's axis.

    Args:
        field: ``[node]`` positions on the sensor in metres, from its centre.
        pitch: pixel pitch in metres.
        length: sensor pixels along this axis.
        kernel: samples of the point spread functions along this axis.

    Returns:
        ``[node, sample]`` float32 windows of one common length, and ``[node]`` int32 first samples.
    """
    if np.any(np.diff(field) < pitch):
        raise InputError("psf bank: two nodes are closer than a pixel; make the bank with fewer fields.")
    before = kernel - 1 - kernel // 2
    continued = length + kernel - 1
    pixel = np.arange(continued) - before
    # Beyond the sensor's edge the functions of the nearest point of the edge hold.
    position = np.clip(pixel - (length - 1) / 2, -length / 2, length / 2) * pitch
    weights = hat_weights(field, position)
    # What is left of a hat by rounding would make every patch as wide as the margin.
    weights[weights < 1e-7] = 0
    reach = [np.flatnonzero(row) for row in weights]
    first = np.array([nonzero[0] if len(nonzero) else 0 for nonzero in reach])
    last = np.array([nonzero[-1] if len(nonzero) else 0 for nonzero in reach])
    size = int((last - first).max()) + 1
    start = np.minimum(first, continued - size)
    windows = np.stack([row[begin : begin + size] for row, begin in zip(weights, start, strict=True)])
    return windows.astype(np.float32), start.astype(np.int32)


def _check_shape(operator: ShiftVariantBlur, array: jax.Array) -> None:
    expected = (*operator.pixels, 3)
    if tuple(array.shape) != expected:
        raise InputError(f"blur: found an array of shape {tuple(array.shape)}, expected {expected}.")
