"""The test pictures: whole frames of one set of pairs, or of several sets with figures of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from metalens.formats.files.atomic import write_text
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import real_path
from metalens.formats.pairs.reader import Pairs, pair_names, read_pairs
from metalens.formats.pairs.shard import PairSample
from metalens.formats.pictures.pictures import write_picture
from metalens.restore.bench.folder import judged_pictures, read_part

SETS = "sets.json"
"""File name of picture → set, in the folder of the test pictures."""


@dataclass(frozen=True)
class Judged:
    """One test pair.

    Attributes:
        set_name: name of the set's folder.
        name: name of the picture, preceded by the set's name if there are several sets.
        pairs: the set of pairs.
        number: index of the sample in the set.
    """

    set_name: str
    name: str
    pairs: Pairs
    number: int

    def sample(self) -> PairSample:
        """Read the pair."""
        return self.pairs.sample(self.number)


def read_test_sets(folders: Sequence[str | Path]) -> dict[str, Pairs]:
    """Open the test sets; the keys are the folders' names.

    Raises:
        InputError: a folder holds no pairs, or two folders have the same name.
    """
    found: dict[str, Pairs] = {}
    for folder in folders:
        name = real_path(folder).name
        if name in found:
            raise InputError(f"--test {folder}: two sets are named {name}; the table could not tell them apart.")
        found[name] = read_pairs(folder)
    return found


def judged_pairs(sets: dict[str, Pairs]) -> Iterator[Judged]:
    """Every pair of every set, in order."""
    for set_name, pairs in sets.items():
        for number, name in enumerate(pair_names(pairs)):
            yield Judged(set_name, f"{set_name}-{name}" if len(sets) > 1 else name, pairs, number)


def store_test_pictures(folder: Path, sets: dict[str, Pairs]) -> None:
    """Write the pictures to ``test/``, so that metrics and pages need the benchmark's folder alone.

    Args:
        folder: folder of the benchmark.
        sets: name → set of pairs.

    Raises:
        InputError: the benchmark was started with other pictures.
    """
    place = folder / "test"
    belongs = {each.name: each.set_name for each in judged_pairs(sets)}
    if (place / SETS).is_file() and read_part(place / SETS, dict[str, str]) != belongs:
        raise InputError(
            f"{folder}: its methods are judged on other pictures than those of {', '.join(sets)}; give the same "
            "--test, or choose a new folder with -o."
        )
    for side in ("clean", "captured"):
        (place / side).mkdir(parents=True, exist_ok=True)
    for each in judged_pairs(sets):
        for side, picture in zip(("clean", "captured"), each.pairs[each.number], strict=True):
            path = place / side / f"{each.name}.png"
            if not path.is_file():
                write_picture(path, picture)
    write_text(place / SETS, json.dumps(belongs, indent=1) + "\n")


def sets_of(folder: Path) -> dict[str, list[str]]:
    """Read set → names of its pictures, as :func:`store_test_pictures` wrote them.

    Raises:
        InputError: the file is missing, damaged or of other pictures than those of the folder.
    """
    path = folder / "test" / SETS
    belongs = read_part(path, dict[str, str])
    if belongs.keys() != {name for name, _, _ in judged_pictures(folder)}:
        raise InputError(f"{path}: names other pictures than test/clean has; begin anew in another folder.")
    found: dict[str, list[str]] = {}
    for picture, name in belongs.items():
        found.setdefault(name, []).append(picture)
    return found
