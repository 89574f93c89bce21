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
from metalens.formats.psf_bank import PsfBank, grid_positions, sum_subpixels
from metalens.formats.psf_figures import PsfFigures
from metalens.optics.metalens import Metalens, metalens_of
from metalens.psf.grid import direction_spread
from metalens.psf.measures import psf_figures, unaberrated_peak
from metalens.psf.octant import nodes_across, octant_of, unfold_figures, unfold_images
from metalens.psf.rays import direction_to
from metalens.psf.simulate import simulator_of_directions
from metalens.psf.spectrum import spectral_quadrature
from metalens.psf.window import choose_window

WANTED_SHARE = 0.97
"""Share of the light that the default window holds at every field and channel."""

LEAST_SHARE = 0.90
"""Share of the light under which a window is refused."""


LARGEST_SUBPIXELS = 7
"""Sub-pixels along a pixel's side that are kept at most, to bound the file's size."""


@dataclass(frozen=True)
class _Simulated:
    """The point spread functions of the fields of one octant.

    Attributes:
        subpixel_intensity: ``[field, channel, y · s, x · s]`` energy per sub-pixel.
        subpixels: s.
        by_wavelength: figures ``[field, wavelength]``.
    """

    subpixel_intensity: np.ndarray
    subpixels: int
    by_wavelength: PsfFigures

    @property
    def share(self) -> np.ndarray:
        """``[field, channel]`` share of the light inside the window."""
        return self.subpixel_intensity.sum(axis=(-2, -1), dtype=np.float64)


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
    position = grid_positions(
        *(nodes_across(count, pixels * pitch) for count, pixels in zip(fields, camera.sensor.pixels, strict=True))
    )
    octant = octant_of(position)
    if window is None:
        side = choose_window(lens, wavelength, weight, _pairs(octant.position), pitch, share=WANTED_SHARE + 0.01)
    else:
        side = window[0]
    found = _simulate(lens, wavelength, weight, octant.position, side, pitch, progress)
    while window is None and found.share.min() < WANTED_SHARE:
        side = 2 * int(np.ceil(0.6 * side)) + 1
        held = found.share.min()
        found = _simulate(lens, wavelength, weight, octant.position, side, pitch, progress)
        if found.share.min() < held + 1e-3:
            # What is missing is not beyond the window: it never leaves the lens.
            break
    _check_share(found.share, octant.position, side, camera)
    intensity = sum_subpixels(found.subpixel_intensity, found.subpixels)
    by_channel = psf_figures(intensity, pitch, octant.position[:, None])
    radius, phase = phase_profile(lens)
    return PsfBank(
        camera=camera,
        layout="grid",
        position=position,
        intensity=unfold_images(octant, intensity),
        wavelength=wavelength,
        channel_weight=weight,
        by_channel=unfold_figures(octant, by_channel),
        by_wavelength=unfold_figures(octant, found.by_wavelength),
        subpixel_intensity=found.subpixel_intensity,
        simulated_position=octant.position,
        phase_radius=radius,
        phase=phase,
        provenance={
            "metalens": version("metalens"),
            "jax": jax.__version__,
            "engine": "angular_spectrum",
            "captured_share_lowest": f"{found.share.min():.4f}",
            "captured_share_mean": f"{found.share[octant.index].mean():.4f}",
            "wavelengths": str(len(wavelength)),
        },
    )


def phase_profile(lens: Metalens) -> tuple[np.ndarray, np.ndarray]:
    """Distances ``[sample]`` from the lens' centre along +x in metres, and its phase there."""
    radius = np.linspace(0, 0.5 * float(lens.aperture_diameter), 1024)
    return radius, np.asarray(lens.phase.at(jnp.zeros(1), jnp.asarray(radius)), dtype=float)


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


def _check_share(share: np.ndarray, position: np.ndarray, side: int, camera: Camera) -> None:
    if share.min() >= LEAST_SHARE:
        return
    field, channel = np.unravel_index(share.argmin(), share.shape)
    y, x = position[int(field)]
    name = camera.spectrum.channels[int(channel)].name
    raise InputError(
        f"psf: a window of {side} × {side} pixels keeps {share.min():.1%} of the {name} light of the field at "
        f"({1e6 * y:.0f}, {1e6 * x:.0f}) µm, at least {LEAST_SHARE:.0%} was expected; ask for a larger window or "
        "leave it out to have one chosen."
    )


def _pairs(position: np.ndarray) -> list[tuple[float, float]]:
    return [(float(y), float(x)) for y, x in position]


def _simulate(
    lens: Metalens,
    wavelength: np.ndarray,
    weight: np.ndarray,
    position: np.ndarray,
    side: int,
    pitch: float,
    progress: Callable[[int, int], None] | None,
) -> _Simulated:
    """Simulate every field of the octant at every wavelength with one compiled function."""
    # Sub-pixels resolve the light, so that figures and blur lose nothing; an odd number has a middle one.
    resolved = int(np.ceil(2 * direction_spread(lens) / wavelength.min() * pitch))
    subpixels = min(resolved + 1 - resolved % 2, LARGEST_SUBPIXELS)
    across, spacing = side * subpixels, pitch / subpixels
    reference = float(np.median(wavelength))
    simulator = simulator_of_directions(
        lens,
        wavelength,
        np.array([direction_to(lens, reference, y, x) for y, x in _pairs(position)]),
        window=(across, across),
        pixel_pitch=spacing,
        engine="angular_spectrum",
        integrate_pixels=True,
    )
    unaberrated = unaberrated_peak(wavelength, float(lens.focal_length), float(lens.aperture_area))
    intensity, figures = [], []
    for done in range(len(position)):
        light = np.asarray(simulator.of_field(lens, done), dtype=float)
        intensity.append(np.einsum("cw,wyx->cyx", weight, light).astype(np.float32))
        figures.append(psf_figures(light, spacing, position[done], sensor_pitch=pitch, unaberrated_peak=unaberrated))
        if progress is not None:
            progress(done + 1, len(position))
    return _Simulated(np.stack(intensity), subpixels, PsfFigures.stack(figures))
