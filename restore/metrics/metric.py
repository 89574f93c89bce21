"""The record of a metric: a function from pictures to figures, and its description."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

WHOLE = "whole"

Compare = Callable[[np.ndarray, Sequence[np.ndarray]], list[dict[str, float]]]
"""(clean picture, pictures of its shape), ``[y, x, 3]`` uint8, → the figures of each picture.

The keys are ``whole`` and, if the metric has them, the zones of the field. No-reference metrics ignore the clean
picture.
"""


@dataclass(frozen=True)
class Metric:
    """A metric of picture quality.

    Attributes:
        key: name in files.
        heading: name in tables.
        better: whether higher or lower is better.
        digits: decimals in tables.
        about: description and source.
        load: loads the function that computes it, on a device of torch; this may be slow.
        missing: the reason why it cannot be computed on this machine, or ``None``.
        smallest: smallest side of a picture in pixels.
    """

    key: str
    heading: str
    better: Literal["higher", "lower"]
    digits: int
    about: str
    load: Callable[[str], Compare]
    missing: Callable[[], str | None] = lambda: None
    smallest: int = 16

    def reason(self, pixels: tuple[int, ...]) -> str | None:
        """The reason why it cannot be computed for pictures of (rows, columns, …) here, or ``None``."""
        if min(pixels[:2]) < self.smallest:
            return f"pictures of {pixels[0]} × {pixels[1]} pixels are too small for it, which needs {self.smallest}"
        return self.missing()
