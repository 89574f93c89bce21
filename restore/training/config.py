"""The recipe of a training, as a record and as a TOML file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass as settings

from metalens.formats.files.errors import InputError
from metalens.formats.files.record import (
    STRICT,
    Count,
    LearningRate,
    NotNegative,
    NotNegativeCount,
    Positive,
    Share,
    told_as_input_error,
)
from metalens.formats.files.toml_file import read_text, toml_tables
from metalens.restore.adapter.paths import PathShares
from metalens.restore.adapter.restorer import AdapterConfig

AnySettings = TypeVar("AnySettings")

Precision = Literal["fp32", "bf16"]

EdgeWeight = Annotated[float, Field(ge=1, le=100)]

TABLES = ("training", "adapter", "paths")
"""Tables of a recipe."""


@told_as_input_error("training")
@settings(frozen=True, config=STRICT)
class TrainConfig:
    """Recipe of a training.

    DMDiff weighs L2 and LPIPS-VGG by 2 and 5 (λ = 2.5). Here the shift-tolerant LPIPS may replace LPIPS; on such
    pictures it is about fifty times the squared error. With the published weights L2 was under 1 % of the loss, and
    PSNR did not rise. With the defaults here, which belong to the embedded prior, both terms are about equal at the
    start. Those of other priors, and of LPIPS: :mod:`metalens.restore.training.defaults`.

    Attributes:
        adapter: size and form of the adapter.
        only: the part that is trained, all else stays as it began: ``q``, the network that predicts Q; ``consistency``,
            the trust of data consistency.
        shares: probability of each path.
        batch: crops per batch, in each process.
        accumulate: batches per step.
        crop: side of a crop in pixels.
        precision: precision of the forward pass; trained weights stay float32.
        gradient_checkpointing: recompute activations in the backward pass instead of storing them.
        cuda_graphs: record each path's step once and replay it (:mod:`metalens.restore.training.cuda_graphs`).
        learning_rate: peak learning rate.
        q_rate: factor on the learning rate for the network that predicts Q.
        warm_up: steps until the peak learning rate.
        weight_decay: weight decay of AdamW.
        clip: largest norm of the gradient (clipping).
        ema_decay: decay of the moving average that is validated and exported.
        l2_weight: weight of the squared error.
        perceptual_weight: weight of the perceptual distance (their ratio is λ).
        adversarial_weight: weight of the adversarial term of the positive path
            (:mod:`metalens.restore.training.discriminator`); 0 trains without a discriminator.
        neutral: the neutral path's target and loss: ``smooth``, the edge-preserving low-pass of the clean picture with
            the loss of the other paths, as published; ``fidelity``, the clean picture itself with ``l1_weight`` · L1,
            in display values and in linear light, and no perceptual term.
        l1_weight: weight of that absolute error.
        edge_weight: how often a crop beyond two thirds of the frame's half diagonal is drawn, as a multiple of others.
        perceptual: ``lpips``, ``st-lpips``, ``efficientnet`` (features trained on ImageNet), or ``auto``: LPIPS if its
            weights are on this machine, else ``st-lpips``.
        pseudo_share: probability that a step of the positive or neutral path takes pseudo pairs, if there are any.
        pseudo_noise_probability: probability of extra noise on a pseudo capture.
        pseudo_noise: its largest standard deviation, in 1/255 of white.
        checkpoint_every: steps between checkpoints.
        validate_every: steps between validations; there is also one at the start and one at the end.
        validation_batches: batches of fixed crops of each path.
        validation_pictures: fixed crops that are restored at every α.
        judge: network of the shift-tolerant LPIPS in validation; ``vgg`` is not part of any loss.
        workers: processes that prefetch crops; 0 reads in the training process.
        seed: seed of crops, paths, noise and initial weights.
    """

    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    only: Literal["all", "q", "consistency"] = "all"
    shares: PathShares = field(default_factory=PathShares)
    batch: Count = 4
    accumulate: Count = 1
    crop: Count = 96
    precision: Precision = "fp32"
    gradient_checkpointing: bool = False
    cuda_graphs: bool = False
    learning_rate: LearningRate = 5e-4
    q_rate: Positive = 1.0
    warm_up: NotNegativeCount = 20
    weight_decay: NotNegative = 1e-2
    clip: Positive = 1.0
    ema_decay: Share = 0.99
    l2_weight: NotNegative = 40.0
    perceptual_weight: NotNegative = 1.0
    adversarial_weight: NotNegative = 0.0
    neutral: Literal["smooth", "fidelity"] = "smooth"
    l1_weight: NotNegative = 4.0
    edge_weight: EdgeWeight = 1.0
    perceptual: Literal["auto", "lpips", "st-lpips", "efficientnet"] = "auto"
    pseudo_share: Share = 0.3
    pseudo_noise_probability: Share = 0.6
    pseudo_noise: NotNegative = 8.0
    checkpoint_every: Count = 100
    validate_every: Count = 500
    validation_batches: Count = 4
    validation_pictures: Count = 6
    judge: Literal["vgg", "alex"] = "vgg"
    workers: NotNegativeCount = 0
    seed: NotNegativeCount = 0

    @model_validator(mode="after")
    def _learns(self) -> TrainConfig:
        if self.l2_weight == 0 and self.perceptual_weight == 0:
            raise ValueError("l2_weight and perceptual_weight are both 0, so that nothing is learnt; raise one of them")
        return self


def read_train_config(
    path: Path | None,
    overrides: Mapping[str, Any],
    *,
    adapter: AdapterConfig | None = None,
    defaults: Callable[[str], TrainConfig] = lambda perceptual: TrainConfig(),
) -> TrainConfig:
    """Read a recipe; options of the command line override it.

    The file has up to three tables: ``[training]`` with the keys of :class:`TrainConfig`, ``[adapter]`` with those of
    :class:`~metalens.restore.adapter.restorer.AdapterConfig`, ``[paths]`` with ``positive``, ``neutral`` and
    ``negative``.

    Args:
        path: a TOML file, or ``None`` for the defaults.
        overrides: ``training.KEY``, ``adapter.KEY`` or ``paths.KEY`` → value; ``None`` keeps the file's value.
        adapter: default size and form of the adapter.
        defaults: the recipe for a perceptual metric, of which all is taken that is not given.

    Returns:
        The complete recipe, with all values checked.

    Raises:
        InputError: the file cannot be read, a key is unknown, or a value is of another type or out of its range.
    """
    tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
    origin = "" if path is None else f"{path}: "
    if path is not None:
        tables |= _read_tables(path, set(tables))
    for key, value in overrides.items():
        if value is not None:
            table, _, name = key.partition(".")
            tables[table] = {**tables[table], name: value}
    # Checked before its metric is looked for.
    perceptual = _filled(TrainConfig(), tables["training"], origin).perceptual
    config = _filled(defaults(perceptual), tables["training"], origin)
    sizes = _filled(adapter or config.adapter, tables["adapter"], origin)
    shares = _filled(config.shares, tables["paths"], origin)
    return replace(config, adapter=sizes, shares=shares)


def _read_tables(path: Path, known: set[str]) -> dict[str, dict[str, Any]]:
    text = read_text(path, "recipe of a training", missing="no such file; give a TOML file.")
    found = toml_tables(text, origin=str(path))
    for name, table in found.items():
        if name not in known or not isinstance(table, dict):
            raise InputError(f"{path}: found {name!r}, expected the tables {', '.join(sorted(known))}.")
    return found


def _filled(record: AnySettings, table: Mapping[str, Any], origin: str) -> AnySettings:
    """A record with the values of a table."""
    try:
        return type(record)(**{**vars_of(record), **table})
    except InputError as error:
        raise InputError(f"{origin}{error}") from error


def vars_of(record: Any) -> dict[str, Any]:
    """The record's values by their names."""
    return {each.name: getattr(record, each.name) for each in fields(record)}
