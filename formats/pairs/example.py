"""The pair that comes with the package: a held-out photograph and its simulated capture, to restore at once."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from metalens.formats.files.errors import InputError
from metalens.formats.hub.address import is_hub_address
from metalens.formats.hub.kept import local_folder

EXAMPLE = "embedded:example"
"""Its name; ``example/README.md`` tells the command that made it, and the licence of the photograph."""


def pairs_folder(source: str | os.PathLike[str]) -> Path:
    """The folder of pairs of a source.

    Args:
        source: a path, ``embedded:example``, or ``hf:user/name[@revision]``, which is pulled if it is not kept here.

    Raises:
        InputError: another name after ``embedded:``; see also :func:`metalens.formats.hub.kept.local_folder`.
    """
    name = os.fspath(source)
    if name == EXAMPLE:
        return Path(str(resources.files("metalens.formats.pairs") / "example"))
    if name.startswith("embedded:"):
        raise InputError(
            f"{name}: no such pairs come with the package, which has {EXAMPLE}; give this or a folder of pairs."
        )
    return local_folder(source, "pairs") if is_hub_address(source) else Path(source)
