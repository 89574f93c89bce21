"""JSON files, read guarded: what is missing, too large, nested too deeply or of another kind is one sentence."""

from __future__ import annotations

import json
import os
from typing import Any

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file

LARGEST_JSON = 2**26


def read_json(
    path: str | os.PathLike[str], what: str, advice: str, *, kind: type = dict, largest: int = LARGEST_JSON
) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        what: what it should be, as error messages name it: ``benchmark's plan``.
        advice: what to do when it cannot be used, the end of the sentence: ``start anew in another folder``.
        kind: what it must hold: ``dict`` for an object, ``list`` for an array, ``object`` for anything.
        largest: bytes above which it is not read.

    Returns:
        What it holds; what is inside the caller checks.

    Raises:
        InputError: it is missing, a folder, too large, no JSON, or of another kind.
    """
    target = input_file(path, what, largest=largest, missing=f"no such file; {advice}.")
    try:
        found = json.loads(target.read_bytes().decode("utf-8-sig"))
        if not isinstance(found, kind):
            raise ValueError(f"found {type(found).__name__}, expected {kind.__name__}")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a readable {what} ({error}); {advice}.") from error
    return found
