"""Choice and labels of a bank's nodes in a figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.drawing.scale import micrometres
from metalens.formats.psf.bank import PsfBank

LARGEST_GRID = 7
"""Largest number of nodes along each side of a figure; finer banks are subsampled."""

EMPTY = -1
"""In a sheet of nodes: nothing is shown there."""


def spread_indices(count: int, most: int = LARGEST_GRID) -> list[int]:
    """Evenly spaced indices from the first to the last of ``count``.

    Args:
        count: number of items, at least 1.
        most: largest number of indices.

    Returns:
        Ascending, without repeats.
    """
    return sorted({round(value) for value in np.linspace(0, count - 1, min(count, most))})


def sheet_of_nodes(bank: PsfBank) -> np.ndarray:
    """Nodes ``[row, column]`` to show side by side, :data:`EMPTY` where there is none.

    A grid is shown as it lies, a radius as one row; scattered nodes go row by row with their distance from the axis.
    """
    count = len(bank.position)
    if bank.layout == "grid":
        number = bank.as_grid(np.arange(count))
        return number[np.ix_(spread_indices(number.shape[0]), spread_indices(number.shape[1]))]
    if bank.layout == "radial":
        return np.array([spread_indices(count)])
    order = np.argsort(np.linalg.norm(bank.position, axis=1), kind="stable")
    shown = order[spread_indices(count, LARGEST_GRID**2)]
    columns = int(np.ceil(np.sqrt(len(shown))))
    rows = -(-len(shown) // columns)
    return np.append(shown, np.full(rows * columns - len(shown), EMPTY)).reshape(rows, columns)


def label_sheet(axes: Any, bank: PsfBank, sheet: np.ndarray, middle: float, most: int = LARGEST_GRID) -> None:
    """Label the cells of a picture with their place on the sensor.

    Args:
        axes: in which a cell is one unit.
        bank: of a grid or a radius.
        sheet: ``[row, column]`` of nodes.
        middle: where the first cell's middle lies.
        most: labels along each side.
    """
    rows, columns = (_labelled(count, most) for count in sheet.shape)
    axes.set_xticks([i + middle for i in columns], [micrometres(bank.position[sheet[0, i], 1]) for i in columns])
    axes.set_yticks([i + middle for i in rows], [micrometres(bank.position[sheet[i, 0], 0]) for i in rows])
    axes.tick_params(length=0)
    axes.set(xlabel="x on the sensor (µm)", ylabel="y on the sensor (µm)")
    if bank.layout == "radial":
        axes.set(xlabel="distance from the optical axis (µm)", ylabel="", yticks=[])


def _labelled(count: int, most: int) -> range:
    """Regularly spaced indices of ``count`` cells, with the middle one."""
    step = -(-count // most)
    return range((count - 1) // 2 % step, count, step)


def channel_title(bank: PsfBank, channel: int) -> str:
    """Name and mean wavelength of a channel.

    Args:
        bank: the bank.
        channel: 0 red, 1 green, 2 blue.

    Returns:
        Such as ``green, 532 nm``.
    """
    return f"{CHANNEL_NAMES[channel]}, {1e9 * bank.channel_weight[channel] @ bank.wavelength:.0f} nm"
