"""The cells of an OASIS file, which gdstk reads in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.layout import isolated
from metalens.optics.layout.hierarchy import UNIT_POWERS, Cell, References, measure

MAGIC = b"%SEMI-OASIS\r\n"
BASE_MEMORY, MEMORY_A_BYTE, MOST_MEMORY = 2**31, 256, 2**33
BASE_SECONDS, SECONDS_A_BYTE = 20, 5e-6
"""Limits in bytes and in processor seconds; a lens of 6.4 million sites in 6 MB takes 0.6 GB and 3 s."""

END_LENGTH = 256
"""Bytes of the END record, the last one of every OASIS file (SEMI P39)."""


def read_oasis_cells(path: Path) -> tuple[dict[str, Cell], float]:
    """The cells of an OASIS file by name, and its grid in metres.

    Raises:
        InputError: it is no whole OASIS file, or more than a layout of a lens needs.
    """
    if not has_end(path):
        raise InputError(f"{path}: damaged OASIS file: it has no end; export or copy it again.")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "cells.npz"
        facts = _run(path, output)
        with np.load(output, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    if not all(np.isfinite(each).all() for each in arrays.values()):
        raise InputError(f"{path}: holds coordinates that are not finite; export it again.")
    return _cells(arrays, facts), float(facts["grid"])


def has_end(path: Path) -> bool:
    """Whether a file has the record that ends every OASIS file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - END_LENGTH, 0))
        return file.read(1) == b"\x02" and size >= END_LENGTH + len(MAGIC)


def _run(path: Path, output: Path) -> dict[str, Any]:
    size = path.stat().st_size
    memory = min(BASE_MEMORY + MEMORY_A_BYTE * size, MOST_MEMORY)
    seconds = BASE_SECONDS + round(SECONDS_A_BYTE * size)
    command = [sys.executable, "-I", isolated.__file__, str(path.resolve()), str(output), str(memory), str(seconds)]
    # On a busy machine a process gets only a part of the wall-clock time.
    longest = 6 * seconds
    try:
        run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=longest)
    except subprocess.TimeoutExpired:
        raise InputError(f"{path}: took more than {longest} s to read; refused.") from None
    told = [line.removeprefix("[GDSTK] ").rstrip(".") for line in run.stderr.splitlines() if line[:7] == "[GDSTK]"]
    if run.returncode != 0 or not run.stdout.strip():
        what = told[-1] if told else f"its reader stopped with {run.returncode}"
        raise InputError(
            f"{path}: damaged OASIS file, or more than a layout of a lens needs ({what}); export it again."
        )
    facts: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    # gdstk returns what it could read of a broken file and only prints that it is broken.
    broken = facts.get("error") or (f"damaged OASIS file ({told[-1]})" if told else None)
    if broken:
        raise InputError(f"{path}: {broken}; export or copy it again.")
    return facts


def _cells(arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> dict[str, Cell]:
    unit = facts["unit"]
    measures = _measured(arrays["point"] * unit, arrays["polygon_vertices"])
    owner = np.repeat(arrays["polygon_cell"], arrays["shift_count"])
    number = np.repeat(np.arange(len(measures)), arrays["shift_count"])
    ends = np.cumsum(arrays["origin_count"])
    cells = {}
    for index, name in enumerate(facts["cells"]):
        mine = np.flatnonzero(arrays["polygon_cell"] == index)
        placed = owner == index
        cells[name] = Cell(
            layers=arrays["polygon_layer"][mine],
            measures=measures[mine],
            number=number[placed] - (mine[0] if len(mine) else 0),
            shift=arrays["shift"][placed] * unit,
            references=tuple(
                References(group[1], (arrays["origin"][end - count : end] * unit,), *group[2:])
                for group, end, count in zip(facts["groups"], ends, arrays["origin_count"], strict=True)
                if group[0] == index
            ),
            path_layers=frozenset((layer, datatype) for cell, layer, datatype in facts["paths"] if cell == index),
        )
    return cells


def _measured(points: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Measures of polygons whose points follow each other, those of equal length at once."""
    starts = np.cumsum(vertices) - vertices
    found = np.zeros((len(vertices), len(UNIT_POWERS)))
    for length in np.unique(vertices):
        which = np.flatnonzero(vertices == length)
        found[which] = measure(points[starts[which, None] + np.arange(length)])
    return found
