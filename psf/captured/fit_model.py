"""Model of a lens with small alignment and width errors: its PSFs and their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import GREEN
from metalens.optics.meta_atoms import MetaAtoms
from metalens.optics.metalens import Metalens
from metalens.psf.camera_fields import direction_on_moved_sensor, view_of
from metalens.psf.simulator import PsfSimulator
from metalens.psf.spectra.spectrum import spectral_quadrature

PARAMETERS: dict[str, tuple[str, ...]] = {
    "defocus": ("defocus",),
    "tilt": ("tilt_y", "tilt_x"),
    "decentre": ("decentre_y", "decentre_x"),
    "width_error": ("width_error",),
}
"""Parameters that can be fitted, and the numbers of each."""

NUMBERS = tuple(name for names in PARAMETERS.values() for name in names)
"""Names of the numbers: metres, slopes dz/dy and dz/dx, metres, and the unit of the library of meta-atoms."""


@dataclass(frozen=True)
class LensModel:
    """The point spread functions of a camera as functions of the numbers in :data:`NUMBERS`; of :func:`lens_model`.

    Attributes:
        lens: the nominal metalens.
        wavelength: ``[wavelength]`` in metres.
        start: ``[number]`` as the camera says.
        simulate: compiled; lens, numbers and shifts to images.
        derive: compiled; the same and two stacks of directions to images and their derivatives.
    """

    lens: Metalens
    wavelength: np.ndarray
    start: np.ndarray
    simulate: Callable[..., Any]
    derive: Callable[..., Any]

    def images(self, values: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """``[node, channel, y, x]`` float64 energy per pixel.

        Args:
            values: ``[number]``.
            shift: ``[node, (y, x)]`` in metres from a node's position to what its window's middle sample sees.

        Returns:
            ``[node, channel, y, x]`` energy per pixel, in double precision.
        """
        return np.asarray(self.simulate(self.lens, jnp.asarray(values), jnp.asarray(shift)), dtype=np.float64)

    def columns(
        self, values: np.ndarray, shift: np.ndarray, free: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The images and their derivatives, float64.

        Args:
            values: ``[number]``.
            shift: ``[node, (y, x)]`` in metres.
            free: indices of the numbers to differentiate by.

        Returns:
            images ``[node, channel, y, x]``; derivatives by the free numbers ``[free, node, channel, y, x]``; and by
            each node's own shift ``[(y, x), node, channel, y, x]``.
        """
        directions = np.zeros((len(free) + 2, len(NUMBERS)))
        directions[np.arange(len(free)), list(free)] = 1.0
        turned = np.zeros((len(free) + 2, *shift.shape))
        # A node's image depends on its own shift alone, so that one derivative serves all nodes.
        turned[-2, :, 0] = turned[-1, :, 1] = 1.0
        found = self.derive(self.lens, *(jnp.asarray(each) for each in (values, shift, directions, turned)))
        image, derivative = (np.asarray(each, dtype=np.float64) for each in found)
        return image, derivative[:-2], derivative[-2:]


def _images(
    simulator: PsfSimulator, weight: np.ndarray, reference: float, position: np.ndarray
) -> Callable[[Metalens, jax.Array, jax.Array], jax.Array]:
    """A function of lens, numbers and shifts; inside, everything is relative to the lens' axis."""
    distance = simulator.conjugates.finite_distance

    def images(lens: Metalens, values: jax.Array, shift: jax.Array) -> jax.Array:
        moved, place = values[:3], jnp.asarray(position) - values[3:5]
        if isinstance(lens.response, MetaAtoms):
            lens = replace(lens, response=replace(lens.response, width_error=values[5]))
        follow = partial(direction_on_moved_sensor, lens, reference, moved, object_distance=distance)
        direction = jax.vmap(follow)(place, jnp.asarray(simulator.direction))
        light = simulator.on_moved_sensor(lens, direction, place + shift, moved)
        return jnp.einsum("cw,nwyx->ncyx", jnp.asarray(weight), light)

    return images


def _derivatives(images: Callable[[Metalens, jax.Array, jax.Array], jax.Array]) -> Callable[..., Any]:
    """The same with its derivatives along several directions at once."""

    def derivatives(
        lens: Metalens, values: jax.Array, shift: jax.Array, directions: jax.Array, turned: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        def along(direction: jax.Array, turn: jax.Array) -> tuple[jax.Array, jax.Array]:
            return jax.jvp(partial(images, lens), (values, shift), (direction, turn))

        return jax.vmap(along, out_axes=(None, 0))(directions, turned)

    return derivatives


def lens_model(
    camera: Camera, position: np.ndarray, window: tuple[int, int], wavelengths_per_channel: int | None = None
) -> LensModel:
    """The model of a camera at places of its sensor.

    Args:
        camera: the camera; its defocus, tilt, decentre and error of the meta-atoms are where the model starts.
        position: ``[node, (y, x)]`` in metres from the sensor's centre.
        window: (ny, nx) pixels.
        wavelengths_per_channel: quadrature nodes of each channel; by default the camera's own.

    Returns:
        The compiled model and its derivatives.

    Raises:
        InputError: the camera cannot be simulated there.
    """
    wavelength, weight = spectral_quadrature(camera.spectrum, wavelengths_per_channel)
    reference = float(weight[GREEN] @ wavelength)
    view = view_of(camera, np.asarray(position), reference)
    lens = view.lens
    simulator = view.simulator(
        wavelength, window=window, pixel_pitch=camera.sensor.pixel_pitch_m, engine="angular_spectrum"
    )
    error = float(lens.response.width_error) if isinstance(lens.response, MetaAtoms) else 0.0
    start = np.array([view.defocus, *view.sensor_tilt, *camera.lens.decentre_m, error])
    images = _images(simulator, weight, reference, np.asarray(position, dtype=np.float64))
    return LensModel(lens, wavelength, start, jax.jit(images), jax.jit(_derivatives(images)))


def free_numbers(lens: Metalens, parameters: Sequence[str] | None = None) -> tuple[int, ...]:
    """Indices into :data:`NUMBERS` of the numbers that parameters are made of.

    Args:
        lens: of the camera.
        parameters: names of :data:`PARAMETERS`; by default those of the alignment that the lens has.

    Returns:
        Indices in the order of :data:`NUMBERS`.

    Raises:
        InputError: no such parameter, none at all, one twice, a width error of a lens without meta-atoms, or the tilt
            of a sensor behind refractive surfaces.
    """
    refracts = bool(lens.surfaces or lens.rear_surfaces)
    if parameters is None:
        parameters = ("defocus", "decentre") if refracts else ("defocus", "tilt", "decentre")
    for name in parameters:
        if name not in PARAMETERS:
            raise InputError(f"psf fit: no parameter {name!r}; {', '.join(PARAMETERS)} can be fitted.")
    if not parameters or len(set(parameters)) < len(parameters):
        raise InputError(f"psf fit: parameters {', '.join(parameters)!r}; name one or more, each once.")
    if "width_error" in parameters and not isinstance(lens.response, MetaAtoms):
        raise InputError(
            "psf fit: width_error is an error of the meta-atoms' widths, and this lens has none, its response is "
            f'{type(lens.response).__name__}; give it a [lens.response] of kind "nano_optics_proxy", or leave '
            "width_error out."
        )
    if "tilt" in parameters and refracts:
        raise InputError(
            "psf fit: tilt: tilted sensors are not simulated behind refractive surfaces; leave it out of --parameters."
        )
    return tuple(NUMBERS.index(number) for name in PARAMETERS if name in parameters for number in PARAMETERS[name])
