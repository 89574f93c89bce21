"""Choice of the engine and its samplings, with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.geometric_phase import CircularResponse
from metalens.optics.metalens import Metalens
from metalens.optics.polarised import varies_over_lens
from metalens.optics.source import PointSource, Source
from metalens.psf.engines.angular_spectrum import shares_spectrum
from metalens.psf.engines.cost import grid_nanoseconds, tile_nanoseconds
from metalens.psf.engines.direction_cosine import seen_area, tile_side
from metalens.psf.engines.grid import LARGEST_GRID, Grid, choose_grid, choose_grids
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.engines.levels import joined_levels
from metalens.psf.engines.sampling import Sampling, choose_samplings, finest

AREA_TOLERANCE = 0.02
"""Largest relative error of the pupil's area on the grid of the direction-cosine engine."""

Engine = Literal["auto", "direction_cosine", "angular_spectrum", "rayleigh_sommerfeld", "fresnel", "vectorial"]


@dataclass(frozen=True)
class EnginePlan:
    """An engine with its samplings, for given sources and wavelengths.

    Attributes:
        engine: the chosen one.
        reason: for the choice, in a sentence.
        grids: of an engine on uniform grids, the dearest first.
        samplings: of the direction-cosine engine, the dearest first.
        levels: ``[field][wavelength]`` number of the grid or sampling of each function.
    """

    engine: Engine
    reason: str = field(compare=False)
    grids: tuple[Grid, ...] = ()
    samplings: tuple[Sampling, ...] = ()
    levels: tuple[tuple[int, ...], ...] = ()

    @property
    def grid(self) -> Grid | None:
        """The dearest grid; None for the direction-cosine engine."""
        return self.grids[0] if self.grids else None

    @property
    def sampling(self) -> Sampling | None:
        """The dearest sampling of the direction-cosine engine; None for another one."""
        return self.samplings[0] if self.samplings else None

    def same_samplings(self, other: EnginePlan) -> bool:
        """Whether both plans compute a function of equal field and wavelength in the same way.

        Args:
            other: plan, of any fields and the same wavelengths.
        """
        mine, others = ((each.engine, each.grids, each.samplings) for each in (self, other))
        return mine == others


def joined_lights(plan: EnginePlan, fields: int) -> EnginePlan:
    """The plan of fields of which each was planned in several lights.

    One sampling serves all of them: behind refractive surfaces it takes longer to compile another one than it saves.

    Args:
        plan: of the first light of all fields, then of the next one.
        fields: their number.

    Returns:
        A plan with a sampling for each field.
    """
    if not plan.samplings:
        # On grids the samplings of all sources are the same.
        return replace(plan, levels=plan.levels[:fields])
    return replace(plan, samplings=(finest(plan.samplings),), levels=((0,) * len(plan.levels[0]),) * fields)


def check_behind_surfaces(surfaces: Sequence[object], engine: Engine) -> None:
    """Refuse an engine for plane waves behind refractive surfaces, before rays are traced through them.

    Args:
        surfaces: of the lens.
        engine: that is asked for.

    Raises:
        InputError: it is one of these, and there are surfaces.
    """
    if surfaces and engine in ("fresnel", "vectorial"):
        raise InputError(
            f"psf: the {engine} engine computes plane waves, and refractive surfaces bend them; leave them out or use "
            'engine="angular_spectrum".'
        )


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

    Returns:
        The engine, why it was taken, and the sampling of each source and wavelength.

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
        plan = _in_tiles(lens, wavelength, sources, window, refinement, reason)
        fault = _pupil_fault(lens, sources, plan)
        if fault is not None:
            raise InputError(
                f'psf: the direction-cosine engine {fault}; use engine="angular_spectrum", "rayleigh_sommerfeld" or '
                '"auto".'
            )
        return plan
    if engine == "angular_spectrum":
        return _on_grids(lens, wavelength, sources, window, refinement, reason)
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
    if engine in ("fresnel", "vectorial"):
        # Waves of the first land elsewhere; the second has no band.
        grid = replace(grid, band=(grid.size[0] // 2, grid.size[1] // 2))
    return EnginePlan(engine, reason, (grid,), levels=_one_level(sources, wavelength))


def _one_level(sources: list[Source], wavelength: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return ((0,) * len(wavelength),) * len(sources)


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
    if lens.second_phase is not None or (lens.structure is not None and lens.structure.acts_on_polarisation):
        return "for one phase of all polarisations, and not for a lens that acts on polarisation"
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
    if lens.second_phase is not None:
        return "a phase for each of two polarisations"
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
    obstacle = _obstacle(lens, sources)
    request = (lens, wavelength, sources, window, refinement)
    if obstacle is not None:
        return _on_any_grid(*request, f"the lens has {obstacle}")
    try:
        tiled = _in_tiles(*request, "")
    except InputError as error:
        return _on_any_grid(*request, f"of the direction-cosine engine: {error}")
    fault = _pupil_fault(lens, sources, tiled)
    if fault is not None:
        return _on_any_grid(*request, f"the direction-cosine engine {fault}")
    try:
        # A fixed limit, so that the choice is the same on every machine; larger grids must be requested by name.
        gridded = _on_grids(*request, "", largest=LARGEST_GRID)
    except InputError as error:
        return replace(tiled, reason=f"of the angular spectrum: {error}")
    counts = Counter(level for levels in tiled.levels for level in levels)
    by_tiles = sum(count * tile_nanoseconds(tiled.samplings[level], window.shape) for level, count in counts.items())
    counts, sharing = Counter(level for levels in gridded.levels for level in levels), _share(lens, sources)
    by_grid = sum(
        count * grid_nanoseconds(gridded.grids[level], count if sharing else 1) for level, count in counts.items()
    )
    each = 1e-6 / counts.total()
    costs = f"about {each * by_tiles:.0f} ms for each function in tiles, {each * by_grid:.0f} ms on a uniform grid"
    return replace(tiled if by_tiles < by_grid else gridded, reason=f"the cheaper: {costs}")


def _share(lens: Metalens, sources: list[Source]) -> bool:
    return all(shares_spectrum(lens, source) for source in sources)


def _on_grids(
    lens: Metalens,
    wavelength: np.ndarray,
    sources: list[Source],
    window: ImageWindow,
    refinement: float,
    reason: str,
    *,
    largest: int | None = None,
) -> EnginePlan:
    """The angular spectrum, on as few grids as are worth it."""
    wanted = choose_grids(lens, wavelength, sources, window, refinement=refinement, largest=largest)
    sharing = _share(lens, sources)

    def grid_for(several: Sequence[Grid]) -> Grid:
        served = wavelength[[each in several for each in wanted]]
        return choose_grid(lens, served, sources, window, refinement=refinement, largest=largest)

    def cost(grid: Grid, count: int) -> float:
        return count * len(sources) * grid_nanoseconds(grid, count * len(sources) if sharing else 1)

    taken = joined_levels(wanted, cost, grid_for)
    grids = tuple(dict.fromkeys(taken.values()))
    levels = tuple(grids.index(taken[each]) for each in wanted)
    return EnginePlan("angular_spectrum", reason, grids, levels=(levels,) * len(sources))


def _on_any_grid(
    lens: Metalens,
    wavelength: np.ndarray,
    sources: list[Source],
    window: ImageWindow,
    refinement: float,
    reason: str,
) -> EnginePlan:
    """The angular spectrum or, if its grid would be too large and the lens is plain, the convolution in parts."""
    request = (lens, wavelength, sources, window, refinement, reason)
    try:
        return _on_grids(*request, largest=LARGEST_GRID)
    except InputError as error:
        if lens.stop is not None or lens.cover_glass is not None:
            return _on_grids(*request)
        grid = choose_grid(lens, wavelength, sources, window, convolves=True, refinement=refinement)
        told = f"{reason}; of the angular spectrum: {error}"
        return EnginePlan("rayleigh_sommerfeld", told, (grid,), levels=_one_level(sources, wavelength))


def _pupil_fault(lens: Metalens, sources: list[Source], plan: EnginePlan) -> str | None:
    """Error of the sampled pupil: its area must be that of the aperture; None if it is."""
    for source, levels in zip(sources, plan.levels, strict=True):
        for samples in {plan.samplings[level].pupil_samples for level in levels}:
            share = float(seen_area(lens, source, samples))
            if not abs(share - 1) <= AREA_TOLERANCE:
                return f"samples {share:.3g} of the aperture's area, 1 was expected"
    return None


def _in_tiles(
    lens: Metalens,
    wavelength: np.ndarray,
    sources: list[Source],
    window: ImageWindow,
    refinement: float,
    reason: str,
) -> EnginePlan:
    """The direction-cosine engine, with as few samplings as are worth it."""
    half, side = window.half_side, max(window.shape)
    wanted: list[list[Sampling]] = []
    for source in sources:
        chosen = choose_samplings(lens, wavelength, source, half, refinement=refinement)
        if refinement > 1:
            plain = choose_samplings(lens, wavelength, source, half)
            chosen = [
                replace(fine, tiles=max(fine.tiles, _finer_tiles(side, each.tiles)))
                for fine, each in zip(chosen, plain, strict=True)
            ]
        wanted.append(chosen)
    taken = joined_levels(
        [each for chosen in wanted for each in chosen],
        lambda sampling, count: count * tile_nanoseconds(sampling, window.shape),
        finest,
    )
    samplings = tuple(dict.fromkeys(taken.values()))
    levels = tuple(tuple(samplings.index(taken[each]) for each in chosen) for chosen in wanted)
    return EnginePlan("direction_cosine", reason, samplings=samplings, levels=levels)


def _finer_tiles(window: int, tiles: int) -> int:
    """More tiles, until a tile has fewer samples: an error estimate must not compare equal samplings."""
    side = tile_side(window, tiles)
    finer = tiles
    while side > 1 and tile_side(window, finer) >= side:
        finer += 2
    return finer
