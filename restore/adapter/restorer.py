"""The restorer: a prior with LoRA layers whose Q depends on the degradation map. Forward, save, load."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass as settings
from torch import Tensor, nn

from metalens.formats.camera.camera import Camera, dump_camera, parse_camera
from metalens.formats.files.atomic import atomic_file, write_text
from metalens.formats.files.errors import InputError
from metalens.formats.files.json_file import read_record
from metalens.formats.files.record import STRICT, told_as_input_error
from metalens.restore.adapter.description import SCHEMA, VERSION, AdapterDescription
from metalens.restore.adapter.lora import LoraLayers
from metalens.restore.adapter.skips import EncoderSkips
from metalens.restore.adapter.svda import DegradationAttention, Form
from metalens.restore.conditioning.degradation_map import CELLS, WHOLE, Region
from metalens.restore.prior.prior import PATHS, Prior, load_prior
from metalens.restore.prior.text_prompts import read_prompt_bank


@told_as_input_error("adapter")
@settings(frozen=True, config=STRICT)
class AdapterConfig:
    """Size and form of an adapter.

    Attributes:
        unet_rank: LoRA rank in the U-Net.
        encoder_rank: LoRA rank in the autoencoder's encoder.
        form: form of Q: ``local``, ``global``, or ``plain`` (LoRA without Q).
        bases: K, basis matrices per block (local form).
        fwhm: whether Q depends on the FWHM map; otherwise S_f is set to 0.
        skips: whether the decoder takes the encoder's features (:mod:`metalens.restore.adapter.skips`).
    """

    unet_rank: Annotated[int, Field(ge=1, le=1024)] = 16
    encoder_rank: Annotated[int, Field(ge=1, le=1024)] = 8
    form: Form = "local"
    bases: Annotated[int, Field(ge=1, le=64)] = 3
    fwhm: bool = True
    skips: bool = False


@dataclass
class Restorer:
    """A prior and an adapter.

    Attributes:
        prior: the latent diffusion model, with LoRA injected.
        config: size and form of the adapter.
        camera: the adapter's camera.
        fwhm_map: ``[3, n, n]`` of that camera (S_f), in 0..1.
        quality_metric: metric of S_i in training, also used for captures.
        training: record of the training, for the model card.
    """

    prior: Prior
    config: AdapterConfig
    camera: Camera
    fwhm_map: np.ndarray
    quality_metric: str
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.layers = LoraLayers(self.prior, unet_rank=self.config.unet_rank, encoder_rank=self.config.encoder_rank)
        self.attention = DegradationAttention(
            self.layers.ranks, form=self.config.form, bases=self.config.bases, fwhm=self.config.fwhm
        )
        self.skips = EncoderSkips(self.prior.vae) if self.config.skips else None
        self._identity = ""

    @property
    def identity(self) -> str:
        """SHA-256 of the adapter's parameters in half precision, as stored in its file."""
        if self._identity:
            return self._identity
        digest = hashlib.sha256()
        for name, parameter in self.parameters().items():
            digest.update(name.encode())
            digest.update(parameter.detach().half().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def parameters(self) -> dict[str, nn.Parameter]:
        """All trainable parameters by name, in a fixed order."""
        found = self.layers.parameters()
        found |= {f"svda.{name}": parameter for name, parameter in self.attention.named_parameters()}
        if self.skips is not None:
            found |= {f"skips.{name}": parameter for name, parameter in self.skips.named_parameters()}
        return dict(sorted(found.items()))

    def maps(self, quality: Tensor, fwhm_map: np.ndarray | None = None) -> Tensor:
        """Build degradation maps from quality maps and an FWHM map.

        Args:
            quality: ``[batch, n, n]`` quality maps in 0..1, 1 being worst.
            fwhm_map: ``[3, n, n]`` in 0..1; by default that of the adapter's camera.

        Returns:
            ``[batch, 4, n, n]``.
        """
        fwhm = torch.from_numpy(np.asarray(self.fwhm_map if fwhm_map is None else fwhm_map)).to(quality)
        return torch.cat([fwhm.expand(len(quality), -1, -1, -1), quality[:, None]], dim=1)

    @contextmanager
    def conditioned(self, maps: Tensor, aspect: float, regions: Sequence[Region] = WHOLE) -> Iterator[None]:
        """Apply the Q of degradation maps inside the block.

        Args:
            maps: ``[batch, 4, n, n]`` degradation maps.
            aspect: height / width of the pictures.
            regions: which part of its frame each picture shows; one for all, or one each.
        """
        with self.layers.conditioned(self.attention(maps), aspect, regions):
            yield

    def encode(self, pictures: Tensor, maps: Tensor, regions: Sequence[Region] = WHOLE) -> Tensor:
        """Latents ``[batch, …]`` of pictures ``[batch, 3, y, x]`` in 0..1, by the adapted encoder.

        Args:
            pictures: to encode.
            maps: ``[batch, 4, n, n]`` degradation maps of the frames.
            regions: which part of its frame each picture is; one for all, or one each.
        """
        with self.conditioned(maps, pictures.shape[-2] / pictures.shape[-1], regions):
            return self.prior.encode(pictures)

    def step(
        self,
        latents: Tensor,
        maps: Tensor,
        paths: list[str],
        regions: Sequence[Region] = WHOLE,
        timestep: int | None = None,
    ) -> Tensor:
        """One diffusion step: predict the clean latents.

        ``regions`` as in :meth:`encode`; ``timestep`` is that of the latents, by default the last one.

        Args:
            latents: ``[batch, channel, y, x]``.
            maps: ``[batch, 4, n, n]`` degradation maps of the frames.
            paths: prompt path of each sample of the batch.
            regions: which part of its frame each picture shows; one for all, or one each.
            timestep: timestep of the latents, by default the last one.

        Returns:
            x̂₀ of the latents' shape, float32.
        """
        if not len(latents) == len(maps) == len(paths):
            raise ValueError(f"{len(latents)} latents, {len(maps)} maps and {len(paths)} paths must be equally many")
        with self.conditioned(maps, latents.shape[-2] / latents.shape[-1], regions):
            return self.prior.predict_clean(latents, self.prior.prompt(paths), timestep)

    def forward(self, pictures: Tensor, maps: Tensor, paths: list[str]) -> Tensor:
        """Encode, one diffusion step, decode.

        Args:
            pictures: ``[batch, 3, y, x]`` in 0..1, sides multiples of the prior's ``size_multiple``.
            maps: ``[batch, 4, n, n]`` degradation maps.
            paths: prompt path of each picture.

        Returns:
            ``[batch, 3, y, x]``, nominally in 0..1, not clipped.
        """
        predicted = self.prior.decode(self.step(self.encode(pictures, maps), maps, paths))
        if self.skips is not None:
            self.skips.forget()
        return predicted

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Restorer:
        """Move to a device, in place.

        Args:
            device: target device.
            dtype: new type of the prior's networks and their LoRA layers, if it is to change.

        Returns:
            The restorer itself.
        """
        if dtype is not None and not self._identity:
            # Rounding to another type changes the parameters, but the identity stays that of the original ones.
            self._identity = self.identity
        self.prior.to(device, dtype)
        self.attention.to(device)
        if self.skips is not None:
            self.skips.to(device)
        return self


def blend(positive: Tensor, neutral: Tensor, alpha: float | Tensor) -> Tensor:
    """Blend the paths: α z_pos + (1 − α) z_neu (DMDiff Eq. 6).

    Args:
        positive: ``[batch, channel, y, x]`` latents of the positive path.
        neutral: latents of the neutral path, of the same shape.
        alpha: a number, or a map that broadcasts to the latents; above 1 it extrapolates.

    Returns:
        Latents of the same shape.
    """
    return alpha * positive + (1 - alpha) * neutral


def save_adapter(folder: Path, restorer: Restorer) -> None:
    """Write ``adapter.safetensors`` (half precision) and ``adapter.json`` into a folder; the JSON comes last.

    Where a text encoder embedded the prompts, ``prompts.safetensors`` keeps them.

    Args:
        folder: an existing folder.
        restorer: prior and adapter.

    Raises:
        InputError: the disk refuses the write; neither file is left half-written.
    """
    tensors = {name: value.detach().half().contiguous().cpu() for name, value in restorer.parameters().items()}
    tensors["fwhm_map"] = torch.from_numpy(np.ascontiguousarray(restorer.fwhm_map)).half()
    with atomic_file(folder / "adapter.safetensors") as part:
        safetensors.torch.save_file(tensors, part)
    if not restorer.prior.own_prompts:
        # With stored embeddings the adapter needs no text encoder later.
        prompts = {path: value.detach().float().contiguous().cpu() for path, value in restorer.prior.prompts.items()}
        with atomic_file(folder / "prompts.safetensors") as part:
            safetensors.torch.save_file(prompts, part)
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
    kept = folder / "prompts.safetensors"
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
        fwhm_map=np.zeros((3, CELLS, CELLS), np.float32),
        quality_metric=quality_metric,
        training=description["training"],
    )
    path = folder / "adapter.safetensors"
    shapes = {name: tuple(parameter.shape) for name, parameter in restorer.parameters().items()}
    tensors = read_tensors(path, expected=shapes | {"fwhm_map": (3, CELLS, CELLS)})
    fwhm_map = tensors.pop("fwhm_map").float()
    if not torch.isfinite(fwhm_map).all():
        raise InputError(f"{path}: fwhm_map holds NaN or infinity; copy or train the adapter again.")
    restorer.fwhm_map = fwhm_map.numpy()
    load_parameters(restorer, tensors, origin=str(path))
    return restorer


def read_tensors(path: Path, *, expected: Mapping[str, tuple[int, ...]] | None = None) -> dict[str, Tensor]:
    """Read a safetensors file.

    Args:
        path: the file.
        expected: name → shape of the required tensors, checked in the header before any data is read.

    Raises:
        InputError: the file is missing, truncated, not safetensors, or holds other tensors than expected.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; copy it again.")
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
