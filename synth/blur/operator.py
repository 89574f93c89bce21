"""The blur of a bank for a frame of its camera's sensor.

The image is the sum over the scene's points of each one's own point spread function (scatter), which is interpolated
between the bank's nodes. Light that the functions carry past their window is lost; the sum of a function is the share
that arrives.

The lens sees more of the world than a frame covers. What the scene does not tell is its mirror image, as far as the
functions reach: a black surround would darken the borders of every training image.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass as checked

from metalens.formats.files.errors import InputError
from metalens.formats.files.record import STRICT, told_as_input_error
from metalens.formats.psf.bank import PsfBank
from metalens.optics.pytree import register_dataclass
from metalens.psf.interpolation.functions import FieldFunctions, field_functions
from metalens.psf.interpolation.node_error import even_places, node_error
from metalens.synth.blur.block_convolution import BlockBlur, block_blur
from metalens.synth.blur.core_and_halo import Levels, spread, spread_adjoint
from metalens.synth.blur.flat_field_balance import balanced, flat_image
from metalens.synth.blur.halo import HaloSplit, choose_split, enlarged
from metalens.synth.blur.illumination import ChiefRays, chief_rays
from metalens.synth.blur.image_frame import Frame, frame_of
from metalens.synth.blur.low_rank_fit import WaveFit, fit_waves
from metalens.synth.blur.warp import Warp, make_warp, moved

LARGEST_BLOCK = 80
"""Pixels along a block's side with which the search begins at least, up to six blocks."""

ROUNDED_WAVES = 13
"""From which on transforms are rounded to int16, as reading them takes longer than transforming the scene."""

ROUNDED_TOLERANCE = 5e-4
"""From which on they are; rounding changes an image by some hundred-thousandths."""

ROUNDING_SHARE = 0.2
"""Share of the tolerance, that rounding may take; where it would take more, transforms stay as they are."""


@told_as_input_error("blur")
@checked(frozen=True, config=STRICT)
class BlurSettings:
    """Settings of the blur operator.

    Attributes:
        tolerance: of the image against the exact scatter of the interpolated functions: root mean square for a
            natural scene of values in 0..1. The default is 60 dB.
        registered: whether functions are moved to their centroids and the scene is warped instead; ``None`` lets the
            bank decide (:func:`metalens.psf.interpolation.functions.field_functions`).
        distortion: the scene is that of a lens without distortion, and is distorted as the chief rays say; otherwise
            it is taken as seen where the chief rays land.
        natural_vignetting: the light falls off as cos⁴ of the chief ray's angle, or as the chief rays say.
    """

    tolerance: Annotated[float, Field(ge=1e-6, le=0.1, allow_inf_nan=False)] = 1e-3
    registered: bool | None = None
    distortion: bool = False
    natural_vignetting: bool = False


@dataclass(frozen=True)
class BlurReport:
    """Choices made to meet the tolerance, for the metadata of results.

    Attributes:
        tolerance: that was asked for.
        change: estimated root mean square change of the image against the exact scatter, of a natural scene.
        node_error: estimated root mean square error of that image by the distance between the bank's nodes; NaN if
            there are too few nodes to tell.
        blocks: rows, columns of blocks.
        waves: to a block.
        core: rows, columns of the functions' core, on pixels.
        halo_scale: pixels to a sample of their halo; 1 where there is none.
        registered: whether functions were moved to their centroids.
        distortion: see :class:`BlurSettings`.
        natural_vignetting: see :class:`BlurSettings`.
    """

    tolerance: float
    change: float
    node_error: float
    blocks: tuple[int, int]
    waves: int
    core: tuple[int, int]
    halo_scale: int
    registered: bool
    distortion: bool
    natural_vignetting: bool

    def as_dict(self) -> dict[str, object]:
        """Its entries as JSON can hold them, figures rounded to three digits."""
        found = asdict(self)
        for name in ("change", "node_error"):
            value = float(f"{found[name]:.3g}")
            found[name] = None if np.isnan(value) else value
        return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}


@partial(
    register_dataclass,
    data_fields=["levels", "warp", "gain", "image_gain"],
    meta_fields=["report"],
)
@dataclass(frozen=True)
class ShiftVariantBlur:
    """Blur operator of a bank of point spread functions for scenes of one frame.

    Attributes:
        levels: the functions.
        warp: movement of the scene; ``None`` without.
        gain: ``[channel, y, x]`` float32 factor of the continued scene's light: illumination, and exact flux.
        image_gain: ``[channel, y, x]`` float32 factor of the image: an exactly flat field.
        report: what was chosen.
    """

    levels: Levels
    warp: Warp | None
    gain: jax.Array
    image_gain: jax.Array
    report: BlurReport

    @property
    def frame(self) -> Frame:
        """The part of the sensor, and how far the scene goes beyond it."""
        return self.levels.frame

    @property
    def pixels(self) -> tuple[int, int]:
        """Rows, columns of the image."""
        return self.frame.pixels


def shift_variant_blur(
    bank: PsfBank,
    settings: BlurSettings | None = None,
    *,
    pixels: tuple[int, int] | None = None,
    origin: tuple[int, int] = (0, 0),
    surround: int = 0,
) -> ShiftVariantBlur:
    """Build the blur operator of a bank.

    Args:
        bank: point spread functions at nodes on the sensor, in whatever layout; those of one node blur everywhere
            alike.
        settings: see :class:`BlurSettings`.
        pixels: rows, columns of the image; by default the whole sensor. An image may be larger than the sensor: beyond
            the nodes, the functions of the nearest place hold.
        origin: row, column of the sensor's pixel that is the image's first; may be negative.
        surround: pixels by which the scenes go beyond the image on each side.

    Returns:
        The operator from scenes ``[3, y, x]`` to images ``[3, y, x]`` of linear light.

    Raises:
        InputError: two nodes are closer than a pixel, or a number makes no sense.
    """
    settings = settings or BlurSettings()
    functions = field_functions(bank, settings.registered)
    rays = chief_rays(bank) if settings.distortion or settings.natural_vignetting else None
    frame = frame_of(bank, functions.kernel, pixels, origin, surround)
    return blur_of_functions(functions, frame, settings, rays)


def blur_of_functions(
    functions: FieldFunctions, frame: Frame, settings: BlurSettings, rays: ChiefRays | None = None
) -> ShiftVariantBlur:
    """Make functions of any number of channels ready; see :func:`shift_variant_blur`.

    Args:
        functions: at any place.
        frame: the part of the sensor.
        settings: see :class:`BlurSettings`.
        rays: the chief rays, for distortion and natural vignetting.

    Returns:
        The operator, with a report of its approximation errors.
    """
    probes = functions.at(frame.probes()).reshape(-1, *functions.kernel)
    split = choose_split(probes, 0.5 * settings.tolerance)
    # Squares of the shares of the tolerance: 1/4 to the split, 9/16 to the core, 4/25 to the halo, together below 1.
    core_share = 1.0 if split.scale == 1 else 0.75
    core = _fit_level(functions, frame, split, core_share * settings.tolerance, halo=False)
    halo = _fit_level(functions, frame, split, 0.4 * settings.tolerance, halo=True) if split.scale > 1 else None
    levels = _levels(core, halo, frame, split, rounded=settings.tolerance >= ROUNDED_TOLERANCE)
    if levels.rounding > ROUNDING_SHARE * settings.tolerance:
        levels = _levels(core, halo, frame, split, rounded=False)
    errors = [split.error(probes), core.error, halo.error if halo else 0.0, levels.rounding]
    report = BlurReport(
        tolerance=settings.tolerance,
        change=float(np.hypot.reduce(errors)),
        node_error=node_error(functions, even_places(*frame.corners())),
        blocks=(core.kernels.shape[0], core.kernels.shape[1]),
        waves=len(core.waves),
        core=split.core,
        halo_scale=split.scale,
        registered=functions.registered,
        distortion=settings.distortion,
        natural_vignetting=settings.natural_vignetting,
    )
    y, x = frame.places(0), frame.places(1)
    share = np.moveaxis(functions.share(y, x), -1, 0)
    gain, image_gain = balanced(levels, _fitted_flux(levels), share, flat_image(frame, functions, split, core, halo))
    if rays is not None and settings.natural_vignetting:
        gain = gain * rays.gain(y, x)
    return ShiftVariantBlur(
        levels=levels,
        warp=_warp(functions, frame, settings, rays),
        gain=jnp.asarray(gain, dtype=jnp.float32),
        image_gain=jnp.asarray(image_gain, dtype=jnp.float32),
        report=report,
    )


def _levels(core: WaveFit, halo: WaveFit | None, frame: Frame, split: HaloSplit, *, rounded: bool) -> Levels:
    def blocks(fit: WaveFit, pixels: tuple[int, int]) -> BlockBlur:
        rounding = rounded and len(fit.waves) >= ROUNDED_WAVES
        return block_blur(fit.kernels, fit.waves, fit.block, pixels, rounded=rounding)

    return Levels(
        core=blocks(core, frame.core_pixels(split.core)),
        halo=blocks(halo, frame.halo_pixels(split.scale)) if halo else None,
        frame=frame,
        halo_scale=split.scale,
        halo_kernel=split.halo_kernel if halo else (0, 0),
    )


def _fit_level(functions: FieldFunctions, frame: Frame, split: HaloSplit, tolerance: float, *, halo: bool) -> WaveFit:
    """Fit the waves of the cores or of the halos."""
    pixels = frame.halo_pixels(split.scale) if halo else frame.core_pixels(split.core)
    axis = frame.halo_axis(split.scale) if halo else frame.core_axis(split.core)
    reduce = split.halo_of if halo else split.core_of

    def functions_at(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        if halo:
            y, x = frame.halo_places(row, split.scale, 0), frame.halo_places(column, split.scale, 1)
        else:
            y, x = frame.core_places(row, split.core, 0), frame.core_places(column, split.core, 1)
        return functions.on_grid(y, x, reduce)

    scale = split.scale if halo else 1
    return fit_waves(functions_at, pixels, tolerance, axis=axis, largest=LARGEST_BLOCK // scale, scale=scale)


def _fitted_flux(levels: Levels) -> np.ndarray:
    """Light ``[channel, y, x]`` that the kernels make of each pixel of the continued scene."""
    frame, scale = levels.frame, levels.halo_scale
    flux = frame.spread(levels.core.flux(), frame.core_first(levels.core.kernel))
    if levels.halo is not None:
        samples = scale**2 * levels.halo.flux()
        flux = flux + frame.spread(enlarged(samples, scale), frame.halo_first(scale))
    return flux


def _warp(functions: FieldFunctions, frame: Frame, settings: BlurSettings, rays: ChiefRays | None) -> Warp | None:
    """The movement of the scene, if there is any."""
    if not functions.registered and not settings.distortion:
        return None
    y, x = frame.places(0), frame.places(1)
    displacement = np.zeros((functions.channels, len(y), len(x), 2))
    if functions.registered:
        displacement = frame.displacement(functions.displacement)
    source = None
    if settings.distortion and rays is not None:
        source = frame.as_pixels(rays.rectilinear(y, x))
    return make_warp(displacement, source)


def blur(operator: ShiftVariantBlur, scene: jax.Array | np.ndarray) -> jax.Array:
    """Blur a scene by the functions of the operator.

    Args:
        operator: from :func:`shift_variant_blur`.
        scene: ``[y, x, channel]`` linear light on the frame's pixels and its surround.

    Returns:
        ``[y, x, channel]`` float32 linear light of the frame; beside bright edges it can go below
            zero by as much as the tolerance.

    Raises:
        InputError: the scene has another shape than the operator's.
    """
    _check_shape(operator, scene, operator.frame.scene_pixels)
    return _blur(operator, jnp.asarray(scene, dtype=jnp.float32))


def blur_adjoint(operator: ShiftVariantBlur, image: jax.Array | np.ndarray) -> jax.Array:
    """Apply the exact adjoint of :func:`blur`: ⟨blur(a), b⟩ = ⟨a, blur_adjoint(b)⟩.

    Args:
        operator: from :func:`shift_variant_blur`.
        image: ``[y, x, channel]`` on the frame's pixels.

    Returns:
        ``[y, x, channel]`` float32 on the frame's pixels and its surround.

    Raises:
        InputError: the image has another shape than the operator's frame.
    """
    _check_shape(operator, image, operator.pixels)
    return _blur_adjoint(operator, jnp.asarray(image, dtype=jnp.float32))


# ``spread`` and its adjoint are compiled by themselves, as making a blur ready has used both of them already.


def _blur(operator: ShiftVariantBlur, scene: jax.Array) -> jax.Array:
    return _shown(
        operator.image_gain, spread(operator.levels, _lit(operator.frame, operator.warp, operator.gain, scene))
    )


def _blur_adjoint(operator: ShiftVariantBlur, image: jax.Array) -> jax.Array:
    planes = spread_adjoint(operator.levels, jnp.moveaxis(image, -1, 0) * operator.image_gain)
    return _lit_adjoint(operator.frame, operator.warp, operator.gain, planes)


@partial(jax.jit, static_argnums=0)
def _lit(frame: Frame, warp: Warp | None, gain: jax.Array, scene: jax.Array) -> jax.Array:
    """The continued scene ``[channel, y, x]``, moved, times the factor of its light."""
    planes = frame.continued(jnp.moveaxis(scene, -1, 0))
    return (planes if warp is None else moved(warp, planes)) * gain


@partial(jax.jit, static_argnums=0)
def _lit_adjoint(frame: Frame, warp: Warp | None, gain: jax.Array, planes: jax.Array) -> jax.Array:
    scene = jax.ShapeDtypeStruct((*frame.scene_pixels, len(planes)), jnp.float32)
    (found,) = jax.linear_transpose(partial(_lit, frame, warp, gain), scene)(planes)
    return jnp.asarray(found)


@jax.jit
def _shown(gain: jax.Array, planes: jax.Array) -> jax.Array:
    """The image ``[y, x, channel]``, times its factor."""
    return jnp.moveaxis(planes * gain, 0, -1)


def _check_shape(operator: ShiftVariantBlur, array: jax.Array | np.ndarray, pixels: tuple[int, int]) -> None:
    expected = (*pixels, operator.levels.core.channels)
    if tuple(array.shape) != expected:
        raise InputError(f"blur: found an array of shape {tuple(array.shape)}, expected {expected}.")
