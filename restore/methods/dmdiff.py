"""DMDiff (ICCV 2025, arXiv 2506.22753), the method of ``metalens train`` and ``metalens restore``.

One step at the last timestep on two paths; α z_pos + (1 − α) z_neu is decoded. The LoRA is A·Q·B; Q is computed from
the bank's FWHM map and a no-reference quality map. Training has three paths. *Consistent* variants apply data
consistency afterwards, which the publication does not do. *Global*: one Q for each picture, as published. *Local*: a
field of Q (docs/adr/0006). Other differences from the publication are in docs/restoration.md and docs/training.md. In
the benchmark there are no pseudo pairs, and validation is one batch, since the benchmark evaluates by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.adapter_file import describe_adapter, load_restorer
from metalens.restore.adapter.lens_transfer import adapter_config
from metalens.restore.adapter.restorer import AdapterConfig
from metalens.restore.adapter.svda import Form
from metalens.restore.inference.capture import Capture
from metalens.restore.inference.data_consistency import DataConsistency
from metalens.restore.inference.restoration import Settings, restore
from metalens.restore.methods.learning import check_crop
from metalens.restore.methods.method import Description, Fitted, Method, Training
from metalens.restore.prior.prior_folder import load_prior
from metalens.restore.training.defaults import default_config
from metalens.restore.training.train import TrainingData, TrainingTask, train

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.05)
CONSISTENT = (0.75, 1.0)
"""α that are also restored with data consistency (:mod:`metalens.restore.inference.data_consistency`), unpublished."""

_CONSISTENT = "consistent, "
ADAPTER = "adapter"


def _fit(training: Training, form: Form) -> Fitted:
    output = training.folder / ADAPTER
    if not (training.resume and (output / "adapter.json").is_file()):
        _train(training, form)
    precision = torch.bfloat16 if training.precision == "bf16" else torch.float32
    restorer = load_restorer(output, prior=training.prior).to(training.device, precision)
    sensor = training.bank.camera.sensor.pixels
    towards = DataConsistency(training.bank, device=training.device)

    def restored(capture: Capture, variants: Sequence[str]) -> dict[str, np.ndarray]:
        alphas = {variant: float(variant.removeprefix(_CONSISTENT).removeprefix("α = ")) for variant in variants}
        whole = capture.picture.shape[:2] == sensor
        settings = Settings(place=None if whole else capture.corner)
        made = restore(restorer, capture.picture, sorted({*alphas.values()}), settings)
        return {
            variant: towards(made[alpha], capture.picture, settings.place)
            if variant.startswith(_CONSISTENT)
            else made[alpha]
            for variant, alpha in alphas.items()
        }

    networks = (restorer.prior.vae, restorer.prior.unet, restorer.attention)
    summary = restorer.training
    return Fitted(
        restored,
        parameters=sum(parameter.numel() for network in networks for parameter in network.parameters()),
        trainable=int(summary["trainable_parameters"]),
        steps=int(summary["steps"]),
        seconds=float(summary["seconds"]),
        chosen={
            "quality_metric": restorer.quality_metric,
            "skipped_steps": summary["skipped_steps"],
            "last_losses": {
                f"{path}, {term}": float(value)
                for path, terms in summary["validation_after"].items()
                for term, value in terms.items()
            },
        },
        losses=_losses(summary, training.initial),
    )


def _losses(summary: Mapping[str, Any], initial: str | None) -> tuple[str, ...]:
    """The perceptual distances in the loss of the training, and in that of the adapter from which it started."""
    found = [summary] if initial is None else [summary, describe_adapter(initial)["training"]]
    return tuple(sorted({each["perceptual_metric"] for each in found if "perceptual_metric" in each}))


def _train(training: Training, form: Form) -> None:
    prior = load_prior(training.prior)
    check_crop(training, prior.size_multiple)
    # Other methods do not use the quality map: so its measurement does not count as training time.
    data = TrainingData([training.pairs], training.bank, measure_first=True)
    config = replace(
        default_config(prior),
        adapter=_sizes(training.initial, form),
        batch=training.batch,
        crop=training.crop,
        precision=training.precision,
        validation_batches=1,
        validation_pictures=1,
        validate_every=10**9,
        checkpoint_every=500,
        seed=training.seed,
    )
    train(
        TrainingTask(data, prior, config, training.initial),
        training.folder / ADAPTER,
        budget=training.budget,
        device=training.device,
        resume=training.resume and (training.folder / ADAPTER).is_dir(),
        command="metalens bench",
        report=training.report,
    )


def _sizes(initial: str | None, form: Form) -> AdapterConfig:
    """Sizes of the adapter: those of the one that it starts from, which must have the same form of Q."""
    if initial is None:
        return AdapterConfig(form=form)
    found = adapter_config(initial)
    if found.form != form:
        raise InputError(
            f"--init {initial}: has a {found.form} Q; take --methods dmdiff-{found.form}, or another adapter."
        )
    return found


def _method(form: Form, differs: str) -> Method:
    return Method(
        Description(
            title=f"DMDiff, {form} Q",
            reference="ICCV 2025, arXiv 2506.22753",
            knows="FWHM map; the bank where consistent",
            differs=differs,
            uses_prior=True,
            variants=(
                *(f"{_CONSISTENT}α = {alpha:g}" for alpha in CONSISTENT),
                *(f"α = {alpha:g}" for alpha in ALPHAS),
            ),
        ),
        lambda training: _fit(training, form),
    )


GLOBAL = _method("global", "see docs/restoration.md")
LOCAL = _method("local", "a field of Q over the picture")
