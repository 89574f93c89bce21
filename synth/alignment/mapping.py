"""Mapping from positions on the sensor to positions on the display: a distortion, then a homography."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import least_squares

Family = Literal["radial", "polynomial"]


@dataclass(frozen=True)
class DistortionModel:
    """Kind of distortion between the sensor and an ideal plane.

    Attributes:
        family: ``radial``, of Brown and Conrady: q = p + (p − c)(k₁r² + k₂r⁴) about a centre c that is found as well,
            which stands for a decentred lens; or ``polynomial``: all terms yⁱxʲ of order 2 to ``order``, in both
            directions.
        order: 2 for k₁ alone and 4 for k₂ as well, or the polynomial's; 0 is no distortion.
    """

    family: Family
    order: int

    @property
    def name(self) -> str:
        """How reports call it."""
        if self.order == 0:
            return "homography alone"
        return f"{'radial, to r^' if self.family == 'radial' else 'polynomial of order '}{self.order}"

    @property
    def exponents(self) -> np.ndarray:
        """Exponents of y and x, ``[term, 2]``, of a polynomial."""
        orders = range(2, self.order + 1)
        return np.array([(total - j, j) for total in orders for j in range(total + 1)], dtype=int).reshape(-1, 2)

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        if self.order == 0:
            return 0
        return 2 * len(self.exponents) if self.family == "polynomial" else 2 + self.order // 2


@dataclass(frozen=True)
class SensorToDisplay:
    """A calibrated map; positions are ``[..., (y, x)]`` with whole numbers at the middles of pixels.

    Attributes:
        model: of its distortion.
        middle: position on the sensor that is 0, 0 in normalised coordinates.
        scale: pixels that are 1 there.
        homography: ``[8]``, rows (y, x, 1) first, from distorted normalised coordinates to the display; the last of the
            nine is 1.
        distortion: of ``model.parameters``.
    """

    model: DistortionModel
    middle: np.ndarray
    scale: float
    homography: np.ndarray
    distortion: np.ndarray

    def __call__(self, position: np.ndarray) -> np.ndarray:
        """Map positions on the sensor to positions on the display, ``[..., (y, x)]``."""
        flat = (np.asarray(position, dtype=np.float64).reshape(-1, 2) - self.middle) / self.scale
        seen, _ = _project(_distort(self.model, self.distortion, flat), self.homography)
        return seen.reshape(np.shape(position))

    def slope(self, position: np.ndarray) -> np.ndarray:
        """Jacobian in display pixels per sensor pixel, ``[..., display (y, x), sensor (y, x)]``."""
        steps = 1e-3 * np.eye(2)
        position = np.asarray(position, dtype=np.float64)
        return np.stack([(self(position + step) - self(position - step)) / 2e-3 for step in steps], axis=-1)

    def inverse(self, display: np.ndarray) -> np.ndarray:
        """Map positions on the display to positions on the sensor by Newton's method, ``[..., (y, x)]``."""
        display = np.asarray(display, dtype=np.float64)
        matrix = np.append(self.homography, 1.0).reshape(3, 3)
        plane = np.concatenate([display, np.ones((*display.shape[:-1], 1))], axis=-1) @ np.linalg.inv(matrix).T
        position = self.middle + self.scale * plane[..., :2] / plane[..., 2:]
        for _ in range(20):
            step = np.linalg.solve(self.slope(position), (display - self(position))[..., None])[..., 0]
            # Far outside the dots the map may fold; a limited step keeps the iteration from diverging.
            longest = np.maximum(np.linalg.norm(step, axis=-1, keepdims=True) / (self.scale / 4), 1.0)
            position = position + step / longest
            if np.abs(step).max(initial=0.0) < 1e-7:
                break
        return position


def fit_mapping(
    model: DistortionModel,
    sensor: np.ndarray,
    display: np.ndarray,
    *,
    shape: tuple[int, int],
    start: SensorToDisplay | None = None,
) -> SensorToDisplay:
    """Fit a map to dots by least squares of their distance on the sensor.

    Args:
        model: of the distortion.
        sensor: ``[dot, (y, x)]`` centres in pixels of the sensor.
        display: ``[dot, (y, x)]`` places on the display.
        shape: rows, columns of the sensor.
        start: a map of the same model to begin at.

    Returns:
        The map from pixels of the sensor to places on the display.
    """
    middle, scale = (np.array(shape) - 1) / 2, float(np.hypot(*shape)) / 2
    point = (sensor - middle) / scale
    homography = _direct_homography(point, display)
    _, slope = _project(point, homography)
    # Distances on the display become ones on the sensor, in its pixels.
    weight = scale * np.linalg.inv(slope[:, :, :2])
    first = np.concatenate([homography, np.zeros(model.parameters)])
    if start is not None:
        first = np.concatenate([start.homography, start.distortion])

    def residual(parameters: np.ndarray) -> np.ndarray:
        seen, _ = _project(_distort(model, parameters[8:], point), parameters[:8])
        return np.einsum("nij,nj->ni", weight, seen - display).ravel()

    def jacobian(parameters: np.ndarray) -> np.ndarray:
        moved, by_distortion = _distort(model, parameters[8:], point), _by_distortion(model, parameters[8:], point)
        _, by_point = _project(moved, parameters[:8])
        all_of_it = np.concatenate([_by_homography(moved, parameters[:8]), by_point @ by_distortion], axis=-1)
        return np.einsum("nij,njk->nik", weight, all_of_it).reshape(-1, len(parameters))

    # A quadratic distortion is nearly a perspective: the flat valley between them is no place to look for digits.
    found = least_squares(
        residual, first, jac=jacobian, x_scale="jac", method="lm", xtol=1e-6, ftol=1e-6, max_nfev=60
    ).x
    return SensorToDisplay(model, middle, scale, found[:8], found[8:])


def sensor_residual(mapping: SensorToDisplay, sensor: np.ndarray, display: np.ndarray) -> np.ndarray:
    """Residual of a map at dots, on the sensor.

    Args:
        mapping: the map.
        sensor: ``[dot, (y, x)]`` measured centres on the sensor, in pixels.
        display: ``[dot, (y, x)]`` positions on the display, in its pixels.

    Returns:
        ``[dot, (y, x)]`` in pixels of the sensor.
    """
    return np.linalg.solve(mapping.slope(sensor), (mapping(sensor) - display)[..., None])[..., 0]


def _project(point: np.ndarray, homography: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points ``[n, 2]`` on the display, and their derivative ``[n, 2, 2]`` by the points."""
    matrix = np.append(homography, 1.0).reshape(3, 3)
    plane = point @ matrix[:, :2].T + matrix[:, 2]
    # A trial step may put a point on the horizon (division by 0); a large value makes the optimiser reject the step.
    depth = np.where(np.abs(plane[:, 2:]) < 1e-9, 1e-9, plane[:, 2:])
    seen = plane[:, :2] / depth
    return seen, (matrix[None, :2, :2] - seen[:, :, None] * matrix[2, :2]) / depth[..., None]


def _by_homography(point: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """Derivative ``[n, 2, 8]`` of places on the display by the homography."""
    seen, _ = _project(point, homography)
    depth = point @ homography[6:] + 1
    depth = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
    row = np.concatenate([point, np.ones((len(point), 1))], axis=1)
    by = np.zeros((len(point), 2, 8))
    by[:, 0, :3] = by[:, 1, 3:6] = row
    by[:, :, 6:] = -seen[:, :, None] * point[:, None, :]
    return by / depth[:, None, None]


def _distort(model: DistortionModel, parameters: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Points ``[n, 2]`` after the distortion."""
    if model.order == 0:
        return point
    if model.family == "radial":
        away = point - parameters[:2]
        squared = (away**2).sum(axis=1, keepdims=True)
        total = sum(k * squared**power for power, k in enumerate(parameters[2:], start=1))
        return point + away * total
    powers = _powers(model, point)
    moved = point.copy()
    # Term by term: a picture has too many points for a matrix of all of them.
    for (i, j), (along_y, along_x) in zip(model.exponents, parameters.reshape(2, -1).T, strict=True):
        term = powers[i][:, 0] * powers[j][:, 1]
        moved[:, 0] += along_y * term
        moved[:, 1] += along_x * term
    return moved


def _powers(model: DistortionModel, point: np.ndarray) -> list[np.ndarray]:
    powers = [np.ones_like(point)]
    for _ in range(model.order):
        powers.append(powers[-1] * point)
    return powers


def _by_distortion(model: DistortionModel, parameters: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Derivative ``[n, 2, parameters]`` of points after the distortion by its numbers."""
    by = np.zeros((len(point), 2, model.parameters))
    if model.order == 0:
        return by
    if model.family == "polynomial":
        each = _powers(model, point)
        terms = np.stack([each[i][:, 0] * each[j][:, 1] for i, j in model.exponents], axis=-1)
        by[:, 0, : terms.shape[1]] = by[:, 1, terms.shape[1] :] = terms
        return by
    centre, strength = parameters[:2], parameters[2:]
    away = point - centre
    squared = (away**2).sum(axis=1, keepdims=True)
    powers = squared ** np.arange(1, len(strength) + 1)
    total = powers @ strength
    slope = (squared ** np.arange(len(strength)) * np.arange(1, len(strength) + 1)) @ strength
    by[:, :, :2] = -(total[:, None, None] * np.eye(2) + 2 * slope[:, None, None] * away[:, :, None] * away[:, None, :])
    by[:, :, 2:] = away[:, :, None] * powers[:, None, :]
    return by


def _direct_homography(point: np.ndarray, display: np.ndarray) -> np.ndarray:
    """The direct linear transform, with the display's coordinates normalised (Hartley, 10.1109/34.601246)."""
    middle, spread = display.mean(axis=0), float(display.std())
    wanted = (display - middle) / spread
    row = np.concatenate([point, np.ones((len(point), 1))], axis=1)
    none = np.zeros_like(row)
    system = np.concatenate(
        [
            np.concatenate([row, none, -wanted[:, :1] * row], axis=1),
            np.concatenate([none, row, -wanted[:, 1:] * row], axis=1),
        ]
    )
    matrix = np.linalg.svd(system, full_matrices=False)[2][-1].reshape(3, 3)
    back = np.array([[spread, 0, middle[0]], [0, spread, middle[1]], [0, 0, 1]])
    matrix = back @ matrix
    return (matrix / matrix[2, 2]).ravel()[:8]
