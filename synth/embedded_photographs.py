"""The colour photographs inside the scikit-image and scikit-learn wheels: scenes without a download."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import package_folder
from metalens.synth.photographs import Photograph

Split = Literal["train", "held_out"]

# name: package, file, split, licence, credit. The terms are those that the packages themselves state
# (the docstrings of skimage.data, the README of sklearn.datasets.images).
_EMBEDDED: dict[str, tuple[str, str, Split, str, str]] = {
    "astronaut": (
        "skimage.data",
        "astronaut.png",
        "train",
        "public domain",
        "NASA, portrait of Eileen Collins",
    ),
    "chelsea": ("skimage.data", "chelsea.png", "train", "CC0", "Stéfan van der Walt"),
    "china": (
        "sklearn.datasets.images",
        "china.jpg",
        "held_out",
        "CC-BY-2.0",
        "danielbuechele, flickr.com/photos/danielbuechele/6061409035",
    ),
    "coffee": (
        "skimage.data",
        "coffee.png",
        "held_out",
        "CC0",
        "Rachel Michetti, courtesy of Pikolo Espresso Bar",
    ),
    "flower": (
        "sklearn.datasets.images",
        "flower.jpg",
        "train",
        "CC-BY-2.0",
        "vultilion, flickr.com/photos/vultilion/6056698931",
    ),
    "motorcycle": (
        "skimage.data",
        "motorcycle_left.png",
        "held_out",
        "Middlebury 2014 stereo benchmark, for research (no licence text is stated)",
        "N. Nesic, P. Westling, X. Wang, Y. Kitajima, G. Krathwohl, D. Scharstein, Middlebury College",
    ),
    "rocket": ("skimage.data", "rocket.jpg", "train", "public domain", "SpaceX"),
}


EMBEDDED_NAMES = tuple(_EMBEDDED)


def embedded_photographs(split: Split | None = None, name: str | None = None) -> list[Photograph]:
    """List the photographs inside the installed wheels.

    Args:
        split: ``"train"``, or ``"held_out"`` for those that no training set may use; ``None`` for all.
        name: of a single one; ``None`` for all.

    Returns:
        The photographs, sorted by name.

    Raises:
        InputError: ``split`` is unknown, or an installed wheel lacks its photograph, or is missing.
    """
    if split not in ("train", "held_out", None):
        raise InputError(f"split {split!r}: expected 'train', 'held_out' or None.")
    return [
        Photograph(each, _locate(package, file), licence, credit)
        for each, (package, file, part, licence, credit) in sorted(_EMBEDDED.items())
        if split in (part, None) and name in (each, None)
    ]


def _locate(package: str, file: str) -> Path:
    root, _, inside = package.partition(".")
    path = package_folder("embedded photographs", root).joinpath(*inside.split("."), file)
    if not path.is_file():
        raise InputError(
            f"{path}: the installed {root} lacks this photograph; install scikit-image and scikit-learn again."
        )
    return path
