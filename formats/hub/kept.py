"""Revisions of the hub in the user's cache folder: what a command reads where it is given an address."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from metalens.formats.files.atomic import write_text
from metalens.formats.files.cache_folder import cache_folder
from metalens.formats.files.errors import InputError, Notice
from metalens.formats.hub.address import HubAddress, hub_address, is_hub_address
from metalens.formats.hub.content import PSF, Content, selected
from metalens.formats.hub.listing import HubListing, HubUnreachable, RepositoryKind, list_revision
from metalens.formats.hub.pulling import NOTE, note_of, pull, read_note

_KINDS: dict[Content, tuple[RepositoryKind, ...]] = {
    "pairs": ("dataset",),
    "adapter": ("model",),
    "psf": ("dataset", "model"),
    "photographs": ("dataset",),
}
"""Kinds of the repositories in which each content may lie, in the order in which they are asked for."""


def local_folder(source: str | os.PathLike[str], content: Content) -> Path:
    """The folder of a source: itself, or of an address on the hub the folder in the cache, pulled if it is not there.

    Args:
        source: a path, or ``hf:user/name[@revision]``.
        content: what it is to hold.

    Returns:
        The source as a path, or the folder in the cache.

    Raises:
        InputError: there is no such repository or revision, or it holds something else; without an answer of the hub,
            that revision is not kept here.
    """
    if not is_hub_address(source):
        return Path(source)
    listing = listing_of(hub_address(source), content)
    folder = kept_folder(listing, content)
    if not is_whole(folder, listing):
        warnings.warn(
            Notice(f"{listing.address}: {len(listing.files)} files of {listing.size / 1e6:.1f} MB are pulled."),
            stacklevel=2,
        )
        folder.parent.mkdir(parents=True, exist_ok=True)
        pull(listing, folder, resume=True)
    return folder


def local_psf(source: str | os.PathLike[str]) -> Path:
    """The psf.h5 of a source: itself, or of an address on the hub the file in the cache.

    Args:
        source: a path, or the address of a repository that holds a ``psf.h5``: pairs, or an adapter.

    Raises:
        InputError: see :func:`local_folder`.
    """
    return local_folder(source, "psf") / PSF if is_hub_address(source) else Path(source)


def listing_of(address: HubAddress, content: Content) -> HubListing:
    """The files of a revision: of the hub or, if it does not answer, of what is kept here.

    Args:
        address: of the repository.
        content: what it is to hold.

    Returns:
        Size and checksums of each file that belongs to the content.

    Raises:
        InputError: see :func:`local_folder`.
    """
    for kind in _KINDS[content]:
        kept = _kept_listing(address, kind, content)
        if kept is not None and address.is_pinned:
            return kept
        try:
            listing = selected(list_revision(address, kind), content)
        except HubUnreachable as error:
            if kept is None:
                raise
            warnings.warn(Notice(f"{error} Revision {kept.address.revision[:12]} is taken, kept here."), stacklevel=2)
            return kept
        except InputError:
            if kind != _KINDS[content][-1]:
                continue
            raise
        if not address.is_pinned:
            place = _place(address, kind, content) / "refs"
            place.mkdir(parents=True, exist_ok=True)
            write_text(place / address.revision.replace("/", "--"), listing.address.revision)
        return listing
    raise AssertionError("every content has a kind")


def kept_folder(listing: HubListing, content: Content) -> Path:
    """Folder in the cache for a revision.

    Args:
        listing: the revision.
        content: what it is to hold.

    Returns:
        The folder's path; it need not be there.
    """
    return _place(listing.address, listing.kind, content) / listing.address.revision


def kept_revisions(content: Content) -> Iterator[tuple[HubAddress, Path]]:
    """Whole revisions in the cache, with their folders, sorted by name."""
    for note in sorted((cache_folder() / "hub").glob(f"*/{content}/*/{NOTE}")):
        listing = read_note(note.parent).listing
        if is_whole(note.parent, listing):
            yield listing.address, note.parent


def is_whole(folder: Path, listing: HubListing) -> bool:
    """Whether every file of a revision is in a folder, by its size; checksums were compared when it was pulled.

    Args:
        folder: where the revision is.
        listing: the revision.

    Returns:
        True if no file is missing or of another size.
    """
    return all(
        (folder / name).is_file() and (folder / name).stat().st_size == file.size
        for name, file in listing.files.items()
    )


def begin_streaming(listing: HubListing) -> Path:
    """Prepare the folder in the cache for photographs that are pulled one by one, by :func:`streamed`.

    Args:
        listing: the revision.

    Returns:
        The folder; its files come when they are asked for.
    """
    folder = kept_folder(listing, "photographs")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / NOTE).is_file():
        write_text(folder / NOTE, note_of(listing).model_dump_json(by_alias=True, indent=1) + "\n")
    return folder


def streamed(path: Path) -> Path:
    """Pull a photograph of the cache if it is not there yet; any other path is returned unchanged.

    Args:
        path: of a photograph.

    Raises:
        InputError: see :func:`metalens.formats.hub.pulling.pull`.
    """
    root = cache_folder() / "hub"
    if path.is_file() or root not in path.parents:
        return path
    from metalens.formats.hub.pulling import pull_file

    # hub / repository / content / revision / name
    folder = root.joinpath(*path.relative_to(root).parts[:3])
    listing = read_note(folder).listing
    name = path.relative_to(folder).as_posix()
    return pull_file(listing, name, folder) if name in listing.files else path


def _kept_listing(address: HubAddress, kind: RepositoryKind, content: Content) -> HubListing | None:
    place = _place(address, kind, content)
    revision = address.revision
    if not address.is_pinned:
        ref = place / "refs" / revision.replace("/", "--")
        if not ref.is_file():
            return None
        revision = ref.read_text(encoding="utf-8").strip()
    folder = place / revision
    if not (folder / NOTE).is_file():
        return None
    listing = read_note(folder).listing
    # Of photographs those that are not here are pulled one by one.
    return listing if content == "photographs" or is_whole(folder, listing) else None


def _place(address: HubAddress, kind: RepositoryKind, content: Content) -> Path:
    return cache_folder() / "hub" / f"{kind}s--{address.repository.replace('/', '--')}" / content
