"""All point spread functions of a camera: ``lens.toml`` in, the record of ``psf.h5`` out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import PsfBank, sum_subpixels
from metalens.optics.meta_atoms import MetaAtoms
from metalens.optics.metalens import Metalens
from metalens.psf.bank_fields import (
    FieldTask,
    SimulatedFields,
    images_at,
    simulate_until_held,
    with_converged_wavelengths,
)
from metalens.psf.bank_plan import WANTED_SHARE, BankPlan, plan_bank, reachable_in
from metalens.psf.bank_request import BankRequest
from metalens.psf.camera_fields import view_of
from metalens.psf.engines.choice import Engine
from metalens.psf.field_symmetry import unfold_figures, unfold_images
from metalens.psf.interpolation.functions import field_functions
from metalens.psf.interpolation.held_out import held_out_error
from metalens.psf.measures import psf_figures, warn_of_small_window
from metalens.psf.node_count import LARGEST_ERROR, finer_grids, places_between
from metalens.psf.spectra.spectrum import channel_energy
from metalens.psf.window import check_share


def simulate_bank(
    camera: Camera | str | os.PathLike[str],
    *,
    fields: tuple[int, int] | None = None,
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
        camera: the camera, its ``lens.toml``, or the name of a preset.
        fields: rows and columns of nodes; by default 7 × 7, 13 × 13 or 25 × 25, the first with an error of
            interpolation of at most :data:`~metalens.psf.node_count.LARGEST_ERROR`, which is measured at places between
            the nodes; of a camera without symmetry 13 × 13 at most.
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
        window holds at the worst, and how far the wavelengths are from enough, where that was asked for. Where
        ``fields`` was left out, ``node_error`` is the measured error and ``node_error_wanted`` the wanted one.

    Raises:
        InputError: the camera cannot be read, a window that keeps less than 90 % of the light, a radius of fields of a
            camera that is not symmetric, two ways at once to choose the wavelengths, wavelengths outside the spectrum's
            tables, or a lens that needs too fine a grid.

    References:
        The functions are those of :func:`metalens.simulate_psf`. Widths: DMDiff (ICCV 2025), arXiv 2506.22753, Eq. 2.
        Spectrum of natural scenes, by which the error between the nodes is weighted: D. J. Field, J. Opt. Soc. Am. A 4,
        2379 (1987), doi:10.1364/JOSAA.4.002379.

    Example:
        >>> from metalens.formats.camera.camera import read_camera
        >>> camera = read_camera("hyperbolic").with_(
        ...     lens={"aperture_um": 40, "focal_length_um": 100}, sensor={"pixels": (16, 16), "pixel_pitch_um": 1}
        ... )
        >>> bank = simulate_bank(camera, fields=(2, 2), wavelengths_per_channel=1, window=(25, 25))
        >>> bank.intensity.shape, bank.wavelength.shape
        ((4, 3, 25, 25), (3,))
    """
    camera = camera if isinstance(camera, Camera) else read_camera(camera)
    request = BankRequest(fields, radii, window, wavelengths_per_channel, wavelengths, spectral_tolerance)
    plan = plan_bank(camera, request, engine)
    task, side = plan.task, plan.side
    tolerance = request.tolerance(camera)
    spectral: dict[str, str] = {}
    if tolerance is not None:
        task, spectral = with_converged_wavelengths(task, camera.spectrum, side, tolerance)
    # A window that was asked for does not grow.
    wanted = WANTED_SHARE if window is None else 0.0
    bank, found = _simulated(camera, plan, task, side, wanted, spectral, progress)
    if fields is not None or radii is not None:
        return bank
    error = _error_between_nodes(bank, plan, task, found, progress)
    symmetric = task.view.rotationally_symmetric
    for grid in finer_grids(camera.sensor.pixels, found.side, found.subpixels, symmetric=symmetric):
        if error <= LARGEST_ERROR:
            break
        plan = plan_bank(camera, replace(request, fields=grid, window=(found.side, found.side)), engine)
        bank, found = _simulated(camera, plan, task, found.side, wanted, spectral, progress, known=found)
        error = _error_between_nodes(bank, plan, task, found, progress)
    told = {"node_error": f"{error:.1e}", "node_error_wanted": f"{LARGEST_ERROR:.1e}"}
    return replace(bank, provenance=bank.provenance | told)


def _error_between_nodes(
    bank: PsfBank,
    plan: BankPlan,
    task: FieldTask,
    found: SimulatedFields,
    progress: Callable[[int, int], None] | None,
) -> float:
    """Error of interpolation between the nodes of a grid, by functions that are simulated there."""
    try:
        functions = field_functions(bank, None)
    except InputError:  # they cannot be interpolated between so few nodes
        return float("inf")
    places = places_between(bank, functions)
    between = view_of(bank.camera, places.position, float(task.weight[1] @ task.wavelength))
    images = images_at(replace(task, view=plan.task.view), between, found.side, progress)
    return held_out_error(functions, places, images, found.subpixels, bank.pixel_pitch)


def _simulated(
    camera: Camera,
    plan: BankPlan,
    task: FieldTask,
    side: int,
    wanted: float,
    spectral: dict[str, str],
    progress: Callable[[int, int], None] | None,
    known: SimulatedFields | None = None,
) -> tuple[PsfBank, SimulatedFields]:
    """The bank of a plan, and its fields; those that are known already are not simulated again."""
    task = replace(task, view=plan.task.view)
    reachable = reachable_in(task)
    found = simulate_until_held(task, side, reachable, wanted, progress, known)
    check_share(found.share / reachable, camera, plan.octant.position, found.side)
    warn_of_small_window(np.minimum(found.share / reachable, 1), (found.side, found.side), task.pixel_pitch)
    return _bank_of(camera, plan, task, found, reachable, spectral), found


def _bank_of(
    camera: Camera,
    plan: BankPlan,
    task: FieldTask,
    found: SimulatedFields,
    reachable: np.ndarray,
    spectral: dict[str, str],
) -> PsfBank:
    """Expand the simulated fields to all nodes by symmetry."""
    view, wavelength, weight, octant = task.view, task.wavelength, task.weight, plan.octant
    intensity = sum_subpixels(found.subpixel_intensity, found.subpixels)
    by_channel = psf_figures(intensity, camera.sensor.pixel_pitch_m, view.position[:, None], light=reachable)
    radius, phase = phase_profile(view.lens)
    energy = channel_energy(camera.spectrum)
    return PsfBank(
        camera=camera,
        layout=plan.layout,
        position=plan.position,
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
