"""All point spread functions of a camera: ``lens.toml`` in, the record of ``psf.h5`` out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera import Camera
from metalens.formats.errors import InputError
from metalens.formats.psf_bank import PsfBank
from metalens.optics.metalens import Metalens, metalens_of
from metalens.psf import angular_spectrum, measures
from metalens.psf.rays import direction_to
from metalens.psf.sampling import choose_grid, pixel_integrator
from metalens.psf.spectrum import spectral_quadrature
from metalens.psf.window import choose_window

WANTED_SHARE = 0.97
"""Share of the light that the default window holds at every field and channel."""

LEAST_SHARE = 0.90
"""Share of the light under which a window is refused."""


@dataclass(frozen=True)
class _Simulated:
    """The point spread functions of the fields of one octant.

    Attributes:
        intensity: ``[field, channel, y, x]`` energy per pixel.
        peak_density: ``[field, wavelength]`` in 1/m².
    """

    intensity: np.ndarray
    peak_density: np.ndarray

    @property
    def share(self) -> np.ndarray:
        """``[field, channel]`` share of the light inside the window."""
        return self.intensity.sum(axis=(-2, -1))


def simulate_bank(
    camera: Camera,
    *,
    fields: tuple[int, int] = (7, 7),
    window: tuple[int, int] | None = None,
    wavelengths_per_channel: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PsfBank:
    """Point spread functions on a grid of sensor positions, on the sensor's own pixel grid.

    The nodes span the sensor from edge to edge. The lens is rotationally symmetric, so that only the nodes of one
    octant are simulated; the others are their exact mirror images.

    Args:
        camera: the camera.
        fields: rows and columns of nodes.
        window: (ny, nx) pixels, odd and equal; by default large enough for 97 % of the light of every field
            and channel.
        wavelengths_per_channel: quadrature nodes of each channel; by default the camera's own.
        progress: called with the number of fields done and their total.

    Returns:
        The bank; ``provenance["captured_share_lowest"]`` tells what the window holds at the worst.

    Raises:
        InputError: a window that keeps less than 90 % of the light, or a lens that needs too fine a grid.
    """
    _check_request(fields, window, wavelengths_per_channel)
    lens = metalens_of(camera)
    pitch = camera.sensor.pixel_pitch_m
    wavelength, weight = spectral_quadrature(camera.spectrum, wavelengths_per_channel)
    field_y, field_x = (
        _nodes(count, pixels * pitch) for count, pixels in zip(fields, camera.sensor.pixels, strict=True)
    )
    octant, place, mirrors = _octant(field_y, field_x)
    if window is None:
        side = choose_window(lens, wavelength, weight, octant, pitch, share=WANTED_SHARE + 0.01)
    else:
        side = window[0]
    found = _simulate(lens, wavelength, weight, octant, side, pitch, progress)
    while window is None and found.share.min() < WANTED_SHARE:
        side = 2 * int(np.ceil(0.6 * side)) + 1
        held = found.share.min()
        found = _simulate(lens, wavelength, weight, octant, side, pitch, progress)
        if found.share.min() < held + 1e-3:
            # What is missing is not beyond the window: it never leaves the lens.
            break
    _check_share(found.share, octant, side, camera)
    radius = np.linspace(0, 0.5 * camera.lens.aperture_m, 1024)
    widths = _widths(found.intensity, pitch)
    strehl = measures.strehl_ratio(
        found.peak_density, wavelength, camera.lens.focal_length_m, float(lens.aperture_area)
    )
    return PsfBank(
        camera=camera,
        intensity=_unfold(found.intensity, place, mirrors),
        field_y=field_y,
        field_x=field_x,
        wavelength=wavelength,
        channel_weight=weight,
        full_width_half_maximum=widths[0][place],
        rms_width=widths[1][place],
        half_energy_radius=widths[2][place],
        strehl_ratio=strehl[place],
        phase_radius=radius,
        phase=np.asarray(lens.phase.at(jnp.zeros(1), jnp.asarray(radius)), dtype=float),
        provenance={
            "metalens": version("metalens"),
            "jax": jax.__version__,
            "engine": "angular_spectrum",
            "captured_share_lowest": f"{found.share.min():.4f}",
            "captured_share_mean": f"{found.share[place].mean():.4f}",
            "wavelengths": str(len(wavelength)),
        },
    )


def _check_request(
    fields: tuple[int, int], window: tuple[int, int] | None, wavelengths_per_channel: int | None
) -> None:
    if min(fields) < 1 or max(fields) > 129:
        raise InputError(
            f"psf: fields {fields[0]} × {fields[1]} must lie between 1 and 129 on each side; 7 × 7 is usual."
        )
    if window is not None and (window[0] != window[1] or window[0] % 2 == 0 or window[0] < 3):
        raise InputError(
            f"psf: window {window[0]} × {window[1]} must be square with an odd side of 3 pixels or more, so that "
            "the chief ray has a middle pixel; leave it out to have one chosen."
        )
    if wavelengths_per_channel is not None and not 1 <= wavelengths_per_channel <= 99:
        raise InputError(
            f"psf: wavelengths per channel {wavelengths_per_channel} must lie between 1 and 99; 9 is usual."
        )


def _check_share(share: np.ndarray, octant: list[tuple[float, float]], side: int, camera: Camera) -> None:
    if share.min() >= LEAST_SHARE:
        return
    field, channel = np.unravel_index(share.argmin(), share.shape)
    y, x = octant[int(field)]
    name = camera.spectrum.channels[int(channel)].name
    raise InputError(
        f"psf: a window of {side} × {side} pixels keeps {share.min():.1%} of the {name} light of the field at "
        f"({1e6 * y:.0f}, {1e6 * x:.0f}) µm, at least {LEAST_SHARE:.0%} was expected; ask for a larger window or "
        "leave it out to have one chosen."
    )


def _nodes(count: int, length: float) -> np.ndarray:
    """Positions from edge to edge; a single node lies in the middle."""
    if count == 1:
        return np.zeros(1)
    # Mirrored by construction, so that equal distances are equal numbers.
    upper = np.linspace(0.5 * length, 0, (count + 1) // 2, endpoint=bool(count % 2))
    if count % 2 == 0:
        upper = 0.5 * length * (1 - 2 * np.arange(count // 2) / (count - 1))
    return np.concatenate([-upper, upper[::-1][count % 2 :]])


def _octant(
    field_y: np.ndarray, field_x: np.ndarray
) -> tuple[list[tuple[float, float]], np.ndarray, dict[tuple[int, int], tuple[bool, bool, bool]]]:
    """The fields to simulate, and how each node is made from them.

    Returns:
        fields (y, x) with 0 ≤ y ≤ x in metres; ``[row, column]`` index into them; and for each node whether its
        point spread function is transposed, flipped along y, flipped along x, in this order.
    """
    # A thousandth of a nanometre: equal distances that rounding told apart are one.
    keys: dict[tuple[float, float], int] = {}
    place = np.empty((len(field_y), len(field_x)), dtype=int)
    mirrors = {}
    for row, y in enumerate(field_y):
        for column, x in enumerate(field_x):
            near, far = sorted((round(abs(float(y)), 12), round(abs(float(x)), 12)))
            place[row, column] = keys.setdefault((near, far), len(keys))
            mirrors[row, column] = (abs(y) > abs(x), bool(y < 0), bool(x < 0))
    return list(keys), place, mirrors


def _unfold(
    intensity: np.ndarray, place: np.ndarray, mirrors: dict[tuple[int, int], tuple[bool, bool, bool]]
) -> np.ndarray:
    """Fill the whole grid of nodes with mirror images; no value is interpolated."""
    full = np.empty((*place.shape, *intensity.shape[1:]), dtype=np.float32)
    for (row, column), (transpose, flip_y, flip_x) in mirrors.items():
        image = intensity[place[row, column]]
        if transpose:
            image = image.swapaxes(-1, -2)
        if flip_y:
            image = image[..., ::-1, :]
        if flip_x:
            image = image[..., ::-1]
        full[row, column] = image
    return full


def _simulate(
    lens: Metalens,
    wavelength: np.ndarray,
    weight: np.ndarray,
    octant: list[tuple[float, float]],
    side: int,
    pitch: float,
    progress: Callable[[int, int], None] | None,
) -> _Simulated:
    """Simulate every field of the octant at every wavelength with one compiled function."""
    grid = choose_grid(lens, wavelength, (side, side), pitch)
    step = pitch / grid.subsamples
    origin = grid.origin((side, side))
    spectrum = angular_spectrum.aperture_spectrum(lens, step, size=grid.size, origin=origin)
    integrator = jnp.asarray(pixel_integrator(side, grid.subsamples))
    intensity, peaks = [], []
    for done, field in enumerate(octant):
        energy, peak = angular_spectrum.window_intensity(
            lens,
            spectrum,
            jnp.asarray(wavelength),
            jnp.asarray(direction_to(lens, *field)),
            step,
            integrator,
            integrator,
            window=grid.window,
        )
        intensity.append(np.einsum("cw,wyx->cyx", weight, np.asarray(energy, dtype=float)))
        peaks.append(np.asarray(peak, dtype=float))
        if progress is not None:
            progress(done + 1, len(octant))
    return _Simulated(np.stack(intensity).astype(np.float32), np.stack(peaks))


def _widths(intensity: np.ndarray, pitch: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eq. 2 width, rms width and half-energy radius, each ``[field, channel]`` in metres."""
    figures = [measures.full_width_half_maximum, measures.rms_width, measures.half_energy_radius]
    flat = intensity.reshape(-1, *intensity.shape[-2:]).astype(float)
    first, second, third = (
        np.array([figure(image, pitch) for image in flat]).reshape(intensity.shape[:2]) for figure in figures
    )
    return first, second, third
