"""The restorer: a prior with LoRA layers whose Q depends on the degradation map."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass as settings
from torch import Tensor, nn

from metalens.formats.camera.camera import Camera
from metalens.formats.files.record import STRICT, told_as_input_error
from metalens.restore.adapter.lora import LoraLayers
from metalens.restore.adapter.skips import EncoderSkips
from metalens.restore.adapter.svda import DegradationAttention, Form
from metalens.restore.conditioning.degradation_map import WHOLE, Region
from metalens.restore.prior.prior import Prior


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
