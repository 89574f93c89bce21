"""Maps of radii or widths, a number a site: ``[row, column]`` in nanometres, row 0 at the top."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file
from metalens.formats.files.npy_file import read_npy
from metalens.formats.files.text_file import numbers_of, text_lines
from metalens.optics.layout.lattice import LARGEST_READ, LatticeSites
from metalens.optics.layout.outlines import OUTLINE_OF, ROUND, SQUARE
from metalens.optics.layout.recognition import Made, Recognised, recognised

Quantity = Literal["radius", "diameter", "width"]
LARGEST_FILE = 2**31
NANO = 1e-9


def read_width_map(path: str | os.PathLike[str], made: Made, *, pitch: float, quantity: Quantity) -> Recognised:
    """The structure of a map on a square lattice, its centre the lens' centre.

    Args:
        path: ``.npy``, or text with a row a line and numbers between commas; 0 or NaN where there is no meta-atom.
        made: what it is made of.
        pitch: distance of neighbouring sites in metres.
        quantity: what the map holds.

    Returns:
        The structure and the disc that it fills; where the map has 0 or NaN there is no meta-atom.

    Raises:
        InputError: the map is missing, too large, no map of lengths, or of another shape than ``made.shape``.
    """
    target = Path(path)
    if quantity not in get_args(Quantity):
        raise InputError(f"{target}: {quantity!r} is no quantity; {', '.join(get_args(Quantity))} were expected.")
    shape = made.shape or ("square_pillar" if quantity == "width" else "round_pillar")
    if OUTLINE_OF.get(shape) != (SQUARE if quantity == "width" else ROUND):
        raise InputError(f"{target}: a {quantity} does not describe a {shape}; say with --map-of what the map holds.")
    values = _read(target)
    if values.ndim != 2 or max(values.shape) > LARGEST_READ or values.dtype.kind not in "iuf":
        raise InputError(
            f"{target}: holds {values.dtype} of the shape {values.shape}; [row, column] of numbers with at most "
            f"{LARGEST_READ} a side was expected."
        )
    widths = np.asarray(values, dtype=float) * NANO * (2 if quantity == "radius" else 1)
    taken = np.nan_to_num(widths, nan=0.0) != 0
    if not taken.any() or not (np.isfinite(widths[taken]) & (widths[taken] > 0)).all():
        raise InputError(f"{target}: holds no meta-atoms, or lengths that are negative or infinite.")
    row, column = np.nonzero(taken)
    lengths, outline = np.unique(widths[taken], return_inverse=True)
    sites = LatticeSites("square", pitch, row, column, (widths.shape[0], widths.shape[1]), (0.0, 0.0), 0.0)
    try:
        return recognised(sites, outline, lengths[:, None], replace(made, shape=shape))
    except InputError as error:
        raise InputError(f"{target}: {error}") from error


def _read(path: Path) -> np.ndarray:
    target = input_file(path, "map of widths", largest=LARGEST_FILE, missing="no such file; check its name.")
    try:
        if target.suffix.lower() == ".npy":
            return read_npy(target)
        return numbers_of(text_lines(target, "map of widths", largest=LARGEST_FILE))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"{path}: neither a map of numbers nor a table of sites or of phase ({str(error).splitlines()[0]})."
        ) from error
