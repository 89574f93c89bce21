"""Adapters as files: ``adapter.safetensors``, ``adapter.json`` and the embedded ones."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from metalens.formats.camera.camera import dump_camera, parse_camera
from metalens.formats.files.atomic import atomic_file, write_text
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file, is_file, is_folder
from metalens.formats.files.json_file import read_record
from metalens.formats.hub.address import is_hub_address
from metalens.formats.hub.kept import local_folder
from metalens.formats.psf.bank_file import read_psf_bank, write_psf_bank
from metalens.restore.adapter.description import SCHEMA, VERSION, AdapterDescription
from metalens.restore.adapter.restorer import AdapterConfig, Restorer
from metalens.restore.conditioning.degradation_map import CELLS, lens_channels
from metalens.restore.conditioning.lens_maps import slim
from metalens.restore.prior.prior import PATHS
from metalens.restore.prior.prior_folder import load_prior
from metalens.restore.prior.text_prompts import read_prompt_bank

FUNCTIONS = "psf.h5"

WEIGHTS, PROMPTS = "adapter.safetensors", "prompts.safetensors"
BEFORE_DESCRIPTION = (WEIGHTS, PROMPTS, FUNCTIONS)
"""Files of an adapter that are written before its ``adapter.json``, and are of no use without it."""

LARGEST_WEIGHTS = 2**36
"""Bytes of a safetensors file; its header says what is read of it."""


def save_adapter(folder: Path, restorer: Restorer) -> None:
    """Write ``adapter.safetensors`` (half precision) and ``adapter.json`` into a folder; the JSON comes last.

    Where a text encoder embedded the prompts, ``prompts.safetensors`` keeps them. An adapter conditioned by optics has
    its camera's ``psf.h5`` beside it.

    Args:
        folder: an existing folder.
        restorer: prior and adapter.

    Raises:
        InputError: the disk refuses the write; neither file is left half-written.
    """
    tensors = {name: value.detach().half().contiguous().cpu() for name, value in restorer.parameters().items()}
    # The name of its first three channels, from when there were no others.
    tensors["fwhm_map"] = torch.from_numpy(np.ascontiguousarray(restorer.lens_map)).half()
    with atomic_file(folder / WEIGHTS) as part:
        safetensors.torch.save_file(tensors, part)
    if not restorer.prior.own_prompts:
        # With stored embeddings the adapter needs no text encoder later.
        prompts = {path: value.detach().float().contiguous().cpu() for path, value in restorer.prior.prompts.items()}
        with atomic_file(folder / PROMPTS) as part:
            safetensors.torch.save_file(prompts, part)
    if restorer.config.conditioning == "optics":
        if restorer.bank is None:
            raise InputError("an adapter conditioned by optics cannot be saved without its point spread functions.")
        write_psf_bank(folder / FUNCTIONS, slim(restorer.bank))
    description = {
        "schema": SCHEMA,
        "version": VERSION,
        "config": asdict(restorer.config),
        "prior": {"name": restorer.prior.name, "identity": restorer.prior.identity},
        "lens_hash": restorer.camera.hash,
        "lens_toml": dump_camera(restorer.camera),
        "quality_metric": restorer.quality_metric,
        "training": restorer.training,
    }
    write_text(folder / "adapter.json", json.dumps(description, indent=1) + "\n")


def adapter_folder(source: str | os.PathLike[str]) -> Path:
    """The folder of an adapter.

    Args:
        source: a path, the name of one that comes with the package (``metacamera``), or ``hf:user/name[@revision]``,
            which is pulled into the cache folder.

    Raises:
        InputError: the hub has no such adapter.
    """
    if is_hub_address(source):
        return local_folder(source, "adapter")
    embedded = _embedded_folder() / os.fspath(source)
    folder = Path(source)
    if not is_folder(folder) and is_folder(embedded):
        return embedded
    return folder


def embedded_adapters() -> list[str]:
    """Names of the adapters that come with the package, sorted."""
    return sorted(path.name for path in _embedded_folder().iterdir() if path.is_dir())


def _embedded_folder() -> Path:
    return Path(str(resources.files("metalens.restore") / "weights" / "adapters"))


def describe_adapter(source: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and check ``adapter.json``.

    Raises:
        InputError: there is no adapter, training has not finished, or it is of another schema or version.
    """
    folder = adapter_folder(source)
    path = folder / "adapter.json"
    if not is_file(path):
        unfinished = (folder / "checkpoint.safetensors").is_file()
        hint = "its training has not finished; run metalens train with --resume" if unfinished else "no adapter.json"
        raise InputError(f"{folder}: is not an adapter ({hint}); give a folder that metalens train wrote.")
    record = read_record(path, AdapterDescription, "adapter", "copy the adapter again")
    description = record.model_dump(by_alias=True)
    try:
        # An older adapter lacks newer settings: these have their defaults.
        description["config"] = asdict(AdapterConfig(**description["config"]))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return description


def load_restorer(source: str | os.PathLike[str], *, prior: str | os.PathLike[str] | None = None) -> Restorer:
    """Load an adapter together with its prior.

    Args:
        source: an adapter's folder, or the name of an embedded one.
        prior: where its prior is, if not where it was on training.

    Returns:
        The restorer, on the CPU in float32; ``restorer.to("cuda")`` moves it. :func:`metalens.restore` takes it.

    Raises:
        InputError: the adapter is missing, damaged, or made for another prior.

    Example:
        >>> restorer = load_restorer("metacamera")
        >>> restorer.camera.name, restorer.camera.sensor.pixels
        ('metacamera', (400, 400))
    """
    folder = adapter_folder(source)
    description = describe_adapter(folder)
    config = AdapterConfig(**description["config"])
    camera = parse_camera(description["lens_toml"], origin=f"{folder}/adapter.json: its lens_toml")
    recorded, quality_metric = description["prior"], description["quality_metric"]
    kept = folder / PROMPTS
    prompts = read_prompt_bank(kept, PATHS) if kept.is_file() else None
    loaded_prior = load_prior(prior if prior is not None else recorded["name"], prompts=prompts)
    if loaded_prior.identity != recorded["identity"]:
        raise InputError(
            f"{folder}: was trained on prior {recorded['name']} ({recorded['identity'][:12]}), found "
            f"{loaded_prior.name} ({loaded_prior.identity[:12]}); give its own prior with --prior."
        )
    restorer = Restorer(
        prior=loaded_prior,
        config=config,
        camera=camera,
        lens_map=np.zeros((lens_channels(config.conditioning), CELLS, CELLS), np.float32),
        quality_metric=quality_metric,
        training=description["training"],
        bank=read_psf_bank(folder / FUNCTIONS) if config.conditioning == "optics" else None,
    )
    if restorer.bank is not None and (found := restorer.bank.camera).hash != camera.hash:
        raise InputError(
            f"{folder / FUNCTIONS}: is of camera {found.name!r} ({found.hash[:12]}…), the "
            f"adapter of {camera.name!r} ({camera.hash[:12]}…); copy the adapter again."
        )
    path = folder / WEIGHTS
    shapes = {name: tuple(parameter.shape) for name, parameter in restorer.parameters().items()}
    tensors = read_tensors(path, expected=shapes | {"fwhm_map": restorer.lens_map.shape})
    lens_map = tensors.pop("fwhm_map").float()
    if not torch.isfinite(lens_map).all():
        raise InputError(f"{path}: fwhm_map holds NaN or infinity; copy or train the adapter again.")
    restorer.lens_map = lens_map.numpy()
    load_parameters(restorer, tensors, origin=str(path))
    return restorer


def read_tensors(path: Path, *, expected: Mapping[str, tuple[int, ...]] | None = None) -> dict[str, Tensor]:
    """Read a safetensors file.

    Args:
        path: the file.
        expected: name → shape of the required tensors, checked in the header before any data is read.

    Returns:
        Name → tensor on the CPU, a copy of the file's data.

    Raises:
        InputError: the file is missing, truncated, not safetensors, or holds other tensors than expected.
    """
    input_file(path, "safetensors file", largest=LARGEST_WEIGHTS, missing="no such file; copy it again.")
    try:
        if expected is not None:
            with safetensors.safe_open(path, framework="pt") as file:
                shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            require_tensors(shapes, expected, origin=str(path))
        # Copy: a memory-mapped tensor becomes invalid if the file is overwritten.
        return {name: value.clone() for name, value in safetensors.torch.load_file(path).items()}
    except InputError:
        raise
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: damaged or no safetensors file ({error}); copy it again.") from error


def require_tensors(
    shapes: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], *, origin: str
) -> None:
    """Check names and shapes of tensors.

    Args:
        shapes: name → shape, as found.
        expected: name → shape, as required.
        origin: file or other source, for the error.

    Raises:
        InputError: one is missing, unknown or of another shape.
    """
    if set(shapes) != set(expected):
        odd = sorted(set(shapes) ^ set(expected))[0]
        raise InputError(f"{origin}: its tensors are not those that belong there (first difference: {odd}).")
    for name, shape in sorted(shapes.items()):
        if shape != expected[name]:
            raise InputError(f"{origin}: {name} has shape {shape}, expected {expected[name]}.")


def load_parameters(restorer: Restorer, tensors: dict[str, Tensor], *, origin: str) -> None:
    """Replace the parameters of a restorer; names and shapes must match exactly.

    Args:
        restorer: takes the parameters, in place.
        tensors: name → parameter.
        origin: file or other source, for the error.

    Raises:
        InputError: a parameter is missing, unknown, of another shape or not finite.
    """
    parameters = restorer.parameters()
    require_tensors(
        {name: tuple(value.shape) for name, value in tensors.items()},
        {name: tuple(parameter.shape) for name, parameter in parameters.items()},
        origin=origin,
    )
    for name, parameter in parameters.items():
        value = tensors[name]
        if not torch.isfinite(value).all():
            raise InputError(f"{origin}: {name} holds NaN or infinity; copy or train the adapter again.")
        with torch.no_grad():
            parameter.copy_(value)
