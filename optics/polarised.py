"""A lens of meta-atoms in the light of one field point: fields whose intensities add, by angle and polarisation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.built import Built
from metalens.optics.corrected import CorrectedLens
from metalens.optics.fabrication import library_of
from metalens.optics.geometric_phase import CircularResponse
from metalens.optics.incidence import Element, LocalIncidence, local_incidence
from metalens.optics.meta_atoms.library import MetaAtomLibrary, at_incidence
from metalens.optics.meta_atoms.response import MetaAtoms
from metalens.optics.metalens import Metalens
from metalens.optics.phase import Phase, Scalar
from metalens.optics.pytree import register_dataclass
from metalens.optics.refraction.refracted_light import RefractedLight
from metalens.optics.response import Response
from metalens.optics.source import PointSource, Source
from metalens.optics.structure.jones_sites import JonesSites

ANGLES = 17
"""Values of sin² θ at which the diffraction orders of a library are computed for light from a near point."""


@register_dataclass
@dataclass(frozen=True)
class UnpolarisedOrder(Response):
    """One diffraction order of both polarisations: their fields have one shape, and the powers' mean is used.

    Attributes:
        polarised: the responses to s and to p.
    """

    polarised: tuple[Response, Response]

    @property
    def orders(self) -> tuple[int, ...]:
        """That of the responses."""
        return self.polarised[0].orders

    @property
    def achromatic(self) -> bool:
        """False."""
        return False

    def coefficients(self, wavelength: jax.Array) -> jax.Array:
        """Root mean square of both amplitudes ``[..., order]``."""
        power = sum(jnp.square(jnp.abs(each.coefficients(wavelength))) for each in self.polarised)
        return jnp.sqrt(0.5 * jnp.asarray(power)).astype(jnp.complex64)


@register_dataclass
@dataclass(frozen=True)
class LocalOrders(Built):
    """The diffraction orders of a library at the local angle of incidence.

    Attributes:
        phase: of the lens.
        response: meta-atoms of a library with angles.
        incidence: of the light, with the element of the Jones matrix.
    """

    phase: Phase
    response: MetaAtoms
    incidence: LocalIncidence

    @property
    def rotationally_symmetric(self) -> bool:
        """False: the light comes from one side."""
        return False

    @property
    def flat_pixel(self) -> Scalar:
        """Side in metres of the phase's flat pixels; the grid is chosen for the lens itself."""
        return 0.0 if self.phase.flat_pixel is None else self.phase.flat_pixel

    def image_order(self, wavelength: jax.Array) -> jax.Array:
        """That of the response at normal incidence."""
        return self.response.image_order(wavelength)

    def transmission(self, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Complex transmission at places of the lens. See :class:`Built`."""
        phase = self.phase.at(y, x)
        total = jnp.zeros(jnp.shape(phase), dtype=jnp.complex64)
        for number, order in enumerate(self.response.orders):
            turn = order * phase
            total = total + self.amplitude(number, y, x, wavelength) * jax.lax.complex(jnp.cos(turn), jnp.sin(turn))
        return total

    def sampled_transmission(
        self, y: jax.Array, x: jax.Array, wavelength: jax.Array, step: Scalar, samples: int = 2
    ) -> jax.Array:
        """Complex transmission on the samples of a uniform grid. See :class:`Built`."""
        if self.phase.flat_pixel is None:
            return self.transmission(y, x, wavelength)
        parts = [
            self.amplitude(number, y, x, wavelength) * self.phase.sampled_phasor(y, x, order, step, samples)
            for number, order in enumerate(self.response.orders)
        ]
        return sum(parts[1:], start=parts[0])

    def amplitude(self, number: int, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Amplitude ``[...]`` of a diffraction order, an element of its Jones matrix.

        Args:
            number: of the order in the response's.
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.
            wavelength: in metres, one number.

        Returns:
            ``[...]`` complex.
        """
        tables = self.response.library.oblique
        assert tables is not None
        node = jnp.linspace(0, 1, ANGLES) * jnp.asarray(tables.squared_sine)[-1]

        def at(squared: jax.Array, polarisation: int) -> jax.Array:
            seen = at_incidence(self.response.library, polarisation, squared)
            return replace(self.response, incident=seen).coefficients(wavelength)[number]

        squared = self.incidence.squared_sine(y, x)
        s, p = (_linear(node, jax.vmap(lambda each, of=of: at(each, of))(node), squared) for of in (0, 1))
        return self.incidence.element_of(s, p, y, x)

    def check(self, wavelength: object) -> None:
        """Make sure that the library holds these wavelengths in metres. See :class:`Built`."""
        self.response.check(wavelength)


def _linear(nodes: jax.Array, values: jax.Array, at: jax.Array) -> jax.Array:
    return jax.lax.complex(*(jnp.interp(at, nodes, part(values)) for part in (jnp.real, jnp.imag)))


def polarised_lenses(lens: Metalens, source: Source) -> tuple[tuple[float, Metalens], ...]:
    """Lenses that respond by the local incidence of the light, and the weights with which their intensities add.

    A lens without a library, or whose library is taken at normal incidence, is itself the only one.

    Args:
        lens: the metalens.
        source: the unpolarised light of one field point.

    Returns:
        Pairs of weight and lens: of a plane wave one for s and one for p, each ½, or one alone if the lens sends light
        into a single diffraction order; of a near point the elements yy, xx and xy of its Jones matrix. Of a geometric
        phase one for each order, whose polarisations differ. Of sites that act on polarisation one for each element of
        their Jones matrices, and of two phases one for each. With neighbours, s and p are always two.
    """
    if lens.neighbours is not None:
        return _with_neighbours(lens, source)
    if isinstance(lens.structure, JonesSites):
        own = {True: lens.second_phase or lens.phase, False: lens.phase}
        return tuple(
            (1.0, replace(lens, structure=sites, phase=own[second], second_phase=None))
            for sites, second in lens.structure.separate()
        )
    if lens.second_phase is not None:
        return tuple((0.5, replace(lens, phase=phase, second_phase=None)) for phase in lens.phases)
    if lens.structure is None and isinstance(lens.response, CircularResponse):
        return tuple((1.0, replace(lens, response=each)) for each in lens.response.separate())
    library = library_of(lens)
    if library is None or library.oblique is None:
        return ((1.0, lens),)
    if isinstance(source, PointSource | RefractedLight):
        elements: tuple[tuple[float, Element], ...] = ((0.5, "yy"), (0.5, "xx"), (1.0, "xy"))
        return tuple((weight, _from_near(lens, local_incidence(lens, source, name))) for weight, name in elements)
    squared = jnp.sum(jnp.square(jnp.asarray(source.direction)))
    s, p = (at_incidence(library, polarisation, squared) for polarisation in (0, 1))
    if lens.structure is None and len(lens.response.orders) == 1:
        both = UnpolarisedOrder((_response(lens, s), _response(lens, p)))
        return ((1.0, replace(lens, response=both)),)
    return tuple((0.5, _with_library(lens, seen)) for seen in (s, p))


def _with_neighbours(lens: Metalens, source: Source) -> tuple[tuple[float, Metalens], ...]:
    """s and p of a plane wave, each with the correction of its zones."""
    library, found = library_of(lens), []
    for polarisation in (0, 1):
        seen = lens
        if library is not None and library.oblique is not None:
            squared = jnp.sum(jnp.square(jnp.asarray(source.direction)))
            seen = _with_library(lens, at_incidence(library, polarisation, squared))
        corrected = CorrectedLens(seen, jnp.asarray(source.direction), polarisation)
        found.append((0.5, replace(lens, structure=corrected, neighbours=None)))
    return tuple(found)


def varies_over_lens(lens: Metalens, source: Source) -> bool:
    """Whether the response depends on the place of the lens by the direction of the light.

    Args:
        lens: the metalens.
        source: of the light.

    Returns:
        True if the library has angles and they differ over the lens.
    """
    library = library_of(lens)
    near = bool(lens.surfaces) or isinstance(source, PointSource | RefractedLight)
    return library is not None and library.oblique is not None and near


def _response(lens: Metalens, seen: MetaAtomLibrary) -> MetaAtoms:
    assert isinstance(lens.response, MetaAtoms)
    return replace(lens.response, incident=seen)


def _with_library(lens: Metalens, seen: MetaAtomLibrary) -> Metalens:
    if lens.structure is None:
        return replace(lens, response=_response(lens, seen))
    built: Any = lens.structure
    return replace(lens, structure=replace(built, library=seen))


def _from_near(lens: Metalens, incidence: LocalIncidence) -> Metalens:
    if lens.structure is None:
        assert isinstance(lens.response, MetaAtoms)
        return replace(lens, structure=LocalOrders(lens.phase, lens.response, incidence))
    built: Any = lens.structure
    return replace(lens, structure=replace(built, incidence=incidence))


def image_share(lens: Metalens, source: Source, wavelength: np.ndarray | jax.Array) -> jax.Array:
    """Share of the light in the order that forms the image, by the response at the local incidence.

    For a lens without a structure; differentiable.

    Args:
        lens: with a response.
        source: the light of one field point; of a near one, at the direction of its chief ray.
        wavelength: ``[wavelength]`` in metres.

    Returns:
        ``[wavelength]`` in 0..1.
    """
    library, response = library_of(lens), lens.response
    values = jnp.asarray(wavelength)
    if library is None or library.oblique is None:
        return response.image_efficiency(values)
    assert isinstance(response, MetaAtoms)
    squared = jnp.sum(jnp.square(jnp.asarray(source.direction)))
    order = response.image_order(values)
    place = jnp.argmax(jnp.asarray(response.orders) == order[..., None], axis=-1)
    power = [
        jnp.square(jnp.abs(replace(response, incident=at_incidence(library, each, squared)).coefficients(values)))
        for each in (0, 1)
    ]
    return jnp.take_along_axis(0.5 * (power[0] + power[1]), place[..., None], axis=-1)[..., 0]
