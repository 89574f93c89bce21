"""Shift-variant blur: accuracy and time against other ways, and cost against the image's size.

Run as ``python benchmarks/blur.py [accuracy] [flux] [size] [parts] [WAYS] [psf.h5 …]``; without a word, all of them but
``parts``, which blurs 24 megapixels part by part and is run alone, as memory is that of the process. WAYS such
as ``hard=16,hats=7,deepinv=16`` are those that the blur is compared with, and how many patches a side; they take longer
than all else, and ``none`` leaves them out. Times are processor
times, and ratios to one whole-image FFT convolution of the same size in the same library, measured in turns, since
machines are shared. The ``deepinv`` rows need that package, which is no dependency: ``pip install deepinv``.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from measuring import machine
from scipy.fft import next_fast_len

from metalens.formats.camera.camera import read_camera
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.pictures.resizing import scene_from_picture
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.psf.external_bank import grid_bank_of_functions
from metalens.psf.interpolation.functions import field_functions
from metalens.synth.blur import BlurSettings, blur, blur_in_parts, linear_weights, shift_variant_blur
from metalens.synth.embedded_photographs import embedded_photographs

REPEATS = 25

USUAL_WAYS = "hats=7,hats=16,hats=32,hard=9,hard=16,hard=32,deepinv=16"

Run = Callable[[np.ndarray], np.ndarray]


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


def continued(scene: np.ndarray, kernel: int) -> np.ndarray:
    before, after = kernel - 1 - kernel // 2, kernel // 2
    return np.pad(scene, ((before, after), (before, after), (0, 0)), "symmetric")


def one_convolution(function: np.ndarray, pixels: tuple[int, int]) -> Run:
    """One function for the whole image, by one transform of the continued scene: no more than has to be."""
    kernel = function.shape[-1]
    size = tuple(next_fast_len(length + 2 * (kernel - 1), real=True) for length in pixels)
    transform = jnp.fft.rfft2(jnp.asarray(function, dtype=jnp.float32), size)
    inner = slice(kernel - 1, kernel - 1 + pixels[0]), slice(kernel - 1, kernel - 1 + pixels[1])
    margins = ((kernel - 1 - kernel // 2, kernel // 2),) * 2

    @jax.jit
    def convolve(scene: jax.Array) -> jax.Array:
        planes = jnp.pad(jnp.moveaxis(scene, -1, 0), ((0, 0), *margins), mode="symmetric")
        image = jnp.fft.irfft2(jnp.fft.rfft2(planes, size) * transform, size)
        return jnp.moveaxis(image[:, inner[0], inner[1]], 0, -1)

    return lambda scene: np.asarray(convolve(jnp.asarray(scene)))


@dataclass(frozen=True)
class Patches:
    """The patch methods: the scene is cut by windows, each part convolved with the function of one place."""

    functions: np.ndarray
    window_y: np.ndarray
    window_x: np.ndarray
    pixels: tuple[int, int]

    def __call__(self, scene: np.ndarray) -> np.ndarray:
        kernel = self.functions.shape[-1]
        whole = continued(scene, kernel)
        image = jnp.zeros((3, whole.shape[0] + kernel - 1, whole.shape[1] + kernel - 1))
        for row, column in np.ndindex(self.functions.shape[:2]):
            image = self._add(image, whole, row, column)
        inner = slice(kernel - 1, kernel - 1 + self.pixels[0]), slice(kernel - 1, kernel - 1 + self.pixels[1])
        return np.moveaxis(np.asarray(image[:, inner[0], inner[1]]), 0, -1)

    def _add(self, image: jax.Array, whole: np.ndarray, row: int, column: int) -> jax.Array:
        y, x = np.flatnonzero(self.window_y[row]), np.flatnonzero(self.window_x[column])
        window = self.window_y[row, y[0] : y[-1] + 1, None] * self.window_x[column, x[0] : x[-1] + 1]
        part = whole[y[0] : y[-1] + 1, x[0] : x[-1] + 1] * window[..., None]
        light = _convolved(jnp.asarray(np.moveaxis(part, -1, 0), dtype=jnp.float32), self.functions[row, column])
        top, left = int(y[0]), int(x[0])
        return image.at[:, top : top + light.shape[1], left : left + light.shape[2]].add(light)


@jax.jit
def _convolved(part: jax.Array, function: jax.Array) -> jax.Array:
    size = [length + function.shape[-1] - 1 for length in part.shape[-2:]]
    fast = [next_fast_len(length, real=True) for length in size]
    light = jnp.fft.irfft2(jnp.fft.rfft2(part, fast) * jnp.fft.rfft2(function, fast), fast)
    return light[:, : size[0], : size[1]]


def patches(bank: PsfBank, count: int, *, hats: bool) -> Patches:
    """Windows about ``count`` places a side: hats that overlap, or boxes, which is hard patches."""
    pixels, pitch = bank.camera.sensor.pixels, bank.pixel_pitch
    kernel = bank.intensity.shape[-1]
    edges = [0.5 * length * pitch for length in pixels]
    share = np.linspace(-1, 1, count) if hats else (np.arange(count) + 0.5) * 2 / count - 1
    windows = []
    for length, edge in zip(pixels, edges, strict=True):
        place = np.arange(length + kernel - 1) - (kernel - 1 - kernel // 2) - (length - 1) / 2
        weights = linear_weights(share * edge, np.clip(place * pitch, -edge, edge))
        windows.append(weights if hats else np.eye(count)[weights.argmax(axis=0)].T)
    functions = field_functions(bank, registered=False).on_grid(share * edges[0], share * edges[1], lambda each: each)
    return Patches(functions.astype(np.float32), windows[0], windows[1], pixels)


def deepinv_tiles(bank: PsfBank, count: int) -> Run | None:
    """deepinv's TiledSpaceVaryingBlur, which gathers; ``None`` where deepinv is missing."""
    try:
        import torch
        from deepinv.physics import TiledSpaceVaryingBlur
    except ImportError:
        return None
    pixels, kernel = bank.camera.sensor.pixels, bank.intensity.shape[-1]
    side = -(-2 * (pixels[0] + kernel - 1) // (count + 1))
    stride = side // 2
    places = (np.arange(count) - (count - 1) / 2) * stride * bank.pixel_pitch
    grid = field_functions(bank, registered=False).on_grid(places, places, lambda each: each)
    filters = torch.from_numpy(np.ascontiguousarray(grid.reshape(count**2, 3, kernel, kernel).swapaxes(0, 1))[None])
    physics = TiledSpaceVaryingBlur(patch_size=side, stride=stride, filters=filters)

    def run(scene: np.ndarray) -> np.ndarray:
        planes = torch.from_numpy(np.moveaxis(continued(scene, kernel), -1, 0)[None].astype(np.float32))
        with torch.no_grad():
            found = physics(planes)[0].numpy()
        return np.moveaxis(found[:, : pixels[0], : pixels[1]], 0, -1)

    return run


def exact(bank: PsfBank, scene: np.ndarray, top: int, left: int, side: int) -> np.ndarray:
    """Light of a square of pixels, from every point of the scene with its own function, one by one.

    The functions are computed every 4 pixels, or 8 where they are large, and interpolated linearly in between, which
    leaves an error some hundred or 25 times smaller than nodes every 40 pixels do.
    """
    functions = field_functions(bank, registered=False)
    kernel, pixels, pitch = bank.intensity.shape[-1], bank.camera.sensor.pixels, bank.pixel_pitch
    reach = side + kernel - 1
    offset = np.arange(reach) - (kernel - 1 - kernel // 2)
    step = 4 if kernel < 200 else 8
    knots = np.append(np.arange(0, reach - 1, step), reach - 1)
    places = [(first + offset - (length - 1) / 2) * pitch for first, length in zip((top, left), pixels, strict=True)]
    known = functions.on_grid(places[0][knots], places[1][knots], lambda each: each)
    light = continued(scene, kernel)[top : top + reach, left : left + reach]
    image = np.zeros((3, side, side))
    share = linear_weights(knots.astype(float), np.arange(float(reach))).astype(np.float32)
    nodes = [np.flatnonzero(share[:, place]) for place in range(reach)]
    # Of each function, the samples that fall on the square.
    begin = [max(0, kernel - 1 - place) for place in range(reach)]
    end = [min(kernel, kernel - 1 - place + side) for place in range(reach)]
    for row in range(reach):
        part = known[nodes[row][0] : nodes[row][-1] + 1, :, :, begin[row] : end[row]]
        along = np.tensordot(share[nodes[row], row], part, 1)
        y = row + begin[row] - (kernel - 1)
        for column in range(reach):
            part = along[nodes[column][0] : nodes[column][-1] + 1, ..., begin[column] : end[column]]
            own = np.tensordot(share[nodes[column], column], part, 1)
            x = column + begin[column] - (kernel - 1)
            image[:, y : y + own.shape[1], x : x + own.shape[2]] += own * light[row, column][:, None, None]
    return np.moveaxis(image, 0, -1)


def in_turns(runs: dict[str, Callable[[], object]], repeats: int = REPEATS) -> dict[str, float]:
    """Median processor seconds of each, measured in turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            start = time.process_time()
            run()
            if turn:
                times[name].append(time.process_time() - start)
    return {name: float(np.median(found)) for name, found in times.items()}


def decibels(found: np.ndarray, expected: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((found.astype(np.float64) - expected) ** 2)))


def photograph(pixels: tuple[int, int]) -> np.ndarray:
    return scene_from_picture(read_picture(embedded_photographs()[0].path), pixels)


def ways(bank: PsfBank, others: str) -> dict[str, Run | None]:
    pixels, function = bank.camera.sensor.pixels, bank.intensity[0]
    used = time.process_time()
    operator = shift_variant_blur(bank)
    print(f"  made ready in {time.process_time() - used:.1f} s, compilation included: {operator.report.as_dict()}")
    found: dict[str, Run | None] = {
        "one convolution": one_convolution(function, pixels),
        "blur": lambda scene: np.asarray(blur(operator, scene)),
    }
    for word in () if others == "none" else others.split(","):
        kind, count = word.split("=")
        if kind == "deepinv":
            found[f"deepinv tiles {count}²"] = deepinv_tiles(bank, int(count))
        else:
            found[f"{kind} patches {count}²"] = patches(bank, int(count), hats=kind == "hats")
    return found


def comparison(bank: PsfBank, others: str, side: int = 32) -> None:
    """PSNR of a photograph and of white noise against the exact scatter, and processor time of all ways."""
    pixels, kernel = bank.camera.sensor.pixels, bank.intensity.shape[-1]
    print(f"\n{machine()}\n{bank.camera.name}: {pixels[0]} × {pixels[1]} pixels, functions {kernel}², {bank.layout}")
    scenes = {
        "photograph": photograph(pixels),
        "noise": np.random.default_rng(0).random((*pixels, 3), dtype=np.float32),
    }
    corners = [(0, 0), (pixels[0] // 2, pixels[1] - side), (pixels[0] // 2 - side // 2, pixels[1] // 2)]
    expected = {name: [exact(bank, scene, *place, side) for place in corners] for name, scene in scenes.items()}
    runs = {name: run for name, run in ways(bank, others).items() if run is not None}
    seconds = in_turns({name: lambda run=run: run(scenes["photograph"]) for name, run in runs.items()})
    print(f"{'':>20} {'photograph':>11} {'noise':>7} {'s/Mpx':>7} {'ratio':>7}")
    for name, run in runs.items():
        quality = []
        for kind, scene in scenes.items():
            image = run(scene)
            found = [image[y : y + side, x : x + side] for y, x in corners]
            quality.append(decibels(np.stack(found), np.stack(expected[kind])))
        per_pixel = seconds[name] / (pixels[0] * pixels[1]) * 1e6
        ratio = seconds[name] / seconds["one convolution"]
        print(f"{name:>20} {quality[0]:11.1f} {quality[1]:7.1f} {per_pixel:7.3f} {ratio:7.1f}", flush=True)


def flux(bank: PsfBank, count: int = 25) -> None:
    """How much of the light of single points inside is lost or won, against the sums of their functions."""
    (rows, columns), reach = bank.camera.sensor.pixels, bank.intensity.shape[-1] // 2 + 8
    operator, functions = shift_variant_blur(bank), field_functions(bank, registered=None)
    places, generator = operator.frame.places, np.random.default_rng(0)
    share = functions.share(places(0)[operator.frame.margin[0] :], places(1)[operator.frame.margin[1] :])
    worst = 0.0
    for _ in range(count):
        row, column = generator.integers(reach, rows - reach), generator.integers(reach, columns - reach)
        scene = np.zeros((rows, columns, 3), dtype=np.float32)
        scene[row, column] = 1
        found = np.asarray(blur(operator, scene), dtype=np.float64).sum(axis=(0, 1))
        worst = max(worst, float(np.abs(found / share[row, column] - 1).max()))
    print(f"light of {count} points, {reach} pixels or more inside: kept to {worst:.1e}")


def sizes(kernel: int = 101) -> None:
    """Time and memory against the image's size, one channel's worth of work at a time."""
    print(f"\n{'pixels':>12} {'blocks':>8} {'waves':>6} {'core':>5} {'s/Mpx':>7} {'ratio':>6} {'peak GiB':>9}")
    for side in (250, 400, 1000, 2000, 4900):
        bank = smooth_bank(9, kernel, (side, side))
        scene = np.random.default_rng(0).random((side, side, 3), dtype=np.float32)
        operator = shift_variant_blur(bank, BlurSettings(tolerance=1e-3))
        runs = {
            "one": one_convolution(bank.intensity[0], (side, side)),
            "blur": lambda scene, operator=operator: np.asarray(blur(operator, scene)),
        }
        repeats = REPEATS if side <= 1000 else 3
        seconds = in_turns({name: lambda run=run, scene=scene: run(scene) for name, run in runs.items()}, repeats)
        report = operator.report
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{side:>5} × {side:<5} {report.blocks[0]:>7}² {report.waves:>6} {report.core[0]:>4}² "
            f"{seconds['blur'] / side**2 * 1e6:7.3f} {seconds['blur'] / seconds['one']:6.1f} {peak:9.2f}",
            flush=True,
        )


def parts(kernel: int = 101, side: int = 4900) -> None:
    """Time and memory of a frame that is blurred part by part."""
    bank = smooth_bank(9, kernel, (side, side))
    scene = np.random.default_rng(0).random((side, side, 3), dtype=np.float32)
    used = time.process_time()
    _, change = blur_in_parts(bank, [scene])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{side} × {side} in parts: {time.process_time() - used:.0f} s of the processor, {peak:.2f} GiB, {change:.1e}"
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    banks = [read_psf_bank(word) for word in words if word.endswith(".h5")]
    named = [word for word in words if "=" in word or word == "none"] or [USUAL_WAYS]
    asked = {"accuracy", "flux", "size", "parts"}.intersection(words) or {"accuracy", "flux", "size"}
    if "accuracy" in asked:
        for each in banks or [smooth_bank(17, 41, (400, 400))]:
            comparison(each, named[0])
    if "flux" in asked:
        for each in banks or [smooth_bank(17, 41, (400, 400))]:
            flux(each)
    if "size" in asked:
        sizes()
    if "parts" in asked:
        parts()
