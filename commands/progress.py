"""Progress bars on stderr, driven by the stages' callbacks; each call is also a point of interruption."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from metalens.formats.files.interruption import stop_if_interrupted


class CountProgress(Protocol):
    """Takes items done, items in all, and text."""

    def __call__(self, done: int, total: int, text: str = "") -> None:
        """Show it."""


@contextmanager
def count_progress(label: str, unit: str) -> Iterator[CountProgress]:
    """Show a progress bar on stderr while the block runs.

    Args:
        label: text before the bar.
        unit: name of one item.

    Yields:
        Progress callback: items done, items in all, and text that stands behind the bar.
    """
    from tqdm import tqdm

    with tqdm(desc=label, unit=unit, file=sys.stderr, dynamic_ncols=True, total=1) as bar:

        def tell(done: int, total: int, text: str = "") -> None:
            bar.total = total
            bar.n = done
            bar.set_postfix_str(text, refresh=False)
            bar.refresh()
            stop_if_interrupted()

        yield tell


@contextmanager
def share_progress(label: str) -> Iterator[Callable[[float, dict[str, float] | str], None]]:
    """Show a progress bar on stderr; its callback takes (fraction done, figures or the current work)."""
    from tqdm import tqdm

    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
    with tqdm(desc=label, total=1.0, file=sys.stderr, dynamic_ncols=True, bar_format=layout) as bar:

        def tell(share: float, told: dict[str, float] | str) -> None:
            bar.n = min(share, 1.0)
            text = told if isinstance(told, str) else ", ".join(f"{name}={value:.4f}" for name, value in told.items())
            bar.set_postfix_str(text, refresh=False)
            bar.refresh()
            stop_if_interrupted()

        yield tell
