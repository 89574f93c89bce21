"""The folder of a training while it runs: whose it is, what is left of a killed run, and what goes at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metalens.formats.files.atomic import atomic_file, require_new_directory
from metalens.formats.files.errors import InputError
from metalens.restore.training.log import HISTORY
from metalens.restore.training.run import CHECKPOINT

SETTINGS = "settings.json"
"""There from the beginning to the very end: a folder with it holds an unfinished training."""


def claim(output: Path, settings: dict[str, Any], resume: bool) -> None:
    """Begin in a new folder, or check that the folder's unfinished training is this one.

    Raises:
        InputError: the folder holds something else, or a training with other settings, or one that has finished.
    """
    note = output / SETTINGS
    text = json.dumps(settings, indent=1, sort_keys=True)
    if resume and note.is_file():
        found = note.read_text(encoding="utf-8")
        if found != text:
            raise InputError(
                f"{output}: its unfinished training has other settings ({_difference(found, settings)}); repeat those "
                "of the first run, or choose a new folder with -o."
            )
        # A process that was killed while it wrote leaves its part behind.
        for part in output.glob(".*.part"):
            part.unlink(missing_ok=True)
        return
    if resume and (output / "adapter.json").is_file():
        raise InputError(f"{output}: its training has finished; go on from it with --init {output} and another -o.")
    require_new_directory(output)
    if not output.resolve().parent.is_dir():
        raise InputError(f"{output}: its folder {output.parent} does not exist; make it first.")
    output.mkdir(exist_ok=True)
    with atomic_file(note) as part:
        part.write_text(text, encoding="utf-8")


def finish(output: Path) -> None:
    """Remove what only an unfinished training needs; its settings last."""
    for leftover in (CHECKPOINT, HISTORY, SETTINGS):
        (output / leftover).unlink(missing_ok=True)


def _difference(found: str, settings: dict[str, Any]) -> str:
    """The first thing that differs, by its name."""
    try:
        before = json.loads(found)
        flat = [_flat(each) for each in (before, json.loads(json.dumps(settings)))]
    except (ValueError, AttributeError, RecursionError):
        return "the note of its settings is damaged"
    names = sorted(name for name in flat[0].keys() | flat[1].keys() if flat[0].get(name) != flat[1].get(name))
    first = names[0]
    return f"{first}: {flat[0].get(first)!r} before, {flat[1].get(first)!r} now"


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
