"""Reading of OASIS files in a process of its own, which a hostile file may crash without harm.

This file runs alone, ``python -I isolated.py LAYOUT OUTPUT BYTES SECONDS``: it imports nothing of the package, limits
its memory and processor time, lets gdstk read, and writes what it found as plain arrays to OUTPUT (.npz). Its last line
on stdout is one JSON object, with ``error`` in it if the file cannot be used.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

import numpy as np

MAXIMUM_PLACES = 2**25
"""Polygons and references of all cells, each repetition counted; references are not followed."""

CIRCLE_TOLERANCE = 1e-5
"""In user units: how far the polygon of a circle may be from it, which makes its area right to parts in 10⁴."""


class Refused(Exception):
    """The layout cannot be used; the message says why."""


def places_of(element: Any, origin: tuple[float, float]) -> np.ndarray:
    """The positions of an element and its repetitions.

    Args:
        element: of gdstk, with a repetition.
        origin: (x, y) of its first one, in the file's unit.

    Returns:
        ``[place, 2]`` (x, y).
    """
    if not element.repetition.size:
        return np.array([origin], dtype=float)
    return np.asarray(origin, dtype=float) + element.repetition.get_offsets()


def check_size(library: Any) -> None:
    """Refuse repetitions of more places than a lens has sites, before any is written out."""
    total = sum(max(each.repetition.size, 1) for cell in library.cells for each in (*cell.polygons, *cell.references))
    if total > MAXIMUM_PLACES:
        raise Refused(f"holds {total} polygons and references; at most {MAXIMUM_PLACES} are read")


def polygons_of(cells: list[Any]) -> dict[str, np.ndarray]:
    """All polygons: their cell, layer, vertices, and the places of each one's repetitions."""
    every = [(number, each) for number, cell in enumerate(cells) for each in cell.polygons]
    shifts = [places_of(each, (0.0, 0.0)) for _, each in every]
    return {
        "polygon_cell": np.array([number for number, _ in every], dtype=np.int64),
        "polygon_layer": np.array([(each.layer, each.datatype) for _, each in every], dtype=np.int64).reshape(-1, 2),
        "polygon_vertices": np.array([len(each.points) for _, each in every], dtype=np.int64),
        "point": np.concatenate([each.points for _, each in every]) if every else np.zeros((0, 2)),
        "shift_count": np.array([len(each) for each in shifts], dtype=np.int64),
        "shift": np.concatenate(shifts) if shifts else np.zeros((0, 2)),
    }


def references_of(cells: list[Any]) -> tuple[dict[str, np.ndarray], list[list[Any]]]:
    """All references in groups of equal cell, target and turn: their places, and what each group is."""
    groups: dict[tuple, list[np.ndarray]] = {}
    for number, cell in enumerate(cells):
        for each in cell.references:
            key = (number, each.cell_name, each.rotation, each.magnification, each.x_reflection)
            groups.setdefault(key, []).append(places_of(each, each.origin))
    joined = [np.concatenate(parts) for parts in groups.values()]
    arrays = {
        "origin_count": np.array([len(each) for each in joined], dtype=np.int64),
        "origin": np.concatenate(joined) if joined else np.zeros((0, 2)),
    }
    return arrays, [list(key) for key in groups]


def read(path: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What a layout holds, in its user unit."""
    import gdstk

    library = gdstk.read_oas(path, tolerance=CIRCLE_TOLERANCE)
    cells = [each for each in library.cells if isinstance(each, gdstk.Cell)]
    check_size(library)
    places, groups = references_of(cells)
    paths = {
        (number, layer, datatype)
        for number, cell in enumerate(cells)
        for each in cell.paths
        for layer, datatype in zip(each.layers, each.datatypes, strict=True)
    }
    facts = {
        "cells": [cell.name for cell in cells],
        "groups": groups,
        "paths": sorted(paths),
        "unit": library.unit,
        "grid": library.precision,
    }
    return polygons_of(cells) | places, facts


def limit_resources(memory: int, seconds: int) -> None:
    """Limit this process, where the system has such limits.

    Args:
        memory: largest address space in bytes.
        seconds: of processor time.
    """
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Read the layout of the command line."""
    path, output, memory, seconds = sys.argv[1:]
    limit_resources(int(memory), int(seconds))
    try:
        arrays, facts = read(path)
    except Refused as error:
        print(json.dumps({"error": str(error)}))
    except MemoryError:
        print(json.dumps({"error": f"needs more than {memory} bytes of memory to read"}))
    except Exception as error:  # whatever gdstk makes of a damaged file
        print(json.dumps({"error": f"damaged OASIS file ({str(error).rstrip('.')})"}))
    else:
        np.savez(output, **arrays)  # type: ignore[arg-type]
        print(json.dumps(facts))


if __name__ == "__main__":
    main()
