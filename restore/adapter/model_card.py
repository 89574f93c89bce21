"""The model card that is written beside every adapter by the run that made it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from metalens import __version__
from metalens.formats.files.atomic import write_text
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.prior.prior import PATHS

_METRICS = {"lpips": "LPIPS (VGG)", "st-lpips": "the shift-tolerant LPIPS (AlexNet form)"}

_FORMS = {"vgg": "VGG", "alex": "AlexNet"}


def write_model_card(folder: Path, restorer: Restorer, *, pictures: Path | None = None) -> None:
    """Write ``README.md`` into an adapter's folder: what it is for, how it was made, how good it is.

    Args:
        folder: the adapter's.
        restorer: the adapter, with the summary of its training.
        pictures: of the last validation, relative to the folder.
    """
    training = restorer.training
    _write(
        folder,
        "\n".join(
            [
                f"# Adapter for the camera {restorer.camera.name}",
                "",
                _purpose(restorer),
                "",
                *_recipe(restorer, training),
                "",
                "## Trained on",
                "",
                *_data(training),
                "",
                "## Figures",
                "",
                *_figures_by_alpha(training["by_alpha"]),
                "",
                *([f"![Captured, α = 0, α = 1, clean]({pictures.as_posix()})", ""] if pictures else []),
                *_figures_by_path(training),
                "",
            ]
        ),
    )


def write_transfer_card(folder: Path, restorer: Restorer) -> None:
    """Write ``README.md`` of an adapter that is used for a lens that it was not trained on."""
    origin = restorer.training["transferred_from"]
    text = f"""# Adapter for the camera {restorer.camera.name}, not trained on it

The weights are those of `{origin["adapter"]}`, trained for {origin["name"]} (lens hash `{origin["lens_hash"][:16]}`).
Only the FWHM map is that of this camera (lens hash `{restorer.camera.hash[:16]}`). No figure was measured for it:
`metalens report` measures some. `metalens train --init` trains it for this camera.
"""
    _write(folder, text)


def _purpose(restorer: Restorer) -> str:
    lenses = {each["lens_hash"] for group in restorer.training["pairs"] for each in group["lenses"]}
    text = (
        f"Restores photographs of this camera (lens hash `{restorer.camera.hash[:16]}`) on the prior\n"
        f"`{restorer.prior.name}` (`{restorer.prior.identity[:16]}`). "
    )
    if len(lenses) > 1:
        return text + (
            f"It was trained on {len(lenses)} lenses, which SVDA tells\napart by their FWHM maps; for one more, "
            "`metalens train --init` with `--steps 0` or with pairs of it."
        )
    return text + "On another lens it must be trained again\n(`metalens train --init`)."


def _recipe(restorer: Restorer, training: Mapping[str, Any]) -> list[str]:
    config, recipe = restorer.config, training["config"]
    crops = recipe["batch"] * recipe["accumulate"] * training["processes"]
    start = f"from the adapter `{training['initial']}`" if training["initial"] else "from plain LoRA"
    return [
        f"- LoRA with W* = W + A·Q·B, rank {config.unet_rank} in the U-Net and {config.encoder_rank} in the encoder,",
        f"  Q in its {config.form} form; {training['trainable_parameters']:,} trained parameters, {start}.",
        f"- Q follows the camera's FWHM map and a quality map by {restorer.quality_metric.upper()}.",
        f"- {training['steps']} steps of {crops} crops of {recipe['crop']}² pixels in {training['seconds']:.0f} s, "
        f"{recipe['precision']}, on {training['device']}",
        f"  ({training['machine']}; {training['processes']} process(es), {training['threads']} threads); "
        f"{training['skipped_steps']} steps skipped for NaN.",
        f"- Loss: {recipe['l2_weight']:g} · L2 + {recipe['perceptual_weight']:g} · "
        f"{_METRICS[training['perceptual_metric']]}; paths "
        + ", ".join(f"{path} {recipe['shares'][path]:g}" for path in PATHS)
        + f"; seed {recipe['seed']}.",
        f"- metalens {__version__}, torch {torch.__version__}, diffusers {version('diffusers')}, peft "
        f"{version('peft')}, Python {platform.python_version()}.",
        *(["", "```sh", training["command"], "```"] if training["command"] else []),
    ]


def _data(training: Mapping[str, Any]) -> list[str]:
    lines = []
    for each in (*training["pairs"], *training["pseudo"]):
        lenses = each["lenses"]
        licences = ", ".join(f"{licence} ({count})" for licence, count in each["licences"].items())
        named = ", ".join(dict.fromkeys(f"{lens['name']} `{lens['lens_hash'][:12]}`" for lens in lenses[:4]))
        more = f" and {len(lenses) - 4} more" if len(lenses) > 4 else ""
        designs = sum(not lens["own_map"] for lens in lenses)
        lines += [
            f"- {each['kind']}: {each['count']} pairs from `{each['folder']}`, seed {each['seed']}.",
            f"  Lenses: {named}{more}" + (f" ({designs} with the map of their design)." if designs else "."),
            f"  Photographs by licence: {licences}.",
        ]
    return lines


def _figures_by_alpha(figures: Mapping[str, Any]) -> list[str]:
    whose = (
        "photographs that were not trained on"
        if figures["held_out"]
        else ("photographs that were trained on, as none was held out: what follows flatters")
    )
    rows = [("captured", figures["captured"])]
    rows += [(f"restored, α = {alpha}", values) for alpha, values in figures["restored"].items()]
    judge = figures.get("judge", "vgg")
    part = "it is no part of the loss" if judge == "vgg" else "the loss holds it too, so that it flatters"
    return [
        f"Means over {figures['pictures']} crops of {figures['side']}² pixels of {whose}.",
        f"ST-LPIPS is the shift-tolerant LPIPS in its {_FORMS[judge]} form, lower is better; {part}.",
        "",
        "| | PSNR (dB) | ST-LPIPS |",
        "| --- | --- | --- |",
        *(f"| {name} | {values['psnr']:.2f} | {values['perceptual']:.4f} |" for name, values in rows),
    ]


def _figures_by_path(training: Mapping[str, Any]) -> list[str]:
    before, after = training["validation_before"], training["validation_after"]
    return [
        "The paths' losses on fixed crops, before and after training; the perceptual distance is the loss' own.",
        "",
        "| path | loss before | after | PSNR before | after | perceptual before | after |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {path} | {before[path]['loss']:.4f} | {after[path]['loss']:.4f} | {before[path]['psnr']:.2f} | "
            f"{after[path]['psnr']:.2f} | {before[path]['perceptual']:.4f} | {after[path]['perceptual']:.4f} |"
            for path in PATHS
        ),
    ]


def _write(folder: Path, text: str) -> None:
    write_text(folder / "README.md", text)
