"""Pages of the file formats, written from the records that read the files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.sensor import Sensor
from metalens.formats.captures.pinhole_captures import CaptureSet
from metalens.formats.captures.screen_captures import AlignmentSet
from metalens.formats.design.spec import DesignSpec
from metalens.formats.design.tolerance_spec import ToleranceSpec
from metalens.formats.files.schema_keys import Key, Table, table_of
from metalens.formats.meta_atoms.spec import LibrarySpec
from metalens.formats.pairs.manifest import PairsManifest
from metalens.formats.pairs.shard import NUMBERS, PICTURES
from metalens.formats.psf import bank_file
from metalens.restore.adapter.description import AdapterDescription
from metalens.restore.adapter.paths import PathShares
from metalens.restore.adapter.restorer import AdapterConfig
from metalens.restore.training.config import TrainConfig

Files = dict[str, tuple[str, str, dict[str, Any]]]

FILES: Files = {
    "lens": ("lens.toml", "A camera. `metalens init lens` writes one to begin with.", {"": Camera}),
    "design": ("design.toml", "The specification of a lens, for `metalens design` and `explore`.", {"": DesignSpec}),
    "tolerances": ("tolerances.toml", "Errors of fabrication and assembly.", {"": ToleranceSpec}),
    "library": ("library.toml", "Meta-atoms that `metalens library build` computes.", {"": LibrarySpec}),
    "sensor": ("sensor.toml", "A sensor with which cameras begin.", {"sensor": Sensor}),
    "pinholes": ("captures.toml of a pinhole", "Read by `metalens psf measured`.", {"": CaptureSet}),
    "screen": ("captures.toml of a screen", "Read by `metalens align`.", {"": AlignmentSet}),
    "recipe": (
        "recipe.toml of a training",
        "Read by `metalens train --config`.",
        {"training": TrainConfig, "adapter": AdapterConfig, "paths": PathShares},
    ),
    "pairs": ("pairs/manifest.json", "What a folder of pairs holds.", {"": PairsManifest}),
    "adapter": ("adapter/adapter.json", "What an adapter is.", {"": AdapterDescription}),
}
"""Page → title, a sentence, and the records of the file's tables."""


def format_pages() -> dict[str, str]:
    """File name → content, in Markdown."""
    pages = {f"file-formats/{page}.md": _page(*FILES[page]) for page in FILES}
    pages["file-formats/psf.md"] = _psf_page()
    pages["file-formats/pairs.md"] += _shards()
    listed = "\n".join([*list(FILES)[:6], "psf", *list(FILES)[6:]])
    pages["file-formats/index.md"] = (
        "# File formats\n\nEvery arrow between two stages is a file with a schema and a version. These pages are made "
        "from the\nrecords that read the files: what they say is what is accepted. Unknown keys are refused in files "
        f"that people\nwrite.\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )
    return pages


def _page(title: str, about: str, records: dict[str, Any]) -> str:
    parts = [f"# {title}\n\n{about}\n"]
    for name, record in records.items():
        table = table_of(record)
        if record is TrainConfig:  # they are tables of their own in the file
            table = replace(table, keys=tuple(key for key in table.keys if key.name not in ("adapter", "shares")))
        parts += _sections(table, name)
    return "\n".join(parts)


def _sections(table: Table, place: str) -> Iterator[str]:
    """A section for a table, and one for each table in it."""
    yield f"## {f'[{place}]' if place else 'At the top'}\n\n{_text(table.text)}\n"
    yield _rows(table.keys)
    for key in table.keys:
        for inner in key.tables:
            inside = f"{place}.{key.name}" if place else key.name
            tags = ", ".join(f'{name} = "{value}"' for name, value in inner.constants.items())
            sections = list(_sections(inner, inside))
            if tags:
                sections[0] = sections[0].replace(f"## [{inside}]", f"## [{inside}] with {tags}")
            if key.repeated:
                sections[0] = sections[0].replace(f"[{inside}]", f"[[{inside}]]", 1)
            yield from sections


def _rows(keys: tuple[Key, ...]) -> str:
    lines = ["| key | takes | default | |", "| --- | --- | --- | --- |"]
    for key in keys:
        default = "required" if key.required else "" if key.default is None else f"`{_short(key.default)}`"
        lines.append(f"| `{key.name}` | {_text(key.kind)} | {default} | {_text(key.text)} |")
    return "\n".join(lines) + "\n"


def _short(value: Any) -> str:
    said = str(value).lower() if isinstance(value, bool) else str(value) or '""'
    return said if len(said) <= 60 else "see its table"


def _text(text: str) -> str:
    """A description as a cell of a table."""
    return text.replace("``", "`").replace("|", "\\|").replace(":mod:", "").replace(":func:", "").replace(":attr:", "")


def _psf_page() -> str:
    lines = [
        "# psf.h5",
        "",
        "An HDF5 file of point spread functions. Its attributes are `schema`, `version`, `lens_toml` (the camera as",
        "text), `lens_hash`, `layout` (`grid`, `radial` or `scattered`) and `provenance`. The meaning of the arrays,",
        "with units, is that of {py:class}`metalens.PsfBank`; the groups `by_channel` and `by_wavelength` hold the",
        "figures of merit.",
        "",
        "| array | type | shape |",
        "| --- | --- | --- |",
    ]
    arrays = {**bank_file.ARRAYS, **bank_file.SUBPIXEL_ARRAYS}
    for name, (kind, shape) in arrays.items():
        lines.append(
            f"| `{name}` | {kind.__name__} | {' × '.join('n' if each is None else str(each) for each in shape)} |"
        )
    return "\n".join(lines) + "\n"


def _shards() -> str:
    lines = ["", "## Shards", "", "Beside the manifest lie HDF5 files of samples. Pictures are uint8, sRGB:", ""]
    lines += ["| array | type | shape |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | uint8 | sample × y × x × 3 |" for name in PICTURES]
    for name, (kind, shape) in NUMBERS.items():
        lines.append(f"| `{name}` | {kind.__name__} | {' × '.join(['sample', *map(str, shape)])} |")
    return "\n".join(lines) + "\n"
