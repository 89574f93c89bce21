"""Arithmetic of a prior of SD-Turbo's size for one picture: ``python benchmarks/sd_turbo_work.py``.

Counted on shapes alone, so it takes seconds and no memory: multiplications and additions of the forward passes in 10¹²
(TFLOP). A training step costs about twice that of its crops: frozen weights need no gradient, activations do.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from measuring.random_prior import sd_turbo_sized
from torch.utils.flop_counter import FlopCounterMode

SIDES = (256, 384, 512)


def work(run: Callable[[], object]) -> float:
    """TFLOP of a call."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 1e12


def main() -> None:
    """Print a row for each size of the picture."""
    prior = sd_turbo_sized("meta")
    words, last = torch.empty(1, 77, 1024, device="meta"), torch.zeros(1, device="meta")
    print("pixels  encode  U-Net  decode  together, TFLOP")
    for side in SIDES:
        picture = torch.empty(1, 3, side, side, device="meta")
        latents = torch.empty(1, 4, side // 8, side // 8, device="meta")
        encode = work(lambda picture=picture: prior.vae.encode(picture))  # type: ignore[misc]
        step = work(lambda latents=latents: prior.unet(latents, last, encoder_hidden_states=words))  # type: ignore[misc]
        decode = work(lambda latents=latents: prior.vae.decode(latents))  # type: ignore[misc]
        print(f"{side:6d}  {encode:6.2f}  {step:5.2f}  {decode:6.2f}  {encode + step + decode:8.2f}")


if __name__ == "__main__":
    main()
