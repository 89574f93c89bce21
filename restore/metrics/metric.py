"""What a metric is: pictures in, a figure each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

WHOLE = "whole"

Compare = Callable[[np.ndarray, Sequence[np.ndarray]], list[dict[str, float]]]
"""From a clean picture and others of its shape, ``[y, x, 3]`` uint8, to the figures of each.

They are that of the ``whole`` picture and, where there are such, those of the zones of the field. Metrics without
reference do not look at the clean picture.
"""


@dataclass(frozen=True)
class Metric:
    """A figure of merit of pictures.

    Attributes:
        key: its name in files.
        heading: its name in tables.
        better: which way is better.
        digits: behind the point, in tables.
        about: what it is and where it is from.
        load: makes the function that computes it, on a device of torch; takes what time it takes.
        missing: why it cannot be computed on this machine, or ``None``.
        smallest: side in pixels of the smallest picture that it takes.
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
        """Why it cannot be computed of pictures of (rows, columns, …) here, or ``None``."""
        if min(pixels[:2]) < self.smallest:
            return f"pictures of {pixels[0]} × {pixels[1]} pixels are too small for it, which needs {self.smallest}"
        return self.missing()
