"""Skip connections from the autoencoder's encoder to its decoder (img2img-turbo: Parmar et al., arXiv 2403.12036,
section 3.2).

A latent of stride 8 loses finer detail. So each stage of the decoder also takes the encoder's features of its
resolution, through a 1 × 1 convolution that starts at zero: a new adapter changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from metalens.restore.prior.networks import AutoencoderKL


class EncoderSkips(nn.Module):
    """1 × 1 convolutions between encoder and decoder stages of an autoencoder, by forward hooks.

    Decoding adds the features of the preceding encoding: encode first, then decode the same number of pictures, or one.

    Args:
        vae: the autoencoder; its stages are hooked in place.
    """

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        down, up = list(vae.encoder.down_blocks), list(vae.decoder.up_blocks)
        sources = list(reversed(down))
        widths = [
            (source.resnets[0].in_channels, target.resnets[0].in_channels)
            for source, target in zip(sources, up, strict=True)
        ]
        convolutions = [nn.Conv2d(*width, 1, bias=False) for width in widths]
        for convolution in convolutions:
            nn.init.zeros_(convolution.weight)
        self.convolutions = nn.ModuleList(convolutions)
        self._features: dict[int, Tensor] = {}
        for number, (source, target) in enumerate(zip(sources, up, strict=True)):
            source.register_forward_pre_hook(self._keep(number))
            target.register_forward_pre_hook(self._add(number))

    def _keep(self, number: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def keep(stage: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            del stage
            self._features[number] = inputs[0]

        return keep

    def _add(self, number: int) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...]]:
        def add(stage: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            del stage
            features = self._features.get(number)
            if features is None or features.shape[-2:] != inputs[0].shape[-2:]:
                raise ValueError("skips need the encoding of the same picture before its decoding")
            return inputs[0] + self.convolutions[number](features.float()).to(inputs[0].dtype), *inputs[1:]

        return add

    def forget(self) -> None:
        """Release the features of the last encoding."""
        self._features.clear()
