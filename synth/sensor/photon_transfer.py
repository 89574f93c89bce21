"""Calibration of a sensor from flat fields: the photon-transfer curve of EMVA 1288 (release 4.0).

Light has shot noise, so that the temporal variance of the numbers grows with their mean by the system gain K:

    σ²_y − σ²_y.dark = K (µ_y − µ_y.dark)

The four places of the Bayer pattern are evaluated apart and taken together at the end; for a sensor without colours
that changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from metalens.formats.captures.flat_fields import FlatField
from metalens.formats.files.arguments import require_whole
from metalens.formats.files.errors import InputError

LINEAR_SHARE = 0.7
"""Share of saturation to which EMVA 1288 fits the photon-transfer curve."""

QUANTISATION_VARIANCE = 1 / 12
LEAST_DARK_VARIANCE = 0.24
"""In DN²: below, the temporal dark noise is not known for the steps of the numbers, and EMVA 1288 states this limit."""

LARGEST_FLICKER = 0.5
"""Share of the mean light of a level: by more its frames differ only if they are of several levels."""

FEWEST_LEVELS = 3
_EMPTIED = 0.5  # share of the largest variance below which a level has lost its noise to clipping


@dataclass(frozen=True)
class SensorCalibration:
    """Calibration of a sensor from flat fields, in the terms of EMVA 1288.

    Attributes:
        pixels: rows, columns.
        bit_depth: of the numbers.
        system_gain: K in DN per electron.
        read_noise_e: temporal dark noise σ_d; shot noise of the dark signal included.
        black_level_dn: mean of the dark frames, dark signal included.
        dsnu_e: DSNU1288.
        prnu_percent: PRNU1288, without the smooth shading of the light.
        full_well_e: where the saturated levels stay.
        saturation_capacity_e: µ_e.sat, where the temporal variance is largest.
        levels: of light, in all.
        levels_fitted: those below 70 % of saturation.
        limited_by_quantisation: ``read_noise_e`` is only a bound from above.
        step: of the files' numbers: those that the sensor gave are theirs over it, and all else here is of those.
    """

    pixels: tuple[int, int]
    bit_depth: int
    system_gain: float
    read_noise_e: float
    black_level_dn: float
    dsnu_e: float
    prnu_percent: float
    full_well_e: float
    saturation_capacity_e: float
    levels: int
    levels_fitted: int
    limited_by_quantisation: bool
    step: float = 1.0

    def sensor_table(self) -> dict[str, float | int | list[int]]:
        """Calibrated keys of ``[sensor]``, rounded to their accuracy."""
        measured = {
            "full_well_e": self.full_well_e,
            "read_noise_e": self.read_noise_e,
            "black_level_dn": self.black_level_dn,
            "system_gain_dn_per_e": self.system_gain,
            "dsnu_e": self.dsnu_e,
            "prnu_percent": self.prnu_percent,
        }
        rounded = {key: float(f"{value:.5g}") for key, value in measured.items()}
        return {"pixels": list(self.pixels), "bit_depth": self.bit_depth, **rounded}


@dataclass(frozen=True)
class _Level:
    """Statistics of one level, each ``[place of the Bayer pattern]``: mean, temporal and spatial variance in DN."""

    name: str
    pixels: tuple[int, int]
    largest: float
    flicker: float
    """Difference of the brightest and the darkest frame's mean in DN."""
    mean: np.ndarray
    temporal: np.ndarray
    spatial: np.ndarray
    used: np.ndarray
    """The numbers that occur, ascending."""

    def over(self, step: float) -> _Level:
        """The same of numbers that are divided by a step."""
        return replace(
            self,
            largest=float(np.rint(self.largest / step)),
            flicker=self.flicker / step,
            mean=self.mean / step,
            temporal=self.temporal / step**2,
            spatial=self.spatial / step**2,
        )


def calibrate_sensor(flats: Iterable[FlatField], dark: FlatField, *, bit_depth: int | None = None) -> SensorCalibration:
    """Recover gain, noise, non-uniformity and full well from flat fields.

    Args:
        flats: levels of light from dark to saturated, of at least two frames each, evenly lit.
        dark: at least two frames without light, exposed as long.
        bit_depth: of the numbers; by default the smallest that holds them all.

    Returns:
        Gain in DN per electron, noise in electrons, non-uniformity in per cent, full well in electrons, by EMVA 1288.

    Raises:
        InputError: frames are unequal or too few, processed, hold no noise, are all saturated, or none is.
    """
    black = _statistics(dark, shaded=False)
    levels = [_statistics(flat, shaded=True) for flat in flats]
    step = _step([black, *levels])
    black, levels = black.over(step), [level.over(step) for level in levels]
    for level in levels:
        _check(level, black)
    if len(levels) <= FEWEST_LEVELS:
        found = "1 level of light is" if len(levels) == 1 else f"{len(levels)} levels of light are"
        raise InputError(
            f"calibration: {found} too few; give more than {FEWEST_LEVELS}, from dark to saturated: a folder for each "
            "level, or the stacks themselves."
        )
    levels.sort(key=lambda level: float(level.mean.mean()))
    bits = _bit_depth(max(levels, key=lambda level: level.largest), bit_depth)
    mean = np.stack([level.mean for level in levels]) - black.mean
    variance = np.stack([level.temporal for level in levels]) - black.temporal
    saturation = _saturation(mean, variance, levels[-1].name)
    fitted = mean <= LINEAR_SHARE * saturation
    if fitted.sum(axis=0).min() < FEWEST_LEVELS:
        raise InputError(
            f"calibration: {int(fitted.sum(axis=0).min())} of {len(levels)} levels lie below 70 % of saturation, "
            f"{FEWEST_LEVELS} are needed; the others are saturated or nearly: add darker ones."
        )
    gain = float((mean * variance)[fitted].sum() / (mean**2)[fitted].sum())
    if gain <= 0:
        raise InputError("calibration: the noise does not grow with the light; give raw frames without processing.")
    dark_variance = float(black.temporal.mean())
    read_variance = max(dark_variance, LEAST_DARK_VARIANCE) - QUANTISATION_VARIANCE
    return SensorCalibration(
        pixels=black.pixels,
        bit_depth=bits,
        system_gain=gain,
        read_noise_e=math.sqrt(read_variance) / gain,
        black_level_dn=float(black.mean.mean()),
        dsnu_e=math.sqrt(max(float(black.spatial.mean()), 0.0)) / gain,
        prnu_percent=100 * _response_spread(levels, black, mean, saturation),
        full_well_e=_plateau(mean, variance) / gain,
        saturation_capacity_e=float(saturation.mean()) / gain,
        levels=len(levels),
        levels_fitted=int(fitted.all(axis=1).sum()),
        limited_by_quantisation=dark_variance < LEAST_DARK_VARIANCE,
        step=step,
    )


def _statistics(flat: FlatField, *, shaded: bool) -> _Level:
    frames = flat.frames()
    count, rows, columns = frames.shape
    if count < 2:
        raise InputError(
            f"{flat.name}: holds one frame, at least two of a level are needed to tell noise from pattern."
        )
    if min(rows, columns) < 16:
        raise InputError(f"{flat.name}: frames of {rows} × {columns} are too small, at least 16 × 16 are needed.")
    if frames.min() < 0 or (frames != np.rint(frames)).any():
        raise InputError(f"{flat.name}: holds negative or broken numbers; give the sensor's own, without processing.")
    places = [_place_statistics(frames[:, y::2, x::2], shaded) for y in (0, 1) for x in (0, 1)]
    mean, temporal, spatial = np.array(places).T
    flicker = float(np.ptp(frames.mean(axis=(1, 2), dtype=np.float64)))
    return _Level(flat.name, (rows, columns), float(frames.max()), flicker, mean, temporal, spatial, np.unique(frames))


def _place_statistics(frames: np.ndarray, shaded: bool) -> tuple[float, float, float]:
    """Mean, temporal variance, and spatial variance less what the noise of the mean frame adds to it.

    A flicker of the light moves whole frames; each frame's mean is taken out, which for two frames is EMVA 1288's
    ½⟨(y₁ − y₂)²⟩ − ½(µ₁ − µ₂)².
    """
    count = len(frames)
    levels = frames.mean(axis=(1, 2), dtype=np.float64)
    average = frames.mean(axis=0, dtype=np.float64)
    squares = np.zeros_like(average)
    for frame, level in zip(frames, levels, strict=True):
        squares += (frame - average - (level - levels.mean())) ** 2
    temporal = float(squares.mean()) / (count - 1)
    flat = average - _shading(average) if shaded else average
    return float(levels.mean()), temporal, float(flat.var(ddof=1)) - temporal / count


def _shading(average: np.ndarray) -> np.ndarray:
    """The quadratic surface that fits a frame best: vignetting and uneven light, which are no pixel's own."""
    rows, columns = average.shape
    y, x = np.linspace(-1, 1, rows)[:, None], np.linspace(-1, 1, columns)[None, :]
    surfaces = [np.ones_like(average), y + 0 * x, x + 0 * y, y**2 + 0 * x, y * x, x**2 + 0 * y]
    products = np.array([[float((first * second).mean()) for second in surfaces] for first in surfaces])
    weights = np.linalg.solve(products, [float((surface * average).mean()) for surface in surfaces])
    return np.asarray(sum(weight * surface for weight, surface in zip(weights, surfaces, strict=True)))


def _check(level: _Level, black: _Level) -> None:
    if level.pixels != black.pixels:
        raise InputError(
            f"{level.name}: its frames are {level.pixels[0]} × {level.pixels[1]}, the dark ones {black.pixels[0]} × "
            f"{black.pixels[1]}; calibrate with frames of one size."
        )
    if (level.mean <= black.mean).any():
        raise InputError(f"{level.name}: is not brighter than the dark frames ({black.name}); check which is which.")
    signal = float((level.mean - black.mean).mean())
    if level.flicker > max(LARGEST_FLICKER * signal, 1.0):
        raise InputError(
            f"{level.name}: the means of its frames differ by {level.flicker:.3g} DN, {level.flicker / signal:.0%} of "
            "their light; a level has frames of one light: give each level a folder or a stack of its own."
        )


def _step(levels: list[_Level]) -> float:
    """Step between neighbouring numbers: such as 64 for 10 bits shifted or scaled to 16.

    Steps that are no whole number are rounded in the files, up or down.
    """
    used = np.unique(np.concatenate([level.used for level in levels])).astype(np.int64)
    common = float(np.gcd.reduce(used))
    if common > 1:
        return common
    for bits in range(4, 15):
        step = 65535 / (2**bits - 1)
        if np.abs(used - step * np.rint(used / step)).max() < 1 and len(used) > 1 and np.diff(used).min() > step - 2:
            return step
    return 1.0


def _bit_depth(brightest: _Level, given: int | None) -> int:
    if given is not None:
        require_whole(given, "calibration: bit depth", most=16)
        if given < 4:
            raise InputError(f"calibration: bit depth {given} must lie between 4 and 16.")
    needed = max(4, math.ceil(math.log2(brightest.largest + 1)))
    if needed > (given or 16):
        raise InputError(
            f"{brightest.name}: holds the number {brightest.largest:g}, more than {given or 16} bits do; check the bit "
            "depth."
        )
    return given or needed


def _saturation(mean: np.ndarray, variance: np.ndarray, brightest: str) -> np.ndarray:
    """EMVA 1288's saturation point: the mean where the temporal variance is largest, ``[place]``, dark subtracted."""
    if variance.max() <= 0:
        raise InputError(
            "calibration: no level has more noise than the dark frames; give frames that are no copies and not all "
            "saturated."
        )
    if not (variance[-1] < _EMPTIED * variance.max(axis=0)).any():
        raise InputError(
            f"{brightest}: is the brightest level and not saturated, so that the full well cannot be seen; add "
            "brighter ones."
        )
    return np.take_along_axis(mean, variance.argmax(axis=0)[None], axis=0)[0]


def _plateau(mean: np.ndarray, variance: np.ndarray) -> float:
    """Mean number above dark of the places whose brightest level is saturated."""
    saturated = variance[-1] < _EMPTIED * variance.max(axis=0)
    return float(mean[-1][saturated].mean())


def _response_spread(levels: list[_Level], black: _Level, mean: np.ndarray, saturation: np.ndarray) -> float:
    """PRNU1288 as a share, from the level nearest to half of saturation at each place."""
    nearest = np.abs(mean - 0.5 * saturation).argmin(axis=0)[None]
    spatial = np.stack([level.spatial for level in levels]) - black.spatial
    squares = np.take_along_axis(spatial / mean**2, nearest, axis=0)
    return math.sqrt(max(float(squares.mean()), 0.0))
