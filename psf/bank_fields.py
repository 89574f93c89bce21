"""Simulation of all field points of a bank: wavelengths, window and sub-pixels."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from metalens.formats.camera.spectrum import Spectrum
from metalens.formats.files.errors import InputError
from metalens.formats.psf.figures import PsfFigures
from metalens.psf.camera_fields import CameraView
from metalens.psf.engines.choice import Engine, EnginePlan
from metalens.psf.engines.grid import direction_spread, grids_in_memory, machine_memory
from metalens.psf.measures import psf_figures, unaberrated_peak
from metalens.psf.rays import seen_cone
from metalens.psf.refinement import distance_from, finer_simulator
from metalens.psf.simulator import PsfSimulator
from metalens.psf.spectra.wavelength_count import choose_wavelengths
from metalens.psf.window import reachable_light

LARGEST_SUBPIXELS = 7
"""Largest number of sub-pixels along a pixel's side in the file, to limit its size."""

BYTES_KEPT = 8
"""Memory per sample of a channel: its energy in single precision, once more while the fields are joined."""

BYTES_AT_WORK = 12
"""Memory per sample of a wavelength while its field is simulated."""

Progress = Callable[[int, int], None]
"""Called with the number of fields done and their total."""

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class FieldTask:
    """The fields of a camera and the light in which they are simulated.

    Attributes:
        view: lens, sensor and field points.
        wavelength: ``[wavelength]`` in metres.
        weight: ``[channel, wavelength]``, each row summing to 1.
        pixel_pitch: of the sensor in metres.
        engine: of :func:`metalens.psf.simulate_psf`.
    """

    view: CameraView
    wavelength: np.ndarray
    weight: np.ndarray
    pixel_pitch: float
    engine: Engine


@dataclass(frozen=True)
class SimulatedFields:
    """Point spread functions of the simulated fields; symmetry gives the others.

    Attributes:
        position: ``[field, (y, x)]`` of :class:`~metalens.psf.camera_fields.CameraView`.
        subpixel_intensity: ``[field, channel, y · s, x · s]`` energy per sub-pixel.
        subpixels: s.
        by_wavelength: figures ``[field, wavelength]``.
        plan: the engine and its samplings.
        engine: the propagation method, and the reason for it.
        farthest: ``[y · s, x · s]`` of the field farthest from the axis, at the shortest wavelength.
    """

    position: np.ndarray
    subpixel_intensity: np.ndarray
    subpixels: int
    by_wavelength: PsfFigures
    plan: EnginePlan
    engine: dict[str, str]
    farthest: np.ndarray

    @property
    def side(self) -> int:
        """Side of the window in pixels."""
        return self.subpixel_intensity.shape[-1] // self.subpixels

    @property
    def share(self) -> np.ndarray:
        """``[field, channel]`` share of the light through the aperture inside the window."""
        return self.subpixel_intensity.sum(axis=(-2, -1), dtype=np.float64)


def with_converged_wavelengths(
    task: FieldTask, spectrum: Spectrum, side: int, tolerance: float
) -> tuple[FieldTask, dict[str, str]]:
    """Choose wavelengths that meet a tolerance on the axis and at the farthest node.

    Args:
        task: the fields, with any wavelengths.
        spectrum: of the camera.
        side: of the window in pixels.
        tolerance: largest relative L2 change of a channel.

    Returns:
        The task with these wavelengths, and the entries of the bank's provenance.

    Raises:
        InputError: as :func:`metalens.psf.spectra.wavelength_count.choose_wavelengths`.
    """
    view, pitch = task.view, task.pixel_pitch
    nearest = int(np.hypot(*view.position.T).argmin())
    probes = sorted({nearest, view.farthest().start})

    def psf_at(wavelength: np.ndarray) -> np.ndarray:
        images = [
            view.simulator(
                wavelength, window=(side, side), pixel_pitch=pitch, engine=task.engine, fields=slice(probe, probe + 1)
            ).of_field(view.lens, 0)
            for probe in probes
        ]
        return np.stack(images)

    choice = choose_wavelengths(psf_at, spectrum, tolerance)
    told = {"spectral_tolerance": f"{tolerance:g}", "spectral_residual": f"{choice.residual:.2e}"}
    return replace(task, wavelength=choice.wavelength, weight=choice.channel_weight), told


def simulate_until_held(
    task: FieldTask,
    side: int,
    reachable: np.ndarray,
    share: float,
    progress: Progress | None,
    known: SimulatedFields | None = None,
) -> SimulatedFields:
    """Simulate all fields, in larger windows until they hold a share of the energy.

    Args:
        task: the fields and their light.
        side: of the first window in pixels.
        reachable: ``[field, channel]`` share of the light that reaches the sensor at all.
        share: of the reachable light, wanted inside the window.
        progress: called after each field.
        known: fields that need not be simulated again.

    Returns:
        The fields; among what is told of the engine is its estimated error.
    """
    found = simulate_fields(task, side, progress, known)
    while (found.share / reachable).min() < share:
        held = found.share.min()
        found = simulate_fields(task, 2 * int(np.ceil(0.6 * found.side)) + 1, progress)
        if found.share.min() < held + 1e-3:
            # The missing light is not outside the window: it never leaves the lens.
            break
    return replace(found, engine=found.engine | {"engine_error": _own_error(task, found)})


def field_simulator(task: FieldTask, side: int) -> tuple[PsfSimulator, int]:
    """The simulator of all fields, and its number of sub-pixels along a pixel's side.

    Args:
        task: the fields and their light.
        side: of the window in pixels.

    Returns:
        The simulator, and how many sub-pixels lie along a side of a pixel.

    Raises:
        InputError: the engine cannot simulate these fields, or memory does not hold their functions.
    """
    pitch = task.pixel_pitch
    # Sub-pixels resolve the light, so that figures and blur are accurate; their number is odd to have a central one.
    cone = seen_cone(task.view.lens, float(task.wavelength.mean()))
    resolved = int(np.ceil(2 * direction_spread(cone) / task.wavelength.min() * pitch))
    subpixels = min(resolved + 1 - resolved % 2, LARGEST_SUBPIXELS)
    across = side * subpixels
    fields, wavelengths = len(task.view.position), len(task.wavelength)
    require_memory(BYTES_KEPT * fields * len(task.weight) + BYTES_AT_WORK * wavelengths, fields, side, subpixels)
    simulator = task.view.simulator(
        task.wavelength, window=(across, across), pixel_pitch=pitch / subpixels, engine=task.engine
    )
    return simulator, subpixels


def require_memory(bytes_each: int, fields: int, side: int, subpixels: int) -> None:
    """Check that this machine's memory holds the functions.

    Args:
        bytes_each: of a sample of the window, all fields, channels and wavelengths together.
        fields: their number.
        side: of the window in pixels.
        subpixels: samples along a pixel's side.

    Raises:
        InputError: it does not.
    """
    needed = bytes_each * (side * subpixels) ** 2
    if needed > machine_memory():
        raise InputError(
            f"psf: {fields} fields with windows of {side} × {side} pixels, each of {subpixels} × {subpixels} samples, "
            f"take {needed / 1e9:.0f} GB, more than this machine's {machine_memory() / 1e9:.0f} GB; ask for a smaller "
            "window or fewer fields."
        )


def simulate_fields(
    task: FieldTask, side: int, progress: Progress | None, known: SimulatedFields | None = None
) -> SimulatedFields:
    """Simulate every field at every wavelength with one compiled function.

    Args:
        task: the fields and their light.
        side: of the window in pixels.
        progress: called after each field.
        known: fields that are taken over if they were simulated in the same light, window and samplings.

    Returns:
        Functions ``[field, channel, y · s, x · s]`` by sub-pixel, and the figures of each field and wavelength.
    """
    view, lens, wavelength, pitch = task.view, task.view.lens, task.wavelength, task.pixel_pitch
    simulator, subpixels = field_simulator(task, side)
    spacing = simulator.window.pixel_pitch
    cone = seen_cone(lens, float(wavelength.mean()))
    unaberrated = unaberrated_peak(wavelength, float(cone.focal_length), float(lens.aperture_area))
    whole = reachable_light(view, wavelength)
    farthest, kept = view.farthest().start, []

    def of_field(number: int) -> tuple[np.ndarray, PsfFigures]:
        light = simulator.of_field(lens, number)
        if number == farthest:
            kept.append(light[0].copy())
        at = view.position[number]
        figures = [
            psf_figures(image, spacing, at, sensor_pitch=pitch, unaberrated_peak=peak, light=np.asarray(share))
            for image, peak, share in zip(light, unaberrated, whole[number], strict=True)
        ]
        return _by_channel(light, task.weight), PsfFigures.stack(figures)

    same = known is not None and known.plan.same_samplings(simulator.plan) and known.side == side
    taken = _by_place(known) if known is not None and same else {}
    new = [number for number, place in enumerate(view.position) if _place(place) not in taken]
    done = dict(zip(new, _each_field(of_field, new, _fields_at_once(simulator.plan), progress), strict=True))
    every = [done[number] if number in done else taken[_place(place)] for number, place in enumerate(view.position)]
    intensity, rows = zip(*every, strict=True)
    told = {"engine": simulator.plan.engine, "engine_reason": simulator.plan.reason}
    # Grids of nodes span one sensor: the farthest field of what is known is this one's.
    far = kept[0] if kept or known is None else known.farthest
    figures = PsfFigures.stack(list(rows))
    return SimulatedFields(view.position, np.stack(intensity), subpixels, figures, simulator.plan, told, far)


def images_at(task: FieldTask, view: CameraView, side: int, progress: Progress | None) -> np.ndarray:
    """Functions at other field points of a camera, by the engine and the samplings of a task's own fields.

    Args:
        task: fields and light.
        view: the same camera, with the other field points.
        side: of the window in pixels.
        progress: called after each field.

    Returns:
        ``[field, channel, y · s, x · s]`` energy per sub-pixel.
    """
    simulator, _ = field_simulator(task, side)
    # What was compiled for the task's own fields serves here.
    others = replace(simulator, direction=view.direction, centre=None if simulator.centre is None else view.position)

    def of_field(number: int) -> np.ndarray:
        return _by_channel(others.of_field(view.lens, number), task.weight)

    numbers = list(range(len(view.position)))
    return np.stack(_each_field(of_field, numbers, _fields_at_once(simulator.plan), progress))


def _by_channel(light: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Functions ``[channel, y, x]`` from those of all wavelengths."""
    channels = np.zeros((len(weight), *light.shape[1:]))
    # One wavelength at a time: copies of all of them would be most of the memory.
    for channel, number in np.argwhere(weight):
        channels[channel] += weight[channel, number] * light[number]
    return channels.astype(np.float32)


def _place(position: np.ndarray) -> tuple[float, float]:
    """Rounded to a thousandth of a nanometre, so that equal places are equal in spite of rounding errors."""
    return round(float(position[0]), 12), round(float(position[1]), 12)


def _by_place(known: SimulatedFields) -> dict[tuple[float, float], tuple[np.ndarray, PsfFigures]]:
    return {
        _place(place): (known.subpixel_intensity[number], known.by_wavelength.take(number))
        for number, place in enumerate(known.position)
    }


def _fields_at_once(plan: EnginePlan) -> int:
    """Fields that are computed at the same time: one a core, as far as the memory holds their grids."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if plan.grid is None else max(1, min(cores, grids_in_memory(plan.grid)))


def _each_field(
    of_field: Callable[[int], _Found], numbers: list[int], at_once: int, progress: Progress | None
) -> list[_Found]:
    """What each field of these numbers gives, in their order.

    No field's bits depend on how many are computed at the same time.
    """
    found = []
    # The threads of BLAS would split sums in an order that depends on their number.
    with threadpool_limits(limits=1), ThreadPoolExecutor(max_workers=at_once) as pool:
        # The first one compiles for all.
        waiting = [pool.submit(of_field, number) for number in numbers[:1]]
        try:
            for done in range(len(numbers)):
                found.append(waiting[done].result())
                if done == 0:
                    waiting += [pool.submit(of_field, number) for number in numbers[1:]]
                if progress is not None:
                    progress(done + 1, len(numbers))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def _own_error(task: FieldTask, found: SimulatedFields) -> str:
    """The engine's estimate of its error at the farthest field and the shortest wavelength, in words."""
    simulator, _ = field_simulator(task, found.side)
    one = task.view.farthest()
    centre = None if simulator.centre is None else simulator.centre[one]
    alone = replace(simulator, wavelength=simulator.wavelength[:1], direction=simulator.direction[one], centre=centre)
    try:
        exact = finer_simulator(alone, task.view.lens).of_field(task.view.lens, 0)[0]
    except InputError as error:
        return f"not known: {error}"
    return f"{float(distance_from(exact, found.farthest)):.1e}"
