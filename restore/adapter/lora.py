"""LoRA layers of peft, with Q inserted between A and B by forward hooks: W* = W + A·Q·B.

In the paper's order A acts on the input first; peft calls that layer ``lora_A`` and the second ``lora_B``. A hook on
each ``lora_A`` multiplies its output by Q along the rank axis, so Q = 1 gives peft's LoRA exactly.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from metalens.restore.adapter.svda import Mixing, rows_of_tokens
from metalens.restore.conditioning.degradation_map import WHOLE, Region
from metalens.restore.prior.peft_layers import LoraConfig, LoraLayer, inject_adapter_in_model
from metalens.restore.prior.prior import Prior

ADAPTER = "metalens"


class LoraLayers:
    """The LoRA layers of a prior's encoder and U-Net, and the Q that they currently apply.

    Args:
        prior: its modules are changed in place: LoRA is injected, ``conv_in`` of the U-Net becomes trainable.
        unet_rank: rank in the U-Net.
        encoder_rank: rank in the autoencoder's encoder.

    Attributes:
        ranks: block name → rank, for SVDA. A block is a stage of the network, such as ``unet.down_blocks.0``.
    """

    def __init__(self, prior: Prior, *, unet_rank: int, encoder_rank: int) -> None:
        inject_unet(prior.unet, unet_rank)
        _inject(prior.vae, [f"encoder.{n}" for n in _layer_names(prior.vae.encoder, ())], encoder_rank)
        prior.unet.conv_in.requires_grad_(True)
        self.prior = prior
        # Which they are does not change where only another part of the adapter is trained.
        self._trainable = {
            (root, name)
            for root, module in (("unet", prior.unet), ("vae", prior.vae))
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        }
        self.ranks: dict[str, int] = {}
        self._mixings: dict[str, Mixing] | None = None
        self._aspect = 1.0
        self._regions = WHOLE
        self._fields: dict[tuple[str, int, int], Tensor] = {}
        self._hooks = [
            hook
            for root, module, rank in (("unet", prior.unet, unet_rank), ("vae", prior.vae, encoder_rank))
            for hook in self._hook(root, module, rank)
        ]

    def _hook(self, root: str, module: nn.Module, rank: int) -> Iterator[torch.utils.hooks.RemovableHandle]:
        for name, layer in module.named_modules():
            if isinstance(layer, LoraLayer):
                block = block_of_layer(root, name)
                self.ranks[block] = rank
                # Keys and values of cross attention come from prompt tokens, which have no position in the picture.
                placeless = name.endswith(("attn2.to_k", "attn2.to_v"))
                yield layer.lora_A[ADAPTER].register_forward_hook(self._mixer(block, placeless))

    def _mixer(self, block: str, placeless: bool) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
        def mix(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            del layer, inputs
            if self._mixings is None:
                return output
            mixing = self._mixings[block]
            if mixing.weights is None:
                return mixing.on_grid(output) if output.ndim == 4 else mixing.everywhere(output)
            if placeless:
                return mixing.everywhere(output)
            if output.ndim == 4:
                return mixing.on_field(output, self._field(block, mixing, *output.shape[-2:]))
            height = rows_of_tokens(int(output.shape[1]), float(self._aspect))
            grid = output.transpose(1, 2).unflatten(2, (height, -1))
            mixed = mixing.on_field(grid, self._field(block, mixing, *grid.shape[-2:]))
            return mixed.flatten(2).transpose(1, 2)

        return mix

    def _field(self, block: str, mixing: Mixing, height: int, width: int) -> Tensor:
        """Weights of a block's basis matrices over a feature map; cached for the block's layers outside training."""
        # While a graph is recorded, sizes are tensors; the graph has one size.
        height, width = int(height), int(width)
        if torch.is_grad_enabled():
            return mixing.field(height, width, self._regions)
        key = block, height, width
        if key not in self._fields:
            self._fields[key] = mixing.field(height, width, self._regions)
        return self._fields[key]

    @contextmanager
    def conditioned(
        self, mixings: dict[str, Mixing] | None, aspect: float, regions: Sequence[Region] = WHOLE
    ) -> Iterator[None]:
        """Apply these Q inside the block; ``None`` is the identity, plain LoRA.

        Args:
            mixings: block name → Q for a batch of pictures.
            aspect: height / width of the pictures.
            regions: which part of its frame each picture shows; one for all, or one each.

        Returns:
            A context manager; the former Q applies again after the block.
        """
        before = self._mixings, self._aspect, self._regions, self._fields
        self._mixings, self._aspect, self._regions, self._fields = mixings, aspect, tuple(regions), {}
        try:
            yield
        finally:
            self._mixings, self._aspect, self._regions, self._fields = before

    def parameters(self) -> dict[str, nn.Parameter]:
        """Trainable parameters by name: A and B of all layers, and the U-Net's whole ``conv_in``."""
        return {
            f"{root}.{name}": parameter
            for root, module in (("unet", self.prior.unet), ("vae", self.prior.vae))
            for name, parameter in module.named_parameters()
            if (root, name) in self._trainable
        }


def inject_unet(unet: nn.Module, rank: int) -> None:
    """Add LoRA to the U-Net's layers, in place; only A and B remain trainable.

    Args:
        unet: the denoiser.
        rank: rank of A and B.
    """
    _inject(unet, _layer_names(unet, ("time_embedding", "time_emb_proj", "conv_in")), rank)


def _layer_names(module: nn.Module, excluded: tuple[str, ...]) -> list[str]:
    """Names of the convolutions and linear layers that get LoRA."""
    return [
        name
        for name, layer in module.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and not any(part in excluded for part in name.split("."))
    ]


def _inject(module: nn.Module, names: list[str], rank: int) -> None:
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=names, init_lora_weights=True)
    with warnings.catch_warnings():
        # peft warns if the rank exceeds a convolution's channels, as in the narrow first layers of the small prior.
        warnings.simplefilter("ignore", UserWarning)
        inject_adapter_in_model(config, module, adapter_name=ADAPTER)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(f"lora_A.{ADAPTER}" in name or f"lora_B.{ADAPTER}" in name)


def block_of_layer(root: str, name: str) -> str:
    """Name of the block of a layer: ``unet``, ``down_blocks.0.resnets.1.conv1`` → ``unet.down_blocks.0``.

    Args:
        root: name of the network.
        name: name of the layer in the network.

    Returns:
        Name of the block.
    """
    parts = name.split(".")
    if parts[0] == "encoder":
        return block_of_layer(f"{root}.encoder", ".".join(parts[1:]))
    return ".".join([root, *(parts[:2] if parts[0] in ("down_blocks", "up_blocks") else parts[:1])])
