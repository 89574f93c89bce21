"""Point spread functions by any engine, with checks on the request."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.errors import InputError
from metalens.optics.metalens import Metalens
from metalens.optics.source import PlaneWave, PointSource, Source
from metalens.psf import angular_spectrum, direction_cosine, rayleigh_sommerfeld
from metalens.psf.engine import Engine, Plan, plan_engine
from metalens.psf.grid import direction_spread
from metalens.psf.pixels import pixel_centres, pixel_integrator, pixel_nodes
from metalens.psf.rays import check_chief_ray

LARGEST_FIELD_ANGLE = math.radians(75)
"""The scalar model with its cosines left out is not trusted beyond."""

FieldAngle = float | tuple[float, float]
"""θ, or (θ, φ), in radians."""

_OfField = Callable[[Metalens, Source, jax.Array, jax.Array | None], jax.Array]
"""Lens, source, wavelengths and window's centre to ``[wavelength, y, x]`` energy per sample."""

_log = logging.getLogger(__name__)


def simulate_psf(
    lens: Metalens,
    wavelength: float,
    field_angle: FieldAngle,
    *,
    window: tuple[int, int],
    pixel_pitch: float,
    engine: Engine = "auto",
    integrate_pixels: bool = False,
    least_share: float = 0.0,
    object_distance: float = math.inf,
    defocus: float = 0.0,
    sensor_tilt: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Point spread function of a lens for one wavelength and field angle.

    Args:
        lens: the metalens.
        wavelength: in metres, 200 nm to 20 µm.
        field_angle: θ, or (θ, φ), in radians; |θ| up to 75°. φ turns from +x (right) to +y (down).
        window: (ny, nx) samples; the chief ray lands on sample (ny // 2, nx // 2).
        pixel_pitch: sample spacing in metres.
        engine: ``direction_cosine`` (float32, fast for small windows and large lenses), ``angular_spectrum``
            (float32, fast for large windows; every lens), ``rayleigh_sommerfeld`` (float64, slow, the reference),
            ``fresnel`` (the paraxial approximation, for teaching and as a control: with it, a lens that is its own
            stop has the same image at all field angles); ``auto`` takes the cheaper of the first two and logs why.
        integrate_pixels: integrate the intensity over square pixels of the pitch; else sample it at their centres.
        least_share: refuse a window that holds less than this share of the light.
        object_distance: from the point of light to the stop, or to the lens where there is none, in metres.
        defocus: how far the sensor lies behind the lens' ``focal_length``, in metres.
        sensor_tilt: slopes (dz/dy, dz/dx) of the sensor; the image is that on a plane parallel to the lens at the
            depth where the chief ray meets the tilted sensor.

    Returns:
        ``[y, x]`` energy per sample: the intensity times the pixel's area, over the light that passes the
        aperture. Its sum is the share of that light that reaches the window (exact with ``integrate_pixels``,
        else as good as the midpoint rule).

    Raises:
        InputError: a value that is not finite or out of range, samples so far apart that their sum is not the
            energy, a window that holds less than ``least_share``, a chief ray that is totally reflected or misses
            the lens, or a request beyond the engine's reach.
    """
    simulator = psf_simulator(
        lens,
        [wavelength],
        [field_angle],
        window=window,
        pixel_pitch=pixel_pitch,
        engine=engine,
        integrate_pixels=integrate_pixels,
        object_distance=object_distance,
        defocus=defocus,
        sensor_tilt=sensor_tilt,
    )
    psf = np.asarray(simulator(lens)[0, 0])
    share = float(psf.sum())
    if not share >= least_share:
        raise InputError(
            f"psf: a window of {window[0]} × {window[1]} samples of {1e6 * pixel_pitch:.3g} µm holds {share:.1%} "
            f"of the light, at least {least_share:.1%} was expected; ask for a larger window."
        )
    return psf


@dataclass(frozen=True)
class PsfSimulator:
    """Point spread functions of any lens like the one that it was made for; from :func:`psf_simulator`.

    Attributes:
        plan: the engine, why it was chosen, and its samplings.
        wavelength: ``[wavelength]`` in metres.
        direction: ``[field, 2]`` direction cosines (y, x) of the chief rays.
        centre: ``[field, 2]`` (y, x) on the sensor in metres of the window's middle samples; without it, they lie
            where the chief ray of each wavelength lands.
        window: (ny, nx) samples.
        pixel_pitch: their spacing in metres.
        integrate_pixels: whether the intensity is integrated over pixels.
        object_distance: in metres.
        defocus: in metres.
        sensor_tilt: slopes (dz/dy, dz/dx).
        bandwidth: highest spatial frequency of the intensities in 1/m.
    """

    plan: Plan
    wavelength: np.ndarray
    direction: np.ndarray
    centre: np.ndarray | None
    window: tuple[int, int]
    pixel_pitch: float
    integrate_pixels: bool
    object_distance: float
    defocus: float
    sensor_tilt: tuple[float, float]
    bandwidth: float

    def __call__(self, lens: Metalens) -> jax.Array:
        """Simulate all fields and wavelengths, as one compiled function that JAX can differentiate.

        Args:
            lens: of the structure of the one that the simulator was made for, with other numbers at will.

        Returns:
            ``[field, wavelength, y, x]`` energy per sample, as of :func:`simulate_psf`. The Rayleigh–Sommerfeld
            engine has no derivatives.
        """
        if self.plan.engine == "rayleigh_sommerfeld":
            return jnp.asarray([self.of_field(lens, field) for field in range(len(self.direction))])
        return _simulate_fields(self._task, lens, self.direction, self.centre, self._moved)

    def on_moved_sensor(
        self,
        lens: Metalens,
        direction: jax.Array,
        centre: jax.Array,
        moved: tuple[jax.Array, jax.Array, jax.Array] | jax.Array,
    ) -> jax.Array:
        """Simulate other chief rays on a sensor at another place, all of which JAX can trace: the base of fits.

        Samplings are those that the simulator was made with, for chief rays and a sensor not far from these.

        Args:
            lens: of the structure of the one that the simulator was made for.
            direction: ``[field, 2]`` direction cosines (y, x) of the chief rays.
            centre: ``[field, 2]`` (y, x) in metres of the windows' middle samples, from the optical axis.
            moved: defocus in metres and slopes (dz/dy, dz/dx) of the sensor.

        Returns:
            ``[field, wavelength, y, x]`` energy per sample.

        Raises:
            InputError: the simulator is that of the Rayleigh–Sommerfeld engine, which has no derivatives.
        """
        if self.plan.engine == "rayleigh_sommerfeld":
            raise InputError('psf: the Rayleigh–Sommerfeld engine cannot be traced; use engine="angular_spectrum".')
        task = replace(self._task, mirrored=False)
        return _simulate_fields(task, lens, direction, centre, (moved[0], moved[1], moved[2]))

    def of_field(self, lens: Metalens, field: int) -> np.ndarray:
        """Point spread functions ``[wavelength, y, x]`` of one field; compiled once for all of them."""
        one = slice(field, field + 1)
        centre = None if self.centre is None else self.centre[one]
        if self.plan.engine != "rayleigh_sommerfeld":
            return np.asarray(_simulate_fields(self._task, lens, self.direction[one], centre, self._moved)[0])
        grid = self.plan.grid
        assert grid is not None
        direction = jnp.asarray(self.direction[field])
        moved, source = at_sensor(lens, direction, self._moved), _source(direction, self.object_distance)
        at = rayleigh_sommerfeld.window_intensity
        middle = None if centre is None else (float(centre[0, 0]), float(centre[0, 1]))
        return np.stack(
            [
                at(moved, source, float(value), middle, self.window, self.pixel_pitch, grid, self.integrate_pixels)
                for value in self.wavelength
            ]
        )

    @property
    def _moved(self) -> tuple[float, float, float]:
        return self.defocus, *self.sensor_tilt

    @property
    def _task(self) -> _Task:
        wavelengths = tuple(float(value) for value in self.wavelength)
        mirrored = not self.direction[:, 0].any() and (self.centre is None or not self.centre[:, 0].any())
        return _Task(
            self.plan,
            wavelengths,
            self.window,
            self.pixel_pitch,
            self.integrate_pixels,
            self.object_distance,
            mirrored,
            self.bandwidth,
        )


def psf_simulator(
    lens: Metalens,
    wavelengths: Sequence[float] | np.ndarray,
    field_angles: Sequence[FieldAngle],
    *,
    window: tuple[int, int],
    pixel_pitch: float,
    engine: Engine = "auto",
    integrate_pixels: bool = False,
    object_distance: float = math.inf,
    defocus: float = 0.0,
    sensor_tilt: tuple[float, float] = (0.0, 0.0),
    refinement: float = 1.0,
) -> PsfSimulator:
    """Choose engine and samplings once, for a batch of wavelengths and field angles.

    The result is a function of the lens' numbers that JAX can differentiate: the base of design and of fits. The
    arguments are those of :func:`simulate_psf`, in batches.

    Args:
        lens: the metalens; its samplings should serve the lenses that are asked for later.
        wavelengths: ``[wavelength]`` in metres.
        field_angles: ``[field]`` of θ or (θ, φ) in radians.
        window: (ny, nx) samples.
        pixel_pitch: sample spacing in metres.
        engine: which engine.
        integrate_pixels: integrate the intensity over pixels.
        object_distance: in metres.
        defocus: in metres.
        sensor_tilt: slopes (dz/dy, dz/dx).
        refinement: sample finer than necessary by this factor, to see the error shrink.

    Raises:
        InputError: as of :func:`simulate_psf`.
    """
    directions = np.array([field_direction(angle) for angle in field_angles]).reshape(-1, 2)
    return simulator_of_directions(
        lens,
        wavelengths,
        directions,
        window=window,
        pixel_pitch=pixel_pitch,
        engine=engine,
        integrate_pixels=integrate_pixels,
        object_distance=object_distance,
        defocus=defocus,
        sensor_tilt=sensor_tilt,
        refinement=refinement,
    )


def simulator_of_directions(
    lens: Metalens,
    wavelengths: Sequence[float] | np.ndarray,
    directions: np.ndarray,
    *,
    centres: np.ndarray | None = None,
    window: tuple[int, int],
    pixel_pitch: float,
    engine: Engine = "auto",
    integrate_pixels: bool = False,
    object_distance: float = math.inf,
    defocus: float = 0.0,
    sensor_tilt: tuple[float, float] = (0.0, 0.0),
    refinement: float = 1.0,
) -> PsfSimulator:
    """:func:`psf_simulator` for direction cosines ``[field, 2]`` (y, x) in the place of field angles.

    ``centres`` ``[field, 2]`` (y, x) in metres fixes where on the sensor the windows lie, for all wavelengths.
    """
    wavelength = np.asarray(wavelengths, dtype=float)
    _check_request(lens, wavelength, window, pixel_pitch, object_distance, defocus, sensor_tilt)
    for value in wavelength:
        for direction in directions:
            check_chief_ray(lens, float(value), (float(direction[0]), float(direction[1])))
    sources = [_source(jnp.asarray(direction), object_distance) for direction in directions]
    spread = direction_spread(lens)
    finest = float(wavelength.min()) / spread
    if not integrate_pixels and pixel_pitch > finest:
        raise InputError(
            f"psf: samples {1e6 * pixel_pitch:.3g} µm apart do not resolve the image of this aperture, at most "
            f"{1e6 * finest:.3g} µm was expected; sample finer or set integrate_pixels=True."
        )
    plan = plan_engine(lens, wavelength, sources, window, pixel_pitch, engine=engine, refinement=refinement)
    _log.info("engine %s: %s", plan.engine, plan.reason)
    return PsfSimulator(
        plan,
        wavelength,
        directions,
        centres,
        window,
        pixel_pitch,
        integrate_pixels,
        object_distance,
        defocus,
        sensor_tilt,
        1 / finest,
    )


@dataclass(frozen=True)
class _Task:
    """What :func:`_simulate_fields` is compiled for."""

    plan: Plan
    wavelength: tuple[float, ...]
    window: tuple[int, int]
    pixel_pitch: float
    integrate_pixels: bool
    object_distance: float
    mirrored: bool
    bandwidth: float


@partial(jax.jit, static_argnames=("task",))
def _simulate_fields(
    task: _Task,
    lens: Metalens,
    directions: jax.Array,
    centres: jax.Array | None,
    moved: tuple[float | jax.Array, float | jax.Array, float | jax.Array],
) -> jax.Array:
    """``[field, wavelength, y, x]`` energy per sample."""
    wavelength = jnp.asarray(task.wavelength)
    of_field = (_by_tiles if task.plan.sampling is not None else _by_grid)(task, lens)

    def at(place: tuple[jax.Array, jax.Array | None]) -> jax.Array:
        direction, centre = place
        source = _source(direction, task.object_distance)
        return of_field(at_sensor(lens, direction, moved), source, wavelength, centre)

    return jax.lax.map(at, (jnp.asarray(directions), None if centres is None else jnp.asarray(centres)))


def _by_tiles(task: _Task, lens: Metalens) -> _OfField:
    sampling = task.plan.sampling
    assert sampling is not None
    node, weight = np.zeros(1), np.ones(1)
    if task.integrate_pixels:
        node, weight = pixel_nodes(task.bandwidth, task.pixel_pitch)
    mirrored = task.mirrored and lens.rotationally_symmetric

    def of_field(lens: Metalens, source: Source, wavelength: jax.Array, centre: jax.Array | None) -> jax.Array:
        return direction_cosine.window_intensity(
            lens,
            source,
            wavelength,
            centre,
            task.pixel_pitch,
            node,
            weight,
            window=task.window,
            tiles=sampling.tiles,
            pupil_samples=sampling.pupil_samples,
            mirrored=mirrored,
        )

    return of_field


def _by_grid(task: _Task, lens: Metalens) -> _OfField:
    grid = task.plan.grid
    assert grid is not None
    pitch = task.pixel_pitch / grid.subsamples
    gather = pixel_integrator if task.integrate_pixels else pixel_centres
    along_y, along_x = (jnp.asarray(gather(length, grid.subsamples)) for length in task.window)
    mirrored = task.mirrored and lens.rotationally_symmetric
    plain = _source(jnp.zeros(2), task.object_distance)
    shared = None
    if angular_spectrum.shares_spectrum(lens, plain):
        shared = angular_spectrum.lens_spectrum(
            lens, plain, jnp.asarray(task.wavelength[0]), pitch, grid.padding, size=grid.size
        )

    def of_field(lens: Metalens, source: Source, wavelength: jax.Array, centre: jax.Array | None) -> jax.Array:
        @jax.checkpoint
        def at(value: jax.Array) -> jax.Array:
            density = angular_spectrum.window_density(
                lens,
                source,
                value,
                centre,
                pitch,
                shared,
                grid=grid,
                origin=grid.origin(task.window),
                mirrored=mirrored,
                paraxial=task.plan.engine == "fresnel",
            )
            return jnp.maximum(along_y @ density @ along_x.T, 0.0) * pitch**2

        return jax.lax.map(at, wavelength)

    return of_field


def _source(direction: jax.Array, object_distance: float) -> Source:
    return PlaneWave(direction) if math.isinf(object_distance) else PointSource(direction, object_distance)


def at_sensor(
    lens: Metalens,
    direction: jax.Array,
    moved: tuple[float | jax.Array, float | jax.Array, float | jax.Array] | jax.Array,
) -> Metalens:
    """The lens at the distance where the chief ray meets the moved and tilted sensor.

    Args:
        lens: the metalens.
        direction: ``[2]`` direction cosines (y, x) of the chief ray.
        moved: defocus in metres and slopes (dz/dy, dz/dx) of the sensor.
    """
    slopes = jnp.asarray(direction) / jnp.sqrt(1 - jnp.sum(jnp.square(jnp.asarray(direction))))
    distance = lens.focal_length + moved[0]
    return replace(lens, focal_length=distance / (1 - moved[1] * slopes[0] - moved[2] * slopes[1]))


def field_direction(field_angle: FieldAngle) -> tuple[float, float]:
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


def _check_request(
    lens: Metalens,
    wavelength: np.ndarray,
    window: tuple[int, int],
    pixel_pitch: float,
    object_distance: float,
    defocus: float,
    sensor_tilt: tuple[float, float],
) -> None:
    if wavelength.size == 0 or not np.all((wavelength >= 200e-9) & (wavelength <= 20e-6)):
        bad = wavelength[~((wavelength >= 200e-9) & (wavelength <= 20e-6))]
        found = f"wavelength {bad[0]:.4g} m is out of range" if bad.size else "no wavelength was given"
        raise InputError(f"psf: {found}; 2e-7 to 2e-5 was expected, in metres.")
    distance = float(lens.focal_length) + defocus
    for name, length in [
        ("pixel_pitch", pixel_pitch),
        ("aperture_diameter", float(lens.aperture_diameter)),
        ("focal_length", float(lens.focal_length)),
        ("focal_length + defocus", distance),
    ]:
        if not 0 < length < math.inf:
            raise InputError(f"psf: {name} {length:.4g} m is out of range; a positive length was expected, in metres.")
    if not object_distance > 0:
        raise InputError(
            f"psf: object_distance {object_distance:.4g} m is out of range; a positive length was expected, in metres."
        )
    if not all(abs(slope) <= math.tan(math.radians(20)) for slope in sensor_tilt):
        raise InputError(
            f"psf: sensor_tilt ({sensor_tilt[0]:.3g}, {sensor_tilt[1]:.3g}) is out of range; slopes up to "
            "tan 20° = 0.364 were expected."
        )
    if lens.cover_glass is not None and not 0 <= float(lens.cover_glass.thickness) < distance:
        raise InputError(
            f"psf: a cover glass of {1e6 * float(lens.cover_glass.thickness):.0f} µm does not fit between the lens and "
            f"a sensor {1e6 * distance:.0f} µm behind it."
        )
    if lens.substrate is not None and lens.stop is None and math.isfinite(object_distance):
        raise InputError(
            "psf: a substrate in front of a lens that is its own stop bends light from a finite distance in a way "
            "that is not simulated; leave the substrate out, or set object_distance to infinity, where it does not "
            "matter."
        )
    lens.response.check(wavelength)
    if min(window) < 1:
        raise InputError(f"psf: window {window[0]} × {window[1]} is empty; at least 1 × 1 was expected.")
    rim = jnp.linspace(0, 0.5 * float(lens.aperture_diameter), 65)
    phases = [lens.phase.at(jnp.zeros_like(rim), rim), lens.phase.at(rim, jnp.zeros_like(rim))]
    if not all(bool(jnp.isfinite(phase).all()) for phase in phases):
        raise InputError(
            "psf: the lens' phase is not finite everywhere on the aperture; correct its coefficients, focal "
            "length or design wavelength."
        )
