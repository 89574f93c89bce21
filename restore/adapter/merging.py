"""Merge a fixed Q into the weights: W* = W + A·Q·B becomes one matrix per layer, so LoRA adds no cost."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.lora import ADAPTER, block_of_layer
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.adapter.svda import Mixing
from metalens.restore.prior.peft_layers import LoraLayer
from metalens.restore.prior.prior import Prior

_ALIKE = 1e-5


@torch.no_grad()
def merged_prior(restorer: Restorer, maps: Tensor | None) -> Prior:
    """A prior of plain diffusers classes that is equivalent to the restorer for one degradation map.

    Save it with :func:`metalens.restore.prior.prior_folder.save_prior`: any program that reads diffusers' folders can
    use it.
    The restorer stays as it is.

    Args:
        restorer: prior and adapter; without skips, since these are not weights of the prior.
        maps: ``[1, 4, n, n]`` the degradation map. The global form takes any; the local one needs a map that is
            constant over the frame, such as ``maps.mean((-2, -1), keepdim=True).expand_as(maps)``, since one matrix
            cannot vary over the picture. ``None`` merges the identity Q: plain LoRA.

    Returns:
        A new prior whose weights hold the adapter.

    Raises:
        InputError: Q varies over the picture, there is more than one map, or the adapter has skips,
            a path embedding or a block of data consistency.
    """
    config = restorer.config
    for has, part in (
        (config.skips, "skips"),
        (config.path_embedding, "a path embedding"),
        (config.consistency == "trained", "a block of data consistency"),
    ):
        if has:
            raise InputError(f"an adapter with {part} cannot be merged: these are no weights of the prior's classes.")
    if maps is not None and len(maps) != 1:
        raise InputError(f"one degradation map can be merged into the weights, found {len(maps)}.")
    mixings = None if maps is None else restorer.attention(maps)
    for mixing in (mixings or {}).values():
        _require_constant(mixing)
    prior = restorer.prior
    return Prior(
        name=f"{prior.name}, merged",
        vae=_merged(prior.vae, "vae", mixings),
        unet=_merged(prior.unet, "unet", mixings),
        alpha_cumprod=prior.alpha_cumprod,
        prediction_type=prior.prediction_type,
        prompts=prior.prompts,
    )


def _require_constant(mixing: Mixing) -> None:
    if mixing.weights is None:
        return
    spread = (mixing.weights - mixing.weights.mean(dim=(-2, -1), keepdim=True)).abs().max()
    if spread > _ALIKE * (1 + mixing.weights.abs().max()):
        raise InputError(
            "Q varies over the picture and cannot be merged into one set of weights; give the mean of the degradation "
            "map for a restorer that treats all places alike, or use an adapter of the global form."
        )


def _merged(module: Any, root: str, mixings: dict[str, Mixing] | None) -> Any:
    """A copy of a network without LoRA layers, with the weights W + A·Q·B."""
    weights = {
        name.replace(".base_layer.", "."): value.clone()
        for name, value in module.state_dict().items()
        if ".lora_" not in name
    }
    for name, layer in module.named_modules():
        if isinstance(layer, LoraLayer):
            mixing = None if mixings is None else mixings[block_of_layer(root, name)]
            weights[f"{name}.weight"] += low_rank_weight(layer, mixing).to(weights[f"{name}.weight"])
    with torch.device("meta"):
        merged = type(module).from_config(module.config)
    merged.load_state_dict(weights, assign=True)
    return merged.eval().requires_grad_(False)


def low_rank_weight(layer: LoraLayer, mixing: Mixing | None) -> Tensor:
    """A·Q·B of one layer in the shape of its weight; in peft's order up · Q · down.

    Args:
        layer: a LoRA layer of peft.
        mixing: Q of the layer's block; ``None`` is the identity.

    Returns:
        The change of the layer's weight.
    """
    down, up = layer.lora_A[ADAPTER].weight.float(), layer.lora_B[ADAPTER].weight.float()
    if mixing is not None:
        down = down + torch.einsum("ij,j...->i...", mixing.mean()[0].float(), down)
    return torch.einsum("or,r...->o...", up.flatten(1), down) * layer.scaling[ADAPTER]
