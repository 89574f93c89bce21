"""Shift-variant blur: time against one whole-image convolution, and error against a continuously varying lens.

Run as ``python benchmarks/blur.py``; prints two tables.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy.fft import next_fast_len

from metalens.formats.camera import read_camera
from metalens.formats.psf_bank import PsfBank
from metalens.psf.given import grid_bank_of_functions
from metalens.synth.blur import blur, shift_variant_blur

REPEATS = 7


def bank_of(intensity: np.ndarray, pixels: tuple[int, int]) -> PsfBank:
    preset = read_camera("metacamera")
    camera = preset.model_copy(update={"sensor": preset.sensor.model_copy(update={"pixels": pixels})})
    return grid_bank_of_functions(camera, intensity, {"engine": "made up"})


def psf_at(y: float, x: float, kernel: int) -> np.ndarray:
    """A function that grows and streaks outwards with the field; y, x run from −1 to 1 over the sensor."""
    row, column = np.mgrid[:kernel, :kernel] - kernel // 2
    radius = np.hypot(y, x)
    along, across = (y, x) if radius == 0 else (y / radius, x / radius)
    out = row * along + column * across
    side = row * across - column * along
    length, width = 1.0 + 3.0 * radius**2, 1.0 + 0.5 * radius
    core = np.exp(-0.5 * ((out / length) ** 2 + (side / width) ** 2)) / (length * width)
    round_core = np.exp(-0.5 * (row**2 + column**2)) if radius == 0 else core
    psf = round_core + 0.02 * np.exp(-0.5 * (row**2 + column**2) / (kernel / 6) ** 2)
    return psf / psf.sum()


def smooth_bank(nodes: int, kernel: int, pixels: tuple[int, int]) -> PsfBank:
    steps = np.linspace(-1, 1, nodes)
    functions = np.array([[psf_at(y, x, kernel) for x in steps] for y in steps])
    return bank_of(np.repeat(functions[:, :, None], 3, axis=2), pixels)


def seconds(run: Callable[[], jax.Array]) -> float:
    run().block_until_ready()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run().block_until_ready()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def one_convolution(pixels: tuple[int, int], kernel: int) -> Callable[[jax.Array], jax.Array]:
    size = tuple(next_fast_len(length + 2 * (kernel - 1), real=True) for length in pixels)
    transform = jnp.fft.rfft2(jnp.asarray(psf_at(0, 0, kernel), dtype=jnp.float32), size)

    @jax.jit
    def convolve(scene: jax.Array) -> jax.Array:
        planes = jnp.moveaxis(scene, -1, 0)
        return jnp.fft.irfft2(jnp.fft.rfft2(planes, size) * transform, size)

    return convolve


def time_table() -> None:
    print(f"{'pixels':>12} {'kernel':>7} {'nodes':>6} {'blur s':>8} {'s/Mpx':>7} {'one FFT s':>10} {'ratio':>6}")
    for side, kernel, nodes in ((400, 101, 7), (400, 145, 7), (400, 101, 9), (1000, 101, 7), (1000, 101, 16)):
        pixels = (side, side)
        operator = shift_variant_blur(smooth_bank(nodes, kernel, pixels))
        scene = jnp.asarray(np.random.default_rng(0).random((side, side, 3)), dtype=jnp.float32)
        taken = seconds(lambda operator=operator, scene=scene: blur(operator, scene))
        convolve = one_convolution(pixels, kernel)
        alone = seconds(lambda convolve=convolve, scene=scene: convolve(scene))
        print(
            f"{side:>6} × {side:<4} {kernel:>6}² {nodes:>5}² {taken:8.3f} {taken / side**2 * 1e6:7.2f} "
            f"{alone:10.3f} {taken / alone:6.1f}"
        )


def error_table(side: int = 64, kernel: int = 25) -> None:
    scene = np.random.default_rng(0).random((side, side, 3)).astype(np.float32)
    scene[side // 4 : side // 2, side // 4 : side // 2] = 1.0
    before, after = kernel - 1 - kernel // 2, kernel // 2
    continued = np.pad(scene, ((before, after), (before, after), (0, 0)), "symmetric").astype(np.float64)
    image = np.zeros((side + 2 * (kernel - 1), side + 2 * (kernel - 1), 3))
    for row in range(continued.shape[0]):
        for column in range(continued.shape[1]):
            y, x = (min(max(2 * (place - before + 0.5) / side - 1, -1), 1) for place in (row, column))
            image[row : row + kernel, column : column + kernel] += (
                psf_at(y, x, kernel)[..., None] * continued[row, column]
            )
    inner = slice(kernel - 1, kernel - 1 + side)
    exact = image[inner, inner]
    print(f"\n{'nodes':>6} {'PSNR against a function of its own at every pixel, dB':>55}")
    for nodes in (2, 3, 5, 7, 9, 17):
        found = np.asarray(blur(shift_variant_blur(smooth_bank(nodes, kernel, (side, side))), jnp.asarray(scene)))
        print(f"{nodes:>5}² {-10 * np.log10(np.mean((found - exact) ** 2)):>55.1f}")


if __name__ == "__main__":
    time_table()
    error_table()
