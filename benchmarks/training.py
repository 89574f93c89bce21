"""Training images per second by batch, crop and precision, measured in turns, and the peak memory of each.

    python benchmarks/training.py [--batch 1 4 8] [--crop 96 128] [--steps 5] [--tuning full] [--profile]
    python benchmarks/training.py --device cuda --prior sd-turbo-sized --batch 8 --crop 512 --steps 20

A step is that of ``metalens train``: forward on the positive path, L2 and shift-tolerant LPIPS, backward, AdamW and
moving average, on random pictures that are at hand. ``sd-turbo-sized`` is a prior of random weights of the shapes of
stabilityai/sd-turbo, with LoRA of the published ranks (32 in the U-Net, 16 in the encoder).

Prints the median over the steps, after one that is not counted: of a processor its own seconds, of all threads, which
other programs change little, else elapsed ones. ``--profile`` also prints which operations take most of the first row's
step. Memory is measured in a process of its own for each
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
from typing import NamedTuple

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

DEAREST = 8
VARIANTS = ("fp32", "bf16", "fp32, checkpointing", "bf16, checkpointing")


class Case(NamedTuple):
    """A row of the table; ``variant`` is one of :data:`VARIANTS`."""

    variant: str
    batch: int
    crop: int


def make_run(case: Case, arguments: argparse.Namespace) -> TrainingLoop:
    precision, _, checkpointing = case.variant.partition(", ")
    large = arguments.prior == "sd-turbo-sized"
    adapter = AdapterConfig(unet_rank=32, encoder_rank=16) if large else AdapterConfig(tuning=arguments.tuning)
    config = TrainConfig(
        adapter=adapter,
        batch=case.batch,
        crop=case.crop,
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


def batch_of(case: Case) -> Draw:
    shape = (case.batch, 3, case.crop, case.crop)
    place = torch.zeros(case.batch, 2, dtype=torch.long)
    return Draw("positive", [(torch.rand(shape), torch.rand(shape), torch.rand(case.batch, 4, 7, 7), place)])


def seconds_of(loop: TrainingLoop, batch: Draw) -> float:
    clock = time.process_time if loop.workplace.device.type == "cpu" else time.perf_counter
    started = clock()
    loop.step(batch)  # ends with a number on this side, so the accelerator has finished
    return clock() - started


def memory_of(case: Case, arguments: argparse.Namespace) -> float:
    """Largest memory of two steps in GB, measured in this process."""
    run, batch = make_run(case, arguments), batch_of(case)
    for _ in range(2):
        run.step(batch)
    if run.workplace.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def print_profile(run: TrainingLoop, batch: Draw) -> None:
    """Print the operations that take most of a step, without those that they call."""
    accelerated = run.workplace.device.type == "cuda"
    kinds = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[kinds.CUDA if accelerated else kinds.CPU]) as profile:
        run.step(batch)
    times = {
        each.key: each.self_device_time_total if accelerated else each.self_cpu_time_total
        for each in profile.key_averages()
    }
    for name, spent in sorted(times.items(), key=lambda entry: -entry[1])[:DEAREST]:
        print(f"  {name:44s} {1e-3 * spent:8.1f} ms  {spent / sum(times.values()):5.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--prior", default="embedded", help="embedded, a diffusers folder, or sd-turbo-sized")
    parser.add_argument("--tuning", default="lora", choices=["lora", "full"])
    parser.add_argument("--batch", type=int, nargs="+", default=[4])
    parser.add_argument("--crop", type=int, nargs="+", default=[96])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--variants", default=";".join(VARIANTS), help="separated by semicolons")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(json.dumps(memory_of(Case(*json.loads(arguments.memory_of)), arguments)))
        return
    cases = [
        Case(variant, batch, crop)
        for crop in arguments.crop
        for batch in arguments.batch
        for variant in arguments.variants.split(";")
    ]
    runs = {case: (make_run(case, arguments), batch_of(case)) for case in cases}
    seconds: dict[Case, list[float]] = {case: [] for case in cases}
    for _ in range(arguments.steps + 1):
        for case, (run, batch) in runs.items():
            seconds[case].append(seconds_of(run, batch))
    first = runs[cases[0]][0]
    trained = sum(parameter.numel() for parameter in first.optimisation.parameters.values())
    print(f"{machine_name(first.workplace.device)}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{arguments.prior}, {arguments.tuning}: {trained:,} trained parameters")
    if arguments.profile:
        print_profile(*runs[cases[0]])
    del first, run
    runs.clear()
    if torch.cuda.is_available():
        # The processes that measure memory need what this one still holds.
        torch.cuda.empty_cache()
    base = cases[0].batch / statistics.median(seconds[cases[0]][1:])
    for case in cases:
        median = statistics.median(seconds[case][1:])
        command = [sys.executable, __file__, *sys.argv[1:], "--memory-of", json.dumps(case)]
        memory = float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        print(
            f"{case.batch} of {case.crop}², {case.variant:20s} {median:7.3f} s {case.batch / median:8.2f} images/s "
            f"{case.batch / median / base:6.2f} x {memory:7.2f} GB",
            flush=True,
        )


if __name__ == "__main__":
    main()
