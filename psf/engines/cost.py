"""Estimated time of a function by each engine, from its sampling.

Fitted to processor times of both engines on a core of a 2.4 GHz AMD EPYC with AVX2 (benchmarks/growth.py and
benchmarks/psf_scaling.py cover the range). Only their ratio matters, not the processor's speed.
"""

from __future__ import annotations

import math

from metalens.psf.engines.grid import Grid
from metalens.psf.engines.sampling import Sampling

CACHED_PUPIL = 2**16
"""Samples of a pupil whose arrays stay in the cache; larger ones take 1.6 times as long for each sample."""


def tile_nanoseconds(sampling: Sampling, window: tuple[int, int]) -> float:
    """Time of one function: pupil samples and matrix products of the tiles; half of them follow by symmetry.

    Args:
        sampling: tiles and pupil samples.
        window: samples (rows, columns).

    Returns:
        In nanoseconds, on the processor that the constants were fitted on.
    """
    tiles, samples = sampling.tiles, sampling.pupil_samples
    side = -(-max(window) // tiles)
    out_of_cache = 1.6 if samples**2 > CACHED_PUPIL else 1.0
    return tiles * (tiles + 1) / 2 * (samples**2 * (16 + 0.4 * side) * out_of_cache + 0.5 * samples * side**2)


def grid_nanoseconds(grid: Grid, shared: int) -> float:
    """Time of one function of a symmetric lens; slower if the grid exceeds the cache.

    Args:
        grid: of the angular spectrum.
        shared: functions that use one spectrum.

    Returns:
        In nanoseconds, on the processor that the constants were fitted on.
    """
    length = max(grid.size)
    lit, kept = grid.half_lens + 1, max(grid.band) + 1
    spectrum = 8 * lit**2 + 1.2 * (lit + kept) * length
    out_of_cache = 1 + 0.25 * max(0.0, 2 * math.log2(length) - 21)
    return (11 * kept**2 + spectrum / shared) * out_of_cache
