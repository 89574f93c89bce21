"""Milliseconds a step with CUDA graphs and without, and how far the gradients of both are apart.

    python benchmarks/cuda_graphs.py [--channels 64,96,96,128] [--batch 32] [--crop 128] [--steps 20]

Two kinds of step: that of ``metalens pretrain`` on its denoiser, and that of ``metalens train`` on an adapter with a
local Q. Weights are random, pictures too. Needs a CUDA device.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from metalens.formats.camera.camera import read_camera
from metalens.restore.adapter.restorer import AdapterConfig, Restorer
from metalens.restore.machine import machine_name
from metalens.restore.pretraining.linear_initialisation import start_autoencoder, start_denoiser
from metalens.restore.pretraining.losses import DenoiserBatch, denoiser_batch, denoiser_loss
from metalens.restore.pretraining.recipe import PretrainConfig, build_autoencoder, build_denoiser, build_scheduler
from metalens.restore.prior.prior import PATHS, Prior
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.cuda_graphs import RecordedGradients
from metalens.restore.training.loss import PathLoss

DEVICE = "cuda"


def make_prior(config: PretrainConfig) -> Prior:
    torch.manual_seed(0)
    autoencoder, denoiser, scheduler = build_autoencoder(config), build_denoiser(config), build_scheduler()
    start_autoencoder(autoencoder)
    start_denoiser(denoiser, float(scheduler.alphas_cumprod[-1]))
    for module in (autoencoder, denoiser):
        module.eval()
    autoencoder.requires_grad_(False)
    prompts = {path: torch.randn(config.prompt_tokens, config.prompt_features) for path in PATHS}
    return Prior("random", autoencoder, denoiser, scheduler.alphas_cumprod, "v_prediction", prompts).to(DEVICE)


def autocast() -> torch.autocast:
    return torch.autocast(DEVICE, dtype=torch.bfloat16)


def compare(name: str, function: Callable[..., dict[str, Tensor]], parameters: list, inputs: list, steps: int) -> None:
    """Print the times of both ways in turns, and the difference of their gradients."""

    def eager(key: str, *inputs: Tensor) -> None:
        for parameter in parameters:
            parameter.grad = None
        function(key, *inputs)["loss"].backward()

    ways: dict[bool, Callable[..., object]] = {False: eager, True: RecordedGradients(function, parameters)}
    seconds: dict[bool, list[float]] = {False: [], True: []}
    norms: dict[bool, Tensor] = {}
    for number in range(steps + 1):
        for graphed, gradients in ways.items():
            torch.cuda.synchronize()
            started = time.perf_counter()
            gradients("positive", *inputs)
            torch.cuda.synchronize()
            if number:
                seconds[graphed].append(time.perf_counter() - started)
            norms[graphed] = torch.cat([each.grad.flatten().float() for each in parameters if each.grad is not None])
    difference = float((norms[True] - norms[False]).norm() / norms[False].norm())
    eager_ms, graphed_ms = (statistics.median(seconds[each]) * 1000 for each in (False, True))
    print(f"{name:10s} {eager_ms:8.1f} ms eager {graphed_ms:8.1f} ms graphed, gradients differ by {difference:.1e}")
    if not difference < 0.05:
        raise SystemExit(f"{name}: the graph's gradients are not those of the eager step")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", default="64,96,96,128")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    given = parser.parse_args()
    channels = tuple(map(int, given.channels.split(",")))
    config = PretrainConfig(denoiser_channels=channels, precision="bf16")
    print(f"{machine_name(torch.device(DEVICE))}, torch {torch.__version__}, {given.batch} crops of {given.crop}")
    prior = make_prior(config)
    pictures = torch.rand(given.batch, 3, given.crop, given.crop, device=DEVICE)
    generator = torch.Generator(DEVICE).manual_seed(0)
    batch = denoiser_batch(prior, pictures, generator, path_share=config.path_share, diffusion_share=0.15)

    def denoiser(key: str, *inputs: Tensor) -> dict[str, Tensor]:
        del key
        with autocast():
            return denoiser_loss(prior, DenoiserBatch(*inputs))

    compare("denoiser", denoiser, list(prior.unet.parameters()), list(batch), given.steps)

    prior = make_prior(config)
    prior.unet.requires_grad_(False)
    fwhm = np.full((3, 7, 7), 0.5, np.float32)
    restorer = Restorer(prior, AdapterConfig(), read_camera("metacamera"), fwhm, "piqe").to(DEVICE)
    loss = PathLoss(TrainConfig(perceptual="st-lpips")).to(DEVICE)
    maps = torch.rand(given.batch, 4, 7, 7, device=DEVICE)

    def adapter(key: str, source: Tensor, target: Tensor, maps: Tensor) -> dict[str, Tensor]:
        with autocast():
            predicted = restorer.forward(source, maps, [key] * len(source))
        return loss(predicted.float(), target)

    inputs = [pictures, torch.rand_like(pictures), maps]
    compare("adapter", adapter, list(restorer.parameters().values()), inputs, given.steps)


if __name__ == "__main__":
    main()
