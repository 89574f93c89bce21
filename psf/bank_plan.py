"""What a bank's simulation computes: nodes, light, window and engine, chosen and checked before the first PSF."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.psf.bank import Layout
from metalens.psf.bank_fields import FieldTask, field_simulator
from metalens.psf.bank_request import BankRequest
from metalens.psf.camera_fields import view_of
from metalens.psf.engines.choice import Engine, EnginePlan, check_behind_surfaces
from metalens.psf.field_symmetry import Octant, each_node, octant_of
from metalens.psf.node_count import finer_grids
from metalens.psf.window import check_light, check_window, choose_window, reachable_light

WANTED_SHARE = 0.97
"""Share of the light that the default window holds at every field and channel."""


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

    Returns:
        The plan, from which cost can be estimated before anything is simulated.

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
    reachable = reachable_in(task)
    check_light(reachable, camera, octant.position)
    if request.window is None:
        side = choose_window(camera, view, wavelength, weight, share=WANTED_SHARE + 0.01)
    else:
        side = request.window[0]
        check_window(camera, view, wavelength, weight, side)
    simulator, subpixels = field_simulator(task, side)
    finer: list[tuple[int, int]] = []
    if request.fields is None and request.radii is None:
        finer = finer_grids(camera.sensor.pixels, side, subpixels, symmetric=view.rotationally_symmetric)
    return BankPlan(layout, position, octant, task, side, reachable, simulator.plan, tuple(finer))


def reachable_in(task: FieldTask) -> np.ndarray:
    """``[field, channel]`` share of the light that reaches the sensor at all."""
    return reachable_light(task.view, task.wavelength) @ task.weight.T
