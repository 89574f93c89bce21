"""Choice of the engine and its samplings, with the reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, get_args

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.geometric_phase import CircularResponse
from metalens.optics.metalens import Metalens
from metalens.optics.polarised import varies_over_lens
from metalens.optics.source import PointSource, Source
from metalens.psf.engines.angular_spectrum import shares_spectrum
from metalens.psf.engines.direction_cosine import seen_area, tile_side
from metalens.psf.engines.grid import LARGEST_GRID, Grid, choose_grid
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.engines.sampling import Sampling, choose_sampling

AREA_TOLERANCE = 0.02
"""Largest relative error of the pupil's area on the grid of the direction-cosine engine."""

Engine = Literal["auto", "direction_cosine", "angular_spectrum", "rayleigh_sommerfeld", "fresnel", "vectorial"]


@dataclass(frozen=True)
class EnginePlan:
    """An engine with its samplings, for given sources and wavelengths.

    Attributes:
        engine: the chosen one.
        reason: for the choice, in a sentence.
        grid: of an engine on a uniform grid.
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

    ``auto`` takes the direction-cosine engine for a lens with a smooth phase, unless the angular spectrum is faster:
    the cost of the latter grows with the area of the aperture, of the former with that of the window. If neither is
    possible, a plain lens is computed by the Rayleigh–Sommerfeld convolution, in parts.

    Args:
        lens: the metalens.
        wavelength: ``[wavelength]`` in metres.
        sources: the light.
        window: samples of each PSF.
        engine: one of them, or ``auto``.
        refinement: factor by which the sampling is finer than necessary, for convergence tests.

    Raises:
        InputError: no such engine, or it cannot compute this case.
    """
    if engine not in get_args(Engine):
        raise InputError(f"psf: no engine {engine!r}; one of {', '.join(get_args(Engine))} was expected.")
    if engine == "auto":
        return _cheaper(lens, wavelength, sources, window, refinement)
    reason = "it was asked for"
    if engine == "direction_cosine":
        obstacle = _obstacle(lens, sources)
        if obstacle is not None:
            raise InputError(
                f'psf: the direction-cosine engine cannot simulate {obstacle}; use engine="angular_spectrum" or "auto".'
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
            "psf: the Fresnel approximation is implemented for a lens that is its own stop, in air; leave out stop "
            'and cover glass or use engine="angular_spectrum".'
        )
    if engine == "vectorial":
        obstacle = _not_vectorial(lens, sources)
        if obstacle is not None:
            raise InputError(f'psf: the vectorial engine holds {obstacle}; use engine="angular_spectrum".')
    convolves = engine == "rayleigh_sommerfeld"
    grid = choose_grid(lens, wavelength, sources, window, convolves=convolves, refinement=refinement)
    return EnginePlan(engine, reason, grid=grid)


def _not_vectorial(lens: Metalens, sources: list[Source]) -> str | None:
    """What the vectorial engine does not hold of a lens and its light; None if it can compute them."""
    if lens.cover_glass is not None:
        return "in air, not behind a cover glass"
    if lens.stop is not None and lens.stop.phase is not None:
        return "for one direction of the light, not behind a metasurface in the stop"
    if any(isinstance(source, PointSource) for source in sources):
        return "for the light of plane waves, and the object is at a finite distance"
    if lens.structure is None and isinstance(lens.response, CircularResponse):
        return "for linear polarisations, and a geometric phase is of circular light"
    return None


def _obstacle(lens: Metalens, sources: list[Source]) -> str | None:
    """Property of the lens that the direction-cosine engine cannot simulate; None if it can."""
    if lens.stop is not None:
        return "a stop in front of the lens, whose edge diffracts before the lens"
    if lens.cover_glass is not None:
        return "a cover glass, behind which the rays' paths have no closed form"
    if lens.structure is not None:
        return "a structure of individual meta-atoms"
    if lens.neighbours is not None:
        return "zones whose meta-atoms respond with their neighbours"
    if lens.phase.flat_pixel is not None:
        return "a phase of flat pixels"
    if len(lens.response.orders) > 1:
        return f"{len(lens.response.orders)} diffraction orders at once"
    if any(varies_over_lens(lens, source) for source in sources):
        return "meta-atoms in the light of a near point, whose angle of incidence varies over the lens"
    return None


def _cheaper(
    lens: Metalens,
    wavelength: np.ndarray,
    sources: list[Source],
    window: ImageWindow,
    refinement: float,
) -> EnginePlan:
    """The faster engine, by estimates of the time for tiles and for the FFTs of a grid."""
    grid_for = partial(choose_grid, lens, wavelength, sources, window, refinement=refinement)
    obstacle = _obstacle(lens, sources)
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
        # A fixed limit, so that the choice is the same on every machine; larger grids must be requested by name.
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
    """The angular spectrum or, if its grid would be too large and the lens is plain, the convolution in parts."""
    try:
        return EnginePlan("angular_spectrum", reason, grid=grid_for(largest=LARGEST_GRID))
    except InputError as error:
        if lens.stop is not None or lens.cover_glass is not None:
            return EnginePlan("angular_spectrum", reason, grid=grid_for())
        return EnginePlan(
            "rayleigh_sommerfeld", f"{reason}; of the angular spectrum: {error}", grid=grid_for(convolves=True)
        )


def _pupil_fault(lens: Metalens, sources: list[Source], sampling: Sampling) -> str | None:
    """Error of the sampled pupil: its area must be that of the aperture; None if it is."""
    for source in sources:
        share = float(seen_area(lens, source, sampling.pupil_samples))
        if not abs(share - 1) <= AREA_TOLERANCE:
            return f"samples {share:.3g} of the aperture's area, 1 was expected"
    return None


def _sampling(
    lens: Metalens,
    wavelength: np.ndarray,
    sources: list[Source],
    window: ImageWindow,
    refinement: float,
) -> Sampling:
    """Sampling that is sufficient for all sources."""
    half = window.half_side
    chosen = [choose_sampling(lens, wavelength, source, half, refinement=refinement) for source in sources]
    tiles = max(each.tiles for each in chosen)
    if refinement > 1:
        plain = max(choose_sampling(lens, wavelength, source, half).tiles for source in sources)
        tiles = max(tiles, _finer_tiles(max(window.shape), plain))
    return Sampling(tiles, max(each.pupil_samples for each in chosen))


def _finer_tiles(window: int, tiles: int) -> int:
    """More tiles, until a tile has fewer samples: an error estimate must not compare equal samplings."""
    side = tile_side(window, tiles)
    finer = tiles
    while side > 1 and tile_side(window, finer) >= side:
        finer += 2
    return finer


# Fitted to measured times of both engines on one core of a 2.4 GHz processor with AVX2, over 0.05 to 2 mm and 32 to
# 512 samples (benchmarks/psf_scaling.py covers the same range). Only their ratio matters, not the processor's speed.


def _tile_nanoseconds(sampling: Sampling, window: tuple[int, int]) -> float:
    """Time of one PSF: pupil samples and matrix products of the tiles; half of them follow by symmetry."""
    tiles, samples = sampling.tiles, sampling.pupil_samples
    side = -(-max(window) // tiles)
    return tiles * (tiles + 1) / 2 * (samples**2 * (30 + 0.7 * side) + samples * side**2)


def _grid_nanoseconds(grid: Grid, shared: int) -> float:
    """Time of one PSF, if ``shared`` PSFs use one spectrum; slower if the grid exceeds the cache."""
    points = math.prod(grid.size)
    out_of_cache = 1 + 0.15 * max(0.0, math.log2(points) - 21)
    return points * (9 + 11 / shared) * out_of_cache
