"""How good a prior is before any adapter: reconstruction, one step on degraded pictures, distinctness of its prompts.

    python benchmarks/prior.py PHOTOGRAPHS... [--prior embedded]

The degradations are the generic ones the prior was adapted to, drawn with a seed of their own. Sharpness is the mean
size of the gradient, as a share of the clean picture's.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor

from metalens.formats.pictures.pictures import list_pictures, read_picture
from metalens.restore.metrics.picture_tensors import as_tensor
from metalens.restore.pretraining.degradation import degrade_generically, guided_filter
from metalens.restore.prior.prior import PATHS
from metalens.restore.prior.prior_folder import load_prior


def decibels(first: Tensor, second: Tensor) -> float:
    return float(-10 * (first.clamp(0, 1) - second).square().mean().log10())


def sharpness(picture: Tensor, clean: Tensor) -> float:
    """Mean size of the gradient, over that of the clean picture."""
    gradients = [each.clamp(0, 1).diff(dim=-1).abs().mean() for each in (picture, clean)]
    return float(gradients[0] / gradients[1])


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", nargs="+")
    parser.add_argument("--prior", default="embedded")
    arguments = parser.parse_args()
    prior = load_prior(arguments.prior)
    rows = []
    for number, path in enumerate(list_pictures(arguments.photographs)):
        picture = as_tensor(read_picture(path))[None]
        height, width = (side - side % prior.size_multiple for side in picture.shape[-2:])
        clean = picture[..., :height, :width]
        degraded = degrade_generically(clean, torch.Generator().manual_seed(10_000 + number))
        neutral = guided_filter(clean)
        latents = prior.encode(degraded)
        step = {path: prior.predict_clean(latents, prior.prompt([path])) for path in PATHS}
        shown = {path: prior.decode(predicted).clamp(0, 1) for path, predicted in step.items()}
        rows.append(
            {
                "autoencoder on clean": decibels(prior.decode(prior.encode(clean)), clean),
                "degraded against clean": decibels(degraded, clean),
                "one step, positive, against clean": decibels(shown["positive"], clean),
                "degraded against neutral target": decibels(degraded, neutral),
                "one step, neutral, against its target": decibels(shown["neutral"], neutral),
                "positive against neutral prediction": decibels(shown["positive"], shown["neutral"]),
                "positive against negative prediction": decibels(shown["positive"], shown["negative"]),
                "sharpness of degraded": sharpness(degraded, clean),
                "sharpness of one step, positive": sharpness(shown["positive"], clean),
                "sharpness of one step, neutral": sharpness(shown["neutral"], clean),
                "sharpness of one step, negative": sharpness(shown["negative"], clean),
            }
        )
    parameters = {
        name: sum(value.numel() for value in module.parameters()) / 1e6
        for name, module in (("autoencoder", prior.vae), ("denoiser", prior.unet))
    }
    print(", ".join(f"{name} {count:.2f} M parameters" for name, count in parameters.items()))
    print(f"PSNR in dB (sharpness: a share) over {len(rows)} photographs: mean, least, most")
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        print(f"{name:40s} {values.mean():6.2f} {values.min():6.2f} {values.max():6.2f}")


if __name__ == "__main__":
    main()
