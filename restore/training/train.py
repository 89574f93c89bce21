"""Train an adapter on pairs: LoRA with A·Q·B, the three paths, L2 + λ perceptual (DMDiff Eq. 7)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from metalens.formats.camera.unknown import unknown_camera
from metalens.formats.files.atomic import write_text
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import Pairs
from metalens.formats.psf.bank import PsfBank
from metalens.restore.adapter.adapter_file import describe_adapter, save_adapter
from metalens.restore.adapter.lens_transfer import initialise, leaves_out_block, loss_settings, pairs_trained_on
from metalens.restore.adapter.model_card import write_model_card
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.adapter.svda import OF_WHOLE_FRAMES
from metalens.restore.conditioning.lens_maps import LensMaps
from metalens.restore.conditioning.quality import quality_map
from metalens.restore.inference.capture import Capture
from metalens.restore.inference.capture_check import mostly_saturated
from metalens.restore.inference.uncertainty import calibrate
from metalens.restore.machine import machine_name
from metalens.restore.prior.prior import Prior
from metalens.restore.training.adapter_training import AdapterTraining
from metalens.restore.training.checkpoint import CHECKPOINT
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.distributed import DistributedProcesses
from metalens.restore.training.folder import claimed, finish
from metalens.restore.training.log import PICTURES, picture_name
from metalens.restore.training.loop import LoopSettings, Report, TrainingLoop, check_recordable
from metalens.restore.training.loss import PathLoss
from metalens.restore.training.optimisation import Budget
from metalens.restore.training.pairs import PairSource, TrainingPairs
from metalens.restore.training.sampler import TrainingStream
from metalens.restore.training.validation import Validation

__all__ = ["TrainConfig", "TrainingData", "TrainingTask", "train"]

_LEAST_CONTEXT = 32
"""Pixels of a crop that have all their light in the crop, along each side at least."""


@dataclass(frozen=True)
class TrainingData:
    """Training data of an adapter.

    Attributes:
        pairs: folders of simulated or measured pairs, of one lens or of several.
        bank: point spread functions of the adapter's camera; None if its lens is unknown: Q then depends on the quality
            map alone.
        other_banks: banks of other lenses among the pairs; SVDA takes the map of each sample's own lens.
        pseudo: folders of pseudo pairs, mixed in with ``TrainConfig.pseudo_share``.
        quality_metric: what S_i is measured with, ``auto``, ``musiq`` or ``piqe``; ``auto`` is that of the adapter to
            start from, where there is one.
        measure_first: measure the quality of all pictures before the time of the budget begins; otherwise each is
            measured when it is drawn first.
    """

    pairs: Sequence[Pairs]
    bank: PsfBank | None
    other_banks: Iterable[PsfBank] = ()
    pseudo: Sequence[Pairs] = ()
    quality_metric: str = "auto"
    measure_first: bool = False


@dataclass(frozen=True)
class TrainingTask:
    """What is trained, on what, and how.

    Attributes:
        data: pairs, and the point spread functions of their lenses.
        prior: the latent diffusion model, into which LoRA is put.
        config: the recipe.
        initial: an adapter to start from, of any lens, of the same prior and sizes.
    """

    data: TrainingData
    prior: Prior
    config: TrainConfig = field(default_factory=TrainConfig)
    initial: str | None = None


def train(
    task: TrainingTask,
    output: Path,
    *,
    budget: Budget,
    device: str = "cpu",
    resume: bool = False,
    command: str = "",
    report: Report = lambda share, figures: None,
) -> dict[str, Any]:
    """Train an adapter and write it.

    Args:
        task: what is trained.
        output: a new folder; it holds the checkpoint while training runs and the adapter afterwards.
        budget: steps or minutes.
        device: where to train; of several processes each takes its own.
        resume: continue from the checkpoint in ``output``.
        command: command line, for the model card.
        report: called after every step, in the first process.

    Returns:
        The training's summary: steps, seconds, losses of each path before and after, figures by α.

    Raises:
        InputError: pairs of an unknown lens, an adapter of another prior, a damaged file, NaN that persists, or too
            little memory.
    """
    data, config = task.data, task.config
    workplace = DistributedProcesses(device, config.precision)
    if config.cuda_graphs:
        check_recordable(workplace.device, workplace.processes)
    restorer, lenses = untrained(task)
    loss = PathLoss(config).to(workplace.device)
    settings = settings_of(task, restorer, lenses, loss)
    with claimed(output, settings, resume) if workplace.is_first else nullcontext():
        workplace.wait()
        trainee = trainee_of(task, restorer, lenses, loss, workplace=workplace, output=output)
        checkpoints = LoopSettings(output / CHECKPOINT, config.checkpoint_every, cuda_graphs=config.cuda_graphs)
        loop = TrainingLoop(trainee, budget, workplace, checkpoints)
        loop.run(resume=resume, report=report if workplace.is_first else lambda share, figures: None)
        summary = _summary(loop, trainee, settings, command)
        if workplace.is_first:
            _write(output, trainee, summary, data.bank)
        workplace.wait()
        return summary


def trainee_of(
    task: TrainingTask,
    restorer: Restorer,
    lenses: LensMaps,
    loss: PathLoss,
    *,
    workplace: DistributedProcesses,
    output: Path,
) -> AdapterTraining:
    """What the loop trains, before its first step.

    Args:
        task: what is trained.
        restorer: of :func:`untrained`.
        lenses: of :func:`untrained`.
        loss: of the recipe, on the device.
        workplace: processes and device.
        output: folder of the log.

    Returns:
        The adapter with its data, loss and settings, as the training loop takes it.
    """
    data, config = task.data, task.config
    sources, pseudo_sources = (
        [PairSource(each, lenses.of(each)) for each in group] for group in (data.pairs, data.pseudo)
    )
    if task.initial is None:
        restorer.attention.standardise(torch.from_numpy(restorer.lens_map).float())
    # Without Q nothing reads the quality.
    measured = restorer.quality_metric if restorer.layers.ranks else None
    whole = config.adapter.form in OF_WHOLE_FRAMES
    drawn = TrainingPairs(sources, quality_metric=measured, edge_weight=config.edge_weight, whole_maps=whole)
    if data.measure_first:
        drawn.measure()
    pseudo = TrainingPairs(pseudo_sources, quality_metric=measured, whole_maps=whole) if pseudo_sources else None
    crops = config.batch * config.accumulate * workplace.processes
    return AdapterTraining(
        restorer,
        TrainingStream(drawn, pseudo, config, multiple=task.prior.latent_stride, crops_a_step=crops),
        Validation(restorer, drawn, loss, config, workplace.autocast),
        loss,
        config=config,
        workplace=workplace,
        output=output,
    )


def settings_of(task: TrainingTask, restorer: Restorer, lenses: LensMaps, loss: PathLoss) -> dict[str, Any]:
    """What a training notes in its folder, for one that goes on with it.

    Args:
        task: what is trained.
        restorer: of :func:`untrained`.
        lenses: of :func:`untrained`.
        loss: of the recipe.

    Returns:
        Settings of JSON's types; a resumed training must have the same ones.
    """
    return {
        "pairs": [_describe(each, lenses) for each in task.data.pairs],
        "pseudo": [_describe(each, lenses) for each in task.data.pseudo],
        "prior": task.prior.identity,
        "quality_metric": restorer.quality_metric,
        "perceptual_metric": loss.metric,
        "initial": task.initial,
        "initial_lens": describe_adapter(task.initial)["lens_hash"] if task.initial is not None else None,
        "config": asdict(task.config),
    }


def _write(output: Path, trainee: AdapterTraining, summary: dict[str, Any], bank: PsfBank | None) -> None:
    """Write adapter, history and model card; then remove the checkpoint."""
    restorer = trainee.restorer
    restorer.training = summary
    held_out, bank = held_out_pairs(trainee.validation), restorer.bank or bank
    if held_out and bank is not None:
        with trainee.workplace.autocast():
            summary["uncertainty"] = calibrate(restorer, bank, held_out)
    save_adapter(output, restorer)
    write_text(output / "training.json", json.dumps({"summary": summary, "history": trainee.history}) + "\n")
    shown = output / PICTURES / picture_name(summary["steps"])
    write_model_card(output, restorer, pictures=shown.relative_to(output) if shown.is_file() else None)
    finish(output)


def held_out_pairs(validation: Validation, most: int = 8) -> list[tuple[np.ndarray, Capture]]:
    """Pairs of the adapter's own camera whose photographs were kept for validation, spread evenly over them.

    Args:
        validation: of the training.
        most: number of pairs.

    Returns:
        Clean pictures ``[y, x, 3]`` uint8 and their captures; on them the expected error is calibrated.
    """
    if not validation.held_out:
        return []
    own = validation.restorer.camera
    found = []
    places = validation.data.validation
    for number, index in places[:: max(1, len(places) // most)][:most]:
        pairs = validation.data.sources[number].pairs
        sample = pairs.sample(index)
        if pairs.manifest.cameras[sample.camera].lens_hash != own.hash:
            continue
        whole = sample.degraded.shape[:2] == own.sensor.pixels
        place = None if whole else (int(sample.position[0]), int(sample.position[1]))
        if not mostly_saturated(sample.degraded):
            found.append((sample.clean, Capture(sample.degraded, place)))
    return found


def _summary(loop: TrainingLoop, trainee: AdapterTraining, settings: dict[str, Any], command: str) -> dict[str, Any]:
    """The training record for the model card."""
    optimisation, workplace = loop.optimisation, loop.workplace
    found = trainee.validate_at_the_end(optimisation.step_number)
    initial = settings["initial"]
    before: dict[str, Any] = {}
    if trainee.config.only != "all" and initial is not None:
        before = {"loss_before": loss_settings(initial), "pairs_before": pairs_trained_on(initial)}
    return {
        **settings,
        **before,
        "steps": optimisation.step_number,
        "seconds": round(optimisation.seconds, 1),
        "skipped_steps": loop.skipped.total,
        "validation_before": trainee.before,
        "validation_after": found["losses"],
        "by_alpha": found["by_alpha"],
        "trainable_parameters": sum(p.numel() for p in trainee.restorer.parameters().values()),
        "device": str(workplace.device),
        "block_left_out": leaves_out_block(initial, trainee.config.adapter),
        "processes": workplace.processes,
        "threads": torch.get_num_threads(),
        "machine": machine_name(workplace.device),
        "command": command,
    }


def _quality_metric(pairs: Pairs, wanted: str, initial: str | None) -> str:
    if wanted == "auto" and initial is not None:
        return str(describe_adapter(initial)["quality_metric"])
    return quality_map(pairs[0][1], wanted)[1]


def untrained(task: TrainingTask) -> tuple[Restorer, LensMaps]:
    """What a training starts from, when all that it is given has been checked.

    Returns:
        The restorer before its first step, and the maps of all lenses.

    Raises:
        InputError: as :func:`train`.
    """
    data, prior, config, initial = task.data, task.prior, task.config, task.initial
    for folders in ([each.folder.resolve() for each in group] for group in (data.pairs, data.pseudo)):
        twice = next((folder for folder in folders if folders.count(folder) > 1), None)
        if twice is not None:
            raise InputError(f"{twice}: is given twice; name each folder of pairs once.")
    for each in (*data.pairs, *data.pseudo):
        _check_crop(each, config, prior)
    if data.bank is None:
        camera = unknown_camera(data.pairs[0].manifest.pixels)
        lenses = LensMaps.without_bank(camera)
    else:
        camera = data.bank.camera
        lenses = LensMaps(chain([data.bank], data.other_banks), config.adapter.conditioning)
    for each in (*data.pairs, *data.pseudo):
        lenses.of(each)
    metric = _quality_metric(data.pairs[0], data.quality_metric, initial)
    with torch.random.fork_rng(devices=[]):
        # Initial weights depend on the seed only, not on earlier draws.
        torch.manual_seed(config.seed)
        lens = lenses.of_camera(camera)
        restorer = Restorer(prior, config.adapter, camera, lens.values, metric, bank=lens.bank)
    _check_part(config)
    if config.adapter.consistency == "trained":
        _check_consistency(task, restorer)
    if initial is not None:
        initialise(restorer, initial)
    return restorer, lenses


def _check_crop(pairs: Pairs, config: TrainConfig, prior: Prior) -> None:
    smallest = min(pairs.manifest.pixels)
    if config.crop > smallest:
        raise InputError(
            f"{pairs.folder}: frames of {smallest} pixels are smaller than the crop of {config.crop}; lower --crop, or "
            "make larger pairs."
        )
    if config.crop % prior.size_multiple:
        raise InputError(
            f"crop {config.crop} is no multiple of {prior.size_multiple}, which this prior needs; choose one."
        )


def _check_part(config: TrainConfig) -> None:
    """Check that the adapter has the part that alone is trained, and that each path reaches it."""
    adapter = config.adapter
    if config.only == "q" and (adapter.tuning == "full" or adapter.form == "plain"):
        raise InputError("--only q: this adapter has no Q; train with --tuning lora and a form of Q.")
    if config.only == "consistency" and adapter.consistency == "none":
        raise InputError("--only consistency: this adapter has no such block; add --consistency trained.")
    if config.only == "consistency" and config.shares.negative > 0:
        raise InputError(
            "--only consistency: the negative path, which degrades, does not reach it; give --paths 0.5,0.5,0."
        )


def _check_consistency(task: TrainingTask, restorer: Restorer) -> None:
    """Check that a block of data consistency can be trained: with one lens, and crops that hold its light."""
    data, config = task.data, task.config
    if config.cuda_graphs:
        raise InputError("--consistency trained: its solution cannot be recorded; train without --cuda-graphs.")
    if restorer.bank is None:
        raise InputError("--consistency trained: needs the functions of the lens; give its psf.h5 with --psf.")
    for pairs in (*data.pairs, *data.pseudo):
        other = next((each for each in pairs.manifest.lens_hashes if each != restorer.camera.hash), None)
        if other is not None:
            raise InputError(
                f"{pairs.folder}: holds pairs of another lens ({other[:12]}…) than {restorer.camera.name}; "
                "--consistency trained needs pairs of one lens."
            )
    kernel = max(restorer.bank.intensity.shape[-2:])
    if config.crop < kernel + _LEAST_CONTEXT:
        raise InputError(
            f"crop {config.crop}: half a point spread function ({kernel // 2} pixels) at each side has no context for "
            f"data consistency; give --crop {kernel + _LEAST_CONTEXT} or more."
        )


def _describe(pairs: Pairs, lenses: LensMaps) -> dict[str, Any]:
    manifest = pairs.manifest
    licences: dict[str, int] = {}
    for source in manifest.sources:
        licences[source.licence or "unknown"] = licences.get(source.licence or "unknown", 0) + 1
    return {
        "folder": pairs.folder.name,
        "kind": manifest.kind,
        "count": manifest.count,
        "seed": manifest.seed,
        "lens_hashes": manifest.lens_hashes,
        "lenses": [
            {
                "name": camera.name,
                "lens_hash": camera.lens_hash,
                "design_hash": camera.design_hash,
                "own_map": lenses.is_its_own(camera),
            }
            for camera in manifest.cameras
        ],
        "licences": dict(sorted(licences.items())),
        "validation_photographs": sum(source.split == "validation" for source in manifest.sources),
    }
