"""Seconds and memory of the restorer: 400² and 512², each α, what SVDA adds, large pictures in tiles; CPU or GPU.

    python benchmarks/restore.py [--adapter metacamera] [--runs 5]
    python benchmarks/restore.py --large 3000x4000 [--tile 512]      # one large picture, its time and peak memory
    python benchmarks/restore.py --seams                             # tiles against the picture restored whole
    python benchmarks/restore.py --precisions                        # bf16 against fp32
    python benchmarks/restore.py --linearity                         # interpolated between α against decoded
    python benchmarks/restore.py --device cuda --sd-turbo-sized      # random weights of SD-Turbo's size, bfloat16

What is compared is run in turns and stated as a ratio of medians, so that a busy machine strikes all alike. Seconds are
those of the processor, of all threads together, with the elapsed time beside them; on a GPU they are elapsed. The mode
with random weights needs no download: it builds SD-Turbo's classes at their full size (866 M + 84 M parameters) and
tells nothing about pictures.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import NamedTuple
from unittest import mock

import numpy as np
import skimage.data
import torch
from measuring.random_prior import sd_turbo_sized

from metalens.formats.camera.camera import read_camera
from metalens.formats.files.interruption import terminate_as_interrupt
from metalens.formats.pictures.scene import to_8_bit
from metalens.restore.adapter.adapter_file import load_restorer
from metalens.restore.adapter.restorer import AdapterConfig, Restorer
from metalens.restore.conditioning.quality import quality_map
from metalens.restore.deconvolution.consistency import blurred_again
from metalens.restore.inference import tiled_networks
from metalens.restore.inference.restoration import (
    Settings,
    decode,
    decode_values,
    degradation_map,
    latents_of,
    restore,
)
from metalens.restore.inference.tiled_networks import TiledNetworks
from metalens.restore.inference.tiling import tiling_of
from metalens.restore.machine import machine_name, usable_device
from metalens.restore.metrics.measures import psnr

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
"""Precisions by the names that the commands have for them."""


class Medians(NamedTuple):
    """Seconds of tasks by name: those that are compared, and by the clock on the wall."""

    seconds: dict[str, float]
    elapsed: dict[str, float]


def interleaved_medians(tasks: dict[str, Callable[[], object]], runs: int, device: torch.device) -> Medians:
    """Median seconds of each task, all of them run in turn, after one turn that is not counted."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for turn in range(runs + 1):
        for name, task in tasks.items():
            wait(device)
            start, began = clock(), time.perf_counter()
            task()
            wait(device)
            if turn:
                spent[name].append((clock() - start, time.perf_counter() - began))
    return Medians(
        *({name: statistics.median(turn[kind] for turn in spent[name]) for name in tasks} for kind in (0, 1))
    )


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def peak_memory(device: torch.device) -> str:
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    on_device = f", {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB on the device" if device.type == "cuda" else ""
    return f"{host:.2f} GiB{on_device}"


def for_pixels(restorer: Restorer, pixels: tuple[int, int]) -> None:
    """Give a restorer's camera another sensor; its functions are spread over that.

    What is measured does not depend on the lens.
    """
    bank, before = restorer.bank, restorer.camera.sensor.pixels
    sensor = restorer.camera.sensor.model_copy(update={"pixels": pixels})
    restorer.camera = restorer.camera.model_copy(update={"sensor": sensor})
    if bank is not None:
        position = bank.position * np.divide(pixels, before)
        restorer.bank = replace(
            bank, camera=restorer.camera, position=position, subpixel_intensity=None, simulated_position=None
        )


def picture_of(pixels: tuple[int, int]) -> np.ndarray:
    """A smooth picture with a little noise."""
    y, x = np.mgrid[: pixels[0], : pixels[1]].astype(np.float32)
    waves = 0.5 + 0.2 * np.sin(x / 17)[..., None] * np.cos(y / 23)[..., None] + 0.1 * np.sin((x + y) / 3)[..., None]
    noise = np.random.default_rng(0).normal(0, 0.02, (*pixels, 3)).astype(np.float32)
    return np.clip(255 * (waves + noise), 0, 255).astype(np.uint8)


def random_restorer(device: str) -> Restorer:
    """Random weights in SD-Turbo's size, with the published ranks."""
    config = AdapterConfig(unet_rank=32, encoder_rank=16)
    fwhm_map = np.full((3, 7, 7), 0.5, np.float32)
    restorer = Restorer(sd_turbo_sized(device), config, read_camera("metacamera"), fwhm_map, "piqe")
    restorer.to(device)
    with torch.no_grad():
        for parameter in restorer.attention.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    return restorer


@torch.no_grad()
def parts(restorer: Restorer, pixels: tuple[int, int], runs: int) -> None:
    """The parts of restoring one picture, and the ratios that matter."""
    device = restorer.prior.device
    settings = Settings(tile=max(pixels))
    capture = picture_of(pixels)
    for_pixels(restorer, pixels)
    maps = degradation_map(restorer, capture, None)
    both = maps.repeat(2, 1, 1, 1)
    multiple = restorer.prior.size_multiple
    whole = tuple(side // multiple * multiple for side in pixels)
    picture = restorer.network_input(capture)[..., : whole[0], : whole[1]].to(device)
    latents = latents_of(restorer, capture, settings)

    def adapted(with_svda: bool) -> None:
        paths = ["positive", "neutral"]
        if with_svda:
            restorer.step(restorer.encode(picture, maps).repeat(2, 1, 1, 1), both, paths)
            return
        with restorer.layers.conditioned(None, 1.0):
            encoded = restorer.prior.encode(picture).repeat(2, 1, 1, 1)
            restorer.prior.predict_clean(encoded, restorer.prior.prompt(paths))

    def plain() -> None:
        with mock.patch.object(tiled_networks, "lean", return_value=nullcontext()):
            restore(restorer, capture, [0.75], settings)

    tasks: dict[str, Callable[[], object]] = {
        "quality map": lambda: quality_map(capture, restorer.quality_metric),
        "what the networks take": lambda: restorer.network_input(capture),
        "encode + one step on two paths": lambda: adapted(True),
        "restore, one α": lambda: restore(restorer, capture, [0.75], settings),
        "the same, blocks of diffusers": plain,
        "another α: one decode": lambda: decode(restorer, latents, 1.0, tile=settings.tile),
    }
    if restorer.layers.ranks:
        tasks["the same, plain LoRA"] = lambda: adapted(False)
    seconds, elapsed = interleaved_medians(tasks, runs, device)
    print(f"\n{pixels[0]} x {pixels[1]} pixels, {restorer.prior.unet.dtype}")
    for name, value in seconds.items():
        print(f"{name:45s} {value * 1000:10.1f} ms {elapsed[name] * 1000:10.1f} ms elapsed")
    lean = seconds["restore, one α"] / seconds["the same, blocks of diffusers"]
    print(f"{'in place and shared, of the blocks of diffusers':45s} {lean:10.2f}")
    restoring = seconds["restore, one α"]
    if restorer.layers.ranks:
        svda = seconds["encode + one step on two paths"] / seconds["the same, plain LoRA"] - 1
        print(f"{'SVDA, share of a restore':45s} {svda * seconds['the same, plain LoRA'] / restoring:10.1%}")
        print(f"{'SVDA, above plain LoRA (encode + step)':45s} {svda:10.1%}")
    print(f"{'another α, share of a restore':45s} {seconds['another α: one decode'] / restoring:10.1%}")
    print(f"{'peak memory so far':45s} {peak_memory(device)}")


def large(restorer: Restorer, pixels: tuple[int, int], tile: int) -> None:
    """One large picture in tiles."""
    for_pixels(restorer, pixels)
    capture = picture_of(pixels)
    print(f"\n{pixels[0]} x {pixels[1]} pixels in tiles of up to {tile}; before: {peak_memory(restorer.prior.device)}")
    clock = time.perf_counter if restorer.prior.device.type == "cuda" else time.process_time
    start, began = clock(), time.perf_counter()
    latents = latents_of(restorer, capture, Settings(tile=tile))
    wait(restorer.prior.device)
    predicted = clock()
    decode(restorer, latents, 0.75, tile=tile)
    wait(restorer.prior.device)
    elapsed = time.perf_counter() - began
    print(f"latents {predicted - start:.1f} s, one decode {clock() - predicted:.1f} s; elapsed {elapsed:.1f} s")
    print(f"peak memory {peak_memory(restorer.prior.device)}")


def seams(restorer: Restorer) -> None:
    """How far tiles are from the picture restored whole, with and without statistics of the whole picture."""
    coffee = skimage.data.coffee()[:400, 100:500]
    for_pixels(restorer, coffee.shape[:2])
    whole = restore(restorer, coffee, [0.75], Settings(tile=512))[0.75].astype(float)
    print("tile   tiles   statistics        RMS of 255   largest   jump at borders, over that elsewhere")
    for tile in (256, 192, 128):
        for name in ("of the whole", "of each tile"):
            each = mock.patch.object(TiledNetworks, "_normalised", return_value=nullcontext())
            with each if name == "of each tile" else nullcontext():
                cut = restore(restorer, coffee, [0.75], Settings(tile=tile))[0.75]
            difference = cut - whole
            cell = restorer.prior.size_multiple
            tiling = tiling_of((400, 400), cell, tile)
            borders = sorted({edge * cell - 1 for left in tiling.lefts for edge in (left, left + tiling.width)})
            jumps = np.abs(np.diff(difference, axis=1)).mean(axis=(0, 2))
            ratio = jumps[[edge for edge in borders if 0 <= edge < len(jumps)]].mean() / jumps.mean()
            root = np.sqrt(np.square(difference).mean())
            print(f"{tile:4d} {len(tiling):7d}   {name:15s} {root:12.2f} {np.abs(difference).max():9.0f} {ratio:9.2f}")


@torch.no_grad()
def linearity(restorer: Restorer) -> None:
    """How far a picture interpolated between two values of α is from the decoded one in the middle, of 255."""
    coffee = skimage.data.coffee()[:400, 100:500]
    for_pixels(restorer, coffee.shape[:2])
    # A block of data consistency follows what it takes for a capture.
    capture = coffee if restorer.bank is None else to_8_bit(blurred_again([coffee], restorer.bank)[0])
    latents = latents_of(restorer, capture)

    def decoded(alpha: float) -> np.ndarray:
        return 255 * decode_values(restorer, latents, alpha)

    print("from to     RMS   largest error in the middle")
    for low, high in ((0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1), (0, 0.5), (0.5, 1), (0, 1), (1, 1.2), (1, 2)):
        error = (decoded(low) + decoded(high)) / 2 - decoded((low + high) / 2)
        print(f"{low:4.2f} {high:4.2f} {np.sqrt(np.square(error).mean()):6.3f} {np.abs(error).max():6.2f}", flush=True)


def precisions(source: str, device: torch.device, pixels: tuple[int, int], runs: int) -> None:
    """One picture in both precisions, in turns: the times, and how far the pictures are from each other."""
    capture, pictures, tasks = picture_of(pixels), {}, {}
    for precision, dtype in DTYPES.items():
        restorer = load_restorer(source).to(device, dtype)
        for_pixels(restorer, pixels)
        tasks[precision] = partial(restore, restorer, capture, [0.75], Settings(tile=max(pixels)))
        pictures[precision] = tasks[precision]()[0.75]
    seconds, elapsed = interleaved_medians(tasks, runs, device)
    ratio = seconds["bf16"] / seconds["fp32"]
    apart = psnr(pictures["fp32"], pictures["bf16"])
    print(f"\n{pixels[0]} x {pixels[1]} pixels")
    for name, value in seconds.items():
        print(f"{name} {value:.2f} s, {elapsed[name]:.2f} s elapsed")
    print(f"bf16 takes {ratio:.2f} of the time; the pictures agree within {apart:.1f} dB")


def size(text: str) -> tuple[int, int]:
    rows, columns = (int(part) for part in text.lower().split("x"))
    return rows, columns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adapter", default="metacamera")
    parser.add_argument("--sd-turbo-sized", action="store_true", help="random weights of SD-Turbo's size")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=list(DTYPES), help="bf16 on a GPU, else fp32")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--size", type=size, action="append", help="ROWSxCOLUMNS; 400x400 and 512x512 by default")
    parser.add_argument("--large", type=size, help="one large picture in tiles instead, ROWSxCOLUMNS")
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--precisions", action="store_true", help="bf16 against fp32 instead")
    parser.add_argument("--linearity", action="store_true", help="interpolated between α against decoded instead")
    parser.add_argument("--seams", action="store_true", help="tiles against the whole picture instead")
    arguments = parser.parse_args()
    terminate_as_interrupt()
    usable_device(arguments.device)  # as in a command: freed memory is kept
    device = torch.device(arguments.device)
    precision = arguments.precision or ("bf16" if device.type == "cuda" else "fp32")
    restorer = random_restorer(arguments.device) if arguments.sd_turbo_sized else load_restorer(arguments.adapter)
    restorer.to(device, DTYPES[precision])
    load = f"load {os.getloadavg()[0]:.1f}"
    print(f"{machine_name(device)}, {torch.get_num_threads()} threads, {load}, torch {torch.__version__}")
    if arguments.precisions:
        for pixels in arguments.size or [(400, 400)]:
            precisions(arguments.adapter, device, pixels, arguments.runs)
        return
    if arguments.linearity:
        linearity(restorer)
        return
    if arguments.seams:
        seams(restorer)
        return
    if arguments.large:
        large(restorer, arguments.large, arguments.tile)
        return
    for pixels in arguments.size or [(400, 400), (512, 512)]:
        parts(restorer, pixels, arguments.runs)


if __name__ == "__main__":
    main()
