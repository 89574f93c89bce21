"""Seconds and memory of the restorer on one 400 × 400 capture, and what SVDA adds.

    python benchmarks/restore.py [--adapter metacamera] [--runs 5]

Prints medians over the runs, after one that is not counted.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from metalens.restore.quality import quality_map
from metalens.restore.restoration import restore
from metalens.restore.restorer import load_restorer


def median_seconds(action: Callable[[], object], runs: int) -> float:
    action()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapter", default="metacamera")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    restorer = load_restorer(arguments.adapter)
    rows, columns = restorer.camera.sensor.pixels
    capture = np.random.default_rng(0).integers(0, 255, (rows, columns, 3), dtype=np.uint8)
    picture = torch.from_numpy(capture).permute(2, 0, 1)[None].float() / 255
    maps = restorer.maps(torch.rand(1, 7, 7))
    both = maps.repeat(2, 1, 1, 1)
    latents = restorer.encode(picture, maps)

    def without_svda() -> None:
        with restorer.layers.conditioned(None, 1.0):
            encoded = restorer.prior.encode(picture).repeat(2, 1, 1, 1)
            restorer.prior.predict_clean(encoded, restorer.prior.prompt(["positive", "neutral"]))

    def with_svda() -> None:
        encoded = restorer.encode(picture, maps).repeat(2, 1, 1, 1)
        restorer.step(encoded, both, ["positive", "neutral"])

    figures = {
        "quality map": median_seconds(lambda: quality_map(capture, restorer.quality_metric), arguments.runs),
        "encode": median_seconds(lambda: restorer.encode(picture, maps), arguments.runs),
        "encode + one step on two paths, with SVDA": median_seconds(with_svda, arguments.runs),
        "the same, plain LoRA": median_seconds(without_svda, arguments.runs),
        "decode (each α)": median_seconds(lambda: restorer.prior.decode(latents), arguments.runs),
        "restore, one α": median_seconds(lambda: restore(restorer, capture, [0.75]), arguments.runs),
        "restore, five α": median_seconds(lambda: restore(restorer, capture, [0, 0.5, 0.75, 1, 1.05]), arguments.runs),
    }
    print(f"{rows} x {columns} pixels, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for name, seconds in figures.items():
        print(f"{name:45s} {seconds:8.3f} s")
    names = list(figures)
    print(f"{'SVDA overhead':45s} {figures[names[2]] / figures[names[3]] - 1:8.1%}")
    print(f"{'peak memory':45s} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MiB")


if __name__ == "__main__":
    main()
