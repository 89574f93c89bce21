"""Latents on disk: the result of one restoration, so that any other α costs one decode (``--latents``).

A safetensors file with ``positive`` and ``neutral`` ``[1, channel, y, x]`` float32, and for adapters with skips also
``capture`` ``[y, x, 3]`` uint8 and its degradation map ``map`` ``[1, 4, n, n]``. The metadata describes their origin:

====================  =====================================================================
``schema, version``   ``metalens.latents``, 1
``adapter, prior``    SHA-256 of their parameters; required for decoding
``camera``            its name
``capture_sha256``    SHA-256 of the photograph's pixels
``rows, columns``     size of the photograph
``steps``             diffusion steps
====================  =====================================================================
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file
from metalens.formats.files.schema_version import version_advice
from metalens.formats.pictures.pictures import MAXIMUM_PIXELS
from metalens.restore.adapter.adapter_file import read_tensors
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.conditioning.degradation_map import CELLS, lens_channels
from metalens.restore.inference.restoration import ONE_STEP, Latents, Settings, decodes_with_capture

SCHEMA = "metalens.latents"
VERSION = "1"
SUFFIX = ".safetensors"

LARGEST_FILE = 2**33
"""Largest size in bytes; the latents of the largest photograph that is read take 2 GB."""


def save_latents(
    path: Path, latents: Latents, *, restorer: Restorer, capture: np.ndarray, settings: Settings = ONE_STEP
) -> None:
    """Write latents.

    Args:
        path: the file, written atomically.
        latents: result of :func:`metalens.restore.inference.restoration.latents_of`.
        restorer: the restorer that predicted them.
        capture: their capture, ``[y, x, 3]`` uint8.
        settings: steps, tiles, place.

    Raises:
        InputError: the disk refuses the write.
    """
    tensors = {"positive": latents.positive, "neutral": latents.neutral}
    if latents.capture is not None:
        tensors |= {"capture": torch.from_numpy(np.ascontiguousarray(latents.capture[0])), "map": latents.capture[1]}
    metadata = {
        "schema": SCHEMA,
        "version": VERSION,
        "adapter": restorer.identity,
        "prior": restorer.prior.identity,
        "camera": restorer.camera.name,
        "capture_sha256": hashlib.sha256(np.ascontiguousarray(capture).tobytes()).hexdigest(),
        "rows": str(latents.pixels[0]),
        "columns": str(latents.pixels[1]),
        "steps": str(settings.steps),
    }
    if latents.place is not None and latents.capture is not None:
        metadata |= {"row": str(latents.place[0]), "column": str(latents.place[1])}
    with atomic_file(path) as part:
        safetensors.torch.save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, part, metadata)


def load_latents(path: Path, restorer: Restorer) -> Latents:
    """Read latents and check that this restorer can decode them.

    Args:
        path: the file.
        restorer: prior and adapter.

    Returns:
        The latents of both paths.

    Raises:
        InputError: the file is missing, damaged, too large, not finite, or of another adapter or prior.
    """
    metadata = _metadata(path)
    schema, version, advice = metadata.get("schema"), metadata.get("version", ""), "restore the photograph again"
    if schema != SCHEMA or version != VERSION:
        if schema == SCHEMA and re.fullmatch("[0-9]{1,9}", version):
            advice = version_advice(int(version), (int(VERSION),), advice)
        raise InputError(
            f"{path}: found {schema!r} version {version!r}, expected {SCHEMA} version {VERSION}; {advice}."
        )
    for what, found, expected in (
        ("prior", metadata.get("prior"), restorer.prior.identity),
        ("adapter", metadata.get("adapter"), restorer.identity),
    ):
        if found != expected:
            raise InputError(
                f"{path}: was made with another {what} ({str(found)[:12]}, this one is {expected[:12]}); give that one."
            )
    pixels = _pixels(path, metadata)
    tensors = read_tensors(path, expected=_shapes(restorer, pixels))
    for name in ("positive", "neutral"):
        if not torch.isfinite(tensors[name]).all():
            raise InputError(f"{path}: {name} holds NaN or infinity; restore the photograph again.")
    capture = (tensors["capture"].numpy(), tensors["map"]) if decodes_with_capture(restorer) else None
    both = (_on_device(tensors["positive"], restorer), _on_device(tensors["neutral"], restorer))
    return Latents(*both, pixels, capture, _place(path, metadata, pixels, restorer))


def _on_device(values: Tensor, restorer: Restorer) -> Tensor:
    return values.float().to(restorer.prior.device)


def _metadata(path: Path) -> dict[str, str]:
    input_file(path, "file of latents", largest=LARGEST_FILE, missing="no such file; restore the photograph again.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: no latents that can be read ({error}); restore the photograph again.") from error


def _pixels(path: Path, metadata: dict[str, str]) -> tuple[int, int]:
    rows, columns = metadata.get("rows", ""), metadata.get("columns", "")
    if not (rows.isdecimal() and columns.isdecimal()) or not 0 < int(rows) * int(columns) <= MAXIMUM_PIXELS:
        raise InputError(
            f"{path}: says that its photograph has {rows!r} × {columns!r} pixels, expected up to {MAXIMUM_PIXELS}; "
            "restore the photograph again."
        )
    return int(rows), int(columns)


def _place(path: Path, metadata: dict[str, str], pixels: tuple[int, int], restorer: Restorer) -> tuple[int, int] | None:
    if "row" not in metadata and "column" not in metadata:
        return None
    row, column = (metadata.get(key, "")[:9] for key in ("row", "column"))
    sensor = restorer.camera.sensor.pixels
    if not (row.isdecimal() and column.isdecimal()) or any(
        int(at) + length > side for at, length, side in zip((row, column), pixels, sensor, strict=True)
    ):
        raise InputError(
            f"{path}: says that its photograph begins at row {row!r}, column {column!r} of a sensor of {sensor[0]} × "
            f"{sensor[1]} pixels, where it does not lie; restore the photograph again."
        )
    return int(row), int(column)


def _shapes(restorer: Restorer, pixels: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    prior = restorer.prior
    sides = tuple(-(-side // prior.size_multiple) * prior.size_multiple // prior.latent_stride for side in pixels)
    plane = (1, int(prior.vae.config.latent_channels), *sides)
    shapes: dict[str, tuple[int, ...]] = {"positive": plane, "neutral": plane}
    if decodes_with_capture(restorer):
        shapes |= {"capture": (*pixels, 3), "map": (1, lens_channels(restorer.config.conditioning) + 1, CELLS, CELLS)}
    return shapes
