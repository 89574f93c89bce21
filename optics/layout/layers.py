"""Which layer of a layout holds what."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from metalens.formats.files.errors import InputError

Layer = tuple[int, int]
"""Number and datatype, 0 to 65535 each."""

LARGEST_NUMBER = 65_535


@dataclass(frozen=True)
class LayerMap:
    """The layers of a layout.

    Attributes:
        atoms: the meta-atoms: pillars, or holes.
        boundary: outline of the aperture.
        marks: alignment marks.
        label: text.
    """

    atoms: Layer = (1, 0)
    boundary: Layer = (2, 0)
    marks: Layer = (3, 0)
    label: Layer = (4, 0)

    def __post_init__(self) -> None:
        for each in fields(self):
            layer = getattr(self, each.name)
            if not all(0 <= number <= LARGEST_NUMBER for number in layer):
                raise InputError(
                    f"layer {layer[0]}/{layer[1]} of {each.name} is out of range; numbers from 0 to {LARGEST_NUMBER} "
                    "were expected."
                )
        if self.atoms in (self.boundary, self.marks, self.label):
            raise InputError(
                f"layer {self.atoms[0]}/{self.atoms[1]} holds the meta-atoms and something else too; give the "
                "meta-atoms a layer of their own."
            )


def parse_layer(text: str) -> Layer:
    """A layer as people write it: ``7/0``, or ``7`` for the datatype 0.

    Raises:
        InputError: it is not written so.
    """
    found = re.fullmatch(r"(\d{1,5})(?:/(\d{1,5}))?", text.strip())
    if found is None or max(int(part or 0) for part in found.groups()) > LARGEST_NUMBER:
        raise InputError(f"layer {text!r} is not LAYER/DATATYPE, such as 1/0, with numbers up to {LARGEST_NUMBER}.")
    return int(found[1]), int(found[2] or 0)
