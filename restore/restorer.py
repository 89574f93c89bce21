"""The restorer: a prior with LoRA layers whose Q follows the degradation map. Forward, save, load."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from metalens.formats.atomic import atomic_file
from metalens.formats.camera import Camera, dump_camera, parse_camera
from metalens.formats.errors import InputError
from metalens.restore.degradation_map import CELLS
from metalens.restore.lora import LoraLayers
from metalens.restore.prior import Prior, load_prior
from metalens.restore.svda import DegradationAttention, Form

SCHEMA = "metalens.adapter"
VERSION = 1


@dataclass(frozen=True)
class AdapterConfig:
    """Size and form of an adapter."""

    unet_rank: int = 16
    encoder_rank: int = 8
    form: Form = "local"
    bases: int = 3


@dataclass
class Restorer:
    """A prior and an adapter.

    Attributes:
        prior: the latent diffusion model, with LoRA injected.
        config: size and form of the adapter.
        camera: the camera that the adapter was trained for.
        fwhm_map: ``[3, n, n]`` of that camera (S_f), in 0..1.
        quality_metric: what S_i was measured with; captures are measured with the same.
        training: how it was trained, for the model card.
    """

    prior: Prior
    config: AdapterConfig
    camera: Camera
    fwhm_map: np.ndarray
    quality_metric: str
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.layers = LoraLayers(self.prior, unet_rank=self.config.unet_rank, encoder_rank=self.config.encoder_rank)
        self.attention = DegradationAttention(self.layers.ranks, form=self.config.form, bases=self.config.bases)

    def parameters(self) -> dict[str, nn.Parameter]:
        """Everything that training changes, by name, in a fixed order."""
        svda = {f"svda.{name}": parameter for name, parameter in self.attention.named_parameters()}
        return dict(sorted((self.layers.parameters() | svda).items()))

    def maps(self, quality: Tensor, fwhm_map: np.ndarray | None = None) -> Tensor:
        """Degradation maps ``[batch, 4, n, n]`` from quality maps ``[batch, n, n]`` and the camera's FWHM map."""
        fwhm = torch.from_numpy(np.asarray(self.fwhm_map if fwhm_map is None else fwhm_map)).to(quality)
        return torch.cat([fwhm.expand(len(quality), -1, -1, -1), quality[:, None]], dim=1)

    @contextmanager
    def conditioned(self, maps: Tensor, aspect: float) -> Iterator[None]:
        """Apply the Q of these degradation maps inside the block; one map a picture of the batch."""
        with self.layers.conditioned(self.attention(maps), aspect):
            yield

    def encode(self, pictures: Tensor, maps: Tensor) -> Tensor:
        """Latents ``[batch, …]`` of pictures ``[batch, 3, y, x]`` in 0..1, by the adapted encoder."""
        with self.conditioned(maps, pictures.shape[-2] / pictures.shape[-1]):
            return self.prior.encode(pictures)

    def step(self, latents: Tensor, maps: Tensor, paths: list[str]) -> Tensor:
        """One step: predicted clean latents of each path of the batch (``len(paths) == len(latents)``)."""
        if not len(latents) == len(maps) == len(paths):
            raise ValueError(f"{len(latents)} latents, {len(maps)} maps and {len(paths)} paths must be equally many")
        with self.conditioned(maps, latents.shape[-2] / latents.shape[-1]):
            return self.prior.predict_clean(latents, self.prior.prompt(paths))

    def forward(self, pictures: Tensor, maps: Tensor, paths: list[str]) -> Tensor:
        """Encode, one step and decode; pictures measure multiples of the prior's ``size_multiple``."""
        return self.prior.decode(self.step(self.encode(pictures, maps), maps, paths))

    def to(self, device: torch.device | str) -> Restorer:
        """Move to a device, in place."""
        self.prior.to(device)
        self.attention.to(device)
        return self


def blend(positive: Tensor, neutral: Tensor, alpha: float | Tensor) -> Tensor:
    """α z_pos + (1 − α) z_neu (DMDiff Eq. 6); α beyond 1 extrapolates."""
    return alpha * positive + (1 - alpha) * neutral


def save_adapter(folder: Path, restorer: Restorer) -> None:
    """Write ``adapter.safetensors`` (half precision) and ``adapter.json`` into a folder; the JSON comes last.

    Raises:
        InputError: the disk refuses the write; neither file is left half-written.
    """
    tensors = {name: value.detach().half().contiguous().cpu() for name, value in restorer.parameters().items()}
    tensors["fwhm_map"] = torch.from_numpy(np.ascontiguousarray(restorer.fwhm_map)).half()
    with atomic_file(folder / "adapter.safetensors") as part:
        safetensors.torch.save_file(tensors, part)
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
    with atomic_file(folder / "adapter.json") as part:
        part.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def adapter_folder(source: str | os.PathLike[str]) -> Path:
    """The folder of an adapter: a path, or the name of one that comes with the package (``metacamera``)."""
    embedded = Path(str(resources.files("metalens.restore") / "weights" / "adapters")) / os.fspath(source)
    folder = Path(source)
    if not folder.is_dir() and embedded.is_dir():
        return embedded
    return folder


def describe_adapter(source: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and check ``adapter.json``.

    Raises:
        InputError: there is no adapter, training has not finished, or it is of another schema or version.
    """
    folder = adapter_folder(source)
    path = folder / "adapter.json"
    if not path.is_file():
        unfinished = (folder / "checkpoint.safetensors").is_file()
        hint = "its training has not finished; run metalens train with --resume" if unfinished else "no adapter.json"
        raise InputError(f"{folder}: is not an adapter ({hint}); give a folder that metalens train wrote.")
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        found = description.get("schema"), description.get("version")
    except (ValueError, OSError, AttributeError) as error:
        raise InputError(f"{path}: not readable JSON ({error}); copy the adapter again.") from error
    if found != (SCHEMA, VERSION):
        raise InputError(f"{path}: found {found[0]!r} version {found[1]!r}, expected {SCHEMA} version {VERSION}.")
    return description


def load_restorer(source: str | os.PathLike[str], *, prior: str | os.PathLike[str] | None = None) -> Restorer:
    """Load an adapter together with its prior.

    Args:
        source: an adapter's folder, or the name of an embedded one.
        prior: where its prior is, if not where it was on training.

    Raises:
        InputError: the adapter is missing, damaged, or made for another prior.
    """
    folder = adapter_folder(source)
    description = describe_adapter(folder)
    try:
        config = AdapterConfig(**description["config"])
        camera = parse_camera(description["lens_toml"], origin=f"{folder}/adapter.json: its lens_toml")
        recorded = description["prior"]
        quality_metric = str(description["quality_metric"])
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder}/adapter.json: lacks or garbles {error}; copy the adapter again.") from error
    loaded_prior = load_prior(prior if prior is not None else recorded["name"])
    if loaded_prior.identity != recorded["identity"]:
        raise InputError(
            f"{folder}: was trained on prior {recorded['name']} ({recorded['identity'][:12]}), found "
            f"{loaded_prior.name} ({loaded_prior.identity[:12]}); give its own prior with --prior."
        )
    tensors = read_tensors(folder / "adapter.safetensors")
    fwhm_map = tensors.pop("fwhm_map", None)
    if fwhm_map is None or fwhm_map.shape != (3, CELLS, CELLS):
        raise InputError(f"{folder}/adapter.safetensors: holds no FWHM map of 3 × {CELLS} × {CELLS}.")
    restorer = Restorer(
        prior=loaded_prior,
        config=config,
        camera=camera,
        fwhm_map=fwhm_map.float().numpy(),
        quality_metric=quality_metric,
        training=description.get("training", {}),
    )
    load_parameters(restorer, tensors, origin=f"{folder}/adapter.safetensors")
    return restorer


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        InputError: the file is missing, truncated or not safetensors.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; copy the adapter again.")
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: damaged or no safetensors file ({error}); copy it again.") from error


def load_parameters(restorer: Restorer, tensors: dict[str, Tensor], *, origin: str) -> None:
    """Put tensors in the place of a restorer's parameters; names and shapes must match exactly.

    Raises:
        InputError: a parameter is missing, unknown, of another shape or not finite.
    """
    parameters = restorer.parameters()
    if set(parameters) != set(tensors):
        odd = sorted(set(parameters) ^ set(tensors))[0]
        raise InputError(f"{origin}: its tensors are not those of this adapter (first difference: {odd}).")
    for name, parameter in parameters.items():
        value = tensors[name]
        if value.shape != parameter.shape:
            raise InputError(f"{origin}: {name} has shape {tuple(value.shape)}, expected {tuple(parameter.shape)}.")
        if not torch.isfinite(value).all():
            raise InputError(f"{origin}: {name} holds NaN or infinity; copy or train the adapter again.")
        with torch.no_grad():
            parameter.copy_(value)
