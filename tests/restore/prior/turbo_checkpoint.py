"""A checkpoint of stabilityai/sd-turbo's classes and configuration keys, with narrow layers and random weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

FEATURES = 24


def write_turbo(folder: Path, *, levels: int) -> Path:
    """Write the folder as a user downloads it: vae, unet, scheduler, tokenizer and text_encoder.

    Args:
        folder: to be made.
        levels: of both networks; SD-Turbo has four, so that sides are multiples of 64 pixels.

    Returns:
        The folder.
    """
    torch.manual_seed(0)
    widths = (32, *[64] * (levels - 1))
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=widths,
        layers_per_block=1,
        latent_channels=4,
        scaling_factor=0.18215,
    )
    unet = UNet2DConditionModel(
        down_block_types=(*("CrossAttnDownBlock2D",) * (levels - 1), "DownBlock2D"),
        up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * (levels - 1)),
        block_out_channels=widths,
        layers_per_block=1,
        cross_attention_dim=FEATURES,
        attention_head_dim=(1, *[2] * (levels - 1)),
        use_linear_projection=True,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=64, hidden_size=FEATURES, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
        )
    )
    for part, name in ((vae, "vae"), (unet, "unet"), (text, "text_encoder")):
        part.save_pretrained(folder / name)
    _write_tokenizer(folder / "tokenizer", folder.parent / "words")
    EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="trailing", steps_offset=1
    ).save_pretrained(folder / "scheduler")
    return folder


def _write_tokenizer(folder: Path, words: Path) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz,"
    vocabulary = ["<|startoftext|>", "<|endoftext|>", *(f"{letter}</w>" for letter in letters), *letters]
    words.mkdir()
    (words / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(vocabulary)}))
    (words / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer(str(words / "vocab.json"), str(words / "merges.txt"), model_max_length=77).save_pretrained(folder)
