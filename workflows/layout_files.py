"""Files of a structure: layouts for a clean room, the table of its sites, and the structure itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.structure import Structure, write_structure
from metalens.optics.layout.mask import MaskOptions, write_mask
from metalens.optics.layout.sites_table import write_sites_table


def write_structure_file(
    kind: str, path: Path, structure: Structure, camera: Camera, options: MaskOptions
) -> dict[str, Any]:
    """Write one of the files of a structure.

    Args:
        kind: ``gds``, ``oasis``, ``csv`` or ``structure``.
        path: the file.
        structure: the meta-atoms.
        camera: whose lens it is.
        options: of layouts.

    Returns:
        Its path, size in bytes, and what was drawn.

    Raises:
        InputError: the file cannot be written, or the structure cannot be drawn so.
    """
    writers: dict[str, Callable[[], dict[str, Any]]] = {
        "csv": lambda: _write_table(path, structure),
        "structure": lambda: _write_structure(path, structure),
    }
    return writers[kind]() if kind in writers else _write_layout(kind, path, structure, camera, options)


def _write_layout(kind: Any, path: Path, structure: Structure, camera: Camera, options: MaskOptions) -> dict[str, Any]:
    chosen = options if kind == "oasis" else replace(options, circles=False)
    lens = camera.lens
    made = write_mask(path, structure, kind, diameter=lens.aperture_m, aperture=lens.aperture, options=chosen)
    return {
        "path": str(path),
        "bytes": made.size,
        "cells": made.cells,
        "references": made.references,
        "quadrants": made.quadrants,
        "largest_width_error_nm": 1e9 * made.width_error,
        **({} if made.angle_error is None else {"largest_angle_error_deg": math.degrees(made.angle_error)}),
    }


def _write_table(path: Path, structure: Structure) -> dict[str, Any]:
    lines = write_sites_table(path, structure)
    return {"path": str(path), "bytes": path.stat().st_size, "sites": lines}


def _write_structure(path: Path, structure: Structure) -> dict[str, Any]:
    write_structure(path, structure)
    return {"path": str(path), "bytes": path.stat().st_size}
