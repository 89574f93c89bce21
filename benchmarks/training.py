"""Training images per second in fp32 and bf16, measured in turns, and the peak memory of each.

    python benchmarks/training.py [--batch 4] [--crop 96] [--steps 5]
    python benchmarks/training.py --device cuda --prior sd-turbo-sized --batch 8 --crop 512 --steps 20

A step is that of ``metalens train``: forward on the positive path, L2 and shift-tolerant LPIPS, backward, AdamW and
moving average, on random pictures that are at hand. ``sd-turbo-sized`` is a prior of random weights of the shapes of
stabilityai/sd-turbo, with LoRA of the published ranks (32 in the U-Net, 16 in the encoder).

Prints the median over the steps, after one that is not counted. Memory is measured in a process of its own for each
precision: the largest resident set, or what the accelerator's allocator held at most.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from measuring.random_prior import sd_turbo_sized

from metalens.formats.camera.camera import read_camera
from metalens.restore.adapter.restorer import AdapterConfig, Restorer
from metalens.restore.machine import machine_name
from metalens.restore.prior.prior_folder import load_prior
from metalens.restore.training.adapter_training import AdapterTraining
from metalens.restore.training.checkpoint import CHECKPOINT
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.distributed import DistributedProcesses
from metalens.restore.training.loop import Draw, LoopSettings, TrainingLoop
from metalens.restore.training.loss import PathLoss
from metalens.restore.training.optimisation import Budget

VARIANTS = ("fp32", "bf16", "fp32, checkpointing", "bf16, checkpointing")


def make_run(variant: str, arguments: argparse.Namespace) -> TrainingLoop:
    precision, _, checkpointing = variant.partition(", ")
    large = arguments.prior == "sd-turbo-sized"
    adapter = AdapterConfig(unet_rank=32, encoder_rank=16) if large else AdapterConfig()
    config = TrainConfig(
        adapter=adapter,
        batch=arguments.batch,
        crop=arguments.crop,
        precision=precision,  # type: ignore[arg-type]
        gradient_checkpointing=bool(checkpointing),
        perceptual="st-lpips",
    )
    torch.manual_seed(0)
    prior = sd_turbo_sized(arguments.device) if large else load_prior(arguments.prior)
    fwhm_map = np.full((3, 7, 7), 0.5, dtype=np.float32)
    restorer = Restorer(prior, config.adapter, read_camera("metacamera"), fwhm_map, "piqe")
    workplace = DistributedProcesses(arguments.device, precision)
    loss = PathLoss(config).to(workplace.device)
    trainee = AdapterTraining(
        restorer,
        None,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        loss,
        config=config,
        workplace=workplace,
        output=Path(),
    )
    return TrainingLoop(trainee, Budget(steps=10**6), workplace, LoopSettings(Path(CHECKPOINT)))


def batch_of(arguments: argparse.Namespace) -> Draw:
    shape = (arguments.batch, 3, arguments.crop, arguments.crop)
    return Draw("positive", [(torch.rand(shape), torch.rand(shape), torch.rand(arguments.batch, 4, 7, 7))])


def seconds_of(loop: TrainingLoop, batch: Draw) -> float:
    started = time.perf_counter()
    loop.step(batch)  # ends with a number on this side, so the accelerator has finished
    return time.perf_counter() - started


def memory_of(variant: str, arguments: argparse.Namespace) -> float:
    """Largest memory of two steps in GB, measured in this process."""
    run, batch = make_run(variant, arguments), batch_of(arguments)
    for _ in range(2):
        run.step(batch)
    if run.workplace.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--prior", default="embedded", help="embedded, a diffusers folder, or sd-turbo-sized")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=96)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--variants", default=";".join(VARIANTS), help="separated by semicolons")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(json.dumps(memory_of(arguments.memory_of, arguments)))
        return
    variants = arguments.variants.split(";")
    runs = {variant: make_run(variant, arguments) for variant in variants}
    batch = batch_of(arguments)
    seconds: dict[str, list[float]] = {variant: [] for variant in variants}
    for _ in range(arguments.steps + 1):
        for variant, run in runs.items():
            seconds[variant].append(seconds_of(run, batch))
    first = next(iter(runs.values()))
    trained = sum(parameter.numel() for parameter in first.optimisation.parameters.values())
    print(f"{machine_name(first.workplace.device)}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    crops = f"{arguments.batch} crops of {arguments.crop} x {arguments.crop}"
    print(f"{arguments.prior}: {trained:,} trained parameters; {crops}")
    del first, run
    runs.clear()
    if torch.cuda.is_available():
        # The processes that measure memory need what this one still holds.
        torch.cuda.empty_cache()
    base = statistics.median(seconds[variants[0]][1:])
    for variant in variants:
        median = statistics.median(seconds[variant][1:])
        command = [sys.executable, __file__, *sys.argv[1:], "--memory-of", variant]
        memory = float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        print(
            f"{variant:22s} {median:7.3f} s a step {arguments.batch / median:8.2f} images/s "
            f"{base / median:6.2f} x {memory:7.2f} GB"
        )


if __name__ == "__main__":
    main()
