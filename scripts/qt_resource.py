"""Qt's compiled resource files (``.rcc``), read without Qt.

The layout is that of Qt's own ``rcc`` tool: the bytes ``qres``, then big-endian 32-bit words: version, offset of
the tree, of the data, of the names (and, from version 3, flags). A tree node is 14 bytes, 22 from version 2 on.
Every offset and size comes from the file, so each is checked before it is followed.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from metalens.formats.files.errors import InputError

MAXIMUM_ENTRY_BYTES = 2**28
"""The largest decoded entry that is read."""

_COMPRESSED_ZLIB, _DIRECTORY, _COMPRESSED_ZSTANDARD = 1, 2, 4


@dataclass(frozen=True)
class QtResource:
    """One file inside a ``.rcc``.

    Attributes:
        path: its path inside the resource, with forward slashes.
        content: its bytes, decompressed.
    """

    path: str
    content: bytes


@dataclass(frozen=True)
class _Layout:
    data: bytes
    origin: str
    tree: int
    payload: int
    names: int
    node_size: int

    def unpack(self, form: str, offset: int) -> tuple[int, ...]:
        size = struct.calcsize(form)
        if offset < 0 or offset + size > len(self.data):
            raise InputError(f"{self.origin}: damaged Qt resource file (byte {offset} lies past its end).")
        return struct.unpack_from(form, self.data, offset)

    def slice(self, offset: int, size: int) -> bytes:
        if offset < 0 or offset + size > len(self.data):
            raise InputError(f"{self.origin}: damaged Qt resource file (an entry reaches past its end).")
        return self.data[offset : offset + size]


def read_qt_resources(path: str | os.PathLike[str]) -> Iterator[QtResource]:
    """Yield the files inside a ``.rcc``, in the order of its tree.

    Raises:
        InputError: the file is missing, no Qt resource file of version 1 to 3, damaged, or uses Zstandard.
    """
    origin = os.fspath(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{origin}: could not be read ({error.strerror}).") from error
    layout = _read_header(data, origin)
    yield from _walk(layout)


def _read_header(data: bytes, origin: str) -> _Layout:
    if data[:4] != b"qres" or len(data) < 20:
        raise InputError(f"{origin}: not a Qt resource file (it does not begin with 'qres').")
    version, tree, payload, names = struct.unpack_from(">4I", data, 4)
    if not 1 <= version <= 3:
        raise InputError(f"{origin}: found Qt resource version {version}, expected 1, 2 or 3.")
    return _Layout(data, origin, tree, payload, names, 14 if version == 1 else 22)


def _walk(layout: _Layout) -> Iterator[QtResource]:
    pending: list[tuple[int, str]] = [(0, "")]
    seen: set[int] = set()
    while pending:
        index, parent = pending.pop()
        # A node that is met twice would be a loop; rcc writes a tree.
        if index in seen:
            raise InputError(f"{layout.origin}: damaged Qt resource file (its tree loops at node {index}).")
        seen.add(index)
        node = layout.tree + index * layout.node_size
        name_offset, flags = layout.unpack(">IH", node)
        path = parent if index == 0 else f"{parent}/{_name(layout, name_offset)}".removeprefix("/")
        if flags & _DIRECTORY:
            count, first = layout.unpack(">II", node + 6)
            if count > len(layout.data) // layout.node_size:
                raise InputError(f"{layout.origin}: damaged Qt resource file (a folder claims {count} files).")
            pending += [(first + child, path) for child in reversed(range(count))]
        else:
            (data_offset,) = layout.unpack(">I", node + 10)
            yield QtResource(path, _content(layout, path, data_offset, flags))


def _name(layout: _Layout, offset: int) -> str:
    (length,) = layout.unpack(">H", layout.names + offset)
    return layout.slice(layout.names + offset + 6, 2 * length).decode("utf-16-be", errors="replace")


def _content(layout: _Layout, path: str, offset: int, flags: int) -> bytes:
    start = layout.payload + offset
    (size,) = layout.unpack(">I", start)
    stored = layout.slice(start + 4, size)
    if flags & _COMPRESSED_ZSTANDARD:
        raise InputError(f"{layout.origin}: {path} is compressed with Zstandard, which this reader does not support.")
    if not flags & _COMPRESSED_ZLIB:
        return stored
    # qCompress: the decoded size as a big-endian word, then a zlib stream.
    decoded_size = int.from_bytes(stored[:4], "big")
    if decoded_size > MAXIMUM_ENTRY_BYTES:
        raise InputError(f"{layout.origin}: {path} declares {decoded_size} bytes; refused.")
    decompressor = zlib.decompressobj()
    try:
        content = decompressor.decompress(stored[4:], decoded_size + 1)
    except zlib.error as error:
        raise InputError(f"{layout.origin}: {path} is damaged ({error}).") from error
    if len(content) != decoded_size:
        raise InputError(f"{layout.origin}: {path} is damaged (its size is not the declared {decoded_size}).")
    return content
