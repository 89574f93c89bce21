"""The model card that is written beside every adapter by the run that made it."""

from __future__ import annotations

import platform
from pathlib import Path

import diffusers
import peft
import torch

from metalens import __version__
from metalens.formats.atomic import atomic_file
from metalens.restore.prior import PATHS
from metalens.restore.restorer import Restorer


def write_model_card(folder: Path, restorer: Restorer) -> None:
    """Write ``README.md`` into an adapter's folder: what it is for, how it was made, how good it is."""
    training = restorer.training
    before, after = training["validation_before"], training["validation_after"]
    rows = "\n".join(
        f"| {path} | {before[path]['loss']:.4f} | {after[path]['loss']:.4f} | {before[path]['psnr']:.2f} | "
        f"{after[path]['psnr']:.2f} | {before[path]['perceptual']:.4f} | {after[path]['perceptual']:.4f} |"
        for path in PATHS
    )
    sets = "\n".join(
        f"- {each['kind']}: {each['count']} pairs from `{each['folder']}`, seed {each['seed']}"
        for each in (*training["pairs"], *training["pseudo"])
    )
    config = restorer.config
    text = f"""# Adapter for the camera {restorer.camera.name}

Restores photographs of this one camera (lens hash `{restorer.camera.hash[:16]}`) on the prior
`{restorer.prior.name}` (`{restorer.prior.identity[:16]}`). On another lens it must be trained again
(`metalens train --init`).

- LoRA with W* = W + A·Q·B, rank {config.unet_rank} in the U-Net and {config.encoder_rank} in the encoder,
  Q in its {config.form} form; {training["trainable_parameters"]:,} trained parameters.
- Q follows the camera's FWHM map and a quality map by {restorer.quality_metric.upper()}.
- {training["steps"]} steps in {training["seconds"]:.0f} s on {training["device"]} ({platform.machine()},
  {torch.get_num_threads()} threads); {training["skipped_steps"]} steps skipped for NaN.
- metalens {__version__}, torch {torch.__version__}, diffusers {diffusers.__version__}, peft {peft.__version__}.

## Trained on

{sets}

## Figures

On fixed crops of photographs of these sets that were not trained on, before and after training. The perceptual
distance is the shift-tolerant LPIPS (AlexNet form), which is also part of the loss.

| path | loss before | after | PSNR before | after | perceptual before | after |
| --- | --- | --- | --- | --- | --- | --- |
{rows}
"""
    with atomic_file(folder / "README.md") as part:
        part.write_text(text, encoding="utf-8")
