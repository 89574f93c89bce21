"""Transfer between lenses: start training from another lens' adapter, or use an adapter on a new lens."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

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
from metalens.restore.adapter.model_card import write_transfer_card
from metalens.restore.adapter.restorer import AdapterConfig, Restorer
from metalens.restore.conditioning.lens_maps import LensMaps


def initialise(restorer: Restorer, initial: str) -> None:
    """Load another adapter's weights as the starting point of training; its lens may differ, its prior not.

    Args:
        restorer: takes the weights, in place.
        initial: folder or name of the other adapter.

    Raises:
        InputError: it is of another prior or of other sizes, or its file is damaged.
    """
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


def adapter_config(initial: str) -> AdapterConfig:
    """Read size and form of an adapter, for a new adapter that starts from it.

    Raises:
        InputError: there is none, or its description is damaged.
    """
    description = describe_adapter(initial)
    try:
        return AdapterConfig(**description["config"])
    except (KeyError, TypeError) as error:
        raise InputError(f"{initial}: lacks or garbles its config ({error}); copy the adapter again.") from error


def use_for_lens(restorer: Restorer, bank: PsfBank) -> None:
    """Assign a restorer to another lens, in place; its weights stay.

    Args:
        restorer: prior and adapter.
        bank: point spread functions of the new lens.
    """
    restorer.camera = bank.camera
    restorer.fwhm_map = LensMaps([bank]).of_bank(bank)


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
