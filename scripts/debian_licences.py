"""Who made a picture inside a Debian package, and on what terms, as the package itself states it.

Two formats say it: the machine-readable ``copyright`` file (DEP-5), whose stanzas name the files of the source
package by pattern, and the ``README`` beside the pictures of GCompris, whose stanzas list exact names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Terms:
    """The licence of a picture, whom to credit, and the file that says so."""

    licence: str
    credit: str
    stated_in: str


def parse_stanzas(text: str) -> list[dict[str, str]]:
    """Split a DEP-5 file, or a README in the same manner, into stanzas of fields with lower-case names.

    A line without a field name continues the field before it; a new ``Copyright`` field begins a new stanza where
    a README forgot the empty line.
    """
    stanzas: list[dict[str, str]] = [{}]
    field = ""
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not line.strip():
            stanzas.append({})
            field = ""
        elif colon and name.strip().isidentifier() and not line[0].isspace():
            field = name.strip().lower()
            if field == "copyright" and field in stanzas[-1]:
                stanzas.append({})
            stanzas[-1][field] = value.strip()
        elif field:
            stanzas[-1][field] += f"\n{line.strip()}"
    return [stanza for stanza in stanzas if stanza]


def terms_from_copyright(text: str, path: str, stated_in: str) -> Terms | None:
    """Find a file's stanza in a package's ``copyright`` file.

    Args:
        text: the content of the ``copyright`` file.
        path: the file inside the package, such as ``usr/share/backgrounds/mate/nature/Aqua.jpg``.
        stated_in: what to call the ``copyright`` file.

    Returns:
        The terms of the last stanza that fits, as DEP-5 asks; ``None`` when none does.
    """
    found = None
    for stanza in parse_stanzas(text):
        if any(_fits(path, pattern) for pattern in stanza.get("files", "").split()):
            found = _terms(stanza, stated_in)
    return found


def _fits(path: str, pattern: str) -> bool:
    # Patterns name files of the source package; installing moves them, so the name, and the folder where one is
    # still recognisable, must do.
    if pattern == "*":
        return True
    return fnmatchcase(path, f"*/{pattern}") or PurePosixPath(path).name == PurePosixPath(pattern).name


def terms_from_readme(text: str, name: str, stated_in: str) -> Terms | None:
    """Find a picture's stanza in a GCompris ``README``.

    Args:
        text: the content of the ``README``.
        name: the picture's path relative to the ``README``, such as ``wonders/petra.webp``.
        stated_in: what to call the ``README``.
    """
    for stanza in parse_stanzas(text):
        if name in stanza.get("files", "").split():
            return _terms(stanza, stated_in)
    return None


def _terms(stanza: Mapping[str, str], stated_in: str) -> Terms:
    holders = stanza.get("copyright", "").splitlines()
    credit = "; ".join([line.strip() for line in holders if line.strip()] + stanza.get("source", "").split())
    return Terms(stanza.get("license", "").split("\n")[0].strip(), credit, stated_in)
