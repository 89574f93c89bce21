"""Output files that a command has for itself until it ends."""

from __future__ import annotations

from pathlib import Path

import click


def claim_new_file(*outputs: Path) -> None:
    """Check that files are new, and lock them until the command ends; a second run into them is told at once.

    Args:
        outputs: their paths.

    Raises:
        InputError: see :func:`metalens.formats.files.claim.claimed_file`.
    """
    from metalens.formats.files.claim import claimed_file

    for output in outputs:
        click.get_current_context().with_resource(claimed_file(output))
