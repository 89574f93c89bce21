"""Restore captures: encode once, few steps on two paths, one decode for each α; large pictures in tiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass as checked
from torch import Tensor
from torch.nn import functional as F

from metalens.formats.camera.unknown import is_unknown
from metalens.formats.files.arguments import require_number
from metalens.formats.files.errors import InputError
from metalens.formats.files.record import STRICT, told_as_input_error
from metalens.formats.pictures.defective_pixels import fill_defective
from metalens.formats.pictures.scene import to_8_bit
from metalens.restore.adapter.restorer import Restorer, blend
from metalens.restore.conditioning.degradation_map import CELLS, CHANNELS, region_of, resample
from metalens.restore.conditioning.quality import GRID, quality_map
from metalens.restore.deconvolution.unseen_colour import fill_unseen
from metalens.restore.inference.capture_check import check_capture
from metalens.restore.inference.data_consistency import DataConsistency, trained_consistency
from metalens.restore.inference.tiled_networks import TiledNetworks
from metalens.restore.metrics.picture_tensors import as_tensor, as_values, pad_to_multiple
from metalens.restore.prior.prior import ddim_step

Tell = Callable[[int, int], None]
"""Progress callback: tiles done, tiles in all."""

MOST_STEPS = 4
LEAST_ALPHA, MOST_ALPHA = -1.0, 2.0

_Pixel = Annotated[int, Field(strict=False, ge=0, le=2**16)]
"""NumPy's whole numbers too."""


@told_as_input_error("restoration")
@checked(frozen=True, config=STRICT)
class Settings:
    """Settings of a restoration.

    Attributes:
        steps: 1 to 4 diffusion steps; further ones are deterministic DDIM steps. Adapters are trained for one.
        tile: largest side of a tile in pixels.
        place: (row, column) on the sensor of the capture's first pixel, if it is a part of the frame.
    """

    steps: Annotated[int, Field(ge=1, le=MOST_STEPS)] = 1
    tile: Annotated[int, Field(ge=1, le=2**16)] = 512
    place: Annotated[tuple[_Pixel, _Pixel], Field(strict=False)] | None = None


ONE_STEP = Settings()
"""One step, tiles of 512 pixels, whole frames."""


@dataclass(frozen=True)
class Latents:
    """Predicted latents of both paths for one capture; any α then costs one decode.

    Attributes:
        positive: ``[1, channel, y, x]`` float32.
        neutral: of the same shape.
        pixels: (rows, columns) of the photograph, before padding to whole cells.
        capture: ``[y, x, 3]``, uint8 or floats in 0..1, and its degradation map ``[1, 4 or 10, n, n]``, if the decoder
            needs them: for the encoder's features (adapters with skips) or trained data consistency; else None.
        place: (row, column) on the sensor of the first pixel, if the capture is a part of the frame.
    """

    positive: Tensor
    neutral: Tensor
    pixels: tuple[int, int]
    capture: tuple[np.ndarray, Tensor] | None = None
    place: tuple[int, int] | None = None


def check_alphas(alphas: Sequence[float]) -> tuple[float, ...]:
    """Check values of α.

    Raises:
        InputError: there is none, or one is not a number between −1 and 2, or two are equal.
    """
    if not isinstance(alphas, Sequence) or isinstance(alphas, str):
        raise InputError(f"--alpha {alphas!r}: expected a sequence of numbers.")
    for each in alphas:
        require_number(each, "--alpha")
    checked = tuple(float(alpha) for alpha in alphas)
    for alpha in checked:
        if not math.isfinite(alpha) or not LEAST_ALPHA <= alpha <= MOST_ALPHA:
            raise InputError(
                f"--alpha {alpha:g}: expected a number between {LEAST_ALPHA:g} and {MOST_ALPHA:g} "
                "(0 faithful, 1 detailed)."
            )
    if not checked or len(set(checked)) != len(checked):
        raise InputError(f"--alpha {', '.join(f'{a:g}' for a in checked)}: give one or more different values.")
    return checked


def restore(
    restorer: Restorer,
    capture: np.ndarray,
    alphas: Sequence[float],
    settings: Settings = ONE_STEP,
    consistency: DataConsistency | None = None,
) -> dict[float, np.ndarray]:
    """Restore one capture.

    The result is deterministic.

    Args:
        restorer: prior and adapter.
        capture: ``[y, x, 3]`` sRGB, uint8 or floats in 0..1, of the sensor's size unless ``settings.place`` is given.
        alphas: blending from the neutral (0) to the positive path (1); above 1 extrapolates.
        settings: steps, tiles, place.
        consistency: data consistency to apply to each picture, if given; not with an adapter that was trained
            with a block of its own.

    Returns:
        α → ``[y, x, 3]`` of the capture's type: uint8, or float32 in 0..1.

    Raises:
        InputError: the capture does not fit the sensor, is mostly saturated, an α cannot be used, or memory ends.
    """
    alphas = check_alphas(alphas)
    latents = latents_of(restorer, capture, settings)
    pictures = {alpha: decode_values(restorer, latents, alpha, tile=settings.tile) for alpha in alphas}
    if consistency is not None and restorer.consistency is None:
        sound = sound_capture(restorer, capture, settings.place)
        pictures = {alpha: consistency(picture, sound, settings.place) for alpha, picture in pictures.items()}
    if capture.dtype != np.uint8:
        return pictures
    return {alpha: to_8_bit(picture) for alpha, picture in pictures.items()}


@torch.no_grad()
def latents_of(
    restorer: Restorer,
    capture: np.ndarray,
    settings: Settings = ONE_STEP,
    tell: Tell = lambda done, total: None,
) -> Latents:
    """Predict the latents of the positive and the neutral path for a capture; see :func:`restore`.

    Hot and dead pixels are filled first (:mod:`metalens.formats.pictures.defective_pixels`).

    Args:
        restorer: prior and adapter.
        capture: ``[y, x, 3]`` sRGB, uint8 or floats in 0..1.
        settings: steps, tiles, place.
        tell: progress callback: tiles done, tiles in all.

    Returns:
        The latents of both paths.

    Raises:
        InputError: the capture does not fit the sensor, is mostly saturated, or memory runs out.
    """
    check_capture(restorer, capture, settings.place)
    capture = sound_capture(restorer, capture, settings.place)
    prior = restorer.prior
    maps = degradation_map(restorer, capture, settings.place)
    picture = pad_to_multiple(restorer.network_input(capture, settings.place), prior.size_multiple)
    frame, padded = (capture.shape[0], capture.shape[1]), (picture.shape[-2], picture.shape[-1])
    with _memory(settings.tile):
        networks = TiledNetworks(restorer, maps, frame=frame, padded=padded, tile=settings.tile)
        networks.tell = _counter(tell, len(networks.tiling) * (1 + settings.steps))
        both = networks.encode(picture).expand(2, -1, -1, -1)
        del picture  # of 12 megapixels with their linear restorations, 0.4 GiB
        timesteps = prior.timesteps(settings.steps)
        for timestep, following in zip(timesteps, [*timesteps[1:], None], strict=True):
            clean = networks.step(both, timestep, alike=timestep == timesteps[0])
            if following is not None:
                noisy, beside = both[:, : clean.shape[1]], both[:, clean.shape[1] :]
                noisy = ddim_step(noisy, clean, prior.alpha_cumprod[timestep], prior.alpha_cumprod[following])
                both = torch.cat([noisy, beside], dim=1)
    _require_finite(clean, prior.vae.dtype)
    kept = (capture, maps) if decodes_with_capture(restorer) else None
    return Latents(clean[:1], clean[1:], frame, kept, settings.place)


def decode(restorer: Restorer, latents: Latents, alpha: float | np.ndarray, *, tile: int = 512) -> np.ndarray:
    """Decode as :func:`decode_values` does, and round to 8 bits.

    Args:
        restorer: the restorer that predicted the latents.
        latents: result of :func:`latents_of`.
        alpha: a number, or a map ``[y, x]`` of the photograph's size.
        tile: largest side of a tile in pixels.

    Returns:
        ``[y, x, 3]`` uint8.

    Raises:
        InputError: the map is of another size, α is out of range, or memory ends.
    """
    return to_8_bit(decode_values(restorer, latents, alpha, tile=tile))


@torch.no_grad()
def decode_values(restorer: Restorer, latents: Latents, alpha: float | np.ndarray, *, tile: int = 512) -> np.ndarray:
    """Decode α z_pos + (1 − α) z_neu; data consistency follows if it was trained with the adapter.

    Of a camera with lateral colour, the rim's colours that fall outside the frame are predicted from the others
    (:mod:`metalens.restore.deconvolution.unseen_colour`).

    Args:
        restorer: the restorer that predicted the latents.
        latents: result of :func:`latents_of`.
        alpha: a number, or a map ``[y, x]`` of the photograph's size.
        tile: largest side of a tile in pixels.

    Returns:
        ``[y, x, 3]`` float32 sRGB in 0..1, not rounded.

    Raises:
        InputError: the map is of another size, α is out of range, or memory ends.
    """
    prior = restorer.prior
    weight = _alpha_of(alpha, latents, prior.size_multiple, prior.latent_stride)
    mixed = blend(latents.positive, latents.neutral, weight).to(prior.device)
    padded = mixed.shape[-2] * prior.latent_stride, mixed.shape[-1] * prior.latent_stride
    maps, picture = torch.zeros(1, CHANNELS, CELLS, CELLS, device=prior.device), None
    if restorer.skips is not None:
        if latents.capture is None:
            raise InputError("an adapter with skips decodes only with the capture, which these latents lack.")
        maps = latents.capture[1].to(prior.device)
        picture = pad_to_multiple(as_tensor(latents.capture[0])[None], prior.size_multiple)
    with _memory(tile):
        networks = TiledNetworks(restorer, maps, frame=latents.pixels, padded=padded, tile=tile)
        decoded = networks.decode(mixed, picture)
    _require_finite(decoded, prior.vae.dtype)
    height, width = latents.pixels
    decoded = decoded[0, :, :height, :width]
    if restorer.consistency is not None:
        if latents.capture is None:
            raise InputError(
                "an adapter with data consistency decodes only with the capture, which these latents lack."
            )
        decoded = trained_consistency(restorer, decoded.float(), latents.capture[0], latents.place)
    values = as_values(decoded)
    return values if restorer.bank is None else fill_unseen(values, restorer.bank, latents.place)


def decodes_with_capture(restorer: Restorer) -> bool:
    """Whether latents need their capture to be decoded: with skips, or trained data consistency."""
    return restorer.skips is not None or restorer.consistency is not None


def sound_capture(restorer: Restorer, capture: np.ndarray, place: tuple[int, int] | None) -> np.ndarray:
    """A capture with its hot and dead pixels filled; as it is, if the sensor is unknown.

    Args:
        restorer: of the camera.
        capture: ``[y, x, 3]`` uint8, or floats in 0..1.
        place: (row, column) on the sensor of its first pixel; ``None`` for a whole frame.

    Returns:
        ``[y, x, 3]`` of the capture's dtype and range.
    """
    camera = restorer.camera
    return capture if is_unknown(camera) else fill_defective(camera.sensor, capture, place)


def degradation_map(restorer: Restorer, capture: np.ndarray, place: tuple[int, int] | None) -> Tensor:
    """Degradation map of a capture: its own quality, and that of the lens at its place on the sensor.

    Args:
        restorer: gives the quality metric and the lens map.
        capture: ``[y, x, 3]`` uint8, or floats in 0..1.
        place: (row, column) on the sensor of its first pixel; ``None`` for a whole frame.

    Returns:
        ``[1, 4 or 10, n, n]`` in 0..1.
    """
    if restorer.layers.ranks:
        quality, _ = quality_map(capture, restorer.quality_metric)
    else:
        # Without Q nothing reads the quality.
        quality = np.zeros((GRID, GRID), np.float32)
    lens = torch.from_numpy(restorer.lens_map)
    if place is not None:
        on_sensor = region_of(*place, capture.shape[0], capture.shape[1], restorer.camera.sensor.pixels)
        lens = resample(lens, on_sensor)
    return restorer.maps(torch.from_numpy(quality)[None].to(restorer.prior.device), lens.numpy())


@contextmanager
def _memory(tile: int) -> Iterator[None]:
    """Turn an out-of-memory error into advice."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        is_memory = isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "allocate memory" in str(error)
        if not is_memory:
            raise
        raise InputError(
            f"out of memory with tiles of up to {tile} pixels; lower --tile (memory goes with its square), take "
            "--precision bf16, or another --device."
        ) from error


def _counter(tell: Tell, total: int) -> Callable[[], None]:
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        tell(done, total)

    return one_more


def _alpha_of(alpha: float | np.ndarray, latents: Latents, multiple: int, stride: int) -> float | Tensor:
    """α in latent resolution: a map is padded as the picture was, and averaged over the pixels of each latent."""
    if not isinstance(alpha, np.ndarray):
        return check_alphas([alpha])[0]
    if alpha.shape != latents.pixels:
        raise InputError(
            f"α map of {' × '.join(map(str, alpha.shape))} pixels, the photograph has {latents.pixels[0]} × "
            f"{latents.pixels[1]} (rows × columns); draw it at that size."
        )
    if not np.isfinite(alpha).all() or alpha.min() < LEAST_ALPHA or alpha.max() > MOST_ALPHA:
        raise InputError(f"α map: found values beyond {LEAST_ALPHA:g} to {MOST_ALPHA:g}.")
    padded = pad_to_multiple(torch.from_numpy(alpha)[None, None].float(), multiple)
    return F.avg_pool2d(padded, stride).to(latents.positive.device)


def _require_finite(values: Tensor, dtype: torch.dtype) -> None:
    if not torch.isfinite(values).all():
        hint = "" if dtype == torch.float32 else f" or {str(dtype).removeprefix('torch.')} is too coarse for them"
        raise InputError(
            f"the networks gave NaN or infinity: their weights are damaged{hint}; try --precision fp32, then copy "
            "the prior and the adapter again."
        )
