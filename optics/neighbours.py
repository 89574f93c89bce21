"""What a lens' meta-atoms do otherwise than the local periodic approximation says, by supercells of its zones.

Supercells (:mod:`metalens.optics.rcwa.supercell`) know a zone by the slope of its phase. Between their slopes, fields
and wavelengths the correction of the wanted order, an amplitude and a phase, is linear; without a slope there is none,
for the neighbours are equal there. With a the azimuth of the plane of incidence from the direction along which the
phase falls, amplitude and phase are quadratic in cos a through their values at 0, 90 and 180°. At normal incidence that
is exact: of light linearly polarised at the angle a from a grating's vector, which transmits t across and t' along it,
the field in the same polarisation is t cos² a + t' sin² a. What is turned into the other polarisation is left out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.verification import ORDERS, Verification, VerifiedZone
from metalens.optics.pytree import register_dataclass

BEYOND_SLOPE = 1.35
"""Largest slope of a lens in units of the largest one verified; between whole numbers of sites, 3 and 4 differ so."""

LEAST_LOCAL = 0.05
"""Share by the local approximation under which a zone does not form the image; ratios to it are held."""


@register_dataclass
@dataclass(frozen=True)
class Neighbours:
    """Correction of the wanted order, and light that goes elsewhere; a JAX pytree.

    Attributes:
        slope: ``[slope]`` of the phase in turns per metre, ascending from 0.
        sine: ``[field]`` sines of the angles of incidence in air, ascending.
        wavelength: ``[wavelength]`` in metres, ascending.
        amplitude: ``[wavelength, field, (s, p), azimuth, slope]`` by which the wanted order is multiplied, at the
            azimuths 0, 90 and 180°.
        phase: of the same shape, in radians, that is added.
        stray: ``[wavelength, field, azimuth, slope, order]`` share of unpolarised light in the orders −3 to 3 besides
            what the local approximation has there; 0 for the wanted one.
        veil: whether that light is a part of the point spread functions; static under tracing.
    """

    slope: np.ndarray | jax.Array
    sine: np.ndarray | jax.Array
    wavelength: np.ndarray | jax.Array
    amplitude: np.ndarray | jax.Array
    phase: np.ndarray | jax.Array
    stray: np.ndarray | jax.Array
    veil: bool = field(default=True, metadata={"static": True})

    def factor(self, slope: jax.Array, direction: jax.Array, wavelength: jax.Array, polarisation: int) -> jax.Array:
        """Complex factor of the wanted order.

        Args:
            slope: ``[..., (y, x)]`` gradient of the lens' phase in turns per metre.
            direction: ``[2]`` direction cosines (y, x) of the light.
            wavelength: in metres, one number.
            polarisation: 0 for s and 1 for p, of the plane of incidence; of light along the axis, of the x–z plane.

        Returns:
            ``[...]``.
        """
        steepness, cosine = _azimuth(slope, direction)
        amplitude, phase = (
            _quadratic(self._at(table, direction, wavelength)[polarisation], self.slope, steepness, cosine)
            for table in (self.amplitude, self.phase)
        )
        amplitude = jnp.maximum(amplitude, 0.0)
        return jax.lax.complex(amplitude * jnp.cos(phase), amplitude * jnp.sin(phase))

    def power(self, slope: jax.Array, direction: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Factor ``[...]`` of the wanted order's power of unpolarised light; arguments as of :meth:`factor`.

        Args:
            slope: ``[..., (y, x)]``.
            direction: ``[2]``.
            wavelength: in metres, one number.

        Returns:
            ``[...]``, 1 where neighbours change nothing.
        """
        s, p = (jnp.square(jnp.abs(self.factor(slope, direction, wavelength, each))) for each in (0, 1))
        return 0.5 * (s + p)

    def stray_share(
        self, slope: jax.Array, direction: jax.Array, wavelength: jax.Array, order: int | jax.Array
    ) -> jax.Array:
        """Share ``[...]`` of unpolarised light in another order; arguments as of :meth:`factor`.

        Args:
            slope: ``[..., (y, x)]``.
            direction: ``[2]``.
            wavelength: in metres, one number.
            order: of the lens' phase, −3 to 3.

        Returns:
            ``[...]`` from 0 to 1, of the light that meets the lens.
        """
        steepness, cosine = _azimuth(slope, direction)
        table = jnp.take(self._at(self.stray, direction, wavelength), order - ORDERS[0], axis=-1)
        return jnp.clip(_quadratic(table, self.slope, steepness, cosine), 0.0, 1.0)

    def _at(self, table: np.ndarray | jax.Array, direction: jax.Array, wavelength: jax.Array) -> jax.Array:
        sine = jnp.sqrt(jnp.sum(jnp.square(jnp.asarray(direction))) + 1e-20)
        of_colour = _between(jnp.asarray(self.wavelength), jnp.asarray(table), wavelength)
        return _between(jnp.asarray(self.sine), of_colour, sine)

    def check(self, wavelength: object) -> None:
        """Make sure that the supercells cover these wavelengths in metres; outside jit.

        Raises:
            InputError: one of them lies outside.
        """
        values, known = np.atleast_1d(np.asarray(wavelength, dtype=float)), np.asarray(self.wavelength, dtype=float)
        outside = values[(values < known[0] - 1e-12) | (values > known[-1] + 1e-12)]
        if outside.size:
            raise InputError(
                f"lens.neighbours: {1e9 * outside[0]:.5g} nm lies outside the wavelengths of the verification, "
                f"{1e9 * known[0]:.5g} to {1e9 * known[-1]:.5g} nm; verify the lens with more --wavelengths-nm, or "
                "simulate others."
            )

    def check_field(self, sine: float) -> None:
        """Make sure that the supercells cover a field; outside jit.

        Args:
            sine: of its angle of incidence in air.

        Raises:
            InputError: it lies beyond.
        """
        largest = float(np.asarray(self.sine)[-1])
        if sine > largest + 1e-4:
            raise InputError(
                f"lens.neighbours: a field at {np.degrees(np.arcsin(sine)):.3g}° lies beyond the verification, which "
                f"goes to {np.degrees(np.arcsin(largest)):.3g}°; verify the lens with larger --fields-deg."
            )


def _azimuth(slope: jax.Array, direction: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Length ``[...]`` of the slope, and the cosine of the azimuth of the plane of incidence."""
    steepness = jnp.sqrt(jnp.sum(jnp.square(slope), axis=-1) + 1e-12)
    # Light along the axis has any plane of incidence: that of x–z.
    along = jnp.asarray(direction) + jnp.asarray([0.0, 1e-9])
    along = along / jnp.sqrt(jnp.sum(jnp.square(along)))
    return steepness, -(slope[..., 0] * along[0] + slope[..., 1] * along[1]) / steepness


def _between(nodes: jax.Array, table: jax.Array, value: jax.Array) -> jax.Array:
    """``[...]`` linearly between the entries ``[node, ...]`` of a table; beyond its ends, those."""
    if len(nodes) == 1:
        return table[0]
    place = jnp.interp(value, nodes, jnp.arange(len(nodes), dtype=float))
    cell = jnp.clip(jnp.floor(jax.lax.stop_gradient(place)), 0, len(nodes) - 2).astype(int)
    return table[cell] + (place - cell) * (table[cell + 1] - table[cell])


def _quadratic(table: jax.Array, nodes: np.ndarray | jax.Array, slope: jax.Array, cosine: jax.Array) -> jax.Array:
    towards, across, away = (jnp.interp(slope, jnp.asarray(nodes), each) for each in table)
    return across + 0.5 * (towards - away) * cosine + (0.5 * (towards + away) - across) * jnp.square(cosine)


LARGEST_UNCERTAINTY = 0.1
"""Uncertainty of the wanted order's amplitude, relative: a correction that is smaller than its uncertainty is refused
beyond it.
"""

_log = logging.getLogger(__name__)


def neighbours_of(found: Verification, *, flat_cells: bool, orders: tuple[int, ...], veil: bool = True) -> Neighbours:
    """The correction that a verification implies.

    Where planes of incidence across the zones were not verified (``--sagittal``), they are those at normal incidence,
    where s and p change places: the component of the light along a grating's lines changes its orders in the second
    order only.

    At a wavelength, field and polarisation where the correction is smaller than its own uncertainty, root mean square
    over zones and azimuths, the local values are kept, which is logged.

    Args:
        found: of the lens, or of another one of the same meta-atoms.
        flat_cells: whether the lens has a structure, whose flat cells lose sinc²(1/N) by themselves.
        orders: of the lens' phase that it sends light into by itself; a structure all of them.
        veil: whether light of other orders is a part of the point spread functions.

    Returns:
        Tables of factors and shares over steepness, angle, wavelength and polarisation.

    Raises:
        InputError: the verification was made before it told all orders and its uncertainty, or that exceeds both the
            correction and :data:`LARGEST_UNCERTAINTY`.
    """
    if any(len(zone.order_shares) != len(ORDERS) or zone.uncertainty is None for zone in found.zones):
        raise InputError(
            "lens.neighbours: the verification does not tell the shares of all orders and its uncertainty, as those of "
            "earlier versions did not; verify the lens again."
        )
    wavelengths = sorted({zone.wavelength_nm for zone in found.zones})
    fields = sorted({zone.field_deg for zone in found.zones})
    counts = sorted({zone.pillars for zone in found.zones}, reverse=True)
    first = found.zones[0]
    pitch = first.wavelength_nm * 1e-9 / first.deflection_sine / first.pillars
    rows = {_key(zone): _values(zone, flat_cells, orders) for zone in found.zones}
    for unsure in _less_than_uncertain(found, rows):
        rows[unsure][:2] = [1.0, 0.0]
    axes = (wavelengths, fields, "sp", (0, 90, 180), counts)
    flat = [_row(rows, (colour, at, turn, name, count)) for colour, at, name, turn, count in product(*axes)]
    whole = np.array(flat).reshape(*map(len, axes), -1)
    # Without a slope all neighbours are equal: nothing is to be corrected, and stray light is as in the widest zone.
    start = whole[..., :1, :].copy()
    start[..., :2] = [1.0, 0.0]
    if flat_cells:
        start[..., 2:] = 0.0
    whole = np.concatenate([start, whole], axis=-2)
    return Neighbours(
        slope=np.array([0.0, *(1 / (count * pitch) for count in counts)]),
        sine=np.sin(np.radians(fields)),
        wavelength=1e-9 * np.array(wavelengths),
        amplitude=whole[..., 0],
        phase=np.unwrap(whole[..., 1], axis=-1),
        stray=whole[..., 2:].mean(axis=2),
        veil=veil,
    )


_Key = tuple[float, float, int, str, int]


def _key(zone: VerifiedZone) -> _Key:
    return zone.wavelength_nm, zone.field_deg, round(zone.azimuth_deg), zone.polarisation, zone.pillars


def _values(zone: VerifiedZone, flat_cells: bool, orders: tuple[int, ...]) -> np.ndarray:
    """Amplitude and phase of the factor, and the stray share of each order."""
    flat = 1.0 if flat_cells else float(np.sinc(1 / zone.pillars)) ** 2
    gain = zone.supercell / max(zone.local / flat, LEAST_LOCAL)
    held = [each for each in ORDERS if flat_cells or each in orders]
    own = [zone.local_order_shares[ORDERS.index(each)] * gain if each in held else 0.0 for each in ORDERS]
    stray = [max(0.0, share - local) for share, local in zip(zone.order_shares, own, strict=True)]
    stray[ORDERS.index(1)] = 0.0
    return np.array([np.sqrt(gain), zone.phase_error_rad, *stray])


def _less_than_uncertain(found: Verification, rows: dict[_Key, np.ndarray]) -> list[_Key]:
    """Rows whose correction is smaller than its uncertainty.

    Raises:
        InputError: that is more than :data:`LARGEST_UNCERTAINTY`.
    """
    groups: dict[tuple[float, float, str], list[VerifiedZone]] = {}
    for zone in found.zones:
        groups.setdefault((zone.wavelength_nm, zone.field_deg, zone.polarisation), []).append(zone)
    unsure = []
    for (colour, field_deg, polarisation), zones in groups.items():
        amplitude, phase = np.array([rows[_key(zone)][:2] for zone in zones]).T
        size = float(np.sqrt(np.mean(np.abs(amplitude * np.exp(1j * phase) - 1) ** 2)))
        uncertainty = float(np.sqrt(np.mean([(zone.uncertainty or 0.0) ** 2 for zone in zones])))
        if uncertainty <= size:
            continue
        told = (
            f"lens.neighbours: at {colour:g} nm, {field_deg:.3g}° and {polarisation} the correction changes amplitudes "
            f"by {size:.2g}, and is uncertain by {uncertainty:.2g}"
        )
        if uncertainty > LARGEST_UNCERTAINTY:
            raise InputError(
                f"{told}; verify the lens with more --constant-phases or --orders-per-pillar, or leave out "
                "lens.neighbours."
            )
        _log.warning("%s; the local values are kept there", told)
        unsure += [_key(zone) for zone in zones]
    return unsure


def _row(rows: dict[_Key, np.ndarray], key: _Key) -> np.ndarray:
    """The row of an incidence, or the one that stands for it."""
    if key in rows:
        return rows[key]
    colour, at, turn, name, count = key
    if turn == 180:
        return rows[colour, at, 0, name, count]
    other = "p" if name == "s" else "s"
    axis = min(angle for _, angle, *_ in rows)
    return rows[colour, axis, 0, other, count]
