"""All fields and wavelengths of a batch, as one compiled function of the lens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import jax
import jax.numpy as jnp

from metalens.optics.metalens import Metalens
from metalens.optics.polarised import polarised_lenses, varies_over_lens
from metalens.psf.conjugates import at_sensor, source_at
from metalens.psf.engines import angular_spectrum, direction_cosine, vectorial
from metalens.psf.engines.choice import EnginePlan
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.engines.veil import veil_intensity

_SPLIT_BY_CORES = ("xla_cpu_multi_thread_eigen", "xla_cpu_use_fusion_emitters")
"""Options of XLA that divide sums and loops by the number of cores, and with it change a result's last bit."""


@dataclass(frozen=True)
class BatchTask:
    """The constants of a compiled batch.

    Attributes:
        plan: the engine and its samplings.
        window: the samples of each PSF.
        nodes: quadrature nodes along a pixel's side, of the direction-cosine engine.
        mirrored: whether the light is the same when y is turned over.
    """

    plan: EnginePlan
    window: ImageWindow
    nodes: int
    mirrored: bool


def _batch(
    task: BatchTask,
    lens: Metalens,
    light: tuple[jax.Array, jax.Array | None],
    directions: jax.Array,
    centres: jax.Array | None,
    moved: tuple[float | jax.Array, float | jax.Array, float | jax.Array],
) -> jax.Array:
    """Energy per sample ``[field, wavelength, y, x]``.

    Args:
        task: what the function is compiled for.
        lens: the metalens.
        light: ``[wavelength]`` in metres, and the distance of the object in metres or None.
        directions: ``[field, 2]`` direction cosines (y, x) of the chief rays.
        centres: ``[field, 2]`` (y, x) on the sensor of the windows' middles; by default where the chief rays land.
        moved: defocus in metres and slopes (dz/dy, dz/dx) of the sensor.
    """
    wavelength, distance = jnp.asarray(light[0]), light[1]
    near = distance is not None and varies_over_lens(lens, source_at(directions[0], distance))
    # Of a near point's Jones matrix one element is odd in y.
    plan, mirrored = task.plan, task.mirrored and lens.rotationally_symmetric and not near
    of_field: angular_spectrum.FieldIntensity
    if plan.sampling is not None:
        of_field = partial(
            direction_cosine.window_intensity,
            window=task.window,
            sampling=plan.sampling,
            nodes=task.nodes,
            mirrored=mirrored,
        )
    else:
        assert plan.grid is not None
        plain = source_at(jnp.zeros(2), distance)
        shared = angular_spectrum.shared_spectrum(lens, plain, wavelength[0], task.window, plan.grid)
        of_field = angular_spectrum.field_intensity(
            shared, task.window, plan.grid, mirrored=mirrored, paraxial=plan.engine == "fresnel"
        )

    def at(place: tuple[jax.Array, jax.Array | None]) -> jax.Array:
        direction, centre = place
        source = source_at(direction, distance)
        if plan.engine == "vectorial":
            assert plan.grid is not None
            placed = at_sensor(lens, direction, moved)
            parts = [vectorial.window_intensity(placed, source, wavelength, centre, window=task.window, grid=plan.grid)]
        else:
            parts = [
                weight * of_field(at_sensor(seen, direction, moved), source, wavelength, centre)
                for weight, seen in polarised_lenses(lens, source)
            ]
        if lens.neighbours is not None and lens.neighbours.veil:
            veiled = at_sensor(lens, direction, moved)
            parts.append(veil_intensity(veiled, source, wavelength, centre, task.window))
        return sum(parts[1:], start=parts[0])

    return jax.lax.map(at, (jnp.asarray(directions), None if centres is None else jnp.asarray(centres)))


simulate_batch = jax.jit(_batch, static_argnames=("task",))
""":func:`_batch`, compiled."""


@cache
def simulate_in_one_order() -> Callable[..., jax.Array]:
    """:data:`simulate_batch` compiled so that its bits do not depend on the number of cores."""
    options = {name: False for name in _SPLIT_BY_CORES if _known(name)}
    return jax.jit(_batch, static_argnames=("task",), compiler_options=options)


def _known(option: str) -> bool:
    """Whether the installed XLA has an option; versions drop them with what they switch off."""
    try:
        jax.jit(jnp.negative, compiler_options={option: False}).lower(0.0).compile()
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        return False
    return True
