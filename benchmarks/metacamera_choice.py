"""Choose the focal length and the phase of the ``metacamera`` preset.

``python benchmarks/metacamera_choice.py`` compares plain profiles at several focal lengths with the preset as it
ships, by what a Wiener filter that knows the local point spread function could restore. With ``--optimise`` it also
designs an even polynomial for each focal length through the simulation, which takes minutes each, and writes the
best one where ``--toml`` says. docs/adr/0003-metacamera-preset.md holds its output.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from metalens.formats.camera import (
    Camera,
    EvenPolynomialPhase,
    HyperbolicPhase,
    QuadraticPhase,
    dump_camera,
    read_camera,
)
from metalens.optics import EvenPolynomial, Metalens
from metalens.psf import simulate_bank
from metalens.psf.engines import angular_spectrum
from metalens.psf.engines.sampling import pixel_integrator
from metalens.psf.spectra.spectrum import spectral_quadrature

IMAGE_VARIANCE = 0.06
"""Of a photograph in linear units of white, spread over frequencies as 1/ν²."""

TERMS = 8
WINDOW = 97
SUBSAMPLES = 3
SIZE = 640
RADII = jnp.array([0.1, 0.5, 0.85, 1.2])
"""Field positions in half-widths of the sensor; the corner lies at 1.41."""
FIELD_WEIGHTS = jnp.array([0.1, 0.3, 0.35, 0.25])
"""Share of the sensor's area around each of them."""


def noise_variance(camera: Camera) -> float:
    """Of one pixel at a fifth of white, in units of white."""
    white = camera.sensor.white_level * camera.sensor.full_well_e
    return (0.2 * white + camera.sensor.read_noise_e**2 + camera.sensor.dark_current_e) / white**2


@partial(jax.jit, static_argnames="length")
def image_errors(psf: jax.Array, noise: float, length: int = 256) -> tuple[jax.Array, jax.Array]:
    """Expected squared error of the captured and of the Wiener-restored image.

    Args:
        psf: ``[..., y, x]`` energy per pixel.
        noise: variance per pixel.
        length: of the transform.

    Returns:
        captured and restored, each ``[...]``, in units of white squared.
    """
    frequency = jnp.fft.fftfreq(length)
    squared = frequency[:, None] ** 2 + frequency**2
    signal = jnp.where(squared > 0, 1 / jnp.where(squared > 0, squared, 1.0), 0.0)
    signal = IMAGE_VARIANCE * signal / signal.mean()
    padded = jnp.zeros((*psf.shape[:-2], length, length)).at[..., : psf.shape[-2], : psf.shape[-1]].set(psf)
    shifts = (-(psf.shape[-2] // 2), -(psf.shape[-1] // 2))
    transfer = jnp.fft.fft2(jnp.roll(padded, shifts, axis=(-2, -1)))
    power = jnp.real(transfer) ** 2 + jnp.imag(transfer) ** 2
    lost = jnp.real(1 - transfer) ** 2 + jnp.imag(transfer) ** 2
    captured = (signal * lost).mean(axis=(-2, -1)) + noise
    restored = (signal * noise / (power * signal + noise)).mean(axis=(-2, -1))
    return captured, restored


def channel_psfs(
    lens: Metalens, landing: jax.Array, wavelength: jax.Array, weight: jax.Array, pitch: float
) -> jax.Array:
    """``[field, channel, y, x]`` for chief rays that land at (0, landing), differentiable in the lens."""
    inner = WINDOW * SUBSAMPLES + 4
    step = pitch / SUBSAMPLES
    spectrum = angular_spectrum.aperture_spectrum(lens, step, size=(SIZE, SIZE), origin=(inner // 2, inner // 2))
    integrator = jnp.asarray(pixel_integrator(WINDOW, SUBSAMPLES))
    directions = landing / jnp.sqrt(landing**2 + lens.focal_length**2)

    @jax.checkpoint
    def one(job: tuple[jax.Array, jax.Array]) -> jax.Array:
        value, direction = job
        energy, _ = angular_spectrum.window_intensity(
            lens,
            spectrum,
            value[None],
            jnp.stack([jnp.zeros(()), direction]),
            step,
            integrator,
            integrator,
            window=(inner, inner),
        )
        return energy[0]

    jobs = (jnp.tile(wavelength, len(landing)), jnp.repeat(directions, len(wavelength)))
    energy = jax.lax.map(one, jobs).reshape(len(landing), len(wavelength), WINDOW, WINDOW)
    return jnp.einsum("cw,fwyx->fcyx", weight, energy)


def legendre_to_monomials(terms: int) -> np.ndarray:
    """``[order, term]``: P_n(2ρ² − 1) less its value at 0, n = 1…, in powers ρ², ρ⁴, …: a well-scaled basis."""
    columns = []
    for term in range(1, terms + 1):
        series = np.polynomial.Legendre.basis(term, domain=[0, 1]).convert(kind=np.polynomial.Polynomial)
        columns.append(np.pad(series.coef, (0, terms + 1 - len(series.coef)))[1:])
    return np.stack(columns, axis=1)


def optimise(camera: Camera, steps: int, captured_weight: float) -> Camera:
    """An even polynomial that lowers the mean log error, starting from the camera's own phase as a parabola."""
    lens = camera.lens
    wavelength, weight = (jnp.asarray(part) for part in spectral_quadrature(camera.spectrum, 2))
    landing = RADII * 0.5 * camera.sensor.pixels[1] * camera.sensor.pixel_pitch_m
    noise = noise_variance(camera)
    basis = jnp.asarray(legendre_to_monomials(TERMS))
    start = np.zeros(TERMS)
    start[0] = -np.pi * (lens.aperture_m / 2) ** 2 / (lens.phase.wavelength_nm * 1e-9 * lens.focal_length_m)

    def loss(parameters: jax.Array) -> jax.Array:
        profile = EvenPolynomial(basis @ parameters, lens.aperture_m / 2)
        design = Metalens(lens.aperture_m, lens.focal_length_m, profile)
        psf = channel_psfs(design, landing, wavelength, weight, camera.sensor.pixel_pitch_m)
        captured, restored = image_errors(psf, noise)
        error = jnp.log(restored) + captured_weight * jnp.log(captured)
        return (FIELD_WEIGHTS[:, None] * error).sum() / 3

    schedule = optax.cosine_decay_schedule(0.6, steps)
    optimiser = optax.adam(schedule)
    parameters = jnp.asarray(np.linalg.solve(np.asarray(basis), start))
    state = optimiser.init(parameters)
    step = jax.jit(jax.value_and_grad(loss))
    best = (np.inf, parameters)
    for index in range(steps):
        value, gradient = step(parameters)
        if float(value) < best[0]:
            best = (float(value), parameters)
        if index % 20 == 0:
            print(f"  f {lens.focal_length_um:.0f} µm step {index}: {float(value):.4f}", flush=True)
        updates, state = optimiser.update(gradient, state)
        parameters = optax.apply_updates(parameters, updates)
    coefficients = tuple(round(float(value), 4) for value in basis @ best[1])
    profile = EvenPolynomialPhase(
        family="even_polynomial", coefficients_rad=coefficients, radius_um=lens.aperture_um / 2
    )
    return with_lens(camera, focal_length_um=lens.focal_length_um, phase=profile)


def with_lens(camera: Camera, **changes: object) -> Camera:
    return camera.model_copy(update={"lens": camera.lens.model_copy(update=changes)})


def figures(camera: Camera) -> str:
    """One row of the table: error of the captured and restored image over field and channel, and its spread."""
    bank = simulate_bank(camera, fields=(5, 5), wavelengths_per_channel=5)
    psf = bank.intensity / bank.intensity.sum(axis=(-2, -1), keepdims=True)
    captured, restored = image_errors(jnp.asarray(psf), noise_variance(camera))
    cells = [10 * np.log10(1 / np.asarray(part)) for part in (jnp.mean(captured), jnp.mean(restored))]
    by_channel = -10 * np.log10(np.asarray(restored).mean(axis=0))
    widths = 1e6 * np.median(bank.by_channel.half_energy_radius, axis=0)
    return (
        f"| {cells[0]:.2f} | {cells[1]:.2f} | {' / '.join(f'{value:.1f}' for value in by_channel)} "
        f"| {-10 * np.log10(np.asarray(restored).max()):.1f} "
        f"| {' / '.join(f'{value:.1f}' for value in widths)} | {bank.intensity.shape[-1]} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--optimise", action="store_true", help="design a phase for each focal length")
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--focal-lengths", type=float, nargs="+", default=[700.0, 800.0, 900.0])
    parser.add_argument("--captured-weight", type=float, default=0.3)
    parser.add_argument("--toml", type=Path, help="write the best optimised camera here")
    options = parser.parse_args()
    base = read_camera("metacamera")
    print(
        "| phase | f, µm | captured, dB | restored, dB | restored R / G / B, dB | worst field and channel, dB "
        "| median half-energy radius R / G / B, µm | window, px |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    best: tuple[float, Camera] | None = None
    for focal_length in options.focal_lengths:
        for family in (QuadraticPhase, HyperbolicPhase):
            for design in (490.0, 532.0, 570.0):
                name = family.model_fields["family"].annotation.__args__[0]
                phase = family(family=name, wavelength_nm=design)
                row = figures(with_lens(base, focal_length_um=focal_length, phase=phase))
                print(f"| {name} {design:.0f} nm | {focal_length:.0f} {row}", flush=True)
        if not options.optimise:
            continue
        phase = QuadraticPhase(family="quadratic", wavelength_nm=532.0)
        started = time.perf_counter()
        camera = with_lens(base, focal_length_um=focal_length, phase=phase)
        camera = optimise(camera, options.steps, options.captured_weight)
        row = figures(camera)
        print(f"| optimised | {focal_length:.0f} {row}", flush=True)
        print(f"  {time.perf_counter() - started:.0f} s, {camera.lens.phase}", flush=True)
        restored = float(row.split("|")[2])
        if best is None or restored > best[0]:
            best = (restored, camera)
    print(f"| preset as it ships | {base.lens.focal_length_um:.0f} {figures(base)}", flush=True)
    if options.toml is not None and best is not None:
        options.toml.write_text(dump_camera(best[1]), encoding="utf-8")


if __name__ == "__main__":
    main()
