"""Natural vignetting: the loss of light with the angle of the beam.

A scene of even radiance sends through the aperture, towards a place (y, x) of the sensor, the share

    E(y, x) / E(0) = f² |∂(p_y, p_x) / ∂(y, x)|

of the light that it sends to the axis; p are the direction cosines that are seen there. Where the chief ray runs
straight this is cos⁴ of its angle; behind a stop, or on a tilted sensor, it is what the chief rays say. The light that
the lens' rim and the window take away is in the functions' sums already.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import RectBivariateSpline

from metalens.formats.psf.bank import PsfBank, grid_positions
from metalens.psf.camera_fields import view_of

KNOTS = 17
"""Chief rays along each side of the sensor."""


@dataclass(frozen=True)
class ChiefRays:
    """Direction cosines of the green chief rays over the sensor, as smooth functions of the place.

    Attributes:
        direction_y: spline of p_y over (y, x) in metres.
        direction_x: spline of p_x.
        focal_length: in metres; with refractive surfaces that of the whole system.
        half: (y, x) half sides of the sensor in metres; beyond it the nearest place stands in.
    """

    direction_y: RectBivariateSpline
    direction_x: RectBivariateSpline
    focal_length: float
    half: tuple[float, float]

    def gain(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Relative illumination on a grid of positions.

        Args:
            y: ``[row]`` in metres.
            x: ``[column]`` in metres.

        Returns:
            ``[row, column]``, about 1 on the axis.
        """
        y, x = self._inside(y, x)
        parts = [(spline(y, x, dx=1), spline(y, x, dy=1)) for spline in (self.direction_y, self.direction_x)]
        (y_by_y, y_by_x), (x_by_y, x_by_x) = parts
        return np.asarray(self.focal_length**2 * (y_by_y * x_by_x - y_by_x * x_by_y))

    def rectilinear(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Positions of the same object points in the image of a lens without distortion (image height f tan θ).

        Args:
            y: ``[row]`` on the sensor, in metres.
            x: ``[column]`` on the sensor, in metres.

        Returns:
            ``[row, column, (y, x)]`` in metres.
        """
        inside_y, inside_x = self._inside(y, x)
        cosines = np.stack([spline(inside_y, inside_x) for spline in (self.direction_y, self.direction_x)], axis=-1)
        straight = self.focal_length * cosines / np.sqrt(1 - (cosines**2).sum(axis=-1, keepdims=True))
        beyond = np.stack(np.meshgrid(y - inside_y, x - inside_x, indexing="ij"), axis=-1)
        return np.asarray(straight + beyond)

    def _inside(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.clip(y, -self.half[0], self.half[0]), np.clip(x, -self.half[1], self.half[1])


def chief_rays(bank: PsfBank) -> ChiefRays:
    """Follow the green chief rays of a bank's camera.

    Raises:
        InputError: no chief ray reaches some place of the sensor.
    """
    sensor = bank.camera.sensor
    half_y, half_x = (0.5 * length * sensor.pixel_pitch_m for length in sensor.pixels)
    y, x = np.linspace(-half_y, half_y, KNOTS), np.linspace(-half_x, half_x, KNOTS)
    view = view_of(bank.camera, grid_positions(y, x), float(bank.channel_weight[1] @ bank.wavelength))
    direction = view.direction.reshape(KNOTS, KNOTS, 2)
    along_y, along_x = (RectBivariateSpline(y, x, direction[..., axis], kx=5, ky=5) for axis in (0, 1))
    # Without refractive surfaces the sensor lies at the focal length.
    refracts = view.lens.surfaces or view.lens.rear_surfaces
    focal_length = 1 / abs(float(along_x(0, 0, dy=1)[0, 0])) if refracts else float(view.lens.focal_length)
    return ChiefRays(along_y, along_x, focal_length, (half_y, half_x))
