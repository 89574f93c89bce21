"""From raw captures of a pinhole to a bank: background, registration, averaging, centring."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import jax.numpy as jnp
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.captures.pinhole_captures import CaptureSet, PinholeCapture
from metalens.formats.files.errors import InputError, InputWarning
from metalens.formats.psf.bank import GREEN, Layout, PsfBank, grid_positions
from metalens.optics.from_lens_toml import metalens_of
from metalens.optics.refraction.check import checked_behind_surfaces
from metalens.psf.captured.noise import border_level, without_negatives
from metalens.psf.captured.registration import find_shifts, shift_images
from metalens.psf.conjugates import at_sensor, source_at
from metalens.psf.external_bank import bank_of_functions
from metalens.psf.measures import centroid
from metalens.psf.rays import chief_ray
from metalens.psf.validation import field_direction

MARGIN = 8
"""Samples beyond the window that take part in registration, so that no light wraps around into the window."""

LEAST_SIGNAL = 5.0
"""The brightest sample of a mean function, in standard deviations of the border's noise, that counts as light."""

LEAST_CLIPPED = 64.0
"""Least height of a flat top above the darkest sample, in steps of the numbers: what is fainter may be flat by
rounding.
"""

LARGEST_BORDER = 0.05
"""Light at the border of a window, of the brightest sample, beyond which the window is told to hold too little."""

LEAST_WINDOW = 9


@dataclass(frozen=True)
class _Pinhole:
    """What was captured of one pinhole in one file's planes.

    Attributes:
        frames: ``[frame, plane, y, x]`` without background, the window with its margin.
        rest: ``[(y, x)]`` samples from the middle sample to the pinhole's chief ray.
        shift: ``[frame, (y, x)]`` of each frame from their mean place.
    """

    frames: np.ndarray
    rest: np.ndarray
    shift: np.ndarray

    def mean(self) -> np.ndarray:
        """``[plane, y, x]`` mean of the frames with the chief ray on the middle sample of the window."""
        back = -(self.shift + self.rest)[:, None, :]
        mean = shift_images(self.frames, np.broadcast_to(back, (*self.frames.shape[:2], 2))).mean(axis=0)
        return mean[:, MARGIN:-MARGIN, MARGIN:-MARGIN]


def bank_of_captures(
    captures: CaptureSet,
    camera: Camera,
    *,
    window: int = 33,
    progress: Callable[[int, int], None] | None = None,
) -> PsfBank:
    """Make a bank of raw captures.

    For each position: saturated samples are refused; the mean of the dark frames is subtracted or, without any, the
    black level and the level of the window's border; the frames are registered on each other to a fraction of a sample
    and averaged; and the chief ray comes to lie on the middle sample. All channels of a position are moved alike, so
    that lateral colour stays. Where the index centres by the centroid, it is the green channel's. Each channel of each
    position sums to 1: how bright the pinhole was is not known.

    Args:
        captures: the index of the files.
        camera: the camera that took them, as far as it is known; its defocus and tilt serve to convert field angles.
        window: side of the point spread functions in pixels, odd, 9 or more.
        progress: called with the number of positions done and their total.

    Returns:
        A bank of measured functions, each of energy 1 in a channel.

    Raises:
        InputError: a saturated capture, a window that reaches beyond the frame, a position without light or without
            one of its channels, or frames of another size than the sensor's.
    """
    if window < LEAST_WINDOW or window % 2 == 0:
        raise InputError(f"psf measured: window {window} must be odd and at least {LEAST_WINDOW}; 33 is usual.")
    groups = _by_position(captures, camera)
    dark = captures.dark()
    functions: list[np.ndarray] = []
    spread: list[np.ndarray] = []
    signal: list[float] = []
    border = 0.0
    for done, (position, group) in enumerate(groups.items()):
        pinholes = _pinholes(captures, camera, dark, position, group, window)
        image = np.concatenate([pinhole.mean() for pinhole in pinholes])
        signal.append(_signal_to_noise(image, position))
        _check_repeats(pinholes, position)
        border = max(border, float((border_level(image)[0] / image.max(axis=(-2, -1))).max()))
        functions.append(np.stack([without_negatives(plane) / plane.sum() for plane in image]))
        spread += [pinhole.shift for pinhole in pinholes]
        if progress is not None:
            progress(done + 1, len(groups))
    if border > LARGEST_BORDER:
        warnings.warn(
            InputWarning(
                f"psf measured: the border of the window of {window} × {window} pixels still has {border:.0%} of the "
                "light of the brightest sample, so that it does not hold the whole function; use a larger --window, or "
                "darks of the same exposure."
            ),
            stacklevel=2,
        )
    layout, order = _layout(np.array(list(groups)))
    jitter = np.sqrt(np.square(np.concatenate(spread)).sum(axis=-1).mean())
    return bank_of_functions(
        camera,
        np.stack(functions)[order],
        np.array(list(groups))[order],
        layout=layout,
        provenance={
            "metalens": version("metalens"),
            "measured": "captures",
            "captures": str(sum(len(shift) for shift in spread)),
            "positions": str(len(groups)),
            "centring": captures.centring,
            "background": "darks" if captures.darks else "border",
            "jitter_um": f"{camera.sensor.pixel_pitch_um * jitter:.4g}",
            "signal_to_noise_lowest": f"{min(signal):.1f}",
        },
    )


def _by_position(captures: CaptureSet, camera: Camera) -> dict[tuple[float, float], list[PinholeCapture]]:
    """The captures of each position (y, x) in metres, in the order of the index."""
    groups: dict[tuple[float, float], list[PinholeCapture]] = {}
    for capture in captures.captures:
        y, x = _position(capture, camera)
        # Rounded to the nanometre, so that one position written in two ways counts as one.
        groups.setdefault((round(y, 9) + 0.0, round(x, 9) + 0.0), []).append(capture)
    return groups


def _position(capture: PinholeCapture, camera: Camera) -> tuple[float, float]:
    """Where the chief ray of a capture lands, (y, x) in metres."""
    if capture.y_um is not None and capture.x_um is not None:
        return capture.y_um * 1e-6, capture.x_um * 1e-6
    assert capture.field_deg is not None
    angle = (np.radians(capture.field_deg), np.radians(capture.azimuth_deg or 0.0))
    direction = jnp.asarray(field_direction((float(angle[0]), float(angle[1]))))
    moved = jnp.array([camera.lens.defocus_m, *np.tan(camera.sensor.tilt)])
    band = camera.spectrum.channels[GREEN].centre_nm * 1e-9 if camera.spectrum.channels else 550e-9
    distance = camera.object_distance_m if math.isfinite(camera.object_distance_m) else None
    lens = at_sensor(metalens_of(camera), direction, moved)
    flat, light, _ = checked_behind_surfaces(lens, source_at(direction, distance), band)
    landing = np.asarray(chief_ray(flat, jnp.asarray(band), light.direction).landing, dtype=float)
    y, x = landing + camera.lens.decentre_m
    if not math.isfinite(y + x):
        raise InputError(
            f"psf measured: the chief ray of the field at {capture.field_deg:g}° does not reach the sensor; check "
            "field_deg and the lens."
        )
    return float(y), float(x)


def _pinholes(
    captures: CaptureSet,
    camera: Camera,
    dark: np.ndarray | None,
    position: tuple[float, float],
    group: list[PinholeCapture],
    window: int,
) -> list[_Pinhole]:
    """The channels of a position: one pinhole of three planes, or three of one each, red, green and blue."""
    sets = [group]
    if captures.colour == "grey":
        sets = [[capture for capture in group if capture.channel == name] for name in CHANNEL_NAMES]
    for name, members in zip(CHANNEL_NAMES, sets, strict=False):
        if not members:
            raise InputError(
                f"psf measured: no {name} capture at {_place(position)}; every position needs all three channels."
            )
    stacks = [[(capture, captures.frames(capture)) for capture in members] for members in sets]
    shape = stacks[0][0][1].shape[-2:]
    for capture, frames in (pair for stack in stacks for pair in stack):
        _check_size(captures, camera, capture, frames.shape[-2:], dark, window, shape)
    place = _start(captures, camera, position, shape)
    for _ in range(4 if captures.centring == "centroid" else 0):
        # The middle one of the planes, or of the files: green.
        green = _pinhole(captures, stacks[len(stacks) // 2], dark, place, window).mean()
        place = place + _bright_centroid(green[len(green) // 2])
    return [_pinhole(captures, stack, dark, place, window) for stack in stacks]


def _start(captures: CaptureSet, camera: Camera, position: tuple[float, float], shape: tuple[int, int]) -> np.ndarray:
    """(row, column) of the chief ray, in samples."""
    if captures.area == "window":
        return np.array(shape) // 2 + 0.0
    return 0.5 * (np.array(shape) - 1) + np.array(position) / camera.sensor.pixel_pitch_m


def _pinhole(
    captures: CaptureSet,
    stack: list[tuple[PinholeCapture, np.ndarray]],
    dark: np.ndarray | None,
    place: np.ndarray,
    window: int,
) -> _Pinhole:
    """Cut, check and clean the frames of one pinhole."""
    row, column = (int(each) for each in np.rint(place))
    parts = []
    for capture, frames in stack:
        black, full_scale = captures.levels(capture)
        level = black if dark is None else dark
        _check_saturation(
            captures, capture, full_scale, _cut(frames, row, column, window, 0, captures.place_of(capture))
        )
        light = frames.astype(np.float64) - level
        parts.append(_cut(light, row, column, window, MARGIN, captures.place_of(capture)))
    frames = np.concatenate(parts)
    if dark is None:
        inner = frames[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
        frames = frames - border_level(inner.mean(axis=0))[0][:, None, None]
    # Samples beyond the frame were NaN until the background was subtracted; they become 0.
    frames = np.nan_to_num(frames, nan=0.0)
    return _Pinhole(frames, place - np.rint(place), find_shifts(frames.sum(axis=1)))


def _cut(frames: np.ndarray, row: int, column: int, window: int, margin: int, place: str) -> np.ndarray:
    """``[frame, plane, window + 2 margin, window + 2 margin]`` about a sample; the margin may hold NaN."""
    half = window // 2
    height, width = frames.shape[-2:]
    if row < half or column < half or row + half >= height or column + half >= width:
        raise InputError(
            f"{place}: a window of {window} × {window} pixels about row {row}, column {column} reaches beyond the "
            f"frame of {height} × {width}; use a smaller --window, or leave the position out."
        )
    if margin == 0:
        return frames[..., row - half : row + half + 1, column - half : column + half + 1]
    reach = half + margin
    outside = [(max(0, reach - at), max(0, at + reach + 1 - end)) for at, end in ((row, height), (column, width))]
    padded = np.pad(frames, ((0, 0), (0, 0), *outside), constant_values=np.nan)
    top, left = row - reach + outside[0][0], column - reach + outside[1][0]
    return padded[..., top : top + 2 * reach + 1, left : left + 2 * reach + 1]


def _check_saturation(captures: CaptureSet, capture: PinholeCapture, full_scale: float, frames: np.ndarray) -> None:
    full = frames >= full_scale
    if full.any():
        frame = int(full.sum(axis=(1, 2, 3)).argmax())
        count = int(full[frame].sum())
        raise InputError(
            f"{captures.place_of(capture)}: saturated: {count} of the {full[frame].size} samples in the window "
            f"({count / full[frame].size:.2%}) are at full scale, {full_scale:g} DN, so that the peak is "
            "cut off; shorten the exposure until the brightest sample stays below it, and capture it and its darks "
            "again."
        )
    top = frames.max(axis=(-2, -1), keepdims=True)
    squares = np.all(sliding_window_view(frames == top, (3, 3), axis=(-2, -1)), axis=(-2, -1))
    flat = np.any(squares, axis=(-2, -1))
    clipped = flat & ((top - frames.min(axis=(-2, -1), keepdims=True))[..., 0, 0] >= LEAST_CLIPPED)
    if clipped.any():
        number = top[..., 0, 0][clipped].max()
        raise InputError(
            f"{captures.place_of(capture)}: its peak is flat: 3 × 3 samples are all at its largest number, {number:g} "
            f"DN, although full scale is said to be {full_scale:g}; say the number of a saturated sample, or shorten "
            "the exposure."
        )


def _check_size(
    captures: CaptureSet,
    camera: Camera,
    capture: PinholeCapture,
    found: tuple[int, int],
    dark: np.ndarray | None,
    window: int,
    shape: tuple[int, int],
) -> None:
    wanted, whose = camera.sensor.pixels, "the sensor"
    if captures.area == "window":
        wanted, whose = shape, "the first capture of the position"
    if dark is not None and dark.shape[-2:] != found:
        wanted, whose = dark.shape[-2:], "the darks"
    if found != tuple(wanted):
        raise InputError(
            f"{captures.place_of(capture)}: its frames are {found[0]} × {found[1]}, {whose} {wanted[0]} × {wanted[1]}; "
            'give frames of one size, whole ones or with area = "window" cut-outs.'
        )
    if min(found) < window:
        raise InputError(
            f"{captures.place_of(capture)}: its frames are {found[0]} × {found[1]}, smaller than the window of "
            f"{window} × {window} pixels; use a smaller --window."
        )


def _bright_centroid(image: np.ndarray) -> np.ndarray:
    """Centroid (y, x) in samples from the middle one, of what stands out of the noise."""
    light = np.where(image > 3 * border_level(image)[1], image, 0.0)
    return centroid(light, 1.0) if light.sum() > 0 else np.zeros(2)


def _signal_to_noise(image: np.ndarray, position: tuple[float, float]) -> float:
    """The brightest sample over the noise of the border, of the faintest channel of ``[channel, y, x]``."""
    noise = np.maximum(border_level(image)[1], 1e-12)
    strength = image.max(axis=(-2, -1)) / noise
    for name, plane, ratio in zip(CHANNEL_NAMES, image, strength, strict=True):
        if plane.sum() <= 0:
            raise InputError(
                f"psf measured: no {name} light at {_place(position)}: less than nothing is left without the "
                "background; check that the darks show no light."
            )
        if ratio < LEAST_SIGNAL:
            raise InputError(
                f"psf measured: no {name} light at {_place(position)}: the brightest sample is {ratio:.1f} standard "
                f"deviations of the noise, at least {LEAST_SIGNAL:g} were expected; check the position and the "
                "exposure, or average more captures."
            )
    return float(strength.min())


def _check_repeats(pinholes: list[_Pinhole], position: tuple[float, float]) -> None:
    """Repeats that lie far apart are of several places, and their mean place is none of them."""
    for pinhole in pinholes:
        apart = float(np.linalg.norm(np.ptp(pinhole.shift, axis=0)))
        if apart > MARGIN:
            raise InputError(
                f"psf measured: the repeats at {_place(position)} lie up to {apart:.1f} samples apart, at most "
                f"{MARGIN} are taken for jitter; give each place of the pinhole a position of its own."
            )


def _layout(position: np.ndarray) -> tuple[Layout, np.ndarray]:
    """Whether positions ``[node, 2]`` are a full grid, and their order in the bank."""
    order = np.lexsort((position[:, 1], position[:, 0]))
    grid = grid_positions(np.unique(position[:, 0]), np.unique(position[:, 1]))
    if grid.shape == position.shape and np.array_equal(grid, position[order]):
        return "grid", order
    return "scattered", np.arange(len(position))


def _place(position: tuple[float, float]) -> str:
    return f"({1e6 * position[0]:z.1f}, {1e6 * position[1]:z.1f}) µm"
