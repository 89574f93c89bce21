"""Addresses on the hub: ``hf:user/name``, with ``@`` and a branch, a tag or the hash of a revision behind it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from metalens.formats.files.errors import InputError

PREFIX = "hf:"

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"hf:(?P<repository>{_PART}/{_PART})(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9._/-]{{0,199}}))?")
_HASH = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubAddress:
    """A repository on the hub, at a revision.

    Attributes:
        repository: ``user/name``.
        revision: a branch, a tag or the 40 hexadecimal digits of a commit.
    """

    repository: str
    revision: str = "main"

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}" + ("" if self.revision == "main" else f"@{self.revision}")

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which never changes."""
        return _HASH.fullmatch(self.revision) is not None


def is_hub_address(source: object) -> bool:
    """Whether a source is written as an address on the hub; :func:`hub_address` says whether it is a sound one."""
    return isinstance(source, str | os.PathLike) and os.fspath(source).startswith(PREFIX)


def hub_address(source: str | os.PathLike[str]) -> HubAddress:
    """Read an address.

    Raises:
        InputError: it has another form.
    """
    found = _ADDRESS.fullmatch(os.fspath(source))
    if found is None or ".." in os.fspath(source) or "--" in found["repository"]:
        raise InputError(f"{source}: no address on the hub; write hf:user/name, or hf:user/name@revision.")
    return HubAddress(found["repository"], found["revision"] or "main")
