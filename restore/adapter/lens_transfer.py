"""Transfer between lenses: start training from another lens' adapter, or use an adapter on a new lens."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from metalens.formats.files.atomic import atomic_directory
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import PsfBank
from metalens.restore.adapter.adapter_file import (
    adapter_folder,
    describe_adapter,
    load_parameters,
    load_restorer,
    read_tensors,
    save_adapter,
)
from metalens.restore.adapter.restorer import AdapterConfig, Restorer
from metalens.restore.conditioning.degradation_map import CELLS, CHANNELS
from metalens.restore.conditioning.lens_maps import LensMaps
from metalens.restore.prior.prior import Prior

_TYPICAL_QUALITY = 0.5

_OF_THE_LOSS = ("neutral", "perceptual", "l1_weight", "l2_weight", "perceptual_weight", "adversarial_weight")

_OF_MAPS = ("svda.local.0.weight", "svda.whole.1.weight")
"""Parameters that take the degradation map."""


def check_start(initial: str | os.PathLike[str], prior: Prior) -> dict[str, Any]:
    """Check, before a long computation, that an adapter can start a training on a prior.

    Args:
        initial: folder or name of the adapter.
        prior: of the training.

    Returns:
        The adapter's description.

    Raises:
        InputError: there is no such adapter, or it is of another prior.
    """
    description = describe_adapter(initial)
    if description["prior"]["identity"] != prior.identity:
        raise InputError(
            f"{initial}: was trained on another prior than {prior.name}; it cannot start this; name its own prior with "
            "--prior, or start from another adapter."
        )
    return description


def initialise(restorer: Restorer, initial: str) -> None:
    """Load another adapter's weights as the starting point of training; its lens may differ, its prior not.

    Args:
        restorer: takes the weights, in place.
        initial: folder or name of the other adapter.

    Raises:
        InputError: it is of another prior or of other sizes, or its file is damaged.

    An adapter with published conditioning can start one by optics, whose further inputs begin at 0, as do the vectors
    of a path embedding; a block of data consistency starts untrained, or is left out; LoRA can start the tuning of all
    weights, merged at the mean of its lens map.
    """
    description = check_start(initial, restorer.prior)
    config = AdapterConfig(**description["config"])
    asked = restorer.config
    known = {
        "conditioning": asked.conditioning,
        "tuning": asked.tuning,
        "path_embedding": asked.path_embedding,
        "consistency": asked.consistency,
    }
    started = (
        config.conditioning in ("published", asked.conditioning)
        and config.tuning in ("lora", asked.tuning)
        and config.path_embedding in (False, asked.path_embedding)
    )
    sized = known if config.tuning == asked.tuning else asdict(asked)
    if not started or replace(config, **sized) != restorer.config:
        raise InputError(
            f"{initial}: is of size {description['config']}, this training asks for {asdict(restorer.config)}."
        )
    path = adapter_folder(initial) / "adapter.safetensors"
    if config.tuning != asked.tuning:
        tensors = _merged(initial, restorer)
    else:
        tensors = read_tensors(path)
        tensors.pop("fwhm_map", None)
    if asked.consistency == "none":
        tensors = {name: value for name, value in tensors.items() if not name.startswith("consistency.")}
    load_parameters(restorer, _widened(tensors, restorer), origin=str(path))


def _merged(initial: str, restorer: Restorer) -> dict[str, Tensor]:
    """All weights of the prior with LoRA of another adapter merged into them, and its other parameters."""
    other = load_restorer(initial, prior=restorer.prior.name)
    quality = torch.full((1, CELLS, CELLS), _TYPICAL_QUALITY)
    maps = other.maps(quality).mean((-2, -1), keepdim=True).expand(-1, -1, CELLS, CELLS)
    from metalens.restore.adapter.merging import merged_prior

    # The block of data consistency goes on beside what is merged.
    other.config = replace(other.config, consistency="none")
    prior = merged_prior(other, None if other.config.form == "plain" else maps)
    tensors = {f"unet.{name}": value for name, value in prior.unet.state_dict().items()}
    tensors |= {f"vae.{name}": value for name, value in prior.vae.state_dict().items()}
    further = ("optics.", "consistency.")
    return tensors | {name: value for name, value in other.parameters().items() if name.startswith(further)}


def _widened(tensors: dict[str, Tensor], restorer: Restorer) -> dict[str, Tensor]:
    """Parameters with published conditioning, for a restorer that is told more: further inputs begin at 0."""
    wider = dict(tensors)
    for name, parameter in restorer.parameters().items():
        if name.startswith(("optics.", "path_embedding.", "consistency.")) and name not in wider:
            wider[name] = torch.zeros_like(parameter)
        elif name in wider and name in _OF_MAPS and wider[name].shape[1] != parameter.shape[1]:
            # The lens' further channels stand before the last one, which is the quality.
            old = wider[name].unflatten(1, (CHANNELS, -1))
            new = old.new_zeros(len(old), restorer.lens_map.shape[0] + 1, *old.shape[2:])
            new[:, : CHANNELS - 1], new[:, -1] = old[:, :-1], old[:, -1]
            wider[name] = new.reshape(parameter.shape)
    return wider


def loss_settings(initial: str) -> dict[str, Any]:
    """What the paths of an adapter were trained for, if its neutral path is one of fidelity: keys of a recipe.

    Training on with the published targets would make α = 0 a low-pass again, unnoticed. A run that trained one part
    alone left the paths as they were: what counts is the loss of the run before it.
    """
    training = describe_adapter(initial)["training"]
    before = training.get("loss_before")
    config = training.get("config", {}) if before is None else before
    if config.get("neutral") != "fidelity":
        return {}
    return {key: config[key] for key in _OF_THE_LOSS if key in config}


def pairs_trained_on(initial: str) -> list[dict[str, Any]]:
    """The pairs on which an adapter's networks were trained, as its description lists them.

    A run that trained one part alone left the networks as they were: the pairs of the run before it count as well.
    """
    training = describe_adapter(initial)["training"]
    before: list[dict[str, Any]] = training.get("pairs_before", [])
    return before + [pairs for pairs in training.get("pairs", []) if pairs not in before]


def adapter_config(initial: str) -> AdapterConfig:
    """Read size and form of an adapter, for a new adapter that starts from it.

    A block of data consistency is no part of them: it needs large crops and pairs of one lens, and is trained for
    minutes when the networks are. ``consistency = "trained"`` in the recipe keeps it.

    Raises:
        InputError: there is none, or its description is damaged.
    """
    description = describe_adapter(initial)
    try:
        return replace(AdapterConfig(**description["config"]), consistency="none")
    except (KeyError, TypeError) as error:
        raise InputError(f"{initial}: lacks or garbles its config ({error}); copy the adapter again.") from error


def leaves_out_block(initial: str | None, config: AdapterConfig) -> bool:
    """Whether a new adapter lacks the block of data consistency of the adapter that it starts from.

    Args:
        initial: folder or name of the adapter to start from; ``None`` for none.
        config: size and form of the new adapter.

    Returns:
        True where the adapter to start from has a block and the new one has none.

    Raises:
        InputError: there is no such adapter, or its description is damaged.
    """
    if initial is None or config.consistency == "trained":
        return False
    return bool(describe_adapter(initial)["config"]["consistency"] == "trained")


def use_for_lens(restorer: Restorer, bank: PsfBank) -> None:
    """Assign a restorer to another lens, in place; its weights stay.

    Args:
        restorer: prior and adapter.
        bank: point spread functions of the new lens.
    """
    lens = LensMaps([bank], restorer.config.conditioning).of_bank(bank)
    restorer.camera, restorer.lens_map, restorer.bank = bank.camera, lens.values, lens.bank


def transfer_adapter(
    initial: str, bank: PsfBank, output: Path, *, prior: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """Write an adapter of other lenses for a lens on which it was not trained.

    The weights are unchanged; SVDA takes the FWHM map of the new lens. This is useful if the adapter was trained on an
    ensemble of lenses with similar properties.

    Args:
        initial: the adapter.
        bank: the new lens.
        output: a new folder.
        prior: where the adapter's prior is, if not where it was on training.

    Returns:
        The training record of the new adapter.

    Raises:
        InputError: the adapter cannot be used, or the output exists.
    """
    from metalens.restore.adapter.model_card import write_transfer_card  # jinja2: 0.1 s, which restoring does not need

    restorer = adapter_for(initial, bank, prior=prior)
    with atomic_directory(output) as folder:
        save_adapter(folder, restorer)
        write_transfer_card(folder, restorer)
    return restorer.training


def adapter_for(initial: str, bank: PsfBank, *, prior: str | os.PathLike[str] | None = None) -> Restorer:
    """The adapter of other lenses, told a lens that it was not trained on.

    Args:
        initial: the adapter: its folder, or the name of an embedded one.
        bank: point spread functions of the new lens.
        prior: the latent diffusion model; None is the adapter's own.

    Returns:
        Prior and adapter with the new lens's camera and degradation map; no weight is trained.
    """
    restorer = load_restorer(initial, prior=prior)
    before = restorer.camera
    use_for_lens(restorer, bank)
    restorer.training = {
        "steps": 0,
        "transferred_from": {"adapter": initial, "name": before.name, "lens_hash": before.hash},
        "trained": restorer.training,
    }
    return restorer
