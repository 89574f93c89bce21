"""One point spread function, by any engine, with checks on the request."""

from __future__ import annotations

import math
from typing import Literal, get_args

import jax.numpy as jnp
import numpy as np

from metalens.formats.errors import InputError
from metalens.optics import propagation
from metalens.optics.metalens import Metalens
from metalens.psf import angular_spectrum, direction_cosine
from metalens.psf.aperture_edge import EDGE_REACH, smooth_step
from metalens.psf.rays import chief_ray
from metalens.psf.sampling import (
    Grid,
    Sampling,
    choose_grid,
    choose_sampling,
    direction_spread,
    pixel_centres,
    pixel_integrator,
    pixel_nodes,
)

Engine = Literal["auto", "direction_cosine", "angular_spectrum", "rayleigh_sommerfeld"]

LARGEST_FIELD_ANGLE = math.radians(75)
"""The scalar model with its cosines left out is not trusted beyond."""


def simulate_psf(
    lens: Metalens,
    wavelength: float,
    field_angle: float | tuple[float, float],
    *,
    window: tuple[int, int],
    pixel_pitch: float,
    engine: Engine = "auto",
    integrate_pixels: bool = False,
    least_share: float = 0.0,
) -> np.ndarray:
    """Point spread function of a lens for one wavelength and field angle.

    Args:
        lens: the metalens.
        wavelength: in metres, 200 nm to 20 µm.
        field_angle: θ, or (θ, φ), in radians; |θ| up to 75°. φ turns from +x (right) to +y (down).
        window: (ny, nx) samples; the chief ray lands on sample (ny // 2, nx // 2).
        pixel_pitch: sample spacing in metres.
        engine: ``direction_cosine`` (float32, fast for small windows), ``angular_spectrum`` (float32, fast for
            large ones), ``rayleigh_sommerfeld`` (float64, slow, the reference); ``auto`` takes the cheaper of the
            first two.
        integrate_pixels: integrate the intensity over square pixels of the pitch; else sample it at their centres.
        least_share: refuse a window that holds less than this share of the light.

    Returns:
        ``[y, x]`` energy per sample: the intensity times the pixel's area, over the light that passes the
        aperture. Its sum is the share of that light that reaches the window (exact with ``integrate_pixels``,
        else as good as the midpoint rule).

    Raises:
        InputError: a value that is not finite or out of range, samples so far apart that their sum is not the
            energy, a window that holds less than ``least_share``, or a request beyond the engine's reach.
    """
    direction = field_direction(field_angle)
    _check_request(lens, wavelength, window, pixel_pitch, engine)
    spread = direction_spread(lens, direction)
    if not integrate_pixels and pixel_pitch > wavelength / spread:
        raise InputError(
            f"psf: samples {1e6 * pixel_pitch:.3g} µm apart do not resolve the image of this aperture, at most "
            f"{1e6 * wavelength / spread:.3g} µm was expected; sample finer or set integrate_pixels=True."
        )
    if engine == "auto":
        engine = _cheaper_engine(lens, wavelength, direction, window, pixel_pitch)
    if engine == "direction_cosine":
        psf = _by_direction_cosines(lens, wavelength, direction, window, pixel_pitch, integrate_pixels)
    else:
        by_grid = _by_angular_spectrum if engine == "angular_spectrum" else _by_rayleigh_sommerfeld
        psf = by_grid(lens, wavelength, direction, window, pixel_pitch, integrate_pixels)
    share = float(psf.sum())
    if not share >= least_share:
        raise InputError(
            f"psf: a window of {window[0]} × {window[1]} samples of {1e6 * pixel_pitch:.3g} µm holds {share:.1%} "
            f"of the light, at least {least_share:.1%} was expected; ask for a larger window."
        )
    return psf


def field_direction(field_angle: float | tuple[float, float]) -> tuple[float, float]:
    """Direction cosines (y, x) of the plane wave that comes from a field angle θ or (θ, φ) in radians.

    Raises:
        InputError: an angle is not finite or beyond 75°.
    """
    theta, phi = field_angle if isinstance(field_angle, tuple) else (field_angle, 0.0)
    if not (math.isfinite(theta) and math.isfinite(phi)) or abs(theta) > LARGEST_FIELD_ANGLE:
        raise InputError(
            f"psf: field angle ({theta:.4g}, {phi:.4g}) rad is out of range; θ up to 75° (1.309 rad) and a finite "
            "φ were expected, both in radians."
        )
    return math.sin(theta) * math.sin(phi), math.sin(theta) * math.cos(phi)


def _check_request(lens: Metalens, wavelength: float, window: tuple[int, int], pixel_pitch: float, engine: str) -> None:
    if engine not in get_args(Engine):
        raise InputError(f"psf: no engine {engine!r}; one of {', '.join(get_args(Engine))} was expected.")
    if not 200e-9 <= wavelength <= 20e-6:
        raise InputError(f"psf: wavelength {wavelength:.4g} m is out of range; 2e-7 to 2e-5 was expected, in metres.")
    for name, length in [
        ("pixel_pitch", pixel_pitch),
        ("aperture_diameter", float(lens.aperture_diameter)),
        ("focal_length", float(lens.focal_length)),
    ]:
        if not 0 < length < math.inf:
            raise InputError(f"psf: {name} {length:.4g} m is out of range; a positive length was expected, in metres.")
    if min(window) < 1:
        raise InputError(f"psf: window {window[0]} × {window[1]} is empty; at least 1 × 1 was expected.")
    rim = jnp.linspace(0, 0.5 * float(lens.aperture_diameter), 65)
    if not bool(jnp.isfinite(lens.phase.at(jnp.zeros_like(rim), rim)).all()):
        raise InputError(
            "psf: the lens' phase is not finite everywhere on the aperture; correct its coefficients, focal "
            "length or design wavelength."
        )


def _cheaper_engine(
    lens: Metalens,
    wavelength: float,
    direction: tuple[float, float],
    window: tuple[int, int],
    pixel_pitch: float,
) -> Engine:
    """Compare operations: samples and matrix products of the tiles against the transforms of the grid."""
    try:
        sampling = choose_sampling(lens, wavelength, direction, 0.5 * pixel_pitch * max(window))
    except InputError:
        return "angular_spectrum"
    try:
        grid = choose_grid(lens, wavelength, window, pixel_pitch)
    except InputError:
        return "direction_cosine"
    side = max(window)
    tiles, samples = sampling.tiles, sampling.pupil_samples
    products = 8 * (tiles * samples**2 * side + samples * side**2)
    by_tiles = 60 * (tiles * samples) ** 2 + products
    by_grid = math.prod(grid.size) * (100 + 10 * math.log2(math.prod(grid.size)))
    return "direction_cosine" if by_tiles < by_grid else "angular_spectrum"


def _by_direction_cosines(
    lens: Metalens,
    wavelength: float,
    direction: tuple[float, float],
    window: tuple[int, int],
    pixel_pitch: float,
    integrate_pixels: bool,
) -> np.ndarray:
    sampling: Sampling = choose_sampling(lens, wavelength, direction, 0.5 * pixel_pitch * max(window))
    node, weight = np.zeros(1), np.ones(1)
    if integrate_pixels:
        node, weight = pixel_nodes(direction_spread(lens, direction) / wavelength, pixel_pitch)
    intensity, _ = direction_cosine.window_intensity(
        lens,
        jnp.array([wavelength]),
        jnp.array(direction),
        pixel_pitch,
        jnp.asarray(node),
        jnp.asarray(weight),
        window=window,
        tiles=sampling.tiles,
        pupil_samples=sampling.pupil_samples,
    )
    return np.asarray(intensity[0])


def _integrators(window: tuple[int, int], grid: Grid, integrate_pixels: bool) -> tuple[np.ndarray, np.ndarray]:
    gather = pixel_integrator if integrate_pixels else pixel_centres
    return gather(window[0], grid.subsamples), gather(window[1], grid.subsamples)


def _by_angular_spectrum(
    lens: Metalens,
    wavelength: float,
    direction: tuple[float, float],
    window: tuple[int, int],
    pixel_pitch: float,
    integrate_pixels: bool,
) -> np.ndarray:
    grid = choose_grid(lens, wavelength, window, pixel_pitch)
    step = pixel_pitch / grid.subsamples
    spectrum = angular_spectrum.aperture_spectrum(lens, step, size=grid.size, origin=grid.origin(window))
    along_y, along_x = _integrators(window, grid, integrate_pixels)
    intensity, _ = angular_spectrum.window_intensity(
        lens,
        spectrum,
        jnp.array([wavelength]),
        jnp.array(direction),
        step,
        jnp.asarray(along_y),
        jnp.asarray(along_x),
        window=grid.window,
    )
    return np.asarray(intensity[0])


def _by_rayleigh_sommerfeld(
    lens: Metalens,
    wavelength: float,
    direction: tuple[float, float],
    window: tuple[int, int],
    pixel_pitch: float,
    integrate_pixels: bool,
) -> np.ndarray:
    grid = choose_grid(lens, wavelength, window, pixel_pitch)
    step = pixel_pitch / grid.subsamples
    chief = chief_ray(lens, direction)
    origin = grid.origin(window)
    # The propagator centres its middle sample, the window its chief ray's pixel.
    centre = [chief[axis] + step * (grid.window[axis] // 2 - origin[axis]) for axis in (0, 1)]
    field = propagation.rayleigh_sommerfeld(
        aperture_field(lens, wavelength, direction, step),
        pitch=step,
        wavelength=wavelength,
        distance=float(lens.focal_length),
        centre=(centre[0], centre[1]),
        shape=grid.window,
    )
    density = np.abs(field) ** 2 / float(lens.aperture_area)
    along_y, along_x = _integrators(window, grid, integrate_pixels)
    return np.maximum(along_y @ density @ along_x.T, 0) * step**2


def aperture_field(lens: Metalens, wavelength: float, direction: tuple[float, float], pitch: float) -> np.ndarray:
    """Complex field behind the lens, ``[y, x]`` in float64; sample (n // 2, n // 2) lies on the axis.

    Args:
        lens: the metalens.
        wavelength: in metres.
        direction: direction cosines (y, x) of the incoming wave.
        pitch: sample spacing in metres.
    """
    radius = 0.5 * float(lens.aperture_diameter)
    half = int(np.ceil(radius / pitch + EDGE_REACH))
    position = pitch * np.arange(-half, half + 1)
    y, x = position[:, None], position[None, :]
    inside = np.asarray(smooth_step(jnp.asarray((np.hypot(y, x) - radius) / pitch)), dtype=float)
    phase = np.asarray(lens.phase.at(jnp.asarray(y), jnp.asarray(x)), dtype=float)
    tilt = 2 * np.pi / wavelength * (direction[0] * y + direction[1] * x)
    return inside * np.exp(1j * (phase + tilt))
