"""Chief rays and geometry of a camera's field points at given positions on its sensor."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.files.errors import InputError
from metalens.optics.from_lens_toml import metalens_of
from metalens.optics.metalens import Metalens
from metalens.optics.phase import Scalar
from metalens.optics.refraction.refracted_light import behind_surfaces, chief_direction
from metalens.optics.source import Source
from metalens.psf.conjugates import Conjugates, at_sensor, source_at
from metalens.psf.engines.choice import Engine
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.rays import chief_ray, direction_to, pupil_points, ray_landing
from metalens.psf.simulator import PsfSimulator, simulator_of_directions

_NEWTON_STEPS = 6


@dataclass(frozen=True)
class CameraView:
    """A camera's lens and sensor with chief rays to its field points.

    Attributes:
        lens: the metalens.
        position: ``[field, 2]`` (y, x) on the sensor in metres from the lens' axis, where the chief rays land.
        direction: ``[field, 2]`` direction cosines (y, x) of those chief rays in front of the lens.
        object_distance: of the scene in metres.
        defocus: of the sensor in metres.
        sensor_tilt: slopes (dz/dy, dz/dx) of the sensor, about the place where the lens' axis meets it.
        centred: whether the lens' axis meets the sensor's centre.
    """

    lens: Metalens
    position: np.ndarray
    direction: np.ndarray
    object_distance: float
    defocus: float
    sensor_tilt: tuple[float, float]
    centred: bool = True

    @property
    def rotationally_symmetric(self) -> bool:
        """Whether PSFs at equal distance from the sensor's centre differ by a rotation only."""
        return self.lens.rotationally_symmetric and self.sensor_tilt == (0.0, 0.0) and self.centred

    def simulator(
        self,
        wavelength: np.ndarray,
        *,
        window: tuple[int, int],
        pixel_pitch: float,
        engine: Engine,
        integrate_pixels: bool = True,
        fields: slice = slice(None),
    ) -> PsfSimulator:
        """Build the simulator of some fields; see :func:`metalens.psf.psf_simulator`.

        Args:
            wavelength: ``[wavelength]`` in metres.
            window: (rows, columns) of each PSF in samples.
            pixel_pitch: sampling distance in metres.
            engine: propagation method.
            integrate_pixels: whether to integrate the intensity over the pixel area.
            fields: which of the camera's field points.

        Returns:
            The simulator.
        """
        return simulator_of_directions(
            self.lens,
            wavelength,
            self.direction[fields],
            ImageWindow(window, pixel_pitch, integrate_pixels),
            # Then the lens has lateral colour: the windows of all wavelengths lie at the same place.
            centres=self.position[fields] if self.bends_chief_rays else None,
            engine=engine,
            conjugates=Conjugates(self.object_distance, self.defocus, self.sensor_tilt),
        )

    @property
    def finite_distance(self) -> float | None:
        """Distance of the scene in metres; None is infinity."""
        return self.object_distance if math.isfinite(self.object_distance) else None

    @property
    def bends_chief_rays(self) -> bool:
        """Whether chief rays have another direction behind the lens than in front of it."""
        return self.lens.stop is not None or bool(self.lens.surfaces) or bool(self.lens.rear_surfaces)

    @property
    def field_angle(self) -> np.ndarray:
        """``[field]`` angles in radians between the chief rays in front of the lens and its axis."""
        return np.asarray(np.arcsin(np.hypot(*self.direction.T)))

    def farthest(self) -> slice:
        """The field farthest from the axis."""
        field = int(np.hypot(*self.position.T).argmax())
        return slice(field, field + 1)

    def source(self, field: int) -> Source:
        """The light of a field point.

        Args:
            field: its number in the view.
        """
        direction = jnp.asarray(self.direction[field])
        return source_at(direction, self.finite_distance)

    def rays(self, field: int, wavelength: float, rings: int, spokes: int) -> tuple[np.ndarray, np.ndarray]:
        """Landing points of rays of equal energy, relative to a field point on the sensor.

        Args:
            field: its number in the view.
            wavelength: in metres.
            rings: of points on the stop.
            spokes: points a ring.

        Returns:
            ``[ray, 2]`` (y, x) in metres; and ``[ray]`` whether the ray passes the lens.
        """
        lens = replace(self.lens, focal_length=sensor_depth(self, self.position[field]))
        y, x = (values[:-1].ravel() for values in pupil_points(lens, rings, spokes))
        flat, light = behind_surfaces(lens, self.source(field), jnp.asarray(wavelength))
        landing, inside = ray_landing(flat, light, jnp.asarray(wavelength), y, x)
        away = np.asarray(landing, dtype=float)
        if self.bends_chief_rays:
            chief = np.asarray(chief_ray(flat, jnp.asarray(wavelength), light.direction).landing, dtype=float)
            away = away + chief - self.position[field]
        if lens.surfaces and flat.stop is not None:
            inside &= flat.stop.aperture.edge_distance(jnp.asarray(y), jnp.asarray(x), 0.5 * flat.stop.diameter) <= 0
        return away, np.asarray(inside)


def sensor_depth(view: CameraView, position: np.ndarray) -> float:
    """Distance in metres from the plane of the lens to a place (y, x) of the sensor, from the lens' axis.

    Args:
        view: with defocus and tilt of the sensor.
        position: (y, x) on the sensor in metres.

    Returns:
        In metres, along the axis.
    """
    return float(
        view.lens.focal_length + view.defocus + view.sensor_tilt[0] * position[0] + view.sensor_tilt[1] * position[1]
    )


def view_of(camera: Camera, position: np.ndarray, wavelength: float) -> CameraView:
    """Chief rays to given positions on a camera's sensor.

    Args:
        camera: the camera.
        position: ``[field, 2]`` (y, x) on the sensor in metres from its centre.
        wavelength: in metres; behind a stop, of the chief rays that land there.

    Returns:
        Positions in metres and the direction cosines of their chief rays.

    Raises:
        InputError: no chief ray reaches one of the places, or the camera's files cannot be read.
    """
    tilt, decentre = camera.sensor.tilt, camera.lens.decentre_m
    view = CameraView(
        lens=metalens_of(camera),
        position=position - np.array(decentre),
        direction=np.zeros_like(position),
        object_distance=camera.object_distance_m,
        defocus=camera.lens.defocus_m,
        sensor_tilt=(math.tan(tilt[0]), math.tan(tilt[1])),
        centred=decentre == (0.0, 0.0),
    )
    return with_chief_rays(view, wavelength)


def with_chief_rays(view: CameraView, wavelength: float) -> CameraView:
    """A view with the directions of the chief rays that land at its fields.

    Args:
        view: with lens, sensor and positions.
        wavelength: in metres; behind a stop, of the chief rays.

    Returns:
        The same view with ``[field, (y, x)]`` direction cosines.

    Raises:
        InputError: no chief ray reaches one of the places.
    """
    directions = []
    for place in view.position:
        depth = sensor_depth(view, place)
        if depth <= 0:
            raise InputError(
                f"psf: the tilted sensor meets the lens at ({1e6 * place[0]:z.0f}, {1e6 * place[1]:z.0f}) µm; use a "
                "smaller tilt_deg or a longer focal_length_um."
            )
        at_place = replace(view.lens, focal_length=depth)
        directions.append(direction_to(at_place, wavelength, float(place[0]), float(place[1]), view.finite_distance))
    return replace(view, direction=np.array(directions).reshape(-1, 2))


def direction_on_moved_sensor(
    lens: Metalens,
    wavelength: float,
    moved: tuple[Scalar, Scalar, Scalar] | jax.Array,
    place: jax.Array,
    nominal: jax.Array | None = None,
    object_distance: float | None = None,
) -> jax.Array:
    """Direction cosines ``[2]`` of the chief ray that lands at a place of the moved sensor, by Newton's method.

    Differentiable: at the solution, the derivatives of the last step are those of the implicit function.

    Args:
        lens: the metalens.
        wavelength: in metres; it matters only behind a stop.
        moved: defocus in metres and slopes (dz/dy, dz/dx) of the sensor.
        place: ``[2]`` (y, x) in metres from the lens' axis.
        nominal: ``[2]`` direction cosines of a chief ray nearby, from which the search begins; it needs one behind
            refractive surfaces, by default it begins with the straight ray.
        object_distance: in metres; None is infinity. It matters only in front of refractive surfaces.

    Returns:
        ``[2]`` (y, x), each from −1 to 1.
    """
    flat, light = replace(lens, surfaces=()), jnp.asarray(wavelength)

    def miss(direction: jax.Array) -> jax.Array:
        front = chief_direction(lens, source_at(direction, object_distance), light)
        at_place = at_sensor(flat, front, (moved[0], moved[1], moved[2]))
        return (chief_ray(at_place, light, front).landing - place) / lens.focal_length

    def improve(_: int, direction: jax.Array) -> jax.Array:
        (a, b), (c, d) = jax.jacfwd(miss)(direction)
        rest_y, rest_x = miss(direction)
        return direction - jnp.stack([d * rest_y - b * rest_x, a * rest_x - c * rest_y]) / (a * d - b * c)

    straight = place / jnp.sqrt(jnp.square(lens.focal_length) + jnp.sum(jnp.square(place)))
    return jnp.asarray(jax.lax.fori_loop(0, _NEWTON_STEPS, improve, straight if nominal is None else nominal))
