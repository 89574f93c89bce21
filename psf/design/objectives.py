"""The figures of merit that a design can be asked for, differentiable in the light.

Each returns positive values ``[field, colour, …]`` or ``[colour]``. Light that leaves the window is not forgotten:
contrasts and energies are shares of all light that the structure sends into the image.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.sensor_noise import noise_variance
from metalens.formats.design import objectives as kinds
from metalens.formats.pictures.photograph_statistics import photograph_statistics
from metalens.optics.metalens import Metalens
from metalens.psf.design.light import Light
from metalens.psf.design.problem import Problem
from metalens.psf.engines.grid import stop_diameter
from metalens.psf.rays import seen_cone
from metalens.psf.restoration_error import image_errors, joint_errors, transform_length


class Figure(NamedTuple):
    """Values of one objective.

    Attributes:
        values: ``[field, colour, …]`` or ``[colour]``, positive.
        weight: broadcasts to the values: of the fields.
        larger_is_better: which way they are meant.
    """

    values: jax.Array
    weight: jax.Array
    larger_is_better: bool


def figure_of(objective: kinds.Objective, problem: Problem, light: Light, exposure: jax.Array) -> Figure:
    """The values of an objective.

    Args:
        objective: which one.
        problem: fields, colours and sensor.
        light: of the lens.
        exposure: ``[channel]`` efficiency for which the sensor is exposed: that of the lens without errors.

    Returns:
        The values by field and colour, their weights, and whether larger ones are better.
    """
    match objective:
        case kinds.StrehlObjective():
            return _by_field(problem, strehl_ratios(problem, light), better=True)
        case kinds.MtfObjective():
            return _by_field(problem, modulation(problem, light, np.array(objective.frequencies)), better=True)
        case kinds.MtfVolumeObjective():
            return _by_field(problem, modulation_volume(problem, light), better=True)
        case kinds.WidthObjective():
            widths = (
                rms_widths(problem, light)
                if objective.measure == "rms"
                else energy_radii(problem, light, objective.share)
            )
            return _by_field(problem, widths / problem.pixel_pitch, better=False)
        case kinds.UniformityObjective():
            return Figure(field_difference(problem, light), jnp.ones(()), False)
        case kinds.EfficiencyObjective():
            return _by_field(problem, energy_within(problem, light, 1e-6 * objective.radius_um), better=True)
        case kinds.RestorationObjective() | kinds.CapturedObjective():
            cone = seen_cone(problem.view.lens, float(problem.wavelength.mean()))
            exposed_by = relative_exposure(cone, objective.exposure_f_number)
            noise = jnp.asarray(noise_variance(problem.camera.sensor, objective.grey, exposure=exposed_by))
            exposed = light.channel / exposure[:, None, None]
            return _by_field(problem, _image_errors(objective, exposed, noise), better=False)


def _image_errors(
    objective: kinds.RestorationObjective | kinds.CapturedObjective, exposed: jax.Array, noise: jax.Array
) -> jax.Array:
    if isinstance(objective, kinds.RestorationObjective) and objective.channels == "joint":
        return joint_errors(exposed, objective.noise_scale * noise, photograph_statistics())
    captured, restored = image_errors(exposed, noise, objective.image_variance)
    return restored if isinstance(objective, kinds.RestorationObjective) else captured


def relative_exposure(lens: Metalens, f_number: float | None) -> float:
    """Light on the sensor, (N₀/N)², where the exposure time is set for the f-number N₀; at most 1.

    A faster lens than N₀ is exposed for a shorter time, since the sensor would saturate.

    Args:
        lens: of the f-number N, the focal length over the diameter of the stop.
        f_number: N₀; None where every lens is exposed to the sensor's white level.

    Returns:
        Electrons of white, as a share of the sensor's white level, in 0..1.
    """
    if f_number is None:
        return 1.0
    return min(1.0, (f_number * stop_diameter(lens) / float(lens.focal_length)) ** 2)


def _by_field(problem: Problem, values: jax.Array, *, better: bool) -> Figure:
    weight = jnp.asarray(problem.field_weight).reshape(-1, *[1] * (values.ndim - 1))
    return Figure(values, weight, better)


def channel_efficiency(problem: Problem, light: Light) -> jax.Array:
    """Share of the light that the structure sends into the image.

    Args:
        problem: fields, colours and sensor.
        light: of the lens.

    Returns:
        ``[field, channel]``; one field stands for all if they are equal.
    """
    return light.efficiency @ jnp.asarray(problem.channel_weight).T


def strehl_ratios(problem: Problem, light: Light) -> jax.Array:
    """Strehl ratios: brightest sample × (λf)²/A, see :func:`metalens.psf.measures.strehl_ratio`.

    A sample averages the light over a sub-pixel: where the sub-pixels just resolve it, it reads a few percent less than
    the interpolated peak.

    Args:
        problem: fields, colours and sensor.
        light: of the lens.

    Returns:
        ``[field, wavelength]``.
    """
    lens = seen_cone(problem.view.lens, float(problem.wavelength.mean()))
    samples = light.fine.reshape(*light.fine.shape[:-2], -1)
    # The derivative of max() compares all samples with the largest once more: a compiler that computes them again, with
    # other roundings, finds none, and the derivative is 0/0.
    brightest = jnp.argmax(samples, axis=-1, keepdims=True)
    density = jnp.take_along_axis(samples, brightest, axis=-1)[..., 0] / (problem.pixel_pitch / problem.subpixels) ** 2
    return density * jnp.square(jnp.asarray(problem.wavelength) * lens.focal_length) / lens.aperture_area


def modulation(problem: Problem, light: Light, shares: np.ndarray) -> jax.Array:
    """Modulation transfer at shares of the Nyquist frequency.

    The pixel's own transfer is part of it, and light outside the window has none.

    Args:
        problem: fields, colours and sensor.
        light: of the lens.
        shares: ``[frequency]`` of Nyquist, in 0..1.

    Returns:
        ``[field, channel, (tangential, sagittal), frequency]``.
    """
    across = np.stack([problem.tangential[:, 1], -problem.tangential[:, 0]], axis=-1)
    directions = np.stack([problem.tangential, across], axis=1)
    wave = 0.5 * shares[:, None] * directions[:, :, None, :]
    place = np.arange(problem.window) - problem.window // 2
    turn_y, turn_x = (np.exp(-2j * np.pi * wave[..., axis, None] * place).astype(np.complex64) for axis in (0, 1))
    found = jnp.einsum("fcyx,fdsy,fdsx->fcds", light.channel, turn_y, turn_x)
    # The root is never taken at 0, where its gradient is infinite.
    size = jnp.sqrt(jnp.square(jnp.real(found)) + jnp.square(jnp.imag(found)) + 1e-14)
    return size / channel_efficiency(problem, light)[..., None, None]


def modulation_volume(problem: Problem, light: Light) -> jax.Array:
    """Mean modulation transfer over the disc of frequencies up to Nyquist.

    Args:
        problem: fields, colours and sensor.
        light: of the lens.

    Returns:
        ``[field, channel]``.
    """
    length = transform_length(problem.window)
    spectrum = jnp.fft.rfft2(light.channel, s=(length, length))
    size = jnp.sqrt(jnp.square(jnp.real(spectrum)) + jnp.square(jnp.imag(spectrum)) + 1e-14)
    inside = np.hypot(np.fft.fftfreq(length)[:, None], np.fft.rfftfreq(length)) <= 0.5
    count = np.where(np.isin(np.arange(length // 2 + 1), (0, length / 2)), 1.0, 2.0) * inside
    return (size * (count / count.sum())).sum(axis=(-2, -1)) / channel_efficiency(problem, light)


def _places(problem: Problem) -> np.ndarray:
    return problem.pixel_pitch * (np.arange(problem.window) - problem.window // 2)


def _centroid(problem: Problem, light: Light) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Energy in the window and the centre's y and x, each ``[field, channel]``."""
    place = jnp.asarray(_places(problem))
    energy = light.channel.sum(axis=(-2, -1))
    return (
        energy,
        jnp.einsum("fcyx,y->fc", light.channel, place) / energy,
        jnp.einsum("fcyx,x->fc", light.channel, place) / energy,
    )


def rms_widths(problem: Problem, light: Light) -> jax.Array:
    """Root-mean-square widths about the centroid; light outside the window counts as lying at its edge.

    Args:
        problem: fields, colours and sensor.
        light: of the lens.

    Returns:
        ``[field, channel]`` in metres.
    """
    energy, y, x = _centroid(problem, light)
    place = jnp.asarray(_places(problem))
    along_y = jnp.einsum("fcyx,fcy->fc", light.channel, jnp.square(place - y[..., None]))
    along_x = jnp.einsum("fcyx,fcx->fc", light.channel, jnp.square(place - x[..., None]))
    total = channel_efficiency(problem, light)
    outside = jnp.maximum(total - energy, 0.0) * (0.5 * problem.window * problem.pixel_pitch) ** 2
    return jnp.sqrt((along_y + along_x + outside) / jnp.maximum(total, energy))


def energy_radii(problem: Problem, light: Light, share: float) -> jax.Array:
    """Radii about the centroid that hold a share of the light.

    Where the window's largest circle holds less, the radius goes on beyond it by what is missing.

    Args:
        problem: fields, colours and sensor.
        light: of the lens.
        share: of the energy, in 0..1.

    Returns:
        ``[field, channel]`` in metres.
    """
    pitch, half = problem.pixel_pitch, problem.window / 2
    _, y, x = _centroid(problem, light)
    place = jnp.asarray(_places(problem))
    away = jnp.square(place[:, None] - y[..., None, None]) + jnp.square(place - x[..., None, None])
    distance = jnp.sqrt(away + (1e-3 * pitch) ** 2) / pitch
    radius = jnp.arange(0.0, half + 0.5, 0.5)
    held = jax.lax.map(
        lambda limit: (light.channel * jnp.clip(limit - distance + 0.5, 0, 1)).sum(axis=(-2, -1)), radius
    )
    wanted = share * channel_efficiency(problem, light)
    last = jnp.clip((held < wanted).sum(axis=0), 1, len(radius) - 1)
    before, after = (jnp.take_along_axis(held, (last + step)[None], axis=0)[0] for step in (-1, 0))
    inside = radius[last - 1] + 0.5 * (wanted - before) / jnp.maximum(after - before, 1e-9)
    beyond = radius[-1] * (1 + (wanted - held[-1]) / wanted)
    return pitch * jnp.where(held[-1] < wanted, beyond, inside)


def energy_within(problem: Problem, light: Light, radius: float) -> jax.Array:
    """Share of the light through the aperture within a radius of the chief ray.

    Args:
        problem: fields, colours and sensor.
        light: of the lens.
        radius: in metres.

    Returns:
        ``[field, channel]``.
    """
    place = _places(problem)
    distance = np.hypot(place[:, None], place)
    inside = np.clip((radius - distance) / problem.pixel_pitch + 0.5, 0, 1)
    return (light.channel * inside).sum(axis=(-2, -1))


def field_difference(problem: Problem, light: Light) -> jax.Array:
    """How much the functions differ over the field, Σ_f w_f ‖p_f − p̄‖² / Σ_f w_f ‖p_f‖²: 0 if all are equal, below 1.

    They are compared as they lie on the sensor; of a symmetric lens, those of one radius.

    Args:
        problem: fields, colours and sensor.
        light: of the lens.

    Returns:
        ``[channel]``.
    """
    weight = jnp.asarray(problem.field_weight)[:, None, None, None]
    mean = (weight * light.channel).sum(axis=0)
    apart = (weight * jnp.square(light.channel - mean)).sum(axis=(0, 2, 3))
    return apart / (weight * jnp.square(light.channel)).sum(axis=(0, 2, 3))
