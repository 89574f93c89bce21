"""Train an adapter on pairs: LoRA with A·Q·B, the three paths, L2 + λ perceptual (DMDiff Eq. 7)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from metalens.formats.atomic import atomic_file, require_new_directory
from metalens.formats.errors import InputError
from metalens.formats.pairs import Pairs, require_same_camera
from metalens.formats.psf_bank import PsfBank
from metalens.restore.degradation_map import fwhm_map
from metalens.restore.model_card import write_model_card
from metalens.restore.optimisation import Budget, Optimisation
from metalens.restore.paths import PathShares, source_and_target
from metalens.restore.perceptual import ShiftTolerantLPIPS
from metalens.restore.prior import PATHS, Prior
from metalens.restore.quality import quality_map
from metalens.restore.restorer import (
    AdapterConfig,
    Restorer,
    adapter_folder,
    describe_adapter,
    load_parameters,
    read_tensors,
    save_adapter,
)
from metalens.restore.training_pairs import Batch, PairSource, TrainingPairs

Report = Callable[[float, dict[str, float]], None]
"""Called with the share done and the latest figures."""

_STAGE = "adapter"
_MOST_BAD_STEPS = 10


@dataclass(frozen=True)
class TrainConfig:
    """Recipe of a training.

    DMDiff weighs L2 and LPIPS-VGG by 2 and 5 (λ = 2.5). The shift-tolerant LPIPS, which stands in for it, reads about
    fifty times the squared error on such pictures, so that with those weights L2 was under 1 % of the loss and PSNR did
    not rise; the defaults here give both terms about equal shares at the start.
    """

    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    shares: PathShares = field(default_factory=PathShares)
    batch: int = 4
    crop: int = 96
    learning_rate: float = 5e-4
    l2_weight: float = 40.0
    perceptual_weight: float = 1.0
    pseudo_share: float = 0.3
    pseudo_noise_probability: float = 0.6
    checkpoint_every: int = 100
    validation_batches: int = 4
    seed: int = 0


def train(
    pairs: Sequence[Pairs],
    output: Path,
    *,
    bank: PsfBank,
    prior: Prior,
    quality_metric: str,
    budget: Budget,
    config: TrainConfig,
    pseudo: Sequence[Pairs] = (),
    initial: str | None = None,
    device: str = "cpu",
    resume: bool = False,
    report: Report = lambda share, figures: None,
) -> dict[str, Any]:
    """Train an adapter and write it.

    Args:
        pairs: folders of simulated or measured pairs, all of the bank's camera.
        output: a new folder; it holds the checkpoint while training runs and the adapter afterwards.
        bank: the camera's point spread functions, for S_f.
        prior: the latent diffusion model.
        quality_metric: what S_i is measured with, ``auto``, ``musiq`` or ``piqe``.
        budget: steps or minutes.
        config: the recipe.
        pseudo: folders of pseudo pairs, mixed in with ``config.pseudo_share``.
        initial: an adapter to start from, of the same prior and sizes.
        device: where to train.
        resume: take up the checkpoint in ``output``.
        report: called after every step.

    Returns:
        The training's summary: steps, seconds, losses of each path before and after, validation figures.

    Raises:
        InputError: pairs of another camera, an adapter of another prior, a damaged file, NaN that persists.
    """
    for each in (*pairs, *pseudo):
        require_same_camera(each, bank)
        _check_crop(each, config, prior)
    quality_metric = quality_map(pairs[0][0][1], quality_metric)[1]
    fwhm = fwhm_map(bank)
    restorer = Restorer(prior, config.adapter, bank.camera, fwhm, quality_metric)
    if initial is not None:
        _initialise(restorer, initial)
    settings = _settings(pairs, pseudo, prior, quality_metric, config, initial)
    _claim(output, settings, resume)
    restorer.to(device)
    data = TrainingPairs([PairSource(each, fwhm) for each in pairs], quality_metric=quality_metric)
    extra = TrainingPairs([PairSource(e, fwhm) for e in pseudo], quality_metric=quality_metric) if pseudo else None
    run = _Run(restorer, data, extra, config, budget, output / "checkpoint.safetensors", device)
    history = run.loop(output / "history.json", resume, report)
    summary = run.summary(settings)
    restorer.training = summary
    save_adapter(output, restorer)
    with atomic_file(output / "training.json") as part:
        part.write_text(json.dumps({"summary": summary, "history": history}) + "\n", encoding="utf-8")
    write_model_card(output, restorer)
    for leftover in ("checkpoint.safetensors", "history.json", "settings.json"):
        (output / leftover).unlink(missing_ok=True)
    return summary


class _Run:
    """One training: the loop and its measurements."""

    def __init__(
        self,
        restorer: Restorer,
        data: TrainingPairs,
        pseudo: TrainingPairs | None,
        config: TrainConfig,
        budget: Budget,
        checkpoint: Path,
        device: str,
    ) -> None:
        self.restorer = restorer
        self.data = data
        self.pseudo = pseudo
        self.config = config
        self.checkpoint = checkpoint
        self.device = device
        self.perceptual = ShiftTolerantLPIPS("alex").to(device)
        self.optimisation = Optimisation(
            restorer.parameters(), learning_rate=config.learning_rate, budget=budget, warm_up=20, ema_decay=0.99
        )
        self.before: dict[str, dict[str, float]] = {}
        self.bad_steps = 0

    def loop(self, log: Path, resume: bool, report: Report) -> list[dict[str, Any]]:
        """Train until the budget is used; the checkpoint and the history survive an interrupt."""
        history: list[dict[str, Any]] = []
        if resume and self.checkpoint.is_file():
            self.optimisation.load(self.checkpoint, stage=_STAGE)
            record = json.loads(log.read_text(encoding="utf-8"))
            self.before = record["before"]
            history = [row for row in record["rows"] if row["step"] < self.optimisation.step_number]
        else:
            self.before = self.validate()
        smoothed: dict[str, float] = {}
        bad_in_a_row = 0
        try:
            while self.optimisation.progress < 1:
                row = self._step()
                if row is None:
                    bad_in_a_row += 1
                    self.bad_steps += 1
                    if bad_in_a_row > _MOST_BAD_STEPS:
                        raise InputError(
                            f"{bad_in_a_row} training steps in a row gave NaN or infinity; look at the pairs with "
                            "--resume off, or lower the learning rate."
                        )
                    continue
                bad_in_a_row = 0
                history.append(row)
                key = f"loss_{row['path']}"
                smoothed[key] = 0.9 * smoothed.get(key, row["loss"]) + 0.1 * row["loss"]
                report(min(1.0, self.optimisation.progress), smoothed)
                if self.optimisation.step_number % self.config.checkpoint_every == 0:
                    self._save(log, history)
        except KeyboardInterrupt:
            self._save(log, history)
            raise
        self._save(log, history)
        self.optimisation.use_average()
        return history

    def _save(self, log: Path, history: list[dict[str, Any]]) -> None:
        with atomic_file(log) as part:
            part.write_text(json.dumps({"before": self.before, "rows": history}), encoding="utf-8")
        self.optimisation.save(self.checkpoint, stage=_STAGE)

    def _step(self) -> dict[str, Any] | None:
        step = self.optimisation.step_number + self.bad_steps
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        path = self.config.shares.draw(generator)
        # A pseudo pair is the negative path's own output, so it never teaches that path.
        mixed = self.pseudo is not None and path != "negative"
        use_pseudo = mixed and float(torch.rand(1, generator=generator)) < self.config.pseudo_share
        data = self.pseudo if use_pseudo and self.pseudo is not None else self.data
        batch = self._draw(data, data.training, step)
        captured = batch.captured
        if use_pseudo and float(torch.rand(1, generator=generator)) < self.config.pseudo_noise_probability:
            captured = _add_noise(captured, generator)
        losses = self._loss(batch, captured, path)
        try:
            self.optimisation.step(losses["loss"])
        except FloatingPointError:
            return None
        figures = {name: float(value.detach()) for name, value in losses.items()}
        return {"step": step, "seconds": round(self.optimisation.seconds, 2), "path": path, **figures}

    def _draw(self, data: TrainingPairs, among: Sequence[tuple[int, int]], step: int) -> Batch:
        return data.draw(
            among,
            self.config.batch,
            self.config.crop,
            seed=self.config.seed,
            step=step,
            multiple=self.restorer.prior.latent_stride,
        )

    def _loss(self, batch: Batch, captured: Tensor, path: str) -> dict[str, Tensor]:
        pictures = (each.to(self.device) for each in (batch.clean, batch.neutral, captured))
        source, target = source_and_target(path, *pictures)
        maps = (batch.clean_map if path == "negative" else batch.captured_map).to(self.device)
        predicted = self.restorer.forward(source, maps, [path] * len(source))
        l2 = (predicted - target).square().mean()
        perceptual = self.perceptual(predicted.clamp(0, 1), target.clamp(0, 1)).mean()
        loss = self.config.l2_weight * l2 + self.config.perceptual_weight * perceptual
        return {"loss": loss, "l2": l2, "perceptual": perceptual}

    @torch.no_grad()
    def validate(self) -> dict[str, dict[str, float]]:
        """Losses of each path on fixed crops of photographs that are not trained on."""
        among = self.data.validation or self.data.training
        figures: dict[str, dict[str, float]] = {}
        for path in PATHS:
            rows = []
            for number in range(self.config.validation_batches):
                batch = self._draw(self.data, among, 2**31 + number)
                rows.append({k: float(v) for k, v in self._loss(batch, batch.captured, path).items()})
            figures[path] = {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}
            figures[path]["psnr"] = -10 * math.log10(max(figures[path]["l2"], 1e-10))
        return figures

    def summary(self, settings: dict[str, Any]) -> dict[str, Any]:
        """What the model card tells."""
        return {
            **settings,
            "steps": self.optimisation.step_number,
            "seconds": round(self.optimisation.seconds, 1),
            "skipped_steps": self.bad_steps,
            "validation_before": self.before,
            "validation_after": self.validate(),
            "trainable_parameters": sum(p.numel() for p in self.optimisation.parameters.values()),
            "device": self.device,
        }


def _add_noise(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Extra noise on pseudo captures, whose generator paints too smooth a picture: σ of 0 to 8 of 255."""
    sigma = torch.rand(len(pictures), 1, 1, 1, generator=generator) * 8 / 255
    return (pictures + sigma * torch.randn(pictures.shape, generator=generator)).clamp(0, 1)


def _check_crop(pairs: Pairs, config: TrainConfig, prior: Prior) -> None:
    smallest = min(pairs.manifest.pixels)
    if config.crop > smallest:
        raise InputError(f"{pairs.folder}: frames of {smallest} pixels are smaller than the crop of {config.crop}.")
    if config.crop % prior.size_multiple:
        raise InputError(
            f"crop {config.crop} is no multiple of {prior.size_multiple}, which this prior needs; choose one."
        )


def _initialise(restorer: Restorer, initial: str) -> None:
    """Start from another adapter, of any lens, on the same prior."""
    description = describe_adapter(initial)
    if description["prior"]["identity"] != restorer.prior.identity:
        raise InputError(f"{initial}: was trained on another prior than {restorer.prior.name}; it cannot start this.")
    if description["config"] != asdict(restorer.config):
        raise InputError(
            f"{initial}: is of size {description['config']}, this training asks for {asdict(restorer.config)}."
        )
    path = adapter_folder(initial) / "adapter.safetensors"
    tensors = read_tensors(path)
    tensors.pop("fwhm_map", None)
    load_parameters(restorer, tensors, origin=str(path))


def _settings(
    pairs: Sequence[Pairs],
    pseudo: Sequence[Pairs],
    prior: Prior,
    quality_metric: str,
    config: TrainConfig,
    initial: str | None,
) -> dict[str, Any]:
    return {
        "pairs": [_describe(each) for each in pairs],
        "pseudo": [_describe(each) for each in pseudo],
        "prior": prior.identity,
        "quality_metric": quality_metric,
        "initial": initial,
        "config": asdict(config),
    }


def _describe(pairs: Pairs) -> dict[str, Any]:
    manifest = pairs.manifest
    return {
        "folder": pairs.folder.name,
        "kind": manifest.kind,
        "count": manifest.count,
        "seed": manifest.seed,
        "lens_hashes": manifest.lens_hashes,
    }


def _claim(output: Path, settings: dict[str, Any], resume: bool) -> None:
    """Begin in a new folder, or check that the folder's unfinished training is this one."""
    note = output / "settings.json"
    text = json.dumps(settings, indent=1, sort_keys=True)
    if resume and note.is_file():
        if note.read_text(encoding="utf-8") != text:
            raise InputError(
                f"{output}: its unfinished training has other settings; repeat those of the first run, "
                "or choose a new folder with -o."
            )
        return
    require_new_directory(output)
    if not output.resolve().parent.is_dir():
        raise InputError(f"{output}: its folder {output.parent} does not exist; make it first.")
    output.mkdir(exist_ok=True)
    with atomic_file(note) as part:
        part.write_text(text, encoding="utf-8")
