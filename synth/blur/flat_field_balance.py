"""The image of a uniform scene, and factors with which the fitted functions reproduce it exactly.

In a natural scene most of the light varies slowly. There the error of the fit is its error for a uniform scene, which
can be computed: the functions of the fit lie so close together that a spline interpolates them at every position.
Hat windows bend at the nodes and end at the outermost ones, where no spline follows: their image is summed node by
node. A factor for each pixel of the scene and one for each pixel of the image, found in turns as Sinkhorn and Knopp
(1967, 10.2140/pjm.1967.21.343) balance the sums of a matrix's columns and rows, then keep both the flux of every point
and the image of the even scene.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import irfft2, rfft2
from scipy.interpolate import CubicSpline, RectBivariateSpline

from metalens.psf.interpolation.functions import FieldFunctions, HatFunctions
from metalens.psf.interpolation.linear_weights import linear_weights, node_weights
from metalens.synth.blur.core_and_halo import Levels, halo_samples, spread, spread_adjoint
from metalens.synth.blur.halo import HaloSplit, enlarged, spline_matrix
from metalens.synth.blur.image_frame import Frame
from metalens.synth.blur.low_rank_fit import Samples, WaveFit

TURNS = 4
"""In which the factors of scene and image are found."""

PLACES = 17
"""Along each side of the scene, at which is asked what core and halo leave out of the functions."""

ENDS = 8
"""Places at each end of the image's rows and columns for which no spline is trusted."""


def flat_image(
    frame: Frame, functions: FieldFunctions, split: HaloSplit, core: WaveFit, halo: WaveFit | None
) -> np.ndarray:
    """The image of light of 1 everywhere on the continued scene.

    By the fits' own samples, or, of hat windows, by the nodes themselves.

    Args:
        frame: the part of the sensor.
        functions: at any place.
        split: of the functions into cores and halos.
        core: the fit of the cores.
        halo: the fit of the halos; ``None`` without.

    Returns:
        ``[channel, y, x]`` light of each pixel.
    """
    if isinstance(functions, HatFunctions):
        return _even_image_of_hats(frame, functions)
    rows, columns = frame.pixels
    image = _even_response(frame, core.samples, split.core)
    if halo is None:
        return image
    places = [np.linspace(0, length - 1, PLACES) for length in frame.core_pixels(split.kernel)]
    y, x = (frame.core_places(places[axis], split.kernel, axis) for axis in (0, 1))
    left_out = Samples(functions.on_grid(y, x, split.left_out), *places)
    image = image + _even_response(frame, left_out, split.kernel)
    scale = split.scale
    light = [_shrunk(length + 2 * margin, count, scale) for length, margin, count in zip(
        frame.pixels, frame.halo_margin(scale), frame.halo_pixels(scale), strict=True)]  # fmt: skip
    first, counts = halo_samples(frame, scale, split.halo_kernel)
    at = [np.arange(count) + begin for count, begin in zip(counts, first, strict=True)]
    samples = flat_response(halo.samples, light, at)
    return image + enlarged(samples, scale)[:, :rows, :columns]


def _even_image_of_hats(frame: Frame, functions: HatFunctions) -> np.ndarray:
    """Each node's hat window convolved with its function, summed over the nodes."""
    bank, kernel = functions.bank, functions.kernel
    y, x = (frame.core_places(np.arange(length), kernel, axis) for axis, length in enumerate(frame.core_pixels(kernel)))
    if bank.layout == "grid":
        # Seen from a pixel of the image, a function's last sample brings the light of the first place that reaches it.
        hats = [
            sliding_window_view(linear_weights(nodes, places).astype(np.float32), side, axis=1)[..., ::-1]
            for nodes, places, side in zip((bank.field_y, bank.field_x), (y, x), kernel, strict=True)
        ]
        return np.einsum("itk,jul,ijckl->ctu", *hats, bank.as_grid(functions.nodes), optimize=True)
    places = np.stack([each.ravel() for each in np.meshgrid(y, x, indexing="ij")], axis=1)
    image = np.zeros((functions.channels, len(y) + kernel[0] - 1, len(x) + kernel[1] - 1))
    for hat, function in zip(node_weights(bank, places).T.reshape(-1, len(y), len(x)), functions.nodes, strict=True):
        reached = np.flatnonzero(hat.any(axis=1)), np.flatnonzero(hat.any(axis=0))
        if len(reached[0]):
            top, left = (each[0] for each in reached)
            lit = hat[top : reached[0][-1] + 1, left : reached[1][-1] + 1]
            size = [length + side - 1 for length, side in zip(lit.shape, kernel, strict=True)]
            part = irfft2(rfft2(lit, size) * rfft2(function, size), size)
            image[:, top : top + part.shape[1], left : left + part.shape[2]] += part
    return image[:, kernel[0] - 1 : len(y), kernel[1] - 1 : len(x)]


def _shrunk(length: int, samples: int, scale: int) -> np.ndarray:
    """Light of 1 on so many pixels, averaged by the spline at each sample of the halo's grid."""
    return spline_matrix(samples, scale)[:length].sum(axis=0)


def _even_response(frame: Frame, samples: Samples, kernel: tuple[int, int]) -> np.ndarray:
    """The frame's image of light of 1 on all pixels that kernels of this size reach it from."""
    light = [np.ones(length) for length in frame.core_pixels(kernel)]
    at = [np.arange(length) + side - 1 for length, side in zip(frame.pixels, kernel, strict=True)]
    return flat_response(samples, light, at)


def flat_response(samples: Samples, light: list[np.ndarray], at: list[np.ndarray]) -> np.ndarray:
    """Sums over the places s of light(s) · h(t − s; s), functions by cubic splines through their samples.

    Args:
        samples: of the functions h.
        light: of the scene's rows and of its columns, whose products are the light of each place.
        at: rows, columns t for which the sums are asked for; 0 is where a point at 0 puts a function's sample 0.

    Returns:
        ``[channel, row, column]``, by splines through about as many sums as there are samples.
    """
    knots = [_knots(each, len(places)) for each, places in zip(at, (samples.rows, samples.columns), strict=True)]
    functions = samples.functions
    height, width, channels, tall, wide = functions.shape
    across = _reached(samples.columns, light[1], knots[1], wide).reshape(-1, width * wide)
    flat = functions.transpose(1, 4, 0, 2, 3).reshape(width * wide, -1)
    along_x = (across @ flat).reshape(-1, height, channels, tall)
    along_y = _reached(samples.rows, light[0], knots[0], tall)
    sums = np.einsum("yit,xict->cyx", along_y, along_x, optimize=True)
    return np.stack([_between(knots[0], knots[1], each, at[0], at[1]) for each in sums])


def _reached(places: np.ndarray, light: np.ndarray, at: np.ndarray, length: int) -> np.ndarray:
    """``[t, place, sample]``: how much a function's sample at each place adds to the sum at t."""
    source = np.arange(len(light))
    share = (CubicSpline(places, np.eye(len(places)))(source) * light[:, None]).astype(np.float32)
    index = at[:, None] - np.arange(length)
    inside = (index >= 0) & (index < len(light))
    found = np.where(inside[..., None], share[np.clip(index, 0, len(light) - 1)], 0)
    return np.ascontiguousarray(found.transpose(0, 2, 1))


def _knots(at: np.ndarray, count: int) -> np.ndarray:
    """About ``count`` places to compute, and all of those at the ends: beyond the frame the light breaks off."""
    inner = np.linspace(at[0], at[-1], min(len(at), count)).round().astype(int)
    return np.unique(np.concatenate([at[:ENDS], inner, at[-ENDS:]]))


def _between(knots_y: np.ndarray, knots_x: np.ndarray, values: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    orders = {"kx": min(3, len(knots_y) - 1), "ky": min(3, len(knots_x) - 1)}
    if min(orders.values()) == 0:
        return np.broadcast_to(values, (len(y), len(x)))
    return np.asarray(RectBivariateSpline(knots_y, knots_x, values, **orders)(y, x))


def balanced(levels: Levels, flux: np.ndarray, share: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the factors of scene and image.

    Args:
        levels: the fitted functions.
        flux: ``[channel, y, x]`` light that they make of each pixel of the continued scene.
        share: ``[channel, y, x]`` light that they should make of it.
        image: ``[channel, y, x]`` image that they should make of light of 1 everywhere.

    Returns:
        ``[channel, y, x]`` factors of the continued scene, with which the flux is exact, and of the image.
    """
    scene_factor, image_factor = share / flux, np.ones_like(image)
    for _ in range(TURNS):
        found = np.asarray(spread(levels, jnp.asarray(scene_factor, dtype=jnp.float32)), dtype=np.float64)
        image_factor = image / found
        change = jnp.asarray(image_factor - 1, dtype=jnp.float32)
        scene_factor = share / (flux + np.asarray(spread_adjoint(levels, change), dtype=np.float64))
    return scene_factor, image_factor
