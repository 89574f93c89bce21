"""All fields and wavelengths of a batch, as one compiled function of the lens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.metalens import Metalens
from metalens.optics.polarised import polarised_lenses, varies_over_lens
from metalens.optics.refraction.exit_light import ExitLight, ExitLights, ExitPlane, exit_light, in_exit_plane
from metalens.optics.refraction.refracted_light import (
    RefractedLight,
    behind_surfaces,
    fitted_radius,
    refracted,
    without_surfaces,
)
from metalens.optics.source import Source
from metalens.psf.conjugates import at_sensor, source_at
from metalens.psf.engines import angular_spectrum, direction_cosine, vectorial
from metalens.psf.engines.backpropagation import keeps_all
from metalens.psf.engines.choice import EnginePlan
from metalens.psf.engines.grid import Grid
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.engines.incoming import incoming_light
from metalens.psf.engines.sampling import Sampling
from metalens.psf.engines.veil import veil_intensity

_SPLIT_BY_CORES = ("xla_cpu_multi_thread_eigen", "xla_cpu_use_fusion_emitters")
"""Options of XLA that divide sums and loops by the number of cores, and with it change a result's last bit."""


Refracted = tuple[RefractedLight, jax.Array] | ExitLights
"""Light behind refractive surfaces, and the coefficients of their shadows, or the light in the exit plane."""


@dataclass(frozen=True)
class Part:
    """Functions of a batch with one sampling.

    Attributes:
        sampling: a grid, or the sampling of the direction-cosine engine.
        whole: whether they are all wavelengths of some fields, in their order.
    """

    sampling: Grid | Sampling
    whole: bool


@dataclass(frozen=True)
class BatchTask:
    """The constants of a compiled batch.

    Attributes:
        parts: whose functions are those of the batch.
        paraxial: propagate by the Fresnel approximation.
        window: the samples of each PSF.
        nodes: quadrature nodes along a pixel's side, of the direction-cosine engine.
        mirrored: whether the light is the same when y is turned over.
        vectorial: grid of the vectorial engine; None for the others.
    """

    parts: tuple[Part, ...]
    paraxial: bool
    window: ImageWindow
    nodes: int
    mirrored: bool
    vectorial: Grid | None = None


def divided(plan: EnginePlan, fields: Sequence[int]) -> tuple[tuple[Part, ...], tuple[np.ndarray, ...]]:
    """The parts of a batch.

    Args:
        plan: of all fields and wavelengths.
        fields: numbers of those of the batch.

    Returns:
        The parts, and of each one ``[function, 2]`` numbers of its fields, in the batch, and wavelengths.
    """
    levels = np.array([plan.levels[number] for number in fields])
    parts: list[Part] = []
    members: list[np.ndarray] = []
    taken: tuple[Grid | Sampling, ...] = plan.grids or plan.samplings
    for number, sampling in enumerate(taken):
        pairs = np.argwhere(levels == number)
        if len(pairs):
            rows = levels[np.unique(pairs[:, 0])]
            parts.append(Part(sampling, bool((rows == number).all())))
            members.append(pairs)
    return tuple(parts), tuple(members)


def _batch(
    task: BatchTask,
    members: tuple[np.ndarray, ...],
    lens: Metalens,
    light: tuple[jax.Array, jax.Array | None],
    directions: jax.Array,
    centres: jax.Array | None,
    moved: tuple[float | jax.Array, float | jax.Array, float | jax.Array],
    refracted: Refracted | None = None,
) -> jax.Array:
    """Energy per sample ``[field, wavelength, y, x]``.

    Args:
        task: what the function is compiled for.
        members: of :func:`divided`.
        lens: the metalens.
        light: ``[wavelength]`` in metres, and the distance of the object in metres or None.
        directions: ``[field, 2]`` direction cosines (y, x) of the chief rays.
        centres: ``[field, 2]`` (y, x) on the sensor of the windows' middles; by default where the chief rays land.
        moved: defocus in metres and slopes (dz/dy, dz/dx) of the sensor.
        refracted: of :func:`refracted_lights`.
    """
    wavelength, distance = jnp.asarray(light[0]), light[1]
    directions = jnp.asarray(directions)
    near = varies_over_lens(lens, source_at(directions[0], distance))
    # Of a near point's Jones matrix one element is odd in y.
    mirrored = task.mirrored and lens.rotationally_symmetric and not near

    def simulated(
        of_field: angular_spectrum.FieldIntensity,
        at: tuple[jax.Array, jax.Array | None, jax.Array, Refracted | None],
    ) -> jax.Array:
        direction, centre, values, lit = at
        if isinstance(lit, ExitLights):
            parts = []
            for flat, light in lit_lenses(lens, lit):
                place = None if centre is None else centre - light.centre
                parts.append(of_field(at_sensor(flat, direction, moved), light, values, place) / len(lit.lights))
            return sum(parts[1:], start=parts[0])
        flat, source = (lens, source_at(direction, distance)) if lit is None else without_surfaces(lens, *lit)
        if task.vectorial is not None:
            placed = at_sensor(flat, direction, moved)
            of_vectors = partial(vectorial.window_intensity, window=task.window, grid=task.vectorial)
            parts = [of_vectors(placed, source, values, centre)]
        else:
            parts = [
                weight * of_field(at_sensor(seen, direction, moved), source, values, centre)
                for weight, seen in polarised_lenses(flat, source)
            ]
        if lens.neighbours is not None and lens.neighbours.veil:
            veiled = at_sensor(lens, direction, moved)
            parts.append(veil_intensity(veiled, source, values, centre, task.window))
        return sum(parts[1:], start=parts[0])

    found = []
    for part, pairs in zip(task.parts, members, strict=True):
        of_field = _of_field(task, part.sampling, lens, wavelength[pairs[0, 1]], distance, mirrored, len(pairs))
        # All wavelengths of a field use one pupil of the direction-cosine engine; refracted light has one wavelength.
        together = part.whole and isinstance(part.sampling, Sampling) and refracted is None
        each = len(wavelength) if together else 1
        chosen = pairs.reshape(-1, each, 2)
        place = None if centres is None else jnp.asarray(centres)[chosen[:, 0, 0]]
        first = chosen[:, 0]
        lit = jax.tree.map(lambda each, at=first: each[at[:, 0], at[:, 1]], refracted)
        of_part = jax.lax.map(
            partial(simulated, of_field), (directions[first[:, 0]], place, wavelength[chosen[..., 1]], lit)
        )
        found.append(of_part.reshape(-1, *task.window.shape))
    # Functions in the order of the parts, put into that of fields and wavelengths.
    numbers = jnp.concatenate([pairs[:, 0] * len(wavelength) + pairs[:, 1] for pairs in members])
    functions = found[0] if len(found) == 1 else jnp.concatenate(found)[jnp.argsort(numbers)]
    return functions.reshape(len(directions), len(wavelength), *task.window.shape)


def _of_field(
    task: BatchTask,
    sampling: Grid | Sampling,
    lens: Metalens,
    wavelength: jax.Array,
    distance: jax.Array | None,
    mirrored: bool,
    functions: int,
) -> angular_spectrum.FieldIntensity:
    """The functions of one field by a sampling, of so many in all."""
    if isinstance(sampling, Sampling):
        of_field = direction_cosine.window_intensity
        return partial(of_field, window=task.window, sampling=sampling, nodes=task.nodes, mirrored=mirrored)
    plain = source_at(jnp.zeros(2), distance)
    shared = angular_spectrum.shared_spectrum(lens, plain, wavelength, task.window, sampling)
    keep_all = keeps_all(functions, sampling.size[0] * sampling.size[1])
    at = {"mirrored": mirrored, "paraxial": task.paraxial, "keep_all": keep_all}
    return angular_spectrum.field_intensity(shared, task.window, sampling, **at)


def lit_lenses(lens: Metalens, lit: ExitLights) -> list[tuple[Metalens, ExitLight]]:
    """The flat lens and the light on it, of each polarisation.

    Args:
        lens: with surfaces behind the metasurface.
        lit: of one field and wavelength, of :func:`refracted_lights`.

    Returns:
        A pair for each polarisation.
    """
    return [(in_exit_plane(lens, light, lit.opening), light) for light in lit.lights]


def _refracted_lights(
    lens: Metalens, light: tuple[jax.Array, jax.Array | None], directions: jax.Array, plane: ExitPlane | None
) -> Refracted | None:
    """Light behind refractive surfaces, and their shadows, ``[field, wavelength]``; None without surfaces.

    It is computed by itself, and not in the batch, so that it is compiled once for all samplings.
    """
    if not lens.surfaces and plane is None:
        return None

    def at(source: Source, value: jax.Array) -> Refracted:
        if plane is None:
            return refracted(lens.surfaces, fitted_radius(lens), source, value)
        flat, lit = behind_surfaces(lens, source, value)
        seen = tuple(each for _, each in polarised_lenses(flat, lit))
        return exit_light(seen, lit, value, plane, incoming_light(flat, lit))

    def of_field(direction: jax.Array) -> Refracted:
        source = source_at(direction, light[1])
        return jax.lax.map(partial(at, source), jnp.asarray(light[0]))

    return jax.lax.map(of_field, jnp.asarray(directions))


refracted_lights = jax.jit(_refracted_lights)
""":func:`_refracted_lights`, compiled."""

simulate_batch = jax.jit(_batch, static_argnames=("task",))
""":func:`_batch`, compiled."""


SMALL_GRID = 2**18
"""Samples of a grid up to which XLA's older way to join loops is the faster one, by three times; then the slower."""


@cache
def _older_loops() -> dict[str, bool]:
    return {name: False for name in _SPLIT_BY_CORES[1:] if _known(name)}


def options_for(plan: EnginePlan) -> dict[str, bool]:
    """Options of XLA for a function around a batch, such as its loss and gradient.

    Args:
        plan: of the batch.
    """
    small = all(grid.size[0] * grid.size[1] <= SMALL_GRID for grid in plan.grids)
    return _older_loops() if plan.grids and small else {}


@cache
def simulate_in_one_order() -> tuple[Callable[..., jax.Array], Callable[..., Refracted | None]]:
    """:data:`simulate_batch` and :data:`refracted_lights`, whose bits then do not depend on the number of cores."""
    options = {name: False for name in _SPLIT_BY_CORES if _known(name)}
    batch = jax.jit(_batch, static_argnames=("task",), compiler_options=options)
    return batch, jax.jit(_refracted_lights, compiler_options=options)


def _known(option: str) -> bool:
    """Whether the installed XLA has an option; versions drop them with what they switch off."""
    try:
        jax.jit(jnp.negative, compiler_options={option: False}).lower(0.0).compile()
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        return False
    return True
