"""A specification in metres and arrays, and checks for contradictions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.phase import HyperbolicPhase, Phase, QuadraticPhase
from metalens.formats.camera.sensor import Sensor
from metalens.formats.design.objectives import EfficiencyObjective, StrehlObjective, UniformityObjective
from metalens.formats.design.spec import DesignSpec
from metalens.formats.files.errors import InputError
from metalens.optics.from_lens_toml import response_of
from metalens.optics.metalens import Metalens
from metalens.psf.camera_fields import CameraView, view_of
from metalens.psf.engines.grid import direction_spread
from metalens.psf.rays import seen_cone
from metalens.psf.simulator import PsfSimulator
from metalens.psf.spectra.spectrum import spectral_quadrature
from metalens.psf.tolerance.draws import applicable_errors
from metalens.psf.window import choose_window

LARGEST_SUBPIXELS = 9
"""Largest number of sub-pixels along a pixel's side; more would mean pixels far larger than the light's detail."""

WANTED_SHARE = 0.98
"""Of the light in a window at every field and channel."""

NEGLIGIBLE = 0.01
"""Weight below which a wavelength does not bound a lattice: that of the outermost nodes of a band."""


@dataclass(frozen=True)
class Problem:
    """A specification, ready to be computed.

    Attributes:
        spec: the specification.
        view: the camera and its fields. Its lens has the camera's own phase where the search starts from it, else the
            textbook one of its size: a base's phase may mean nothing at another aperture.
        field_weight: ``[field]`` share of each field in means, summing to 1.
        tangential: ``[field, (y, x)]`` unit vectors away from the axis.
        wavelength: ``[wavelength]`` in metres.
        channel_weight: ``[channel, wavelength]``, each row summing to 1.
        window: side of the point spread functions in pixels.
        subpixels: samples along a pixel's side.
        pixel_pitch: in metres.
    """

    spec: DesignSpec
    view: CameraView
    field_weight: np.ndarray
    tangential: np.ndarray
    wavelength: np.ndarray
    channel_weight: np.ndarray
    window: int
    subpixels: int
    pixel_pitch: float

    @property
    def camera(self) -> Camera:
        """The camera of the specification."""
        return self.spec.camera

    def simulator(self, lens: Metalens) -> PsfSimulator:
        """The simulator of all fields and wavelengths on sub-pixels, sampled as a lens needs it."""
        side = self.window * self.subpixels
        return replace(self.view, lens=lens).simulator(
            self.wavelength,
            window=(side, side),
            pixel_pitch=self.pixel_pitch / self.subpixels,
            engine=self.spec.sampling.engine,
        )


def problem_of(spec: DesignSpec) -> Problem:
    """Prepare a specification for the search.

    Raises:
        InputError: the specification contradicts itself.
    """
    camera, sampling = spec.camera, spec.sampling
    wavelength, weight = spectral_quadrature(camera.spectrum, sampling.wavelengths_per_channel)
    _check_fields(spec)
    _check_lattice(spec, float(wavelength[weight.max(axis=0) >= NEGLIGIBLE].min()))
    _check_window(spec)
    _check_objectives(spec)
    _check_multiplexed(spec)
    _check_surfaces(spec)
    _check_orders(spec, wavelength)
    position, tangential = field_positions(camera, sampling.fields_deg, sampling.azimuths_deg)
    middle = float(weight[1] @ wavelength)
    # Where the geometry is free, the camera's own phase is kept: rays are computed from it.
    kept = "camera" in spec.start.families or spec.variables.family == "radial_geometry"
    drawn = camera if kept else _with_textbook_phase(camera, middle)
    view = view_of(drawn, position, middle)
    view.lens.response.check(wavelength)
    # Light that lands beside every window is refused before the first step.
    choose_window(camera, view, wavelength, weight, share=WANTED_SHARE)
    _check_fabrication(spec, view.lens)
    return Problem(
        spec,
        view,
        _field_weights(spec),
        tangential,
        wavelength,
        weight,
        sampling.window_pixels,
        _subpixels(spec, view.lens, wavelength),
        camera.sensor.pixel_pitch_m,
    )


def _check_multiplexed(spec: DesignSpec) -> None:
    """The variables are of the first phase, and rectangles that are chosen for it have no derivative by it."""
    lens = spec.camera.lens
    if lens.multiplexed is None:
        return
    if lens.multiplexed.light in ("y", "right"):
        raise InputError(
            f"design {spec.name}: camera.lens.multiplexed: the variables are those of [lens.phase], which light "
            f'"{lens.multiplexed.light}" does not see; change light.'
        )
    if lens.response is not None or lens.structure is not None:
        raise InputError(
            f"design {spec.name}: camera.lens.multiplexed: the phases of ideal meta-atoms are designed; leave out "
            "[camera.lens.response] and [camera.lens.structure], and choose rectangles for the designed phases."
        )


def _check_surfaces(spec: DesignSpec) -> None:
    """Textbook phases focus without the surfaces, and errors move chief rays that are those of the flat lens."""
    if spec.camera.lens.surfaces is None:
        return
    if set(spec.start.families) != {"camera"} or spec.fabrication is not None:
        raise InputError(
            f"design {spec.name}: camera.lens.surfaces: behind refractive surfaces a design starts from the camera's "
            'own phase and has no errors; set start.families = ["camera"], and leave out [fabrication].'
        )


def _check_orders(spec: DesignSpec, wavelength: np.ndarray) -> None:
    """A start for λ is a lens for mλ, which the order 0 and negative ones do not have."""
    orders = np.asarray(response_of(spec.camera.lens.response).image_order(jnp.asarray(wavelength)))
    if orders.min() < 1:
        raise InputError(
            f"design {spec.name}: camera.lens.response: {1e9 * wavelength[orders.argmin()]:.0f} nm forms its image "
            f"with the order {orders.min()}; a design needs orders of 1 and more, change orders."
        )


def _with_textbook_phase(camera: Camera, wavelength: float) -> Camera:
    """The camera with the phase that focuses a wavelength (m): quadratic behind a stop (f sin θ), else hyperbolic."""
    # The order m bends λ as the first order bends mλ.
    order = float(response_of(camera.lens.response).image_order(jnp.asarray(wavelength)))
    nanometres = 1e9 * order * wavelength
    phase: Phase = HyperbolicPhase(family="hyperbolic", wavelength_nm=nanometres)
    if camera.lens.stop is not None:
        phase = QuadraticPhase(family="quadratic", wavelength_nm=nanometres)
    return camera.model_copy(update={"lens": camera.lens.model_copy(update={"phase": phase})})


def field_positions(
    camera: Camera, fields_deg: tuple[float, ...], azimuths_deg: tuple[float, ...] = (0.0,)
) -> tuple[np.ndarray, np.ndarray]:
    """Where fields lie on the sensor: f tan θ from the axis, on each side; the axis itself once.

    Args:
        camera: whose sensor it is.
        fields_deg: angles of chief rays behind the lens, ascending.
        azimuths_deg: sides of the sensor, from +x.

    Returns:
        ``[field, (y, x)]`` in metres, and as many unit vectors away from the axis.
    """
    radius, turn = _polar(fields_deg, azimuths_deg)
    outward = np.stack([np.sin(turn), np.cos(turn)], axis=1)
    return camera.lens.focal_length_m * np.tan(radius)[:, None] * outward, outward


def _polar(fields_deg: tuple[float, ...], azimuths_deg: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(field, turn) for field in fields_deg for turn in (azimuths_deg if field > 0 else azimuths_deg[:1])]
    radius, turn = np.radians(np.array(pairs)).T
    return radius, turn


def _field_weights(spec: DesignSpec) -> np.ndarray:
    """``[field]`` weights: given, or the share of the sensor's pixels that lie nearest to each field's radius."""
    sampling = spec.sampling
    given = sampling.weights
    shares = sensor_shares(spec.camera, sampling.fields_deg) if given is None else np.array(given)
    sides = [1 if field == 0 else len(sampling.azimuths_deg) for field in sampling.fields_deg]
    weights = np.repeat(shares / np.array(sides), sides)
    return weights / weights.sum()


def sensor_shares(camera: Camera, fields_deg: tuple[float, ...]) -> np.ndarray:
    """Number of the sensor's pixels that lie nearest to each field's radius, and one ``[field]``.

    Args:
        camera: whose sensor it is.
        fields_deg: ascending.
    """
    radius = camera.lens.focal_length_m * np.tan(np.radians(fields_deg))
    y, x = (np.arange(count) - (count - 1) / 2 for count in camera.sensor.pixels)
    distance = camera.sensor.pixel_pitch_m * np.hypot(y[:, None], x)
    nearest = np.searchsorted(0.5 * (radius[1:] + radius[:-1]), distance.ravel())
    return np.bincount(nearest, minlength=len(radius)) + 1.0


def _subpixels(spec: DesignSpec, lens: Metalens, wavelength: np.ndarray) -> int:
    """As many as resolve the light, where a figure needs that; else whole pixels."""
    if not any(isinstance(each, StrehlObjective) for each in spec.objectives):
        return 1
    cone = seen_cone(lens, float(wavelength.mean()))
    count = math.ceil(2 * direction_spread(cone) / float(wavelength.min()) * spec.camera.sensor.pixel_pitch_m)
    count += 1 - count % 2
    if count > LARGEST_SUBPIXELS:
        raise InputError(
            f"design {spec.name}: the Strehl ratio needs {count} samples along a pixel of "
            f"{spec.camera.sensor.pixel_pitch_um:g} µm, more than {LARGEST_SUBPIXELS}; use smaller pixels or mtf."
        )
    return count


def _check_fields(spec: DesignSpec) -> None:
    camera = spec.camera
    corner = 0.5 * math.hypot(*camera.sensor.pixels) * camera.sensor.pixel_pitch_m
    reach = math.degrees(math.atan2(corner, camera.lens.focal_length_m))
    farthest = spec.sampling.fields_deg[-1]
    if farthest > reach * (1 + 1e-3):
        raise InputError(
            f"design {spec.name}: the field of {farthest:g}° lies beyond the sensor, whose corner is at {reach:.2f}°; "
            "use a smaller field, more pixels or a shorter focal_length_um."
        )


def _check_lattice(spec: DesignSpec, shortest: float) -> None:
    """A lattice of meta-atoms must not diffract by itself, and must sample the phase of the lens' rim twice a turn."""
    lens = spec.camera.lens
    if lens.meta_atoms is None:
        return
    pitch = lens.meta_atoms.pitch_nm * 1e-9
    if pitch >= shortest:
        raise InputError(
            f"design {spec.name}: a lattice of pitch {lens.meta_atoms.pitch_nm:g} nm diffracts light of "
            f"{1e9 * shortest:.0f} nm by itself; use a pitch_nm below the shortest wavelength."
        )
    aperture = math.sin(math.atan2(0.5 * lens.aperture_m, lens.focal_length_m))
    if aperture > 0.5 * shortest / pitch:
        raise InputError(
            f"design {spec.name}: a numerical aperture of {aperture:.2f} at {1e9 * shortest:.0f} nm is above the "
            f"limit λ/(2 pitch) = {0.5 * shortest / pitch:.2f} of a lattice of {lens.meta_atoms.pitch_nm:g} nm; use a "
            "smaller pitch_nm or aperture_um, or a longer focal_length_um."
        )


def _check_fabrication(spec: DesignSpec, lens: Metalens) -> None:
    if spec.fabrication is None:
        return
    _, reasons = applicable_errors(spec.fabrication.errors, lens)
    if reasons:
        name, reason = next(iter(reasons.items()))
        raise InputError(
            f"design {spec.name}: fabrication.errors has {name}, but {reason}; give the camera's lens a response that "
            "has it, or list the errors without it."
        )


def _check_window(spec: DesignSpec) -> None:
    sensor: Sensor = spec.camera.sensor
    side = spec.sampling.window_pixels
    if side > min(sensor.pixels):
        raise InputError(
            f"design {spec.name}: window_pixels {side} is more than the {min(sensor.pixels)} pixels of the sensor's "
            "shorter side; use a smaller window."
        )


def _check_objectives(spec: DesignSpec) -> None:
    half_um = 0.5 * spec.sampling.window_pixels * spec.camera.sensor.pixel_pitch_um
    for number, objective in enumerate(spec.objectives):
        place = f"design {spec.name}: objectives[{number}]"
        if isinstance(objective, UniformityObjective) and len(spec.sampling.fields_deg) < 2:
            raise InputError(f"{place} compares fields, but sampling.fields_deg has only one; add further fields.")
        if isinstance(objective, EfficiencyObjective) and objective.radius_um > half_um:
            raise InputError(
                f"{place}.radius_um {objective.radius_um:g} reaches beyond the window, {half_um:.4g} µm to each side; "
                "use a smaller radius or a larger sampling.window_pixels."
            )
