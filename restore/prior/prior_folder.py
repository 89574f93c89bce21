"""Priors as files: folders in the layout of diffusers, and the embedded one.

A prior is a folder (or hub id) with ``vae/``, ``unet/``, ``scheduler/`` and either ``prompts.safetensors`` (a prompt
bank, ``[token, feature]`` each for positive, neutral, negative) or ``tokenizer/`` and ``text_encoder/``, which embed
the three prompts once and are then released. ``embedded`` names the small prior that comes with the package. Channels,
strides, the prediction type and the noise schedule are read from the config files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from importlib import resources
from inspect import signature
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import is_folder
from metalens.restore.prior.configuration import (
    AutoencoderConfiguration,
    Configuration,
    DenoiserConfiguration,
    ScheduleConfiguration,
    check_configuration,
)
from metalens.restore.prior.networks import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from metalens.restore.prior.prior import PATHS, PROMPTS, Prior, clean_from_prediction
from metalens.restore.prior.text_prompts import embed_texts, read_prompt_bank, variant_of

HUB_SECONDS = 5.0
"""How long the model hub may take to say that it is there."""


def load_prior(source: str | os.PathLike[str] = "embedded", *, prompts: dict[str, Tensor] | None = None) -> Prior:
    """Load a prior from ``embedded``, a diffusers folder, or a hub id such as ``stabilityai/sd-turbo``.

    Only safetensors weights are read; nothing is unpickled.

    Args:
        source: ``embedded``, a folder or a hub id.
        prompts: path → ``[token, feature]``; with them neither tokenizer nor text encoder has to be there.

    Returns:
        The prior on the CPU, with a prompt embedding for each path.

    Raises:
        InputError: the prior is not there, incomplete, damaged or of another kind; for a hub id without a network the
            message says what to download and where to put it.
    """
    name, folder = os.fspath(source), place_of_prior(source)
    location = str(folder) if is_folder(folder) else _hub_location(name)
    bank = folder / "prompts.safetensors"
    try:
        vae = _load_module(AutoencoderKL, location, "vae")
        unet = _load_module(UNet2DConditionModel, location, "unet")
        schedule = DDPMScheduler.load_config(location, subfolder="scheduler")
        check_configuration(ScheduleConfiguration, schedule, origin=f"{location}/scheduler")
        scheduler = _scheduler(schedule)
        if prompts is None and not bank.is_file():
            embedded = embed_texts(location, [PROMPTS[path] for path in PATHS])
            prompts = dict(zip(PATHS, embedded, strict=True))
    except InputError:
        raise
    except Exception as error:  # diffusers and transformers raise many kinds for a missing or damaged file
        raise InputError(_loading_problem(name, folder, error)) from error
    if bank.is_file():
        prompts = read_prompt_bank(bank, PATHS)
    assert prompts is not None
    prior = Prior(
        name=name,
        vae=vae,
        unet=unet,
        alpha_cumprod=scheduler.alphas_cumprod.float(),
        prediction_type=scheduler.config.prediction_type,
        prompts=prompts,
        identity=_identity(vae, unet, prompts),
        own_prompts=bank.is_file(),
    )
    _check_consistency(prior)
    return prior


def _scheduler(configuration: Mapping[str, Any]) -> DDPMScheduler:
    """As ``DDPMScheduler.from_config``, which imports all schedulers to know the keys of the others."""
    left = configuration.get("_use_default_values", ())
    known = [key for key in signature(DDPMScheduler).parameters if key in configuration and key not in left]
    return DDPMScheduler(**{key: configuration[key] for key in known})


def place_of_prior(source: str | os.PathLike[str]) -> Path:
    """The folder of a prior; a hub id has none, and its path does not exist.

    Args:
        source: ``embedded``, a folder or a hub id.

    Raises:
        InputError: it is none of them.
    """
    name = os.fspath(source)
    folder = embedded_prior_folder() if name == "embedded" else Path(name)
    if not is_folder(folder) and (name.startswith((".", "/")) or name.count("/") != 1):
        raise InputError(
            f"{name}: no such prior; give 'embedded', a folder with vae/, unet/ and scheduler/, or a hub id."
        )
    return folder


def embedded_prior_folder() -> Path:
    """The folder of the prior that comes with the package."""
    return Path(str(resources.files("metalens.restore") / "weights" / "prior"))


def save_prior(prior: Prior, folder: Path, scheduler: DDPMScheduler) -> None:
    """Write a prior as a diffusers folder with a prompt bank, in half precision.

    Args:
        prior: autoencoder, U-Net and prompts.
        folder: output folder.
        scheduler: its configuration holds the noise schedule and the kind of prediction.
    """
    for module, part in ((prior.vae, "vae"), (prior.unet, "unet")):
        module.half().save_pretrained(folder / part, safe_serialization=True)
        module.float()
    scheduler.save_pretrained(folder / "scheduler")
    bank = {path: embedding.detach().half().contiguous() for path, embedding in prior.prompts.items()}
    safetensors.torch.save_file(bank, folder / "prompts.safetensors")


_CONFIGURATIONS: dict[str, type[Configuration]] = {"vae": AutoencoderConfiguration, "unet": DenoiserConfiguration}


def _load_module(kind: type[Any], location: str, part: str) -> Any:
    """Load one network in float32; every weight must be in its file: diffusers would draw missing ones at random."""
    configuration = kind.load_config(location, subfolder=part)
    found = configuration.get("_class_name", kind.__name__)
    if found != kind.__name__:
        raise InputError(f"{location}/{part}: holds a {found}, expected {kind.__name__}; give another prior.")
    check_configuration(_CONFIGURATIONS[part], configuration, origin=f"{location}/{part}")
    variant = variant_of(Path(location) / part, "diffusion_pytorch_model")
    module, info = kind.from_pretrained(
        location, subfolder=part, use_safetensors=True, output_loading_info=True, **variant
    )
    if info["missing_keys"] or info["mismatched_keys"]:
        first = sorted(str(key) for key in (*info["missing_keys"], *info["mismatched_keys"]))[0]
        raise InputError(f"{location}/{part}: its weights lack {first}; copy or download the folder again.")
    module.float().eval().requires_grad_(False)
    for name, value in module.named_parameters():
        if not torch.isfinite(value).all():
            raise InputError(f"{location}/{part}: {name} holds NaN or infinity; copy or download the folder again.")
    return module


def _identity(vae: AutoencoderKL, unet: UNet2DConditionModel, prompts: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for part in (vae.state_dict(), unet.state_dict(), prompts):
        for key in sorted(part):
            digest.update(key.encode())
            digest.update(part[key].detach().half().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _check_consistency(prior: Prior) -> None:
    config = prior.unet.config
    latent = prior.vae.config.latent_channels
    if config.in_channels != latent or config.out_channels != latent:
        raise InputError(
            f"{prior.name}: the autoencoder has {latent} latent channels, the U-Net takes "
            f"{config.in_channels} and gives {config.out_channels}; they must agree."
        )
    if config.get("addition_embed_type") or config.get("class_embed_type"):
        raise InputError(
            f"{prior.name}: the U-Net wants more than a prompt (addition_embed_type "
            f"{config.get('addition_embed_type')}, class_embed_type {config.get('class_embed_type')}), as those of "
            "SDXL do; give a prior of the kind of stabilityai/sd-turbo."
        )
    width = prior.prompts["positive"].shape[-1]
    if width != config.cross_attention_dim:
        raise InputError(
            f"{prior.name}: prompts have {width} features, the U-Net's cross attention takes "
            f"{config.cross_attention_dim}; they must agree."
        )
    one = torch.ones(1)
    clean_from_prediction(one, one, one, prior.prediction_type)
    if prior.prediction_type == "epsilon" and prior.alpha_cumprod[-1] <= 0:
        raise InputError(
            f"{prior.name}: predicts epsilon, and its schedule ends in pure noise (rescale_betas_zero_snr), where one "
            "step says nothing about the picture; give a prior that predicts v or the sample."
        )


def _hub_location(name: str) -> str:
    """What a hub id is loaded from: the hub, or the copy of an earlier time where it does not answer.

    Asked once and shortly: a machine without a network says so at once.
    """
    from huggingface_hub import HfApi, constants, try_to_load_from_cache

    kept = None
    try:
        kept = try_to_load_from_cache(name, "unet/config.json")
        if constants.HF_HUB_OFFLINE:
            raise ConnectionError("HF_HUB_OFFLINE is set, and no copy of it is kept")
        HfApi().model_info(name, timeout=HUB_SECONDS)
    except Exception as error:  # of the hub's package and of what it speaks HTTP with
        if isinstance(kept, str):
            return str(Path(kept).parents[1])
        raise InputError(_loading_problem(name, Path(name), error)) from error
    return name


def _loading_problem(name: str, folder: Path, error: Exception) -> str:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if folder.is_dir():
        return f"{name}: not a complete prior ({first_line}); expected vae/, unet/, scheduler/ with safetensors."
    from huggingface_hub.constants import HF_HUB_CACHE

    return (
        f"{name}: could not be fetched from the model hub ({first_line}); on a machine with a network download its "
        "folders vae/, unet/, scheduler/, tokenizer/ and text_encoder/ (configs and safetensors), such as with "
        f"`hf download {name} --local-dir FOLDER`, and give --prior FOLDER; or copy that machine's cache to "
        f"{HF_HUB_CACHE}."
    )
