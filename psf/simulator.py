"""Point spread functions of a batch of fields and wavelengths, as one compiled function of the lens."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.metalens import Metalens
from metalens.optics.source import PlaneWave, PointSource, Source
from metalens.psf.engines import angular_spectrum, direction_cosine, rayleigh_sommerfeld
from metalens.psf.engines.choice import Engine, EnginePlan, plan_engine
from metalens.psf.engines.grid import direction_spread
from metalens.psf.engines.pixels import gauss_legendre, pixel_centres, pixel_integrator, pixel_nodes
from metalens.psf.rays import check_chief_ray
from metalens.psf.validation import FieldAngle, check_request, field_direction

_Array = TypeVar("_Array", np.ndarray, jax.Array)

_OfField = Callable[[Metalens, Source, jax.Array, jax.Array | None], jax.Array]
"""Lens, source, wavelengths and window's centre to ``[wavelength, y, x]`` energy per sample."""

_log = logging.getLogger(__name__)

ENERGY_TOLERANCE = 0.02
"""Largest excess of the energy in a window over the incident energy that is accepted as rounding."""

_SPLIT_BY_CORES = ("xla_cpu_multi_thread_eigen", "xla_cpu_use_fusion_emitters")
"""Options of XLA that divide sums and loops by the number of cores, and with it change a result's last bit."""

_NOT_TRACED = 'psf: the Rayleigh–Sommerfeld engine cannot be traced; use engine="angular_spectrum".'


class EngineFault(InputError):
    """An engine's result cannot be right: it holds more light than came in."""


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

    plan: EnginePlan
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

        Raises:
            EngineFault: the result holds more light than came in; nothing can be checked where JAX traces.
        """
        if self.plan.engine == "rayleigh_sommerfeld":
            if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree_util.tree_leaves(lens)):
                raise InputError(_NOT_TRACED)
            return jnp.asarray([self.of_field(lens, field) for field in range(len(self.direction))])
        found = _simulate_fields(self._task, lens, self._light, self.direction, self.centre, self._moved)
        return found if isinstance(found, jax.core.Tracer) else self._checked(found)

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
            raise InputError(_NOT_TRACED)
        task = replace(self._task, mirrored=False)
        return _simulate_fields(task, lens, self._light, direction, centre, (moved[0], moved[1], moved[2]))

    def of_field(self, lens: Metalens, field: int) -> np.ndarray:
        """Point spread functions of one field; compiled once for all of them.

        Every matrix product is summed in one order, so that the bits do not depend on the number of cores. Several
        fields may be computed at the same time, each in a thread of its own.

        Args:
            lens: of the structure that the simulator was made for.
            field: its number.

        Returns:
            ``[wavelength, y, x]``.
        """
        one = slice(field, field + 1)
        centre = None if self.centre is None else self.centre[one]
        if self.plan.engine != "rayleigh_sommerfeld":
            found = _simulate_in_one_order()(self._task, lens, self._light, self.direction[one], centre, self._moved)
            return np.asarray(self._checked(found)[0])
        grid = self.plan.grid
        assert grid is not None
        direction = jnp.asarray(self.direction[field])
        moved, source = at_sensor(lens, direction, self._moved), _source(direction, self._light[1])
        at = rayleigh_sommerfeld.window_intensity
        middle = None if centre is None else (float(centre[0, 0]), float(centre[0, 1]))
        psf = np.stack(
            [
                at(moved, source, float(value), middle, self.window, self.pixel_pitch, grid, self.integrate_pixels)
                for value in self.wavelength
            ]
        )
        return np.asarray(self._checked(psf))

    def _checked(self, energy: _Array) -> _Array:
        """Check that no function has more energy than is incident; a smaller excess than the tolerance is rounding."""
        share = energy.sum(axis=(-2, -1), keepdims=True)
        highest = float(share.max())
        if not highest <= 1 + ENERGY_TOLERANCE:
            raise EngineFault(
                f"psf: the engine {self.plan.engine} finds {highest:.3g} of the light in the window, at most 1 was "
                "expected, so that its result is not to be trusted for this lens; use another engine."
            )
        return energy if highest <= 1 else energy / share.clip(min=1)

    @property
    def _moved(self) -> tuple[float, float, float]:
        return self.defocus, *self.sensor_tilt

    @property
    def _light(self) -> tuple[np.ndarray, float | None]:
        return self.wavelength, None if math.isinf(self.object_distance) else self.object_distance

    @property
    def _task(self) -> _Task:
        mirrored = not self.direction[:, 0].any() and (self.centre is None or not self.centre[:, 0].any())
        nodes = 1
        if self.integrate_pixels and self.plan.sampling is not None:
            nodes = len(pixel_nodes(self.bandwidth, self.pixel_pitch)[0])
        return _Task(self.plan, self.window, self.pixel_pitch, self.integrate_pixels, nodes, mirrored)


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
    """:func:`psf_simulator` for direction cosines instead of field angles.

    ``centres`` ``[field, 2]`` (y, x) in metres fixes where on the sensor the windows lie, for all wavelengths.

    Args:
        lens: the metalens.
        wavelengths: in metres.
        directions: ``[field, 2]`` direction cosines (y, x).
        centres: ``[field, 2]`` (y, x) centres of the windows on the sensor in metres, the same for all wavelengths.
        window: (rows, columns) of each PSF in samples.
        pixel_pitch: sampling distance in metres.
        engine: propagation method.
        integrate_pixels: whether to integrate the intensity over the pixel area.
        object_distance: distance of the object in metres; infinite for plane waves.
        defocus: sensor displacement away from the lens, in metres.
        sensor_tilt: slopes (dz/dy, dz/dx) of the sensor.
        refinement: factor by which the sampling is finer than necessary.

    Returns:
        The simulator.
    """
    wavelength = np.asarray(wavelengths, dtype=float)
    check_request(lens, wavelength, window, pixel_pitch, object_distance, defocus, sensor_tilt)
    for value in wavelength:
        for direction in directions:
            check_chief_ray(lens, float(value), (float(direction[0]), float(direction[1])))
    distance = None if math.isinf(object_distance) else object_distance
    sources = [_source(jnp.asarray(direction), distance) for direction in directions]
    spread = direction_spread(lens)
    finest = float(wavelength.min()) / spread
    if not integrate_pixels and pixel_pitch > finest:
        raise InputError(
            f"psf: samples {1e6 * pixel_pitch:.3g} µm apart do not resolve the image of this aperture, at most "
            f"{1e6 * finest:.3g} µm was expected; sample finer or set integrate_pixels=True."
        )
    plan = plan_engine(
        lens,
        wavelength,
        sources,
        window,
        pixel_pitch,
        engine=engine,
        integrate_pixels=integrate_pixels,
        refinement=refinement,
    )
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
    """What :func:`_fields_of` is compiled for."""

    plan: EnginePlan
    window: tuple[int, int]
    pixel_pitch: float
    integrate_pixels: bool
    nodes: int
    mirrored: bool


def _fields_of(
    task: _Task,
    lens: Metalens,
    light: tuple[jax.Array, jax.Array | None],
    directions: jax.Array,
    centres: jax.Array | None,
    moved: tuple[float | jax.Array, float | jax.Array, float | jax.Array],
) -> jax.Array:
    """``[field, wavelength, y, x]`` energy per sample."""
    wavelength, distance = jnp.asarray(light[0]), light[1]
    if task.plan.sampling is not None:
        of_field = _by_tiles(task, lens)
    else:
        of_field = _by_grid(task, lens, wavelength[0], distance)

    def at(place: tuple[jax.Array, jax.Array | None]) -> jax.Array:
        direction, centre = place
        source = _source(direction, distance)
        return of_field(at_sensor(lens, direction, moved), source, wavelength, centre)

    return jax.lax.map(at, (jnp.asarray(directions), None if centres is None else jnp.asarray(centres)))


_simulate_fields = jax.jit(_fields_of, static_argnames=("task",))


@cache
def _simulate_in_one_order() -> Callable[..., jax.Array]:
    """:func:`_fields_of` compiled so that its bits do not depend on the number of cores."""
    options = {name: False for name in _SPLIT_BY_CORES if _known(name)}
    return jax.jit(_fields_of, static_argnames=("task",), compiler_options=options)


def _known(option: str) -> bool:
    """Whether the installed XLA has an option; versions drop them with what they switch off."""
    try:
        jax.jit(jnp.negative, compiler_options={option: False}).lower(0.0).compile()
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        return False
    return True


def _by_tiles(task: _Task, lens: Metalens) -> _OfField:
    sampling = task.plan.sampling
    assert sampling is not None
    node, weight = gauss_legendre(task.nodes, task.pixel_pitch)
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


def _by_grid(task: _Task, lens: Metalens, wavelength: jax.Array, distance: jax.Array | None) -> _OfField:
    grid = task.plan.grid
    assert grid is not None
    pitch = task.pixel_pitch / grid.subsamples
    gather = pixel_integrator if task.integrate_pixels else pixel_centres
    along_y, along_x = (jnp.asarray(gather(length, grid.subsamples)) for length in task.window)
    mirrored = task.mirrored and lens.rotationally_symmetric
    plain = _source(jnp.zeros(2), distance)
    shared = None
    if angular_spectrum.shares_spectrum(lens, plain):
        shared = angular_spectrum.lens_spectrum(lens, plain, wavelength, pitch, grid.padding, size=grid.size)

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


def _source(direction: jax.Array, object_distance: jax.Array | float | None) -> Source:
    return PlaneWave(direction) if object_distance is None else PointSource(direction, object_distance)


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
