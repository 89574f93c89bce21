"""The engines, which of them is taken, and why."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, get_args

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.metalens import Metalens
from metalens.optics.source import Source
from metalens.psf.engines.angular_spectrum import shares_spectrum
from metalens.psf.engines.direction_cosine import seen_area, tile_side
from metalens.psf.engines.grid import LARGEST_GRID, Grid, choose_grid
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.engines.sampling import Sampling, choose_sampling

AREA_TOLERANCE = 0.02
"""Of the pupil's area on the direction-cosine engine's grid, relative."""

Engine = Literal["auto", "direction_cosine", "angular_spectrum", "rayleigh_sommerfeld", "fresnel"]


@dataclass(frozen=True)
class EnginePlan:
    """An engine and what it is compiled for; the same for all the light that it was made for.

    Attributes:
        engine: which one.
        reason: why, in a sentence.
        grid: of the engines on a uniform grid.
        sampling: of the direction-cosine engine.
    """

    engine: Engine
    reason: str = field(compare=False)
    grid: Grid | None = None
    sampling: Sampling | None = None


def plan_engine(
    lens: Metalens,
    wavelength: np.ndarray,
    sources: list[Source],
    window: ImageWindow,
    *,
    engine: Engine = "auto",
    refinement: float = 1.0,
) -> EnginePlan:
    """Choose an engine and its samplings for all wavelengths and sources.

    ``auto`` takes the direction-cosine engine for a lens whose phase it can follow, unless the angular spectrum is
    cheaper: that one's cost grows with the aperture's area, the other's with the window's. Where neither can, a plain
    lens is convolved in parts.

    Args:
        lens: the metalens.
        wavelength: ``[wavelength]`` in metres.
        sources: the light.
        window: samples of each PSF.
        engine: one of them, or ``auto``.
        refinement: finer than necessary by this factor, to see the error shrink.

    Raises:
        InputError: no such engine, or the request is beyond its reach.
    """
    if engine not in get_args(Engine):
        raise InputError(f"psf: no engine {engine!r}; one of {', '.join(get_args(Engine))} was expected.")
    if engine == "auto":
        return _cheaper(lens, wavelength, sources, window, refinement)
    reason = "it was asked for"
    if engine == "direction_cosine":
        obstacle = _obstacle(lens)
        if obstacle is not None:
            raise InputError(
                f'psf: the direction-cosine engine cannot follow {obstacle}; use engine="angular_spectrum" or "auto".'
            )
        sampling = _sampling(lens, wavelength, sources, window, refinement)
        fault = _pupil_fault(lens, sources, sampling)
        if fault is not None:
            raise InputError(
                f'psf: the direction-cosine engine {fault}; use engine="angular_spectrum", "rayleigh_sommerfeld" or '
                '"auto".'
            )
        return EnginePlan(engine, reason, sampling=sampling)
    if engine == "rayleigh_sommerfeld" and lens.cover_glass is not None:
        raise InputError(
            "psf: the Rayleigh–Sommerfeld integral holds in one medium, not behind a cover glass; use "
            'engine="angular_spectrum".'
        )
    if engine == "fresnel" and (lens.cover_glass is not None or lens.stop is not None):
        raise InputError(
            "psf: the Fresnel control is made for a lens that is its own stop, in air; leave out stop and cover "
            'glass or use engine="angular_spectrum".'
        )
    convolves = engine == "rayleigh_sommerfeld"
    grid = choose_grid(lens, wavelength, sources, window, convolves=convolves, refinement=refinement)
    return EnginePlan(engine, reason, grid=grid)


def _obstacle(lens: Metalens) -> str | None:
    """What of the lens the direction-cosine engine does not know."""
    if lens.stop is not None:
        return "a stop in front of the lens, whose edge diffracts on the way"
    if lens.cover_glass is not None:
        return "a cover glass, behind which the rays' paths have no closed form"
    if lens.structure is not None:
        return "a structure of meta-atoms, each with a transmission of its own"
    if lens.phase.flat_pixel is not None:
        return "a phase of flat pixels"
    if len(lens.response.orders) > 1:
        return f"{len(lens.response.orders)} diffraction orders at once"
    return None


def _cheaper(
    lens: Metalens,
    wavelength: np.ndarray,
    sources: list[Source],
    window: ImageWindow,
    refinement: float,
) -> EnginePlan:
    """Compare times: samples and matrix products of the tiles against the transforms of the grid."""
    grid_for = partial(choose_grid, lens, wavelength, sources, window, refinement=refinement)
    obstacle = _obstacle(lens)
    if obstacle is not None:
        return _on_a_grid(lens, grid_for, f"the lens has {obstacle}")
    try:
        sampling = _sampling(lens, wavelength, sources, window, refinement)
    except InputError as error:
        return _on_a_grid(lens, grid_for, f"of the direction-cosine engine: {error}")
    fault = _pupil_fault(lens, sources, sampling)
    if fault is not None:
        return _on_a_grid(lens, grid_for, f"the direction-cosine engine {fault}")
    try:
        # The same on every machine: what memory holds beyond is for who asks for it.
        grid = grid_for(largest=LARGEST_GRID)
    except InputError as error:
        return EnginePlan("direction_cosine", f"of the angular spectrum: {error}", sampling=sampling)
    shared = len(wavelength) * len(sources) if all(shares_spectrum(lens, source) for source in sources) else 1
    by_tiles, by_grid = _tile_nanoseconds(sampling, window.shape), _grid_nanoseconds(grid, shared)
    costs = f"about {by_tiles / 1e6:.0f} ms for each function in tiles, {by_grid / 1e6:.0f} ms on a uniform grid"
    if by_tiles < by_grid:
        return EnginePlan("direction_cosine", f"the cheaper: {costs}", sampling=sampling)
    return EnginePlan("angular_spectrum", f"the cheaper: {costs}", grid=grid)


def _on_a_grid(lens: Metalens, grid_for: Callable[..., Grid], reason: str) -> EnginePlan:
    """The angular spectrum; where its grid would be too large, the convolution in parts, which a plain lens allows."""
    try:
        return EnginePlan("angular_spectrum", reason, grid=grid_for(largest=LARGEST_GRID))
    except InputError as error:
        if lens.stop is not None or lens.cover_glass is not None:
            return EnginePlan("angular_spectrum", reason, grid=grid_for())
        return EnginePlan(
            "rayleigh_sommerfeld", f"{reason}; of the angular spectrum: {error}", grid=grid_for(convolves=True)
        )


def _pupil_fault(lens: Metalens, sources: list[Source], sampling: Sampling) -> str | None:
    """What is wrong with the pupil as the direction-cosine engine would see it, whose area has to be the aperture's."""
    for source in sources:
        share = float(seen_area(lens, source, sampling.pupil_samples))
        if not abs(share - 1) <= AREA_TOLERANCE:
            return f"sees {share:.3g} of the aperture's area from the sensor, 1 was expected"
    return None


def _sampling(
    lens: Metalens,
    wavelength: np.ndarray,
    sources: list[Source],
    window: ImageWindow,
    refinement: float,
) -> Sampling:
    """What holds for all sources."""
    half = window.half_side
    chosen = [choose_sampling(lens, wavelength, source, half, refinement=refinement) for source in sources]
    tiles = max(each.tiles for each in chosen)
    if refinement > 1:
        plain = max(choose_sampling(lens, wavelength, source, half).tiles for source in sources)
        tiles = max(tiles, _finer_tiles(max(window.shape), plain))
    return Sampling(tiles, max(each.pupil_samples for each in chosen))


def _finer_tiles(window: int, tiles: int) -> int:
    """Tiles of fewer samples, of which there are whole numbers: an estimate must not compare a tile with itself."""
    side = tile_side(window, tiles)
    finer = tiles
    while side > 1 and tile_side(window, finer) >= side:
        finer += 2
    return finer


# Fitted to measured times of both engines on one core of a 2.4 GHz processor with AVX2, over 0.05 to 2 mm and 32 to
# 512 samples (benchmarks/psf_scaling.py goes the same range). Only their ratio matters: what is slow is slow for both.


def _tile_nanoseconds(sampling: Sampling, window: tuple[int, int]) -> float:
    """Of one function. The pupil's samples, their products with a tile's samples; one half mirrors the other."""
    tiles, samples = sampling.tiles, sampling.pupil_samples
    side = -(-max(window) // tiles)
    return tiles * (tiles + 1) / 2 * (samples**2 * (30 + 0.7 * side) + samples * side**2)


def _grid_nanoseconds(grid: Grid, shared: int) -> float:
    """Of one function, where so many share the spectrum behind the lens; slower out of a processor's cache."""
    points = math.prod(grid.size)
    out_of_cache = 1 + 0.15 * max(0.0, math.log2(points) - 21)
    return points * (9 + 11 / shared) * out_of_cache
