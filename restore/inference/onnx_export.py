"""Encoder, U-Net and decoder as ONNX, to run without PyTorch, for frames of one size.

    picture, map ─encoder.onnx─▶ latents
    latents, map ─unet.onnx─▶ positive, neutral
    α positive + (1 − α) neutral ─decoder.onnx─▶ picture

The degradation map is an input, from which the graphs form a local Q everywhere; or it is fixed, and Q is constant in
them. Adapters without Q have no such input. ``onnx.json`` describes the graphs, ``restore.py`` runs them by onnxruntime
and NumPy alone (:mod:`metalens.restore.inference.onnx_example`), and adapters conditioned by optics have in
``estimates.npz`` what the linear estimates need.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from metalens.formats.camera.sensor import Development
from metalens.formats.files.atomic import atomic_directory, write_text
from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import require
from metalens.formats.pictures.encoding import inverse_colour_matrix
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.conditioning.degradation_map import CELLS
from metalens.restore.deconvolution.linear_estimates import ESTIMATE_CHANNELS, LinearEstimates
from metalens.restore.inference import onnx_example

SCHEMA = "metalens.onnx"
VERSION = 1
OPSET = 18

LARGEST_ERROR = 1e-4
"""Largest difference from PyTorch that an export may have, in shares of the largest output."""

_PATHS = ("positive", "neutral")


@dataclass(frozen=True)
class OnnxGraph:
    """One of the three graphs.

    Attributes:
        name: of its file, without ending.
        module: what it computes.
        networks: of the prior, that it uses.
        inputs: name → example.
        outputs: names.
    """

    name: str
    module: nn.Module
    networks: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]


def export_onnx(
    restorer: Restorer,
    folder: Path,
    pixels: tuple[int, int] | None = None,
    *,
    quality: float | None = None,
    without_consistency: bool = False,
) -> dict[str, Any]:
    """Write the graphs of a restorer into a new folder, and compare them with PyTorch through onnxruntime.

    Args:
        restorer: prior and adapter, without skips, in float32.
        folder: the new folder.
        pixels: rows, columns of a frame; by default the sensor's.
        quality: fixes the map to that of the lens with this quality everywhere, 0 (best) to 1; by default the map is an
            input, if the adapter has a Q.
        without_consistency: leave out the block of data consistency, which no graph holds; what the graphs restore is
            then the picture before it.

    Returns:
        The content of ``onnx.json``: sizes, inputs, and for each graph ``largest_error`` and ``bytes``.

    Raises:
        InputError: the extra ``onnx`` is not installed, the adapter has skips, or a block of data consistency that is
            not to be left out, or none that could be, a map is to be fixed that it has not, a graph differs from
            PyTorch, or the disk refuses the write.
    """
    require("export onnx", "onnx", "onnxruntime")
    if restorer.skips is not None:
        raise InputError("export onnx: the decoder takes features of the encoder (skips), which is not exported.")
    if restorer.consistency is not None and not without_consistency:
        raise InputError(
            "export onnx: the adapter's block of data consistency follows the decoder, and is not exported; give "
            "--without-consistency for the pictures before it."
        )
    if without_consistency and restorer.consistency is None:
        raise InputError("export onnx: --without-consistency: the adapter has no block; leave the option out.")
    has_q = bool(restorer.layers.ranks)
    if quality is not None and not has_q:
        raise InputError("export onnx: --quality fixes the map of Q, and the adapter has no Q; leave it out.")
    frame = pixels or restorer.camera.sensor.pixels
    estimates: dict[str, Any] = {} if restorer.optics is None else _estimates(restorer, frame)
    cell = restorer.prior.size_multiple
    padded = tuple(-(-side // cell) * cell for side in frame)
    about: dict[str, Any] = {
        "schema": SCHEMA,
        "version": VERSION,
        "adapter": restorer.identity,
        "camera": restorer.camera.name,
        "pixels": list(frame),
        "padded": list(padded),
        "map": ("input" if quality is None else "fixed") if has_q else "none",
        "quality": quality,
        "estimates": bool(estimates),
        "without_consistency": without_consistency,
        "graphs": {},
    }
    with atomic_directory(folder) as part:
        with _recordable(restorer):
            for graph in _graphs(restorer, padded, quality):
                path = part / f"{graph.name}.onnx"
                _record(graph, path)
                error = largest_error(graph, path)
                if error > LARGEST_ERROR:
                    raise InputError(f"export onnx: {graph.name} differs from PyTorch by {error:.2g}.")
                about["graphs"][graph.name] = {"largest_error": float(f"{error:.2g}"), "bytes": path.stat().st_size}
        if has_q and quality is None:
            np.save(part / "map.npy", _map(restorer, 0.5).numpy())
        if estimates:
            np.savez(part / "estimates.npz", **estimates)
        write_text(part / "restore.py", Path(onnx_example.__file__).read_text(encoding="utf-8"))
        write_text(part / "onnx.json", json.dumps(about, indent=1) + "\n")
    return about


def largest_error(graph: OnnxGraph, path: Path) -> float:
    """Difference of a written graph from PyTorch, on its examples.

    Args:
        graph: what it is to compute.
        path: of the file.

    Returns:
        In shares of the largest output.
    """
    import onnxruntime

    with torch.no_grad():
        expected = graph.module(*graph.inputs.values())
    expected = expected if isinstance(expected, tuple) else (expected,)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = {each.name: graph.inputs[each.name].numpy() for each in session.get_inputs()}
    found = session.run(None, given)
    scale = max(float(each.abs().max()) for each in expected)
    return max(float(np.abs(a - b.numpy()).max()) for a, b in zip(found, expected, strict=True)) / scale


class _Encoder(nn.Module):
    def __init__(self, restorer: Restorer, fixed: Tensor | None) -> None:
        super().__init__()
        self.restorer, self.fixed = restorer, fixed

    def forward(self, picture: Tensor, maps: Tensor | None = None) -> Tensor:
        """Latents of a picture."""
        with _recorded():
            return self.restorer.encode(picture, _maps(maps, self.fixed, 1))


class _Unet(nn.Module):
    def __init__(self, restorer: Restorer, fixed: Tensor | None) -> None:
        super().__init__()
        self.restorer, self.fixed = restorer, fixed

    def forward(self, latents: Tensor, maps: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Clean latents of both paths."""
        with _recorded():
            found = self.restorer.step(latents.repeat(2, 1, 1, 1), _maps(maps, self.fixed, 2), list(_PATHS))
        return found[:1], found[1:]


class _Decoder(nn.Module):
    def __init__(self, restorer: Restorer) -> None:
        super().__init__()
        self.restorer = restorer

    def forward(self, latents: Tensor) -> Tensor:
        """A picture, near 0..1 and not clipped."""
        return self.restorer.prior.decode(latents)


def _maps(given: Tensor | None, fixed: Tensor | None, count: int) -> Tensor:
    """The map for each sample; an adapter without Q has none, and nothing reads it."""
    found = fixed if given is None else given
    return torch.zeros(count, 0, CELLS, CELLS) if found is None else found.repeat(count, 1, 1, 1)


def _recorded() -> AbstractContextManager[None]:
    """With gradients Q is computed without changing tensors in place, which no graph can express."""
    return torch.enable_grad()


def _graphs(restorer: Restorer, padded: tuple[int, ...], quality: float | None) -> list[OnnxGraph]:
    """The graphs with examples; those of the later ones are results of the earlier."""
    has_q = bool(restorer.layers.ranks)
    example = _map(restorer, 0.5 if quality is None else quality) if has_q else None
    fixed = example if quality is not None else None
    given = {} if example is None or fixed is not None else {"map": example}
    channels = 3 if restorer.optics is None else 3 + ESTIMATE_CHANNELS
    picture = _example(channels, padded)
    encoder, unet, decoder = _Encoder(restorer, fixed), _Unet(restorer, fixed), _Decoder(restorer)
    latents = encoder(picture, *given.values())
    positive, neutral = unet(latents, *given.values())
    return [
        OnnxGraph("encoder", encoder, restorer.prior.vae, {"picture": picture, **given}, ("latents",)),
        OnnxGraph("unet", unet, restorer.prior.unet, {"latents": latents, **given}, _PATHS),
        OnnxGraph("decoder", decoder, restorer.prior.vae, {"latents": 0.75 * positive + 0.25 * neutral}, ("picture",)),
    ]


def _example(channels: int, padded: tuple[int, ...]) -> Tensor:
    """A picture ``[1, channel, y, x]`` of waves and a little noise, as photographs have."""
    y, x = torch.meshgrid(*(torch.arange(side, dtype=torch.float32) for side in padded), indexing="ij")
    waves = 0.45 + 0.3 * torch.sin(x / 9) * torch.cos(y / 13)
    noise = torch.rand(1, channels, *padded, generator=torch.Generator().manual_seed(0))
    return waves + 0.1 * noise


def _map(restorer: Restorer, quality: float) -> Tensor:
    """The map ``[1, channel, n, n]`` of the lens with one quality everywhere."""
    return restorer.maps(torch.full((1, CELLS, CELLS), quality))


@contextmanager
def _recordable(restorer: Restorer) -> Iterator[None]:
    """Parameters as constants: what hooks use is not a parameter of the module that is recorded."""
    kept = {name: each.requires_grad for name, each in restorer.parameters().items()}
    try:
        for each in restorer.parameters().values():
            each.requires_grad_(False)
        yield
    finally:
        for name, each in restorer.parameters().items():
            each.requires_grad_(kept[name])


@contextmanager
def _staged_means(module: nn.Module) -> Iterator[None]:
    """Group normalisation by means along one axis after another, while the block runs.

    onnxruntime sums a whole group one by one in single precision: of a frame with millions of values digits are lost.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, nn.GroupNorm)]
    try:
        for layer in layers:
            layer.forward = partial(_normalised, layer)  # type: ignore[method-assign]
        yield
    finally:
        for layer in layers:
            del layer.forward


def _normalised(layer: nn.GroupNorm, values: Tensor) -> Tensor:
    """What the layer computes of ``[batch, channel, …]``."""
    shape = [int(side) for side in values.shape]
    grouped = values.reshape(shape[0], layer.num_groups, shape[1] // layer.num_groups, *shape[2:])
    centred = grouped - _mean(grouped)
    scaled = (centred / (_mean(centred * centred) + layer.eps).sqrt()).reshape(shape)
    if not layer.affine:
        return scaled
    along = (1, -1, *[1] * (len(shape) - 2))
    return scaled * layer.weight.reshape(along) + layer.bias.reshape(along)


def _mean(grouped: Tensor) -> Tensor:
    """Mean of each group ``[batch, group, …]``, in stages."""
    for axis in range(grouped.ndim - 1, 1, -1):
        grouped = grouped.mean(axis, keepdim=True)
    return grouped


def _record(graph: OnnxGraph, path: Path) -> None:
    with warnings.catch_warnings(), _staged_means(graph.networks):
        # Sizes become constants on purpose, and the recorder by traces is the one that follows hooks.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph.module.eval(),
            tuple(graph.inputs.values()),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
        )


def _estimates(restorer: Restorer, frame: tuple[int, int]) -> dict[str, Any]:
    """What the linear estimates of whole frames need, as arrays; see ``restore.py``."""
    if restorer.bank is None or frame != restorer.camera.sensor.pixels:
        raise InputError("export onnx: conditioning by optics is of the sensor's whole frame; leave out --pixels.")
    sensor = restorer.camera.sensor
    gamma = (sensor.development or Development()).gamma
    inverse = inverse_colour_matrix(sensor)
    return LinearEstimates(restorer.bank).as_arrays() | {
        "gamma": np.float32(0 if gamma is None else gamma),
        "inverse_matrix": np.eye(3, dtype=np.float32) if inverse is None else inverse.astype(np.float32),
    }
