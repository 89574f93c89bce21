"""The restorer: a prior with LoRA layers whose Q depends on the degradation map."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass as settings
from torch import Tensor, nn
from torch.nn import functional as F

from metalens.formats.camera.camera import Camera
from metalens.formats.files.errors import InputError
from metalens.formats.files.record import STRICT, told_as_input_error
from metalens.formats.psf.bank import PsfBank
from metalens.restore.adapter.consistency_block import ConsistencyBlock
from metalens.restore.adapter.full_tuning import FullTuning
from metalens.restore.adapter.optics_input import OpticsInput
from metalens.restore.adapter.path_embedding import PathEmbedding
from metalens.restore.adapter.skips import EncoderSkips
from metalens.restore.adapter.svda import DegradationAttention, Form
from metalens.restore.conditioning.degradation_map import WHOLE, Conditioning, Region, lens_channels
from metalens.restore.deconvolution.linear_estimates import ESTIMATE_CHANNELS, LinearEstimates
from metalens.restore.deconvolution.local_blur import LocalBlur
from metalens.restore.deconvolution.most_probable import measured
from metalens.restore.metrics.picture_tensors import as_picture, as_tensor
from metalens.restore.prior.prior import Prior

if TYPE_CHECKING:
    from metalens.restore.adapter.lora import LoraLayers


@told_as_input_error("adapter")
@settings(frozen=True, config=STRICT)
class AdapterConfig:
    """Size and form of an adapter.

    Attributes:
        unet_rank: LoRA rank in the U-Net.
        encoder_rank: LoRA rank in the autoencoder's encoder.
        form: form of Q: ``local``, ``global``, ``mean`` (the local one, averaged), or ``plain`` (LoRA without Q).
        bases: K, basis matrices per block (local form).
        fwhm: whether Q depends on the FWHM map; otherwise S_f is set to 0.
        skips: whether the decoder takes the encoder's features (:mod:`metalens.restore.adapter.skips`).
        conditioning: what the networks are told of the lens: ``published``, its FWHM through Q; ``optics``, also its
            contrast through Q, and linear restorations of the capture as further input channels
            (:mod:`metalens.restore.adapter.optics_input`).
        tuning: what is trained: ``lora``, LoRA with Q as published; ``full``, all weights of the prior, without Q, so
            that ranks and form do not matter.
        path_embedding: whether every block of the U-Net is told its path by the time embedding
            (:mod:`metalens.restore.adapter.path_embedding`), beside the prompt.
        consistency: ``trained``: a block of data consistency follows the decoder and is trained with the networks
            (:mod:`metalens.restore.adapter.consistency_block`); it needs conditioning by optics.
    """

    unet_rank: Annotated[int, Field(ge=1, le=1024)] = 16
    encoder_rank: Annotated[int, Field(ge=1, le=1024)] = 8
    form: Form = "local"
    bases: Annotated[int, Field(ge=1, le=64)] = 3
    fwhm: bool = True
    skips: bool = False
    conditioning: Conditioning = "published"
    tuning: Literal["lora", "full"] = "lora"
    path_embedding: bool = False
    consistency: Literal["none", "trained"] = "none"

    @model_validator(mode="after")
    def _fits_together(self) -> AdapterConfig:
        if self.skips and self.conditioning == "optics":
            raise ValueError("skips are not offered together with conditioning by optics; leave one of them out")
        if self.consistency == "trained" and self.conditioning != "optics":
            raise ValueError("consistency = 'trained' needs the lens' functions: choose conditioning = 'optics'")
        return self


@dataclass
class Restorer:
    """A prior and an adapter.

    Attributes:
        prior: the latent diffusion model, with LoRA injected.
        config: size and form of the adapter.
        camera: the adapter's camera.
        lens_map: ``[3, n, n]`` of that camera (S_f), in 0..1; ``[9, n, n]`` with conditioning by optics.
        quality_metric: metric of S_i in training, also used for captures.
        training: record of the training, for the model card.
        bank: the camera's point spread functions, which conditioning by optics needs.
    """

    prior: Prior
    config: AdapterConfig
    camera: Camera
    lens_map: np.ndarray
    quality_metric: str
    training: dict[str, Any] = field(default_factory=dict)
    bank: PsfBank | None = None

    def __post_init__(self) -> None:
        config = self.config
        self.layers: LoraLayers | FullTuning
        if config.tuning == "full":
            self.layers = FullTuning(self.prior)
        else:
            # peft takes longer to import than all other packages together.
            from metalens.restore.adapter.lora import LoraLayers

            self.layers = LoraLayers(self.prior, unet_rank=config.unet_rank, encoder_rank=config.encoder_rank)
        self.attention = DegradationAttention(
            self.layers.ranks,
            form="plain" if config.tuning == "full" else config.form,
            bases=config.bases,
            fwhm=config.fwhm,
            channels=lens_channels(config.conditioning) + 1,
        )
        self.skips = EncoderSkips(self.prior.vae) if config.skips else None
        self.optics = OpticsInput(self.prior) if config.conditioning == "optics" else None
        self.path_embedding = PathEmbedding(self.prior) if config.path_embedding else None
        self.consistency = ConsistencyBlock() if config.consistency == "trained" else None
        self._estimates: LinearEstimates | None = None
        self._blur: tuple[PsfBank, tuple[Any, ...], LocalBlur] | None = None
        self._identity = ""
        # In the memory order of all later moves, which would otherwise change the last bits of every result.
        self.to(self.prior.device)

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

    def leave_out_consistency(self) -> None:
        """Leave out the block of data consistency, in place: pictures are then those of the networks alone.

        Raises:
            InputError: the adapter has no block.
        """
        if self.consistency is None:
            raise InputError("--without-consistency: the adapter has no block of data consistency; leave it out.")
        self.consistency, self.config = None, replace(self.config, consistency="none")

    def parameters(self) -> dict[str, nn.Parameter]:
        """All trainable parameters by name, in a fixed order."""
        found = self.layers.parameters()
        found |= {f"svda.{name}": parameter for name, parameter in self.attention.named_parameters()}
        if self.skips is not None:
            found |= {f"skips.{name}": parameter for name, parameter in self.skips.named_parameters()}
        if self.optics is not None:
            found |= {f"optics.{name}": parameter for name, parameter in self.optics.named_parameters()}
        if self.path_embedding is not None:
            found |= {f"path_embedding.{name}": each for name, each in self.path_embedding.named_parameters()}
        if self.consistency is not None:
            found |= {f"consistency.{name}": each for name, each in self.consistency.named_parameters()}
        return dict(sorted(found.items()))

    def network_input(self, capture: np.ndarray, place: tuple[int, int] | None = None) -> Tensor:
        """What the encoder takes of a capture: itself, and with conditioning by optics its linear restorations.

        Args:
            capture: ``[y, x, 3]`` uint8, or floats in 0..1.
            place: (row, column) on the sensor of its first pixel; ``None`` for a whole frame.

        Returns:
            ``[1, channel, y, x]`` in 0..1.

        Raises:
            InputError: the capture does not lie on the bank's sensor, or the adapter lacks its functions.
        """
        if self.optics is None:
            return as_tensor(capture)[None]
        if self.bank is None:
            raise InputError("an adapter conditioned by optics needs its camera's point spread functions; give psf.h5.")
        if self._estimates is None or self._estimates.bank is not self.bank:
            self._estimates = LinearEstimates(self.bank, device=self.prior.device)
        return as_tensor(np.concatenate([capture, self._estimates(capture, place)], axis=-1))[None]

    def clean_input(self, pictures: Tensor) -> Tensor:
        """What the encoder takes of clean pictures ``[batch, 3, y, x]``, which have no linear restorations: zeros."""
        if self.optics is None:
            return pictures
        return F.pad(pictures, (0, 0, 0, 0, 0, ESTIMATE_CHANNELS))

    def maps(self, quality: Tensor, lens_map: np.ndarray | None = None) -> Tensor:
        """Build degradation maps from quality maps and a lens map.

        Args:
            quality: ``[batch, n, n]`` quality maps in 0..1, 1 being worst.
            lens_map: ``[3 or 9, n, n]`` in 0..1; by default that of the adapter's camera.

        Returns:
            ``[batch, 4 or 10, n, n]``.
        """
        lens = torch.from_numpy(np.asarray(self.lens_map if lens_map is None else lens_map)).to(quality)
        return torch.cat([lens.expand(len(quality), -1, -1, -1), quality[:, None]], dim=1)

    @contextmanager
    def conditioned(self, maps: Tensor, aspect: float, regions: Sequence[Region] = WHOLE) -> Iterator[None]:
        """Apply the Q of degradation maps inside the block.

        Args:
            maps: ``[batch, 4, n, n]`` degradation maps.
            aspect: height / width of the pictures.
            regions: which part of its frame each picture shows; one for all, or one each.

        Returns:
            A context manager; the former Q applies again after the block.
        """
        with self.layers.conditioned(self.attention(maps), aspect, regions):
            yield

    def encode(self, pictures: Tensor, maps: Tensor, regions: Sequence[Region] = WHOLE) -> Tensor:
        """Latents of pictures by the adapted encoder.

        Args:
            pictures: ``[batch, channel, y, x]`` in 0..1: captures as :meth:`network_input` gives them, or clean
                pictures as :meth:`clean_input` does.
            maps: ``[batch, 4, n, n]`` degradation maps of the frames.
            regions: which part of its frame each picture is; one for all, or one each.

        Returns:
            ``[batch, channel, y, x]``; with conditioning by optics, the estimates at the latents' resolution follow
            the latents.
        """
        with self.conditioned(maps, pictures.shape[-2] / pictures.shape[-1], regions):
            if self.optics is None:
                return self.prior.encode(pictures)
            captured, estimates = pictures[:, :3], pictures[:, 3:]
            with self.optics.given(estimates):
                latents = self.prior.encode(captured)
            return torch.cat([latents, self.optics.at_latents(estimates).to(latents)], dim=1)

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
            latents: ``[batch, channel, y, x]`` as :meth:`encode` gives them.
            maps: ``[batch, 4, n, n]`` degradation maps of the frames.
            paths: prompt path of each sample of the batch.
            regions: which part of its frame each picture shows; one for all, or one each.
            timestep: timestep of the latents, by default the last one.

        Returns:
            ``[batch, channel, y, x]`` x̂₀, float32, without estimates.

        Raises:
            ValueError: latents, maps and paths differ in number.
        """
        if not len(latents) == len(maps) == len(paths):
            raise ValueError(f"{len(latents)} latents, {len(maps)} maps and {len(paths)} paths must be equally many")
        told = nullcontext() if self.path_embedding is None else self.path_embedding.given(paths)
        with told, self.conditioned(maps, latents.shape[-2] / latents.shape[-1], regions):
            prompts = self.prior.prompt(paths)
            if self.optics is None:
                return self.prior.predict_clean(latents, prompts, timestep)
            own = int(self.prior.vae.config.latent_channels)
            with self.optics.given(latents[:, own:]):
                return self.prior.predict_clean(latents[:, :own], prompts, timestep)

    def forward(
        self, pictures: Tensor, maps: Tensor, paths: list[str], places: Sequence[tuple[int, int]] | None = None
    ) -> Tensor:
        """Encode, one diffusion step, decode; and the block of data consistency, on the paths that restore.

        Args:
            pictures: ``[batch, channel, y, x]`` in 0..1 as :meth:`encode` takes them, sides multiples of the prior's
                ``size_multiple``.
            maps: ``[batch, 4, n, n]`` degradation maps.
            paths: prompt path of each picture.
            places: (row, column) on the sensor of each picture's first pixel, which the block needs.

        Returns:
            ``[batch, 3, y, x]``, nominally in 0..1, not clipped.

        Raises:
            ValueError: the adapter has a block, and the places are unknown.
        """
        predicted = self.prior.decode(self.step(self.encode(pictures, maps), maps, paths))
        if self.skips is not None:
            self.skips.forget()
        if self.consistency is None or set(paths) == {"negative"}:
            return predicted
        if places is None or not len(places) == len(paths):
            raise ValueError("data consistency needs the place of each picture")
        # The functions of the lens are no part of the precision that the networks may have.
        with torch.autocast(predicted.device.type, enabled=False):
            found = [
                self.consistent(one, as_picture(capture), place) if path != "negative" else one
                for one, capture, path, place in zip(predicted.float(), pictures[:, :3], paths, places, strict=True)
            ]
        return torch.stack(found)

    def consistent(self, expected: Tensor, capture: np.ndarray, place: tuple[int, int]) -> Tensor:
        """The block of data consistency, for one picture.

        Args:
            expected: ``[3, y, x]`` the decoded picture, nominally in 0..1.
            capture: ``[y, x, 3]`` its capture, uint8 or floats in 0..1.
            place: (row, column) on the sensor of its first pixel.

        Returns:
            ``[3, y, x]``, nominally in 0..1.

        Raises:
            InputError: the adapter has no block, or lacks its camera's functions.
        """
        if self.consistency is None or self.bank is None:
            raise InputError("the adapter has no trained data consistency, or lacks its camera's functions.")
        light, weight = measured(self.bank.camera.sensor, capture, expected.device)
        blur = self._blur_at((expected.shape[-2], expected.shape[-1]), place, expected.device)
        return self.consistency(expected, light, weight, blur)

    def _blur_at(self, pixels: tuple[int, int], place: tuple[int, int], device: torch.device) -> LocalBlur:
        """The blur of a part of the frame; the last one is kept, for other α and for captures of the same size."""
        assert self.bank is not None
        part = (pixels, tuple(place), device)
        if self._blur is None or self._blur[0] is not self.bank or self._blur[1] != part:
            self._blur = self.bank, part, LocalBlur(self.bank, pixels, place, device=device)
        return self._blur[2]

    def context(self, picture: Tensor) -> Tensor:
        """The part of a crop ``[..., y, x]`` whose light lies in the crop, with a block of data consistency; or all."""
        if self.consistency is None or self.bank is None:
            return picture
        down, across = (side // 2 for side in self.bank.intensity.shape[-2:])
        return picture[..., down : picture.shape[-2] - down, across : picture.shape[-1] - across]

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
        if self.optics is not None:
            self.optics.to(device)
            self._estimates = None
        for part in (self.skips, self.path_embedding, self.consistency):
            if part is not None:
                part.to(device)
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
