"""All point spread functions of a camera: ``lens.toml`` in, the record of ``psf.h5`` out."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import Layout, PsfBank, grid_positions, sum_subpixels
from metalens.formats.psf.figures import PsfFigures
from metalens.optics.meta_atoms import MetaAtoms
from metalens.optics.metalens import Metalens
from metalens.psf.camera_fields import CameraView, view_of
from metalens.psf.engines.choice import Engine, EnginePlan
from metalens.psf.engines.grid import direction_spread, grids_in_memory
from metalens.psf.field_symmetry import Octant, each_node, nodes_across, octant_of, unfold_figures, unfold_images
from metalens.psf.measures import psf_figures, unaberrated_peak
from metalens.psf.refinement import estimate_error
from metalens.psf.spectra.spectrum import channel_energy, spectral_quadrature
from metalens.psf.spectra.wavelength_count import choose_wavelengths
from metalens.psf.window import choose_window, reachable_light

WANTED_SHARE = 0.97
"""Share of the light that the default window holds at every field and channel."""

LEAST_SHARE = 0.90
"""Least share of the light in a window; a smaller window is refused."""

_Found = TypeVar("_Found")

LARGEST_SUBPIXELS = 7
"""Largest number of sub-pixels along a pixel's side in the file, to limit its size."""


@dataclass(frozen=True)
class _Simulated:
    """Point spread functions of the simulated fields; symmetry gives the others.

    Attributes:
        subpixel_intensity: ``[field, channel, y · s, x · s]`` energy per sub-pixel.
        subpixels: s.
        by_wavelength: figures ``[field, wavelength]``.
        engine: the propagation method, the reason for it, and its estimated error.
    """

    subpixel_intensity: np.ndarray
    subpixels: int
    by_wavelength: PsfFigures
    engine: dict[str, str]

    @property
    def share(self) -> np.ndarray:
        """``[field, channel]`` share of the light through the aperture inside the window."""
        return self.subpixel_intensity.sum(axis=(-2, -1), dtype=np.float64)


def simulate_bank(
    camera: Camera,
    *,
    fields: tuple[int, int] = (7, 7),
    radii: int | None = None,
    window: tuple[int, int] | None = None,
    wavelengths_per_channel: int | None = None,
    wavelengths: Sequence[float] | None = None,
    spectral_tolerance: float | None = None,
    engine: Engine = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> PsfBank:
    """Point spread functions of a camera at places of its sensor, on the sensor's own pixel grid.

    The nodes of a grid span the sensor from edge to edge. Of a rotationally symmetric camera only those of one octant
    are simulated; the others are their exact mirror images. A radius of fields is enough to know such a camera.

    Args:
        camera: the camera.
        fields: rows and columns of nodes.
        radii: in the place of a grid, so many nodes along +x, from the axis to the distance of the sensor's corner.
        window: (ny, nx) pixels, odd and equal; by default large enough for 97 % of the light that the lens sends
            towards it, at every field and channel.
        wavelengths_per_channel: quadrature nodes of each channel; by default the camera's own.
        wavelengths: in metres, exactly these.
        spectral_tolerance: as many wavelengths as hold this relative L2 change of every channel, on the axis and at
            the farthest node; by default the camera's own, if it has one.
        engine: of :func:`metalens.psf.simulate_psf`.
        progress: called with the number of fields done and their total.

    Returns:
        The bank. Its ``provenance`` tells the engine with the reason and its own estimate of its error, what the
        window holds at the worst, and how far the wavelengths are from enough, where that was asked for.

    Raises:
        InputError: a window that keeps less than 90 % of the light, a radius of fields of a camera that is not
            symmetric, two ways at once to choose the wavelengths, wavelengths outside the spectrum's tables, or a
            lens that needs too fine a grid.

    Example:
        >>> from metalens.formats.camera.camera import read_camera
        >>> camera = read_camera("hyperbolic").with_(
        ...     lens={"aperture_um": 40, "focal_length_um": 100}, sensor={"pixels": (16, 16), "pixel_pitch_um": 1}
        ... )
        >>> bank = simulate_bank(camera, fields=(2, 2), wavelengths_per_channel=1, window=(25, 25))
        >>> bank.intensity.shape, bank.wavelength.shape
        ((4, 3, 25, 25), (3,))
    """
    check_request(
        camera,
        fields=fields,
        radii=radii,
        window=window,
        wavelengths_per_channel=wavelengths_per_channel,
        wavelengths=wavelengths,
        spectral_tolerance=spectral_tolerance,
    )
    wavelength, weight = spectral_quadrature(camera.spectrum, wavelengths_per_channel, wavelengths=wavelengths)
    pitch = camera.sensor.pixel_pitch_m
    layout, position = _nodes(camera, fields, radii)
    reference = float(weight[1] @ wavelength)
    whole = view_of(camera, position[:1], reference)
    octant = octant_of(position) if layout == "grid" and whole.rotationally_symmetric else each_node(position)
    view = view_of(camera, octant.position, reference)

    side = window[0] if window else choose_window(view, wavelength, weight, pitch, share=WANTED_SHARE + 0.01)
    explicit = wavelengths_per_channel is not None or wavelengths is not None
    tolerance = spectral_tolerance or (None if explicit else camera.spectrum.spectral_tolerance)
    spectral: dict[str, str] = {}
    if tolerance is not None:
        wavelength, weight, spectral = _enough_wavelengths(view, camera, side, tolerance, engine)
    found, side = _simulate_window(view, wavelength, weight, pitch, side, window is None, engine, progress)
    reachable = reachable_light(view, wavelength, weight)
    _check_share(found.share / reachable, octant.position, side)
    return _bank_of(camera, layout, position, octant, wavelength, weight, found, view, reachable, spectral)


def _bank_of(
    camera: Camera,
    layout: Layout,
    position: np.ndarray,
    octant: Octant,
    wavelength: np.ndarray,
    weight: np.ndarray,
    found: _Simulated,
    view: CameraView,
    reachable: np.ndarray,
    spectral: dict[str, str],
) -> PsfBank:
    """Expand the simulated fields to all nodes by symmetry."""
    intensity = sum_subpixels(found.subpixel_intensity, found.subpixels)
    by_channel = psf_figures(intensity, camera.sensor.pixel_pitch_m, view.position[:, None])
    radius, phase = phase_profile(view.lens)
    energy = channel_energy(camera.spectrum)
    return PsfBank(
        camera=camera,
        layout=layout,
        position=position,
        intensity=unfold_images(octant, intensity),
        wavelength=wavelength,
        channel_weight=weight,
        by_channel=unfold_figures(octant, by_channel),
        by_wavelength=unfold_figures(octant, found.by_wavelength),
        subpixel_intensity=found.subpixel_intensity,
        simulated_position=octant.position,
        phase_radius=radius,
        phase=phase,
        provenance={
            "metalens": version("metalens"),
            "jax": jax.__version__,
            **found.engine,
            "captured_share_lowest": f"{(found.share / reachable).min():.4f}",
            "captured_share_mean": f"{(found.share / reachable)[octant.index].mean():.4f}",
            "efficiency_lowest": f"{reachable.min():.4f}",
            "wavelengths": str(len(wavelength)),
            "channel_energy": " ".join(f"{value:.4f}" for value in energy),
            **_scattered(view.lens, wavelength, weight),
            **spectral,
        },
    )


def _scattered(lens: Metalens, wavelength: np.ndarray, weight: np.ndarray) -> dict[str, str]:
    """Provenance entry for the diffuse light scattered by differences between meta-atoms; the functions exclude it."""
    response = lens.response
    if lens.structure is not None or not isinstance(response, MetaAtoms):
        return {}
    if response.width_spread is None and response.missing_share is None:
        return {}
    share = weight @ np.asarray(response.diffuse_share(jnp.asarray(wavelength)), dtype=float)
    return {"diffuse_share_highest": f"{share.max():.4f}"}


def phase_profile(lens: Metalens) -> tuple[np.ndarray, np.ndarray]:
    """Distances ``[sample]`` from the lens' centre along +x in metres, and its phase there."""
    radius = np.linspace(0, 0.5 * float(lens.aperture_diameter), 1024)
    return radius, np.asarray(lens.phase.at(jnp.zeros(1), jnp.asarray(radius)), dtype=float)


def _nodes(camera: Camera, fields: tuple[int, int], radii: int | None) -> tuple[Layout, np.ndarray]:
    """Layout and ``[node, (y, x)]`` positions in metres."""
    sides = [pixels * camera.sensor.pixel_pitch_m for pixels in camera.sensor.pixels]
    if radii is not None:
        along = np.linspace(0, 0.5 * math.hypot(*sides), radii)
        return "radial", np.stack([np.zeros(radii), along], axis=1)
    field_y, field_x = (nodes_across(count, side) for count, side in zip(fields, sides, strict=True))
    return "grid", grid_positions(field_y, field_x)


def check_request(
    camera: Camera,
    *,
    fields: tuple[int, int] = (7, 7),
    radii: int | None = None,
    window: tuple[int, int] | None = None,
    wavelengths_per_channel: int | None = None,
    wavelengths: Sequence[float] | None = None,
    spectral_tolerance: float | None = None,
) -> None:
    """Refuse what :func:`simulate_bank` would refuse before its first point spread function.

    Args:
        camera: whose bank is asked for.
        fields: (rows, columns) of nodes over the sensor.
        radii: nodes along a radius, in the place of a grid.
        window: (rows, columns) of each function in pixels; None lets the light decide.
        wavelengths_per_channel: quadrature nodes of each channel.
        wavelengths: in metres, in the place of the quadrature's.
        spectral_tolerance: relative change by which more wavelengths may alter the functions.

    Raises:
        InputError: as :func:`simulate_bank`.
    """
    if min(fields) < 1 or max(fields) > 129:
        raise InputError(
            f"psf: fields {fields[0]} × {fields[1]} must lie between 1 and 129 on each side; 7 × 7 is usual."
        )
    if radii is not None and not 1 <= radii <= 1000:
        raise InputError(f"psf: radii {radii} must lie between 1 and 1000; 10 is usual.")
    if window is not None and (window[0] != window[1] or window[0] % 2 == 0 or window[0] < 3):
        raise InputError(
            f"psf: window {window[0]} × {window[1]} must be square with an odd side of 3 pixels or more, so that "
            "the chief ray has a middle pixel; leave it out to have one chosen."
        )
    if wavelengths_per_channel is not None and not 1 <= wavelengths_per_channel <= 99:
        raise InputError(
            f"psf: wavelengths per channel {wavelengths_per_channel} must lie between 1 and 99; 9 is usual."
        )
    ways = [wavelengths_per_channel is not None, wavelengths is not None, spectral_tolerance is not None]
    if sum(ways) > 1:
        raise InputError(
            "psf: the wavelengths are chosen by their number, by a list or by a tolerance; one of them was expected."
        )
    if spectral_tolerance is not None and not 1e-4 <= spectral_tolerance <= 1:
        raise InputError(
            f"psf: spectral tolerance {spectral_tolerance:g} must lie between 0.0001 and 1; 0.02 is usual."
        )
    wavelength, weight = spectral_quadrature(camera.spectrum, wavelengths_per_channel, wavelengths=wavelengths)
    view = view_of(camera, np.zeros((1, 2)), float(weight[1] @ wavelength))
    if radii is not None and not view.rotationally_symmetric:
        raise InputError(
            f"psf: {camera.name} is not rotationally symmetric (phase, aperture, the sensor's tilt or a decentre), so "
            "that a radius does not tell its other fields; ask for a grid with fields."
        )


def _check_share(share: np.ndarray, position: np.ndarray, side: int) -> None:
    if share.min() >= LEAST_SHARE:
        return
    field, channel = np.unravel_index(share.argmin(), share.shape)
    y, x = position[int(field)]
    raise InputError(
        f"psf: a window of {side} × {side} pixels keeps {share.min():.1%} of the {CHANNEL_NAMES[int(channel)]} light "
        f"of the field at ({1e6 * y:.0f}, {1e6 * x:.0f}) µm, at least {LEAST_SHARE:.0%} was expected; ask for a larger "
        "window or leave it out to have one chosen."
    )


def _enough_wavelengths(
    view: CameraView, camera: Camera, side: int, tolerance: float, engine: Engine
) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """Wavelengths and weights that meet a tolerance on the axis and at the farthest node, with a provenance entry."""
    pitch = camera.sensor.pixel_pitch_m
    nearest = int(np.hypot(*view.position.T).argmin())
    probes = sorted({nearest, view.farthest().start})

    def psf_at(wavelength: np.ndarray) -> np.ndarray:
        images = [
            view.simulator(
                wavelength, window=(side, side), pixel_pitch=pitch, engine=engine, fields=slice(probe, probe + 1)
            ).of_field(view.lens, 0)
            for probe in probes
        ]
        return np.stack(images)

    choice = choose_wavelengths(psf_at, camera.spectrum, tolerance)
    told = {"spectral_tolerance": f"{tolerance:g}", "spectral_residual": f"{choice.residual:.2e}"}
    return choice.wavelength, choice.channel_weight, told


def _simulate_window(
    view: CameraView,
    wavelength: np.ndarray,
    weight: np.ndarray,
    pitch: float,
    side: int,
    may_grow: bool,
    engine: Engine,
    progress: Callable[[int, int], None] | None,
) -> tuple[_Simulated, int]:
    """Simulate all fields, in a larger window if the rays' was too small."""
    reachable = reachable_light(view, wavelength, weight)
    found = _simulate(view, wavelength, weight, pitch, side, engine, progress)
    while may_grow and (found.share / reachable).min() < WANTED_SHARE:
        side = 2 * int(np.ceil(0.6 * side)) + 1
        held = found.share.min()
        found = _simulate(view, wavelength, weight, pitch, side, engine, progress)
        if found.share.min() < held + 1e-3:
            # The missing light is not outside the window: it never leaves the lens.
            break
    return found, side


def _simulate(
    view: CameraView,
    wavelength: np.ndarray,
    weight: np.ndarray,
    pitch: float,
    side: int,
    engine: Engine,
    progress: Callable[[int, int], None] | None,
) -> _Simulated:
    """Simulate every field at every wavelength with one compiled function."""
    lens = view.lens
    # Sub-pixels resolve the light, so that figures and blur are accurate; their number is odd to have a central one.
    resolved = int(np.ceil(2 * direction_spread(lens) / wavelength.min() * pitch))
    subpixels = min(resolved + 1 - resolved % 2, LARGEST_SUBPIXELS)
    across, spacing = (side * subpixels, side * subpixels), pitch / subpixels
    simulator = view.simulator(wavelength, window=across, pixel_pitch=spacing, engine=engine)
    unaberrated = unaberrated_peak(wavelength, float(lens.focal_length), float(lens.aperture_area))

    def of_field(number: int) -> tuple[np.ndarray, PsfFigures]:
        light = simulator.of_field(lens, number)
        figures = psf_figures(light, spacing, view.position[number], sensor_pitch=pitch, unaberrated_peak=unaberrated)
        return np.einsum("cw,wyx->cyx", weight, light).astype(np.float32), figures

    done = _each_field(of_field, len(view.position), _fields_at_once(simulator.plan), progress)
    intensity, figures = zip(*done, strict=True)
    told = {
        "engine": simulator.plan.engine,
        "engine_reason": simulator.plan.reason,
        "engine_error": _own_error(view, wavelength, across, spacing, simulator.plan.engine),
    }
    return _Simulated(np.stack(intensity), subpixels, PsfFigures.stack(list(figures)), told)


def _fields_at_once(plan: EnginePlan) -> int:
    """Fields that are computed at the same time: one a core, as far as the memory holds their grids."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if plan.grid is None else max(1, min(cores, grids_in_memory(plan.grid)))


def _each_field(
    of_field: Callable[[int], _Found], count: int, at_once: int, progress: Callable[[int, int], None] | None
) -> list[_Found]:
    """What each field gives, in their order. No field's bits depend on how many are computed at the same time."""
    found = []
    # The libraries' own threads would share sums between them, in an order that depends on their number.
    with threadpool_limits(limits=1), ThreadPoolExecutor(max_workers=at_once) as pool:
        # The first one compiles for all.
        waiting = [pool.submit(of_field, 0)]
        try:
            for done in range(count):
                found.append(waiting[done].result())
                if done == 0:
                    waiting += [pool.submit(of_field, number) for number in range(1, count)]
                if progress is not None:
                    progress(done + 1, count)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def _own_error(
    view: CameraView, wavelength: np.ndarray, window: tuple[int, int], pixel_pitch: float, engine: Engine
) -> str:
    """The engine's estimate of its error at the farthest field and the shortest wavelength, in words."""
    simulator = view.simulator(
        wavelength[:1], window=window, pixel_pitch=pixel_pitch, engine=engine, fields=view.farthest()
    )
    try:
        return f"{float(estimate_error(simulator, view.lens)[0, 0]):.1e}"
    except InputError as error:
        return f"not known: {error}"
