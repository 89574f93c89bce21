"""Point spread functions: one call, batches and banks, beside their transforms or products and a peer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from measuring.job import Beside, Job, Task

from metalens.formats.camera.camera import read_camera
from metalens.optics import metalens_of
from metalens.psf import PsfSimulator, psf_simulator, simulate_bank, simulate_psf
from metalens.psf.engines.band import even_transform, window_of

WINDOW, PITCH = (128, 128), 0.5e-6
FIELD = np.radians(10.0)
FIELDS = np.radians(np.linspace(0, 20, 9)).tolist()
ENGINES = ("auto", "direction_cosine", "angular_spectrum")
RED_GREEN_BLUE = (450e-9, 532e-9, 650e-9)


def planned(engine: str, wavelengths: Sequence[float], fields: Sequence[float]) -> PsfSimulator:
    lens = metalens_of(read_camera("hyperbolic"))
    return psf_simulator(lens, list(wavelengths), list(fields), window=WINDOW, pixel_pitch=PITCH, engine=engine)


def one_call(engine: str) -> Task:
    """Planning included. The field moves a little each time, so that no plan is found again."""
    lens = metalens_of(read_camera("hyperbolic"))
    moves = iter(np.linspace(0, 1e-3, 10**6))
    return lambda: simulate_psf(lens, 532e-9, FIELD + next(moves), window=WINDOW, pixel_pitch=PITCH, engine=engine)


def batch(engine: str, wavelengths: Sequence[float]) -> Task:
    simulator, lens = planned(engine, wavelengths, FIELDS), metalens_of(read_camera("hyperbolic"))
    return partial(simulator, lens)


def gradient(engine: str, wavelengths: Sequence[float]) -> Task:
    """Of the light at the middles, by all parameters of the lens."""
    simulator, lens = planned(engine, wavelengths, FIELDS), metalens_of(read_camera("hyperbolic"))
    middle = jax.jit(jax.grad(lambda lens: simulator(lens)[..., 64, 64].sum(), allow_int=True))
    return partial(middle, jax.tree.map(jnp.asarray, lens))


def transforms(wavelengths: Sequence[float], fields: Sequence[float]) -> Task:
    """Of the angular spectrum: of the lit quarter once, and of the band of each function into its window."""
    plan = planned("angular_spectrum", wavelengths, fields).plan
    counts = np.bincount(np.array(plan.levels).ravel())

    @jax.jit
    def compute(quarters: list[jax.Array], bands: list[jax.Array], turns: list[jax.Array]) -> list[jax.Array]:
        found = []
        for grid, quarter, band, turn in zip(plan.grids, quarters, bands, turns, strict=True):
            found.append(even_transform(quarter, grid.size, grid.band))
            along = partial(window_of, length=grid.size[1], origin=grid.window[1] // 2, window=grid.window[1])
            found.append(jax.lax.map(lambda each, along=along, band=band: along(each * band), turn))
        return found

    sides = [grid.half_lens + 1 for grid in plan.grids]
    quarters = [jnp.ones((side, side), dtype=jnp.complex64) for side in sides]
    bands = [jnp.ones((grid.band[0] + 1, 2 * grid.band[1] + 1), dtype=jnp.complex64) for grid in plan.grids]
    turns = [jnp.asarray(np.linspace(1, 2, count), dtype=jnp.float32) for count in counts]
    return partial(compute, quarters, bands, turns)


def products() -> Task:
    """Of the direction cosines: four products a tile, and the tiles of half of the window."""
    sampling = planned("direction_cosine", [532e-9], [FIELD]).plan.sampling
    assert sampling is not None
    tiles, samples = sampling.tiles * (sampling.tiles + 1) // 2, sampling.pupil_samples
    side = -(-WINDOW[0] // sampling.tiles)

    @jax.jit
    def compute(pupils: jax.Array, waves: jax.Array) -> jax.Array:
        return jax.lax.map(lambda pupil: sum(waves.T @ (pupil * part @ waves) for part in (1.0, 2.0, 3.0, 4.0)), pupils)

    ones = partial(jnp.ones, dtype=jnp.complex64)
    return partial(compute, ones((tiles, samples, samples)), ones((samples, side)))


def peer() -> Task:
    """torchoptics' direct integration at 0.25 µm with its own circle."""
    from measuring.direct_integration import DirectIntegration

    task = DirectIntegration(metalens_of(read_camera("hyperbolic")), WINDOW, PITCH, PITCH / 2, weighted=False)
    return partial(task, 532e-9, 10.0)


def bank(radii: int, wavelengths: int) -> Task:
    """With figures; from the second time on compiled."""
    camera, nodes = read_camera("metacamera-200um"), np.linspace(450e-9, 650e-9, wavelengths).tolist()
    return lambda: simulate_bank(camera, radii=radii, wavelengths=nodes).intensity


PEER = Beside("torchoptics 0.25 µm", peer, "torchoptics")
ONE = partial(transforms, [532e-9], [FIELD])

JOBS = {
    **{
        f"one call, {engine}": Job(
            partial(one_call, engine),
            Beside("its products", products) if engine == "direction_cosine" else Beside("its transforms", ONE),
            PEER,
        )
        for engine in ENGINES
    },
    "one call, rayleigh_sommerfeld": Job(partial(one_call, "rayleigh_sommerfeld"), peer=PEER),
    **{
        f"batch of 9 fields × {len(colours)}, {engine}": Job(
            partial(batch, engine, colours),
            Beside("transforms", partial(transforms, colours, FIELDS)) if engine != "direction_cosine" else None,
            count=9 * len(colours),
        )
        for colours in ((532e-9,), RED_GREEN_BLUE)
        for engine in ENGINES
    },
    "gradient of 9 fields × 3, auto": Job(
        partial(gradient, "auto", RED_GREEN_BLUE),
        Beside("the functions alone", partial(batch, "auto", RED_GREEN_BLUE)),
        count=27,
    ),
    "bank, 10 radii × 31 wavelengths": Job(partial(bank, 10, 31), count=1),
}
