"""Point spread functions of a batch of fields and wavelengths, as one compiled function of the lens."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.metalens import Metalens
from metalens.optics.polarised import polarised_lenses
from metalens.optics.refraction.exit_light import ExitLight, ExitLights, ExitPlane
from metalens.optics.refraction.refracted_light import without_surfaces
from metalens.optics.source import Source
from metalens.psf.conjugates import INFINITY, Conjugates, at_sensor, source_at
from metalens.psf.engines import rayleigh_sommerfeld
from metalens.psf.engines.choice import Engine, EnginePlan, check_behind_surfaces, joined_lights, plan_engine
from metalens.psf.engines.field_batch import (
    BatchTask,
    Refracted,
    divided,
    lit_lenses,
    refracted_lights,
    simulate_batch,
    simulate_in_one_order,
)
from metalens.psf.engines.grid import direction_spread
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.engines.pixels import pixel_nodes
from metalens.psf.engines.veil import veil_intensity
from metalens.psf.known_plans import KnownPlans, lens_key
from metalens.psf.validation import FieldAngle, check_request, field_direction
from metalens.psf.wave_plane import at_wave_plane

_Array = TypeVar("_Array", np.ndarray, jax.Array)

_log = logging.getLogger(__name__)

ENERGY_TOLERANCE = 0.02
"""Largest excess of the energy in a window over the incident energy that is accepted as rounding."""

_NOT_TRACED = 'psf: the Rayleigh–Sommerfeld engine cannot be traced; use engine="angular_spectrum".'


class EngineFault(InputError):
    """An engine's result is wrong: it contains more energy than is incident."""


@dataclass(frozen=True)
class PsfSimulator:
    """Computes the PSFs of lenses with the structure of a given lens; made by :func:`psf_simulator`.

    Attributes:
        plan: the engine, why it was chosen, and its samplings.
        wavelength: ``[wavelength]`` in metres.
        direction: ``[field, 2]`` direction cosines (y, x) of the chief rays.
        centre: ``[field, 2]`` (y, x) on the sensor in metres of the window's middle samples; without it, they lie
            where the chief ray of each wavelength lands.
        window: samples of each PSF.
        conjugates: object and sensor.
        bandwidth: highest spatial frequency of the intensities in 1/m.
        plane: from which light goes to the sensor as waves; None without surfaces behind the metasurface.
    """

    plan: EnginePlan
    wavelength: np.ndarray
    direction: np.ndarray
    centre: np.ndarray | None
    window: ImageWindow
    conjugates: Conjugates
    bandwidth: float
    plane: ExitPlane | None = None

    @property
    def defocus(self) -> float:
        """Sensor displacement away from the lens, in metres."""
        return self.conjugates.defocus

    @property
    def sensor_tilt(self) -> tuple[float, float]:
        """Slopes (dz/dy, dz/dx) of the sensor."""
        return self.conjugates.sensor_tilt

    def __call__(self, lens: Metalens) -> jax.Array:
        """Simulate all fields and wavelengths, as one compiled function that JAX can differentiate.

        Args:
            lens: with the structure of the lens for which the simulator was made; its parameters may differ.

        Returns:
            ``[field, wavelength, y, x]`` energy per sample, as of :func:`simulate_psf`. The Rayleigh–Sommerfeld
            engine has no derivatives.

        Raises:
            EngineFault: the result contains more energy than is incident; not checked while JAX traces.
        """
        if self.plan.engine == "rayleigh_sommerfeld":
            if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree_util.tree_leaves(lens)):
                raise InputError(_NOT_TRACED)
            return jnp.asarray([self.of_field(lens, field) for field in range(len(self.direction))])
        task, members = self._task(range(len(self.direction)))
        moved = self.conjugates.moved
        refracted = refracted_lights(lens, self._light, self.direction, self.plane)
        found = simulate_batch(task, members, lens, self._light, self.direction, self.centre, moved, refracted)
        return found if isinstance(found, jax.core.Tracer) else self._checked(found, lens)

    def on_moved_sensor(
        self,
        lens: Metalens,
        direction: jax.Array,
        centre: jax.Array,
        moved: tuple[jax.Array, jax.Array, jax.Array] | jax.Array,
    ) -> jax.Array:
        """Simulate given chief rays on a displaced sensor; differentiable with respect to all of them, for fits.

        The samplings of the simulator are used: chief rays and sensor must not differ much from its own.

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
        task, members = self._task(range(len(self.direction)))
        task = replace(task, mirrored=False)
        refracted = refracted_lights(lens, self._light, direction, self.plane)
        sensor = (moved[0], moved[1], moved[2])
        return simulate_batch(task, members, lens, self._light, direction, centre, sensor, refracted)

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
            (simulate, refract), (task, members) = simulate_in_one_order(), self._task([field])
            refracted = refract(lens, self._light, self.direction[one], self.plane)
            request = (self._light, self.direction[one], centre, self.conjugates.moved, refracted)
            # In NumPy from here: JAX would compile each sum and comparison for every shape.
            found = np.asarray(simulate(task, members, lens, *request))
            return self._checked(found, lens)[0]
        grid = self.plan.grid
        assert grid is not None
        direction = jnp.asarray(self.direction[field])
        source = source_at(direction, self._light[1])
        at = rayleigh_sommerfeld.window_intensity
        psf = np.zeros((len(self.wavelength), *self.window.shape))
        refracted = refracted_lights(lens, self._light, self.direction[one], self.plane)
        for number, value in enumerate(self.wavelength):
            lit = None if refracted is None else jax.tree.map(lambda each, at=number: each[0, at], refracted)
            for weight, flat, light in _lit(lens, source, lit):
                place = None if centre is None else centre[0]
                if place is not None and isinstance(light, ExitLight):
                    place = place - np.asarray(light.centre)
                middle = None if place is None else (float(place[0]), float(place[1]))
                moved = at_sensor(flat, direction, self.conjugates.moved)
                psf[number] += weight * at(moved, light, float(value), middle, self.window, grid)
        if lens.neighbours is not None and lens.neighbours.veil:
            moved = at_sensor(lens, direction, self.conjugates.moved)
            place = None if centre is None else centre[0]
            psf += np.asarray(veil_intensity(moved, source, jnp.asarray(self.wavelength), place, self.window))
        return np.asarray(self._checked(psf, lens))

    def _checked(self, energy: _Array, lens: Metalens) -> _Array:
        """Check that no function has more energy than is incident; a smaller excess than the tolerance is rounding."""
        share = energy.sum(axis=(-2, -1), keepdims=True)
        highest = float(share.max())
        if not highest <= 1 + ENERGY_TOLERANCE:
            if lens.structure is None and len(lens.response.orders) > 1:
                # Orders interfere where the phase makes less than a turn, and only all of them together keep the light.
                raise EngineFault(
                    f"psf: the orders {list(lens.response.orders)} together have {highest:.3g} of the light, at most 1 "
                    "was expected: over a pupil with less than a turn of phase the missing orders count too; give more "
                    "of them on both sides in lens.response.orders."
                )
            raise EngineFault(
                f"psf: the engine {self.plan.engine} finds {highest:.3g} of the light in the window, at most 1 was "
                "expected: its result is wrong for this lens; use another engine."
            )
        return energy if highest <= 1 else energy / share.clip(min=1)

    @property
    def _light(self) -> tuple[np.ndarray, float | None]:
        return self.wavelength, self.conjugates.finite_distance

    def _task(self, fields: Sequence[int]) -> tuple[BatchTask, tuple[np.ndarray, ...]]:
        """What is compiled for some fields, and the functions of each of its parts."""
        mirrored = not self.direction[:, 0].any() and (self.centre is None or not self.centre[:, 0].any())
        nodes = 1
        if self.window.integrate_pixels and self.plan.samplings:
            nodes = len(pixel_nodes(self.bandwidth, self.window.pixel_pitch)[0])
        parts, members = divided(self.plan, fields)
        engine = self.plan.engine
        vectorial = self.plan.grid if engine == "vectorial" else None
        return BatchTask(parts, engine == "fresnel", self.window, nodes, mirrored, vectorial), members


def _lit(lens: Metalens, source: Source, lit: Refracted | None) -> list[tuple[float, Metalens, Source]]:
    """Weights of intensities, lenses and their light, of one field and wavelength."""
    if isinstance(lit, ExitLights):
        return [(1 / len(lit.lights), *each) for each in lit_lenses(lens, lit)]
    flat, light = (lens, source) if lit is None else without_surfaces(lens, *lit)
    return [(weight, seen, light) for weight, seen in polarised_lenses(flat, light)]


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

    The result is a function of the lens that JAX can differentiate, for design and fits. The
    arguments are those of :func:`simulate_psf`, in batches.

    Args:
        lens: the metalens; its samplings are used for all lenses that are simulated later.
        wavelengths: ``[wavelength]`` in metres.
        field_angles: ``[field]`` of θ or (θ, φ) in radians.
        window: (ny, nx) samples.
        pixel_pitch: sample spacing in metres.
        engine: propagation method.
        integrate_pixels: integrate the intensity over pixels.
        object_distance: in metres.
        defocus: in metres.
        sensor_tilt: slopes (dz/dy, dz/dx).
        refinement: factor by which the sampling is finer than necessary, for convergence tests.

    Returns:
        A function of the lens; ``plan`` tells engine and samplings before anything is computed.

    Raises:
        InputError: as of :func:`simulate_psf`.
    """
    directions = np.array([field_direction(angle) for angle in field_angles]).reshape(-1, 2)
    return simulator_of_directions(
        lens,
        wavelengths,
        directions,
        ImageWindow(window, pixel_pitch, integrate_pixels),
        engine=engine,
        conjugates=Conjugates(object_distance, defocus, sensor_tilt),
        refinement=refinement,
    )


def simulator_of_directions(
    lens: Metalens,
    wavelengths: Sequence[float] | np.ndarray,
    directions: np.ndarray,
    window: ImageWindow,
    *,
    centres: np.ndarray | None = None,
    engine: Engine = "auto",
    conjugates: Conjugates = INFINITY,
    refinement: float = 1.0,
) -> PsfSimulator:
    """:func:`psf_simulator` for direction cosines instead of field angles.

    Args:
        lens: the metalens.
        wavelengths: ``[wavelength]`` in metres.
        directions: ``[field, 2]`` direction cosines (y, x).
        window: samples of each PSF.
        centres: ``[field, 2]`` (y, x) centres of the windows on the sensor in metres, the same for all wavelengths; by
            default they lie where the chief rays land.
        engine: propagation method.
        conjugates: object and sensor.
        refinement: factor by which the sampling is finer than necessary.

    Returns:
        The simulator.
    """
    wavelength, angles = np.asarray(wavelengths, dtype=float), np.asarray(directions, dtype=float)
    make = partial(_planned, lens, wavelength, angles, window, centres, engine, conjugates, refinement)
    key = lens_key(lens)
    places = None if centres is None else np.asarray(centres).tobytes()
    precision = jnp.zeros(()).dtype
    request = (wavelength.tobytes(), angles.tobytes(), window, places, engine, conjugates, refinement, precision)
    found = make() if key is None else _KNOWN.find((key, request), make)
    _log.info("engine %s: %s", found.plan.engine, found.plan.reason)
    return found


_KNOWN: KnownPlans[PsfSimulator] = KnownPlans()


def _planned(
    lens: Metalens,
    wavelength: np.ndarray,
    directions: np.ndarray,
    window: ImageWindow,
    centres: np.ndarray | None,
    engine: Engine,
    conjugates: Conjugates,
    refinement: float,
) -> PsfSimulator:
    """Check a request and plan it."""
    check_request(lens, wavelength, window, conjugates)
    check_behind_surfaces((*lens.surfaces, *lens.rear_surfaces), engine)
    sources = [source_at(jnp.asarray(direction), conjugates.finite_distance) for direction in directions]
    flat, lights, plane = at_wave_plane(lens, wavelength, sources)
    finest = float(wavelength.min()) / direction_spread(flat)
    if not window.integrate_pixels and window.pixel_pitch > finest:
        raise InputError(
            f"psf: samples {1e6 * window.pixel_pitch:.3g} µm apart do not resolve the image of this aperture, at most "
            f"{1e6 * finest:.3g} µm was expected; sample finer or set integrate_pixels=True."
        )
    plan = plan_engine(flat, wavelength, lights, window, engine=engine, refinement=refinement)
    if flat is not lens:
        plan = joined_lights(plan, len(sources))
    return PsfSimulator(plan, wavelength, directions, centres, window, conjugates, 1 / finest, plane)
