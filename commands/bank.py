"""``--psf``: the psf.h5 of a camera, or the camera, whose functions are then simulated once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metalens.commands.progress import count_progress

if TYPE_CHECKING:
    from metalens.formats.psf.bank_file import Bank


def given_bank(source: Path) -> Path:
    """The psf.h5 of what ``--psf`` names.

    Raises:
        InputError: see :func:`metalens.workflows.banks.bank_file`.
    """
    from metalens.workflows.banks import bank_file, is_camera

    if not is_camera(source):
        return bank_file(source)
    with count_progress("PSF", "field") as tell:
        return bank_file(source, tell)


def given_banks(sources: Sequence[Path], *, dry_run: bool = False) -> list[Bank]:
    """The banks of several.

    Args:
        sources: what ``--psf`` names.
        dry_run: simulate nothing: a camera whose functions are not kept yet gets a stand-in without blur.

    Returns:
        A bank for each source, in their order.

    Raises:
        InputError: see :func:`metalens.workflows.banks.bank_file`.
    """
    if dry_run:
        from metalens.workflows.banks import planned_bank

        return [planned_bank(each) for each in sources]
    return [given_bank(each) for each in sources]
