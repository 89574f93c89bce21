"""How finely a point spread function has to be computed: tiles, pupil samples and nodes inside a pixel.

All estimates are geometric and run once, in float64 on the host, before the engine is compiled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft

from metalens.formats.errors import InputError
from metalens.optics.metalens import Metalens
from metalens.psf.aperture_edge import EDGE_REACH
from metalens.psf.rays import chief_ray, phase_gradient, pupil_points, ray_landing

LARGEST_PUPIL_SAMPLES = 2048
LARGEST_TILES = 63
LARGEST_GRID = 6000

PADDING = 2.5
"""Room beyond the aperture and the window on each side, in Fresnel lengths √(λf).

The light that the rim diffracts spreads over this length, in which the angular spectrum fades out."""


@dataclass(frozen=True)
class Sampling:
    """What the direction-cosine engine is compiled for.

    Attributes:
        tiles: tiles along each side of the window, each with its own reference sphere; odd, so that the chief ray
            lands in the middle of one.
        pupil_samples: samples along each side of the pupil's grid.
    """

    tiles: int
    pupil_samples: int


def direction_cosines(
    lens: Metalens, landing: tuple[float, float], y: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Direction cosines (q, p) along y and x, and distances, from pupil points to a point of the sensor."""
    away_y, away_x = landing[0] - y, landing[1] - x
    distance = np.sqrt(away_y**2 + away_x**2 + float(lens.focal_length) ** 2)
    return away_y / distance, away_x / distance, distance


def direction_spread(lens: Metalens, direction: tuple[float, float]) -> float:
    """Largest spread of direction cosines along y or x with which the aperture is seen from the chief ray."""
    q, p, _ = direction_cosines(lens, chief_ray(lens, direction), *pupil_points(lens, 1, 256))
    return float(max(np.ptp(q), np.ptp(p)))


def choose_sampling(
    lens: Metalens,
    wavelength: float,
    direction: tuple[float, float],
    half_window: float,
    *,
    tolerance: float = 0.06,
) -> Sampling:
    """Tiles and pupil samples that hold the engine's two errors.

    Args:
        lens: the metalens.
        wavelength: shortest wavelength in metres.
        direction: direction cosines (y, x) of the incoming wave.
        half_window: half of the window's longer side in metres.
        tolerance: largest phase error in radians at a tile's corner, root mean square over the pupil, that the
            neglected curvature of the sphere may leave.

    Raises:
        InputError: the window or the lens' phase asks for more samples than the engine holds.
    """
    y, x = pupil_points(lens)
    tiles = next(
        (
            tiles
            for tiles in range(1, LARGEST_TILES + 1, 2)
            if _curvature_error(lens, wavelength, direction, half_window, tiles) <= tolerance
        ),
        None,
    )
    if tiles is None:
        raise InputError(
            f"psf: a window of {2e6 * half_window:.0f} µm needs more than {LARGEST_TILES} tiles a side; "
            'ask for a smaller window or for engine="rayleigh_sommerfeld".'
        )
    landing_y, landing_x = ray_landing(lens, wavelength, direction, y, x)
    spread = direction_spread(lens, direction)
    # Seen from a tile, the rim's light is a fringe of up to L/λ cycles per unit of direction cosine, L its
    # distance from where the rays land. The factor keeps 0.4 cycles a sample: no alias, and nine tenths of the
    # rim's diffraction at the far edge of the window.
    reach = max(float(np.abs(landing_y).max()), float(np.abs(landing_x).max()), half_window) + half_window
    samples = 2.5 * spread * (reach + half_window / tiles) / wavelength + 16
    if not samples <= LARGEST_PUPIL_SAMPLES:
        raise InputError(
            f"psf: the lens throws rays {1e6 * (reach - half_window):.0f} µm from the chief ray, which needs "
            f"{samples:.0f} samples across the pupil, more than {LARGEST_PUPIL_SAMPLES}; use a gentler phase "
            'or engine="rayleigh_sommerfeld".'
        )
    return Sampling(tiles, max(64, 16 * int(np.ceil(samples / 16))))


def _curvature_error(
    lens: Metalens, wavelength: float, direction: tuple[float, float], half_window: float, tiles: int
) -> float:
    """Phase in radians (rms over the pupil) that k(R(δ) − R₀ − p·δ) leaves at the worst tile's corners."""
    y, x = pupil_points(lens)
    chief = chief_ray(lens, direction)
    edge = half_window / tiles
    worst = 0.0
    for side_y in (-1, 0, 1):
        for side_x in (-1, 0, 1):
            centre = tuple(c + side * (half_window - edge) for c, side in zip(chief, (side_y, side_x), strict=True))
            q, p, distance = direction_cosines(lens, (centre[0], centre[1]), y, x)
            for sign in (-1, 1):
                corner = (centre[0] + edge, centre[1] + sign * edge)
                exact = direction_cosines(lens, corner, y, x)[2]
                error = exact - distance - edge * q - sign * edge * p
                worst = max(worst, float(np.std(error)))
    return 2 * np.pi / wavelength * worst


def pixel_nodes(bandwidth: float, pixel_pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes that integrate an intensity over a pixel.

    Args:
        bandwidth: highest spatial frequency of the intensity in 1/m, spread of direction cosines over λ.
        pixel_pitch: in metres.

    Returns:
        offsets ``[node]`` from the pixel's centre in metres, weights ``[node]`` that sum to 1; an odd number of
        nodes, so that the pixel's centre is one.
    """
    frequency = np.linspace(0, bandwidth, 65)[:-1]
    # An unaberrated lens passes about 1 − ν/bandwidth, an aberrated one less.
    passed = 1 - frequency / bandwidth
    for count in range(1, 64, 2):
        node, weight = np.polynomial.legendre.leggauss(count)
        found = np.cos(np.pi * pixel_pitch * frequency[:, None] * node) @ (weight / 2)
        if np.max(passed * np.abs(found - np.sinc(frequency * pixel_pitch))) < 2e-3:
            return node * pixel_pitch / 2, weight / 2
    raise InputError(
        f"psf: a pixel of {1e6 * pixel_pitch:.1f} µm spans too many waves of the image; "
        "use smaller pixels or a smaller aperture."
    )


def pixel_integrator(pixels: int, subsamples: int) -> np.ndarray:
    """Integrate samples over pixels along one axis, to sixth order in the sample spacing h.

    With an odd number of samples a pixel, they are the middles of its parts; with an even number, their ends:
    the pixel's centre is a sample either way. The midpoint and the trapezoid rule err by derivatives at the
    pixel's ends, which differences δ of neighbouring samples give: a part is h(1 + δ²/24 − 17δ⁴/5760)f about its
    middle, or h μ(1 − δ²/12 + 11δ⁴/720)f, μ the mean of its ends.

    Returns:
        ``[pixel, sample]`` weights for :func:`samples_across` samples, of which at least two on each side lie
        outside the window. Each row sums to ``subsamples``.
    """
    second, fourth = np.array([0.0, 1.0, -2.0, 1.0, 0.0]), np.array([1.0, -4.0, 6.0, -4.0, 1.0])
    point = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
    if subsamples % 2:
        part = point + second / 24 - 17 / 5760 * fourth
    else:
        part = np.convolve([0.5, 0.5], point - second / 12 + 11 / 720 * fourth)
    row = np.convolve(np.ones(subsamples), part)
    weights = np.zeros((pixels, samples_across(pixels, subsamples)))
    for pixel in range(pixels):
        weights[pixel, pixel * subsamples : pixel * subsamples + len(row)] = row
    return weights


def samples_across(pixels: int, subsamples: int) -> int:
    """Samples that :func:`pixel_integrator` needs along a row of pixels."""
    return pixels * subsamples + 4 + (1 - subsamples % 2)


@dataclass(frozen=True)
class Grid:
    """What the angular-spectrum engine is compiled for.

    Attributes:
        subsamples: samples along each side of a pixel.
        size: (ny, nx) of the transforms.
        window: (ny, nx) samples of the result, the integrator's margin included.
    """

    subsamples: int
    size: tuple[int, int]
    window: tuple[int, int]

    def origin(self, pixels: tuple[int, int]) -> tuple[int, int]:
        """Sample (row, column) of the result at the centre of pixel (ny // 2, nx // 2)."""
        row, column = (2 + (count // 2) * self.subsamples + self.subsamples // 2 for count in pixels)
        return row, column


def choose_grid(
    lens: Metalens,
    wavelength: float | np.ndarray,
    window: tuple[int, int],
    pixel_pitch: float,
) -> Grid:
    """Sub-samples of a pixel and size of the transforms for every field angle.

    The sample spacing h has to resolve, at the shortest wavelength, (1) the intensity, whose frequencies reach the
    pupil's spread of directions over λ; (2) the waves that connect the aperture's rim with the window's; (3) the
    lens' own phase, which must not turn by more than π between samples.

    Args:
        lens: the metalens.
        wavelength: one or all wavelengths in metres.
        window: (ny, nx) pixels.
        pixel_pitch: in metres.

    Raises:
        InputError: the grid would be larger than memory should hold.
    """
    radius = 0.5 * float(lens.aperture_diameter)
    distance = float(lens.focal_length)
    reach = radius + 0.5 * pixel_pitch * max(window)
    rim = np.linspace(0, radius, 257)
    slope = np.abs(phase_gradient(lens, np.zeros_like(rim), rim)[1]).max() / (2 * np.pi)
    spread = direction_spread(lens, (0.0, 0.0))
    shortest = float(np.min(wavelength))
    rate = max(2 * spread / shortest, 2 * reach / np.hypot(reach, distance) / shortest, 2.1 * slope)
    subsamples = max(1, int(np.ceil(rate * pixel_pitch)))
    pitch = pixel_pitch / subsamples
    inner = (samples_across(window[0], subsamples), samples_across(window[1], subsamples))
    aperture = int(np.ceil(2 * radius / pitch + 2 * EDGE_REACH))
    room = int(np.ceil(2 * PADDING * np.sqrt(np.max(wavelength) * distance) / pitch))
    size = tuple(int(scipy.fft.next_fast_len(aperture + length + room)) for length in inner)
    if max(size) > LARGEST_GRID:
        raise InputError(
            f"psf: the lens and a window of {window[0]} × {window[1]} pixels need a grid of {size[0]} × {size[1]} "
            f"samples, more than {LARGEST_GRID} a side; use a smaller window, aperture_um or slope of the phase."
        )
    return Grid(subsamples, (size[0], size[1]), inner)


def pixel_centres(pixels: int, subsamples: int) -> np.ndarray:
    """Pick the samples at the pixels' centres, in the form and scale of :func:`pixel_integrator`."""
    weights = np.zeros((pixels, samples_across(pixels, subsamples)))
    middle = 2 + subsamples // 2 + subsamples * np.arange(pixels)
    weights[np.arange(pixels), middle] = subsamples
    return weights
