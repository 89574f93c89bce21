"""Train the restorer: pairs and a camera's point spread functions in, an adapter out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from metalens.formats.camera.unknown import unknown_camera
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import Pairs, read_pairs, require_same_camera
from metalens.formats.psf.bank_file import Bank, as_bank
from metalens.restore.adapter.lens_transfer import adapter_config, loss_settings
from metalens.restore.prior.prior import Prior
from metalens.restore.prior.prior_folder import load_prior
from metalens.restore.training.config import TABLES, TrainConfig, read_train_config
from metalens.restore.training.defaults import default_config
from metalens.restore.training.optimisation import Budget
from metalens.restore.training.train import TrainingData, TrainingTask
from metalens.restore.training.train import train as train_adapter
from metalens.workflows.banks import BankSource, banks_of

PairsSource = str | os.PathLike[str] | Pairs
"""A folder of pairs, or the result of :func:`metalens.read_pairs`."""

Recipe = str | os.PathLike[str] | Mapping[str, Mapping[str, Any]]
"""A TOML file, or its tables as a mapping."""


def train(
    pairs: PairsSource | Sequence[PairsSource],
    output: str | os.PathLike[str],
    *,
    bank: BankSource | Sequence[BankSource] | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    initial: str | os.PathLike[str] | None = None,
    recipe: Recipe | None = None,
    pseudo: PairsSource | Sequence[PairsSource] = (),
    prior: str | os.PathLike[str] = "embedded",
    quality: str = "auto",
    device: str = "cpu",
    resume: bool = False,
    progress: Callable[[float, dict[str, float]], None] | None = None,
) -> dict[str, Any]:
    """Train the restorer of a camera (DMDiff, Eqs. 1 to 7) and write it as an adapter.

    Args:
        pairs: folders that :func:`metalens.generate_pairs` made, or opened ones; of one lens or of several.
        output: the adapter's folder. It holds the checkpoint while the training runs.
        bank: point spread functions of the adapter's camera, their ``psf.h5``, or the camera: a preset or a
            ``lens.toml``; then those of other lenses, if the pairs are of several. None if the lens is unknown: pairs
            of ``metalens data import`` without a lens.
        steps: training steps, above 0; with ``minutes`` too, the first limit reached ends the training.
        minutes: training time, above 0.
        initial: an adapter to start from, of any lens: its folder, or the embedded ``metacamera``.
        recipe: a recipe in TOML, or its tables, such as ``{"training": {"batch": 2, "crop": 64}}``;
            :class:`metalens.restore.training.config.TrainConfig` lists the keys.
        pseudo: folders of pseudo pairs to mix in.
        prior: the embedded one, a diffusers folder or a hub id.
        quality: no-reference metric of the quality map, ``auto``, ``piqe`` or ``musiq``.
        device: of torch, such as ``cuda``.
        resume: continue from the checkpoint in ``output``.
        progress: called after every step with the share of the budget that is used, 0 to 1, and the step's figures.

    Returns:
        The summary of the training: ``steps``, ``seconds``, ``validation_before`` and ``validation_after`` by path,
        ``by_alpha`` and how it was made.

    Raises:
        InputError: pairs of an unknown lens, an adapter of another prior, an unknown key of the recipe, a damaged file,
            NaN that persists, or too little memory.

    References:
        DMDiff (ICCV 2025), arXiv 2506.22753. docs/training.md describes the differences.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import metalens
        >>> camera = metalens.read_camera("hyperbolic").with_(
        ...     lens={"aperture_um": 40, "focal_length_um": 100}, sensor={"pixels": (64, 64), "pixel_pitch_um": 1}
        ... )
        >>> bank = metalens.simulate_bank(camera, fields=(1, 1), wavelengths_per_channel=1, window=(25, 25))
        >>> small = {"batch": 1, "crop": 32, "validation_batches": 1, "validation_pictures": 1, "judge": "alex"}
        >>> with TemporaryDirectory() as folder:
        ...     report = metalens.generate_pairs("embedded:train", bank, f"{folder}/pairs", count=2)
        ...     summary = train(f"{folder}/pairs", f"{folder}/adapter", bank=bank, steps=1, recipe={"training": small})
        >>> summary["steps"], sorted(summary["validation_after"])
        (1, ['negative', 'neutral', 'positive'])
    """
    # Check the arguments before anything is loaded.
    budget = Budget(steps=steps, minutes=minutes)
    banks = [] if bank is None else banks_of(bank)
    start = None if initial is None else os.fspath(initial)
    task = training_task(pairs, banks, pseudo=pseudo, prior=prior, quality=quality, initial=start, recipe=recipe)
    tell = progress or (lambda share, figures: None)
    return train_adapter(task, Path(output), budget=budget, device=device, resume=resume, report=tell)


def training_task(
    pairs: PairsSource | Sequence[PairsSource],
    banks: Sequence[Bank],
    *,
    pseudo: PairsSource | Sequence[PairsSource] = (),
    prior: str | os.PathLike[str] = "embedded",
    quality: str = "auto",
    initial: str | None = None,
    recipe: Recipe | None = None,
    changes: Mapping[str, Any] = MappingProxyType({}),
) -> TrainingTask:
    """Read and check what a training takes.

    Args:
        pairs: folders of pairs, or opened ones.
        banks: that of the adapter's camera, then those of other lenses, which are read one at a time; none if the lens
            is unknown.
        pseudo: folders of pseudo pairs.
        prior: the embedded one, a diffusers folder or a hub id.
        quality: no-reference metric of the quality map.
        initial: an adapter to start from.
        recipe: a recipe in TOML, or its tables; what it does not give depends on the prior.
        changes: ``table.key`` to a value that overrides the recipe's; None changes nothing.

    Returns:
        The opened data, the loaded prior, the complete recipe and the adapter to start from.

    Raises:
        InputError: a file is damaged, an unknown key, or pairs of another lens than the only bank's.
    """
    opened, opened_pseudo = _opened(pairs), _opened(pseudo)
    own, others = (as_bank(banks[0]), banks[1:]) if banks else (None, ())
    for each in (*opened, *opened_pseudo) if not others else ():
        if own is None:
            _require_unknown_lens(each)
        else:
            require_same_camera(each, own)
    # Mistakes are told before a prior of gigabytes is loaded.
    read_recipe(recipe, initial, changes)
    loaded = load_prior(prior)
    config = read_recipe(recipe, initial, changes, prior=loaded)
    if own is None and config.adapter.conditioning == "optics":
        raise InputError("conditioning by optics needs the point spread functions of the lens; give them with --psf.")
    if own is None and initial is None:
        # So that the adapter does not take the map of another lens for what it has learnt.
        config = replace(config, adapter=replace(config.adapter, fwhm=False))
    data = TrainingData(opened, own, (as_bank(each) for each in others), opened_pseudo, quality)
    return TrainingTask(data, loaded, config, initial)


def _require_unknown_lens(pairs: Pairs) -> None:
    manifest = pairs.manifest
    if manifest.lens_hashes != [unknown_camera(manifest.pixels).hash]:
        raise InputError(
            f"{pairs.folder}: made for camera {manifest.camera_names!r}; give its point spread functions with --psf."
        )


def _opened(sources: PairsSource | Sequence[PairsSource]) -> list[Pairs]:
    several = [sources] if isinstance(sources, str | os.PathLike | Pairs) else sources
    return [each if isinstance(each, Pairs) else read_pairs(each) for each in several]


def read_recipe(
    recipe: Recipe | None,
    initial: str | None,
    changes: Mapping[str, Any] = MappingProxyType({}),
    *,
    prior: Prior | None = None,
) -> TrainConfig:
    """Read a recipe; sizes that it does not give are those of the initial adapter, and a loss of fidelity is its loss.

    Args:
        recipe: a file, its tables, or None for the defaults.
        initial: an adapter to start from.
        changes: ``table.key`` to a value that overrides a recipe's; None changes nothing.
        prior: whose defaults the recipe completes; None is the embedded one.

    Returns:
        The complete recipe: overrides before the recipe's values, and these before the defaults.

    Raises:
        InputError: the file cannot be read, an unknown key, or a value out of range.
    """
    start = None if initial is None else adapter_config(initial)
    given: dict[str, Any] = {}
    file = recipe if recipe is None or isinstance(recipe, str | os.PathLike) else None
    if recipe is not None and not isinstance(recipe, str | os.PathLike):
        for name, table in recipe.items():
            if name not in TABLES or not isinstance(table, Mapping):
                raise InputError(f"recipe: found {name!r}, expected the tables {', '.join(TABLES)}.")
        given = {f"{name}.{key}": value for name, table in recipe.items() for key, value in table.items()}
    given |= {key: value for key, value in changes.items() if value is not None}
    path = None if file is None else Path(file)
    learnt = {} if initial is None else loss_settings(initial)

    def completed(perceptual: str) -> TrainConfig:
        if perceptual == "auto":
            perceptual = learnt.get("perceptual", perceptual)
        defaults = TrainConfig() if prior is None else default_config(prior, perceptual)
        return replace(defaults, **learnt) if learnt.get("perceptual") == perceptual else defaults

    config = read_train_config(path, given, adapter=start, defaults=completed)
    if config.only == "consistency" and learnt.pop("adversarial_weight", 0):
        # A discriminator draws the trust in a picture away from the scene, unless it is asked for.
        config = read_train_config(path, given, adapter=start, defaults=completed)
    return config
