"""Fabrication errors: those common to all meta-atoms, and independent ones of each meta-atom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from metalens.formats.files.errors import InputError
from metalens.optics.aperture import Annulus, Aperture, Polygon
from metalens.optics.meta_atoms import MetaAtomLibrary, MetaAtoms
from metalens.optics.meta_atoms.library import at_each_angle
from metalens.optics.metalens import Metalens
from metalens.optics.phase import Scalar, Stretched
from metalens.optics.pytree import register_dataclass

META_ATOM_ERRORS = ("width_error", "width_spread", "height_error", "index_error", "missing_share")
"""Errors that are defined only for a lens with meta-atoms."""


@register_dataclass
@dataclass(frozen=True)
class Fabrication:
    """Fabrication errors of a lens relative to its design; a JAX pytree. None means no such error.

    Attributes:
        width_error: added to the geometry of every meta-atom, in the library's unit.
        width_spread: standard deviation of a further error of each meta-atom's geometry, independent of its
            neighbours', in the library's unit.
        height_error: added to the height of all meta-atoms, in metres.
        index_error: added to their refractive index.
        missing_share: share of the meta-atoms that are missing, 0..1.
        pitch_error: relative stretch of all lengths in the plane of the lens.
    """

    width_error: Scalar | None = None
    width_spread: Scalar | None = None
    height_error: Scalar | None = None
    index_error: Scalar | None = None
    missing_share: Scalar | None = None
    pitch_error: Scalar | None = None


def fabricated(lens: Metalens, errors: Fabrication) -> Metalens:
    """Apply fabrication errors to a lens; differentiable with respect to the lens and the errors.

    Errors already on the lens are accumulated. A pitch error stretches the phase and the lens' own opening; a stop in
    front of the lens, glass and sensor stay as they are.

    Args:
        lens: the nominal lens.
        errors: meta-atom errors require a :class:`metalens.optics.MetaAtoms` response or a structure.

    Returns:
        A lens with the errors; the nominal one stays as it is.

    Raises:
        InputError: a meta-atom error for a lens without meta-atoms.
    """
    named = {name: getattr(errors, name) for name in META_ATOM_ERRORS if getattr(errors, name) is not None}
    if named and lens.structure is not None and lens.structure.acts_on_polarisation:
        raise InputError(
            f"fabrication: {' and '.join(named)} of meta-atoms that act on polarisation are not known, as their "
            "libraries are not interpolated; leave them out."
        )
    if named and lens.structure is not None:
        lens = replace(lens, structure=_built_with_errors(lens.structure, errors))
    elif named:
        if not isinstance(lens.response, MetaAtoms):
            raise InputError(
                f"fabrication: {' and '.join(named)} needs a lens of meta-atoms, and the response of this one is "
                f"{type(lens.response).__name__}; give it a [lens.response] with a library, or leave the error out."
            )
        lens = replace(lens, response=_with_errors(lens.response, named))
    if errors.pitch_error is not None:
        lens = _stretched(lens, 1 + errors.pitch_error)
    return lens


def errors_of_atoms(library: MetaAtomLibrary, errors: Fabrication) -> MetaAtoms:
    """Meta-atoms of a library with fabrication errors, for their mean transmission and energy.

    Args:
        library: of the meta-atoms.
        errors: of fabrication; a pitch error changes nothing here.

    Returns:
        A response whose table and geometry have the errors.
    """
    named = {name: getattr(errors, name) for name in META_ATOM_ERRORS if getattr(errors, name) is not None}
    return _with_errors(MetaAtoms(library, jnp.asarray(library.wavelength)[0]), named)


def _built_with_errors(structure: Any, errors: Fabrication) -> Any:
    """A structure with errors: everything except the width error is folded into the averaged library.

    Every kind of structure has a library and a width error.
    """
    library, width_error = structure.library, errors.width_error
    if errors.missing_share is not None and library.empty is None:
        raise InputError(
            "fabrication: missing_share needs a library that knows what an empty site lets through, as `metalens "
            "library build` makes them; leave it out."
        )
    changed: dict[str, Any] = {"library": _mean_library(library, replace(errors, width_error=None))}
    if width_error is not None:
        changed["width_error"] = structure.width_error + width_error
    return replace(structure, **changed)


def _mean_library(library: MetaAtomLibrary, errors: Fabrication) -> MetaAtomLibrary:
    """The library with the mean transmission of its meta-atoms, at each of its angles."""

    def mean(seen: MetaAtomLibrary) -> jax.Array:
        geometry, wavelength = jnp.asarray(seen.geometry)[:, None], jnp.asarray(seen.wavelength)
        return errors_of_atoms(seen, errors).moments(geometry, wavelength)[0]

    averaged = replace(library, transmission=mean(replace(library, oblique=None)))
    if library.oblique is None:
        return averaged
    tables = jnp.stack([jax.vmap(mean)(at_each_angle(library, each)) for each in (0, 1)])
    return replace(averaged, oblique=replace(library.oblique, transmission=tables))


def _with_errors(response: MetaAtoms, named: dict[str, Scalar]) -> MetaAtoms:
    changed: dict[str, Any] = {}
    for name, error in named.items():
        before = getattr(response, name)
        if before is None:
            changed[name] = error
        elif name == "width_spread":
            # Variances of independent errors add; the tiny number keeps the derivative at 0 finite.
            changed[name] = (before**2 + error**2 + 1e-30) ** 0.5
        elif name == "missing_share":
            changed[name] = 1 - (1 - before) * (1 - error)
        else:
            changed[name] = before + error
    return replace(response, **changed)


def _stretched(lens: Metalens, factor: Scalar) -> Metalens:
    structure: Any = lens.structure
    if structure is not None:
        length = next(name for name in ("pitch", "spacing") if hasattr(structure, name))
        structure = replace(structure, **{length: getattr(structure, length) * factor})
    return replace(
        lens,
        structure=structure,
        phase=Stretched(lens.phase, factor),
        second_phase=None if lens.second_phase is None else Stretched(lens.second_phase, factor),
        aperture=_stretched_aperture(lens.aperture, factor),
        aperture_diameter=lens.aperture_diameter * factor,
    )


def _stretched_aperture(aperture: Aperture, factor: Scalar) -> Aperture:
    if isinstance(aperture, Annulus):
        return Annulus(aperture.inner_diameter * factor)
    if isinstance(aperture, Polygon):
        return Polygon(aperture.vertices * factor)
    return aperture


def library_of(lens: Metalens) -> MetaAtomLibrary | None:
    """The library of the lens' meta-atoms; None if it has none."""
    if lens.structure is not None:
        built: Any = lens.structure
        found: MetaAtomLibrary = built.library
        return found
    return lens.response.library if isinstance(lens.response, MetaAtoms) else None
