"""Files of a revision on the hub, and errors of the hub as one sentence."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import require
from metalens.formats.files.foreign_text import shown
from metalens.formats.files.interruption import stop_if_interrupted
from metalens.formats.hub.address import HubAddress

if TYPE_CHECKING:
    from huggingface_hub import HfApi

RepositoryKind = Literal["dataset", "model"]

SECONDS = 5.0
"""How long the hub may take to say that it is there."""

_CHUNK = 2**20


@dataclass(frozen=True)
class HubFile:
    """A file of a revision.

    Attributes:
        size: in bytes.
        sha256: of its content, for large files.
        blob: git's SHA-1 of its content, for small files.
    """

    size: int
    sha256: str = ""
    blob: str = ""

    def is_whole(self, path: Path) -> bool:
        """Whether a file on the disk has this size and this checksum."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        # Git's checksum is of a header and the content.
        digest = hashlib.sha256() if self.sha256 else hashlib.sha1(f"blob {self.size}\0".encode())
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                stop_if_interrupted()
        return digest.hexdigest() == (self.sha256 or self.blob)


@dataclass(frozen=True)
class HubListing:
    """Files of one revision.

    Attributes:
        address: with the hash of the revision.
        kind: of the repository.
        files: name → file.
        licence: as the repository's card states it for all of it; empty if it does not.
    """

    address: HubAddress
    kind: RepositoryKind
    files: dict[str, HubFile]
    licence: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())

    def only(self, names: list[str]) -> HubListing:
        """The same revision with some of its files."""
        return HubListing(self.address, self.kind, {name: self.files[name] for name in names}, self.licence)


class HubUnreachable(InputError):
    """The hub does not answer, or is not to be asked (``HF_HUB_OFFLINE``)."""


def hub_api() -> HfApi:
    """The hub that ``HF_ENDPOINT`` names, read when it is asked for.

    Raises:
        InputError: ``huggingface_hub`` is not installed.
    """
    require("hf:", "huggingface_hub")
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars
    from huggingface_hub.utils.logging import set_verbosity

    # stdout and stderr are the commands' own, and its errors are raised.
    disable_progress_bars()
    set_verbosity(logging.CRITICAL)
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)


def list_revision(address: HubAddress, kind: RepositoryKind) -> HubListing:
    """List the files of a revision; the answer takes at most some seconds.

    Args:
        address: of the repository; a branch or tag is resolved to the hash of its commit.
        kind: of the repository.

    Returns:
        Size and checksums of each file, and the commit's hash in the address.

    Raises:
        HubUnreachable: the hub does not answer.
        InputError: there is no such repository or revision, or it may not be read.
    """
    api = hub_api()
    with hub_errors(str(address), kind):
        found: Any = api.repo_info(
            address.repository, repo_type=kind, revision=address.revision, timeout=SECONDS, files_metadata=True
        )
    files = {}
    for each in found.siblings or ():
        sha256 = each.lfs.sha256 if each.lfs is not None else ""
        if not isinstance(each.size, int) or not (sha256 or each.blob_id):
            raise InputError(f"{address}: the hub told no size and checksum of {shown(each.rfilename)}; try it later.")
        files[each.rfilename] = HubFile(each.size, sha256 or "", each.blob_id or "")
    card = found.card_data
    licence = card.get("license") if card is not None else None
    pinned = HubAddress(address.repository, str(found.sha))
    if not pinned.is_pinned:
        raise InputError(f"{address}: the hub told no hash of this revision; check HF_ENDPOINT.")
    return HubListing(pinned, kind, files, licence if isinstance(licence, str) else "")


@contextmanager
def hub_errors(address: str, kind: RepositoryKind) -> Iterator[None]:
    """Turn what ``huggingface_hub`` raises into a sentence.

    Args:
        address: begins the sentence.
        kind: of the repository.

    Yields:
        Nothing; errors within the block are those that are turned.

    Raises:
        HubUnreachable: the hub does not answer.
        InputError: it refuses.
    """
    from huggingface_hub import errors

    try:
        yield
    except (InputError, KeyboardInterrupt, MemoryError):
        raise
    except errors.RevisionNotFoundError as error:
        raise InputError(f"{address}: the {kind} has no such revision; leave it out for the newest one.") from error
    except (errors.RepositoryNotFoundError, errors.GatedRepoError) as error:
        raise InputError(
            f"{address}: no such {kind} on the hub, or it is private; check the name, or log in by `hf auth login`."
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            raise InputError(
                f"{address}: the hub does not let you do this (status {status}); log in by `hf auth login` with a "
                "token that may write, and check the user's name."
            ) from error
        raise HubUnreachable(f"{address}: the hub failed (status {status}); repeat the command later.") from error
    except Exception as error:  # of the packages that it speaks HTTP with
        raise HubUnreachable(
            f"{address}: the model hub could not be reached ({_first_line(error)}); check the network, or copy the "
            "folder from a machine that has it."
        ) from error


def _first_line(error: BaseException) -> str:
    if isinstance(error, RuntimeError) and error.__cause__ is not None:  # that it was this file, and not why
        return _first_line(error.__cause__)
    lines = str(error).strip().splitlines()
    return shown(lines[0].rstrip(".")) if lines else type(error).__name__
