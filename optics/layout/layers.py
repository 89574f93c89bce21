"""The layers of a layout."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass as settings

from metalens.formats.files.errors import InputError
from metalens.formats.files.record import STRICT, told_as_input_error

LARGEST_NUMBER = 65_535

_Number = Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]

Layer = tuple[_Number, _Number]
"""Number and datatype."""


@told_as_input_error("layers of a layout")
@settings(frozen=True, config=STRICT)
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

    @model_validator(mode="after")
    def _atoms_alone(self) -> LayerMap:
        if self.atoms in (self.boundary, self.marks, self.label):
            raise ValueError(
                f"layer {self.atoms[0]}/{self.atoms[1]} holds the meta-atoms and something else too; give the "
                "meta-atoms a layer of their own"
            )
        return self


def parse_layer(text: str) -> Layer:
    """Parse a layer: ``7/0``, or ``7`` for the datatype 0.

    Raises:
        InputError: it has another form.
    """
    found = re.fullmatch(r"(\d{1,5})(?:/(\d{1,5}))?", text.strip())
    if found is None or max(int(part or 0) for part in found.groups()) > LARGEST_NUMBER:
        raise InputError(f"layer {text!r} is not LAYER/DATATYPE, such as 1/0, with numbers up to {LARGEST_NUMBER}.")
    return int(found[1]), int(found[2] or 0)
