"""Files that belong to what is pulled: pairs, an adapter, point spread functions, photographs. All else is refused.

Weights are safetensors, pairs and point spread functions are HDF5, the rest is JSON, Markdown and pictures: nothing
that is pulled can hold code.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal

from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import shown
from metalens.formats.hub.listing import HubListing
from metalens.formats.pictures.light import LIGHT_SUFFIXES

Content = Literal["pairs", "adapter", "psf", "photographs"]

WHAT = {"pairs": "pairs", "adapter": "an adapter", "psf": "point spread functions", "photographs": "photographs"}

CARD = "README.md"
SHEET = "sheet.png"
PSF = "psf.h5"
TERMS = ("manifest.json", "metadata.jsonl", "metadata.csv")
"""Files with the licences of photographs: this package's, and those of Hugging Face's imagefolders."""

_IGNORED = re.compile(r"\.git(attributes|ignore)|LICEN[CS]E[^/]*|NOTICE[^/]*|hub\.json")
_PAIRS = re.compile(rf"manifest\.json|shard-\d{{5}}\.(h5|json)|{CARD}|{SHEET}|{PSF}")
_ADAPTER = re.compile(
    rf"adapter\.json|adapter\.safetensors|prompts\.safetensors|training\.json|{PSF}|{CARD}|"
    r"(pictures|validation)/[A-Za-z0-9_-][A-Za-z0-9._-]*\.png|[A-Za-z0-9_-]+\.png"
)
_NEEDED = {
    "pairs": ("manifest.json",),
    "adapter": ("adapter.json", "adapter.safetensors"),
    "psf": (PSF,),
    "photographs": (),
}


def belongs(content: Content, name: str) -> bool:
    """Whether a file of this name is part of pairs or of an adapter.

    Args:
        content: pairs or an adapter.
        name: of the file, relative to the folder, with ``/``.

    Returns:
        True if the file belongs to that content.
    """
    return (_PAIRS if content == "pairs" else _ADAPTER).fullmatch(name) is not None


def selected(listing: HubListing, content: Content) -> HubListing:
    """The files of a revision that are pulled.

    Args:
        listing: all files of the revision.
        content: what it is to hold.

    Returns:
        The same revision with these files, in the order of their names.

    Raises:
        InputError: one that is needed is missing, or a file is of another kind than this content has.
    """
    names = sorted(name for name in listing.files if _IGNORED.fullmatch(name) is None)
    lacking = [name for name in _NEEDED[content] if name not in names]
    if lacking:
        raise InputError(
            f"{listing.address}: holds no {lacking[0]}, it is not {WHAT[content]} of metalens; check the address."
        )
    if content == "psf":
        return listing.only([PSF])
    if content == "photographs":
        return _photographs(listing, names)
    for name in names:
        if not belongs(content, name):
            raise InputError(
                f"{listing.address}: holds {shown(name)}, which is no part of {WHAT[content]} (safetensors, HDF5, "
                "JSON, Markdown and PNG); nothing was pulled; ask its author to remove it."
            )
    return listing.only(names)


def _photographs(listing: HubListing, names: list[str]) -> HubListing:
    pictures = [name for name in names if _is_plain(name) and PurePosixPath(name).suffix.lower() in LIGHT_SUFFIXES]
    if not pictures:
        tables = [name for name in names if name.endswith((".parquet", ".arrow", ".tar", ".zip"))]
        inside = f" outside of {shown(tables[0])}" if tables else ""
        raise InputError(f"{listing.address}: holds no picture files{inside}; give a dataset of pictures in folders.")
    terms = [name for name in names if _is_plain(name) and PurePosixPath(name).name in TERMS]
    return listing.only([*terms, *pictures])


def _is_plain(name: str) -> bool:
    """Whether a name can be one in a folder, on every system, and nothing outside of it."""
    path = PurePosixPath(name)
    return (
        not path.is_absolute()
        and not any(part.startswith(".") or re.search(r'[\\:*?"<>|\x00-\x1f]', part) for part in path.parts)
        and len(name.encode()) <= 200
    )
