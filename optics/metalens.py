"""The metalens: a phase profile behind an aperture, at a distance from the sensor."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp

from metalens.optics.aperture import Aperture, Circle
from metalens.optics.built import Built
from metalens.optics.neighbours import Neighbours
from metalens.optics.phase import Phase, Scalar
from metalens.optics.pytree import register_dataclass
from metalens.optics.refraction.surfaces import Surface
from metalens.optics.response import IdealPhase, Response


@register_dataclass
@dataclass(frozen=True)
class Plate:
    """A plane-parallel plate of glass.

    Attributes:
        thickness: in metres.
        index: refractive index, the same at every wavelength.
    """

    thickness: Scalar
    index: Scalar


@register_dataclass
@dataclass(frozen=True)
class Stop:
    """An aperture stop in front of the lens.

    Attributes:
        diameter: of the disc that holds the opening, in metres.
        distance: in air, from the stop to the lens or to the front of its substrate, in metres.
        aperture: the opening's shape.
        phase: that a first metasurface in the plane of the stop adds, without loss; None for a plain stop.
    """

    diameter: Scalar
    distance: Scalar
    aperture: Aperture = field(default_factory=Circle)
    phase: Phase | None = None


@register_dataclass
@dataclass(frozen=True)
class Metalens:
    """A flat lens, which is its own aperture stop unless it has another one in front.

    Attributes:
        aperture_diameter: D in metres, of the disc that holds the lens' opening.
        focal_length: distance f from the lens to the sensor in metres, a cover glass and surfaces between them
            included.
        phase: phase that the meta-atoms add to a wave.
        aperture: the shape of the lens' opening.
        response: transmission of the structure at each wavelength, as a function of that phase.
        stop: an aperture stop in front of the lens.
        substrate: the glass between the stop, or the object, and the meta-atoms.
        cover_glass: a plate somewhere between the lens and the sensor.
        structure: the meta-atoms of the lens. Their transmission replaces phase and response; the
            phase, for which they were chosen, still gives the rays, and with them windows and samplings.
        neighbours: what supercells find otherwise than the transmission of periodic arrays; None leaves it out.
        surfaces: refractive ones in front of the stop, or of the lens where there is none, in the order of the light.
        rear_surfaces: behind the metasurface, in the order of the light; the first one is the plane of the metasurface,
            with the medium behind it. The thickness of the last one is not used: ``focal_length`` tells the sensor.
        second_phase: of unpolarised light whose other half has another phase: that of the light polarised along y, or
            of the right circular light; ``phase`` is of the other half. None is one phase for all.

    Example:
        >>> from metalens.optics import Hyperbolic
        >>> phase = Hyperbolic(focal_length=1e-3, wavelength=532e-9)
        >>> lens = Metalens(aperture_diameter=0.5e-3, focal_length=1e-3, phase=phase)
        >>> f"{1e6 * float(lens.aperture_area):.4f} mm²"
        '0.1963 mm²'
    """

    aperture_diameter: Scalar
    focal_length: Scalar
    phase: Phase
    aperture: Aperture = field(default_factory=Circle)
    response: Response = field(default_factory=IdealPhase)
    stop: Stop | None = None
    substrate: Plate | None = None
    cover_glass: Plate | None = None
    structure: Built | None = None
    neighbours: Neighbours | None = None
    second_phase: Phase | None = None
    surfaces: tuple[Surface, ...] = ()
    rear_surfaces: tuple[Surface, ...] = ()

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phase, and the second one if there is one."""
        return (self.phase,) if self.second_phase is None else (self.phase, self.second_phase)

    @property
    def single_surface(self) -> Metalens:
        """The lens without a phase in the plane of its stop."""
        if self.stop is None or self.stop.phase is None:
            return self
        return replace(self, stop=replace(self.stop, phase=None))

    @property
    def aperture_area(self) -> Scalar:
        """Area in m² of the opening that limits the light: the stop's if there is one, else the lens'."""
        if self.stop is not None:
            return self.stop.aperture.area(0.5 * self.stop.diameter)
        return self.aperture.area(0.5 * self.aperture_diameter)

    @property
    def rotationally_symmetric(self) -> bool:
        """Whether the lens is rotationally symmetric."""
        parts: list[Phase | Aperture | Built] = [*self.phases, self.aperture]
        if self.stop is not None:
            parts.append(self.stop.aperture)
            if self.stop.phase is not None:
                parts.append(self.stop.phase)
        if self.structure is not None:
            parts.append(self.structure)
        return all(part.rotationally_symmetric for part in parts)

    @property
    def flat_pixel(self) -> Scalar | None:
        """Side in metres of the flat pixels of the lens; None for a continuous phase."""
        return self.phase.flat_pixel if self.structure is None else self.structure.flat_pixel

    @property
    def achromatic(self) -> bool:
        """Whether the transmission is the same at every wavelength."""
        return self.structure is None and self.neighbours is None and self.response.achromatic

    def image_order(self, wavelength: jax.Array) -> jax.Array:
        """Diffraction order ``[...]`` that forms the image at the wavelengths ``[...]`` in metres; usually 1."""
        if self.structure is not None:
            return self.structure.image_order(wavelength)
        return self.response.image_order(wavelength)

    def transmission(self, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Complex transmission at places of the lens.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.
            wavelength: in metres, one number.

        Returns:
            ``[...]`` complex, without the aperture, which the engines apply.
        """
        if self.structure is not None:
            return self.structure.transmission(y, x, wavelength)
        return self.response.transmission(self.phase.at(y, x), wavelength)

    def sampled_transmission(
        self, y: jax.Array, x: jax.Array, wavelength: jax.Array, step: Scalar, samples: int = 2
    ) -> jax.Array:
        """Complex transmission on the samples of a uniform grid; the borders of flat pixels are smoothed.

        Args:
            y: ``[m, 1]`` positions of the samples in metres from the lens' centre.
            x: ``[n]`` or ``[1, n]``, the same along x.
            wavelength: in metres, one number.
            step: distance between samples in metres.
            samples: along a flat cell at least, 2 or more.

        Returns:
            ``[m, n]``.
        """
        if self.structure is not None:
            return self.structure.sampled_transmission(y, x, wavelength, step, samples)
        if self.phase.flat_pixel is None:
            return self.transmission(y, x, wavelength)
        amplitudes = self.response.coefficients(wavelength)
        orders = [self.phase.sampled_phasor(y, x, order, step, samples) for order in self.response.orders]
        return jnp.tensordot(amplitudes, jnp.stack(orders), axes=1)

    def check(self, wavelength: object) -> None:
        """Make sure that the transmission is known at these wavelengths in metres; outside jit.

        Raises:
            InputError: a wavelength lies outside the table of the library or of the neighbours.
        """
        (self.response if self.structure is None else self.structure).check(wavelength)
        if self.neighbours is not None:
            self.neighbours.check(wavelength)
        for surface in (*self.surfaces, *self.rear_surfaces):
            surface.medium.check(wavelength)
