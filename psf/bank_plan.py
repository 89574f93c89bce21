"""What a bank's simulation computes: nodes, light, window and engine, chosen and checked before the first PSF."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import Layout
from metalens.psf.bank_fields import FieldTask, field_simulator
from metalens.psf.bank_request import BankRequest
from metalens.psf.camera_fields import view_of
from metalens.psf.engines.choice import Engine, EnginePlan, check_behind_surfaces
from metalens.psf.field_symmetry import Octant, each_node, octant_of
from metalens.psf.node_count import finer_grids
from metalens.psf.window import choose_window, reachable_light, share_of_rays

WANTED_SHARE = 0.97
"""Share of the light that the default window holds at every field and channel."""

LEAST_SHARE = 0.90
"""Least share of the light in a window; a smaller window is refused."""

LEAST_SHARE_OF_RAYS = 0.8
"""In the largest window that is chosen, before anything is simulated."""


@dataclass(frozen=True)
class BankPlan:
    """A bank that can be simulated.

    Attributes:
        layout: of the nodes.
        position: ``[node, (y, x)]`` in metres.
        octant: the nodes that are simulated; symmetry gives the others.
        task: their fields and light, before any convergence of the wavelengths.
        side: of the first window in pixels.
        reachable: ``[field, channel]`` share of the light that reaches the sensor at all.
        engine: with its samplings and the reason for it.
        finer: (rows, columns) of the grids that follow if interpolation between the nodes errs too much; none if the
            nodes were asked for.
    """

    layout: Layout
    position: np.ndarray
    octant: Octant
    task: FieldTask
    side: int
    reachable: np.ndarray
    engine: EnginePlan
    finer: tuple[tuple[int, int], ...]


def plan_bank(camera: Camera, request: BankRequest, engine: Engine = "auto") -> BankPlan:
    """Choose window and engine of a bank.

    Args:
        camera: the camera.
        request: what is asked for.
        engine: of :func:`metalens.psf.simulate_psf`.

    Raises:
        InputError: as :func:`metalens.simulate_bank`, but for a window that keeps too little of the light, which the
            simulation tells.
    """
    request.check(camera)
    check_behind_surfaces(camera.lens.surfaces or (), engine)
    wavelength, weight = request.quadrature(camera)
    layout, position = request.nodes(camera)
    reference = float(weight[1] @ wavelength)
    whole = view_of(camera, position[:1], reference)
    octant = octant_of(position) if layout == "grid" and whole.rotationally_symmetric else each_node(position)
    view = view_of(camera, octant.position, reference)
    task = FieldTask(view, wavelength, weight, camera.sensor.pixel_pitch_m, engine)
    if request.window is None:
        side = choose_window(view, wavelength, weight, task.pixel_pitch, share=WANTED_SHARE + 0.01)
    else:
        side = request.window[0]
    simulator, subpixels = field_simulator(task, side)
    if request.window is None and _is_largest(camera, side):
        held = share_of_rays(view, wavelength, weight, task.pixel_pitch, side)
        check_share(held, camera, octant.position, side, LEAST_SHARE_OF_RAYS)
    finer: list[tuple[int, int]] = []
    if request.fields is None and request.radii is None:
        finer = finer_grids(camera.sensor.pixels, side, subpixels, symmetric=view.rotationally_symmetric)
    return BankPlan(layout, position, octant, task, side, reachable_in(task), simulator.plan, tuple(finer))


def reachable_in(task: FieldTask) -> np.ndarray:
    """``[field, channel]`` share of the light that reaches the sensor at all."""
    return reachable_light(task.view, task.wavelength) @ task.weight.T


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
    y, x = position[int(field)]
    raise InputError(
        f"psf: a window of {side} × {side} pixels keeps {share.min():.1%} of the {CHANNEL_NAMES[int(channel)]} light "
        f"of the field at ({1e6 * y:.0f}, {1e6 * x:.0f}) µm, at least {least:.0%} was expected; "
        f"{_elsewhere(camera, side) or 'ask for a larger window or leave it out to have one chosen'}."
    )


def _elsewhere(camera: Camera, side: int) -> str:
    """What may be wrong where the light lies outside the largest window that :func:`choose_window` chooses."""
    if not _is_largest(camera, side):
        return ""
    lens = camera.lens
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


def _is_largest(camera: Camera, side: int) -> bool:
    return side * camera.sensor.pixel_pitch_um > camera.lens.focal_length_um
