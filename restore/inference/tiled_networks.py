"""Encoder, U-Net and decoder on pictures of any size: tile by tile, with each tile's region of the frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from metalens.restore.adapter.restorer import Restorer
from metalens.restore.conditioning.degradation_map import Region
from metalens.restore.inference.lean_blocks import lean
from metalens.restore.inference.tiled_group_norm import SharedStatistics
from metalens.restore.inference.tiling import Tile, tiled, tiling_of

BOTH = ("positive", "neutral")

ENOUGH_OVERLAP = 4
"""Cells of the networks by which tiles overlap at most: more does not bring them nearer to the whole picture."""

AUTOENCODER_WINDOWS, UNET_WINDOWS = 3, 5
"""Windows along each side for the normalisation statistics; more for the U-Net, whose statistics vary more."""


class TiledNetworks:
    """A restorer on one picture, in tiles if the picture is large.

    Args:
        restorer: prior and adapter.
        maps: ``[1, 4, n, n]`` degradation map of the frame.
        frame: (rows, columns) pixels of the frame that the map belongs to.
        padded: (rows, columns) of the picture, padded to multiples of the prior's ``size_multiple``.
        tile: largest side of a tile in pixels.
        tell: called after each tile of encoder and U-Net.
    """

    def __init__(
        self,
        restorer: Restorer,
        maps: Tensor,
        *,
        frame: tuple[int, int],
        padded: tuple[int, int],
        tile: int,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self.restorer = restorer
        self.maps = maps
        self.frame = frame
        self.cell = restorer.prior.size_multiple
        self.samples = self.cell // restorer.prior.latent_stride
        self.tiling = tiling_of(padded, self.cell, tile, ENOUGH_OVERLAP)
        self.tell = tell

    def encode(self, picture: Tensor) -> Tensor:
        """Latents of ``[1, 3, y, x]``."""

        def encoded(tiles: Sequence[Tile]) -> Tensor:
            return self._encode_tiles(picture, tiles)

        encoder = self.restorer.prior.vae.encoder
        with self._normalised(encoder, [encoded]), lean(encoder):
            return tiled(lambda tile: encoded([tile]), self.tiling, self.samples, self.tell)

    def step(self, both: Tensor, timestep: int, *, alike: bool = False) -> Tensor:
        """One diffusion step of both paths.

        Args:
            both: ``[2, channel, y, x]`` latents of the positive and the neutral path.
            timestep: timestep of the latents.
            alike: the latents of both paths are the same, as before the first step.

        Returns:
            x̂₀ of both paths, of the same shape.
        """

        def predicted(tiles: Sequence[Tile], paths: Sequence[int] = range(len(BOTH))) -> Tensor:
            # [path, tile]: first all tiles of the positive path, then all of the neutral one.
            parts = torch.cat([tile.of(both[path : path + 1], self.samples) for path in paths for tile in tiles])
            names = [BOTH[path] for path in paths for _ in tiles]
            return self.restorer.step(
                parts, self.maps.expand(len(parts), -1, -1, -1), names, self._regions(tiles) * len(paths), timestep
            )

        unet, optics = self.restorer.prior.unet, self.restorer.optics
        collected = [partial(predicted, paths=[path]) for path in range(len(BOTH))]
        shared = lean(unet, repeats=len(BOTH) if alike else 1, beside=None if optics is None else optics.unet)
        with self._normalised(unet, collected, UNET_WINDOWS), shared:
            return tiled(lambda tile: predicted([tile]), self.tiling, self.samples, self.tell)

    def decode(self, latents: Tensor, picture: Tensor | None) -> Tensor:
        """Decode latents to a picture.

        Args:
            latents: ``[1, channel, y, x]``.
            picture: ``[1, 3, y, x]`` captured picture, which the decoder of adapters with skips needs; else ``None``.

        Returns:
            ``[1, 3, y, x]`` on the CPU.
        """
        vae = self.restorer.prior.vae

        def decoded(tiles: Sequence[Tile]) -> Tensor:
            if picture is not None:
                # The decoder adds the features that this encoding leaves behind.
                self._encode_tiles(picture, tiles)
            return self.restorer.prior.decode(torch.cat([tile.of(latents, self.samples) for tile in tiles])).cpu()

        with ExitStack() as stack:
            if picture is not None:
                captured = picture
                encoded = partial(self._encode_tiles, captured)
                stack.enter_context(self._normalised(vae.encoder, [encoded]))
                stack.enter_context(lean(vae.encoder))
            stack.enter_context(self._normalised(vae.decoder, [decoded]))
            stack.enter_context(lean(vae.decoder))
            result = tiled(lambda tile: decoded([tile]), self.tiling, self.cell)
        if self.restorer.skips is not None:
            self.restorer.skips.forget()
        return result

    def _encode_tiles(self, picture: Tensor, tiles: Sequence[Tile]) -> Tensor:
        parts = torch.cat([tile.of(picture, self.cell) for tile in tiles]).to(self.maps.device)
        return self.restorer.encode(parts, self.maps.expand(len(parts), -1, -1, -1), self._regions(tiles))

    def _regions(self, tiles: Sequence[Tile]) -> list[Region]:
        return [tile.region(self.cell, self.frame) for tile in tiles]

    @contextmanager
    def _normalised(
        self,
        network: nn.Module,
        functions: Sequence[Callable[[Sequence[Tile]], Tensor]],
        windows: int = AUTOENCODER_WINDOWS,
    ) -> Iterator[None]:
        """If there are several tiles, normalise all by the statistics of windows over the whole picture.

        One function for each part of a batch that has statistics of its own.
        """
        if len(self.tiling) == 1:
            yield
            return
        statistics = SharedStatistics(network)
        for function in functions:
            with statistics.collecting(), lean(network):
                function(self.tiling.windows(windows))
        with statistics.applied():
            yield
