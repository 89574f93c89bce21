"""Displacement of a bank's functions from the chief ray: distortion and lateral colour, and their effect on white.

Functions that wander over the field must not be interpolated as they are: two half-bright, shifted images would appear.
They are moved to their centroids, channel by channel, and the light is moved by the smooth field of the centroids
instead. A colour whose image is smaller than another's is brighter on the pixels by the square of that.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, rfft, rfftfreq

from metalens.formats.psf.bank import GREEN, PsfBank

REGISTERED_SHIFT = 1.0
"""Largest displacement between neighbouring nodes, in pixels, without registration."""


def centroids(images: np.ndarray) -> np.ndarray:
    """Centroids ``[..., (y, x)]`` in samples of functions ``[..., y, x]``, from the chief ray's sample."""
    height, width = images.shape[-2:]
    total = images.sum(axis=(-2, -1), dtype=np.float64)
    y = (images.sum(axis=-1, dtype=np.float64) @ (np.arange(height) - height // 2)) / total
    x = (images.sum(axis=-2, dtype=np.float64) @ (np.arange(width) - width // 2)) / total
    return np.stack([y, x], axis=-1)


def neighbour_shift(bank: PsfBank, shift: np.ndarray) -> float:
    """Largest difference between the displacements of neighbouring nodes.

    Args:
        bank: the bank.
        shift: ``[node, channel, (y, x)]`` in pixels.

    Returns:
        In pixels; 0 for a single node.
    """
    if len(bank.position) == 1:
        return 0.0
    if bank.layout == "grid":
        grid = bank.as_grid(shift)
        steps = [np.linalg.norm(np.diff(grid, axis=axis), axis=-1).max(initial=0) for axis in (0, 1)]
        return float(max(steps))
    apart = np.linalg.norm(bank.position[:, None] - bank.position, axis=-1)
    np.fill_diagonal(apart, np.inf)
    return float(np.linalg.norm(shift - shift[apart.argmin(axis=1)], axis=-1).max())


def has_lateral_colour(bank: PsfBank) -> bool:
    """Whether a colour drifts from green by more than :data:`REGISTERED_SHIFT` from one node to the next."""
    shift = centroids(bank.intensity)
    return neighbour_shift(bank, shift - shift[:, GREEN : GREEN + 1]) > REGISTERED_SHIFT


def moved_back(images: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Displace point spread functions by minus their shifts, with a linear phase in the Fourier domain.

    Args:
        images: ``[..., y, x]``.
        shift: ``[..., (y, x)]`` in samples.

    Returns:
        ``[..., y, x]``.
    """
    places = np.broadcast_to(shift, (*images.shape[:-2], 2)).reshape(-1, 2)
    flat = images.reshape(-1, *images.shape[-2:])
    # One image at a time, and one axis at a time: whole banks of padded spectra would take gigabytes.
    moved = np.stack([_moved_back(*each) for each in zip(flat, places, strict=True)])
    return moved.reshape(images.shape)


def _moved_back(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    moved = image.astype(np.float64)
    for axis in np.flatnonzero(shift):
        length = image.shape[axis]
        turn = np.exp(2j * np.pi * rfftfreq(2 * length) * shift[axis])
        spectrum = rfft(moved, 2 * length, axis) * (turn[:, None] if axis == 0 else turn)
        moved = (
            irfft(spectrum, 2 * length, axis)[:length] if axis == 0 else irfft(spectrum, 2 * length, axis)[:, :length]
        )
    moved = np.clip(moved, 0, None)
    return np.asarray(moved * (image.sum() / moved.sum()), dtype=np.float32)


def white_level(bank: PsfBank) -> np.ndarray:
    """How bright a white scene is in each channel, ``[channel]``, 1 for light that is neither lost nor gathered.

    The mean share of the light that arrives, over the area into which it comes: the determinant of the linear movement
    from the scene to the image that comes nearest to the centroids.
    """
    share = bank.intensity.sum(axis=(-2, -1), dtype=np.float64).mean(axis=0)
    return np.asarray(share / np.linalg.det(np.eye(2) + _linear_shift(bank)))


def _linear_shift(bank: PsfBank) -> np.ndarray:
    """Slopes ``[channel, (y, x), (y, x)]`` of the centroids over the sensor, by least squares."""
    shift, place = centroids(bank.intensity), bank.position / bank.pixel_pitch
    if bank.layout == "radial":
        # Along a radius, the slope in the other direction follows from symmetry.
        squares = float((place[:, 1] ** 2).sum())
        slope = (place[:, 1] @ shift[..., 1]) / squares if squares else np.zeros(shift.shape[1])
        return slope[:, None, None] * np.eye(2)
    around, away = place - place.mean(axis=0), shift - shift.mean(axis=0)
    slopes = np.linalg.lstsq(around, away.reshape(len(place), -1), rcond=None)[0]
    return slopes.reshape(2, -1, 2).transpose(1, 2, 0)


def displacement(bank: PsfBank, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Centroids of a grid's point spread functions, interpolated over the sensor.

    Splines through the nodes, which go on straight beyond the outermost.

    Args:
        bank: with the layout ``grid``.
        y: ``[row]`` in metres.
        x: ``[column]`` in metres.

    Returns:
        ``[channel, row, column, (y, x)]`` in pixels.
    """
    values = np.moveaxis(bank.as_grid(centroids(bank.intensity)), (2, 3), (0, 1))
    planes = [_spline_plane(bank.field_y, bank.field_x, plane, y, x) for plane in values.reshape(-1, *values.shape[2:])]
    return np.moveaxis(np.stack(planes).reshape(*values.shape[:2], len(y), len(x)), 1, -1)


def _spline_plane(
    field_y: np.ndarray, field_x: np.ndarray, values: np.ndarray, y: np.ndarray, x: np.ndarray
) -> np.ndarray:
    along_y = _spline_weights(field_y, y)
    return along_y @ values @ _spline_weights(field_x, x).T


def _spline_weights(nodes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Weights ``[place, node]`` of a cubic spline, or of a polynomial through few nodes; straight beyond the ends."""
    if len(nodes) == 1:
        return np.ones((len(places), 1))
    from scipy.interpolate import make_interp_spline  # 0.2 s, which lenses without lateral colour do not need

    spline = make_interp_spline(nodes, np.eye(len(nodes)), k=min(3, len(nodes) - 1))
    inside = np.clip(places, nodes[0], nodes[-1])
    return np.asarray(spline(inside) + (places - inside)[:, None] * spline(inside, 1))
