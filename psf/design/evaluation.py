"""Figures of merit of a camera at each field and colour, by the engines and measures of ``metalens psf``.

The search uses few fields and a small window. This evaluation adds the fields between them and uses a window that holds
the light, so that it does not share the errors of the search.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.sensor_noise import noise_variance
from metalens.formats.design.objectives import RestorationObjective
from metalens.formats.pictures.photograph_statistics import photograph_statistics
from metalens.psf.camera_fields import view_of
from metalens.psf.design.contradictions import LARGEST_SUBPIXELS
from metalens.psf.design.objectives import relative_exposure
from metalens.psf.design.problem import WANTED_SHARE, Problem, field_positions
from metalens.psf.engines.grid import direction_spread
from metalens.psf.measures import (
    find_peak,
    fourier_modulus,
    half_energy_radius,
    unaberrated_peak,
    warn_of_small_window,
)
from metalens.psf.rays import seen_cone
from metalens.psf.restoration_error import image_errors, joint_errors
from metalens.psf.spectra.spectrum import spectral_quadrature
from metalens.psf.window import choose_window, reachable_light

LARGEST_WINDOW = 301
"""Pixels a side; a lens that throws its light farther loses what lies beyond."""

QUARTER = 0.25
"""Share of the Nyquist frequency, at which contrast is told."""


@dataclass(frozen=True)
class Evaluation:
    """Figures of a camera.

    Attributes:
        name: of the lens, in words.
        fields_deg: ``[field]``.
        wavelength: ``[wavelength]`` in metres.
        strehl: ``[field, wavelength]``.
        modulation: ``[field, channel, (tangential, sagittal)]`` at a quarter of Nyquist, of all light in the image.
        half_energy_radius: ``[field, channel]`` in metres.
        captured: ``[field, channel]`` expected squared error of captured pictures.
        restored: ``[field, channel]`` the same after the Wiener filter over all channels together.
        share: ``[field, channel]`` light in the window, of that which the structure sends into the image.
        window: side in pixels.
    """

    name: str
    fields_deg: tuple[float, ...]
    wavelength: np.ndarray
    strehl: np.ndarray
    modulation: np.ndarray
    half_energy_radius: np.ndarray
    captured: np.ndarray
    restored: np.ndarray
    share: np.ndarray
    window: int


def evaluate_camera(
    camera: Camera,
    name: str,
    fields_deg: tuple[float, ...],
    *,
    wavelengths_per_channel: int | None = None,
    image_variance: float = 0.06,
    grey: float = 0.2,
    noise_scale: float = RestorationObjective.model_fields["noise_scale"].default,
    exposure_f_number: float | None = None,
) -> Evaluation:
    """Simulate and measure a camera along +x.

    Args:
        camera: with any lens.
        name: how tables call it.
        fields_deg: of the chief rays behind the lens.
        wavelengths_per_channel: quadrature nodes; by default the camera's own.
        image_variance: of photographs, see :mod:`metalens.psf.restoration_error`.
        grey: share of white at which the noise is taken.
        noise_scale: multiple of the sensor's noise that the joint filter expects.
        exposure_f_number: see :func:`metalens.psf.design.objectives.relative_exposure`.

    Returns:
        Strehl ratios, contrast and restored error by field and colour.
    """
    wavelength, weight = spectral_quadrature(camera.spectrum, wavelengths_per_channel)
    position, tangential = field_positions(camera, fields_deg)
    view = view_of(camera, position, float(weight[1] @ wavelength))
    lens, pitch = view.lens, camera.sensor.pixel_pitch_m
    side = min(choose_window(camera, view, wavelength, weight, share=WANTED_SHARE), LARGEST_WINDOW)
    cone = seen_cone(lens, float(wavelength.mean()))
    resolved = int(np.ceil(2 * direction_spread(cone) / wavelength.min() * pitch))
    parts = min(resolved + 1 - resolved % 2, LARGEST_SUBPIXELS)
    simulator = view.simulator(wavelength, window=(side * parts,) * 2, pixel_pitch=pitch / parts, engine="auto")
    peak = unaberrated_peak(wavelength, float(cone.focal_length), float(lens.aperture_area))
    efficiency = reachable_light(view, wavelength) @ weight.T
    strehl, modulation, radius, captured, restored, share = [], [], [], [], [], []
    exposure = relative_exposure(cone, exposure_f_number)
    noise = jnp.asarray(noise_variance(camera.sensor, grey, exposure=exposure))
    for field in range(len(position)):
        fine = simulator.of_field(lens, field)
        strehl.append(find_peak(fine, integrated=True)[1] / (pitch / parts) ** 2 / peak)
        pixels = fine.reshape(len(wavelength), side, parts, side, parts).sum(axis=(2, 4))
        channel = np.einsum("cw,wyx->cyx", weight, pixels)
        inside = channel.sum(axis=(-2, -1)) / efficiency[field]
        contrast = fourier_modulus(channel, pitch, np.array([QUARTER * 0.5 / pitch]), tangential[field])
        modulation.append(contrast[..., 0] / efficiency[field][:, None])
        radius.append(half_energy_radius(channel, pitch, integrated=True))
        exposed = jnp.asarray(channel / efficiency[field][:, None, None])
        captured.append(np.asarray(image_errors(exposed, noise, image_variance)[0]))
        restored.append(np.asarray(joint_errors(exposed, noise_scale * noise, photograph_statistics())))
        share.append(inside)
    warn_of_small_window(np.array(share), (side, side), pitch)
    return Evaluation(
        name,
        fields_deg,
        wavelength,
        np.array(strehl),
        np.array(modulation),
        np.array(radius),
        np.array(captured),
        np.array(restored),
        np.array(share),
        side,
    )


def between(fields_deg: tuple[float, ...]) -> tuple[float, ...]:
    """The fields and the ones in the middle between them."""
    middles = [0.5 * (a + b) for a, b in itertools.pairwise(fields_deg)]
    return tuple(sorted([*fields_deg, *middles]))


def decibels(error: np.ndarray | float) -> float:
    """10 log₁₀(1/error), the error averaged."""
    return float(-10 * np.log10(np.mean(error)))


def evaluate_for(problem: Problem, camera: Camera, name: str) -> Evaluation:
    """:func:`evaluate_camera` at a specification's fields and those between them, with its wavelengths.

    Args:
        problem: the specification.
        camera: to be measured.
        name: how tables call it.

    Returns:
        Strehl ratios, contrast and restored error by field and colour.
    """
    sampling = problem.spec.sampling
    return evaluate_camera(
        camera,
        name,
        between(sampling.fields_deg),
        wavelengths_per_channel=sampling.wavelengths_per_channel,
        image_variance=_of_objectives(problem, "image_variance", 0.06),
        grey=_of_objectives(problem, "grey", 0.2),
        noise_scale=_of_objectives(problem, "noise_scale", RestorationObjective.model_fields["noise_scale"].default),
        exposure_f_number=_of_objectives(problem, "exposure_f_number", None),
    )


def _of_objectives(problem: Problem, key: str, default: Any) -> Any:
    found = [getattr(each, key) for each in problem.spec.objectives if hasattr(each, key)]
    return found[0] if found else default
