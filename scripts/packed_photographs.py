"""Photographs packed into one file that moves easily, as to a machine with an accelerator and no network.

    python scripts/packed_photographs.py photos photos.zip [--quality 92]
    unzip -q photos.zip -d photos

JPEG with the colours at full resolution takes a quarter of the room of PNG. The manifest goes along, with licences and
credits.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture
from metalens.synth.photographs import MANIFEST, find_photographs

_ARCHIVE_TIME = (1980, 1, 1, 0, 0, 0)


def pack_photographs(folder: Path, archive: Path, *, quality: int = 92) -> int:
    """Write the photographs of a folder as JPEG into a zip archive, with a manifest of their licences and credits.

    Args:
        folder: holds the photographs, and perhaps a ``manifest.json``.
        archive: the new file; it appears whole or not at all, and the same photographs give the same bytes.
        quality: of JPEG, 1 to 100.

    Returns:
        How many were packed.

    Raises:
        InputError: there is no photograph, one cannot be read, two have one name, or the quality is out of its range.
    """
    if not 1 <= quality <= 100:
        raise InputError(f"--quality must be from 1 to 100, found {quality}.")
    photographs = find_photographs([folder])
    names = [f"{each.name}.jpg" for each in photographs]
    if len(set(names)) < len(names):
        twice = sorted(name for name in set(names) if names.count(name) > 1)[0]
        raise InputError(f"{folder}: two photographs would be called {twice}; rename one.")
    entries = [
        {"file": name, "licence": each.licence, "credit": each.credit}
        for name, each in zip(names, photographs, strict=True)
    ]
    with atomic_file(archive) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as file:
        _add(file, MANIFEST, json.dumps({"photographs": entries}, indent=1).encode())
        for name, each in zip(names, photographs, strict=True):
            buffer = io.BytesIO()
            Image.fromarray(read_picture(each.path)).save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
            _add(file, name, buffer.getvalue())
    return len(names)


def _add(file: zipfile.ZipFile, name: str, content: bytes) -> None:
    file.writestr(zipfile.ZipInfo(name, date_time=_ARCHIVE_TIME), content)


def main(arguments: Sequence[str] | None = None) -> None:
    """Pack as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--quality", type=int, default=92)
    given = parser.parse_args(arguments)
    try:
        count = pack_photographs(given.folder, given.archive, quality=given.quality)
    except InputError as error:
        sys.exit(f"packed_photographs: {error}")
    print(f"{given.archive}: {count} photographs, {given.archive.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
