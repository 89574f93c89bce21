"""Prompt embeddings: computed once by the prior's text encoder, which is then released, or read from a bank."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from pydantic import BaseModel
from torch import Tensor

from metalens.formats.files.errors import InputError
from metalens.formats.files.json_file import read_record


def embed_texts(location: str, texts: Sequence[str]) -> Tensor:
    """Embed texts by the tokenizer and the CLIP text encoder of a diffusers folder or hub id.

    Args:
        location: folder or hub id with ``tokenizer/`` and ``text_encoder/``.
        texts: prompts; truncated to the encoder's length.

    Returns:
        ``[text, token, feature]`` float32, the last hidden state, as Stable Diffusion's pipelines take it.

    Raises:
        InputError: the text encoder is none of CLIP's.
    """
    from transformers import CLIPTextModel, CLIPTokenizer

    _require_clip(location)
    tokenizer = CLIPTokenizer.from_pretrained(location, subfolder="tokenizer")
    encoder, info = CLIPTextModel.from_pretrained(
        location,
        subfolder="text_encoder",
        use_safetensors=True,
        output_loading_info=True,
        **variant_of(Path(location) / "text_encoder", "model"),
    )
    if info["missing_keys"]:
        raise InputError(
            f"{location}/text_encoder: lacks {sorted(info['missing_keys'])[0]}; copy or download the folder again."
        )
    tokens = tokenizer(
        list(texts),
        padding="max_length",
        max_length=min(tokenizer.model_max_length, encoder.config.max_position_embeddings),
        truncation=True,
        return_tensors="pt",
    )
    with torch.no_grad():
        return encoder.float().eval()(tokens.input_ids)[0]


def read_prompt_bank(path: Path, names: Sequence[str]) -> dict[str, Tensor]:
    """Read embeddings ``[token, feature]`` by name.

    Args:
        path: ``prompts.safetensors``.
        names: names that the file must hold.

    Returns:
        Name → ``[token, feature]``.

    Raises:
        InputError: the file is damaged, or holds other names or shapes.
    """
    try:
        prompts = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: damaged or no safetensors file ({error}); copy it again.") from error
    if set(prompts) != set(names):
        raise InputError(f"{path}: holds {sorted(prompts)}, expected {sorted(names)}.")
    shapes = {tuple(each.shape) for each in prompts.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise InputError(f"{path}: shapes {sorted(shapes)}, expected [token, feature], alike for all prompts.")
    if not all(torch.isfinite(each).all() for each in prompts.values()):
        raise InputError(f"{path}: holds NaN or infinity; copy it again.")
    return {name: prompts[name].float() for name in names}


def variant_of(folder: Path, stem: str) -> dict[str, str]:
    """``{"variant": "fp16"}`` where a local folder holds nothing but half-precision weights, else nothing.

    Args:
        folder: folder of a network.
        stem: file name of the weights without suffixes.

    Returns:
        Keyword arguments of ``from_pretrained``.
    """
    if not folder.is_dir() or any(folder.glob(f"{stem}.safetensors*")):
        return {}
    return {"variant": "fp16"} if any(folder.glob(f"{stem}.fp16.safetensors*")) else {}


class _TextEncoderConfiguration(BaseModel):
    architectures: list[str] | None = None


def _require_clip(location: str) -> None:
    config = Path(location) / "text_encoder" / "config.json"
    if not config.is_file():  # a hub id; transformers reads its config
        return
    what, advice = "text encoder's configuration", "copy the prior again"
    classes = read_record(config, _TextEncoderConfiguration, what, advice).architectures or ["CLIPTextModel"]
    if "CLIPTextModel" not in classes:
        raise InputError(
            f"{os.fspath(config)}: text encoder {classes[0]}, expected CLIPTextModel; put a prompts.safetensors with "
            "embeddings of your own beside vae/ and unet/ instead."
        )
