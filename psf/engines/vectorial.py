"""Point spread functions of the vector field: the engine for high numerical apertures.

A flat lens turns the light of each place from the direction k̂ to k̂', with tangential components k̂ + λ∇φ/2π. It is taken
to turn the electric field with it by the smallest rotation, R(k̂ → k̂'), as an ideal refracting surface does, and to
conserve the power, so that

    E' = √(cos θ/cos θ') R E.

For light along the axis and a lens whose places lie at r = f tan θ' this is the apodisation cos^{-3/2} θ' of flat
lenses on the sphere of Richards and Wolf (Proc. R. Soc. Lond. A 253, 358, 1959; Davidson and Bokor, Opt. Lett. 29,
1318, 2004); an aplanatic lens has √cos θ'. From the tangential components behind the lens the rest of the field follows
exactly: each plane wave has k·E = 0 and H = k̂ × E. The function is the flux (E × H*)_z through the sensor, whose
integral is conserved.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.metalens import Metalens
from metalens.optics.modulated import ModulatedLens
from metalens.optics.phase.gradient import phase_gradient
from metalens.optics.polarised import polarised_lenses
from metalens.optics.pytree import register_dataclass
from metalens.optics.source import Source
from metalens.psf.engines.angular_spectrum import lens_spectrum, transfer_behind
from metalens.psf.engines.grid import Grid
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.engines.incoming import incoming_light
from metalens.psf.engines.pixels import pixel_centres, pixel_integrator
from metalens.psf.rays import chief_ray

LEAST_COSINE = 0.05
"""Smallest cosine of light behind the lens: 87° from the axis. Places that bend it farther have the field of this
angle.
"""

Polarisation = Literal["s", "p"]


class FocalField(NamedTuple):
    """Electric and magnetic field in a window, H in units of E over the impedance.

    Attributes:
        electric: ``[(x, y, z), row, column]``.
        magnetic: ``[(x, y), row, column]``.
    """

    electric: jax.Array
    magnetic: jax.Array


@register_dataclass
@dataclass(frozen=True)
class Turned(ModulatedLens):
    """One tangential component of the field behind a lens, in light of one polarisation.

    Attributes:
        lens: the metalens.
        direction: ``[2]`` direction cosines (y, x) of the light.
        polarisation: of the light's plane of incidence; along the axis s is along y; static under tracing.
        component: 0 for x and 1 for y; static under tracing.
    """

    direction: jax.Array
    polarisation: Polarisation = field(metadata={"static": True})
    component: int = field(metadata={"static": True})

    @property
    def rotationally_symmetric(self) -> bool:
        """False."""
        return False

    def factor(self, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
        """The component of √(cos θ/cos θ') R E for a unit field E. See :class:`ModulatedLens`."""
        cosine = jnp.sqrt(1 - jnp.sum(jnp.square(self.direction)))
        towards = jnp.asarray([self.direction[1], self.direction[0], cosine])
        bent = wavelength / (2 * np.pi) * self.lens.image_order(wavelength) * phase_gradient(self.lens.phase, y, x)
        along_y, along_x = self.direction[0] + bent[..., 0], self.direction[1] + bent[..., 1]
        squared = jnp.square(along_y) + jnp.square(along_x)
        most = 1 - LEAST_COSINE**2
        shorter = jnp.sqrt(jnp.where(squared > most, most / jnp.maximum(squared, most), 1.0))
        behind = jnp.sqrt(1 - jnp.minimum(squared, most))
        turned = jnp.stack([along_x * shorter, along_y * shorter, behind], axis=-1)
        light = self._incident(towards)
        axis, inner = jnp.cross(towards, turned), turned @ towards
        once = jnp.cross(axis, light)
        rotated = light + once + jnp.cross(axis, once) / (1 + inner)[..., None]
        return jnp.sqrt(cosine / behind) * rotated[..., self.component]

    def _incident(self, towards: jax.Array) -> jax.Array:
        """Unit field (x, y, z) of the incident light."""
        across = jnp.sqrt(jnp.square(towards[0] + 1e-9) + jnp.square(towards[1]))
        s = jnp.stack([-towards[1], towards[0] + 1e-9, jnp.zeros(())]) / across
        return s if self.polarisation == "s" else jnp.cross(s, towards)


def focal_field(
    lens: Metalens,
    source: Source,
    wavelength: jax.Array,
    centre: jax.Array | None,
    polarisation: Polarisation,
    window: ImageWindow,
    grid: Grid,
) -> FocalField:
    """The field on the grid's samples of a window.

    Args:
        lens: at the distance of the sensor, without a cover glass.
        source: the light, from infinity.
        wavelength: scalar, in metres.
        centre: ``[2]`` (y, x) on the sensor of the window's middle; by default where the chief ray lands.
        polarisation: of the light.
        window: its samples.
        grid: from :func:`metalens.psf.engines.grid.choose_grid`.

    Returns:
        Electric ``[(x, y, z), row, column]`` and magnetic ``[(x, y), row, column]`` field, complex.
    """
    pitch, origin = grid.pitch(window), grid.origin(window.shape)
    direction = jnp.asarray(source.direction)
    spectra = [
        lens_spectrum(
            replace(lens, structure=Turned(lens, direction, polarisation, each)), source, wavelength, pitch, grid=grid
        )
        for each in (0, 1)
    ]
    gain = transfer_behind(lens, source, wavelength, centre, pitch, grid, None)
    chief = chief_ray(lens, wavelength, direction).direction
    along = [np.fft.fftfreq(length) * wavelength / pitch for length in grid.size]
    k_y, k_x = jnp.broadcast_arrays(chief[0] + along[0][:, None], chief[1] + along[1][None, :])
    k_z = jnp.sqrt(jnp.maximum(1 - jnp.square(k_x) - jnp.square(k_y), LEAST_COSINE**2))
    x, y = (spectrum * gain for spectrum in spectra)
    z = -(k_x * x + k_y * y) / k_z

    def there(spectrum: jax.Array) -> jax.Array:
        rows, columns = (np.arange(length) - start for length, start in zip(grid.window, origin, strict=True))
        found = jnp.fft.ifft(jnp.fft.ifft(spectrum, axis=1)[:, columns], axis=0)
        return found[rows]

    electric = jnp.stack([there(each) for each in (x, y, z)])
    magnetic = jnp.stack([there(k_y * z - k_z * y), there(k_z * x - k_x * z)])
    return FocalField(electric, magnetic)


def window_intensity(
    lens: Metalens,
    source: Source,
    wavelength: jax.Array,
    centre: jax.Array | None,
    *,
    window: ImageWindow,
    grid: Grid,
) -> jax.Array:
    """Point spread functions of one source in unpolarised light.

    Args:
        lens: at the distance of the sensor.
        source: the light, from infinity.
        wavelength: ``[wavelength]`` in metres.
        centre: ``[2]`` (y, x) on the sensor of the window's middle; by default where the chief ray lands.
        window: its samples.
        grid: from :func:`metalens.psf.engines.grid.choose_grid`.

    Returns:
        ``[wavelength, y, x]`` share of the light through the aperture in each sample.
    """
    seen = polarised_lenses(lens, source)
    pairs = [(0.5, lens, name) for _, lens in seen[:1] for name in "sp"]
    if len(seen) == 2:
        pairs = [(weight, each, name) for (weight, each), name in zip(seen, "sp", strict=True)]
    gather = pixel_integrator if window.integrate_pixels else pixel_centres
    along_y, along_x = (jnp.asarray(gather(length, grid.subsamples)) for length in window.shape)
    cosine = jnp.sqrt(1 - jnp.sum(jnp.square(jnp.asarray(source.direction))))

    def at(value: jax.Array) -> jax.Array:
        total = jnp.zeros(grid.window)
        for weight, each, name in pairs:
            found = focal_field(each, source, value, centre, "s" if name == "s" else "p", window, grid)
            electric, magnetic = found.electric, jnp.conj(found.magnetic)
            total = total + weight * jnp.real(electric[0] * magnetic[1] - electric[1] * magnetic[0])
        density = total / (incoming_light(lens, source) * cosine)
        return jnp.maximum(along_y @ density @ along_x.T, 0.0) * grid.pitch(window) ** 2

    return jax.lax.map(at, jnp.asarray(wavelength))
