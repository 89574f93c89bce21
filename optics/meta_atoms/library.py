"""A library of meta-atoms: their complex transmission over geometry and wavelength.

It is computed elsewhere (rigorous coupled-wave analysis) or published; this is its record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.meta_atoms.oblique import ObliqueTables, between_angles
from metalens.optics.pytree import register_dataclass

LARGEST_DUTY = 1.0
"""A geometry up to this and above a millimetre is a duty cycle: no meta-atom is as wide as a millimetre."""


@register_dataclass
@dataclass(frozen=True)
class MetaAtomLibrary:
    """Complex transmission of a periodic array of equal meta-atoms, against their geometry and the wavelength.

    Make one with :func:`meta_atom_library`, which checks it.

    Attributes:
        geometry: ``[geometry]`` ascending; a width in metres, or a duty cycle from 0 to 1.
        wavelength: ``[wavelength]`` ascending, in metres.
        transmission: ``[geometry, wavelength]`` complex amplitude behind the array over that before it.
        empty: ``[wavelength]`` transmission of a site without a meta-atom; None if unknown.
        height_slope: ``[geometry, wavelength]`` complex ∂ ln t/∂h in 1/m, h the height of the meta-atoms; or None.
        index_slope: ``[geometry, wavelength]`` complex ∂ ln t/∂n, n the refractive index of the meta-atoms; or None.
        oblique: the same tables over polarisation and angle. None uses those above, of normal incidence, at all angles.
    """

    geometry: np.ndarray | jax.Array
    wavelength: np.ndarray | jax.Array
    transmission: np.ndarray | jax.Array
    empty: np.ndarray | jax.Array | None = None
    height_slope: np.ndarray | jax.Array | None = None
    index_slope: np.ndarray | jax.Array | None = None
    oblique: ObliqueTables | None = None

    def at(self, geometry: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Complex transmission, interpolated in the table.

        Amplitude and phase are interpolated linearly each, so that pillars without loss stay so between the samples;
        neighbouring samples have to differ by less than a quarter of a turn. Outside the table
        the values at its border are used, since nothing can be raised while JAX traces: call :func:`check_range` first.

        Args:
            geometry: ``[...]`` in the library's unit.
            wavelength: ``[...]`` in metres; shapes broadcast.

        Returns:
            ``[...]`` complex, of magnitude 1 at most.
        """
        return _interpolated(
            jnp.asarray(self.geometry),
            jnp.asarray(self.wavelength),
            jnp.asarray(self.transmission),
            geometry,
            wavelength,
        )


# Outside of another compiled function some forty small ones would be compiled for each shape.
@jax.jit
def _interpolated(
    geometries: jax.Array, wavelengths: jax.Array, table: jax.Array, geometry: jax.Array, wavelength: jax.Array
) -> jax.Array:
    """See :meth:`MetaAtomLibrary.at`."""
    row, down = _cell(geometries, geometry)
    column, right = _cell(wavelengths, wavelength)
    corners = [table[row + i, column + j] for i in (0, 1) for j in (0, 1)]
    weights = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
    start = corners[0] / jnp.abs(corners[0])
    amplitude = sum(weight * jnp.abs(corner) for weight, corner in zip(weights, corners, strict=True))
    # Phases relative to the first corner are small, so that they are not wrapped.
    turns = [jnp.angle(corner * jnp.conj(start)) for corner in corners]
    turn = sum(weight * turn for weight, turn in zip(weights, turns, strict=True))
    return start * jax.lax.complex(amplitude * jnp.cos(turn), amplitude * jnp.sin(turn))


def at_incidence(library: MetaAtomLibrary, polarisation: int, squared_sine: jax.Array) -> MetaAtomLibrary:
    """The library at one polarisation and angle, as one without angles.

    Args:
        library: with tables over angles.
        polarisation: 0 for s, 1 for p.
        squared_sine: sin² of the angle of incidence in air, a scalar.

    Returns:
        A library of tables ``[geometry, wavelength]``.
    """
    tables = library.oblique
    assert tables is not None
    nodes = jnp.asarray(tables.squared_sine)
    found: dict[str, Any] = {}
    for name in ("transmission", "empty", "height_slope", "index_slope"):
        table = getattr(tables, name)
        if table is None:
            continue
        of_angle = jnp.asarray(table)[polarisation]
        if name.endswith("slope"):
            number = jnp.interp(squared_sine, nodes, jnp.arange(len(nodes), dtype=float))
            low = jnp.clip(jnp.floor(number), 0, len(nodes) - 2).astype(int)
            found[name] = of_angle[low] + (number - low) * (of_angle[low + 1] - of_angle[low])
        else:
            found[name] = between_angles(nodes, of_angle, squared_sine)
    return replace(library, oblique=None, **found)


def at_each_angle(library: MetaAtomLibrary, polarisation: int) -> MetaAtomLibrary:
    """The libraries of all angles at one polarisation, stacked along a first axis of each table, for ``jax.vmap``.

    Args:
        library: with tables over angles.
        polarisation: 0 for s, 1 for p.

    Returns:
        A library of tables ``[angle, geometry, wavelength]``.
    """
    tables = library.oblique
    assert tables is not None
    count = len(tables.squared_sine)
    found: dict[str, Any] = {
        name: None if getattr(tables, name) is None else jnp.asarray(getattr(tables, name))[polarisation]
        for name in ("transmission", "empty", "height_slope", "index_slope")
    }
    axes = {
        name: jnp.broadcast_to(jnp.asarray(getattr(library, name)), (count, len(getattr(library, name))))
        for name in ("geometry", "wavelength")
    }
    return replace(library, oblique=None, **axes, **found)


def _cell(samples: jax.Array, value: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Number of the interval that holds the value, and the place in it from 0 to 1."""
    index = jnp.clip(jnp.searchsorted(samples, jnp.asarray(value), side="right") - 1, 0, len(samples) - 2)
    place = (value - samples[index]) / (samples[index + 1] - samples[index])
    return index, jnp.clip(place, 0, 1)


def meta_atom_library(
    geometry: np.ndarray,
    wavelength: np.ndarray,
    transmission: np.ndarray,
    *,
    empty: np.ndarray | None = None,
    height_slope: np.ndarray | None = None,
    index_slope: np.ndarray | None = None,
    oblique: ObliqueTables | None = None,
) -> MetaAtomLibrary:
    """A library of meta-atoms, checked.

    Args:
        geometry: ``[geometry]`` ascending; a width in metres, or a duty cycle.
        wavelength: ``[wavelength]`` ascending, in metres.
        transmission: ``[geometry, wavelength]`` complex.
        empty: ``[wavelength]`` complex, where a meta-atom is missing.
        height_slope: ``[geometry, wavelength]`` complex ∂ ln t/∂h in 1/m.
        index_slope: ``[geometry, wavelength]`` complex ∂ ln t/∂n.
        oblique: the same tables over polarisation and angle.

    Returns:
        The library, its tables as real and imaginary parts that JAX can differentiate.

    Raises:
        InputError: the axes do not ascend, the shapes do not fit, or a value is not finite, or a transmission is
            zero or more than 1.
    """
    axes = {"geometry": np.asarray(geometry, dtype=float), "wavelength": np.asarray(wavelength, dtype=float)}
    for name, axis in axes.items():
        if axis.ndim != 1 or len(axis) < 2 or not np.isfinite(axis).all() or (np.diff(axis) <= 0).any():
            raise InputError(f"meta-atom library: {name} must be two or more finite numbers that ascend; sort them.")
        if axis[0] <= 0:
            raise InputError(f"meta-atom library: {name} begins with {axis[0]:g}, positive numbers were expected.")
    shape = (len(axes["geometry"]), len(axes["wavelength"]))
    table = _checked("transmission", transmission, shape, "[geometry, wavelength]")
    amplitude = np.abs(table)
    if amplitude.min() == 0 or amplitude.max() > 1 + 1e-4:
        raise InputError(
            f"meta-atom library: amplitudes from {amplitude.min():.4g} to {amplitude.max():.4g}, expected more than 0 "
            "and at most 1; normalise them to the light that falls on the array."
        )
    slopes = {"height_slope": height_slope, "index_slope": index_slope}
    return MetaAtomLibrary(
        axes["geometry"],
        axes["wavelength"],
        table,
        None if empty is None else _checked("empty", empty, shape[1:], "[wavelength]"),
        **{
            name: None if slope is None else _checked(name, slope, shape, "[geometry, wavelength]")
            for name, slope in slopes.items()
        },
        oblique=oblique,
    )


def _checked(name: str, values: np.ndarray, shape: tuple[int, ...], axes: str) -> np.ndarray:
    table = np.asarray(values, dtype=complex)
    if table.shape != shape:
        raise InputError(f"meta-atom library: {name} has the shape {table.shape}, expected {axes} {shape}.")
    if not np.isfinite(table).all():
        raise InputError(f"meta-atom library: {name} holds NaN or infinity; every value must be finite.")
    return table.astype(np.complex64)


def check_range(library: MetaAtomLibrary, *, wavelength: object = (), geometry: object = ()) -> None:
    """Check that wavelengths and geometries lie inside the table; for concrete numbers, outside jit.

    Args:
        library: the table.
        wavelength: one or more, in metres.
        geometry: one or more, in the library's own unit.

    Raises:
        InputError: one of them lies outside the table.
    """
    for name, wanted, axis, scale, unit in (
        ("wavelength", wavelength, library.wavelength, 1e9, " nm"),
        ("geometry", geometry, library.geometry, 1.0, ""),
    ):
        values, table = np.asarray(wanted, dtype=float).ravel(), np.asarray(axis, dtype=float)
        # A tolerance of 1e-6 for values that were rounded to float32.
        outside = values[~((values >= table[0] * (1 - 1e-6)) & (values <= table[-1] * (1 + 1e-6)))]
        if outside.size:
            raise InputError(
                f"meta-atom library: {name} {scale * outside[0]:.6g}{unit} lies outside the table, which goes from "
                f"{scale * table[0]:.6g} to {scale * table[-1]:.6g}{unit}; stay inside, or extend the library."
            )


def check_width_error(library: MetaAtomLibrary, error: float) -> None:
    """Refuse a width error of more than half of the library's range.

    Args:
        library: of the meta-atoms.
        error: common to all geometries, in the library's unit.

    Raises:
        InputError: it is larger.
    """
    span = float(library.geometry[-1] - library.geometry[0])
    if not abs(error) < 0.5 * span:
        raise InputError(
            f"meta-atoms: width_error {error:g} is more than half of the library's range of geometries, {span:g}; give "
            "it in the library's unit."
        )


def is_duty_cycle(library: MetaAtomLibrary) -> bool:
    """Whether the library's geometry is a duty cycle, not a width in metres; for concrete numbers."""
    return bool(1e-3 < float(np.asarray(library.geometry)[-1]) <= LARGEST_DUTY)


def width_unit(library: MetaAtomLibrary, pitch: float | None) -> float:
    """Metres in one unit of the library's geometry: 1, or the pitch of a library over duty cycles.

    Args:
        library: of the lens' meta-atoms.
        pitch: of the meta-atoms in metres, if it is known.

    Returns:
        In metres.

    Raises:
        InputError: the library is over duty cycles, and the pitch is not known.
    """
    if not is_duty_cycle(library):
        return 1.0
    if pitch is None:
        raise InputError(
            "fabrication: a width error in nm of a library over duty cycles needs the pitch of the meta-atoms; "
            "give [lens.meta_atoms] with pitch_nm."
        )
    return pitch
