"""A specification in metres and arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.phase import HyperbolicPhase, Phase, QuadraticPhase
from metalens.formats.design.spec import DesignSpec
from metalens.formats.files.errors import InputError
from metalens.optics.from_lens_toml import metalens_of, response_of
from metalens.optics.metalens import Metalens
from metalens.psf.camera_fields import CameraView, view_of
from metalens.psf.design.contradictions import contradictions_of, contradictions_with, subpixels_of
from metalens.psf.simulator import PsfSimulator
from metalens.psf.spectra.spectrum import spectral_quadrature
from metalens.psf.window import choose_window

WANTED_SHARE = 0.98
"""Share of the light in a window at every field and channel."""


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
    _check(spec, wavelength, weight)
    position, tangential = field_positions(camera, sampling.fields_deg, sampling.azimuths_deg)
    middle = float(weight[1] @ wavelength)
    # Where the geometry is free, the camera's own phase is kept: rays are computed from it.
    kept = "camera" in spec.start.families or spec.variables.family == "radial_geometry"
    drawn = camera if kept else _with_textbook_phase(spec, middle)
    view = view_of(drawn, position, middle)
    # Light that lands beside every window is refused before the first step.
    choose_window(camera, view, wavelength, weight, share=WANTED_SHARE)
    return Problem(
        spec,
        view,
        _field_weights(spec),
        tangential,
        wavelength,
        weight,
        sampling.window_pixels,
        subpixels_of(spec, view.lens, wavelength),
        camera.sensor.pixel_pitch_m,
    )


def _check(spec: DesignSpec, wavelength: np.ndarray, weight: np.ndarray) -> None:
    """Refuse a specification that contradicts itself, with all that is wrong.

    Raises:
        InputError: it does.
    """
    found = contradictions_of(spec, wavelength, weight)
    try:
        lens = metalens_of(spec.camera)
        lens.response.check(wavelength)
        found += contradictions_with(spec, lens, wavelength)
    except InputError as error:
        found.append(str(error).rstrip("."))
    if found:
        raise InputError(f"design {spec.name}: {'; '.join(found)}.")


def _with_textbook_phase(spec: DesignSpec, wavelength: float) -> Camera:
    """The camera with the phase that focuses a wavelength (m): quadratic behind a stop (f sin θ), else hyperbolic."""
    camera = spec.camera
    lens = camera.lens.single_surface if spec.stop_terms is not None else camera.lens
    # The order m bends λ as the first order bends mλ.
    order = float(response_of(camera.lens.response).image_order(jnp.asarray(wavelength)))
    nanometres = 1e9 * order * wavelength
    phase: Phase = HyperbolicPhase(family="hyperbolic", wavelength_nm=nanometres)
    if camera.lens.stop is not None:
        phase = QuadraticPhase(family="quadratic", wavelength_nm=nanometres)
    return camera.model_copy(update={"lens": lens.model_copy(update={"phase": phase})})


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

    Returns:
        ``[field]`` pixels, 1 or more.
    """
    radius = camera.lens.focal_length_m * np.tan(np.radians(fields_deg))
    y, x = (np.arange(count) - (count - 1) / 2 for count in camera.sensor.pixels)
    distance = camera.sensor.pixel_pitch_m * np.hypot(y[:, None], x)
    nearest = np.searchsorted(0.5 * (radius[1:] + radius[:-1]), distance.ravel())
    return np.bincount(nearest, minlength=len(radius)) + 1.0
