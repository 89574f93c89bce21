"""Choice of a window that holds the light of every field and channel."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.files.errors import InputError
from metalens.optics.fabrication import library_of
from metalens.optics.metalens import Metalens
from metalens.optics.polarised import image_share, polarised_lenses
from metalens.optics.refraction.refracted_light import behind_surfaces
from metalens.optics.structure.fit import fit_of, opening_points
from metalens.psf.camera_fields import CameraView
from metalens.psf.engines.grid import stop_diameter
from metalens.psf.engines.veil import corrected_share
from metalens.psf.rays import seen_cone

OBLIQUE_POINTS = 2**14
"""Places of a structure from which its share of the light is, at the incidence of each field."""


LEAST_SHARE = 0.90
"""Least share of the light in a window; a smaller window is refused."""

LEAST_SHARE_OF_RAYS = 0.8
"""In the largest window that is chosen, before anything is simulated."""

_LARGER = "ask for a larger window or leave it out to have one chosen"


def choose_window(
    camera: Camera, view: CameraView, wavelength: np.ndarray, channel_weight: np.ndarray, *, share: float
) -> int:
    """Odd side in pixels of a window that holds a share of the light, by rays and the rim's diffraction.

    Args:
        camera: whose pixels are counted.
        view: of its fields.
        wavelength: ``[wavelength]`` in metres.
        channel_weight: ``[channel, wavelength]``.
        share: between 0 and 1, of the light of the first order that passes the lens.

    Returns:
        An odd number of pixels.

    Raises:
        InputError: the light lands beside every window.
    """
    pitch = camera.sensor.pixel_pitch_m
    distance, inside = _ray_distances(view, wavelength)
    # Without surfaces behind the metasurface the cone of light is that of the lens.
    seen = seen_cone(view.lens, float(np.mean(wavelength)))
    radius, depth = 0.5 * stop_diameter(seen), float(seen.focal_length)
    arriving = inside.mean(axis=2) @ channel_weight.T
    pixels = 3
    while True:
        half = 0.5 * pixels * pitch
        # An Airy pattern keeps 2/(πv) of its light beyond v = k a w/f.
        beyond = 2 / np.pi * wavelength * depth / (2 * np.pi * radius * half)
        held = ((distance <= half) & inside).mean(axis=2) * (1 - np.minimum(beyond, 1))
        if (held @ channel_weight.T >= share * arriving).all():
            return pixels
        if half > 0.5 * depth:
            rays = _held(distance, inside, half, channel_weight)
            if rays.min() < LEAST_SHARE_OF_RAYS:
                _check_rays(view, wavelength, pitch, int(rays.argmin() // rays.shape[1]))
            check_share(rays, camera, view.position + np.array(camera.lens.decentre_m), pixels, LEAST_SHARE_OF_RAYS)
            return pixels
        pixels += 2


def check_share(share: np.ndarray, camera: Camera, position: np.ndarray, side: int, least: float = LEAST_SHARE) -> None:
    """Refuse a window that holds too little of the light.

    Args:
        share: ``[field, channel]`` of the light in the window.
        camera: whose light it is.
        position: ``[field, (y, x)]`` on the sensor in metres.
        side: of the window in pixels.
        least: share that each of them must have.

    Raises:
        InputError: one has less.
    """
    if share.min() >= least:
        return
    field, channel = np.unravel_index(share.argmin(), share.shape)
    y, x = 1e6 * position[int(field)]
    raise InputError(
        f"psf: a window of {side} × {side} pixels keeps {share.min():.1%} of the {CHANNEL_NAMES[int(channel)]} light "
        f"of the field at ({y:z.0f}, {x:z.0f}) µm, at least {least:.0%} was expected; "
        f"{_elsewhere(camera, side) or _LARGER}."
    )


def check_light(reachable: np.ndarray, camera: Camera, position: np.ndarray) -> None:
    """Refuse a field that the lens blocks behind its stop but for less light than the rays resolve.

    Args:
        reachable: ``[field, channel]`` of :func:`reachable_light`, in 0..1.
        camera: whose light it is.
        position: ``[field, (y, x)]`` on the sensor in metres.

    Raises:
        InputError: no ray of a field and channel comes through.
    """
    if reachable.min() > 0:
        return
    field, channel = np.unravel_index(reachable.argmin(), reachable.shape)
    y, x = 1e6 * position[int(field)]
    edge = "clear_diameter_um of lens.surfaces" if camera.lens.surfaces else "lens.aperture_um"
    raise InputError(
        f"psf: the lens blocks more than 97 % of the {CHANNEL_NAMES[int(channel)]} light of the field at "
        f"({y:z.0f}, {x:z.0f}) µm; use a larger {edge}, or fewer sensor.pixels."
    )


def check_window(
    camera: Camera, view: CameraView, wavelength: np.ndarray, channel_weight: np.ndarray, side: int
) -> None:
    """Refuse a window that was asked for and that no ray reaches, before anything is simulated.

    Args:
        camera: whose light it is.
        view: of its fields.
        wavelength: ``[wavelength]`` in metres.
        channel_weight: ``[channel, wavelength]``.
        side: of the window in pixels.

    Raises:
        InputError: no ray of a field and channel lands in it.
    """
    distance, inside = _ray_distances(view, wavelength)
    rays = _held(distance, inside, 0.5 * side * camera.sensor.pixel_pitch_m, channel_weight)
    if rays.min() > 0:
        return
    field, channel = np.unravel_index(rays.argmin(), rays.shape)
    _check_rays(view, wavelength, camera.sensor.pixel_pitch_m, int(field))
    y, x = 1e6 * (view.position[int(field)] + np.array(camera.lens.decentre_m))
    raise InputError(
        f"psf: no ray of the {CHANNEL_NAMES[int(channel)]} light of the field at ({y:z.0f}, {x:z.0f}) µm lands in a "
        f"window of {side} × {side} pixels; {_elsewhere(camera, side) or _LARGER}."
    )


def _check_rays(view: CameraView, wavelength: np.ndarray, pitch: float, field: int) -> None:
    """Refuse a field whose rays do not come through the surfaces, by the sentence of the simulation's own plan."""
    view.simulator(wavelength, window=(3, 3), pixel_pitch=pitch, engine="auto", fields=slice(field, field + 1))


def _elsewhere(camera: Camera, side: int) -> str:
    """What may be wrong where the light lies outside the largest window that :func:`choose_window` chooses."""
    lens = camera.lens
    if side * camera.sensor.pixel_pitch_um <= lens.focal_length_um:
        return ""
    told = []
    if lens.defocus_um:
        told.append(f"lens.defocus_um {lens.defocus_um:g}")
    if camera.object_distance_mm is not None:
        told.append(f"object_distance_mm {camera.object_distance_mm:g}")
    if lens.decentre_um is not None and any(lens.decentre_um):
        told.append(f"lens.decentre_um {list(lens.decentre_um)}")
    return (
        f"the window is wider than the focal length, and the light lands elsewhere: check {', '.join(told or ['lens'])}"
    )


def _held(distance: np.ndarray, inside: np.ndarray, half: float, channel_weight: np.ndarray) -> np.ndarray:
    """Share ``[field, channel]`` of the rays through the lens that land in a window; diffraction is left out."""
    held = ((distance <= half) & inside).mean(axis=2) @ channel_weight.T
    return np.asarray(held / np.maximum(inside.mean(axis=2) @ channel_weight.T, np.finfo(float).tiny))


def _ray_distances(view: CameraView, wavelength: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rays ``[field, wavelength, ray]``: distance from the window's middle along its sides; whether they pass."""
    distances, passes = [], []
    for field in range(len(view.position)):
        # Of two phases the light of both: as many rays of each.
        seen = [replace(view, lens=replace(view.lens, phase=phase)) for phase in view.lens.phases]
        rays = [_joined([each.rays(field, float(value), 24, 48) for each in seen]) for value in wavelength]
        distances.append([np.abs(landing).max(axis=-1) for landing, _ in rays])
        passes.append([inside for _, inside in rays])
    return np.array(distances), np.array(passes)


def _joined(rays: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    landing, inside = zip(*rays, strict=True)
    return np.concatenate(landing), np.concatenate(inside)


def reachable_light(view: CameraView, wavelength: np.ndarray) -> np.ndarray:
    """Share of the light through the stop that the lens sends into the image, inside the window and outside.

    The rest misses the lens behind its stop, or is diffracted into other orders.

    Args:
        view: lens and fields.
        wavelength: ``[wavelength]`` in metres.

    Returns:
        ``[field, wavelength]`` in 0..1.
    """
    inside = np.ones((len(view.position), len(wavelength)))
    if view.bends_chief_rays:
        for field in range(len(view.position)):
            inside[field] = [view.rays(field, float(value), 24, 48)[1].mean() for value in wavelength]
    return inside * _image_share(view, wavelength) * _with_neighbours(view, wavelength)


def _with_neighbours(view: CameraView, wavelength: np.ndarray) -> np.ndarray:
    """Factor ``[field, wavelength]``, or ``[1, 1]``, of that share by the neighbours of the meta-atoms."""
    if view.lens.neighbours is None:
        return np.ones((1, 1))
    values = jnp.asarray(wavelength)
    fields = range(len(view.position))
    return np.stack([np.asarray(corrected_share(view.lens, view.source(each), values)) for each in fields])


def _image_share(view: CameraView, wavelength: np.ndarray) -> np.ndarray:
    """Share ``[field, wavelength]``, or ``[1, wavelength]``, of the transmitted light that forms the image."""
    library = library_of(view.lens)
    if library is not None and library.oblique is not None:
        return np.stack([_oblique_share(view, field, wavelength) for field in range(len(view.position))])
    if view.lens.structure is not None:
        # The lenses of one alone are itself; of several polarisations each has a share of the light.
        seen = polarised_lenses(replace(view.lens, neighbours=None, surfaces=()), view.source(0))
        return np.asarray(sum(weight * fit_of(each, wavelength).efficiency for weight, each in seen))[None]
    return np.asarray(view.lens.response.image_efficiency(jnp.asarray(wavelength)), dtype=float)[None]


def _oblique_share(view: CameraView, field: int, wavelength: np.ndarray) -> np.ndarray:
    source = view.source(field)
    if view.lens.structure is None:
        if not view.lens.surfaces:
            return np.asarray(image_share(view.lens, source, wavelength), dtype=float)
        lit = [(*behind_surfaces(view.lens, source, jnp.asarray(value)), value) for value in wavelength]
        return np.array([float(image_share(each, light, np.array([value]))[0]) for each, light, value in lit])
    y, x = (jnp.asarray(each) for each in opening_points(view.lens, OBLIQUE_POINTS))
    total = np.zeros(len(wavelength))
    flat, light = replace(view.lens, neighbours=None), source
    if flat.surfaces:
        flat, light = behind_surfaces(flat, source, jnp.asarray(wavelength.mean()))
    for weight, seen in polarised_lenses(flat, light):
        total += weight * np.array([float(_share_at(seen, y, x, jnp.asarray(value))) for value in wavelength])
    return total


@jax.jit
def _share_at(lens: Metalens, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
    """|mean of t exp(−iφ)|² of a structure, over places of the opening."""
    turn = lens.phase.at(y, x)
    mean = jnp.mean(lens.transmission(y, x, wavelength) * jax.lax.complex(jnp.cos(turn), -jnp.sin(turn)))
    return jnp.square(jnp.abs(mean))
