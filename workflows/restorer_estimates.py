"""Estimates of the restorer: training, restoring, reports and benchmarks."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from metalens.formats.pairs.reader import Pairs
from metalens.formats.psf.bank import PsfBank
from metalens.restore.adapter.adapter_file import save_adapter
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.conditioning.lens_maps import LensMaps
from metalens.restore.deconvolution.joint_wiener import wiener_joint
from metalens.restore.deconvolution.wiener import wiener_tiled
from metalens.restore.inference.pseudo import PseudoPlan, make_pseudo_pairs
from metalens.restore.inference.restoration import Settings, restore
from metalens.restore.inference.uncertainty import calibrate
from metalens.restore.metrics.measures import perceptual_distances
from metalens.restore.pretraining.crops import PhotographCrops
from metalens.restore.pretraining.pretrain import first_stage, second_stage
from metalens.restore.pretraining.recipe import PretrainConfig
from metalens.restore.report.report import judges
from metalens.restore.training.adapter_training import AdapterTraining
from metalens.restore.training.distributed import DistributedProcesses
from metalens.restore.training.loop import LoopSettings, Trainee, TrainingLoop
from metalens.restore.training.loss import PathLoss
from metalens.restore.training.optimisation import Budget
from metalens.restore.training.train import TrainingTask, held_out_pairs, trainee_of
from metalens.restore.training.validation import Validation
from metalens.runners.processes import peak_memory
from metalens.workflows.compare.estimate import (
    BYTES_PER_PIXEL,
    PAIR,
    PIXELS,
    RESTORER_PER_PICTURE,
    START,
    TRAINING_STEP,
)
from metalens.workflows.estimate import (
    Estimate,
    Timing,
    folder_bytes,
    measured,
    spoken_seconds,
    timing,
)
from metalens.workflows.machine_speed import pace_told, relative_time

PNG_BYTES_PER_PIXEL = 1.6
"""Bytes for a pixel of a restored photograph, all channels: of the demo's, 1.4 to 1.7."""

_LOG_BYTES_PER_STEP = 700
"""Bytes a step of ``training.json`` and of the curves of TensorBoard."""

_COMPARISON_BYTES_PER_PIXEL = 14
"""Bytes for a pixel of the sheet that compares the versions of a photograph, as PNG and PDF, for each of its pixels:
of the demo's.
"""

_LARGEST_CROP = 256
"""Side of the crop on which a restoration is measured, in pixels."""


@measured
def training_estimate(
    task: TrainingTask, restorer: Restorer, lenses: LensMaps, budget: Budget, device: str
) -> Estimate:
    """Cost of a training: one step, forward and backward, a validated crop and a calibrating pair are done twice.

    Args:
        task: what is trained.
        restorer: of :func:`metalens.restore.training.train.untrained`.
        lenses: of the same.
        budget: steps or minutes.
        device: where it is trained.

    Returns:
        The estimate; where minutes are given, only the validations at the begin and the end come in addition, for the
        budget holds the others.
    """
    config = task.config
    workplace = DistributedProcesses(device, config.precision)
    loss = PathLoss(config).to(workplace.device)
    with tempfile.TemporaryDirectory() as folder:
        trainee = trainee_of(task, restorer, lenses, loss, workplace=workplace, output=Path(folder))
        size = sum(each.numel() for each in trainee.trained_parameters().values())
        position = 0

        def step() -> None:
            nonlocal position
            draw = trainee.draw(position)
            position += 1
            for batch in draw.batches:
                on_device = [each.to(trainee.workplace.device) for each in batch]
                with trainee.around(*on_device):
                    trainee.losses(draw.kind, *on_device)["loss"].backward()
            if trainee.workplace.device.type == "cuda":
                torch.cuda.synchronize(trainee.workplace.device)

        spent, picture, calibrated = timing(step), _validated_picture(trainee), _calibrated_pair(trainee, task)
        save_adapter(Path(folder), restorer)
        adapter = folder_bytes(Path(folder))
    # A forward pass alone takes about a third of a step, and three paths are validated.
    losses = config.validation_batches * spent.further
    validation = losses + config.validation_pictures * picture.further
    trained = _trained(budget, spent.further + validation / config.validate_every)
    steps = min(trained / spent.further, math.inf if budget.steps is None else budget.steps)
    # Before the first step the paths alone are validated.
    pairs = len(held_out_pairs(trainee.validation))
    seconds = spent.first + trained + 2 * losses + picture.of(config.validation_pictures) + calibrated.of(pairs)
    kept = adapter + _log_bytes(trainee, steps)
    # It holds the parameters, their average and the optimiser's two moments in single precision; the one before it is
    # removed when it is written.
    checkpoint = 16 * size * (2 if steps > config.checkpoint_every else 1)
    basis = f"one step took {spent.further:.2f} s, after {spent.first:.1f} s for the first"
    return Estimate(kept + checkpoint, seconds, peak_memory() + 16 * size, basis, kept_bytes=kept)


def _validated_picture(trainee: AdapterTraining) -> Timing:
    """Time of a crop that is restored at every α and judged."""
    held, config = trainee.validation, replace(trainee.config, validation_pictures=1)
    return timing(Validation(held.restorer, held.data, held.loss, config, held.autocast).by_alpha)


def _calibrated_pair(trainee: AdapterTraining, task: TrainingTask) -> Timing:
    """Time of a pair on which the expected error is calibrated; none if a training calibrates on none."""
    found, bank = held_out_pairs(trainee.validation), trainee.restorer.bank or task.data.bank
    if not found or bank is None:
        return Timing(0.0, 0.0)
    with trainee.workplace.autocast():
        return timing(lambda: calibrate(trainee.restorer, bank, found[:1]))


def _log_bytes(trainee: AdapterTraining, steps: float) -> float:
    """Bytes of the history, the curves and the pictures of a training of so many steps."""
    config = trainee.config
    sheet = PNG_BYTES_PER_PIXEL * 4 * min(4, config.validation_pictures) * trainee.validation.side**2
    # One at the end; those before it are among the curves as well.
    return _LOG_BYTES_PER_STEP * steps + (1 + 2 * (steps // config.validate_every)) * sheet


def _trained(budget: Budget, step: float) -> float:
    """Seconds of a training of which a step takes so many."""
    limits = [] if budget.steps is None else [budget.steps * step]
    limits += [] if budget.minutes is None else [60 * budget.minutes]
    return min(limits)


@measured
def pretraining_estimate(
    photographs: Sequence[Path], config: PretrainConfig, budgets: tuple[Budget, Budget], device: str
) -> Estimate:
    """Cost of a prior: two steps of each of its stages are done.

    Args:
        photographs: clean pictures to train on; all are read.
        config: size and recipe.
        budgets: of the autoencoder and of the denoiser.
        device: where to train.

    Returns:
        Disk and memory in bytes, wall-clock time in seconds, and what they are measured on.

    Raises:
        InputError: a photograph cannot be read, or none is as large as a crop.
    """
    begun = time.perf_counter()
    workplace = DistributedProcesses(device, config.precision)
    crops = PhotographCrops(photographs, config.crop, device)
    smaller = crops.resized(config.denoiser_crop)
    seconds, parameters = time.perf_counter() - begun, 0
    first = first_stage(crops, config, device)
    told = []
    for number, budget in enumerate(budgets):
        stage: Trainee = second_stage("prior", first.model, 1.0, smaller, config, workplace) if number else first
        loop = TrainingLoop(stage, budget, workplace, LoopSettings(Path(), cuda_graphs=config.cuda_graphs))
        spent = timing(loop.step)
        seconds += spent.first + _trained(budget, spent.further)
        if not number:
            # The scale of the latents, which eight batches of sixteen crops tell.
            seconds += 8 * 16 / config.batch * spent.further / 3
        parameters += sum(each.numel() for each in loop.optimisation.parameters.values())
        told.append(f"{spent.further:.2f} s")
    # Single precision; a checkpoint holds them, their average and the optimiser's two moments.
    basis = f"a step of the autoencoder took {told[0]}, one of the denoiser {told[1]}"
    return Estimate((4 + 16) * parameters + 1e5, seconds, peak_memory(), basis)


@measured
def pseudo_estimate(restorer: Restorer, plan: PseudoPlan) -> Estimate:
    """Cost of pseudo pairs: one is made twice, in a folder that is removed.

    Args:
        restorer: prior and adapter, on its device.
        plan: of the pairs.

    Returns:
        Disk and memory in bytes, wall-clock time in seconds, and what they are measured on.
    """
    count, sizes = plan.manifest.count, []
    one = replace(plan, manifest=plan.manifest.model_copy(update={"count": 1}))

    def make() -> None:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "pairs"
            make_pseudo_pairs(restorer, one, target)
            sizes.append(sum(path.stat().st_size for path in target.glob("*.h5")))

    spent = timing(make)
    kept = min(count, plan.manifest.shard_size) * sizes[-1]
    basis = f"one pair was made in {spent.further:.2f} s"
    return Estimate(count * sizes[-1] + 1e5, spent.of(count), peak_memory() + kept, basis)


@measured
def restoring_estimate(
    restorer: Restorer,
    capture: np.ndarray | None,
    sizes: Sequence[tuple[int, int]],
    settings: Settings,
    alphas: int,
    consistent: bool,
    uncertainty: bool,
) -> Estimate:
    """Cost of restoring captures: a crop of one is restored twice.

    Args:
        restorer: prior and adapter, on its device.
        capture: ``[y, x, 3]`` uint8, one of them; None if all are kept as latents.
        sizes: rows, columns of each.
        settings: steps and tiles.
        alphas: pictures of each capture.
        consistent: whether data consistency is applied; it is counted as one more picture.
        uncertainty: whether maps of the expected error are written; each is counted as one more picture.

    Returns:
        Disk and memory in bytes, wall-clock time in seconds, and what they are measured on.
    """
    pixels = [rows * columns for rows, columns in sizes]
    frame = np.zeros((*restorer.camera.sensor.pixels, 3), np.uint8) if capture is None else capture
    side = min(_LARGEST_CROP, settings.tile, *frame.shape[:2], *restorer.camera.sensor.pixels)
    crop = np.ascontiguousarray(frame[:side, :side])
    small = Settings(steps=settings.steps, tile=settings.tile, place=(0, 0))
    spent = timing(lambda: restore(restorer, crop, [0.5], small))
    pictures = alphas * (1 + consistent + uncertainty)
    # A further α costs a decode, about a third of the whole.
    units = sum(pixels) / side**2 * (1 + (pictures - 1) / 3)
    size = PNG_BYTES_PER_PIXEL * sum(pixels) * alphas * (1 + uncertainty)
    # The networks work on one tile at a time; the pictures of all α are kept until they are written.
    tile = min(settings.tile**2, max(pixels))
    memory = peak_memory() * max(1.0, 0.5 + 0.5 * tile / side**2) + 3 * max(pixels) * (8 + alphas)
    basis = f"{side} × {side} pixels were restored in {spent.further:.2f} s"
    return Estimate(size, spent.of(units), memory, basis)


@measured
def filtering_estimate(capture: np.ndarray, sizes: Sequence[tuple[int, int]], work: Callable[[], object]) -> Estimate:
    """Cost of a filter: one capture is filtered twice.

    Args:
        capture: ``[y, x, 3]`` uint8, which is filtered.
        sizes: rows, columns of each capture.
        work: filters the one.

    Returns:
        Disk and memory in bytes, wall-clock time in seconds, and what they are measured on.
    """
    spent = timing(work)
    pixels = [rows * columns for rows, columns in sizes]
    basis = f"one capture was filtered in {spent.further:.2f} s"
    units = sum(pixels) / (capture.shape[0] * capture.shape[1])
    return Estimate(PNG_BYTES_PER_PIXEL * sum(pixels), spent.of(units), peak_memory() + 30 * max(pixels), basis)


@measured
def report_estimate(pairs: Pairs, bank: PsfBank, restored: int) -> Estimate:
    """Cost of a report: one pair is filtered twice by both Wiener filters, and judged twice.

    Args:
        pairs: the held-out pairs.
        bank: the camera's point spread functions.
        restored: pictures that are judged of each pair.

    Returns:
        Disk and memory in bytes, wall-clock time in seconds, and what they are measured on.
    """
    sample = pairs.sample(0)

    def work() -> None:
        wiener_tiled(sample.degraded, bank, 1e-2, place=sample.position)
        wiener_joint(sample.degraded, bank, 1.0, place=sample.position)

    spent = timing(work)
    judged = timing(lambda: [perceptual_distances(sample.clean, [sample.degraded], each) for each in judges(None)])
    pixels, versions = sample.degraded.shape[0] * sample.degraded.shape[1], 3 + restored
    # The regularisers are searched on eight pairs with about eight values each. The features of the clean picture take
    # about half of a comparison. A figure takes as long as two filters: one a pair, and nine.
    units = 8 * 8 + len(pairs) + 2 * (len(pairs) + 9)
    seconds = spent.of(units) + judged.first + len(pairs) * (0.5 + 0.5 * versions) * judged.further
    # Each version with its zooms, the comparison of them as PNG and PDF, and the other figures.
    each = PNG_BYTES_PER_PIXEL * (1 + versions) + _COMPARISON_BYTES_PER_PIXEL
    basis = (
        f"one pair was filtered in {spent.further:.2f} s by both Wiener filters and judged in {judged.further:.2f} s"
    )
    return Estimate(len(pairs) * each * pixels + 2e6, seconds, 1.3 * peak_memory() + 60 * pixels, basis)


TRAINING_BYTES = 2e7
"""Bytes of a method's checkpoint and log: 15 to 43 MB for the methods in pixels, 2 MB for an adapter."""


@dataclass(frozen=True)
class BenchTerms:
    """Size of a benchmark.

    Attributes:
        methods: that are compared.
        learning: those of them that use the training budget; the others choose a setting.
        seeds: trainings of each.
        parallel: methods at one time.
        minutes: of each training; None without such a limit.
        steps: of each training; None without such a limit.
        crops: of a step.
        crop: side of a crop in pixels.
        training: pairs that are generated first.
        test: captures of the test, which are generated first or given.
        generated: those of them that are generated.
        pixels: rows, columns of a capture.
    """

    methods: int
    learning: int
    seeds: int
    parallel: int
    minutes: float | None
    steps: int | None
    crops: int
    crop: int
    training: int
    test: int
    generated: int
    pixels: tuple[int, int]


def bench_estimate(terms: BenchTerms) -> Estimate:
    """Cost of a benchmark: its budget, and what the stages of ``metalens compare`` take per picture.

    Args:
        terms: size of the benchmark.
    """
    frames = terms.pixels[0] * terms.pixels[1] / PIXELS
    pace = relative_time()
    step = pace * TRAINING_STEP * terms.crops * terms.crop**2 / (4 * 96**2)
    limits = [] if terms.minutes is None else [60 * terms.minutes]
    limits += [] if terms.steps is None else [terms.steps * step]
    runs, trainings = terms.methods * terms.seeds, terms.learning * terms.seeds
    judged = runs * terms.test
    seconds = pace * (START + PAIR * frames * (terms.training + terms.generated))
    seconds += (
        runs * pace * START + trainings * min(limits) + pace * judged * RESTORER_PER_PICTURE * frames
    ) / terms.parallel
    size = (
        BYTES_PER_PIXEL
        * terms.pixels[0]
        * terms.pixels[1]
        * (3 * terms.training + 3 * terms.generated + 2 * terms.test + judged)
    )
    basis = f"{trainings} training{'s' * (trainings != 1)} of {spoken_seconds(min(limits))}; {pace_told()}"
    return Estimate(size + TRAINING_BYTES * trainings, seconds, terms.parallel * max(peak_memory(), 2e9), basis)
