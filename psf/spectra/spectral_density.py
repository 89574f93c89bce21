"""Spectral response of each colour channel, including source and filters, as quadrature points."""

from __future__ import annotations

import numpy as np

from metalens.formats.camera.spectral_table import LONGEST_NM, SHORTEST_NM
from metalens.formats.camera.spectrum import CHANNEL_NAMES, Channel, SpectralTables, Spectrum, read_tables
from metalens.formats.files.errors import InputError

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))

GAUSSIAN_REACH = 6.0
"""In standard deviations: 2e-9 of a Gaussian lies beyond."""

LARGEST_LOSS = 0.01
"""Share of a channel's sensitivity that other tables may leave out without being asked to."""

_NODE, _WEIGHT = np.polynomial.legendre.leggauss(4)


def spectral_range(spectrum: Spectrum) -> tuple[float, float]:
    """The wavelengths, in metres, between which a spectrum is known: where its tables overlap, or its bands' reach.

    Beyond its end a table that ends at less than 1 % of its maximum counts as dark.

    Raises:
        InputError: the tables do not overlap, ``range_nm`` leaves one of them, or without ``range_nm`` more than
            1 % of a channel's sensitivity lies where another table has ended in the light.
    """
    if spectrum.channels:
        reach = [GAUSSIAN_REACH * channel.fwhm_nm / FWHM_PER_SIGMA for channel in spectrum.channels]
        pairs = list(zip(spectrum.channels, reach, strict=True))
        return (
            1e-9 * min(channel.centre_nm - each for channel, each in pairs),
            1e-9 * max(channel.centre_nm + each for channel, each in pairs),
        )
    return _table_range(spectrum, read_tables(spectrum))


def spectral_masses(spectrum: Spectrum, splits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quadrature points and the response of each channel there, for integrals over the spectrum.

    From tables a channel sees source × wavelength × filter × quantum efficiency: photons, where the source is given
    as power. The sums are exact for a function that is a polynomial of degree 3 in wavelength between the splits and
    the tables' lines, and to 1e-8 for Gaussian bands.

    Args:
        spectrum: of a camera.
        splits: ``[split]`` wavelengths in metres where the function to integrate may have a kink.

    Returns:
        ``[point]`` wavelengths in metres and ``[channel, point]`` masses. From tables the channels keep their
        relative energy; each Gaussian band sums to 1.

    Raises:
        InputError: as :func:`spectral_range`, or a channel sees nothing.
    """
    if spectrum.channels:
        return _gaussian_masses(spectrum.channels, splits)
    tables = read_tables(spectrum)
    low, high = _table_range(spectrum, tables)
    every = [table for table in (tables.source, tables.sensor, tables.filter) if table is not None]
    edges = np.concatenate([[low, high], splits, *(table.wavelength for table in every)])
    point, width = _points(np.unique(edges[(edges >= low) & (edges <= high)]))
    mass = tables.source.at(point).sum(axis=0) * tables.sensor.at(point) * point * width
    if tables.filter is not None:
        mass *= tables.filter.at(point)
    for name, row in zip(CHANNEL_NAMES, mass, strict=True):
        if row.sum() == 0:
            raise InputError(
                f"spectrum: the {name} channel sees no light between {1e9 * low:g} and {1e9 * high:g} nm; "
                f"{_names(tables)} share no wavelength there; choose another table or a wider range_nm."
            )
    return point, mass


def _points(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre points of every segment between ascending edges, and the length that each stands for."""
    half = 0.5 * np.diff(edges)[:, None]
    return ((edges[:-1, None] + half) + half * _NODE).ravel(), (half * _WEIGHT).ravel()


def _gaussian_masses(channels: tuple[Channel, ...], splits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points, masses = [], []
    for row, channel in enumerate(channels):
        centre, sigma = channel.centre_nm * 1e-9, channel.fwhm_nm * 1e-9 / FWHM_PER_SIGMA
        if sigma == 0:
            point, share = np.array([centre]), np.ones(1)
        else:
            reach = centre + sigma * np.linspace(-GAUSSIAN_REACH, GAUSSIAN_REACH, 49)
            inside = splits[(splits > reach[0]) & (splits < reach[-1])]
            point, width = _points(np.unique(np.concatenate([reach, inside])))
            share = np.exp(-0.5 * ((point - centre) / sigma) ** 2) * width
        points.append(point)
        masses.append(np.zeros((len(channels), len(point))))
        masses[-1][row] = share / share.sum()
    return np.concatenate(points), np.concatenate(masses, axis=1)


def _table_range(spectrum: Spectrum, tables: SpectralTables) -> tuple[float, float]:
    every = [table for table in (tables.source, tables.filter, tables.sensor) if table is not None]
    low, high = max(table.wavelength[0] for table in every), min(table.wavelength[-1] for table in every)
    if spectrum.range_nm is not None:
        for table in every:
            _check_inside(
                spectrum.range_nm, table.wavelength, f"spectrum.range_nm {list(spectrum.range_nm)}", table.name
            )
        return spectrum.range_nm[0] * 1e-9, spectrum.range_nm[1] * 1e-9
    if not low < high:
        covered = ", ".join(
            f"{table.name} {1e9 * table.wavelength[0]:g} to {1e9 * table.wavelength[-1]:g} nm" for table in every
        )
        raise InputError(f"spectrum: the tables do not overlap ({covered}); extend one of them.")
    _check_loss(tables, low, high)
    return low, high


def _check_loss(tables: SpectralTables, low: float, high: float) -> None:
    """Refuse to leave out what the sensor would see beyond the end of another table, unless that one ends dark."""
    others = [table for table in (tables.source, tables.filter) if table is not None]
    point, width = _points(tables.sensor.wavelength)
    beyond = np.zeros(len(point), dtype=bool)
    for table in others:
        total = table.values.sum(axis=0)
        first, last = total[[0, -1]] > LARGEST_LOSS * total.max()
        beyond |= (first & (point < table.wavelength[0])) | (last & (point > table.wavelength[-1]))
    mass = tables.sensor.at(point) * point * width
    lost = mass[:, beyond].sum(axis=1) / mass.sum(axis=1)
    worst = int(lost.argmax())
    if lost[worst] > LARGEST_LOSS:
        between = f"{1e9 * low:.5g} to {1e9 * high:.5g} nm"
        raise InputError(
            f"spectrum: {lost[worst]:.1%} of the {CHANNEL_NAMES[worst]} sensitivity in {tables.sensor.name} lies "
            f"outside {between}, where the other tables end; extend them, or set range_nm to {between} if no "
            "light comes from beyond."
        )


def check_wavelengths(spectrum: Spectrum, wavelength: np.ndarray) -> None:
    """Refuse wavelengths outside the known spectrum.

    Args:
        spectrum: of a camera.
        wavelength: ``[wavelength]`` in metres.

    Raises:
        InputError: one is not finite, given twice, out of 200 nm to 20 µm, or outside the tables; or none lies in the
            bands.
    """
    if wavelength.size == 0 or not np.isfinite(wavelength).all() or len(np.unique(wavelength)) < wavelength.size:
        raise InputError(
            f"psf: wavelengths {', '.join(f'{1e9 * each:g}' for each in wavelength) or 'none'} nm; one or more, each "
            "finite and named once, were expected."
        )
    ends = (1e9 * wavelength.min(), 1e9 * wavelength.max())
    if spectrum.channels:
        _check_inside(ends, 1e-9 * np.array([SHORTEST_NM, LONGEST_NM]), "psf: wavelengths", "the simulation's range")
        low, high = spectral_range(spectrum)
        if not any(low <= each <= high for each in wavelength):
            raise InputError(
                f"psf: wavelengths {ends[0]:.6g} to {ends[1]:.6g} nm: none lies in the camera's bands, which go from "
                f"{1e9 * low:.6g} to {1e9 * high:.6g} nm; give wavelengths that it sees."
            )
    else:
        known = np.array(spectral_range(spectrum))
        _check_inside(ends, known, "psf: wavelengths", _names(read_tables(spectrum)))


def _check_inside(ends_nm: tuple[float, float], known: np.ndarray, place: str, name: str) -> None:
    first, last = 1e9 * known[0], 1e9 * known[-1]
    # A millionth of a nanometre is rounding.
    below, above = first - ends_nm[0], ends_nm[1] - last
    parts = [
        f"{excess:.4g} nm {side} {end:.6g} nm"
        for excess, side, end in [(below, "below", first), (above, "above", last)]
        if excess > 1e-6
    ]
    if parts:
        raise InputError(
            f"{place}: up to {' and '.join(parts)}, where {name} ends; stay within {first:.6g} to {last:.6g} nm, or "
            "give a table that reaches further."
        )


def _names(tables: SpectralTables) -> str:
    named = [table.name for table in (tables.source, tables.filter, tables.sensor) if table is not None]
    return " × ".join(named)
