"""The user's cache folder: what can be made or pulled again, kept so that it need not be."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

VARIABLE = "METALENS_CACHE"
"""Environment variable that names another folder."""


def cache_folder() -> Path:
    """The folder, ``~/.cache/metalens`` on Linux; it need not be there yet."""
    named = os.environ.get(VARIABLE)
    return Path(named).absolute() if named else Path(platformdirs.user_cache_dir("metalens", appauthor=False))
