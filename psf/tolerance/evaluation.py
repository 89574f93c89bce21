"""Point spread functions and figures of merit of a drawn lens at field points, compiled once for all draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.sensor_noise import noise_variance
from metalens.formats.design.objectives import RestorationObjective
from metalens.formats.files.arguments import require_whole, require_whole_pair
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.photograph_statistics import photograph_statistics
from metalens.formats.psf.bank import GREEN, grid_positions
from metalens.optics.fabrication import errors_of_atoms, library_of
from metalens.optics.meta_atoms import MetaAtomLibrary, MetaAtoms
from metalens.optics.meta_atoms.library import at_incidence
from metalens.optics.metalens import Metalens
from metalens.optics.refraction.refracted_light import chief_direction
from metalens.optics.structure import RadialGeometry, Sites
from metalens.psf.bank_fields import BYTES_AT_WORK, require_memory
from metalens.psf.camera_fields import CameraView, direction_on_moved_sensor, view_of
from metalens.psf.conjugates import source_at
from metalens.psf.engines.grid import direction_spread
from metalens.psf.field_symmetry import nodes_across
from metalens.psf.measures import (
    SMALL_WINDOW_SHARE,
    find_peak,
    fourier_modulus,
    full_width_half_maximum,
    half_energy_radius,
    tangential_direction,
    unaberrated_peak,
    warn_of_small_window,
)
from metalens.psf.rays import seen_cone
from metalens.psf.restoration_error import joint_errors
from metalens.psf.simulator import PsfSimulator
from metalens.psf.spectra.spectrum import spectral_quadrature
from metalens.psf.tolerance.draws import Assembly, Draw, perturbed
from metalens.psf.window import check_window, choose_window, reachable_light

FIGURES = {
    "strehl_ratio": "least",
    "modulation_quarter": "least",
    "modulation_half": "least",
    "width_um": "most",
    "half_energy_radius_um": "most",
    "restored_db": "least",
    "window_share": "least",
    "efficiency": "least",
    "diffuse_share": "most",
}
"""Figure of merit → kind of its limit: ``least`` if larger is better, ``most`` if smaller is better."""

WANTED_SHARE = 0.95
"""Share of the light in the default window, at every field and channel of the lens as it was drawn."""

LARGEST_SUBPIXELS = 5

EXPECTED = RestorationObjective(kind="restoration")
"""The measure of restored pictures: that of ``metalens design``, with its default noise."""

RINGS = 4096
"""Number of annuli of equal area that sample the geometry of a radial structure."""


@dataclass(frozen=True)
class Evaluation:
    """The function from a draw to its figures of merit; from :func:`evaluation_of`.

    Attributes:
        lens: the metalens without the draws' errors.
        assembly: position of the sensor without the draws' errors.
        simulator: engine and samplings, the same for all draws.
        position: ``[field, (y, x)]`` on the sensor in metres.
        channel_weight: ``[channel, wavelength]``.
        pixel_pitch: of the sensor in metres.
        image_share: ``[field, channel]`` of the light that the efficiency counts, what goes into the image.
        restored_errors: compiled function of ``[field, channel, y, x]`` energy per pixel, of all light that goes into
            the image; returns the expected squared error after the joint Wiener filter, ``[field, channel]``.
        simulate: compiled function of lens, draw and nominal sensor position; returns ``[field, channel, y, x]``, and
            efficiency and diffuse share, ``[field, channel]`` each.
    """

    lens: Metalens
    assembly: Assembly
    simulator: PsfSimulator
    position: np.ndarray
    channel_weight: np.ndarray
    pixel_pitch: float
    image_share: np.ndarray
    restored_errors: Callable[[np.ndarray], jax.Array]
    simulate: Callable[[Metalens, Draw, Assembly], tuple[jax.Array, jax.Array, jax.Array]]

    def images(self, draw: Draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``[field, channel, y, x]`` energy per sub-pixel, and ``[field, channel]`` efficiency and diffuse share."""
        found = self.simulate(self.lens, jax.tree.map(jnp.asarray, draw), self.assembly)
        image, efficiency, diffuse = (np.asarray(each, dtype=np.float64) for each in found)
        return image, efficiency, diffuse

    def figures(self, draw: Draw) -> np.ndarray:
        """Figures of merit ``[figure, field, channel]`` of a draw, in the order and units of :data:`FIGURES`.

        The Strehl ratio of a channel is the peak of its light against that of an unaberrated lens at the same
        wavelengths. Modulation is the mean of the tangential and the sagittal one, at a quarter and at half of the
        sensor's Nyquist frequency, of all light that goes into the image. Efficiency is the share of the light that
        goes into the order of the image; of a lens with a structure, into all orders. Restored decibels are
        10 log₁₀(1/error) of the expected error after the joint Wiener filter.

        Raises:
            InputError: the drawn lens is beyond what can be simulated.
        """
        image, efficiency, diffuse = self.images(draw)
        if not np.isfinite(image).all() or (image.max(axis=(-2, -1)) <= 0).any():
            raise InputError(
                "tolerance: a drawn lens leaves a place of the sensor without light, or with no number at all; use "
                "smaller errors, a limit for them, or a larger window."
            )
        spacing = self.simulator.window.pixel_pitch
        shape = image.shape[:2]
        wavelength = self.simulator.wavelength
        cone = seen_cone(self.lens, float(wavelength.mean()))
        unaberrated = self.channel_weight @ unaberrated_peak(
            wavelength, float(cone.focal_length), float(self.lens.aperture_area)
        )
        peak = find_peak(image, integrated=True)[1] / spacing**2
        nyquist = 0.5 / self.pixel_pitch
        tangential = tangential_direction(self.position)[:, None]
        inside = image.sum(axis=(-2, -1))
        modulus = fourier_modulus(image, spacing, np.array([0.25, 0.5]) * nyquist, tangential).mean(axis=-2)
        in_image = np.maximum(self.image_share * efficiency, inside)
        modulation = modulus / in_image[..., None]
        parts = round(self.pixel_pitch / spacing)
        side = image.shape[-1] // parts
        pixels = image.reshape(*shape, side, parts, side, parts).sum(axis=(3, 5))
        errors = np.asarray(self.restored_errors(pixels / in_image[..., None, None]), dtype=np.float64)
        return np.stack(
            [
                peak / unaberrated,
                modulation[..., 0],
                modulation[..., 1],
                1e6 * full_width_half_maximum(image, spacing),
                1e6 * half_energy_radius(image, spacing, integrated=True),
                -10 * np.log10(errors),
                inside,
                np.broadcast_to(efficiency, shape),
                np.broadcast_to(diffuse, shape),
            ]
        )


def simulate_draw(
    simulator: PsfSimulator, lens: Metalens, draw: Draw, position: jax.Array, reference: float
) -> jax.Array:
    """Point spread functions of a drawn lens at field points; traceable and differentiable by JAX.

    Args:
        simulator: of the lens as it was drawn and of its chief rays to these places.
        lens: of the structure of the one that the simulator was made for.
        draw: errors of fabrication, and the sensor's whole defocus, tilt and decentre.
        position: ``[field, (y, x)]`` on the sensor in metres from its centre.
        reference: wavelength in metres of the chief rays; it matters only behind a stop or refractive surfaces.

    Returns:
        ``[field, wavelength, y, x]`` energy per sample, without the diffuse light that random differences between
        meta-atoms scatter.
    """
    made, moved = perturbed(lens, draw), draw.assembly.moved
    whole = jnp.stack([jnp.asarray(each, dtype=float) for each in moved])
    place = jnp.asarray(position, dtype=float) - draw.assembly.decentre
    follow = partial(direction_on_moved_sensor, made, reference, whole)
    if made.surfaces or made.rear_surfaces:
        distance = simulator.conjugates.finite_distance
        direction = jax.vmap(partial(follow, object_distance=distance))(place, jnp.asarray(simulator.direction))
    else:
        direction = jax.vmap(follow)(place)
    return simulator.on_moved_sensor(made, direction, place, whole)


def evaluation_of(
    camera: Camera,
    *,
    fields: tuple[int, int] = (3, 3),
    wavelengths_per_channel: int = 1,
    window: int | None = None,
) -> Evaluation:
    """Prepare the evaluation of many draws of a camera's lens.

    Args:
        camera: the camera, with the errors that all draws share.
        fields: rows and columns of places, from edge to edge of the sensor; one alone is its centre.
        wavelengths_per_channel: quadrature nodes of each colour channel.
        window: side of each function in pixels, odd; by default it holds 95 % of the light of the lens as drawn.

    Returns:
        The evaluation, compiled at its first call.

    Raises:
        InputError: the camera cannot be simulated there, or a number is out of range.
    """
    check_places(fields, wavelengths_per_channel, window)
    pitch = camera.sensor.pixel_pitch_m
    view, position, wavelength, weight = _fields_of(camera, fields, wavelengths_per_channel)
    reference = float(weight[GREEN] @ wavelength)
    if window is None:
        side = choose_window(camera, view, wavelength, weight, share=WANTED_SHARE)
    else:
        side = window
        check_window(camera, view, wavelength, weight, side)
    resolved = math.ceil(2 * direction_spread(seen_cone(view.lens, reference)) / float(wavelength.min()) * pitch)
    subpixels = min(resolved + 1 - resolved % 2, LARGEST_SUBPIXELS)
    require_memory(BYTES_AT_WORK * len(wavelength) * len(position), len(position), side, subpixels)
    simulator = view.simulator(
        wavelength, window=(side * subpixels, side * subpixels), pixel_pitch=pitch / subpixels, engine="auto"
    )
    decentre = camera.lens.decentre_m
    assembly = Assembly(view.defocus, *view.sensor_tilt, *decentre)
    sites = _sites(view.lens)
    light = (_on_the_lens(view.lens, simulator, reference), jnp.asarray(wavelength))
    efficiency = np.asarray(_shares(view.lens, Draw(), light, sites)[0], dtype=float) @ weight.T
    image_share = reachable_light(view, wavelength) @ weight.T / efficiency
    simulate = jax.jit(partial(_simulate, simulator, weight, position, reference, sites))
    noise = EXPECTED.noise_scale * jnp.asarray(noise_variance(camera.sensor, EXPECTED.grey))
    restored = jax.jit(lambda pixels: joint_errors(pixels, noise, photograph_statistics()))
    return Evaluation(view.lens, assembly, simulator, position, weight, pitch, image_share, restored, simulate)


def warn_of_window(
    camera: Camera, fields: tuple[int, int], wavelengths_per_channel: int, window: int | None, held: np.ndarray
) -> None:
    """Warn where the window of :func:`evaluation_of` holds too little light of the lens as drawn.

    Args:
        camera: the camera.
        fields: rows and columns of places.
        wavelengths_per_channel: quadrature nodes of each colour channel.
        window: side of each function in pixels, if it was asked for.
        held: ``[field, channel]`` share of the light through the aperture that the window holds.
    """
    view, _, wavelength, weight = _fields_of(camera, fields, wavelengths_per_channel)
    share = np.minimum(held / (reachable_light(view, wavelength) @ weight.T), 1)
    if share.min() >= SMALL_WINDOW_SHARE:
        return
    pitch = camera.sensor.pixel_pitch_m
    side = window or choose_window(camera, view, wavelength, weight, share=WANTED_SHARE)
    warn_of_small_window(share, (side, side), pitch)


def _fields_of(
    camera: Camera, fields: tuple[int, int], wavelengths_per_channel: int
) -> tuple[CameraView, np.ndarray, np.ndarray, np.ndarray]:
    """The camera at places from edge to edge, ``[field, (y, x)]`` places, wavelengths and weights of the channels."""
    sides = (pixels * camera.sensor.pixel_pitch_m for pixels in camera.sensor.pixels)
    position = grid_positions(*(nodes_across(count, side) for count, side in zip(fields, sides, strict=True)))
    wavelength, weight = spectral_quadrature(camera.spectrum, wavelengths_per_channel)
    return view_of(camera, position, float(weight[GREEN] @ wavelength)), position, wavelength, weight


def _simulate(
    simulator: PsfSimulator,
    weight: np.ndarray,
    position: np.ndarray,
    reference: float,
    sites: tuple[np.ndarray, np.ndarray] | None,
    lens: Metalens,
    draw: Draw,
    assembly: Assembly,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    whole = replace(draw, assembly=jax.tree.map(jnp.add, assembly, draw.assembly))
    light = simulate_draw(simulator, lens, whole, jnp.asarray(position), reference)
    channel, wavelength = jnp.asarray(weight), jnp.asarray(simulator.wavelength)
    image, diffuse = _shares(lens, draw, (_on_the_lens(lens, simulator, reference), wavelength), sites)
    return jnp.einsum("cw,fwyx->fcyx", channel, light), image @ channel.T, diffuse @ channel.T


def _on_the_lens(lens: Metalens, simulator: PsfSimulator, reference: float) -> np.ndarray | jax.Array:
    """Direction cosines ``[field, 2]`` of the chief rays behind refractive surfaces, where there are any."""
    if not lens.surfaces:
        return simulator.direction
    distance = simulator.conjugates.finite_distance

    def behind(direction: jax.Array) -> jax.Array:
        return chief_direction(lens, source_at(direction, distance), jnp.asarray(reference))

    return jax.vmap(behind)(jnp.asarray(simulator.direction))


def _shares(
    lens: Metalens,
    draw: Draw,
    light: tuple[np.ndarray | jax.Array, jax.Array],
    sites: tuple[np.ndarray, np.ndarray] | None,
) -> tuple[jax.Array, jax.Array]:
    """Efficiency and diffuse share ``[field, wavelength]``, or ``[1, wavelength]`` where all fields are equal.

    Args:
        lens: without the draw's errors.
        draw: of errors.
        light: ``[field, 2]`` direction cosines of the chief rays, and ``[wavelength]`` in metres. At finite distance,
            too, the incidence is that of the chief ray.
        sites: geometries of a structure and their shares.
    """
    directions, wavelength = light
    library = library_of(lens)
    if library is None or library.oblique is None:
        return _shares_at(lens, library, draw, wavelength, sites)
    image: list[jax.Array] = []
    diffuse: list[jax.Array] = []
    for direction in directions:
        squared = jnp.sum(jnp.square(jnp.asarray(direction)))
        parts = [_shares_at(lens, at_incidence(library, each, squared), draw, wavelength, sites) for each in (0, 1)]
        for found, (first, second) in zip((image, diffuse), zip(*parts, strict=True), strict=True):
            found.append(0.5 * (first + second)[0])
    return jnp.stack(image), jnp.stack(diffuse)


def _shares_at(
    lens: Metalens,
    library: MetaAtomLibrary | None,
    draw: Draw,
    wavelength: jax.Array,
    sites: tuple[np.ndarray, np.ndarray] | None,
) -> tuple[jax.Array, jax.Array]:
    """Efficiency and diffuse share ``[1, wavelength]`` at the incidence of the library."""
    if lens.structure is not None and library is not None and sites is not None:
        geometry, share = (jnp.asarray(each, dtype=float) for each in sites)
        mean, energy = errors_of_atoms(library, draw.fabrication).moments(geometry[:, None], wavelength)
        through = jnp.square(jnp.abs(mean))
        return (share @ through)[None], jnp.maximum(share @ (energy - through), 0.0)[None]
    response = perturbed(lens, draw).response
    if isinstance(response, MetaAtoms):
        response = replace(response, incident=library)
    share = jnp.square(jnp.abs(response.coefficients(wavelength)))
    image = share[:, response.orders.index(1)] if 1 in response.orders else jnp.max(share, axis=1)
    diffuse = response.diffuse_share(wavelength) if isinstance(response, MetaAtoms) else jnp.zeros(len(wavelength))
    return image[None], diffuse[None]


def _sites(lens: Metalens) -> tuple[np.ndarray, np.ndarray] | None:
    """Geometries of a structure, its own error of width included, and their shares of the lens' area; else None."""
    match lens.structure:
        case Sites() as structure:
            count = np.bincount(np.asarray(structure.site_index).ravel(), minlength=len(structure.geometry))
            there = count[: len(structure.geometry)].astype(float)
            geometry = np.asarray(structure.geometry, dtype=float) + float(np.mean(structure.width_error))
            return geometry, there / there.sum()
        case RadialGeometry() as profile:
            radius = 0.5 * float(lens.aperture_diameter) * np.sqrt((np.arange(RINGS) + 0.5) / RINGS)
            geometry = np.asarray(profile.geometry_at(jnp.zeros(RINGS), jnp.asarray(radius)), dtype=float)
            return geometry + float(profile.width_error), np.full(RINGS, 1 / RINGS)
        case _:
            return None


def check_places(fields: tuple[int, int], wavelengths_per_channel: int, window: int | None) -> None:
    """Check that the numbers of fields, wavelengths and pixels are in range.

    Args:
        fields: (rows, columns) of field points.
        wavelengths_per_channel: number of wavelengths.
        window: side of each PSF in pixels, or ``None``.

    Raises:
        InputError: a number is out of range.
    """
    require_whole_pair(fields, "tolerance: fields")
    require_whole(wavelengths_per_channel, "tolerance: wavelengths a channel")
    if window is not None:
        require_whole(window, "tolerance: window")
    if min(fields) < 1 or max(fields) > 25:
        raise InputError(f"tolerance: fields {fields[0]}x{fields[1]} must lie between 1 and 25 a side; 3x3 is usual.")
    if not 1 <= wavelengths_per_channel <= 31:
        raise InputError(
            f"tolerance: {wavelengths_per_channel} wavelengths a channel must lie between 1 and 31; 1 is usual."
        )
    if window is not None and (window % 2 == 0 or not 3 <= window <= 1001):
        raise InputError(
            f"tolerance: window {window} must be odd, from 3 to 1001 pixels; leave it out to have one chosen."
        )
