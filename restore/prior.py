"""The latent diffusion prior: a variational autoencoder, a denoising U-Net and the prompts that steer it.

A prior is a folder (or hub id) in the layout of diffusers: ``vae/``, ``unet/``, ``scheduler/`` and either
``prompts.safetensors`` (a prompt bank, ``[token, feature]`` each for positive, neutral, negative) or
``tokenizer/`` and ``text_encoder/``, which embed the three prompts once and are dropped. ``embedded`` names the
small prior that comes with the package. Whatever a config can tell is read from it: channels, strides, the
kind of prediction, the noise schedule.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import safetensors.torch
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch import Tensor

from metalens.formats.errors import InputError

PATHS = ("positive", "neutral", "negative")
"""The three paths of DMDiff, in the order in which prompt banks and reports list them."""

PROMPTS = {
    "positive": "a crisp and clean photograph with fine detail, true colours and high contrast",
    "neutral": "a plain smooth photograph with clear edges, true colours and no fine texture",
    "negative": "a blurred and hazy photograph with colour fringes, sensor noise and low contrast",
}
"""Prompts describe quality and never content (DMDiff section 3.2); the wording is this project's."""


@dataclass
class Prior:
    """A latent diffusion model, ready for one-step prediction.

    Attributes:
        name: what it was loaded from.
        vae: the autoencoder, pictures in −1..1.
        unet: the denoiser.
        alpha_cumprod: ``[timestep]`` ᾱ of the noise schedule, float32.
        prediction_type: what the U-Net predicts: ``epsilon``, ``v_prediction`` or ``sample``.
        prompts: path → ``[token, feature]`` embedding.
        identity: SHA-256 of the weights, which an adapter records so that it is not used on another prior.
    """

    name: str
    vae: AutoencoderKL
    unet: UNet2DConditionModel
    alpha_cumprod: Tensor
    prediction_type: str
    prompts: dict[str, Tensor]
    identity: str = field(default="")

    @property
    def last_timestep(self) -> int:
        """The timestep of one-step prediction: the end of the noise schedule (999 for 1000 steps)."""
        return len(self.alpha_cumprod) - 1

    @property
    def size_multiple(self) -> int:
        """Pictures must measure multiples of this many pixels: the latent stride times the U-Net's stride."""
        return self.latent_stride * 2 ** (len(self.unet.config.block_out_channels) - 1)

    @property
    def latent_stride(self) -> int:
        """Pixels of the picture per sample of the latent, along one axis."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    def encode(self, pictures: Tensor) -> Tensor:
        """Encode pictures ``[batch, 3, y, x]`` in 0..1 to the mode of their scaled latents (never a sample)."""
        mean = self.vae.encode(pictures * 2 - 1).latent_dist.mode()
        shift = self.vae.config.get("shift_factor") or 0.0
        return (mean - shift) * self.vae.config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Decode scaled latents to pictures ``[batch, 3, y, x]``, near 0..1 and not clipped."""
        shift = self.vae.config.get("shift_factor") or 0.0
        decoded = self.vae.decode(latents / self.vae.config.scaling_factor + shift).sample
        return (decoded + 1) / 2

    def prompt(self, paths: list[str]) -> Tensor:
        """Embeddings ``[len(paths), token, feature]`` of the named paths."""
        return torch.stack([self.prompts[path] for path in paths])

    def predict_clean(self, latents: Tensor, prompts: Tensor, timestep: int | Tensor | None = None) -> Tensor:
        """Predict the clean latents x̂₀ from latents at ``timestep`` (by default the last one), in float32.

        x̂₀ is formed in float32 whatever the U-Net's precision: for an ε-predictor at t = 999 it is
        14.65 z − 14.61 ε, so that rounding ε to bfloat16 would cost 0.025 of latent deviation.
        """
        steps = torch.as_tensor(self.last_timestep if timestep is None else timestep, device=latents.device)
        steps = steps.expand(len(latents))
        output = self.unet(latents, steps, encoder_hidden_states=prompts).sample.float()
        return clean_from_prediction(latents.float(), output, self.alpha_cumprod[steps], self.prediction_type)

    def to(self, device: torch.device | str) -> Prior:
        """Move everything to a device, in place; convolution weights in channels-last order."""
        self.vae.to(device=device, memory_format=torch.channels_last)
        self.unet.to(device=device, memory_format=torch.channels_last)
        self.alpha_cumprod = self.alpha_cumprod.to(device)
        self.prompts = {path: embedding.to(device) for path, embedding in self.prompts.items()}
        return self


def clean_from_prediction(noisy: Tensor, output: Tensor, alpha_cumprod: Tensor, prediction_type: str) -> Tensor:
    """x̂₀ from a denoiser's output (Ho et al. 2020, Eq. 15; v: Salimans & Ho 2022, appendix D).

    Args:
        noisy: ``[batch, …]`` the denoiser's input.
        output: of the same shape.
        alpha_cumprod: ``[batch]`` ᾱ at each sample's timestep.
        prediction_type: ``epsilon``, ``v_prediction`` or ``sample``.
    """
    alpha = alpha_cumprod.reshape(-1, *[1] * (noisy.ndim - 1)).to(noisy)
    if prediction_type == "epsilon":
        return (noisy - (1 - alpha).sqrt() * output) / alpha.sqrt()
    if prediction_type == "v_prediction":
        return alpha.sqrt() * noisy - (1 - alpha).sqrt() * output
    if prediction_type == "sample":
        return output
    raise InputError(
        f"scheduler: prediction_type {prediction_type!r} is unknown; expected epsilon, v_prediction or sample."
    )


def load_prior(source: str | os.PathLike[str] = "embedded") -> Prior:
    """Load a prior from ``embedded``, a diffusers folder, or a hub id such as ``stabilityai/sd-turbo``.

    Only safetensors weights are read; nothing is unpickled.

    Raises:
        InputError: the prior is not there, incomplete or damaged; for a hub id without a network the message
            says what to download and where to put it.
    """
    name = os.fspath(source)
    folder = embedded_prior_folder() if name == "embedded" else Path(name)
    location = str(folder) if folder.is_dir() else name
    if not folder.is_dir() and (name.startswith((".", "/")) or name.count("/") != 1):
        raise InputError(
            f"{name}: no such prior; give 'embedded', a folder with vae/, unet/ and scheduler/, or a hub id."
        )
    try:
        vae = AutoencoderKL.from_pretrained(location, subfolder="vae", use_safetensors=True)
        unet = UNet2DConditionModel.from_pretrained(location, subfolder="unet", use_safetensors=True)
        scheduler = DDPMScheduler.from_pretrained(location, subfolder="scheduler")
        prompts = _load_prompts(folder, location)
    except InputError:
        raise
    except Exception as error:  # diffusers and transformers raise many kinds for a missing or damaged file
        raise InputError(_loading_problem(name, folder, error)) from error
    for module in (vae, unet):
        module.float().eval().requires_grad_(False)
    prior = Prior(
        name=name,
        vae=vae,
        unet=unet,
        alpha_cumprod=scheduler.alphas_cumprod.float(),
        prediction_type=scheduler.config.prediction_type,
        prompts=prompts,
        identity=_identity(vae, unet, prompts),
    )
    _check_consistency(prior)
    return prior


def embedded_prior_folder() -> Path:
    """The folder of the prior that comes with the package."""
    return Path(str(resources.files("metalens.restore") / "weights" / "prior"))


def save_prior(prior: Prior, folder: Path, scheduler: DDPMScheduler) -> None:
    """Write a prior as a diffusers folder with a prompt bank, in half precision."""
    for module, part in ((prior.vae, "vae"), (prior.unet, "unet")):
        module.half().save_pretrained(folder / part, safe_serialization=True)
        module.float()
    scheduler.save_pretrained(folder / "scheduler")
    bank = {path: embedding.detach().half().contiguous() for path, embedding in prior.prompts.items()}
    safetensors.torch.save_file(bank, folder / "prompts.safetensors")


def _load_prompts(folder: Path, location: str) -> dict[str, Tensor]:
    bank = folder / "prompts.safetensors"
    if bank.is_file():
        prompts = safetensors.torch.load_file(bank)
        if set(prompts) != set(PATHS):
            raise InputError(f"{bank}: holds {sorted(prompts)}, expected {sorted(PATHS)}.")
        return {path: prompts[path].float() for path in PATHS}
    return _embed_prompts(location)


def _embed_prompts(location: str) -> dict[str, Tensor]:
    """Embed the three prompts with the prior's own text encoder, which is then dropped."""
    from transformers import CLIPTextModel, CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(location, subfolder="tokenizer")
    encoder = CLIPTextModel.from_pretrained(location, subfolder="text_encoder", use_safetensors=True).eval()
    tokens = tokenizer(
        [PROMPTS[path] for path in PATHS],
        padding="max_length",
        max_length=min(tokenizer.model_max_length, encoder.config.max_position_embeddings),
        truncation=True,
        return_tensors="pt",
    )
    with torch.no_grad():
        embedded = encoder(tokens.input_ids)[0].float()
    return dict(zip(PATHS, embedded, strict=True))


def _identity(vae: AutoencoderKL, unet: UNet2DConditionModel, prompts: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for part in (vae.state_dict(), unet.state_dict(), prompts):
        for key in sorted(part):
            digest.update(key.encode())
            digest.update(part[key].detach().half().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _check_consistency(prior: Prior) -> None:
    latent = prior.vae.config.latent_channels
    if prior.unet.config.in_channels != latent or prior.unet.config.out_channels != latent:
        raise InputError(
            f"{prior.name}: the autoencoder has {latent} latent channels, the U-Net takes "
            f"{prior.unet.config.in_channels} and gives {prior.unet.config.out_channels}; they must agree."
        )
    width = prior.prompts["positive"].shape[-1]
    if width != prior.unet.config.cross_attention_dim:
        raise InputError(
            f"{prior.name}: prompts have {width} features, the U-Net's cross attention takes "
            f"{prior.unet.config.cross_attention_dim}; they must agree."
        )


def _loading_problem(name: str, folder: Path, error: Exception) -> str:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if folder.is_dir():
        return f"{name}: not a complete prior ({first_line}); expected vae/, unet/, scheduler/ with safetensors."
    return (
        f"{name}: could not be fetched from the model hub ({first_line}); on a machine with a network download its "
        "folders vae/, unet/, scheduler/, tokenizer/ and text_encoder/ (safetensors), and give their folder's path."
    )
