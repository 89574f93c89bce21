"""The model card that is written beside every adapter by the run that made it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from metalens.formats.camera.camera import known_as
from metalens.formats.files.atomic import write_text
from metalens.formats.pages.builder import Table, number, render
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.prior.prior import PATHS

_METRICS = {
    "lpips": "LPIPS (VGG)",
    "st-lpips": "the shift-tolerant LPIPS (AlexNet form)",
    "efficientnet": "the distance of features of EfficientNet-Lite0",
}

_DIGITS = {"loss": 4, "psnr": 2, "perceptual": 4}


def write_model_card(folder: Path, restorer: Restorer, *, pictures: Path | None = None) -> None:
    """Write ``README.md`` into an adapter's folder: intended use, training and evaluation.

    Args:
        folder: the adapter's.
        restorer: the adapter, with the summary of its training.
        pictures: pictures of the last validation, relative to the folder.
    """
    training = restorer.training
    recipe, by_alpha = training["config"], training["by_alpha"]
    earlier = training.get("pairs_before", [])
    simulated = [*earlier, *(pairs for pairs in training["pairs"] if pairs not in earlier)]
    rows = {"captured": by_alpha["captured"]}
    rows |= {f"restored, α = {alpha}": values for alpha, values in by_alpha["restored"].items()}
    card = render(
        "model_card.md",
        camera=known_as(restorer.camera.name, restorer.camera.hash),
        lens_hash=restorer.camera.hash,
        prior=restorer.prior,
        config=restorer.config,
        quality_metric=restorer.quality_metric,
        training=training,
        recipe=recipe,
        by_alpha=by_alpha,
        lenses=len({each["lens_hash"] for group in simulated for each in group["lenses"]}),
        crops=recipe["batch"] * recipe["accumulate"] * training["processes"],
        sources=[_source(each) for each in (*simulated, *training["pseudo"])],
        metric=_METRICS[training["perceptual_metric"]],
        paths=PATHS,
        versions={
            "metalens": version("metalens"),
            "torch": torch.__version__,
            **{package: version(package) for package in ("diffusers", "peft")},
            "Python": platform.python_version(),
        },
        judge=by_alpha.get("judge", "vgg"),
        means=Table(
            ("", "PSNR (dB)", "ST-LPIPS"),
            [(name, number(each["psnr"], 2), number(each["perceptual"], 4)) for name, each in rows.items()],
        ),
        by_path=Table(
            ("path", "loss before", "after", "PSNR before", "after", "perceptual before", "after"),
            [(path, *_before_and_after(training, path)) for path in PATHS],
        ),
        pictures=None if pictures is None else pictures.as_posix(),
    )
    write_text(folder / "README.md", card)


def _source(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """A folder of pairs with the names of its first lenses, each once."""
    lenses = (f"{known_as(lens['name'], lens['lens_hash'])} `{lens['lens_hash'][:12]}`" for lens in pairs["lenses"][:4])
    return {**pairs, "named": dict.fromkeys(lenses)}


def _before_and_after(training: Mapping[str, Any], path: str) -> list[str]:
    sides = (training["validation_before"][path], training["validation_after"][path])
    # A neutral path of fidelity has no perceptual term.
    return [number(side[key], digits) if key in side else "–" for key, digits in _DIGITS.items() for side in sides]


def write_transfer_card(folder: Path, restorer: Restorer) -> None:
    """Write ``README.md`` of an adapter that is used for a lens on which it was not trained.

    Args:
        folder: folder of the adapter.
        restorer: the adapter.
    """
    origin = restorer.training["transferred_from"]
    camera = restorer.camera
    card = render(
        "transfer_card.md",
        camera=known_as(camera.name, camera.hash),
        lens_hash=camera.hash,
        origin={**origin, "name": known_as(origin["name"], origin["lens_hash"])},
    )
    write_text(folder / "README.md", card)
