"""Panes of one photograph with linked zoom and pan, a curtain, the slider of α, and a brush for a map of α."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments


class PhotoPanes(ui.element, component="photo_panes.js"):
    """The element; its behaviour is in ``photo_panes.js``.

    Args:
        on_alpha: called with the value at which the slider of α was released.
        on_painted: called with the file name of a map of α that was painted and kept.
    """

    def __init__(self, on_alpha: Callable[[float], Any], on_painted: Callable[[str], Any]) -> None:
        super().__init__()
        self.shown: dict[str, Any] = {}

        def released(event: GenericEventArguments) -> Any:
            return on_alpha(float(event.args))

        def painted(event: GenericEventArguments) -> Any:
            return on_painted(str(event.args))

        self.on("alpha", released)
        self.on("painted", painted)

    def show(self, **properties: Any) -> None:
        """Set what is shown.

        Args:
            properties: those of the component: ``panes``, ``pictures``, ``alpha``, ``curtain``, ``overlay``, ``brush``,
                ``mapped``, ``rows``, ``columns``, ``post``.
        """
        self.shown |= properties
        for name, value in properties.items():
            self._props[name] = value
        self.update()
