"""Contradictions of a specification, all of which are told at once."""

from __future__ import annotations

import math
from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from metalens.formats.design import variables as records
from metalens.formats.design.objectives import EfficiencyObjective, StrehlObjective, UniformityObjective
from metalens.formats.design.spec import DesignSpec
from metalens.optics.from_lens_toml import response_of
from metalens.optics.metalens import Metalens
from metalens.psf.engines.grid import direction_spread
from metalens.psf.rays import seen_cone
from metalens.psf.tolerance.draws import applicable_errors

LARGEST_SUBPIXELS = 9
"""Largest number of sub-pixels along a pixel's side; more would mean pixels far larger than the light's detail."""

NEGLIGIBLE = 0.01
"""Weight below which a wavelength does not bound a lattice: that of the outermost nodes of a band."""


def contradictions_of(spec: DesignSpec, wavelength: np.ndarray, weight: np.ndarray) -> list[str]:
    """What in a specification excludes something else in it, a clause each.

    Args:
        spec: the specification.
        wavelength: ``[wavelength]`` in metres.
        weight: ``[channel, wavelength]``, each row summing to 1.

    Returns:
        Clauses without a full stop; empty if there is no contradiction.
    """
    shortest = float(wavelength[weight.max(axis=0) >= NEGLIGIBLE].min())
    return [
        *_of_fields(spec),
        *_of_lattice(spec, shortest),
        *_of_window(spec),
        *_of_objectives(spec),
        *_of_starts(spec),
        *_of_two_phases(spec),
        *_of_doublet(spec),
        *_of_surfaces(spec),
        *_of_orders(spec, wavelength),
    ]


def contradictions_with(spec: DesignSpec, lens: Metalens, wavelength: np.ndarray) -> list[str]:
    """What in a specification does not fit its lens, a clause each.

    Args:
        spec: the specification.
        lens: of its camera.
        wavelength: ``[wavelength]`` in metres.

    Returns:
        Clauses without a full stop; empty if all fits.
    """
    return [
        *_of_azimuths(spec, lens),
        *_of_geometry(spec, lens),
        *_of_fabrication(spec, lens),
        *_of_strehl(spec, lens, wavelength),
    ]


def subpixels_of(spec: DesignSpec, lens: Metalens, wavelength: np.ndarray) -> int:
    """Samples along a pixel: as many as resolve the light where a figure needs that, else one.

    Args:
        spec: the specification.
        lens: of its camera.
        wavelength: ``[wavelength]`` in metres.

    Returns:
        An odd number, 1 or more.
    """
    if not any(isinstance(each, StrehlObjective) for each in spec.objectives):
        return 1
    cone = seen_cone(lens, float(wavelength.mean()))
    count = math.ceil(2 * direction_spread(cone) / float(wavelength.min()) * spec.camera.sensor.pixel_pitch_m)
    return count + 1 - count % 2


def _of_fields(spec: DesignSpec) -> Iterator[str]:
    camera = spec.camera
    corner = 0.5 * math.hypot(*camera.sensor.pixels) * camera.sensor.pixel_pitch_m
    reach = math.degrees(math.atan2(corner, camera.lens.focal_length_m))
    farthest = spec.sampling.fields_deg[-1]
    if farthest > reach * (1 + 1e-3):
        yield (
            f"the field of {farthest:g}° lies beyond the sensor, whose corner is at {reach:.2f}°; use a smaller field, "
            "more pixels or a shorter focal_length_um"
        )


def _of_lattice(spec: DesignSpec, shortest: float) -> Iterator[str]:
    """A lattice of meta-atoms must not diffract by itself, and must sample the phase of the lens' rim twice a turn."""
    lens = spec.camera.lens
    if lens.meta_atoms is None:
        return
    pitch = lens.meta_atoms.pitch_nm * 1e-9
    if pitch >= shortest:
        yield (
            f"a lattice of pitch {lens.meta_atoms.pitch_nm:g} nm diffracts light of {1e9 * shortest:.0f} nm by itself; "
            "use a pitch_nm below the shortest wavelength"
        )
        return
    aperture = math.sin(math.atan2(0.5 * lens.aperture_m, lens.focal_length_m))
    if aperture > 0.5 * shortest / pitch:
        yield (
            f"a numerical aperture of {aperture:.2f} at {1e9 * shortest:.0f} nm is above the limit λ/(2 pitch) = "
            f"{0.5 * shortest / pitch:.2f} of a lattice of {lens.meta_atoms.pitch_nm:g} nm; use a smaller pitch_nm or "
            "aperture_um, or a longer focal_length_um"
        )


def _of_window(spec: DesignSpec) -> Iterator[str]:
    side, pixels = spec.sampling.window_pixels, min(spec.camera.sensor.pixels)
    if side > pixels:
        yield (
            f"window_pixels {side} is more than the {pixels} pixels of the sensor's shorter side; use a smaller window"
        )


def _of_objectives(spec: DesignSpec) -> Iterator[str]:
    half_um = 0.5 * spec.sampling.window_pixels * spec.camera.sensor.pixel_pitch_um
    for number, objective in enumerate(spec.objectives):
        place = f"objectives[{number}]"
        if isinstance(objective, UniformityObjective) and len(spec.sampling.fields_deg) < 2:
            yield f"{place} compares fields, but sampling.fields_deg has only one; add further fields"
        if isinstance(objective, EfficiencyObjective) and objective.radius_um > half_um:
            yield (
                f"{place}.radius_um {objective.radius_um:g} reaches beyond the window, {half_um:.4g} µm to each side; "
                "use a smaller radius or a larger sampling.window_pixels"
            )


def _of_starts(spec: DesignSpec) -> Iterator[str]:
    """The geometry of meta-atoms can have a focus of its own for each colour, a phase cannot."""
    asked = [each for each in spec.start.families if each in ("independent", "interleaved")]
    if asked and spec.variables.family != "radial_geometry":
        yield (
            f"start.families has {asked[0]}, a lens with a phase for each colour, but the variables "
            f"{spec.variables.family} are one phase for all; use variables of the family radial_geometry, or other "
            "start.families"
        )


def _of_two_phases(spec: DesignSpec) -> Iterator[str]:
    """The variables are of the first phase, and rectangles that are chosen for it have no derivative by it."""
    lens = spec.camera.lens
    if lens.multiplexed is None:
        return
    if lens.multiplexed.light in ("y", "right"):
        yield (
            f"camera.lens.multiplexed: the variables are those of [lens.phase], which light "
            f'"{lens.multiplexed.light}" does not see; change light'
        )
    if lens.response is not None or lens.structure is not None:
        yield (
            "camera.lens.multiplexed: the phases of ideal meta-atoms are designed; leave out [camera.lens.response] "
            "and [camera.lens.structure], and choose rectangles for the designed phases"
        )


def _of_doublet(spec: DesignSpec) -> Iterator[str]:
    """A first metasurface lies in the plane of the stop."""
    if spec.stop_terms is None or spec.camera.lens.stop is not None:
        return
    yield (
        "variables.stop_terms is the phase of a first metasurface in the plane of the stop, but the camera has none; "
        "give [camera.lens.stop], or leave it out"
    )


def _of_surfaces(spec: DesignSpec) -> Iterator[str]:
    """Textbook phases focus without the surfaces, and errors move chief rays that are those of the flat lens."""
    if spec.camera.lens.surfaces is None:
        return
    if set(spec.start.families) != {"camera"} or spec.fabrication is not None:
        yield (
            "camera.lens.surfaces: behind refractive surfaces a design starts from the camera's own phase and has no "
            'errors; set start.families = ["camera"], and leave out [fabrication]'
        )


def _of_orders(spec: DesignSpec, wavelength: np.ndarray) -> Iterator[str]:
    """A start for λ is a lens for mλ, which the order 0 and negative ones do not have."""
    orders = np.asarray(response_of(spec.camera.lens.response).image_order(jnp.asarray(wavelength)))
    if orders.min() < 1:
        yield (
            f"camera.lens.response: {1e9 * wavelength[orders.argmin()]:.0f} nm forms its image with the order "
            f"{orders.min()}; a design needs orders of 1 and more, change orders"
        )


def _of_azimuths(spec: DesignSpec, lens: Metalens) -> Iterator[str]:
    """A lens without rotational symmetry is evaluated at several azimuths."""
    match spec.variables:
        case records.ZernikeVariables(symmetry=symmetry):
            symmetric = symmetry == "rotation"
        case variables:
            symmetric = not isinstance(variables, records.FreeformVariables)
    sampling = spec.sampling
    if (symmetric and lens.aperture.rotationally_symmetric) or sampling.fields_deg == (0.0,):
        return
    if len(sampling.azimuths_deg) < 3:
        yield (
            f"the lens need not become rotationally symmetric, but sampling.azimuths_deg has only "
            f"{len(sampling.azimuths_deg)} of its sides; give three or more, such as [0.0, 90.0, 180.0, 270.0]"
        )


def _of_geometry(spec: DesignSpec, lens: Metalens) -> Iterator[str]:
    """Meta-atoms of a free geometry replace no others, and are the same on a ring."""
    if spec.variables.family != "radial_geometry":
        return
    if lens.structure is not None:
        yield (
            "the camera's lens has a structure already, which radial_geometry would replace; leave out "
            "[camera.lens.structure] and [camera.lens.radial_geometry]"
        )
    if not lens.phase.rotationally_symmetric:
        yield ("the camera's phase is not rotationally symmetric, a radial geometry is; leave out [camera.lens.phase]")


def _of_fabrication(spec: DesignSpec, lens: Metalens) -> Iterator[str]:
    if spec.fabrication is None:
        return
    _, reasons = applicable_errors(spec.fabrication.errors, lens)
    if reasons:
        name, reason = next(iter(reasons.items()))
        yield (
            f"fabrication.errors has {name}, but {reason}; give the camera's lens a response that has it, or list the "
            "errors without it"
        )


def _of_strehl(spec: DesignSpec, lens: Metalens, wavelength: np.ndarray) -> Iterator[str]:
    count = subpixels_of(spec, lens, wavelength)
    if count > LARGEST_SUBPIXELS:
        yield (
            f"the Strehl ratio needs {count} samples along a pixel of {spec.camera.sensor.pixel_pitch_um:g} µm, more "
            f"than {LARGEST_SUBPIXELS}; use smaller pixels or mtf"
        )
